// SPDX-License-Identifier: MIT
/*
 * Getting operands of the MATMUL engine out of guest memory and into the form
 * that the kernels want.
 *
 * Most operands lie contiguously in HBM and are used where they are.  What
 * cannot be mapped as a whole (pages in disorder, system memory) is read into
 * a stage, along whichever direction is contiguous; a fault then comes from
 * loom_mem_read(), so nothing but the operand's own bytes may be read there.
 */
#include <string.h>

#include "matmul.h"

uint64_t loom_matmul_at(const struct loom_matmul_operand *op, size_t line,
			size_t element)
{
	uint64_t va = op->va + line * (uint64_t)op->line;

	if (op->block > 1)
		return va + element / op->block * op->size;
	return va + element * (uint64_t)op->step;
}

void loom_matmul_gather(const uint8_t *src, ptrdiff_t stride, size_t size,
			size_t n, void *dst)
{
	uint8_t *out = dst;

	if (stride == (ptrdiff_t)size) {
		memcpy(out, src, n * size);
		return;
	}
	for (size_t i = 0; i < n; i++, src += stride) {
		if (size == 1)
			out[i] = *src;
		else if (size == 2)
			memcpy(out + 2 * i, src, 2);
		else
			memcpy(out + 4 * i, src, 4);
	}
}

/* Read @n elements at any stride; a span with gaps may be mapped, or not. */
static int read_strided(struct loom_exec *ex, uint64_t va, int64_t stride,
			size_t n, size_t size, uint8_t *dst)
{
	uint64_t last = va + (n - 1) * (uint64_t)stride;
	uint64_t lo = stride < 0 ? last : va;
	uint64_t hi = stride < 0 ? va : last;
	const uint8_t *span;

	if (loom_exec_aborted(ex))
		return loom_fail(ex, LOOM_ERR_ABORTED, 0);
	if (stride == (int64_t)size)
		return loom_mem_read(ex, va, dst, n * size);
	span = loom_mem_map(ex, lo, hi - lo + size, LOOM_ACCESS_READ);
	if (span) {
		loom_matmul_gather(span + (va - lo), stride, size, n, dst);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (loom_mem_read(ex, va + i * (uint64_t)stride,
				  dst + i * size, size))
			return -1;
	}
	return 0;
}

static int stage_lines(const struct loom_matmul_packer *pk,
		       const struct loom_matmul_operand *op,
		       const struct loom_matmul_rect *rect,
		       struct loom_matmul_view *view)
{
	size_t n = rect->count / op->block;
	int64_t step = op->block > 1 ? (int64_t)op->size : op->step;

	view->p = pk->stage;
	view->step = op->size;
	view->line = (ptrdiff_t)(n * op->size);
	for (size_t i = 0; i < rect->lines; i++) {
		if (read_strided(pk->ex, loom_matmul_at(op, rect->line0 + i,
							rect->first),
				 step, n, op->size,
				 pk->stage + i * n * op->size))
			return -1;
	}
	return 0;
}

static int stage_across(const struct loom_matmul_packer *pk,
			const struct loom_matmul_operand *op,
			const struct loom_matmul_rect *rect,
			struct loom_matmul_view *view)
{
	size_t row = rect->lines * op->size;

	view->p = pk->stage;
	view->step = (ptrdiff_t)row;
	view->line = op->size;
	for (size_t k = 0; k < rect->count; k++) {
		if (read_strided(pk->ex, loom_matmul_at(op, rect->line0,
							rect->first + k),
				 op->line, rect->lines, op->size,
				 pk->stage + k * row))
			return -1;
	}
	return 0;
}

int loom_matmul_view(const struct loom_matmul_packer *pk,
		     const struct loom_matmul_operand *op,
		     const struct loom_matmul_rect *rect,
		     struct loom_matmul_view *view)
{
	if (op->host) {
		uint64_t offset = loom_matmul_at(op, rect->line0, rect->first) -
				  op->va;

		view->p = op->host + (ptrdiff_t)offset;
		view->line = op->line;
		view->step = op->block > 1 ? (ptrdiff_t)op->size : op->step;
		return 0;
	}
	if (op->block > 1 || op->step == op->size ||
	    (op->line != op->size && rect->count > rect->lines))
		return stage_lines(pk, op, rect, view);
	return stage_across(pk, op, rect, view);
}

/* Two pairs of f32 */
typedef uint64_t two_pairs __attribute__((vector_size(16)));

/* Pairs of f32 change places; an odd one is paired with +0. */
static void swap_pairs(uint8_t *line, size_t n)
{
	size_t bytes = (n + n % 2) * 4, i = 0;
	two_pairs v = { 0 };

	if (n % 2)
		memset(line + 4 * n, 0, 4);
	for (; i + 16 <= bytes; i += 16) {
		memcpy(&v, line + i, 16);
		v = v << 32 | v >> 32;
		memcpy(line + i, &v, 16);
	}
	memcpy(&v, line + i, bytes - i);
	v = v << 32 | v >> 32;
	memcpy(line + i, &v, bytes - i);
}

/* One line of contiguous elements. */
static void pack_line(const struct loom_matmul_path *path, bool native,
		      uint32_t type, const uint8_t *src, size_t n,
		      uint8_t *dst)
{
	size_t used = n * path->elem;

	if (native)
		memcpy(dst, src, used);
	else
		path->convert(type, src, dst, n);
	if (path->swap)
		swap_pairs(dst, n);
	else if (!path->scaled)
		memset(dst + used, 0, 4 * loom_matmul_groups(path, n) - used);
}

