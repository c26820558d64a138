// SPDX-License-Identifier: MIT
/* Nodes whose values depend on the place: masks of triangles, ramps, embeddings of steps. */
#include <math.h>
#include <string.h>

#include "ops.h"

/* v0 = x where @keep (v2, from lane v1 and row s0) holds, else @otherwise. */
#define TRIANGLE(keep, otherwise) { .source =				\
	".operand dst src\n"						\
	".param shift\n"						\
	"index s0, 1\n"							\
	"param s1, shift\n"						\
	"iadd  s0, s0, s1\n"						\
	"imm   s2, " otherwise "\n"					\
	"imm   s3, 0\n"							\
	"loop\n"							\
	"  lane v1\n"							\
	"  ld   v0, src\n"						\
	keep								\
	"  sel  v0, v2, v0, s2\n"					\
	"  st   dst, v0\n"						\
	"end\n" }

#define NOT_RIGHT	"  ilt v2, s0, v1\n  ieq v2, v2, s3\n"
#define RIGHT		"  ilt v2, s0, v1\n"
#define LEFT		"  ilt v2, v1, s0\n"
#define NOT_LEFT	"  ilt v2, v1, s0\n  ieq v2, v2, s3\n"
#define HERE		"  ieq v2, v1, s0\n"

static int triangle(struct emit *e, const struct gg_tensor *t,
		    struct op_program *prog, uint32_t shift)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	struct op op;

	op_begin(&op, "triangle", &dst);
	op_write(&op, "dst", &dst);
	op_read(&op, "src", &src);
	return op_emit(&op, e->cb, prog, &shift);
}

int op_diag_mask_inf(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = TRIANGLE(NOT_RIGHT, "-inf");

	return triangle(e, t, &prog, (uint32_t)t->op_params[0]);
}

int op_diag_mask_zero(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = TRIANGLE(NOT_RIGHT, "0.0");

	return triangle(e, t, &prog, (uint32_t)t->op_params[0]);
}

int op_diag(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = TRIANGLE(HERE, "0.0");

	return triangle(e, t, &prog, 0);
}

int op_tri(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program progs[4] = {
		TRIANGLE(NOT_LEFT, "0.0"), TRIANGLE(RIGHT, "0.0"),
		TRIANGLE(NOT_RIGHT, "0.0"), TRIANGLE(LEFT, "0.0"),
	};

	if ((uint32_t)t->op_params[0] > 3)
		return emit_refuse(e, "triangle %d", t->op_params[0]);
	return triangle(e, t, &progs[t->op_params[0]], 0);
}

int op_arange(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = { .source =
		".operand dst\n"
		".param start step\n"
		"param s0, start\n"
		"param s1, step\n"
		"loop\n"
		"  lane v0\n"
		"  i2f  v0, v0\n"
		"  fma  v0, v0, s1, s0\n"
		"  st   dst, v0\n"
		"end\n"
	};
	const struct accel_tensor dst = emit_view(t);
	const uint32_t params[] = { accel_f32(emit_f32_param(t, 0)),
				    accel_f32(emit_f32_param(t, 2)) };
	struct op op;

	op_begin(&op, "arange", &dst);
	op_write(&op, "dst", &dst);
	return op_emit(&op, e->cb, &prog, params);
}

/* cos and sin of a step at falling frequencies, the halves of each row. */
int op_timestep_embedding(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = { .source =
		".operand low high step\n"
		".param rate\n"
		"param s0, rate\n"
		"ld    s1, step\n"
		"loop\n"
		"  lane v0\n"
		"  i2f  v0, v0\n"
		"  mul  v0, v0, s0\n"
		"  exp  v0, v0\n"
		"  mul  v0, v0, s1\n"
		"  cos  v1, v0\n"
		"  sin  v0, v0\n"
		"  st   low, v1\n"
		"  st   high, v0\n"
		"end\n"
	};
	const struct accel_tensor dst = emit_view(t);
	struct accel_tensor step = emit_view(t->src[0]), low, high, rest;
	uint32_t n = (uint32_t)t->op_params[0] / 2;
	const uint32_t params[] = {
		accel_f32(-logf((float)t->op_params[1]) / (float)n),
	};
	struct op op;
	int rc;

	if (!n)
		return emit_refuse(e, "no room for a half");
	low = accel_tensor_columns(&dst, 0, n);
	high = accel_tensor_columns(&dst, n, n);
	step = accel_tensor_permute(&step, (const unsigned int[]){ 1, 0, 2, 3 });
	op_begin(&op, "timestep_embedding", &low);
	op_write(&op, "low", &low);
	op_write(&op, "high", &high);
	op_read(&op, "step", &step);
	rc = op_emit(&op, e->cb, &prog, params);
	if (rc || dst.dim[0] == 2 * n)
		return rc;
	rest = accel_tensor_columns(&dst, 2 * n, dst.dim[0] - 2 * n);
	return accel_op_fill(e->cb, &rest, 0);
}
