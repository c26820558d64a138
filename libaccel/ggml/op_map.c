// SPDX-License-Identifier: MIT
/* Element-wise nodes: arithmetic, unary functions, gated units. */
#include <math.h>

#include "ops.h"

/* One source: @setup once per row, @body turns v0 into v0. */
#define MAP1(setup, body) { .source =					\
	".operand dst src\n"						\
	setup								\
	"loop\n"							\
	"  ld  v0, src\n"						\
	body								\
	"  st  dst, v0\n"						\
	"end\n" }

/* Two sources: @body turns v0 and v1 into v0. */
#define MAP2(setup, body) { .source =					\
	".operand dst a b\n"						\
	setup								\
	"loop\n"							\
	"  ld  v0, a\n"							\
	"  ld  v1, b\n"							\
	body								\
	"  st  dst, v0\n"						\
	"end\n" }

typedef int (*map1_fn)(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		       const struct accel_tensor *src);
typedef int (*map2_fn)(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		       const struct accel_tensor *a,
		       const struct accel_tensor *b);

static int map1(struct emit *e, const struct gg_tensor *t, map1_fn fn)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);

	return fn(e->cb, &dst, &src);
}

static int map2(struct emit *e, const struct gg_tensor *t, map2_fn fn)
{
	const struct accel_tensor dst = emit_view(t);
	const struct accel_tensor a = emit_view(t->src[0]);
	const struct accel_tensor b = emit_view(t->src[1]);

	return fn(e->cb, &dst, &a, &b);
}

/* Run @prog over a node and its first source. */
static int run1(struct emit *e, const struct gg_tensor *t,
		struct op_program *prog, const uint32_t *params)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);

	return emit_map1(e, "map", prog, &dst, &src, params);
}

int op_add(struct emit *e, const struct gg_tensor *t)
{
	return map2(e, t, accel_op_add);
}

int op_sub(struct emit *e, const struct gg_tensor *t)
{
	return map2(e, t, accel_op_sub);
}

int op_mul(struct emit *e, const struct gg_tensor *t)
{
	return map2(e, t, accel_op_mul);
}

int op_div(struct emit *e, const struct gg_tensor *t)
{
	return map2(e, t, accel_op_div);
}

int op_sqr(struct emit *e, const struct gg_tensor *t)
{
	return map1(e, t, accel_op_sqr);
}

int op_sqrt(struct emit *e, const struct gg_tensor *t)
{
	return map1(e, t, accel_op_sqrt);
}

int op_log(struct emit *e, const struct gg_tensor *t)
{
	return map1(e, t, accel_op_log);
}

int op_sin(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = MAP1("", "  sin v0, v0\n");

	return run1(e, t, &prog, NULL);
}

int op_cos(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = MAP1("", "  cos v0, v0\n");

	return run1(e, t, &prog, NULL);
}

int op_scale(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);

	return accel_op_scale(e->cb, &dst, &src, emit_f32_param(t, 0),
			      emit_f32_param(t, 1));
}

int op_clamp(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);

	return accel_op_clamp(e->cb, &dst, &src, emit_f32_param(t, 0),
			      emit_f32_param(t, 1));
}

int op_leaky_relu(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog =
		MAP1(".param slope\n"
		     "param s0, slope\n"
		     "imm   s1, 0.0\n",
		     "  mul v1, v0, s0\n"
		     "  flt v2, s1, v0\n"
		     "  sel v0, v2, v0, v1\n");
	const uint32_t params[] = { accel_f32(emit_f32_param(t, 0)) };

	return run1(e, t, &prog, params);
}

int op_fill(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t);

	return accel_op_fill(e->cb, &dst, emit_f32_param(t, 0));
}

int op_silu_back(struct emit *e, const struct gg_tensor *t)
{
	/* a is the gradient, b the argument x: a s (1 + x (1 - s)), s = sigmoid(x). */
	static struct op_program prog =
		MAP2("imm s0, 1.0\n",
		     "  neg v2, v1\n"
		     "  exp v2, v2\n"
		     "  add v2, v2, s0\n"
		     "  div v2, s0, v2\n"
		     "  sub v3, s0, v2\n"
		     "  fma v3, v3, v1, s0\n"
		     "  mul v2, v2, v3\n"
		     "  mul v0, v0, v2\n");
	const struct accel_tensor dst = emit_view(t);
	const struct accel_tensor a = emit_view(t->src[0]);
	const struct accel_tensor b = emit_view(t->src[1]);

	return emit_map2(e, "silu_back", &prog, &dst, &a, &b, NULL);
}

