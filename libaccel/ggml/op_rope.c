// SPDX-License-Identifier: MIT
/* Rotary position embedding: all modes of ggml, forward and backward. */
#include <math.h>

#include "ops.h"

/*
 * A lane is a pair (x0, x1).  theta = position / divisor * base^(-step k), where
 * k is the lane, or counts from the start of its section (vision).  YaRN mixes
 * theta and scale * theta along a ramp.  Sections choose which of up to four
 * positions of a token a lane uses.
 *
 * After the setup: s0 = log(base) step, s1 = position as f32 (one position),
 * v0 = lane as f32, v1 = position, v2 = k.
 */
#define ROPE_HEAD(operands)						\
	".operand y0 y1 x0 x1 position " operands "\n"			\
	".param step scale magnitude low span ext n0 n1 n2 n3 sign\n"	\
	"param s0, step\n"						\
	"ldi   s1, position\n"						\
	"i2f   s1, s1\n"						\
	"param s2, scale\n"						\
	"param s3, magnitude\n"						\
	"param s4, low\n"						\
	"param s5, span\n"						\
	"param s6, ext\n"						\
	"param s7, sign\n"						\
	"imm   s8, 0.0\n"						\
	"imm   s9, 1.0\n"

/* Positions of height, width and extra: the t, h, w, e of every token. */
#define SECTION_SETUP							\
	"ldi   s10, height\n"						\
	"i2f   s10, s10\n"						\
	"ldi   s11, width\n"						\
	"i2f   s11, s11\n"						\
	"ldi   s12, extra\n"						\
	"i2f   s12, s12\n"						\
	"param s13, n0\n"						\
	"param s14, n1\n"						\
	"iadd  s14, s13, s14       ; where width begins\n"		\
	"param s15, n2\n"						\
	"iadd  s15, s14, s15       ; where extra begins\n"		\
	"param s16, n3\n"						\
	"iadd  s16, s15, s16       ; length of all sections\n"

#define LANES								\
	"  lane  v8\n"							\
	"  i2f   v0, v8\n"

#define ONE_POSITION							\
	"  mov   v1, s1\n"						\
	"  mov   v2, v0\n"

/* v9 = lane within the sections; choose by ranges. */
#define BY_RANGE							\
	"  umod  v9, v8, s16\n"						\
	"  ilt   v3, v9, s13\n"						\
	"  ilt   v4, v9, s14\n"						\
	"  ilt   v5, v9, s15\n"						\
	"  sel   v1, v5, s11, s12\n"					\
	"  sel   v1, v4, s10, v1\n"					\
	"  sel   v1, v3, s1, v1\n"

#define MROPE	BY_RANGE "  mov   v2, v0\n"

/* k counts from the start of the section. */
#define VISION								\
	BY_RANGE							\
	"  isub  v6, v9, s15\n"						\
	"  isub  v7, v9, s14\n"						\
	"  sel   v6, v5, v7, v6\n"					\
	"  isub  v7, v9, s13\n"						\
	"  sel   v6, v4, v7, v6\n"					\
	"  sel   v6, v3, v9, v6\n"					\
	"  i2f   v2, v6\n"

/* Lanes take t, h, w in turn, each as long as three times its section. */
#define IMROPE								\
	"  umod  v9, v8, s16\n"						\
	"  imm   v3, 3\n"						\
	"  umod  v4, v9, v3           ; 0: t, 1: h, 2: w\n"		\
	"  param v5, n0\n"						\
	"  imul  v5, v5, v3\n"						\
	"  ilt   v5, v9, v5\n"						\
	"  imm   v6, 0\n"						\
	"  ieq   v6, v4, v6\n"						\
	"  and   v5, v5, v6\n"						\
	"  sel   v1, v5, s1, s12\n"					\
	"  param v5, n2\n"						\
	"  imul  v5, v5, v3\n"						\
	"  ilt   v5, v9, v5\n"						\
	"  imm   v6, 2\n"						\
	"  ieq   v6, v4, v6\n"						\
	"  and   v5, v5, v6\n"						\
	"  sel   v1, v5, s11, v1\n"					\
	"  param v5, n1\n"						\
	"  imul  v5, v5, v3\n"						\
	"  ilt   v5, v9, v5\n"						\
	"  imm   v6, 1\n"						\
	"  ieq   v6, v4, v6\n"						\
	"  and   v5, v5, v6\n"						\
	"  sel   v1, v5, s10, v1\n"					\
	"  mov   v2, v0\n"

