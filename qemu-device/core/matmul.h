/* SPDX-License-Identifier: MIT */
/*
 * DOC: The inside of the MATMUL engine
 *
 * Both operands of a product are seen as lines along k: a line is a row of A
 * or a column of B.  Packing turns what the guest has, of any type and any
 * strides, into groups: a group is the 32 bits that one lane of a kernel
 * consumes in one step, holding one f32, a pair of bf16 or s16, or four s8,
 * k ascending from the low bits.  A block of 32 elements with a scale is 16
 * pairs of s16 and then the scale, as an f32.  A is packed into lines of
 * groups, B into panels: for every group index, the groups of
 * LOOM_MATMUL_MAX_NR or fewer lines side by side.
 *
 * A kernel set is what a kind of host processor is good at.  All sets give the
 * same bits, which Documentation/numerics.rst defines.
 */
#ifndef LOOM_MATMUL_H
#define LOOM_MATMUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"

#define LOOM_MATMUL_MAX_NR	64	/* lines of a panel of B, at most */
#define LOOM_MATMUL_THIN	4	/* lines of A of a thin product, at most */
#define LOOM_MATMUL_K_BLOCK	512	/* k of a panel; a multiple of every array_rows */
#define LOOM_MATMUL_BLOCK_GROUPS 17	/* of a block: 32 elements, scale */

/** enum loom_matmul_level - kernel sets, better ones last */
enum loom_matmul_level {
	LOOM_MATMUL_PORTABLE,
	LOOM_MATMUL_AVX2,
	LOOM_MATMUL_AVX512,
	LOOM_MATMUL_VNNI,
	LOOM_MATMUL_BF16,
	LOOM_MATMUL_LEVELS
};

/** enum loom_matmul_class - how the sums of a pair of types are defined */
enum loom_matmul_class {
	/** @LOOM_MATMUL_SEQ: f32, k ascending (F32, F16, block types) */
	LOOM_MATMUL_SEQ,
	/** @LOOM_MATMUL_PAIR: f32, k in the order 1, 0, 3, 2, ... (BF16, F8) */
	LOOM_MATMUL_PAIR,
	/** @LOOM_MATMUL_INT: int32, wraps */
	LOOM_MATMUL_INT,
	/** @LOOM_MATMUL_BLOCK: int32 within a block, f32 from block to block */
	LOOM_MATMUL_BLOCK,
	LOOM_MATMUL_CLASSES
};

/** struct loom_matmul_tile - a piece of work for a kernel */
struct loom_matmul_tile {
	/** @a: lines of A */
	const uint8_t *a;
	/** @a_stride: bytes from line to line */
	size_t a_stride;
	/** @b: panel of B, nr groups side by side */
	const uint32_t *b;
	/** @groups: how many groups to sum up, at least 1 */
	size_t groups;
	/** @step: groups of one K-tile; its sum is added to @acc as a whole */
	size_t step;
	/** @acc: results, nr 32-bit accumulators per line of A */
	uint32_t *acc;
	/** @lines: lines of A, 1..mr */
	unsigned int lines;
};

/**
 * struct loom_matmul_thin - a few lines of A by lines of B where they lie
 *
 * For B whose lines are contiguous along k, which its packing would not repay.
 */
struct loom_matmul_thin {
	/** @a: lines of A, packed */
	const uint8_t *a;
	/** @a_stride: bytes from line to line */
	size_t a_stride;
	/** @b: first line */
	const uint8_t *b;
	/** @b_stride: bytes from line to line */
	ptrdiff_t b_stride;
	/** @type: LOOM_TYPE_* of B */
	uint32_t type;
	/** @k: elements to sum up, a multiple of the path's line_k */
	size_t k;
	/** @step: elements of one K-tile */
	size_t step;
	/** @panels: panels of @nr lines of B */
	size_t panels;
	/** @nr: of the kernel set */
	size_t nr;
	/** @acc: what is added to: by panel, line of A, line of B */
	uint32_t *acc;
	/** @lines: lines of A, 1..LOOM_MATMUL_THIN */
	unsigned int lines;
};

/**
 * struct loom_matmul_rows - a few lines of A by rows of B where they lie
 *
 * For B whose lines lie side by side: a row holds element k of all of them, and
 * the rows are gone through from end to end, a few at a time, which memory
 * likes best.  One K-tile or a part of one.
 */