/* ------------------------------------------------------------------- unary */

#define ZERO_ONE	"imm s0, 0.0\nimm s1, 1.0\n"

/* v1 = x < 3 ? ... : min(1, max(0, (x + 3) / 6)) */
#define HARD_SETUP							\
	ZERO_ONE							\
	"imm s2, 3.0\n"							\
	"imm s3, 6.0\n"
#define HARD_BODY							\
	"  add v1, v0, s2\n"						\
	"  div v1, v1, s3\n"						\
	"  max v1, v1, s0\n"						\
	"  min v1, v1, s1\n"

static struct op_program unary_programs[GG_UNARY_COUNT] = {
	[GG_UNARY_ABS] = MAP1("", "  abs v0, v0\n"),
	[GG_UNARY_SGN] = MAP1(ZERO_ONE "imm s2, -1.0\n",
			      "  flt v1, s0, v0\n"
			      "  flt v2, v0, s0\n"
			      "  sel v1, v1, s1, s0\n"
			      "  sel v0, v2, s2, v1\n"),
	[GG_UNARY_STEP] = MAP1(ZERO_ONE,
			       "  flt v1, s0, v0\n"
			       "  sel v0, v1, s1, s0\n"),
	[GG_UNARY_ELU] = MAP1(ZERO_ONE,
			      "  exp v1, v0\n"
			      "  sub v1, v1, s1\n"
			      "  flt v2, s0, v0\n"
			      "  sel v0, v2, v0, v1\n"),
	[GG_UNARY_GELU_QUICK] = MAP1(ZERO_ONE "imm s2, -1.702\n",
				     "  mul v1, v0, s2\n"
				     "  exp v1, v1\n"
				     "  add v1, v1, s1\n"
				     "  div v0, v0, v1\n"),
	[GG_UNARY_HARDSWISH] = MAP1(HARD_SETUP,
				    HARD_BODY "  mul v0, v0, v1\n"),
	[GG_UNARY_HARDSIGMOID] = MAP1(HARD_SETUP,
				      HARD_BODY "  mov v0, v1\n"),
	[GG_UNARY_EXPM1] = MAP1(ZERO_ONE,
				"  exp v0, v0\n"
				"  sub v0, v0, s1\n"),
	[GG_UNARY_SOFTPLUS] = MAP1(ZERO_ONE "imm s2, 20.0\n",
				   "  exp v1, v0\n"
				   "  add v1, v1, s1\n"
				   "  log v1, v1\n"
				   "  flt v2, s2, v0\n"
				   "  sel v0, v2, v0, v1\n"),
	[GG_UNARY_XIELU] = MAP1(".param alpha_n alpha_p beta eps\n"
				ZERO_ONE
				"param s2, alpha_n\n"
				"param s3, alpha_p\n"
				"param s4, beta\n"
				"param s5, eps\n",
				"  min v1, v0, s5\n"
				"  exp v1, v1\n"
				"  sub v1, v1, s1\n"
				"  sub v1, v1, v0\n"
				"  mul v1, v1, s2   ; where x <= 0\n"
				"  mul v2, v0, v0\n"
				"  mul v2, v2, s3   ; where x > 0\n"
				"  flt v3, s0, v0\n"
				"  sel v1, v3, v2, v1\n"
				"  fma v0, v0, s4, v1\n"),
	[GG_UNARY_FLOOR] = MAP1("", "  floor v0, v0\n"),
	[GG_UNARY_CEIL] = MAP1("", "  ceil v0, v0\n"),
	/* Half away from zero. */
	[GG_UNARY_ROUND] = MAP1(ZERO_ONE "imm s2, 0.5\nimm s3, -1.0\n",
				"  trunc v1, v0\n"
				"  sub   v2, v0, v1\n"
				"  abs   v2, v2\n"
				"  fle   v2, s2, v2\n"
				"  flt   v3, v0, s0\n"
				"  sel   v3, v3, s3, s1\n"
				"  and   v3, v3, v2\n"
				"  add   v0, v1, v3\n"),
	[GG_UNARY_TRUNC] = MAP1("", "  trunc v0, v0\n"),
};

