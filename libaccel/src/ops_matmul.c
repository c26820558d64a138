// SPDX-License-Identifier: MIT
/* The matrix product: D = alpha * A x B + C. */
#include <string.h>

#include "ops_internal.h"

static const char name[] = "matmul";

/* Bytes per row, column and batches; extents of 1 stretch. */
static void strides(__s64 out[4], const struct accel_tensor *t)
{
	out[0] = t->dim[1] == 1 && !type_is_block(t->type) ? 0 : t->stride[1];
	out[1] = t->dim[0] == 1 && !type_is_block(t->type) ? 0 : t->stride[0];
	out[2] = t->dim[2] == 1 ? 0 : t->stride[2];
	out[3] = t->dim[3] == 1 ? 0 : t->stride[3];
}

static int check_batch(const char *what, const struct accel_tensor *t,
		       const struct accel_tensor *d)
{
	char have[OP_DIMS_LEN], want[OP_DIMS_LEN];
	unsigned int i;

	for (i = 2; i < 4; i++)
		if (t->dim[i] != d->dim[i] && t->dim[i] != 1)
			return op_fail(name, "batch extents of %s %s do not fit d %s",
				       what, op_dims(have, t->dim),
				       op_dims(want, d->dim));
	return 0;
}

static int check_product(const struct accel_tensor *d,
			 const struct accel_tensor *a,
			 const struct accel_tensor *b)
{
	char ta[OP_DIMS_LEN], tb[OP_DIMS_LEN], td[OP_DIMS_LEN];

	if (a->dim[0] == b->dim[1] && a->dim[1] == d->dim[1] &&
	    b->dim[0] == d->dim[0])
		return 0;
	return op_fail(name, "a %s times b %s is not d %s; a is [k, m], b [n, k], d [n, m]",
		       op_dims(ta, a->dim), op_dims(tb, b->dim),
		       op_dims(td, d->dim));
}

static int check_bias(const struct accel_tensor *c,
		      const struct accel_tensor *d)
{
	char have[OP_DIMS_LEN], want[OP_DIMS_LEN];
	unsigned int i;
	int rc = op_check(name, "c", c);

	for (i = 0; !rc && i < 4; i++)
		if (c->dim[i] != d->dim[i] && c->dim[i] != 1)
			rc = op_fail(name, "c is %s, it must be %s, or 1 where it repeats",
				     op_dims(have, c->dim),
				     op_dims(want, d->dim));
	return rc;
}

static int check_a(const struct accel_tensor *a)
{
	if (!a || a->type != LOOM_TYPE_Q8_0)
		return op_check(name, "a", a);
	if (a->stride[0])
		return op_fail(name, "a has type q8_0, so its blocks must run along k: pass a contiguous [k, m]");
	return 0;
}

static int check_b(const struct accel_tensor *b)
{
	if (!b || !type_is_block(b->type))
		return op_check(name, "b", b);
	if (b->stride[1])
		return op_fail(name, "b has type %s, so its blocks must run along k: pass accel_tensor_transpose() of a contiguous [k, n]",
			       accel_type_name(b->type));
	return 0;
}

static int check(const struct accel_tensor *d, const struct accel_tensor *a,
		 const struct accel_tensor *b, const struct accel_tensor *c)
{
	struct op op;
	int rc;

	op_begin(&op, name, d);
	op_write(&op, "d", d);
	rc = op.rc;
	if (!rc)
		rc = check_a(a);
	if (!rc)
		rc = check_b(b);
	if (!rc)
		rc = check_product(d, a, b);
	if (!rc)
		rc = check_batch("a", a, d);
	if (!rc)
		rc = check_batch("b", b, d);
	if (!rc && c)
		rc = check_bias(c, d);
	return rc;
}

int accel_op_matmul(struct accel_cmdbuf *cb, const struct accel_tensor *d,
		    const struct accel_tensor *a, const struct accel_tensor *b,
		    const struct accel_tensor *c, float alpha)
{
	struct loom_cmd_matmul cmd = { .alpha = accel_f32(alpha) };
	int rc;

	API_ENTER();
	rc = check(d, a, b, c);
	if (rc)
		return rc;
	cmd.a_type = (uint8_t)a->type;
	cmd.b_type = (uint8_t)b->type;
	cmd.c_type = (uint8_t)(c ? c->type : LOOM_TYPE_NONE);
	cmd.d_type = (uint8_t)d->type;
	cmd.m = d->dim[1];
	cmd.n = d->dim[0];
	cmd.k = a->dim[0];
	cmd.batch[0] = d->dim[2];
	cmd.batch[1] = d->dim[3];
	cmd.a = a->va;
	cmd.b = b->va;
	cmd.c = c ? c->va : 0;
	cmd.d = d->va;
	strides(cmd.a_stride, a);
	strides(cmd.b_stride, b);
	if (c)
		strides(cmd.c_stride, c);
	strides(cmd.d_stride, d);
	return accel_cmd_matmul(cb, &cmd);
}
