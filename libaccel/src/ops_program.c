// SPDX-License-Identifier: MIT
/* From tensors and the text of a program to a VECTOR command. */
#include <errno.h>
#include <string.h>

#include "ops_internal.h"

void op_begin(struct op *op, const char *name, const struct accel_tensor *shape)
{
	memset(op, 0, sizeof(*op));
	op->name = name;
	if (shape)
		memcpy(op->dim, shape->dim, sizeof(op->dim));
	else
		op->rc = op_fail(name, "a tensor is NULL");
}

static void op_add(struct op *op, const struct accel_tensor *t,
		   const int64_t stride[4], const uint32_t wrap[4])
{
	struct loom_vec_operand *operand = &op->operand[op->count++];

	operand->addr = t->va;
	operand->type = (uint8_t)t->type;
	memcpy(operand->stride, stride, sizeof(operand->stride));
	memcpy(operand->wrap, wrap, sizeof(operand->wrap));
}

static int check_not_broadcast(const char *name, const char *what,
			       const struct accel_tensor *t)
{
	char dims[OP_DIMS_LEN];
	unsigned int d;

	for (d = 0; d < 4; d++)
		if (t->dim[d] > 1 && !t->stride[d])
			return op_fail(name, "%s %s has stride 0 in dimension %u, so it cannot be written",
				       what, op_dims(dims, t->dim), d);
	return 0;
}

static const uint32_t no_wrap[4];

void op_write(struct op *op, const char *what, const struct accel_tensor *t)
{
	if (op->rc)
		return;
	op->rc = op_check(op->name, what, t);
	if (!op->rc)
		op->rc = op_check_dim(op->name, what, t, op->dim);
	if (!op->rc)
		op->rc = check_not_broadcast(op->name, what, t);
	if (!op->rc)
		op_add(op, t, t->stride, no_wrap);
}

static int check_repeats(const struct op *op, const char *what,
			 const struct accel_tensor *t)
{
	char have[OP_DIMS_LEN], want[OP_DIMS_LEN];
	unsigned int d;

	for (d = 0; d < 4; d++)
		if (t->dim[d] ? op->dim[d] % t->dim[d] : op->dim[d])
			return op_fail(op->name, "%s is %s, which does not repeat to %s",
				       what, op_dims(have, t->dim),
				       op_dims(want, op->dim));
	return 0;
}

void op_read(struct op *op, const char *what, const struct accel_tensor *t)
{
	uint32_t wrap[4] = { 0 };
	int64_t stride[4];
	unsigned int d;

	if (op->rc)
		return;
	op->rc = op_check(op->name, what, t);
	if (!op->rc)
		op->rc = check_repeats(op, what, t);
	if (op->rc)
		return;
	for (d = 0; d < 4; d++) {
		stride[d] = t->dim[d] == 1 ? 0 : t->stride[d];
		if (t->dim[d] > 1 && t->dim[d] != op->dim[d])
			wrap[d] = t->dim[d];
	}
	op_add(op, t, stride, wrap);
}

void op_row(struct op *op, const char *what, const struct accel_tensor *t)
{
	uint32_t dim[4] = { 1, op->dim[1], op->dim[2], op->dim[3] };
	int64_t stride[4];

	if (op->rc)
		return;
	op->rc = op_check(op->name, what, t);
	if (!op->rc)
		op->rc = op_check_dim(op->name, what, t, dim);
	if (!op->rc)
		op->rc = check_not_broadcast(op->name, what, t);
	if (op->rc)
		return;
	memcpy(stride, t->stride, sizeof(stride));
	stride[0] = 0;
	op_add(op, t, stride, no_wrap);
}

/* ----------------------------------------------------------------- merging */

static bool can_merge(const struct op *op, unsigned int d)
{
	const struct loom_vec_operand *o;
	unsigned int i;

	if ((uint64_t)op->dim[d] * op->dim[d + 1] > UINT32_MAX)
		return false;
	for (i = 0; i < op->count; i++) {
		o = &op->operand[i];
		if (o->wrap[d] || o->wrap[d + 1] ||
		    o->stride[d + 1] != o->stride[d] * op->dim[d])
			return false;
	}
	return true;
}

/* Dimension @d disappears, those above it move down. */
static void drop_dim(struct op *op, unsigned int d)
{
	struct loom_vec_operand *o;
	unsigned int i, e;

	for (e = d; e < 4; e++) {
		op->dim[e] = e < 3 ? op->dim[e + 1] : 1;
		for (i = 0; i < op->count; i++) {
			o = &op->operand[i];
			o->stride[e] = e < 3 ? o->stride[e + 1] : 0;
			o->wrap[e] = e < 3 ? o->wrap[e + 1] : 0;
		}
	}
}

void op_merge(struct op *op)
{
	unsigned int d, last = 3;
	uint32_t dim;

	/* First extents of 1, so that what remains is adjacent. */
	for (d = 3; d < 4; d--)
		if (op->dim[d] == 1 && last) {
			drop_dim(op, d);
			last--;
		}
	for (d = 0; d < last;) {
		if (!can_merge(op, d)) {
			d++;
			continue;
		}
		dim = op->dim[d] * op->dim[d + 1];
		drop_dim(op, d + 1);
		op->dim[d] = dim;
		last--;
	}
}

/* ---------------------------------------------------------------- programs */

/* Two threads may both assemble at first use; one result is kept. */
static int program_get(struct op_program *program,
		       const struct accel_vprog **out)
{
	struct accel_vprog *prog = atomic_load(&program->prog);
	struct accel_vprog *mine;
	int rc;

	if (!prog) {
		rc = accel_vprog_assemble(program->source, &mine);
		if (rc)
			return rc;
		if (atomic_compare_exchange_strong(&program->prog, &prog, mine))
			prog = mine;
		else
			accel_vprog_destroy(mine);
	}
	*out = prog;
	return 0;
}

int op_emit(struct op *op, struct accel_cmdbuf *cb, struct op_program *program,
	    const uint32_t *params)
{
	const struct accel_vprog *prog;
	int rc = op->rc;

	if (!rc)
		rc = program_get(program, &prog);
	if (rc)
		return rc;
	return accel_cmd_vector(cb, prog, op->dim, op->operand, op->count,
				params);
}
