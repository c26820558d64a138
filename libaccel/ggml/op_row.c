// SPDX-License-Identifier: MIT
/* Nodes that look at whole rows: norms, softmax, sums, argmax. */
#include <math.h>
#include <string.h>

#include "ops.h"

int op_rms_norm(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);

	return accel_op_rms_norm(e->cb, &dst, &src, NULL, emit_f32_param(t, 0));
}

int op_norm(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);

	return accel_op_norm(e->cb, &dst, &src, NULL, NULL,
			     emit_f32_param(t, 0));
}

int op_l2_norm(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = { .source =
		".operand dst src\n"
		".param eps\n"
		"loop\n"
		"  ld   v0, src\n"
		"  mul  v0, v0, v0\n"
		"  rsum s0, v0\n"
		"end\n"
		"sqrt  s0, s0\n"
		"param s1, eps\n"
		"max   s0, s0, s1\n"
		"imm   s1, 1.0\n"
		"div   s1, s1, s0\n"
		"loop\n"
		"  ld  v0, src\n"
		"  mul v0, v0, s1\n"
		"  st  dst, v0\n"
		"end\n"
	};
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	const uint32_t params[] = { accel_f32(emit_f32_param(t, 0)) };
	struct op op;

	op_begin(&op, "l2_norm", &src);
	op_write(&op, "dst", &dst);
	op_read(&op, "src", &src);
	return op_emit(&op, e->cb, &prog, params);
}

/* Groups of channels (dimension 2) are normalised as one long row each. */
int op_group_norm(struct emit *e, const struct gg_tensor *t)
{
	uint32_t groups = (uint32_t)t->op_params[0], first, channels, last;
	struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	struct accel_tensor x, y;
	uint32_t start[4] = { 0 }, dim[4];
	int rc = 0;

	if (!groups || !gg_contiguous(t) || !gg_contiguous(t->src[0]))
		return emit_refuse(e, "needs contiguous tensors and a group");
	channels = (dst.dim[2] + groups - 1) / groups;
	last = dst.dim[2];
	for (first = 0; !rc && first < last; first += channels) {
		memcpy(dim, dst.dim, sizeof(dim));
		start[2] = first;
		dim[2] = last - first < channels ? last - first : channels;
		x = accel_tensor_view(&src, start, dim);
		y = accel_tensor_view(&dst, start, dim);
		/* ne0 x ne1 x channels elements follow each other. */
		x.dim[0] = y.dim[0] = dim[0] * dim[1] * dim[2];
		x.dim[1] = y.dim[1] = x.dim[2] = y.dim[2] = 1;
		rc = accel_op_norm(e->cb, &y, &x, NULL, NULL,
				   emit_f32_param(t, 1));
	}
	return rc;
}

int op_rms_norm_back(struct emit *e, const struct gg_tensor *t)
{
	/* src[0] is the gradient g, src[1] the input x:
	 * r (g - x sum(x g) / (sum(x^2) + n eps)), r = 1 / sqrt(mean(x^2) + eps) */
	static struct op_program prog = { .source =
		".operand dst g x\n"
		".param eps\n"
		"loop\n"
		"  ld   v0, g\n"
		"  ld   v1, x\n"
		"  mul  v0, v0, v1\n"
		"  rsum s0, v0\n"
		"  mul  v1, v1, v1\n"
		"  rsum s1, v1\n"
		"end\n"
		"dim   s2, 0\n"
		"i2f   s2, s2\n"
		"param s3, eps\n"
		"fma   s4, s2, s3, s1     ; sum(x^2) + n eps\n"
		"div   s0, s0, s4\n"
		"neg   s0, s0\n"
		"div   s1, s1, s2\n"
		"add   s1, s1, s3\n"
		"sqrt  s1, s1\n"
		"imm   s2, 1.0\n"
		"div   s1, s2, s1\n"
		"loop\n"
		"  ld   v0, g\n"
		"  ld   v1, x\n"
		"  fma  v0, v1, s0, v0\n"
		"  mul  v0, v0, s1\n"
		"  st   dst, v0\n"
		"end\n"
	};
	const struct accel_tensor dst = emit_view(t);
	const struct accel_tensor g = emit_view(t->src[0]);
	const struct accel_tensor x = emit_view(t->src[1]);
	const uint32_t params[] = { accel_f32(emit_f32_param(t, 0)) };
	struct op op;

	op_begin(&op, "rms_norm_back", &dst);
	op_write(&op, "dst", &dst);
	op_read(&op, "g", &g);
	op_read(&op, "x", &x);
	return op_emit(&op, e->cb, &prog, params);
}

/* --------------------------------------------------------------- reductions */

int op_sum_rows(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);

	return accel_op_sum(e->cb, &dst, &src, 0);
}

int op_mean(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program prog = { .source =
		".operand dst src\n"
		"loop\n"
		"  ld   v0, src\n"
		"  rsum s0, v0\n"
		"end\n"
		"dim  s1, 0\n"
		"i2f  s1, s1\n"
		"div  s0, s0, s1\n"
		"st   dst, s0\n"
	};
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	struct op op;

	op_begin(&op, "mean", &src);
	op_row(&op, "dst", &dst);
	op_read(&op, "src", &src);
	return op_emit(&op, e->cb, &prog, NULL);
}