struct loom_matmul_rows {
	/** @a: lines of A, packed */
	const uint8_t *a;
	/** @a_stride: bytes from line to line */
	size_t a_stride;
	/** @b: first row */
	const uint8_t *b;
	/** @b_stride: bytes from row to row */
	ptrdiff_t b_stride;
	/** @type: LOOM_TYPE_* of B */
	uint32_t type;
	/** @groups: groups that the rows make, all of them whole */
	size_t groups;
	/** @panels: panels of nr lines of B */
	size_t panels;
	/** @sum: room like @acc for the sum of the K-tile */
	uint32_t *sum;
	/** @acc: what it is added to: by panel, line of A, line of B */
	uint32_t *acc;
	/** @lines: lines of A, 1..LOOM_MATMUL_THIN */
	unsigned int lines;
};

/** struct loom_matmul_row - one row on its way from the accumulators to D */
struct loom_matmul_row {
	/** @acc: accumulators */
	const uint32_t *acc;
	/** @c: what to add, f32 or int32, or NULL */
	const uint32_t *c;
	/** @dst: where to, contiguous */
	void *dst;
	/** @n: elements, at most nr */
	size_t n;
	/** @type: LOOM_TYPE_* of D */
	uint32_t type;
	/** @alpha: factor of floats; used if @scale */
	float alpha;
	/** @scale: multiply by @alpha */
	bool scale;
	/** @bias: added to int32, wraps */
	uint32_t bias;
};

/** struct loom_matmul_path - how a kernel set computes one class */
struct loom_matmul_path {
	/** @elem: bytes of a packed element, 1, 2 or 4; 4 / elem make a group */
	uint32_t elem;
	/** @swap: packed as f32 in the order 1, 0, 3, 2, ... */
	bool swap;
	/** @scaled: elements are blocks with a scale behind each */
	bool scaled;
	/**
	 * @flip: exclusive-or of the groups of B.  0x80808080 makes s8 the
	 * unsigned s8 + 128; bias then takes 128 times the sum of the line of
	 * A away.
	 */
	uint32_t flip;
	/**
	 * @convert: make packed elements of n contiguous guest elements; not
	 * for the type that is packed as it is.  Block types: n is a multiple
	 * of 32; scales are written too if @scaled.
	 */
	void (*convert)(uint32_t type, const void *src, void *dst, size_t n);
	/** @tile: the kernel */
	void (*tile)(const struct loom_matmul_tile *tile);
	/** @thin: up to LOOM_MATMUL_THIN lines of A by lines of B; may be NULL */
	void (*thin)(const struct loom_matmul_thin *t);
	/**
	 * @pack_lines: make a panel of nr lines of contiguous elements in one
	 * go; may be NULL
	 */
	void (*pack_lines)(uint32_t type, const uint8_t *src, ptrdiff_t stride,
			   size_t k, uint32_t *panel);
	/** @line_types: for thin() and pack_lines(): 1 << LOOM_TYPE_* */
	uint32_t line_types;
	/** @line_k: both take multiples of so many elements only */
	uint32_t line_k;
	/** @rows: as many lines of A by rows of B; may be NULL */
	void (*rows)(const struct loom_matmul_rows *r);
	/**
	 * @pack_rows: interleave() of converted rows that are nr elements
	 * wide, in one go, with missing elements of a group as zero; may be
	 * NULL
	 */
	void (*pack_rows)(uint32_t type, const uint8_t *src, ptrdiff_t stride,
			  size_t rows, uint32_t *dst);
	/** @row_types: for rows() and pack_rows(): 1 << LOOM_TYPE_* */
	uint32_t row_types;
	/** @sum: with @flip: sum of the bytes of a line of groups, mod 2^32 */
	uint32_t (*sum)(const uint8_t *a, size_t groups);
	/** @finish: epilogue of a row of D */
	void (*finish)(const struct loom_matmul_row *row);
};

