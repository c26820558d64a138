// SPDX-License-Identifier: MIT
/* Nodes of images: windows (IM2COL, pooling) and UPSCALE. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ops.h"

/** struct window - a kernel that moves over a dimension */
struct window {
	/** @size: elements of the kernel */
	uint32_t size;
	/** @step, @pad, @dilation: as of a convolution */
	int32_t step, pad, dilation;
	/** @in, @out: extents of the image and of the result */
	uint32_t in, out;
};

/**
 * window_range() - where kernel element @k meets the image
 * @w: window
 * @k: element of the kernel
 * @first: out: first output that does
 * @count: out: how many do
 *
 * Return: the image's index at output @first.
 */
static uint32_t window_range(const struct window *w, uint32_t k,
			     uint32_t *first, uint32_t *count)
{
	int64_t shift = (int64_t)k * w->dilation - w->pad;
	int64_t low = shift < 0 ? (-shift + w->step - 1) / w->step : 0;
	int64_t high = ((int64_t)w->in - 1 - shift);

	high = high < 0 ? -1 : high / w->step;
	if (high >= w->out)
		high = (int64_t)w->out - 1;
	*first = (uint32_t)low;
	*count = high < low ? 0 : (uint32_t)(high - low + 1);
	return (uint32_t)(low * w->step + shift);
}

/** struct patch - a node of IM2COL or its derivative */
struct patch {
	struct window x, y;
	/** @columns: { kw, kh, channels } of each { ow, oh, n }: as strides */
	struct accel_tensor columns;
	/** @image: { w, h, channels, n } */
	struct accel_tensor image;
};

/* @columns, @kernel and @image as ggml has them; one dimension is height 1. */
static void patch_init(struct patch *p, const struct gg_tensor *t,
		       const struct gg_tensor *columns,
		       const struct gg_tensor *kernel,
		       const struct gg_tensor *image)
{
	bool flat = !t->op_params[6];

	memset(p, 0, sizeof(*p));
	p->image = emit_view(image);
	p->columns = emit_view(columns);
	if (flat) {
		p->image = accel_tensor_permute(&p->image, (const unsigned int[]){ 0, 3, 1, 2 });
		p->columns = accel_tensor_permute(&p->columns, (const unsigned int[]){ 0, 1, 3, 2 });
	}
	p->x = (struct window){
		(uint32_t)kernel->ne[0], t->op_params[0], t->op_params[2],
		t->op_params[4], p->image.dim[0], p->columns.dim[1],
	};
	p->y = (struct window){
		flat ? 1 : (uint32_t)kernel->ne[1], flat ? 1 : t->op_params[1],
		flat ? 0 : t->op_params[3], flat ? 1 : t->op_params[5],
		p->image.dim[1], p->columns.dim[2],
	};
}

/*
 * Kernel element (kx, ky): the columns that hold it and the pixels they come
 * from, both { ow, oh, channels, n }.  False if it meets no pixel.
 */
static bool patch_part(const struct patch *p, uint32_t kx, uint32_t ky,
		       struct accel_tensor *columns, struct accel_tensor *pixels)
{
	const int64_t *c = p->columns.stride, *s = p->image.stride;
	uint32_t x0, y0, nx, ny, ix, iy;

	ix = window_range(&p->x, kx, &x0, &nx);
	iy = window_range(&p->y, ky, &y0, &ny);
	if (!nx || !ny)
		return false;
	*columns = (struct accel_tensor){
		.va = p->columns.va + (uint64_t)(x0 * c[1] + y0 * c[2] +
						 (ky * p->x.size + kx) * c[0]),
		.type = p->columns.type,
		.dim = { nx, ny, p->image.dim[2], p->image.dim[3] },
		.stride = { c[1], c[2], p->x.size * p->y.size * c[0], c[3] },
	};
	*pixels = (struct accel_tensor){
		.va = p->image.va + (uint64_t)(ix * s[0] + iy * s[1]),
		.type = p->image.type,
		.dim = { nx, ny, p->image.dim[2], p->image.dim[3] },
		.stride = { p->x.step * s[0], p->y.step * s[1], s[2], s[3] },
	};
	return true;
}

int op_im2col(struct emit *e, const struct gg_tensor *t)
{
	struct accel_tensor columns, pixels;
	struct patch p;
	uint32_t kx, ky;
	int rc;

	patch_init(&p, t, t, t->src[0], t->src[1]);
	rc = accel_op_fill(e->cb, &p.columns, 0);
	for (ky = 0; ky < p.y.size; ky++)
		for (kx = 0; !rc && kx < p.x.size; kx++)
			if (patch_part(&p, kx, ky, &columns, &pixels))
				rc = accel_op_copy(e->cb, &columns, &pixels);
	return rc;
}