int op_argmax(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor src = emit_view(t->src[0]);
	struct accel_tensor dst = emit_view(t);

	/* ggml keeps one index per row in dimension 0. */
	dst = accel_tensor_permute(&dst, (const unsigned int[]){ 3, 0, 1, 2 });
	return accel_op_argmax(e->cb, &dst, &src);
}

int sum_all(struct emit *e, const struct accel_tensor *dst,
	    const struct accel_tensor *rows)
{
	struct accel_tensor line = accel_tensor_1d(rows->va, rows->type,
						   (uint32_t)accel_tensor_count(rows));

	return accel_op_sum(e->cb, dst, &line, 0);
}

int op_sum(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	const uint32_t dim[4] = { 1, src.dim[1], src.dim[2], src.dim[3] };
	struct accel_tensor rows = emit_temp(e, LOOM_TYPE_F32, dim);
	int rc;

	/* ggml's own CPU code reads such rows as if they had no gaps. */
	if (t->src[0]->nb[0] != accel_type_size(src.type))
		return emit_refuse(e, "elements of a row do not follow each other");
	rc = accel_op_sum(e->cb, &rows, &src, 0);
	return rc ? rc : sum_all(e, &dst, &rows);
}

int op_count_equal(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program equal = { .source =
		".operand rows a b\n"
		"imm s1, 1.0\n"
		"imm s2, 0.0\n"
		"loop\n"
		"  ldi  v0, a\n"
		"  ldi  v1, b\n"
		"  ieq  v0, v0, v1\n"
		"  sel  v0, v0, s1, s2\n"
		"  rsum s0, v0\n"
		"end\n"
		"st  rows, s0\n"
	};
	static struct op_program total = { .source =
		".operand dst rows\n"
		"loop\n"
		"  ld   v0, rows\n"
		"  rsum s0, v0\n"
		"end\n"
		"f2i  s0, s0\n"
		"sti  dst, s0\n"
	};
	const struct accel_tensor dst = emit_view(t);
	const struct accel_tensor a = emit_view(t->src[0]);
	const struct accel_tensor b = emit_view(t->src[1]);
	const uint32_t dim[4] = { 1, a.dim[1], a.dim[2], a.dim[3] };
	struct accel_tensor rows = emit_temp(e, LOOM_TYPE_F32, dim), line;
	struct op op;
	int rc;

	op_begin(&op, "count_equal", &a);
	op_row(&op, "rows", &rows);
	op_read(&op, "a", &a);
	op_read(&op, "b", &b);
	rc = op_emit(&op, e->cb, &equal, NULL);
	if (rc)
		return rc;
	line = accel_tensor_1d(rows.va, rows.type,
			       (uint32_t)accel_tensor_count(&rows));
	op_begin(&op, "count_equal", &line);
	op_row(&op, "dst", &dst);
	op_read(&op, "rows", &line);
	return op_emit(&op, e->cb, &total, NULL);
}

/* ----------------------------------------------------------------- softmax */

/*
 * A softmax row: logits are cap(src * scale) + slope * mask, with tanh capping
 * when asked for; a sink is one more logit that has no column.  A row whose
 * logits are all -infinity gives zeros.  The slope of head h (index i2) is
 * m0^(h + 1) for h < n, else m1^(2 (h - n) + 1); m0 and m1 come as logarithms.
 */
#define SLOPE								\
	"index s4, 2\n"							\
	"param s5, heads\n"						\
	"ilt   s6, s4, s5\n"						\
	"isub  s7, s4, s5\n"						\
	"iadd  s7, s7, s7\n"						\
	"sel   s7, s6, s4, s7\n"					\
	"i2f   s7, s7\n"						\
	"imm   s8, 1.0\n"						\
	"add   s7, s7, s8\n"						\
	"param s8, log_m0\n"						\
	"param s9, log_m1\n"						\
	"sel   s8, s6, s8, s9\n"					\
	"mul   s7, s7, s8\n"						\
	"exp   s4, s7               ; slope\n"
#define PLAIN_LOGIT							\
	"  ld   v0, src\n"						\
	"  mul  v0, v0, s3\n"
#define CAPPED_LOGIT							\
	PLAIN_LOGIT							\
	"  tanh v0, v0\n"						\
	"  mul  v0, v0, s10\n"
#define MASK								\
	"  ld   v1, mask\n"						\
	"  add  v0, v0, v1\n"
#define SLOPED_MASK							\
	"  ld   v1, mask\n"						\
	"  fma  v0, v1, s4, v0\n"
#define SINK_MAX	"ld s11, sink\nmax s0, s0, s11\n"
#define SINK_SUM							\
	"sub  s11, s11, s0\n"						\
	"exp  s11, s11\n"						\
	"add  s1, s1, s11\n"