static const map1_fn unary_functions[GG_UNARY_COUNT] = {
	[GG_UNARY_NEG] = accel_op_neg,
	[GG_UNARY_TANH] = accel_op_tanh,
	[GG_UNARY_RELU] = accel_op_relu,
	[GG_UNARY_SIGMOID] = accel_op_sigmoid,
	[GG_UNARY_GELU] = accel_op_gelu,
	[GG_UNARY_SILU] = accel_op_silu,
	[GG_UNARY_EXP] = accel_op_exp,
	[GG_UNARY_GELU_ERF] = accel_op_gelu_erf,
};

int op_unary(struct emit *e, const struct gg_tensor *t)
{
	unsigned int which = (unsigned int)t->op_params[0];
	const uint32_t params[] = {
		accel_f32(emit_f32_param(t, 1)), accel_f32(emit_f32_param(t, 2)),
		accel_f32(emit_f32_param(t, 3)), accel_f32(emit_f32_param(t, 4)),
	};

	if (which >= GG_UNARY_COUNT)
		return emit_refuse(e, "unary function %u is unknown", which);
	if (unary_functions[which])
		return map1(e, t, unary_functions[which]);
	return run1(e, t, &unary_programs[which], params);
}

/* -------------------------------------------------------------------- gated */

#define SIGMOID_GATE(factor)						\
	"  mul v2, v0, " factor "\n"					\
	"  exp v2, v2\n"						\
	"  add v2, v2, s1\n"						\
	"  div v0, v0, v2\n"

static struct op_program glu_programs[GG_GLU_COUNT] = {
	[GG_GLU_REGLU] = MAP2(ZERO_ONE,
			      "  max v0, v0, s0\n"
			      "  mul v0, v0, v1\n"),
	[GG_GLU_SWIGLU_OAI] = MAP2(".param alpha limit\n"
				   ZERO_ONE
				   "param s2, alpha\n"
				   "neg   s2, s2\n"
				   "param s3, limit\n"
				   "neg   s4, s3\n",
				   "  min v0, v0, s3\n"
				   "  min v1, v1, s3\n"
				   "  max v1, v1, s4\n"
				   SIGMOID_GATE("s2")
				   "  add v1, v1, s1\n"
				   "  mul v0, v0, v1\n"),
	[GG_GLU_GEGLU_ERF] = MAP2("imm s0, 0.7071067811865476\n"
				  "imm s1, 0.5\n",
				  "  mul v2, v0, s0\n"
				  "  erf v2, v2\n"
				  "  fma v2, v2, s1, s1\n"
				  "  mul v0, v0, v2\n"
				  "  mul v0, v0, v1\n"),
	[GG_GLU_GEGLU_QUICK] = MAP2(ZERO_ONE "imm s2, -1.702\n",
				    SIGMOID_GATE("s2")
				    "  mul v0, v0, v1\n"),
	[GG_GLU_SWIGLU_CLAMP] = MAP2(".param alpha limit\n"
				     ZERO_ONE
				     "imm   s2, -1.0\n"
				     "param s3, limit\n"
				     "neg   s4, s3\n",
				     "  min v0, v0, s3\n"
				     "  min v1, v1, s3\n"
				     "  max v1, v1, s4\n"
				     SIGMOID_GATE("s2")
				     "  mul v0, v0, v1\n"),
};

static const map2_fn glu_functions[GG_GLU_COUNT] = {
	[GG_GLU_GEGLU] = accel_op_geglu,
	[GG_GLU_SWIGLU] = accel_op_swiglu,
};

/* Gate and linear part: two tensors, or the halves of each row of one. */
static void glu_sources(const struct gg_tensor *t, struct accel_tensor *gate,
			struct accel_tensor *up)
{
	struct accel_tensor both = emit_view(t->src[0]);
	uint32_t n = (uint32_t)t->ne[0];
	bool swapped = t->op_params[1];

	if (t->src[1]) {
		*gate = both;
		*up = emit_view(t->src[1]);
		return;
	}
	*gate = accel_tensor_columns(&both, swapped ? n : 0, n);
	*up = accel_tensor_columns(&both, swapped ? 0 : n, n);
}

int op_glu(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t);
	unsigned int which = (unsigned int)t->op_params[0];
	const uint32_t params[] = { accel_f32(emit_f32_param(t, 2)),
				    accel_f32(emit_f32_param(t, 3)) };
	struct accel_tensor gate, up;

	if (which >= GG_GLU_COUNT)
		return emit_refuse(e, "gated unit %u is unknown", which);
	glu_sources(t, &gate, &up);
	if (glu_functions[which])
		return glu_functions[which](e->cb, &dst, &gate, &up);
	return emit_map2(e, "glu", &glu_programs[which], &dst, &gate, &up,
			 params);
}
