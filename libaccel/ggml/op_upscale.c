// SPDX-License-Identifier: MIT
/*
 * UPSCALE: an image of another size.
 *
 * The smooth modes are separable: a program makes a table that says for each
 * column of the result which pixels it takes (its taps) and with which weights,
 * another applies it to all rows; then the same for the rows.  Dimensions 2 and
 * 3 repeat by nearest neighbour in every mode.
 */
#include <math.h>
#include <string.h>

#include "ops.h"

/* op_params[0] of the node */
#define MODE_MASK		0xff
#define MODE_NEAREST		0
#define MODE_BILINEAR		1
#define MODE_BICUBIC		2
#define FLAG_CORNERS		0x100
#define FLAG_ANTIALIAS		0x200

/* Results per pixel; with @corners the first and the last of both coincide. */
static float factor(int64_t to, int64_t from, bool corners)
{
	if (corners && to > 1 && from > 1)
		return (float)(to - 1) / (float)(from - 1);
	return (float)to / (float)from;
}

/* ----------------------------------------------------------------- nearest */

/* s0: index of the source's row; what dimension @d adds to it */
#define NEAREST_ROW(d)							\
	"index s1, " d "\n"						\
	"i2f   s1, s1\n"						\
	"param s2, factor" d "\n"					\
	"div   s1, s1, s2\n"						\
	"f2i   s1, s1\n"						\
	"param s2, step" d "\n"						\
	"imul  s1, s1, s2\n"						\
	"iadd  s0, s0, s1\n"

static struct op_program nearest_prog = { .source =
	".operand dst src\n"
	".param factor0 factor1 factor2 factor3 step0 step1 step2 step3\n"
	NEAREST_ROW("1")
	NEAREST_ROW("2")
	NEAREST_ROW("3")
	"param s1, factor0\n"
	"param s2, step0\n"
	"loop\n"
	"  lane v0\n"
	"  i2f  v0, v0\n"
	"  div  v0, v0, s1\n"
	"  f2i  v0, v0\n"
	"  imul v0, v0, s2\n"
	"  iadd v0, v0, s0\n"
	"  ldx  v0, v0, src\n"
	"  st   dst, v0\n"
	"end\n"
};

/* The source is read by index from its first element, whatever its strides. */
static int nearest(struct emit *e, const struct accel_tensor *dst,
		   const struct accel_tensor *src, bool corners)
{
	int64_t size = accel_type_size(src->type), last = 0;
	uint32_t params[8];
	unsigned int d;
	struct op op;

	for (d = 0; d < 4; d++) {
		if (src->stride[d] % size)
			return emit_refuse(e, "a stride of no whole elements");
		params[d] = accel_f32(factor(dst->dim[d], src->dim[d],
					     corners && d < 2));
		params[4 + d] = (uint32_t)(src->stride[d] / size);
		last += (src->dim[d] - 1) * (src->stride[d] / size);
	}
	if (last >= UINT32_MAX)
		return emit_refuse(e, "image beyond indices of 32 bits");
	op_begin(&op, "upscale", dst);
	op_write(&op, "dst", dst);
	op.operand[op.count++] = (struct loom_vec_operand){
		.addr = src->va, .type = (uint8_t)src->type,
		.limit = (uint32_t)last + 1, .stride = { size },
	};
	return op_emit(&op, e->cb, &nearest_prog, params);
}

/* -------------------------------------------------------------------- taps */

/**
 * struct taps - what results along one dimension are made of
 *
 * Both tensors are { results, @count }.
 */
struct taps {
	/** @count: taps per result, a multiple of @group */
	uint32_t count;
	/** @group: taps that one command applies */
	uint32_t group;
	/** @index: i32, pixel of a tap; NO_PIXEL where a result has fewer */
	struct accel_tensor index;
	/** @weight: f32 */
	struct accel_tensor weight;
};

/* An index that no LDX finds: it reads 0, whatever the image holds. */
#define NO_PIXEL "0xffffffff"

/*
 * Both table programs have a row per result and a lane per tap.
 * s0: the result's place among the source's pixels; s1: offset of a pixel's
 * centre; s2: number of pixels.
 */
#define TAPS_PARAMS	".operand index weight\n.param factor offset size "
#define TAPS_PLACE							\
	"index s0, 1\n"							\
	"i2f   s0, s0\n"						\
	"param s1, offset\n"						\
	"add   s0, s0, s1\n"						\
	"param s2, factor\n"						\
	"div   s0, s0, s2\n"						\
	"param s2, size\n"

/* v0: pixel of the lane's tap; v1: height there of a triangle of width 2 s3 */
#define TRIANGLE							\
	"  lane v0\n"							\
	"  iadd v0, v0, s5\n"						\
	"  i2f  v1, v0\n"						\
	"  add  v1, v1, s4\n"						\
	"  div  v1, v1, s3\n"						\
	"  abs  v1, v1\n"						\
	"  sub  v1, s8, v1\n"						\
	"  max  v1, v1, s7\n"						\
	"  ilt  v2, v0, s6\n"						\
	"  and  v1, v1, v2\n"

