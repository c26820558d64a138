// SPDX-License-Identifier: MIT
/*
 * The MATMUL engine: check of the command, blocking, and the way of the
 * results back to memory.
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
#include "timing.h"

#define FIELD(name)	offsetof(struct loom_cmd_matmul, name)
#define ALPHA_ONE	0x3f800000u
#define MAX_EXTENT	0x7fffffffu

/* Limits of the blocking. */
#define A_BYTES		(2u << 20)	/* packed lines of A */
#define A_MAX_LINES	512
#define A_LINE_GAP	64		/* spreads lines over cache sets */
#define K_MAX		4096		/* k of packed A */
#define N_MAX		1024		/* n, if A is repacked */
#define THIN_ROWS	128		/* k at a time, if B is not packed */
#define THIN_N_MAX	4096		/* n at a time, then */
#define D_LINES		64		/* stored at a time */

/* Larger spans are not worth the walk through their page tables. */
#define MAP_MAX_BYTES	(256ull << 20)

enum { OPERAND_A, OPERAND_B, OPERAND_C, OPERAND_D, OPERANDS };

/** struct tensor - an operand of the command, all of its batch */
struct tensor {
	/** @present: false for a C that is not there */
	bool present;
	/** @type: LOOM_TYPE_* */
	uint32_t type;
	/** @size: bytes of an element or block */
	uint32_t size;
	/** @block: elements of a block, or 1 */
	uint32_t block;
	/** @va: address of element (0,0) */
	uint64_t va;
	/** @field: offset of the address in the command */
	uint32_t field;
	/** @extent: elements per dimension; a column of blocks is one */
	uint64_t extent[4];
	/** @stride: bytes per dimension */
	int64_t stride[4];
	/** @stride_field: offset of the strides in the command */
	uint32_t stride_field;
	/** @bytes: bytes of an element as counted by @extent */
	uint64_t bytes;
	/** @host: host address of @va, or NULL */
	uint8_t *host;
};

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
	/** @acc: accumulators of a block, panel by panel */
	uint32_t *acc;
	/** @sums: sum of each line of A of the block, if the path flips */
	uint32_t sums[A_MAX_LINES];
	/** @c: D_LINES by LOOM_MATMUL_MAX_NR elements of C */
	uint32_t *c;
	/** @pk: the packer and its buffers */
	struct loom_matmul_packer pk;
	/** @scratch: what to free */
	void *scratch;
};

/* Check ------------------------------------------------------------------- */

static int check_reserved(struct loom_exec *ex,
			  const struct loom_cmd_matmul *cmd)
{
	size_t n = sizeof(cmd->reserved) / sizeof(cmd->reserved[0]);

	if (cmd->reserved0)
		return loom_fail(ex, LOOM_ERR_CMD_RESERVED, FIELD(reserved0));
	for (size_t i = 0; i < n; i++) {
		if (cmd->reserved[i])
			return loom_fail(ex, LOOM_ERR_CMD_RESERVED,
					 FIELD(reserved) + 4 * i);
	}
	return 0;
}

/* Which sums @type takes part in, or LOOM_MATMUL_CLASSES. */
static enum loom_matmul_class class_of(uint32_t type)
{
	switch (type) {
	case LOOM_TYPE_F32:
	case LOOM_TYPE_F16:
		return LOOM_MATMUL_SEQ;
	case LOOM_TYPE_BF16:
	case LOOM_TYPE_F8E4M3:
	case LOOM_TYPE_F8E5M2:
		return LOOM_MATMUL_PAIR;
	case LOOM_TYPE_I8:
		return LOOM_MATMUL_INT;
	default:
		return LOOM_MATMUL_CLASSES;
	}
}

static bool is_f8(uint32_t type)
{
	return type == LOOM_TYPE_F8E4M3 || type == LOOM_TYPE_F8E5M2;
}

static bool is_block(uint32_t type)
{
	return type == LOOM_TYPE_Q8_0 || type == LOOM_TYPE_Q4_0;
}

static bool b_type_fits(uint32_t a_type, uint32_t b_type)
{
	if (a_type == LOOM_TYPE_F32 && is_block(b_type))
		return true;
	return a_type == b_type || (is_f8(a_type) && is_f8(b_type));
}

static bool d_type_fits(enum loom_matmul_class class, uint32_t type)
{
	if (class == LOOM_MATMUL_INT)
		return type == LOOM_TYPE_I32;
	return type == LOOM_TYPE_F32 || type == LOOM_TYPE_F16 ||
	       type == LOOM_TYPE_BF16;
}

