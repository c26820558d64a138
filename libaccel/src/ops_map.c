// SPDX-License-Identifier: MIT
/* Element-wise operations. */
#include "ops_internal.h"

/* One source: @setup once per row, @body turns v0 into v0. */
#define MAP1(setup, body)						\
	{ .source = ".operand dst src\n"				\
		    setup						\
		    "loop\n"						\
		    "  ld  v0, src\n"					\
		    body						\
		    "  st  dst, v0\n"					\
		    "end\n" }

/* Two sources: @body turns v0 and v1 into v0. */
#define MAP2(setup, body)						\
	{ .source = ".operand dst a b\n"				\
		    setup						\
		    "loop\n"						\
		    "  ld  v0, a\n"					\
		    "  ld  v1, b\n"					\
		    body						\
		    "  st  dst, v0\n"					\
		    "end\n" }

static int map1(struct accel_cmdbuf *cb, const char *name,
		struct op_program *prog, const struct accel_tensor *dst,
		const struct accel_tensor *src, const uint32_t *params)
{
	struct op op;

	op_begin(&op, name, dst);
	op_write(&op, "dst", dst);
	op_read(&op, "src", src);
	op_merge(&op);
	return op_emit(&op, cb, prog, params);
}

static int map2(struct accel_cmdbuf *cb, const char *name,
		struct op_program *prog, const struct accel_tensor *dst,
		const char *a_name, const struct accel_tensor *a,
		const char *b_name, const struct accel_tensor *b)
{
	struct op op;

	op_begin(&op, name, dst);
	op_write(&op, "dst", dst);
	op_read(&op, a_name, a);
	op_read(&op, b_name, b);
	op_merge(&op);
	return op_emit(&op, cb, prog, NULL);
}

/* ------------------------------------------------------------- two sources */

int accel_op_add(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *a, const struct accel_tensor *b)
{
	static struct op_program prog = MAP2("", "  add v0, v0, v1\n");

	API_ENTER();
	return map2(cb, "add", &prog, dst, "a", a, "b", b);
}

int accel_op_sub(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *a, const struct accel_tensor *b)
{
	static struct op_program prog = MAP2("", "  sub v0, v0, v1\n");

	API_ENTER();
	return map2(cb, "sub", &prog, dst, "a", a, "b", b);
}

int accel_op_mul(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *a, const struct accel_tensor *b)
{
	static struct op_program prog = MAP2("", "  mul v0, v0, v1\n");

	API_ENTER();
	return map2(cb, "mul", &prog, dst, "a", a, "b", b);
}

int accel_op_div(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *a, const struct accel_tensor *b)
{
	static struct op_program prog = MAP2("", "  div v0, v0, v1\n");

	API_ENTER();
	return map2(cb, "div", &prog, dst, "a", a, "b", b);
}

/* v0 * sigmoid(v0); s0 = 1 */
#define SILU_SETUP							\
	"imm s0, 1.0\n"
#define SILU								\
	"  neg  v2, v0\n"						\
	"  exp  v2, v2\n"						\
	"  add  v2, v2, s0\n"						\
	"  div  v0, v0, v2\n"

/* v0/2 (1 + tanh(sqrt(2/pi) (v0 + 0.044715 v0^3))); s0 = sqrt(2/pi) */
#define GELU_SETUP							\
	"imm s0, 0.7978845608028654\n"					\
	"imm s1, 0.044715\n"						\
	"imm s2, 0.5\n"							\
	"imm s3, 1.0\n"
#define GELU								\
	"  mul  v2, v0, v0\n"						\
	"  fma  v2, v2, s1, s3   ; 1 + 0.044715 v0^2\n"			\
	"  mul  v2, v2, v0\n"						\
	"  mul  v2, v2, s0\n"						\
	"  tanh v2, v2\n"						\
	"  fma  v2, v2, s2, s2   ; (1 + tanh) / 2\n"			\
	"  mul  v0, v0, v2\n"

int accel_op_swiglu(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		    const struct accel_tensor *gate,
		    const struct accel_tensor *up)
{
	static struct op_program prog =
		MAP2(SILU_SETUP, SILU "  mul  v0, v0, v1\n");

	API_ENTER();
	return map2(cb, "swiglu", &prog, dst, "gate", gate, "up", up);
}

int accel_op_geglu(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		   const struct accel_tensor *gate,
		   const struct accel_tensor *up)
{
	static struct op_program prog =
		MAP2(GELU_SETUP, GELU "  mul  v0, v0, v1\n");

	API_ENTER();
	return map2(cb, "geglu", &prog, dst, "gate", gate, "up", up);
}