int op_im2col_back(struct emit *e, const struct gg_tensor *t)
{
	struct accel_tensor columns, pixels;
	struct patch p;
	uint32_t kx, ky;
	int rc;

	patch_init(&p, t, t->src[0], t->src[1], t);
	rc = accel_op_fill(e->cb, &p.image, 0);
	for (ky = 0; ky < p.y.size; ky++)
		for (kx = 0; !rc && kx < p.x.size; kx++)
			if (patch_part(&p, kx, ky, &columns, &pixels))
				rc = accel_op_add(e->cb, &pixels, &pixels,
						  &columns);
	return rc;
}

/* ----------------------------------------------------------------- pooling */

static int maximum(struct emit *e, const struct accel_tensor *dst,
		   const struct accel_tensor *src)
{
	static struct op_program prog = { .source =
		".operand dst src\n"
		"loop\n"
		"  ld  v0, dst\n"
		"  ld  v1, src\n"
		"  max v0, v1, v0\n"
		"  st  dst, v0\n"
		"end\n"
	};

	return emit_map1(e, "pool", &prog, dst, src, NULL);
}

/* Element (kx, ky) of every window, taken into the results. */
static int pool_part(struct emit *e, const struct window *x,
		     const struct window *y, uint32_t kx, uint32_t ky,
		     const struct accel_tensor *dst,
		     const struct accel_tensor *src, bool average)
{
	struct accel_tensor to = *dst, from = *src;
	uint32_t x0, y0, nx, ny;
	uint32_t ix = window_range(x, kx, &x0, &nx);
	uint32_t iy = window_range(y, ky, &y0, &ny);

	if (!nx || !ny)
		return 0;
	to.va += (uint64_t)(x0 * dst->stride[0] + y0 * dst->stride[1]);
	from.va += (uint64_t)(ix * src->stride[0] + iy * src->stride[1]);
	from.stride[0] *= x->step;
	from.stride[1] *= y->step;
	to.dim[0] = from.dim[0] = nx;
	to.dim[1] = from.dim[1] = ny;
	return average ? accel_op_add(e->cb, &to, &to, &from) :
			 maximum(e, &to, &from);
}

static int pool(struct emit *e, const struct gg_tensor *t,
		const struct window *x, const struct window *y)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	bool average = t->op_params[0] == 1;
	uint32_t kx, ky;
	int rc = accel_op_fill(e->cb, &dst, average ? 0 : -FLT_MAX);

	for (ky = 0; ky < y->size; ky++)
		for (kx = 0; !rc && kx < x->size; kx++)
			rc = pool_part(e, x, y, kx, ky, &dst, &src, average);
	if (!rc && average)
		rc = accel_op_scale(e->cb, &dst, &dst,
				    1.0f / (float)(x->size * y->size), 0);
	return rc;
}

int op_pool_1d(struct emit *e, const struct gg_tensor *t)
{
	const struct window x = {
		(uint32_t)t->op_params[1], t->op_params[2], t->op_params[3], 1,
		(uint32_t)t->src[0]->ne[0], (uint32_t)t->ne[0],
	};
	const struct window y = {
		1, 1, 0, 1, (uint32_t)t->src[0]->ne[1], (uint32_t)t->ne[1],
	};

	if (t->op_params[0] == 1 && x.pad)
		return emit_refuse(e, "average with padding");
	return pool(e, t, &x, &y);
}

int op_pool_2d(struct emit *e, const struct gg_tensor *t)
{
	const int32_t *p = t->op_params;
	const struct window x = {
		(uint32_t)p[1], p[3], p[5], 1,
		(uint32_t)t->src[0]->ne[0], (uint32_t)t->ne[0],
	};
	const struct window y = {
		(uint32_t)p[2], p[4], p[6], 1,
		(uint32_t)t->src[0]->ne[1], (uint32_t)t->ne[1],
	};

	return pool(e, t, &x, &y);
}

/* ------------------------------------------------------------------ UPSCALE */

/*
 * The source is read by index: element (x, y) of the plane that the row
 * belongs to.  Planes (dimensions 2 and 3) repeat by nearest neighbour.
 * s20, s21: source width and height less one; s22: elements per source row;
 * s23: index of the plane's first element.
 */
#define PLANE								\
	"index s0, 2\n"							\
	"i2f   s0, s0\n"						\
	"param s1, factor2\n"						\
	"div   s0, s0, s1\n"						\
	"f2i   s0, s0\n"						\
	"param s1, step2\n"						\
	"imul  s23, s0, s1\n"						\
	"index s0, 3\n"							\
	"i2f   s0, s0\n"						\
	"param s1, factor3\n"						\
	"div   s0, s0, s1\n"						\
	"f2i   s0, s0\n"						\
	"param s1, step3\n"						\
	"imul  s0, s0, s1\n"						\
	"iadd  s23, s23, s0\n"						\
	"param s20, last0\n"						\
	"param s21, last1\n"						\
	"param s22, step1\n"						\
	"param s10, factor0\n"						\
	"param s11, factor1\n"						\
	"param s12, offset\n"						\
	"imm   s13, 1.0\n"						\
	"imm   s14, 0.0\n"						\
	"imm   s15, 0\n"						\
	"imm   s16, 1\n"						\
	"index s2, 1\n"							\
	"i2f   s2, s2\n"
