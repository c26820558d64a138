// SPDX-License-Identifier: MIT
/* Rotary position embedding. */
#include <errno.h>

#include "ops_internal.h"

static const char name[] = "rope";

/*
 * A lane is a pair (x0, x1).  theta = position * scale * base^(-2 lane / n),
 * where n / 2 is the number of lanes, so the exponent is -lane / dim[0].
 */
#define ROPE(operands, divide) { .source =				\
	".operand y0 y1 x0 x1 position " operands "\n"			\
	".param base scale magnitude\n"					\
	"param s0, base\n"						\
	"log   s0, s0\n"						\
	"dim   s1, 0\n"							\
	"i2f   s1, s1\n"						\
	"div   s0, s0, s1\n"						\
	"neg   s0, s0             ; -log(base) / lanes\n"		\
	"ldi   s1, position\n"						\
	"i2f   s1, s1\n"						\
	"param s2, scale\n"						\
	"mul   s1, s1, s2         ; position * scale\n"			\
	"param s2, magnitude\n"						\
	"loop\n"							\
	"  lane  v0\n"							\
	"  i2f   v0, v0\n"						\
	"  mul   v0, v0, s0\n"						\
	"  exp   v0, v0\n"						\
	"  mul   v0, v0, s1\n"						\
	divide								\
	"  cos   v1, v0\n"						\
	"  sin   v0, v0\n"						\
	"  mul   v1, v1, s2\n"						\
	"  mul   v0, v0, s2\n"						\
	"  ld    v2, x0\n"						\
	"  ld    v3, x1\n"						\
	"  mul   v4, v2, v1\n"						\
	"  mul   v5, v3, v0\n"						\
	"  sub   v4, v4, v5       ; x0 cos - x1 sin\n"			\
	"  mul   v6, v2, v0\n"						\
	"  mul   v7, v3, v1\n"						\
	"  add   v6, v6, v7       ; x0 sin + x1 cos\n"			\
	"  st    y0, v4\n"						\
	"  st    y1, v6\n"						\
	"end\n" }

/* The first or second element of every pair. */
static struct accel_tensor half(const struct accel_tensor *t,
				const struct accel_rope_desc *desc,
				unsigned int which)
{
	uint32_t lanes = desc->num_dims / 2;
	struct accel_tensor h = *t;

	h.dim[0] = lanes;
	if (desc->neox) {
		h.va += (uint64_t)(which * lanes * t->stride[0]);
	} else {
		h.va += (uint64_t)(which * t->stride[0]);
		h.stride[0] = 2 * t->stride[0];
	}
	return h;
}

static int check_position(const struct accel_tensor *src,
			  const struct accel_tensor *position)
{
	char have[OP_DIMS_LEN], want[OP_DIMS_LEN];
	int rc = op_check(name, "position", position);

	if (!rc)
		rc = op_check_integer(name, "position", position);
	if (rc)
		return rc;
	if (position->dim[0] == src->dim[2] && position->dim[2] == 1 &&
	    (position->dim[1] == src->dim[3] || position->dim[1] == 1) &&
	    position->dim[3] == 1)
		return 0;
	return op_fail(name, "position is %s, it must be %s for src's tokens",
		       op_dims(have, position->dim),
		       op_dims(want, (const uint32_t[]){ src->dim[2],
							 src->dim[3], 1, 1 }));
}

static int check(const struct accel_tensor *dst, const struct accel_tensor *src,
		 const struct accel_tensor *position,
		 const struct accel_rope_desc *desc)
{
	char dims[OP_DIMS_LEN];
	struct op op;

	op_begin(&op, name, src);
	op_write(&op, "dst", dst);
	op_read(&op, "src", src);
	if (op.rc)
		return op.rc;
	if (desc->num_dims % 2 || desc->num_dims > src->dim[0])
		return op_fail(name, "num_dims %u must be even and within a row of src %s",
			       desc->num_dims, op_dims(dims, src->dim));
	return check_position(src, position);
}

/* dim { tokens, d3 } becomes { 1, 1, tokens, d3 }. */
static struct accel_tensor position_rows(const struct accel_tensor *position)
{
	return accel_tensor_permute(position,
				    (const unsigned int[]){ 2, 3, 0, 1 });
}

static int rotate(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src,
		  const struct accel_tensor *position,
		  const struct accel_tensor *divisor,
		  const struct accel_rope_desc *desc)
{
	static struct op_program plain = ROPE("", "");
	static struct op_program divided =
		ROPE("divisor", "  ld    v1, divisor\n"
				"  div   v0, v0, v1\n");
	const struct accel_tensor y0 = half(dst, desc, 0);
	const struct accel_tensor y1 = half(dst, desc, 1);
	const struct accel_tensor x0 = half(src, desc, 0);
	const struct accel_tensor x1 = half(src, desc, 1);
	const struct accel_tensor rows = position_rows(position);
	const uint32_t params[] = { accel_f32(desc->base),
				    accel_f32(desc->scale),
				    accel_f32(desc->magnitude) };
	struct op op;

	op_begin(&op, name, &x0);
	op_write(&op, "dst", &y0);
	op_write(&op, "dst", &y1);
	op_read(&op, "src", &x0);
	op_read(&op, "src", &x1);
	op_read(&op, "position", &rows);
	if (divisor)
		op_read(&op, "divisor", divisor);
	return op_emit(&op, cb, divisor ? &divided : &plain, params);
}

/* What is not rotated; nothing to do in place. */
static int copy_rest(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		     const struct accel_tensor *src, uint32_t first)
{
	uint32_t count = src->dim[0] - first;
	struct accel_tensor y, x;

	if (!count || dst->va == src->va)
		return 0;
	y = accel_tensor_columns(dst, first, count);
	x = accel_tensor_columns(src, first, count);
	return accel_op_copy(cb, &y, &x);
}

int accel_op_rope(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src,
		  const struct accel_tensor *position,
		  const struct accel_tensor *divisor,
		  const struct accel_rope_desc *desc)
{
	struct accel_rope_desc d;
	uint32_t size;
	int rc;

	API_ENTER();
	rc = struct_in(&d, sizeof(d), desc);
	if (!rc)
		rc = check(dst, src, position, &d);
	if (rc)
		return rc;
	size = cb->size;
	rc = rotate(cb, dst, src, position, divisor, &d);
	if (!rc)
		rc = copy_rest(cb, dst, src, d.num_dims);
	if (rc)
		cb->size = size;
	return rc;
}