/** struct loom_matmul_kernels - a kernel set */
struct loom_matmul_kernels {
	/** @name: for people */
	const char *name;
	/** @mr: lines of A a kernel takes at once */
	unsigned int mr;
	/** @nr: lines of B, a multiple of 16 up to LOOM_MATMUL_MAX_NR */
	unsigned int nr;
	/** @path: one per class */
	struct loom_matmul_path path[LOOM_MATMUL_CLASSES];
	/**
	 * @interleave: make groups of rows that run across the lines
	 *
	 * dst[g * nr + i] = elements i of the rows of group g.  Missing rows
	 * of the last group are zero.  Row r is at src + r * stride and has n
	 * elements of @elem bytes.  The result is flipped; @flip is that of the
	 * path.
	 */
	void (*interleave)(uint32_t elem, const uint8_t *src, ptrdiff_t stride,
			   size_t rows, size_t n, uint32_t *dst, uint32_t flip);
	/**
	 * @transpose: dst(j, i) = src(i, j) ^ flip of 32-bit words
	 *
	 * @src has @rows rows of @cols words.  Strides are in bytes.
	 */
	void (*transpose)(const uint8_t *src, size_t src_stride,
			  size_t rows, size_t cols, uint8_t *dst,
			  size_t dst_stride, uint32_t flip);
	/**
	 * @enter: prepare the floating-point unit for tile and finish, and for
	 * nothing else; what it returns goes to @leave
	 */
	uint32_t (*enter)(void);
	void (*leave)(uint32_t state);
};

/** loom_matmul_kernels() - the kernel set, or NULL when the host cannot run it */
const struct loom_matmul_kernels *
loom_matmul_kernels(enum loom_matmul_level level);

/** loom_matmul_best() - the best kernel set of this host */
const struct loom_matmul_kernels *loom_matmul_best(void);

/* matmul_pack.c ----------------------------------------------------------- */

/** struct loom_matmul_operand - A, B, C or D of one product of the batch */
struct loom_matmul_operand {
	/** @va: address of line 0, element 0 */
	uint64_t va;
	/** @line: bytes from line to line */
	int64_t line;
	/** @step: bytes from element to element of a line; not for block types */
	int64_t step;
	/** @host: host address of @va if the whole operand can be mapped, or NULL */
	uint8_t *host;
	/** @type: LOOM_TYPE_* */
	uint32_t type;
	/** @size: bytes of an element or block */
	uint32_t size;
	/** @block: elements per block, 1 for other types */
	uint32_t block;
};

/** struct loom_matmul_view - a part of an operand in host memory */
struct loom_matmul_view {
	/** @p: line 0, element 0 */
	const uint8_t *p;
	/** @line: bytes from line to line */
	ptrdiff_t line;
	/** @step: bytes from element to element */
	ptrdiff_t step;
};

/** struct loom_matmul_rect - which part: lines and elements of the lines */
struct loom_matmul_rect {
	size_t line0, lines;
	size_t first, count;
};

/**
 * struct loom_matmul_packer - what packing needs
 *
 * Each buffer holds LOOM_MATMUL_MAX_NR lines of 32-bit words, as long as the
 * longest part of a line that is packed at once.
 */
struct loom_matmul_packer {
	struct loom_exec *ex;
	const struct loom_matmul_kernels *kernels;
	const struct loom_matmul_path *path;
	/** @stage: for guest memory that cannot be mapped */
	uint8_t *stage;
	/** @temp: for converted elements */
	uint8_t *temp;
	/** @panel: the panel of B */
	uint32_t *panel;
};

/** loom_matmul_groups() - groups that @k elements of a line make */
static inline size_t loom_matmul_groups(const struct loom_matmul_path *path,
					size_t k)
{
	size_t per = path->swap ? 2 : 4 / path->elem;
	size_t padded = (k + per - 1) / per * per;

	if (path->scaled)
		return k / 32 * LOOM_MATMUL_BLOCK_GROUPS;
	return padded * path->elem / 4;
}

/** loom_matmul_is_native() - are elements of this type packed as they are? */
static inline bool loom_matmul_is_native(const struct loom_matmul_path *path,
					 const struct loom_matmul_operand *op)
{
	return op->size == path->elem && op->block == 1;
}

/** loom_matmul_at() - address of an element */
uint64_t loom_matmul_at(const struct loom_matmul_operand *op, size_t line,
			size_t element);

