// SPDX-License-Identifier: MIT
/* The rules of a vector program, for the assembler and the encoder. */
#include <string.h>

#include "internal.h"
#include "isa.h"

/** struct vec_state - what is known while walking through a program */
struct vec_state {
	const struct loom_vec_insn *insns;
	unsigned int num_operands;
	bool in_loop;
	unsigned int loop_start;
	/** @reduced: scalar registers that a reduction of this LOOP writes */
	uint32_t reduced;
	/** @written: vector registers that this LOOP has written */
	uint32_t written;
	struct vec_fault *fault;
	unsigned int insn;
};

#define INSN_FIELD(m) offsetof(struct loom_vec_insn, m)

static int fail(struct vec_state *st, uint32_t error, size_t field,
		const char *text)
{
	*st->fault = (struct vec_fault){ error, st->insn, field, text };
	return -1;
}

static bool is_vector(uint8_t reg)
{
	return reg < LOOM_VEC_NUM_V;
}

static bool is_scalar(uint8_t reg)
{
	return reg >= LOOM_VEC_S(0) && reg < LOOM_VEC_S(LOOM_VEC_NUM_S);
}

static bool has(const struct isa_vec *v, char letter)
{
	return strchr(v->form, letter) != NULL;
}

/* Scalar registers that the reductions of the LOOP at @i write. */
static uint32_t loop_reductions(const struct loom_vec_insn *insns,
				unsigned int i, unsigned int num)
{
	const struct isa_vec *v;
	uint32_t mask = 0;

	for (i++; i < num && insns[i].op != LOOM_VEC_END; i++) {
		v = isa_vec(insns[i].op);
		if (v && has(v, 'd') && is_scalar(insns[i].dst))
			mask |= 1u << (insns[i].dst - LOOM_VEC_S(0));
	}
	return mask;
}

/* Fields that the form does not name must be zero. */
static int check_unused(struct vec_state *st, const struct isa_vec *v,
			const struct loom_vec_insn *in)
{
	size_t field = 0;

	if (in->dst && !has(v, 'D') && !has(v, 'd'))
		field = INSN_FIELD(dst);
	else if (in->a && !has(v, 'A'))
		field = INSN_FIELD(a);
	else if (in->b && !has(v, 'B'))
		field = INSN_FIELD(b);
	else if (in->c && !has(v, 'C'))
		field = INSN_FIELD(c);
	else if (in->operand && !has(v, 'O'))
		field = INSN_FIELD(operand);
	else if (in->reserved0)
		field = INSN_FIELD(reserved0);
	else if (in->imm && !has(v, 'I'))
		field = INSN_FIELD(imm);
	else if (in->reserved1)
		field = INSN_FIELD(reserved1);
	if (field)
		return fail(st, LOOM_ERR_CMD_RESERVED, field,
			    "the instruction does not use this field");
	return 0;
}

static int check_dst(struct vec_state *st, const struct isa_vec *v,
		     const struct loom_vec_insn *in)
{
	if (has(v, 'd')) {
		if (!st->in_loop)
			return fail(st, LOOM_ERR_VEC_LOOP, INSN_FIELD(op),
				    "a reduction stands between LOOP and END");
		if (!is_scalar(in->dst))
			return fail(st, LOOM_ERR_VEC_OPERAND, INSN_FIELD(dst),
				    "a reduction writes a scalar register");
		return 0;
	}
	if (!has(v, 'D'))
		return 0;
	if (!is_vector(in->dst) && !is_scalar(in->dst))
		return fail(st, LOOM_ERR_VEC_OPERAND, INSN_FIELD(dst),
			    "no such register");
	if (is_vector(in->dst) && !st->in_loop)
		return fail(st, LOOM_ERR_VEC_OPERAND, INSN_FIELD(dst),
			    "a vector register outside LOOP and END");
	if (v->number == LOOM_VEC_LANE && !is_vector(in->dst))
		return fail(st, LOOM_ERR_VEC_OPERAND, INSN_FIELD(dst),
			    "LANE writes a vector register");
	return 0;
}

