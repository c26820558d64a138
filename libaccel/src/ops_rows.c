// SPDX-License-Identifier: MIT
/* Operations on whole rows: norms, softmax, sums, argmax. */
#include <string.h>

#include "ops_internal.h"

/* s1 = 1 / sqrt(s0 / n + eps) */
#define INVERSE_ROOT_MEAN						\
	"dim   s1, 0\n"							\
	"i2f   s1, s1\n"						\
	"div   s0, s0, s1\n"						\
	"param s1, eps\n"						\
	"add   s0, s0, s1\n"						\
	"sqrt  s0, s0\n"						\
	"imm   s1, 1.0\n"						\
	"div   s1, s1, s0\n"

#define SUM_OF_SQUARES							\
	"loop\n"							\
	"  ld   v0, src\n"						\
	"  mul  v0, v0, v0\n"						\
	"  rsum s0, v0\n"						\
	"end\n"

int accel_op_rms_norm(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		      const struct accel_tensor *src,
		      const struct accel_tensor *weight, float eps)
{
	static struct op_program plain = { .source =
		".operand dst src\n"
		".param eps\n"
		SUM_OF_SQUARES
		INVERSE_ROOT_MEAN
		"loop\n"
		"  ld   v0, src\n"
		"  mul  v0, v0, s1\n"
		"  st   dst, v0\n"
		"end\n"
	};
	static struct op_program weighted = { .source =
		".operand dst src weight\n"
		".param eps\n"
		SUM_OF_SQUARES
		INVERSE_ROOT_MEAN
		"loop\n"
		"  ld   v0, src\n"
		"  ld   v1, weight\n"
		"  mul  v0, v0, s1\n"
		"  mul  v0, v0, v1\n"
		"  st   dst, v0\n"
		"end\n"
	};
	const uint32_t params[] = { accel_f32(eps) };
	struct op op;

	API_ENTER();
	op_begin(&op, "rms_norm", src);
	op_write(&op, "dst", dst);
	op_read(&op, "src", src);
	if (weight)
		op_read(&op, "weight", weight);
	return op_emit(&op, cb, weight ? &weighted : &plain, params);
}

int accel_op_norm(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src,
		  const struct accel_tensor *weight,
		  const struct accel_tensor *bias, float eps)
{
#define NORM(operands, affine) { .source =				\
		".operand dst src " operands "\n"			\
		".param eps\n"						\
		"loop\n"						\
		"  ld   v0, src\n"					\
		"  rsum s2, v0\n"					\
		"end\n"							\
		"dim  s1, 0\n"						\
		"i2f  s1, s1\n"						\
		"div  s2, s2, s1       ; mean\n"			\
		"loop\n"						\
		"  ld   v0, src\n"					\
		"  sub  v0, v0, s2\n"					\
		"  mul  v0, v0, v0\n"					\
		"  rsum s0, v0\n"					\
		"end\n"							\
		INVERSE_ROOT_MEAN					\
		"loop\n"						\
		"  ld   v0, src\n"					\
		"  sub  v0, v0, s2\n"					\
		"  mul  v0, v0, s1\n"					\
		affine							\
		"  st   dst, v0\n"					\
		"end\n" }
#define WEIGHT	"  ld   v1, weight\n  mul  v0, v0, v1\n"
#define BIAS	"  ld   v1, bias\n  add  v0, v0, v1\n"
	static struct op_program progs[2][2] = {
		{ NORM("", ""), NORM("bias", BIAS) },
		{ NORM("weight", WEIGHT), NORM("weight bias", WEIGHT BIAS) },
	};
	const uint32_t params[] = { accel_f32(eps) };
	struct op op;

	API_ENTER();
	op_begin(&op, "norm", src);
	op_write(&op, "dst", dst);
	op_read(&op, "src", src);
	if (weight)
		op_read(&op, "weight", weight);
	if (bias)
		op_read(&op, "bias", bias);
	return op_emit(&op, cb, &progs[!!weight][!!bias], params);
}

int accel_op_softmax(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		     const struct accel_tensor *src,
		     const struct accel_tensor *mask, float scale)
{
	/*
	 * The exponentials are computed twice rather than kept in dst, which
	 * may have few bits.
	 */
#define SOFTMAX(operands, logit) { .source =				\
		".operand dst src " operands "\n"			\
		".param scale\n"					\
		"param s3, scale\n"					\
		"loop\n"						\
		logit							\
		"  rmax s0, v0\n"					\
		"end\n"							\
		"loop\n"						\
		logit							\
		"  sub  v0, v0, s0\n"					\
		"  exp  v0, v0\n"					\
		"  rsum s1, v0\n"					\
		"end\n"							\
		"imm  s2, 1.0\n"					\
		"div  s2, s2, s1\n"					\
		"loop\n"						\
		logit							\
		"  sub  v0, v0, s0\n"					\
		"  exp  v0, v0\n"					\
		"  mul  v0, v0, s2\n"					\
		"  st   dst, v0\n"					\
		"end\n" }
	static struct op_program plain =
		SOFTMAX("", "  ld   v0, src\n  mul  v0, v0, s3\n");
	static struct op_program masked =
		SOFTMAX("mask", "  ld   v0, src\n"
				"  ld   v1, mask\n"
				"  fma  v0, v0, s3, v1\n");
	const uint32_t params[] = { accel_f32(scale) };
	struct op op;

	API_ENTER();
	op_begin(&op, "softmax", src);
	op_write(&op, "dst", dst);
	op_read(&op, "src", src);
	if (mask)
		op_read(&op, "mask", mask);
	return op_emit(&op, cb, mask ? &masked : &plain, params);
}

int accel_op_sum(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *src, unsigned int over)
{
	static struct op_program prog = { .source =
		".operand dst src\n"
		"loop\n"
		"  ld   v0, src\n"
		"  rsum s0, v0\n"
		"end\n"
		"st   dst, s0\n"
	};
	unsigned int order[4] = { 0, 1, 2, 3 };
	struct accel_tensor x, y;
	uint32_t want[4];
	struct op op;
	int rc;

	API_ENTER();
	if (over > 3)
		return op_fail("sum", "there is no dimension %u", over);
	if (!dst || !src)
		return op_fail("sum", "a tensor is NULL");
	memcpy(want, src->dim, sizeof(want));
	want[over] = 1;
	rc = op_check_dim("sum", "dst", dst, want);
	if (rc)
		return rc;
	/* The dimension that is summed becomes the lanes. */
	order[0] = over;
	order[over] = 0;
	x = accel_tensor_permute(src, order);
	y = accel_tensor_permute(dst, order);
	op_begin(&op, "sum", &x);
	op_row(&op, "dst", &y);
	op_read(&op, "src", &x);
	return op_emit(&op, cb, &prog, NULL);
}

int accel_op_argmax(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		    const struct accel_tensor *src)
{
	static struct op_program prog = { .source =
		".operand dst src\n"
		"loop\n"
		"  ld      v0, src\n"
		"  rargmax s0, v0\n"
		"end\n"
		"sti  dst, s0\n"
	};
	struct op op;

	API_ENTER();
	op_begin(&op, "argmax", src);
	op_row(&op, "dst", dst);
	if (!op.rc)
		op.rc = op_check_integer("argmax", "dst", dst);
	op_read(&op, "src", src);
	return op_emit(&op, cb, &prog, NULL);
}