/** loom_matmul_gather() - make @n elements of @size bytes contiguous */
void loom_matmul_gather(const uint8_t *src, ptrdiff_t stride, size_t size,
			size_t n, void *dst);

/**
 * loom_matmul_view() - get at a part of an operand
 *
 * At most LOOM_MATMUL_MAX_NR lines and LOOM_MATMUL_K_BLOCK elements.  The view
 * is valid until the stage is used again.
 *
 * Return: 0, or -1 after a fault.
 */
int loom_matmul_view(const struct loom_matmul_packer *pk,
		     const struct loom_matmul_operand *op,
		     const struct loom_matmul_rect *rect,
		     struct loom_matmul_view *view);

/**
 * loom_matmul_pack_lines() - pack into lines of groups (A)
 *
 * Same limits; at most kernels->nr lines.  Overwrites pk->panel.
 */
int loom_matmul_pack_lines(const struct loom_matmul_packer *pk,
			   const struct loom_matmul_operand *op,
			   const struct loom_matmul_rect *rect,
			   uint8_t *dst, size_t dst_stride);

/** loom_matmul_pack_panel() - pack into pk->panel (B), lines padded to nr */
int loom_matmul_pack_panel(const struct loom_matmul_packer *pk,
			   const struct loom_matmul_operand *op,
			   const struct loom_matmul_rect *rect);

/* Shared by the kernel sets ----------------------------------------------- */

/* Plain C packing and conversion for sets without anything better. */
void loom_matmul_c_interleave16(uint32_t elem, const uint8_t *src,
				ptrdiff_t stride, size_t rows, size_t n,
				uint32_t *dst, uint32_t flip);
void loom_matmul_c_transpose(const uint8_t *src, size_t src_stride,
			     size_t rows, size_t cols, uint8_t *dst,
			     size_t dst_stride, uint32_t flip);
void loom_matmul_c_to_f32(uint32_t type, const void *src, void *dst, size_t n);
void loom_matmul_c_to_s16(uint32_t type, const void *src, void *dst, size_t n);
void loom_matmul_c_blocks(uint32_t type, const void *src, void *dst, size_t n);
void loom_matmul_c_finish_int(const struct loom_matmul_row *row);

#if defined(__x86_64__)
/* Kernel sets by name; the caller has made sure that the host has them. */
extern const struct loom_matmul_kernels loom_matmul_avx2;
extern const struct loom_matmul_kernels loom_matmul_avx512;
extern const struct loom_matmul_kernels loom_matmul_vnni;
extern const struct loom_matmul_kernels loom_matmul_bf16;

/** loom_matmul_bf16_exact() - does the host's VDPBF16PS round as Loom defines? */
bool loom_matmul_bf16_exact(void);

/*
 * Kernels for lines of 16, of whichever set has f32 groups.  Elements of bf16
 * are taken in the order 1, 0, 3, 2, ...
 */
#define LOOM_MATMUL_AVX2_THIN(types)					\
	.thin = loom_matmul_avx2_thin, .line_types = types, .line_k = 16
#define LOOM_MATMUL_SEQ_TYPES						\
	(1u << LOOM_TYPE_F32 | 1u << LOOM_TYPE_F16 |			\
	 1u << LOOM_TYPE_Q8_0 | 1u << LOOM_TYPE_Q4_0)
void loom_matmul_avx2_thin(const struct loom_matmul_thin *t);
void loom_matmul_avx2_pack_lines(uint32_t type, const uint8_t *src,
				 ptrdiff_t stride, size_t k, uint32_t *panel);

/* The same for blocks by blocks. */
#define LOOM_MATMUL_AVX2_BLOCKS						\
	.elem = 2, .scaled = true, .convert = loom_matmul_avx2_blocks,	\
	.thin = loom_matmul_avx2_thin_blocks, .line_k = 32,		\
	.line_types = 1u << LOOM_TYPE_Q8_0 | 1u << LOOM_TYPE_Q4_0
void loom_matmul_avx2_blocks(uint32_t type, const void *src, void *dst,
			     size_t n);
void loom_matmul_avx2_thin_blocks(const struct loom_matmul_thin *t);

/* enter and leave for MXCSR */
uint32_t loom_matmul_mxcsr_enter(void);
void loom_matmul_mxcsr_leave(uint32_t state);
#endif

#endif
