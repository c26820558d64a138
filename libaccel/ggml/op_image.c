// SPDX-License-Identifier: MIT
/* Nodes of windows that move over an image: IM2COL and pooling. */
#include <float.h>
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

static bool pool_averages(const struct gg_tensor *t)
{
	return t->op_params[0] == 1;
}

/* The maxima of the windows, or the sums for an average. */
static int pool(struct emit *e, const struct gg_tensor *t,
		const struct window *x, const struct window *y)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	bool average = pool_averages(t);
	uint32_t kx, ky;
	int rc = accel_op_fill(e->cb, &dst, average ? 0 : -FLT_MAX);

	for (ky = 0; ky < y->size; ky++)
		for (kx = 0; !rc && kx < x->size; kx++)
			rc = pool_part(e, x, y, kx, ky, &dst, &src, average);
	return rc;
}

/*
 * Sums become averages of the elements that there are: in one dimension ggml
 * does not count the padding.  A window of nothing else averages to 0.
 */
static int divide_by_elements(struct emit *e, const struct window *x,
			      const struct accel_tensor *sums)
{
	static struct op_program prog = { .source =
		".operand sum\n"
		".param step pad size in\n"
		"param s0, step\n"
		"param s1, pad\n"
		"param s2, size\n"
		"param s3, in\n"
		"imm   s4, 0\n"
		"imm   s5, 1\n"
		"loop\n"
		"  lane v0\n"
		"  imul v0, v0, s0\n"
		"  isub v0, v0, s1\n"
		"  iadd v1, v0, s2\n"
		"  imax v0, v0, s4\n"
		"  imin v1, v1, s3\n"
		"  isub v1, v1, v0\n"
		"  imax v1, v1, s5\n"
		"  i2f  v1, v1\n"
		"  ld   v0, sum\n"
		"  div  v0, v0, v1\n"
		"  st   sum, v0\n"
		"end\n"
	};
	const uint32_t params[] = {
		(uint32_t)x->step, (uint32_t)x->pad, x->size, x->in,
	};
	struct op op;

	op_begin(&op, "pool", sums);
	op_write(&op, "sums", sums);
	return op_emit(&op, e->cb, &prog, params);
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
	const struct accel_tensor dst = emit_view(t);
	int rc = pool(e, t, &x, &y);

	if (!rc && pool_averages(t))
		rc = divide_by_elements(e, &x, &dst);
	return rc;
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
	const struct accel_tensor dst = emit_view(t);
	int rc = pool(e, t, &x, &y);

	/* In two dimensions ggml counts the padding. */
	if (!rc && pool_averages(t))
		rc = accel_op_scale(e->cb, &dst, &dst,
				    1.0f / (float)(x.size * y.size), 0);
	return rc;
}