static void pack_each_line(const struct loom_matmul_packer *pk,
			   const struct loom_matmul_operand *op,
			   const struct loom_matmul_rect *rect,
			   const struct loom_matmul_view *view,
			   uint8_t *dst, size_t dst_stride)
{
	bool native = loom_matmul_is_native(pk->path, op);
	uint8_t raw[LOOM_MATMUL_K_BLOCK * sizeof(uint32_t)];

	for (size_t i = 0; i < rect->lines; i++, dst += dst_stride) {
		const uint8_t *src = view->p + (ptrdiff_t)i * view->line;

		if (view->step != (ptrdiff_t)op->size) {
			loom_matmul_gather(src, view->step, op->size,
					   rect->count, raw);
			src = raw;
		}
		pack_line(pk->path, native, op->type, src, rect->count, dst);
	}
}

/* Convert rows that run across the lines; the result is dense. */
static void convert_rows(const struct loom_matmul_packer *pk,
			 const struct loom_matmul_operand *op,
			 const struct loom_matmul_rect *rect,
			 struct loom_matmul_view *view)
{
	const struct loom_matmul_path *path = pk->path;
	size_t row = rect->lines * path->elem;

	for (size_t k = 0; k < rect->count; k++)
		path->convert(op->type, view->p + (ptrdiff_t)k * view->step,
			      pk->temp + (k ^ path->swap) * row, rect->lines);
	if (path->swap && rect->count % 2)
		memset(pk->temp + (rect->count - 1) * row, 0, row);
	view->p = pk->temp;
	view->step = (ptrdiff_t)row;
}

/* Panel from rows that run across the lines. */
static void panel_from_rows(const struct loom_matmul_packer *pk,
			    const struct loom_matmul_operand *op,
			    const struct loom_matmul_rect *rect,
			    struct loom_matmul_view *view, uint32_t flip)
{
	const struct loom_matmul_path *path = pk->path;
	size_t rows = rect->count;

	if (path->pack_rows && rect->lines == pk->kernels->nr &&
	    (path->row_types >> op->type & 1)) {
		path->pack_rows(op->type, view->p, view->step, rows, pk->panel);
		return;
	}
	if (!loom_matmul_is_native(path, op)) {
		convert_rows(pk, op, rect, view);
		rows += path->swap && rows % 2;
	}
	pk->kernels->interleave(path->elem, view->p, view->step, rows,
				rect->lines, pk->panel, flip);
}

static bool runs_across(const struct loom_matmul_operand *op,
			const struct loom_matmul_view *view)
{
	return op->block == 1 && view->line == (ptrdiff_t)op->size &&
	       view->step != (ptrdiff_t)op->size;
}

int loom_matmul_pack_lines(const struct loom_matmul_packer *pk,
			   const struct loom_matmul_operand *op,
			   const struct loom_matmul_rect *rect,
			   uint8_t *dst, size_t dst_stride)
{
	struct loom_matmul_view view;

	if (loom_matmul_view(pk, op, rect, &view))
		return -1;
	if (!runs_across(op, &view)) {
		pack_each_line(pk, op, rect, &view, dst, dst_stride);
		return 0;
	}
	panel_from_rows(pk, op, rect, &view, 0);
	pk->kernels->transpose((const uint8_t *)pk->panel,
			       4 * pk->kernels->nr,
			       loom_matmul_groups(pk->path, rect->count),
			       rect->lines, dst, dst_stride, 0);
	return 0;
}

/* Can the kernel set turn these lines by itself? */
static bool fits_pack_lines(const struct loom_matmul_packer *pk,
			    const struct loom_matmul_operand *op,
			    const struct loom_matmul_rect *rect,
			    const struct loom_matmul_view *view)
{
	const struct loom_matmul_path *path = pk->path;

	return path->pack_lines && rect->lines == pk->kernels->nr &&
	       rect->count % path->line_k == 0 &&
	       (path->line_types >> op->type & 1) &&
	       view->step == (ptrdiff_t)op->size;
}

int loom_matmul_pack_panel(const struct loom_matmul_packer *pk,
			   const struct loom_matmul_operand *op,
			   const struct loom_matmul_rect *rect)
{
	size_t groups = loom_matmul_groups(pk->path, rect->count);
	size_t nr = pk->kernels->nr;
	struct loom_matmul_view view;
	const uint8_t *lines;
	size_t stride;

	if (loom_matmul_view(pk, op, rect, &view))
		return -1;
	if (runs_across(op, &view)) {
		panel_from_rows(pk, op, rect, &view, pk->path->flip);
		return 0;
	}
	if (fits_pack_lines(pk, op, rect, &view)) {
		pk->path->pack_lines(op->type, view.p, view.line, rect->count,
				     pk->panel);
		return 0;
	}
	if (rect->lines < nr)
		memset(pk->panel, 0, 4 * nr * groups);
	if (loom_matmul_is_native(pk->path, op) &&
	    view.step == (ptrdiff_t)op->size &&
	    rect->count * op->size == 4 * groups && view.line > 0) {
		lines = view.p;
		stride = (size_t)view.line;
	} else {
		lines = pk->temp;
		stride = 4 * groups;
		pack_each_line(pk, op, rect, &view, pk->temp, stride);
	}
	pk->kernels->transpose(lines, stride, rect->lines, groups,
			       (uint8_t *)pk->panel, 4 * nr, pk->path->flip);
	return 0;
}