static int check_src(struct vec_state *st, uint8_t reg, size_t field,
		     bool scalar_only)
{
	if (is_vector(reg)) {
		if (!st->in_loop)
			return fail(st, LOOM_ERR_VEC_OPERAND, field,
				    "a vector register outside LOOP and END");
		if (scalar_only)
			return fail(st, LOOM_ERR_VEC_OPERAND, field,
				    "a scalar result needs scalar sources");
		if (!(st->written & 1u << reg))
			return fail(st, LOOM_ERR_VEC_OPERAND, field,
				    "this LOOP has not written the register yet");
		return 0;
	}
	if (!is_scalar(reg))
		return fail(st, LOOM_ERR_VEC_OPERAND, field, "no such register");
	if (st->reduced & 1u << (reg - LOOM_VEC_S(0)))
		return fail(st, LOOM_ERR_VEC_OPERAND, field,
			    "the result of a reduction is there after END");
	return 0;
}

static int check_sources(struct vec_state *st, const struct isa_vec *v,
			 const struct loom_vec_insn *in)
{
	bool scalar = has(v, 'D') && is_scalar(in->dst);

	if (has(v, 'A') && check_src(st, in->a, INSN_FIELD(a), scalar))
		return -1;
	if (has(v, 'B') && check_src(st, in->b, INSN_FIELD(b), scalar))
		return -1;
	if (has(v, 'C') && check_src(st, in->c, INSN_FIELD(c), scalar))
		return -1;
	return 0;
}

static int check_operand(struct vec_state *st, const struct isa_vec *v,
			 const struct loom_vec_insn *in)
{
	if (has(v, 'O') && in->operand >= st->num_operands)
		return fail(st, LOOM_ERR_VEC_OPERAND, INSN_FIELD(operand),
			    "no such operand");
	return 0;
}

static int check_imm(struct vec_state *st, const struct loom_vec_insn *in)
{
	bool ok = true;

	if (in->op == LOOM_VEC_PARAM)
		ok = in->imm < LOOM_VEC_NUM_PARAMS;
	else if (in->op == LOOM_VEC_INDEX)
		ok = in->imm >= 1 && in->imm <= 3;
	else if (in->op == LOOM_VEC_DIM)
		ok = in->imm <= 3;
	if (!ok)
		return fail(st, LOOM_ERR_CMD_FIELD, INSN_FIELD(imm),
			    "the number is out of range");
	return 0;
}

static int check_loop(struct vec_state *st, const struct loom_vec_insn *in,
		      unsigned int num)
{
	if (in->op == LOOM_VEC_LOOP) {
		if (st->in_loop)
			return fail(st, LOOM_ERR_VEC_LOOP, INSN_FIELD(op),
				    "LOOP within a LOOP");
		st->in_loop = true;
		st->loop_start = st->insn;
		st->reduced = loop_reductions(st->insns, st->insn, num);
	} else if (in->op == LOOM_VEC_END) {
		if (!st->in_loop)
			return fail(st, LOOM_ERR_VEC_LOOP, INSN_FIELD(op),
				    "END without LOOP");
		st->in_loop = false;
		st->reduced = 0;
		st->written = 0;
	}
	return 0;
}

static int check_insn(struct vec_state *st, unsigned int num)
{
	const struct loom_vec_insn *in = &st->insns[st->insn];
	const struct isa_vec *v = isa_vec(in->op);

	if (!v)
		return fail(st, LOOM_ERR_VEC_OPCODE, INSN_FIELD(op),
			    "no such instruction");
	if (check_unused(st, v, in) || check_loop(st, in, num) ||
	    check_sources(st, v, in) || check_dst(st, v, in) ||
	    check_operand(st, v, in) || check_imm(st, in))
		return -1;
	if (has(v, 'D') && is_vector(in->dst))
		st->written |= 1u << in->dst;
	return 0;
}

int vec_check(const struct loom_vec_insn *insns, unsigned int num,
	      unsigned int num_operands, struct vec_fault *fault)
{
	struct vec_state st = {
		.insns = insns, .num_operands = num_operands, .fault = fault,
	};

	for (st.insn = 0; st.insn < num; st.insn++)
		if (check_insn(&st, num))
			return -1;
	if (st.in_loop) {
		st.insn = st.loop_start;
		return fail(&st, LOOM_ERR_VEC_LOOP, INSN_FIELD(op),
			    "LOOP without END");
	}
	return 0;
}