int accel_op_relu_backward(struct accel_cmdbuf *cb,
			   const struct accel_tensor *dx,
			   const struct accel_tensor *dy,
			   const struct accel_tensor *y)
{
	static struct op_program prog =
		MAP2("imm s0, 0.0\n",
		     "  flt  v2, s0, v1\n"
		     "  and  v0, v0, v2\n");

	API_ENTER();
	return map2(cb, "relu_backward", &prog, dx, "dy", dy, "y", y);
}

/* -------------------------------------------------------------- one source */

int accel_op_scale(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		   const struct accel_tensor *src, float factor, float offset)
{
	static struct op_program prog =
		MAP1(".param factor offset\n"
		     "param s0, factor\n"
		     "param s1, offset\n",
		     "  fma  v0, v0, s0, s1\n");
	const uint32_t params[] = { accel_f32(factor), accel_f32(offset) };

	API_ENTER();
	return map1(cb, "scale", &prog, dst, src, params);
}

int accel_op_clamp(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		   const struct accel_tensor *src, float low, float high)
{
	static struct op_program prog =
		MAP1(".param low high\n"
		     "param s0, low\n"
		     "param s1, high\n",
		     "  max  v0, v0, s0\n"
		     "  min  v0, v0, s1\n");
	const uint32_t params[] = { accel_f32(low), accel_f32(high) };

	API_ENTER();
	return map1(cb, "clamp", &prog, dst, src, params);
}

int accel_op_neg(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *src)
{
	static struct op_program prog = MAP1("", "  neg  v0, v0\n");

	API_ENTER();
	return map1(cb, "neg", &prog, dst, src, NULL);
}

int accel_op_sqr(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *src)
{
	static struct op_program prog = MAP1("", "  mul  v0, v0, v0\n");

	API_ENTER();
	return map1(cb, "sqr", &prog, dst, src, NULL);
}

int accel_op_sqrt(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src)
{
	static struct op_program prog = MAP1("", "  sqrt v0, v0\n");

	API_ENTER();
	return map1(cb, "sqrt", &prog, dst, src, NULL);
}

int accel_op_exp(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *src)
{
	static struct op_program prog = MAP1("", "  exp  v0, v0\n");

	API_ENTER();
	return map1(cb, "exp", &prog, dst, src, NULL);
}

int accel_op_log(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *src)
{
	static struct op_program prog = MAP1("", "  log  v0, v0\n");

	API_ENTER();
	return map1(cb, "log", &prog, dst, src, NULL);
}

int accel_op_relu(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src)
{
	/* MAX gives its second source when either is NaN. */
	static struct op_program prog = MAP1("imm s0, 0.0\n",
					     "  max  v0, s0, v0\n");

	API_ENTER();
	return map1(cb, "relu", &prog, dst, src, NULL);
}

int accel_op_sigmoid(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		     const struct accel_tensor *src)
{
	static struct op_program prog =
		MAP1("imm s0, 1.0\n",
		     "  neg  v0, v0\n"
		     "  exp  v0, v0\n"
		     "  add  v0, v0, s0\n"
		     "  div  v0, s0, v0\n");

	API_ENTER();
	return map1(cb, "sigmoid", &prog, dst, src, NULL);
}

int accel_op_tanh(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src)
{
	static struct op_program prog = MAP1("", "  tanh v0, v0\n");

	API_ENTER();
	return map1(cb, "tanh", &prog, dst, src, NULL);
}

int accel_op_silu(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src)
{
	static struct op_program prog = MAP1(SILU_SETUP, SILU);

	API_ENTER();
	return map1(cb, "silu", &prog, dst, src, NULL);
}

int accel_op_gelu(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src)
{
	static struct op_program prog = MAP1(GELU_SETUP, GELU);

	API_ENTER();
	return map1(cb, "gelu", &prog, dst, src, NULL);
}

int accel_op_gelu_erf(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		      const struct accel_tensor *src)
{
	static struct op_program prog =
		MAP1("imm s0, 0.7071067811865476\n"
		     "imm s1, 0.5\n",
		     "  mul  v1, v0, s0\n"
		     "  erf  v1, v1\n"
		     "  fma  v1, v1, s1, s1   ; (1 + erf) / 2\n"
		     "  mul  v0, v0, v1\n");

	API_ENTER();
	return map1(cb, "gelu_erf", &prog, dst, src, NULL);
}
