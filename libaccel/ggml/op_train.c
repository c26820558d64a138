// SPDX-License-Identifier: MIT
/* Nodes of training that are nobody's derivative of an inference node: losses, steps. */
#include <string.h>

#include "ops.h"

/* s0 = maximum, s1 = log of the sum of exponentials of x - s0 */
#define LOG_SUM								\
	"loop\n"							\
	"  ld   v0, x\n"						\
	"  rmax s0, v0\n"						\
	"end\n"								\
	"loop\n"							\
	"  ld   v0, x\n"						\
	"  sub  v0, v0, s0\n"						\
	"  exp  v0, v0\n"						\
	"  rsum s1, v0\n"						\
	"end\n"

/* Loss = - sum over rows of sum(label * log softmax(x)) / rows. */
int op_cross_entropy_loss(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = { .source =
		".operand rows x label\n"
		".param factor\n"
		LOG_SUM
		"log   s1, s1\n"
		"loop\n"
		"  ld   v0, x\n"
		"  ld   v1, label\n"
		"  sub  v0, v0, s0\n"
		"  sub  v0, v0, s1\n"
		"  mul  v0, v0, v1\n"
		"  rsum s2, v0\n"
		"end\n"
		"param s3, factor\n"
		"mul   s2, s2, s3\n"
		"st    rows, s2\n"
	};
	const struct accel_tensor dst = emit_view(t), x = emit_view(t->src[0]);
	const struct accel_tensor label = emit_view(t->src[1]);
	const uint32_t dim[4] = { 1, x.dim[1], x.dim[2], x.dim[3] };
	struct accel_tensor rows = emit_temp(e, LOOM_TYPE_F32, dim);
	const uint32_t params[] = {
		accel_f32(-1.0f / (float)accel_tensor_count(&rows)),
	};
	struct op op;
	int rc;

	op_begin(&op, "cross_entropy_loss", &x);
	op_row(&op, "rows", &rows);
	op_read(&op, "x", &x);
	op_read(&op, "label", &label);
	rc = op_emit(&op, e->cb, &prog, params);
	return rc ? rc : sum_all(e, &dst, &rows);
}

/* src: the gradient of the loss (one element), x, labels. */
int op_cross_entropy_loss_back(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = { .source =
		".operand dst x label gradient\n"
		".param factor\n"
		LOG_SUM
		"imm   s2, 1.0\n"
		"div   s1, s2, s1\n"
		"param s2, factor\n"
		"ld    s3, gradient\n"
		"mul   s2, s2, s3\n"
		"loop\n"
		"  ld   v0, x\n"
		"  sub  v0, v0, s0\n"
		"  exp  v0, v0\n"
		"  mul  v0, v0, s1\n"
		"  ld   v1, label\n"
		"  sub  v0, v0, v1\n"
		"  mul  v0, v0, s2\n"
		"  st   dst, v0\n"
		"end\n"
	};
	const struct accel_tensor dst = emit_view(t), x = emit_view(t->src[1]);
	const struct accel_tensor gradient = emit_view(t->src[0]);
	const struct accel_tensor label = emit_view(t->src[2]);
	const uint32_t params[] = {
		accel_f32(1.0f / (float)(x.dim[1] * x.dim[2] * x.dim[3])),
	};
	struct op op;

	op_begin(&op, "cross_entropy_loss_back", &dst);
	op_write(&op, "dst", &dst);
	op_read(&op, "x", &x);
	op_read(&op, "label", &label);
	op_read(&op, "gradient", &gradient);
	return op_emit(&op, e->cb, &prog, params);
}

/* ------------------------------------------------------------------- steps */

/* Operand of hyper-parameters, read by index. */
static void add_table(struct op *op, const struct gg_tensor *t, uint32_t count)
{
	const struct accel_tensor table = emit_view(t);

	op->operand[op->count++] = (struct loom_vec_operand){
		.addr = table.va, .type = LOOM_TYPE_F32, .limit = count,
		.stride = { 4 },
	};
}

#define ENTRY(reg, i)	"imm " reg ", " i "\nldx " reg ", " reg ", table\n"

/* src: weights, gradient, m, v, { alpha, beta1, beta2, eps, decay, c1, c2 }. */
int op_opt_step_adamw(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = { .source =
		".operand w m v g table\n"
		ENTRY("s0", "0") ENTRY("s1", "1") ENTRY("s2", "2")
		ENTRY("s3", "3") ENTRY("s4", "4") ENTRY("s5", "5")
		ENTRY("s6", "6")
		"imm s7, 1.0\n"
		"sub s8, s7, s1          ; 1 - beta1\n"
		"sub s9, s7, s2          ; 1 - beta2\n"
		"mul s4, s0, s4\n"
		"sub s4, s7, s4          ; 1 - alpha decay\n"
		"loop\n"
		"  ld   v0, g\n"
		"  ld   v1, m\n"
		"  mul  v1, v1, s1\n"
		"  mul  v2, v0, s8\n"
		"  add  v1, v1, v2\n"
		"  st   m, v1\n"
		"  ld   v3, v\n"
		"  mul  v3, v3, s2\n"
		"  mul  v2, v0, v0\n"
		"  mul  v2, v2, s9\n"
		"  add  v3, v3, v2\n"
		"  st   v, v3\n"
		"  mul  v1, v1, s5\n"
		"  mul  v3, v3, s6\n"
		"  sqrt v3, v3\n"
		"  add  v3, v3, s3\n"
		"  mul  v1, v1, s0\n"
		"  div  v1, v1, v3\n"
		"  ld   v0, w\n"
		"  mul  v0, v0, s4\n"
		"  sub  v0, v0, v1\n"
		"  st   w, v0\n"
		"end\n"
	};
	const struct accel_tensor w = emit_view(t->src[0]), g = emit_view(t->src[1]);
	const struct accel_tensor m = emit_view(t->src[2]), v = emit_view(t->src[3]);
	struct op op;

	op_begin(&op, "opt_step_adamw", &w);
	op_write(&op, "w", &w);
	op_write(&op, "m", &m);
	op_write(&op, "v", &v);
	op_read(&op, "g", &g);
	add_table(&op, t->src[4], 7);
	return op_emit(&op, e->cb, &prog, NULL);
}

/* src: weights, gradient, { alpha, decay }. */
int op_opt_step_sgd(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = { .source =
		".operand w g table\n"
		ENTRY("s0", "0") ENTRY("s1", "1")
		"mul s1, s0, s1\n"
		"imm s2, 1.0\n"
		"sub s1, s2, s1          ; 1 - alpha decay\n"
		"loop\n"
		"  ld  v0, w\n"
		"  ld  v1, g\n"
		"  mul v0, v0, s1\n"
		"  mul v1, v1, s0\n"
		"  sub v0, v0, v1\n"
		"  st  w, v0\n"
		"end\n"
	};
	const struct accel_tensor w = emit_view(t->src[0]), g = emit_view(t->src[1]);
	struct op op;

	op_begin(&op, "opt_step_sgd", &w);
	op_write(&op, "w", &w);
	op_read(&op, "g", &g);
	add_table(&op, t->src[2], 2);
	return op_emit(&op, e->cb, &prog, NULL);
}
