// SPDX-License-Identifier: MIT
/*
 * The MATMUL engine: blocking, and the way of the results back to memory.
 * matmul_command.c checks the command first.
 *
 * D is computed in blocks of up to a few hundred lines of A by one panel of B
 * (some panels if A must be repacked for each, because k is large).  Within a
 * block the lines of A stay packed in the second-level cache while panels of B
 * pass through the first.  Scratch memory is bounded and taken per command.
 *
 * The order of additions is architecture and does not depend on any of this:
 * blocks of k are multiples of a K-tile, and K-tiles are summed up in order.
 */
#include <stdlib.h>
#include <string.h>

#include "matmul.h"
#include "matmul_command.h"

/* Limits of the blocking. */
#define A_BYTES		(2u << 20)	/* packed lines of A */
#define A_MAX_LINES	512
#define A_LINE_GAP	64		/* spreads lines over cache sets */
#define K_MAX		4096		/* k of packed A */
#define N_MAX		1024		/* n, if A is repacked */
#define FLOW_N_MAX	4096		/* n, if B is not packed */
#define THIN_MACS	(1u << 20)	/* between looks at an abort */
#define D_LINES		64		/* stored at a time */

/* Larger spans are not worth the walk through their page tables. */
#define MAP_MAX_BYTES	(256ull << 20)

/** struct matmul - a running command */
struct matmul {
	struct loom_exec *ex;
	const struct loom_cmd_matmul *cmd;
	const struct loom_matmul_kernels *kernels;
	const struct loom_matmul_path *path;
	enum loom_matmul_class class;
	struct tensor tensor[OPERANDS];
	/** @m: lines of A; rows of D, or its columns if @turned */
	uint32_t m;
	/** @n: lines of B */
	uint32_t n;
	/** @turned: A and B have changed places, D is written transposed */
	bool turned;

	/** @op: the product of the batch that is being computed */
	struct loom_matmul_operand op[OPERANDS];
	/** @in_place: A is used where it lies, not packed */
	bool in_place;
	/** @mc: lines of A in a block */
	size_t mc;
	/** @nc: lines of B in a block */
	size_t nc;
	/** @kc: k in a block of packed A */
	size_t kc;
	/** @a_stride: bytes between packed lines of A */
	size_t a_stride;
	/** @lines: packed lines of A, or NULL */
	uint8_t *lines;
	/** @by_lines: lines of B are taken where they lie, not packed */
	bool by_lines;
	/** @by_rows: the same for its rows */
	bool by_rows;
	/** @acc: accumulators of a block, panel by panel */
	uint32_t *acc;
	/** @tile_sum: the same for the sum of a K-tile, if @by_rows */
	uint32_t *tile_sum;
	/** @sums: sum of each line of A of the block, if the path flips */
	uint32_t sums[A_MAX_LINES];
	/** @c: D_LINES by LOOM_MATMUL_MAX_NR elements of C */
	uint32_t *c;
	/** @pk: the packer and its buffers */
	struct loom_matmul_packer pk;
	/** @scratch: what to free */
	void *scratch;
};

/* Preparation ------------------------------------------------------------- */

static void map_tensor(struct matmul *mm, struct tensor *t, uint32_t access)
{
	int64_t first, end;
	uint8_t *p;

	if (!t->present || loom_matmul_is_empty(t) || !loom_matmul_span(t, &first, &end))
		return;
	if ((uint64_t)(end - first) > MAP_MAX_BYTES)
		return;
	p = loom_mem_map(mm->ex, t->va + (uint64_t)first,
			 (uint64_t)(end - first), access);
	if (p)
		t->host = p - (ptrdiff_t)first;
}

static uint64_t padded_area(const struct loom_matmul_kernels *k, uint64_t m,
			    uint64_t n)
{
	return (m + k->mr - 1) / k->mr * k->mr *
	       ((n + k->nr - 1) / k->nr * k->nr);
}

/*
 * Panels are wide and tiles are flat, so a narrow D is better computed lying
 * on its side.  Sums are the same: products commute.
 */