static int check_types(struct loom_exec *ex, const struct loom_cmd_matmul *cmd)
{
	enum loom_matmul_class class = class_of(cmd->a_type);

	if (class == LOOM_MATMUL_CLASSES)
		return loom_fail(ex, LOOM_ERR_CMD_TYPE, FIELD(a_type));
	if (!b_type_fits(cmd->a_type, cmd->b_type))
		return loom_fail(ex, LOOM_ERR_CMD_TYPE, FIELD(b_type));
	if (cmd->c_type != LOOM_TYPE_NONE && !d_type_fits(class, cmd->c_type))
		return loom_fail(ex, LOOM_ERR_CMD_TYPE, FIELD(c_type));
	if (!d_type_fits(class, cmd->d_type))
		return loom_fail(ex, LOOM_ERR_CMD_TYPE, FIELD(d_type));
	return 0;
}

static int check_values(struct loom_exec *ex, const struct loom_cmd_matmul *cmd)
{
	if (cmd->a_type == LOOM_TYPE_I8 && cmd->alpha != ALPHA_ONE)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(alpha));
	if (cmd->m > MAX_EXTENT)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(m));
	if (cmd->n > MAX_EXTENT)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(n));
	if (cmd->k > MAX_EXTENT || (is_block(cmd->b_type) && cmd->k % 32))
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(k));
	for (int i = 0; i < 2; i++) {
		if (cmd->batch[i] > MAX_EXTENT)
			return loom_fail(ex, LOOM_ERR_CMD_FIELD,
					 FIELD(batch) + 4 * i);
	}
	if (cmd->c_type == LOOM_TYPE_NONE && cmd->c)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(c));
	if (is_block(cmd->b_type) && cmd->b_stride[0])
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(b_stride));
	return 0;
}

static void init_tensor(struct tensor *t, const struct loom_cmd_matmul *cmd,
			uint32_t type, uint64_t va, const __s64 stride[4],
			uint32_t rows, uint32_t cols)
{
	t->present = true;
	t->type = type;
	t->va = va;
	t->size = is_block(type) ? (type == LOOM_TYPE_Q8_0 ? 34 : 18) :
		  loom_type_size(type);
	t->block = is_block(type) ? 32 : 1;
	t->bytes = t->size;
	t->extent[0] = rows;
	t->extent[1] = cols;
	if (t->block > 1) {
		t->bytes = rows / t->block * t->size;
		t->extent[0] = rows > 0;
	}
	for (int i = 0; i < 4; i++)
		t->stride[i] = stride[i];
	t->extent[2] = cmd->batch[0];
	t->extent[3] = cmd->batch[1];
}

static void init_tensors(struct matmul *mm)
{
	const struct loom_cmd_matmul *cmd = mm->cmd;
	struct tensor *t = mm->tensor;

	init_tensor(&t[OPERAND_A], cmd, cmd->a_type, cmd->a, cmd->a_stride,
		    cmd->m, cmd->k);
	t[OPERAND_A].field = FIELD(a);
	t[OPERAND_A].stride_field = FIELD(a_stride);
	init_tensor(&t[OPERAND_B], cmd, cmd->b_type, cmd->b, cmd->b_stride,
		    cmd->k, cmd->n);
	t[OPERAND_B].field = FIELD(b);
	t[OPERAND_B].stride_field = FIELD(b_stride);
	if (cmd->c_type != LOOM_TYPE_NONE) {
		init_tensor(&t[OPERAND_C], cmd, cmd->c_type, cmd->c,
			    cmd->c_stride, cmd->m, cmd->n);
		t[OPERAND_C].field = FIELD(c);
		t[OPERAND_C].stride_field = FIELD(c_stride);
	}
	init_tensor(&t[OPERAND_D], cmd, cmd->d_type, cmd->d, cmd->d_stride,
		    cmd->m, cmd->n);
	t[OPERAND_D].field = FIELD(d);
	t[OPERAND_D].stride_field = FIELD(d_stride);
}

/* Blocks start with an f16 and are aligned as such. */
static int check_alignment(struct loom_exec *ex, const struct tensor *t)
{
	uint64_t align = t->block > 1 ? 2 : t->size;

	if (t->va % align)
		return loom_fail(ex, LOOM_ERR_CMD_ALIGN, t->field);
	for (int i = 0; i < 4; i++) {
		if ((uint64_t)t->stride[i] % align)
			return loom_fail(ex, LOOM_ERR_CMD_ALIGN,
					 t->stride_field + 8 * i);
	}
	return 0;
}

static bool is_empty(const struct tensor *t)
{
	return !t->extent[0] || !t->extent[1] || !t->extent[2] || !t->extent[3];
}