#define DIVIDE								\
	"  ld    v3, divisor\n"						\
	"  div   v2, v2, v3\n"

/* v2 = theta without scale; mix with the scaled one, rotate. */
#define ROPE_TAIL(divide)						\
	"  mul   v2, v2, s0\n"						\
	"  exp   v2, v2\n"						\
	"  mul   v2, v2, v1\n"						\
	divide								\
	"  mul   v3, v2, s2           ; scaled\n"			\
	"  sub   v4, v0, s4\n"						\
	"  div   v4, v4, s5\n"						\
	"  max   v4, v4, s8\n"						\
	"  min   v4, v4, s9\n"						\
	"  sub   v4, s9, v4\n"						\
	"  mul   v4, v4, s6           ; how much unscaled\n"		\
	"  sub   v5, s9, v4\n"						\
	"  mul   v3, v3, v5\n"						\
	"  fma   v2, v2, v4, v3\n"					\
	"  cos   v1, v2\n"						\
	"  sin   v2, v2\n"						\
	"  mul   v1, v1, s3\n"						\
	"  mul   v2, v2, s3\n"						\
	"  mul   v2, v2, s7\n"						\
	"  ld    v3, x0\n"						\
	"  ld    v4, x1\n"						\
	"  mul   v5, v3, v1\n"						\
	"  mul   v6, v4, v2\n"						\
	"  sub   v5, v5, v6\n"						\
	"  mul   v6, v3, v2\n"						\
	"  mul   v7, v4, v1\n"						\
	"  add   v6, v6, v7\n"						\
	"  st    y0, v5\n"						\
	"  st    y1, v6\n"						\
	"end\n"

#define ONE(operands, divide) { .source = ROPE_HEAD(operands)		\
	"loop\n" LANES ONE_POSITION ROPE_TAIL(divide) }
#define FOUR(operands, choose, divide) { .source =			\
	ROPE_HEAD("height width extra " operands)			\
	SECTION_SETUP							\
	"loop\n" LANES choose ROPE_TAIL(divide) }
#define BOTH(choose) { FOUR("", choose, ""), FOUR("divisor", choose, DIVIDE) }

enum { KIND_ONE, KIND_MROPE, KIND_IMROPE, KIND_VISION, NUM_KINDS };

/* [kind][with divisor] */
static struct op_program programs[NUM_KINDS][2] = {
	{ ONE("", ""), ONE("divisor", DIVIDE) },
	BOTH(MROPE), BOTH(IMROPE), BOTH(VISION),
};

/** struct rope - a node's options */
struct rope {
	unsigned int kind;
	/** @lanes: pairs of a row that turn */
	uint32_t lanes;
	/** @apart: distance of a pair's elements; 0: neighbours */
	uint32_t apart;
	uint32_t params[11];
};

/* Lane at which a wavelength makes @turns over the original context. */
static float correction(const struct gg_tensor *t, float turns)
{
	float dims = (float)t->op_params[1], context = (float)t->op_params[4];

	return dims * logf(context / (turns * 2 * (float)M_PI)) /
	       (2 * logf(emit_f32_param(t, 5)));
}

static void set_kind(struct rope *r, const struct gg_tensor *t)
{
	uint32_t dims = (uint32_t)t->op_params[1];
	int mode = t->op_params[2];

	r->lanes = dims / 2;
	r->apart = mode & GG_ROPE_NEOX ? dims / 2 : 0;
	r->kind = KIND_ONE;
	if (mode == GG_ROPE_VISION) {
		r->kind = KIND_VISION;
		r->lanes = dims;
		r->apart = dims;
	} else if (mode & GG_ROPE_MROPE) {
		r->kind = mode == GG_ROPE_IMROPE ? KIND_IMROPE : KIND_MROPE;
		r->apart = dims / 2;
	}
}