static void choose_orientation(struct matmul *mm)
{
	uint32_t m = mm->cmd->m, n = mm->cmd->n;

	mm->turned = padded_area(mm->kernels, n, m) <
		     padded_area(mm->kernels, m, n);
	mm->m = mm->turned ? n : m;
	mm->n = mm->turned ? m : n;
}

/* An operand of one product; @across: its lines are columns of the tensor. */
static void slice_tensor(struct loom_matmul_operand *op,
			 const struct tensor *t, bool across, uint32_t b0,
			 uint32_t b1)
{
	uint64_t offset = b0 * (uint64_t)t->stride[2] +
			  b1 * (uint64_t)t->stride[3];

	op->va = t->va + offset;
	op->host = t->host ? t->host + (ptrdiff_t)offset : NULL;
	op->line = t->stride[across ? 1 : 0];
	op->step = t->stride[across ? 0 : 1];
	op->type = t->type;
	op->size = t->size;
	op->block = t->block;
}

static void slice(struct matmul *mm, uint32_t b0, uint32_t b1)
{
	const struct tensor *t = mm->tensor;
	int lines = mm->turned ? OPERAND_B : OPERAND_A;

	slice_tensor(&mm->op[OPERAND_A], &t[lines], mm->turned, b0, b1);
	slice_tensor(&mm->op[OPERAND_B], &t[OPERAND_A + OPERAND_B - lines],
		     !mm->turned, b0, b1);
	if (t[OPERAND_C].present)
		slice_tensor(&mm->op[OPERAND_C], &t[OPERAND_C], mm->turned,
			     b0, b1);
	slice_tensor(&mm->op[OPERAND_D], &t[OPERAND_D], mm->turned, b0, b1);
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Kernels can read whole groups of A from where it lies. */
static bool can_stay_in_place(const struct matmul *mm)
{
	const struct loom_matmul_operand *a = &mm->op[OPERAND_A];

	return a->host && loom_matmul_is_native(mm->path, a) &&
	       a->step == a->size && a->line > 0 && !mm->path->swap &&
	       mm->cmd->k * (uint64_t)a->size % 4 == 0;
}

/* Few lines of A, and lines of B that a kernel can take where they lie. */
static bool fits_thin(const struct matmul *mm)
{
	const struct loom_matmul_operand *b = &mm->op[OPERAND_B];

	return mm->path->thin && mm->m <= LOOM_MATMUL_THIN && b->host &&
	       (b->block > 1 || b->step == b->size) &&
	       (mm->path->line_types >> b->type & 1);
}

/* The same for rows that run across the lines. */
static bool fits_rows(const struct matmul *mm)
{
	const struct loom_matmul_operand *b = &mm->op[OPERAND_B];

	return mm->path->rows && mm->m <= LOOM_MATMUL_THIN && b->host &&
	       b->line == b->size && (mm->path->row_types >> b->type & 1);
}

static void choose_blocks(struct matmul *mm)
{
	size_t mr = mm->kernels->mr, nr = mm->kernels->nr;

	mm->in_place = can_stay_in_place(mm);
	mm->by_lines = fits_thin(mm);
	mm->by_rows = fits_rows(mm);
	mm->mc = min_size(mm->m, A_MAX_LINES);
	mm->nc = nr;
	mm->kc = mm->cmd->k;
	if (mm->by_lines)
		mm->kc = min_size(mm->kc, K_MAX);
	if (mm->by_lines || mm->by_rows)
		mm->nc = min_size(round_up(mm->n, nr), FLOW_N_MAX);
	if (mm->in_place) {
		mm->a_stride = (size_t)mm->op[OPERAND_A].line;
		return;
	}
	if (mm->kc > K_MAX) {
		mm->kc = K_MAX;
		mm->nc = min_size(round_up(mm->n, nr), N_MAX);
	}
	mm->a_stride = 4 * loom_matmul_groups(mm->path, mm->kc) + A_LINE_GAP;
	mm->mc = min_size(mm->mc, A_BYTES / mm->a_stride / mr * mr);
}

/* All buffers in one piece, cache lines apart. */
static int alloc_scratch(struct matmul *mm)
{
	/* Panels are 64 by 64 at least, which holds a rectangle of D too. */
	size_t k = min_size(round_up(mm->cmd->k, D_LINES), LOOM_MATMUL_K_BLOCK);
	size_t panel = 4 * LOOM_MATMUL_MAX_NR * (k ? k : D_LINES);
	size_t c = 4 * D_LINES * LOOM_MATMUL_MAX_NR;
	size_t acc = 4 * mm->mc * mm->nc;
	size_t sum = mm->by_rows ? acc : 0;
	size_t lines = mm->in_place ? 0 : mm->mc * mm->a_stride;
	uint8_t *p;

	mm->scratch = malloc(3 * panel + c + acc + sum + lines + 63);
	if (!mm->scratch)
		return loom_fail(mm->ex, LOOM_ERR_INTERNAL, 0);
	p = (uint8_t *)round_up((uintptr_t)mm->scratch, 64);
	mm->pk.panel = (uint32_t *)p;
	mm->pk.stage = p + panel;
	mm->pk.temp = mm->pk.stage + panel;
	mm->c = (uint32_t *)(mm->pk.temp + panel);
	mm->acc = (uint32_t *)(mm->pk.temp + panel + c);
	mm->tile_sum = (uint32_t *)(mm->pk.temp + panel + c + acc);
	mm->lines = mm->pk.temp + panel + c + acc + sum;
	return 0;
}

/* Blocks of A ------------------------------------------------------------- */

static int poll_abort(struct matmul *mm)
{
	if (loom_exec_aborted(mm->ex))
		return loom_fail(mm->ex, LOOM_ERR_ABORTED, 0);
	return 0;
}

/* Sums of lines i0... for the part of k that starts at @p0. */
static void add_sums(struct matmul *mm, const uint8_t *a, size_t lines,
		     size_t p0, size_t k)
{
	size_t groups = loom_matmul_groups(mm->path, k);

	if (!mm->path->sum)
		return;
	for (size_t i = 0; i < lines; i++) {
		uint32_t sum = mm->path->sum(a + i * mm->a_stride, groups);

		mm->sums[i] = p0 ? mm->sums[i] + sum : sum;
	}
}

/* Pack @lines lines of A from @i0 on, @k elements from @p0 on. */
static int pack_a(struct matmul *mm, size_t i0, size_t lines, size_t p0,
		  size_t k)
{
	size_t nr = mm->kernels->nr;

	for (size_t p = 0; p < k; p += LOOM_MATMUL_K_BLOCK) {
		uint8_t *dst = mm->lines +
			       4 * loom_matmul_groups(mm->path, p);

		for (size_t i = 0; i < lines; i += nr) {
			struct loom_matmul_rect rect = {
				.line0 = i0 + i,
				.lines = min_size(nr, lines - i),
				.first = p0 + p,
				.count = min_size(LOOM_MATMUL_K_BLOCK, k - p),
			};

			if (poll_abort(mm) ||
			    loom_matmul_pack_lines(&mm->pk,
						   &mm->op[OPERAND_A], &rect,
						   dst + i * mm->a_stride,
						   mm->a_stride))
				return -1;
		}
	}
	add_sums(mm, mm->lines, lines, p0, k);
	return 0;
}

static const uint8_t *place_of_a(struct matmul *mm, size_t i0)
{
	return mm->op[OPERAND_A].host + i0 * mm->a_stride;
}

/* Products ---------------------------------------------------------------- */

/* Elements of k in a K-tile, as groups of the path. */
static size_t tile_groups(const struct matmul *mm)
{
	size_t rows = loom_exec_config(mm->ex)->array_rows;

	if (mm->class == LOOM_MATMUL_INT || mm->class == LOOM_MATMUL_BLOCK)
		return SIZE_MAX;
	return loom_matmul_groups(mm->path, rows);
}

/* All lines of the block by the panel, @k elements. */
static int multiply(struct matmul *mm, const uint8_t *a, size_t lines,
		    size_t k, uint32_t *acc)
{
	size_t mr = mm->kernels->mr, nr = mm->kernels->nr;
	size_t tiles = (lines + mr - 1) / mr;
	struct loom_matmul_tile tile = {
		.a_stride = mm->a_stride,
		.b = mm->pk.panel,
		.groups = loom_matmul_groups(mm->path, k),
		.step = tile_groups(mm),
	};
	uint32_t state = mm->kernels->enter();
	bool aborted = false;

	for (size_t i = 0; i < tiles && !aborted; i++) {
		size_t first = lines * i / tiles;

		tile.lines = lines * (i + 1) / tiles - first;
		tile.a = a + first * mm->a_stride;
		tile.acc = acc + first * nr;
		mm->path->tile(&tile);
		aborted = loom_exec_aborted(mm->ex);
	}
	mm->kernels->leave(state);
	return aborted ? poll_abort(mm) : 0;
}

/* @k elements from @p0 on of whole panels from line @j0 on, as they lie. */
static int multiply_thin(struct matmul *mm, const uint8_t *a, size_t lines,
			 size_t panels, size_t j0, size_t p0, size_t k)
{
	const struct loom_matmul_operand *b = &mm->op[OPERAND_B];
	size_t nr = mm->kernels->nr;
	size_t most = THIN_MACS / (nr * k * lines) + 1;
	struct loom_matmul_thin t = {
		.a = a,
		.a_stride = mm->a_stride,
		.b_stride = (ptrdiff_t)b->line,
		.type = b->type,
		.k = k,
		.step = loom_exec_config(mm->ex)->array_rows,
		.nr = nr,
		.lines = (unsigned int)lines,
	};

	for (size_t i = 0; i < panels; i += most) {
		uint32_t state = mm->kernels->enter();

		t.panels = min_size(most, panels - i);
		t.b = b->host + (ptrdiff_t)(loom_matmul_at(b, j0 + i * nr, p0) -
					    b->va);
		t.acc = mm->acc + i * nr * lines;
		mm->path->thin(&t);
		mm->kernels->leave(state);
		if (poll_abort(mm))
			return -1;
	}
	return 0;
}

/* @k elements from @p0 on of whole panels from line @j0 on, by K-tiles. */
static int multiply_rows(struct matmul *mm, const uint8_t *a, size_t lines,
			 size_t panels, size_t j0, size_t p0, size_t k)
{
	const struct loom_matmul_operand *b = &mm->op[OPERAND_B];
	size_t rows = loom_exec_config(mm->ex)->array_rows;
	struct loom_matmul_rows r = {
		.a_stride = mm->a_stride,
		.b_stride = (ptrdiff_t)b->step,
		.type = b->type,
		.panels = panels,
		.sum = mm->tile_sum,
		.acc = mm->acc,
		.lines = (unsigned int)lines,
	};

	for (size_t p = 0; p < k; p += rows) {
		uint32_t state = mm->kernels->enter();

		r.a = a + 4 * loom_matmul_groups(mm->path, p);
		r.b = b->host + (ptrdiff_t)j0 * b->line +
		      (ptrdiff_t)(p0 + p) * b->step;
		r.groups = loom_matmul_groups(mm->path, min_size(rows, k - p));
		mm->path->rows(&r);
		mm->kernels->leave(state);
		if (poll_abort(mm))
			return -1;
	}
	return 0;
}

/* One panel of B from line @j0 on, @k elements from @p0 on. */
static int multiply_panel(struct matmul *mm, const uint8_t *a, size_t lines,
			  size_t j0, size_t p0, size_t k, uint32_t *acc)
{
	struct loom_matmul_rect rect = {
		.line0 = j0,
		.lines = min_size(mm->kernels->nr, mm->n - j0),
	};
	const uint8_t *part;

	for (size_t p = 0; p < k; p += LOOM_MATMUL_K_BLOCK) {
		rect.first = p0 + p;
		rect.count = min_size(LOOM_MATMUL_K_BLOCK, k - p);
		part = a + 4 * loom_matmul_groups(mm->path, p);
		if (loom_matmul_pack_panel(&mm->pk, &mm->op[OPERAND_B], &rect) ||
		    multiply(mm, part, lines, rect.count, acc))
			return -1;
	}
	return 0;
}

/*
 * Whole panels of B that need no packing, @k elements from @p0 on; *done
 * becomes how many lines of B they were.
 */
static int multiply_as_they_lie(struct matmul *mm, const uint8_t *a,
				size_t lines, size_t j0, size_t cols, size_t p0,
				size_t k, size_t *done)
{
	size_t panels = cols / mm->kernels->nr;
	/* An odd row of a pair has no group of its own. */
	bool rows = mm->by_rows && (mm->class != LOOM_MATMUL_PAIR || k % 2 == 0);

	*done = panels * mm->kernels->nr;
	if (panels && mm->by_lines && k % mm->path->line_k == 0)
		return multiply_thin(mm, a, lines, panels, j0, p0, k);
	if (panels && rows)
		return multiply_rows(mm, a, lines, panels, j0, p0, k);
	*done = 0;
	return 0;
}

/* All panels of a block, @k elements from @p0 on. */
static int multiply_panels(struct matmul *mm, const uint8_t *a, size_t lines,
			   size_t j0, size_t cols, size_t p0, size_t k)
{
	size_t nr = mm->kernels->nr, done;

	if (multiply_as_they_lie(mm, a, lines, j0, cols, p0, k, &done))
		return -1;
	for (; done < cols; done += nr) {
		if (multiply_panel(mm, a, lines, j0 + done, p0, k,
				   mm->acc + done * lines))
			return -1;
	}
	return 0;
}

/* Epilogue ---------------------------------------------------------------- */

/* Get at C as f32 or int32: where it lies, or in mm->c. */
static int load_c(struct matmul *mm, const struct loom_matmul_rect *rect,
		  struct loom_matmul_view *view)
{
	const struct loom_matmul_path *f32 =
		&mm->kernels->path[LOOM_MATMUL_SEQ];
	const struct loom_matmul_operand *op = &mm->op[OPERAND_C];
	uint32_t *dst = mm->c;
	uint32_t raw[LOOM_MATMUL_MAX_NR];

	if (loom_matmul_view(&mm->pk, op, rect, view))
		return -1;
	if (op->size == 4 && view->step == 4)
		return 0;
	for (size_t i = 0; i < rect->lines; i++, dst += LOOM_MATMUL_MAX_NR) {
		const uint8_t *src = view->p + (ptrdiff_t)i * view->line;

		loom_matmul_gather(src, view->step, op->size, rect->count,
				   op->size == 4 ? dst : raw);
		if (op->size != 4)
			f32->convert(op->type, raw, dst, rect->count);
	}
	view->p = (const uint8_t *)mm->c;
	view->line = 4 * LOOM_MATMUL_MAX_NR;
	return 0;
}

/* Lines of D from the accumulators to @dst, line by line of contiguous ones. */
static int finish(struct matmul *mm, const struct loom_matmul_rect *rect,
		  const uint32_t *acc, const uint32_t *sums, uint8_t *dst,
		  ptrdiff_t stride)
{
	bool has_c = mm->tensor[OPERAND_C].present;
	struct loom_matmul_view c;
	struct loom_matmul_row row = {
		.n = rect->count,
		.type = mm->op[OPERAND_D].type,
		.scale = mm->cmd->alpha != ALPHA_ONE,
	};
	uint32_t state;

	memcpy(&row.alpha, &mm->cmd->alpha, sizeof(row.alpha));
	if (has_c && load_c(mm, rect, &c))
		return -1;
	state = mm->kernels->enter();
	for (size_t i = 0; i < rect->lines; i++) {
		row.acc = acc + i * mm->kernels->nr;
		row.dst = dst + (ptrdiff_t)i * stride;
		if (has_c)
			row.c = (const uint32_t *)
				(const void *)(c.p + (ptrdiff_t)i * c.line);
		if (mm->path->sum)
			row.bias = 0u - 128u * sums[i];
		mm->path->finish(&row);
	}
	mm->kernels->leave(state);
	return 0;
}

/* Spread contiguous elements. */
static void scatter(uint8_t *dst, ptrdiff_t stride, size_t size, size_t n,
		    const uint8_t *src, ptrdiff_t src_stride)
{
	for (size_t i = 0; i < n; i++, dst += stride, src += src_stride) {
		if (size == 2)
			memcpy(dst, src, 2);
		else
			memcpy(dst, src, 4);
	}
}

/* Write @n elements of D at @va; those of @src are @src_stride apart. */
static int write_run(struct matmul *mm, uint64_t va, int64_t stride, size_t n,
		     const uint8_t *src, size_t src_stride)
{
	size_t size = mm->op[OPERAND_D].size;
	uint32_t run[LOOM_MATMUL_MAX_NR];

	if (stride == (int64_t)size) {
		loom_matmul_gather(src, (ptrdiff_t)src_stride, size, n, run);
		return loom_mem_write(mm->ex, va, run, n * size);
	}
	for (size_t i = 0; i < n; i++) {
		if (loom_mem_write(mm->ex, va + i * (uint64_t)stride,
				   src + i * src_stride, size))
			return -1;
	}
	return 0;
}

/* Write a dense rectangle of D that cannot be mapped. */
static int write_rect(struct matmul *mm, const struct loom_matmul_rect *rect,
		      const uint8_t *src)
{
	const struct loom_matmul_operand *op = &mm->op[OPERAND_D];
	size_t line = rect->count * op->size;

	if (op->line == op->size && op->step != op->size) {
		for (size_t j = 0; j < rect->count; j++) {
			if (write_run(mm, loom_matmul_at(op, rect->line0,
							 rect->first + j),
				      op->line, rect->lines,
				      src + j * op->size, line))
				return -1;
		}
		return 0;
	}
	for (size_t i = 0; i < rect->lines; i++) {
		if (write_run(mm, loom_matmul_at(op, rect->line0 + i,
						 rect->first),
			      op->step, rect->count, src + i * line, op->size))
			return -1;
	}
	return 0;
}

/* Put a dense rectangle into a mapped D, along its contiguous direction. */
static void put_rect(const struct loom_matmul_operand *op,
		     const struct loom_matmul_rect *rect, uint8_t *dst,
		     const uint8_t *src)
{
	size_t line = rect->count * op->size;

	if (op->line == op->size) {
		for (size_t j = 0; j < rect->count; j++)
			scatter(dst + (ptrdiff_t)j * op->step, op->line,
				op->size, rect->lines, src + j * op->size,
				(ptrdiff_t)line);
		return;
	}
	for (size_t i = 0; i < rect->lines; i++)
		scatter(dst + (ptrdiff_t)i * op->line, op->step, op->size,
			rect->count, src + i * line, op->size);
}

/* The accumulators of one panel to D, @rect->lines lines of it. */
static int store_rect(struct matmul *mm, const struct loom_matmul_rect *rect,
		      const uint32_t *acc, const uint32_t *sums)
{
	const struct loom_matmul_operand *op = &mm->op[OPERAND_D];
	ptrdiff_t line = (ptrdiff_t)(rect->count * op->size);
	uint8_t *host = NULL;

	if (op->host)
		host = op->host +
		       (ptrdiff_t)(loom_matmul_at(op, rect->line0,
						  rect->first) - op->va);
	if (host && op->step == op->size)
		return finish(mm, rect, acc, sums, host, op->line);
	/* C may be in the stage, D goes through the other buffer. */
	if (finish(mm, rect, acc, sums, mm->pk.temp, line))
		return -1;
	if (!host)
		return write_rect(mm, rect, mm->pk.temp);
	put_rect(op, rect, host, mm->pk.temp);
	return 0;
}

static int store_panel(struct matmul *mm, size_t i0, size_t lines, size_t j0,
		       const uint32_t *acc)
{
	struct loom_matmul_rect rect = {
		.first = j0,
		.count = min_size(mm->kernels->nr, mm->n - j0),
	};

	for (size_t i = 0; i < lines; i += D_LINES) {
		rect.line0 = i0 + i;
		rect.lines = min_size(D_LINES, lines - i);
		if (poll_abort(mm) ||
		    store_rect(mm, &rect, acc + i * mm->kernels->nr,
			       mm->sums + i))
			return -1;
	}
	return 0;
}

/* Loops ------------------------------------------------------------------- */

/* All of k for lines @i0... of A and panels @j0... of B, without storing. */
static int sum_block(struct matmul *mm, size_t i0, size_t lines, size_t j0,
		     size_t cols)
{
	size_t nr = mm->kernels->nr, k = mm->cmd->k;
	const uint8_t *a = mm->lines;

	memset(mm->acc, 0, 4 * lines * round_up(cols, nr));
	for (size_t p = 0; p < k; p += mm->kc) {
		size_t count = min_size(mm->kc, k - p);

		if (mm->in_place)
			a = place_of_a(mm, i0) +
			    4 * loom_matmul_groups(mm->path, p);
		/* Packed lines serve all panels if they hold all of k. */
		if (!mm->in_place && (j0 == 0 || mm->kc < k) &&
		    pack_a(mm, i0, lines, p, count))
			return -1;
		if (multiply_panels(mm, a, lines, j0, cols, p, count))
			return -1;
	}
	return 0;
}

static int do_block(struct matmul *mm, size_t i0, size_t lines, size_t j0)
{
	size_t nr = mm->kernels->nr;
	size_t cols = min_size(mm->nc, mm->n - j0);
	const uint32_t *acc = mm->acc;

	if (sum_block(mm, i0, lines, j0, cols))
		return -1;
	for (size_t j = 0; j < cols; j += nr, acc += lines * nr) {
		if (store_panel(mm, i0, lines, j0 + j, acc))
			return -1;
	}
	return 0;
}

static int do_slice(struct matmul *mm)
{
	for (size_t i = 0; i < mm->m; i += mm->mc) {
		size_t lines = min_size(mm->mc, mm->m - i);

		if (mm->in_place)
			add_sums(mm, place_of_a(mm, i), lines, 0, mm->cmd->k);
		for (size_t j = 0; j < mm->n; j += mm->nc) {
			if (do_block(mm, i, lines, j))
				return -1;
		}
	}
	return 0;
}

static int do_batch(struct matmul *mm)
{
	for (uint32_t b1 = 0; b1 < mm->cmd->batch[1]; b1++) {
		for (uint32_t b0 = 0; b0 < mm->cmd->batch[0]; b0++) {
			slice(mm, b0, b1);
			if (do_slice(mm))
				return -1;
		}
	}
	return 0;
}

static int execute(struct matmul *mm)
{
	int ret;

	mm->class = loom_matmul_class_of(mm->cmd->a_type);
	mm->path = &mm->kernels->path[mm->class];
	mm->pk.ex = mm->ex;
	mm->pk.kernels = mm->kernels;
	mm->pk.path = mm->path;
	for (int i = 0; i < OPERANDS; i++)
		map_tensor(mm, &mm->tensor[i], i == OPERAND_D ?
			   LOOM_ACCESS_WRITE : LOOM_ACCESS_READ);
	choose_orientation(mm);
	slice(mm, 0, 0);
	choose_blocks(mm);
	if (alloc_scratch(mm))
		return -1;
	ret = do_batch(mm);
	free(mm->scratch);
	return ret;
}

int loom_matmul_exec(struct loom_exec *ex, const struct loom_cmd_matmul *cmd)
{
	struct matmul mm = {
		.ex = ex,
		.cmd = cmd,
		.kernels = loom_matmul_best(),
	};

	if (loom_matmul_check(ex, cmd, mm.tensor))
		return -1;
	if (loom_matmul_is_empty(&mm.tensor[OPERAND_D]))
		return 0;
	loom_matmul_report_cost(ex, cmd, mm.tensor);
	return execute(&mm);
}