/* Weights are parts of what lies in the image, so that edges do not darken. */
static struct op_program triangle_taps = { .source =
	TAPS_PARAMS "support reach\n"
	TAPS_PLACE
	"param s3, support\n"
	"sub   s4, s1, s0\n"
	"param s9, reach\n"
	"imm   s7, 0.0\n"
	"imm   s8, 1.0\n"
	"sub   s5, s0, s3\n"
	"add   s5, s5, s9\n"
	"max   s5, s5, s7\n"
	"f2i   s5, s5              ; first pixel\n"
	"add   s6, s0, s3\n"
	"add   s6, s6, s9\n"
	"f2i   s6, s6\n"
	"imin  s6, s6, s2          ; end of the pixels\n"
	"imm   s11, " NO_PIXEL "\n"
	"loop\n"
	TRIANGLE
	"  rsum s10, v1\n"
	"end\n"
	"loop\n"
	TRIANGLE
	"  sel  v0, v1, v0, s11\n"
	"  sti  index, v0\n"
	"  div  v1, v1, s10\n"
	"  st   weight, v1\n"
	"end\n"
};

/* Four taps; a = -0.75.  v2: distance of the tap; pixels repeat at the edge. */
static struct op_program cubic_taps = { .source =
	TAPS_PARAMS "\n"
	TAPS_PLACE
	"sub   s0, s0, s1\n"
	"floor s3, s0\n"
	"sub   s4, s0, s3\n"
	"f2i   s3, s3\n"
	"imm   s5, 1\n"
	"imm   s6, 0\n"
	"isub  s2, s2, s5\n"
	"imm   s7, 1.0\n"
	"imm   s8, 1.25            ; a + 2\n"
	"imm   s9, -2.25           ; -(a + 3)\n"
	"imm   s10, -0.75          ; a\n"
	"imm   s11, 3.75           ; -5 a\n"
	"imm   s12, -6.0           ; 8 a\n"
	"imm   s13, 3.0            ; -4 a\n"
	"loop\n"
	"  lane v0\n"
	"  isub v0, v0, s5\n"
	"  i2f  v2, v0\n"
	"  iadd v0, v0, s3\n"
	"  imax v0, v0, s6\n"
	"  imin v0, v0, s2\n"
	"  sti  index, v0\n"
	"  sub  v2, v2, s4\n"
	"  abs  v2, v2\n"
	"  fma  v3, v2, s8, s9     ; up to 1\n"
	"  mul  v3, v3, v2\n"
	"  fma  v3, v3, v2, s7\n"
	"  fma  v4, v2, s10, s11   ; beyond\n"
	"  fma  v4, v4, v2, s12\n"
	"  fma  v4, v4, v2, s13\n"
	"  fle  v5, v2, s7\n"
	"  sel  v3, v5, v3, v4\n"
	"  st   weight, v3\n"
	"end\n"
};

static struct accel_tensor taps_tensor(struct emit *e, uint32_t type,
				       uint32_t results, uint32_t count)
{
	const uint32_t dim[4] = { results, count, 1, 1 };

	return emit_temp(e, type, dim);
}

/*
 * The table along dimension @d.  Bilinear is the triangle that reaches to the
 * next pixel; against aliasing it is as wide as a result, where that is more.
 */
static int make_taps(struct emit *e, struct taps *taps,
		     const struct gg_tensor *t, unsigned int d)
{
	static const unsigned int by_result[4] = { 1, 0, 2, 3 };
	int32_t mode = t->op_params[0];
	uint32_t to = (uint32_t)t->ne[d], from = (uint32_t)t->src[0]->ne[d];
	bool corners = mode & FLAG_CORNERS, wide = mode & FLAG_ANTIALIAS;
	bool cubic = (mode & MODE_MASK) == MODE_BICUBIC;
	float f = factor(to, from, corners), offset = corners ? 0 : 0.5f;
	float support = wide && f < 1 ? 1 / f : 1;
	/*
	 * From the triangle's ends to the first pixel within and the first one
	 * beyond.  With corners ggml's antialiasing is half a pixel off here.
	 */
	float reach = wide ? offset : 1 - offset;
	const uint32_t params[] = {
		accel_f32(f), accel_f32(offset), from, accel_f32(support),
		accel_f32(reach),
	};
	struct accel_tensor index, weight;
	struct op op;

	taps->count = cubic ? 4 : (uint32_t)fminf(ceilf(2 * support), from);
	taps->group = taps->count <= 2 ? 2 : 4;
	taps->count += -taps->count % taps->group;
	taps->index = taps_tensor(e, LOOM_TYPE_I32, to, taps->count);
	taps->weight = taps_tensor(e, LOOM_TYPE_F32, to, taps->count);
	index = accel_tensor_permute(&taps->index, by_result);
	weight = accel_tensor_permute(&taps->weight, by_result);
	op_begin(&op, "upscale", &index);
	op_write(&op, "index", &index);
	op_write(&op, "weight", &weight);
	return op_emit(&op, e->cb, cubic ? &cubic_taps : &triangle_taps, params);
}