/* Offsets from va of the first byte and of the end; false: beyond 64 bits. */
static bool span_of(const struct tensor *t, int64_t *first, int64_t *end)
{
	int64_t lo = 0, hi = 0, far;

	for (int i = 0; i < 4; i++) {
		if (__builtin_mul_overflow((int64_t)(t->extent[i] - 1),
					   t->stride[i], &far) ||
		    __builtin_add_overflow(far < 0 ? lo : hi, far,
					   far < 0 ? &lo : &hi))
			return false;
	}
	*first = lo;
	return !__builtin_add_overflow(hi, (int64_t)t->bytes, end) &&
	       t->bytes <= 1ull << LOOM_VA_BITS;
}

static int check_range(struct loom_exec *ex, const struct tensor *t)
{
	const int64_t limit = 1ll << LOOM_VA_BITS;
	int64_t first, end;

	if (is_empty(t))
		return 0;
	if (t->va >= (uint64_t)limit || !span_of(t, &first, &end) ||
	    first < -(int64_t)t->va || end > limit - (int64_t)t->va)
		return loom_fail(ex, LOOM_ERR_CMD_RANGE, t->field);
	return 0;
}

static int check_tensors(struct matmul *mm)
{
	for (int i = 0; i < OPERANDS; i++) {
		const struct tensor *t = &mm->tensor[i];

		if (t->present && (check_alignment(mm->ex, t) ||
				   check_range(mm->ex, t)))
			return -1;
	}
	return 0;
}

/*
 * The stride of a dimension with one element may be anything, so that stepping
 * by it would overflow.  Nothing depends on it: make it a harmless one.
 */
static void tame_strides(struct tensor *t)
{
	for (int i = 0; i < 4; i++) {
		if (t->extent[i] == 1)
			t->stride[i] = t->size;
	}
}

static int check(struct matmul *mm)
{
	if (check_reserved(mm->ex, mm->cmd) || check_types(mm->ex, mm->cmd) ||
	    check_values(mm->ex, mm->cmd))
		return -1;
	init_tensors(mm);
	if (check_tensors(mm))
		return -1;
	for (int i = 0; i < OPERANDS; i++)
		tame_strides(&mm->tensor[i]);
	return 0;
}

/* Cost -------------------------------------------------------------------- */

static uint64_t saturating_mul(uint64_t a, uint64_t b)
{
	uint64_t r;

	return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}

/* Bytes of the elements of one product. */
static uint64_t slice_bytes(const struct tensor *t)
{
	uint64_t bytes = t->bytes;

	for (int i = 0; i < 2; i++)
		bytes = saturating_mul(bytes, t->stride[i] ? t->extent[i] : 1);
	return bytes;
}

static uint64_t slices(const struct tensor *t)
{
	return (t->stride[2] ? t->extent[2] : 1) *
	       (t->stride[3] ? t->extent[3] : 1);
}

static void report_traffic(struct matmul *mm, int operand, uint64_t passes,
			   uint32_t access)
{
	const struct tensor *t = &mm->tensor[operand];

	if (!t->present || is_empty(t))
		return;
	loom_mem_traffic(mm->ex, t->va,
			 saturating_mul(saturating_mul(slice_bytes(t), passes),
					slices(t)), access);
}

/*
 * The modelled card keeps the smaller of A and B in half of its SRAM while the
 * other passes by, as often as there are such halves.  What is broadcast is
 * read once.
 */
static void report_cost(struct matmul *mm)
{
	const struct loom_cmd_matmul *cmd = mm->cmd;
	const struct loom_core_config *cfg = loom_exec_config(mm->ex);
	struct loom_cost *cost = loom_exec_cost(mm->ex);
	uint64_t batch = (uint64_t)cmd->batch[0] * cmd->batch[1];
	uint64_t a = slice_bytes(&mm->tensor[OPERAND_A]);
	uint64_t b = slice_bytes(&mm->tensor[OPERAND_B]);
	uint64_t half = cfg->sram_size / 2;
	uint64_t kept = a < b ? a : b;
	uint64_t passes = kept / half + (kept % half != 0);

	cost->array_cycles = loom_time_matmul(cfg, cmd->a_type, batch, cmd->m,
					      cmd->n, cmd->k);
	cost->macs = saturating_mul(saturating_mul(batch, cmd->m),
				    (uint64_t)cmd->n * cmd->k);
	report_traffic(mm, OPERAND_A, a < b ? 1 : passes, LOOM_ACCESS_READ);
	report_traffic(mm, OPERAND_B, a < b ? passes : 1, LOOM_ACCESS_READ);
	report_traffic(mm, OPERAND_C, 1, LOOM_ACCESS_READ);
	report_traffic(mm, OPERAND_D, 1, LOOM_ACCESS_WRITE);
}

/* Preparation ------------------------------------------------------------- */

