/* SPDX-License-Identifier: MIT */
/*
 * Inside the vector engine.  vector_check.c says whether a command is valid,
 * vector_decode.c turns it into steps, vector.c runs them.
 *
 * A program has no jumps, so decoding can follow every value from where it is
 * computed to where it is used:  a scalar has a place of its own per
 * instruction, a vector gets a buffer that no live value occupies, and moves
 * and constants cost nothing.
 */
#ifndef LOOM_VECTOR_H
#define LOOM_VECTOR_H

#include "engine.h"
#include "simd.h"
#include "stream.h"

/* Lanes fed through a LOOP at a time; a multiple of 64, see numerics.rst. */
#define LOOM_VEC_BLOCK		512
#define LOOM_VEC_CHUNKS		(LOOM_VEC_BLOCK / LOOM_CHUNK)

/* One buffer more than registers: a result never overwrites a source. */
#define LOOM_VEC_BUFFERS	(LOOM_VEC_NUM_V + 1)

struct loom_vec_run;
struct loom_vec_step;

/* Do a step for run->n lanes from run->first on; 0, or -1 after a fault. */
typedef int loom_vec_step_fn(struct loom_vec_run *run,
			     struct loom_vec_step *step);

/**
 * struct loom_vec_step - a decoded instruction
 */
struct loom_vec_step {
	/** @fn: does it; NULL for LOOP */
	loom_vec_step_fn *fn;
	/** @once: runs with the first block of its LOOP only */
	bool once;
	/** @operand: of loads and stores */
	uint8_t operand;
	/** @imm: of INDEX */
	uint8_t imm;
	/** @end: LOOP: number of the first step after it */
	uint32_t end;
	/** @d: where the result goes */
	union loom_lanes *d;
	/** @s: sources */
	struct loom_lane_src s[3];
	/** @lane: elementwise instructions: the loop */
	loom_lane_fn *lane;
	/** @reduce: reductions: the loop */
	loom_reduce_fn *reduce;
	/** @op: reductions: the opcode */
	uint8_t op;
	/** @convert: loads and stores: between the operand's type and lanes */
	loom_conv_fn *convert;
	/** @stream: loads and stores: where in the operand we are */
	struct loom_stream stream;
	/** @acc: reductions: so far */
	struct loom_acc acc;
};

/**
 * struct loom_vec_run - a command under way
 */
struct loom_vec_run {
	/** @ex: its environment */
	struct loom_exec *ex;
	/** @cmd: the command, checked */
	const struct loom_cmd_vector *cmd;
	/** @operand: its operands */
	const struct loom_vec_operand *operand;
	/** @span: what each may touch */
	struct loom_span span[LOOM_VEC_MAX_OPERANDS];
	/** @lanes: lanes per row; of all rows if @flat */
	uint64_t lanes;
	/** @flat: rows make no difference and are run as one */
	bool flat;
	/** @i: the row: i1, i2, i3 */
	uint32_t i[3];
	/** @base: address of lane 0 of the row, per operand */
	uint64_t base[LOOM_VEC_MAX_OPERANDS];
	/** @first: first lane of the block */
	uint64_t first;
	/** @n: lanes in it */
	size_t n;
	/** @num_steps: decoded instructions in @step */
	uint32_t num_steps;
	/** @step: the program */
	struct loom_vec_step *step;
	/** @slot: scalar results and constants, one per instruction */
	union loom_lanes *slot;
	/** @zero: a scalar that nobody has written */
	union loom_lanes zero;
	/** @buffer: vector registers */
	union loom_lanes buffer[LOOM_VEC_BUFFERS][LOOM_VEC_CHUNKS];
	/** @raw: elements in the operand's type */
	union loom_lanes raw[2 * LOOM_VEC_CHUNKS];
	/** @copy: a scalar repeated for all lanes */
	union loom_lanes copy[LOOM_VEC_CHUNKS];
};

static inline const struct loom_vec_operand *
loom_vec_operands(const struct loom_cmd_vector *cmd)
{
	return (const struct loom_vec_operand *)(cmd + 1);
}

static inline const struct loom_vec_insn *
loom_vec_insns(const struct loom_cmd_vector *cmd)
{
	return (const struct loom_vec_insn *)
		(loom_vec_operands(cmd) + cmd->num_operands);
}

static inline bool loom_vec_is_vector(uint8_t reg)
{
	return reg < LOOM_VEC_NUM_V;
}

/** loom_vec_uses() - does the form of valid opcode @op have letter @field? */
bool loom_vec_uses(uint8_t op, char field);

/**
 * loom_vec_check() - is the command valid?
 * @span: receives what each operand may touch
 *
 * Return: 0, or -1 after loom_fail().
 */
int loom_vec_check(struct loom_exec *ex, const struct loom_cmd_vector *cmd,
		   size_t len, struct loom_span *span);

/** loom_vec_decode() - fill @run, whose cmd, ex and span are set, with steps */
void loom_vec_decode(struct loom_vec_run *run);

/* vector.c: how steps are done */
loom_vec_step_fn loom_vec_do_lane, loom_vec_do_reduce, loom_vec_do_load,
		 loom_vec_do_load_indexed, loom_vec_do_store,
		 loom_vec_do_lane_number, loom_vec_do_index;

#endif