static void set_params(struct rope *r, const struct gg_tensor *t, bool back)
{
	float dims = (float)t->op_params[1], ext = emit_f32_param(t, 7);
	float scale = emit_f32_param(t, 6), magnitude = emit_f32_param(t, 8);
	float low = 0, high = 1;
	unsigned int i;

	if (ext != 0) {
		low = fmaxf(0, floorf(correction(t, emit_f32_param(t, 9))));
		high = fminf(dims - 1, ceilf(correction(t, emit_f32_param(t, 10))));
		magnitude *= 1 + 0.1f * logf(1 / scale);
	}
	r->params[0] = accel_f32(-2 / dims * logf(emit_f32_param(t, 5)));
	r->params[1] = accel_f32(scale);
	r->params[2] = accel_f32(magnitude);
	r->params[3] = accel_f32(low);
	r->params[4] = accel_f32(fmaxf(0.001f, high - low));
	r->params[5] = accel_f32(ext);
	for (i = 0; i < 4; i++)
		r->params[6 + i] = (uint32_t)t->op_params[11 + i];
	r->params[10] = accel_f32(back ? -1 : 1);
}

/* The first or second element of every pair. */
static struct accel_tensor half(const struct accel_tensor *t,
				const struct rope *r, unsigned int which)
{
	struct accel_tensor h = *t;

	h.dim[0] = r->lanes;
	h.va += which * (uint64_t)((r->apart ? r->apart : 1) * t->stride[0]);
	if (!r->apart)
		h.stride[0] = 2 * t->stride[0];
	return h;
}

/* Position number @which of each token (dimension 2). */
static struct accel_tensor position(const struct gg_tensor *t,
				    unsigned int which)
{
	struct accel_tensor p = emit_view(t->src[1]);

	p.va += which * (uint64_t)t->ne[2] * (uint64_t)p.stride[0];
	p.dim[0] = (uint32_t)t->ne[2];
	return accel_tensor_permute(&p, (const unsigned int[]){ 1, 2, 0, 3 });
}

static int rotate(struct emit *e, const struct gg_tensor *t,
		  struct rope *r, const struct accel_tensor *dst,
		  const struct accel_tensor *src)
{
	const struct accel_tensor y0 = half(dst, r, 0), y1 = half(dst, r, 1);
	const struct accel_tensor x0 = half(src, r, 0), x1 = half(src, r, 1);
	unsigned int i, positions = r->kind == KIND_ONE ? 1 : 4;
	struct accel_tensor p, divisor;
	struct op op;

	op_begin(&op, "rope", &x0);
	op_write(&op, "dst", &y0);
	op_write(&op, "dst", &y1);
	op_read(&op, "src", &x0);
	op_read(&op, "src", &x1);
	for (i = 0; i < positions; i++) {
		p = position(t, i);
		op_read(&op, "position", &p);
	}
	if (t->src[2]) {
		divisor = emit_view(t->src[2]);
		divisor.dim[0] = r->lanes;
		op_read(&op, "divisor", &divisor);
	}
	return op_emit(&op, e->cb, &programs[r->kind][t->src[2] != NULL],
		       r->params);
}

/* Elements @first .. @end - 1 of each row do not turn. */
static int keep(struct emit *e, const struct accel_tensor *dst,
		const struct accel_tensor *src, uint32_t first, uint32_t end)
{
	struct accel_tensor y, x;

	if (first == end || dst->va == src->va)
		return 0;
	y = accel_tensor_columns(dst, first, end - first);
	x = accel_tensor_columns(src, first, end - first);
	return accel_op_copy(e->cb, &y, &x);
}

static int rope(struct emit *e, const struct gg_tensor *t, bool back)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	uint32_t first = (uint32_t)t->op_params[15], end, n = dst.dim[0];
	struct accel_tensor y, x;
	struct rope r;
	int rc;

	set_kind(&r, t);
	set_params(&r, t, back);
	end = first + 2 * r.lanes;
	if (!r.lanes || end > n)
		return emit_refuse(e, "elements %u to %u of %u cannot turn",
				   first, end, n);
	if (r.kind != KIND_ONE && r.params[6] + r.params[7] + r.params[8] +
				  r.params[9] == 0)
		return emit_refuse(e, "the sections are empty");
	y = accel_tensor_columns(&dst, first, end - first);
	x = accel_tensor_columns(&src, first, end - first);
	rc = rotate(e, t, &r, &y, &x);
	if (!rc)
		rc = keep(e, &dst, &src, 0, first);
	return rc ? rc : keep(e, &dst, &src, end, n);
}

int op_rope(struct emit *e, const struct gg_tensor *t)
{
	return rope(e, t, false);
}

int op_rope_back(struct emit *e, const struct gg_tensor *t)
{
	return rope(e, t, true);
}