static void map_tensor(struct matmul *mm, struct tensor *t, uint32_t access)
{
	int64_t first, end;
	uint8_t *p;

	if (!t->present || is_empty(t) || !span_of(t, &first, &end))
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

/* Few lines of A, and B such that a kernel can take it from where it lies. */
static bool fits_thin(const struct matmul *mm, size_t lines)
{
	const struct loom_matmul_operand *b = &mm->op[OPERAND_B];

	return mm->path->thin && lines <= LOOM_MATMUL_THIN && b->host &&
	       (mm->path->along ? b->step : b->line) == b->size &&
	       loom_matmul_is_native(mm->path, b);
}

static void choose_blocks(struct matmul *mm)
{
	size_t mr = mm->kernels->mr, nr = mm->kernels->nr;

	mm->in_place = can_stay_in_place(mm);
	mm->mc = min_size(mm->m, A_MAX_LINES);
	mm->nc = nr;
	mm->kc = mm->cmd->k;
	if (fits_thin(mm, mm->m) && !mm->path->along) {
		/* Follow the rows of B, some K-tiles of them at a time. */
		mm->kc = round_up(THIN_ROWS,
				  loom_exec_config(mm->ex)->array_rows);
		mm->nc = min_size(round_up(mm->n, nr), THIN_N_MAX);
	}
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
	size_t lines = mm->in_place ? 0 : mm->mc * mm->a_stride;
	uint8_t *p;

	mm->scratch = malloc(3 * panel + c + acc + lines + 63);
	if (!mm->scratch)
		return loom_fail(mm->ex, LOOM_ERR_INTERNAL, 0);
	p = (uint8_t *)round_up((uintptr_t)mm->scratch, 64);
	mm->pk.panel = (uint32_t *)p;
	mm->pk.stage = p + panel;
	mm->pk.temp = mm->pk.stage + panel;
	mm->c = (uint32_t *)(mm->pk.temp + panel);
	mm->acc = (uint32_t *)(mm->pk.temp + panel + c);
	mm->lines = mm->pk.temp + panel + c + acc;
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

	if (mm->class == LOOM_MATMUL_INT)
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

/* Can the kernel for few lines take this part of B? */
static bool is_thin(const struct matmul *mm, size_t lines,
		    const struct loom_matmul_rect *rect)
{
	size_t bytes = rect->count * mm->op[OPERAND_B].size;

	return fits_thin(mm, lines) && rect->lines == mm->kernels->nr &&
	       bytes % (mm->path->along ? 64 : 4) == 0;
}

static int multiply_thin(struct matmul *mm, const uint8_t *a, size_t lines,
			 const struct loom_matmul_rect *rect, uint32_t *acc)
{
	const struct loom_matmul_operand *b = &mm->op[OPERAND_B];
	struct loom_matmul_tile tile = {
		.a = a,
		.a_stride = mm->a_stride,
		.b_rows = b->host + (ptrdiff_t)rect->line0 * b->line +
			   (ptrdiff_t)rect->first * b->step,
		.b_stride = (ptrdiff_t)(mm->path->along ? b->line : b->step),
		.groups = loom_matmul_groups(mm->path, rect->count),
		.step = tile_groups(mm),
		.acc = acc,
		.lines = (unsigned int)lines,
	};
	uint32_t state = mm->kernels->enter();

	mm->path->thin(&tile);
	mm->kernels->leave(state);
	return poll_abort(mm);
}

static int multiply_packed(struct matmul *mm, const uint8_t *a, size_t lines,
			   const struct loom_matmul_rect *rect, uint32_t *acc)
{
	if (loom_matmul_pack_panel(&mm->pk, &mm->op[OPERAND_B], rect))
		return -1;
	return multiply(mm, a, lines, rect->count, acc);
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
		if (is_thin(mm, lines, &rect) ?
		    multiply_thin(mm, part, lines, &rect, acc) :
		    multiply_packed(mm, part, lines, &rect, acc))
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
		uint32_t *acc = mm->acc;

		if (mm->in_place)
			a = place_of_a(mm, i0) +
			    4 * loom_matmul_groups(mm->path, p);
		/* Packed lines serve all panels if they hold all of k. */
		if (!mm->in_place && (j0 == 0 || mm->kc < k) &&
		    pack_a(mm, i0, lines, p, count))
			return -1;
		for (size_t j = 0; j < cols; j += nr, acc += lines * nr) {
			if (multiply_panel(mm, a, lines, j0 + j, p, count, acc))
				return -1;
		}
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

	mm->class = class_of(mm->cmd->a_type);
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

	if (check(&mm))
		return -1;
	if (is_empty(&mm.tensor[OPERAND_D]))
		return 0;
	report_cost(&mm);
	return execute(&mm);
}