#define UPSCALE_PARAMS							\
	".operand dst src\n"						\
	".param factor0 factor1 factor2 factor3 step1 step2 step3 last0 last1 offset\n"

static struct op_program nearest = { .source =
	UPSCALE_PARAMS
	PLANE
	"div   s2, s2, s11\n"
	"f2i   s2, s2\n"
	"imul  s2, s2, s22\n"
	"iadd  s2, s2, s23\n"
	"loop\n"
	"  lane v0\n"
	"  i2f  v0, v0\n"
	"  div  v0, v0, s10\n"
	"  f2i  v0, v0\n"
	"  iadd v0, v0, s2\n"
	"  ldx  v0, v0, src\n"
	"  st   dst, v0\n"
	"end\n"
};

static struct op_program bilinear = { .source =
	UPSCALE_PARAMS
	PLANE
	"add   s2, s2, s12\n"
	"div   s2, s2, s11\n"
	"sub   s2, s2, s12         ; y in the source\n"
	"floor s3, s2\n"
	"sub   s4, s2, s3\n"
	"max   s4, s4, s14\n"
	"min   s4, s4, s13         ; weight of the row below\n"
	"f2i   s3, s3\n"
	"iadd  s5, s3, s16\n"
	"imax  s3, s3, s15\n"
	"imin  s3, s3, s21\n"
	"imax  s5, s5, s15\n"
	"imin  s5, s5, s21\n"
	"imul  s3, s3, s22\n"
	"iadd  s3, s3, s23\n"
	"imul  s5, s5, s22\n"
	"iadd  s5, s5, s23\n"
	"sub   s6, s13, s4\n"
	"loop\n"
	"  lane  v0\n"
	"  i2f   v0, v0\n"
	"  add   v0, v0, s12\n"
	"  div   v0, v0, s10\n"
	"  sub   v0, v0, s12\n"
	"  floor v1, v0\n"
	"  sub   v2, v0, v1\n"
	"  max   v2, v2, s14\n"
	"  min   v2, v2, s13       ; weight of the right column\n"
	"  f2i   v1, v1\n"
	"  iadd  v3, v1, s16\n"
	"  imax  v1, v1, s15\n"
	"  imin  v1, v1, s20\n"
	"  imax  v3, v3, s15\n"
	"  imin  v3, v3, s20\n"
	"  iadd  v4, v1, s3\n"
	"  ldx   v4, v4, src\n"
	"  iadd  v5, v3, s3\n"
	"  ldx   v5, v5, src\n"
	"  iadd  v6, v1, s5\n"
	"  ldx   v6, v6, src\n"
	"  iadd  v7, v3, s5\n"
	"  ldx   v7, v7, src\n"
	"  sub   v8, s13, v2\n"
	"  mul   v4, v4, v8\n"
	"  mul   v5, v5, v2\n"
	"  add   v4, v4, v5\n"
	"  mul   v6, v6, v8\n"
	"  mul   v7, v7, v2\n"
	"  add   v6, v6, v7\n"
	"  mul   v4, v4, s6\n"
	"  mul   v6, v6, s4\n"
	"  add   v4, v4, v6\n"
	"  st    dst, v4\n"
	"end\n"
};

static float factor(const struct gg_tensor *t, unsigned int d, bool corners)
{
	float to = (float)t->ne[d], from = (float)t->src[0]->ne[d];

	return corners && to > 1 && from > 1 ? (to - 1) / (from - 1) : to / from;
}

int op_upscale(struct emit *e, const struct gg_tensor *t)
{
	const struct gg_tensor *from = t->src[0];
	const struct accel_tensor dst = emit_view(t), src = emit_view(from);
	uint32_t mode = (uint32_t)t->op_params[0], size, params[10];
	bool corners = mode & 0x100, smooth = (mode & 0xff) == 1;
	unsigned int d;
	struct op op;

	if ((mode & 0xff) > 1 || mode & 0x200)
		return emit_refuse(e, "interpolation mode %#x", mode);
	size = accel_type_size(src.type);
	if (!size || src.stride[0] != (int64_t)size)
		return emit_refuse(e, "elements of a row do not follow each other");
	for (d = 0; d < 4; d++)
		params[d] = accel_f32(factor(t, d, smooth && corners && d < 2));
	for (d = 1; d < 4; d++)
		params[3 + d] = (uint32_t)(src.stride[d] / size);
	params[7] = src.dim[0] - 1;
	params[8] = src.dim[1] - 1;
	params[9] = accel_f32(corners ? 0 : 0.5f);
	op_begin(&op, "upscale", &dst);
	op_write(&op, "dst", &dst);
	op.operand[op.count++] = (struct loom_vec_operand){
		.addr = src.va, .type = (uint8_t)src.type,
		.limit = (uint32_t)(from->nb[3] * (uint64_t)from->ne[3] / size),
		.stride = { size },
	};
	return op_emit(&op, e->cb, smooth ? &bilinear : &nearest, params);
}
