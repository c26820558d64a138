/* SPDX-License-Identifier: MIT */
/*
 * A MATMUL command as its operands: what matmul_command.c checks and charges
 * for, and matmul.c computes.
 */
#ifndef LOOM_MATMUL_COMMAND_H
#define LOOM_MATMUL_COMMAND_H

#include "engine.h"
#include "matmul.h"

/* alpha of 1.0: nothing to scale */
#define ALPHA_ONE	0x3f800000u

enum { OPERAND_A, OPERAND_B, OPERAND_C, OPERAND_D, OPERANDS };

/** struct tensor - an operand of the command, all of its batch */
struct tensor {
	/** @present: false for a C that is not there */
	bool present;
	/** @type: LOOM_TYPE_* */
	uint32_t type;
	/** @size: bytes of an element or block */
	uint32_t size;
	/** @block: elements of a block, or 1 */
	uint32_t block;
	/** @va: address of element (0,0) */
	uint64_t va;
	/** @field: offset of the address in the command */
	uint32_t field;
	/** @extent: elements per dimension; the blocks of a line are one */
	uint64_t extent[4];
	/** @stride: bytes per dimension */
	int64_t stride[4];
	/** @stride_field: offset of the strides in the command */
	uint32_t stride_field;
	/** @bytes: bytes of an element as counted by @extent */
	uint64_t bytes;
	/** @host: host address of @va, or NULL */
	uint8_t *host;
};

/** loom_matmul_class_of() - which arithmetic A's type asks for */
enum loom_matmul_class loom_matmul_class_of(uint32_t type);

/** loom_matmul_check() - check @cmd, describe its operands; -1 after loom_fail() */
int loom_matmul_check(struct loom_exec *ex, const struct loom_cmd_matmul *cmd,
		      struct tensor tensor[OPERANDS]);

/** loom_matmul_report_cost() - tell the model of time what a checked command costs */
void loom_matmul_report_cost(struct loom_exec *ex,
			     const struct loom_cmd_matmul *cmd,
			     const struct tensor tensor[OPERANDS]);

bool loom_matmul_is_empty(const struct tensor *t);

/** loom_matmul_span() - the bytes an operand touches, from its address; false if they overflow */
bool loom_matmul_span(const struct tensor *t, int64_t *first, int64_t *end);

#endif