/* ------------------------------------------------------------------- apply */

#define TAP(n)								\
	"  ldi  v1, index" n "\n"					\
	"  ldx  v1, v1, src\n"						\
	"  ld   v2, weight" n "\n"					\
	"  fma  v0, v1, v2, v0\n"

/* What dst holds before its first taps is not a number to add to. */
#define APPLY(operands, taps)						\
	".operand dst src " operands "\n"				\
	".param again\n"						\
	"param s0, again\n"						\
	"imm   s1, 0.0\n"						\
	"loop\n"							\
	"  ld   v0, dst\n"						\
	"  sel  v0, s0, v0, s1\n"					\
	taps								\
	"  st   dst, v0\n"						\
	"end\n"

static struct op_program apply2 = { .source =
	APPLY("index0 weight0 index1 weight1", TAP("0") TAP("1"))
};

static struct op_program apply4 = { .source =
	APPLY("index0 weight0 index1 weight1 index2 weight2 index3 weight3",
	      TAP("0") TAP("1") TAP("2") TAP("3"))
};

/* Tap @k of all results, as rows that are the same for the whole image. */
static void read_tap(struct op *op, const struct taps *taps, uint32_t k)
{
	struct accel_tensor index = taps->index, weight = taps->weight;

	index.va += (uint64_t)(k * index.stride[1]);
	weight.va += (uint64_t)(k * weight.stride[1]);
	index.dim[1] = weight.dim[1] = 1;
	op_read(op, "index", &index);
	op_read(op, "weight", &weight);
}

/* Taps @first to @first + group of dimension 0. */
static int apply(struct emit *e, const struct accel_tensor *dst,
		 const struct accel_tensor *src, const struct taps *taps,
		 uint32_t first)
{
	const uint32_t again = first > 0;
	struct loom_vec_operand *o;
	struct op op;
	uint32_t k;

	op_begin(&op, "upscale", dst);
	op_write(&op, "dst", dst);
	o = &op.operand[op.count++];
	*o = (struct loom_vec_operand){
		.addr = src->va, .type = (uint8_t)src->type,
		.limit = src->dim[0],
	};
	memcpy(o->stride, src->stride, sizeof(o->stride));
	for (k = 0; k < taps->group; k++)
		read_tap(&op, taps, first + k);
	return op_emit(&op, e->cb, taps->group == 2 ? &apply2 : &apply4, &again);
}

/* Dimension @d of @dst, 0 or 1, is to be that of the node @t; others stay. */
static int resample(struct emit *e, const struct gg_tensor *t, unsigned int d,
		    const struct accel_tensor *dst,
		    const struct accel_tensor *src)
{
	const unsigned int order[4] = { d, 1 - d, 2, 3 };
	struct accel_tensor to = accel_tensor_permute(dst, order);
	struct accel_tensor from = accel_tensor_permute(src, order);
	struct taps taps;
	uint32_t k;
	int rc = make_taps(e, &taps, t, d);

	for (k = 0; !rc && k < taps.count; k += taps.group)
		rc = apply(e, &to, &from, &taps, k);
	return rc;
}

static int smooth(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	const uint32_t wide_dim[4] = {
		dst.dim[0], src.dim[1], src.dim[2], src.dim[3],
	};
	const uint32_t plane_dim[4] = {
		dst.dim[0], dst.dim[1], src.dim[2], src.dim[3],
	};
	bool repeat = memcmp(plane_dim, dst.dim, sizeof(plane_dim));
	struct accel_tensor wide, planes = dst;
	int rc;

	wide = emit_temp(e, LOOM_TYPE_F32, wide_dim);
	if (repeat)
		planes = emit_temp(e, LOOM_TYPE_F32, plane_dim);
	rc = resample(e, t, 0, &wide, &src);
	if (!rc)
		rc = resample(e, t, 1, &planes, &wide);
	if (!rc && repeat)
		rc = nearest(e, &dst, &planes, false);
	return rc;
}

int op_upscale(struct emit *e, const struct gg_tensor *t)
{
	int32_t mode = t->op_params[0];
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	int rc;

	if ((mode & MODE_MASK) > MODE_BICUBIC ||
	    mode & ~(MODE_MASK | FLAG_CORNERS | FLAG_ANTIALIAS) ||
	    (mode & FLAG_ANTIALIAS && (mode & MODE_MASK) != MODE_BILINEAR))
		return emit_refuse(e, "interpolation mode %#x", (unsigned int)mode);
	/* What is read by index is not checked as other operands are. */
	rc = op_check("upscale", "source", &src);
	if (rc)
		return rc;
	if ((mode & MODE_MASK) == MODE_NEAREST)
		return nearest(e, &dst, &src, mode & FLAG_CORNERS);
	return smooth(e, t);
}