#define SOFTMAX(operands, setup, logit, sink_max, sink_sum) { .source =	\
	".operand dst src " operands "\n"				\
	".param scale cap heads log_m0 log_m1\n"			\
	"param s3, scale\n"						\
	"param s10, cap\n"						\
	setup								\
	"loop\n"							\
	logit								\
	"  rmax s0, v0\n"						\
	"end\n"								\
	"imm  s2, -3.0e38\n"						\
	"max  s0, s0, s2\n"						\
	sink_max							\
	"loop\n"							\
	logit								\
	"  sub  v0, v0, s0\n"						\
	"  exp  v0, v0\n"						\
	"  rsum s1, v0\n"						\
	"end\n"								\
	sink_sum							\
	"imm  s2, 1.0\n"						\
	"div  s2, s2, s1\n"						\
	"imm  s12, 0.0\n"						\
	"feq  s13, s1, s12\n"						\
	"sel  s2, s13, s12, s2\n"					\
	"loop\n"							\
	logit								\
	"  sub  v0, v0, s0\n"						\
	"  exp  v0, v0\n"						\
	"  mul  v0, v0, s2\n"						\
	"  st   dst, v0\n"						\
	"end\n" }
#define SOFTMAX_MASKS(logit, sink, sink_max, sink_sum) {		\
	SOFTMAX("" sink, "", logit, sink_max, sink_sum),		\
	SOFTMAX("mask " sink, "", logit MASK, sink_max, sink_sum),	\
	SOFTMAX("mask " sink, SLOPE, logit SLOPED_MASK, sink_max, sink_sum) }

/* [capped][sink][none, mask, sloped mask] */
static struct op_program softmax_programs[2][2][3] = {
	{ SOFTMAX_MASKS(PLAIN_LOGIT, "", "", ""),
	  SOFTMAX_MASKS(PLAIN_LOGIT, "sink", SINK_MAX, SINK_SUM) },
	{ SOFTMAX_MASKS(CAPPED_LOGIT, "", "", ""),
	  SOFTMAX_MASKS(CAPPED_LOGIT, "sink", SINK_MAX, SINK_SUM) },
};

int emit_softmax(struct emit *e, const struct softmax *s)
{
	uint32_t heads = 1;
	float scale = s->cap ? s->scale / s->cap : s->scale;
	unsigned int mask = s->mask ? s->max_bias > 0 ? 2 : 1 : 0;
	uint32_t params[5] = { accel_f32(scale), accel_f32(s->cap) };
	struct accel_tensor sink;
	struct op op;

	while (heads * 2 <= s->src->dim[2])
		heads *= 2;
	params[2] = heads;
	params[3] = accel_f32(-s->max_bias / (float)heads * logf(2));
	params[4] = accel_f32(-s->max_bias / 2 / (float)heads * logf(2));
	op_begin(&op, "softmax", s->src);
	op_write(&op, "dst", s->dst);
	op_read(&op, "src", s->src);
	if (s->mask)
		op_read(&op, "mask", s->mask);
	if (s->sink) {
		/* One value per head. */
		sink = accel_tensor_permute(s->sink, (const unsigned int[]){ 1, 2, 0, 3 });
		op_read(&op, "sink", &sink);
	}
	return op_emit(&op, e->cb,
		       &softmax_programs[s->cap != 0][s->sink != NULL][mask],
		       params);
}

int op_soft_max(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	struct accel_tensor mask, sink;
	struct softmax s = {
		.dst = &dst, .src = &src, .scale = emit_f32_param(t, 0),
		.max_bias = emit_f32_param(t, 1),
	};

	if (t->src[1]) {
		mask = emit_view(t->src[1]);
		/* The mask may have more rows than there are. */
		if (mask.dim[1] > src.dim[1])
			mask.dim[1] = src.dim[1];
		s.mask = &mask;
	}
	if (t->src[2]) {
		sink = emit_view(t->src[2]);
		s.sink = &sink;
	}
	return emit_softmax(e, &s);
}

int op_soft_max_back(struct emit *e, const struct gg_tensor *t)
{
	/* src[0] is the gradient dy, src[1] the softmax y: scale y (dy - sum(y dy)). */
	static struct op_program prog = { .source =
		".operand dst dy y\n"
		".param scale\n"
		"param s1, scale\n"
		"loop\n"
		"  ld   v0, dy\n"
		"  ld   v1, y\n"
		"  mul  v0, v0, v1\n"
		"  rsum s0, v0\n"
		"end\n"
		"loop\n"
		"  ld   v0, dy\n"
		"  ld   v1, y\n"
		"  sub  v0, v0, s0\n"
		"  mul  v0, v0, v1\n"
		"  mul  v0, v0, s1\n"
		"  st   dst, v0\n"
		"end\n"
	};
	const struct accel_tensor dst = emit_view(t);
	const struct accel_tensor dy = emit_view(t->src[0]);
	const struct accel_tensor y = emit_view(t->src[1]);
	const uint32_t params[] = { accel_f32(emit_f32_param(t, 0)) };
	struct op op;

	if (emit_f32_param(t, 1) != 0)
		return emit_refuse(e, "max_bias is not 0");
	op_begin(&op, "soft_max_back", &dst);
	op_write(&op, "dst", &dst);
	op_read(&op, "dy", &dy);
	op_read(&op, "y", &y);
	return op_emit(&op, e->cb, &prog, params);
}
