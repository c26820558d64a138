/* SPDX-License-Identifier: MIT */
/*
 * How an operation is put together:
 *
 *	op_begin(&op, "add", dst);		the index space
 *	op_write(&op, "dst", dst);		operands in the program's order
 *	op_read(&op, "a", a);
 *	return op_emit(&op, cb, &program, params);
 *
 * The first mistake stays in op.rc and op_emit() returns it.
 */
#ifndef ACCEL_OPS_INTERNAL_H
#define ACCEL_OPS_INTERNAL_H

#include <accel/accel_ops.h>

#include "internal.h"

/** struct op_program - text of a vector program, assembled at first use */
struct op_program {
	/** @source: for accel_vprog_assemble() */
	const char *source;
	/** @prog: NULL until then; the process keeps it */
	struct accel_vprog *_Atomic prog;
};

/** struct op - a vector command while its operands are collected */
struct op {
	/** @name: of the operation, for messages */
	const char *name;
	/** @rc: 0 or the first error */
	int rc;
	/** @count: operands so far */
	unsigned int count;
	/** @dim: index space */
	uint32_t dim[4];
	/** @operand: operands */
	struct loom_vec_operand operand[LOOM_VEC_MAX_OPERANDS];
};

/* op_begin() - the extents of @shape are the index space */
void op_begin(struct op *op, const char *name, const struct accel_tensor *shape);

/* op_write() - exactly the index space, no broadcast */
void op_write(struct op *op, const char *what, const struct accel_tensor *t);
/* op_read() - repeats to the index space */
void op_read(struct op *op, const char *what, const struct accel_tensor *t);
/* op_row() - one element per row: the index space with dim[0] = 1 */
void op_row(struct op *op, const char *what, const struct accel_tensor *t);

/**
 * op_merge() - make rows as long as the layout allows
 *
 * For programs that care neither for the lane nor for the row.
 */
void op_merge(struct op *op);

/* op_emit() - assemble @program if that was not done yet, append the command */
int op_emit(struct op *op, struct accel_cmdbuf *cb, struct op_program *program,
	    const uint32_t *params);

/* op_fail() - error_set(-EINVAL) with "<operation>: <message>" */
int op_fail(const char *name, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* op_check() - is it a tensor of a plain type? */
int op_check(const char *name, const char *what, const struct accel_tensor *t);
/* op_check_dim() - are the extents exactly @dim? */
int op_check_dim(const char *name, const char *what,
		 const struct accel_tensor *t, const uint32_t dim[4]);
/* op_check_integer() - is the type an integer? */
int op_check_integer(const char *name, const char *what,
		     const struct accel_tensor *t);

/* A buffer for op_dims(): "[4294967295, 4294967295, 4294967295, 4294967295]". */
#define OP_DIMS_LEN 56
const char *op_dims(char buf[OP_DIMS_LEN], const uint32_t dim[4]);

bool type_is_block(uint32_t type);
bool type_is_integer(uint32_t type);

#endif
