// SPDX-License-Identifier: MIT
/*
 * Kernel set of the MATMUL engine for x86 with AVX2 and FMA.
 *
 * Tiles of 6 lines of A by 16 of B.  MXCSR does the flushing of denormals.
 * matmul_avx2_lines.c has what is for lines of B that are contiguous along k,
 * matmul_avx2_blocks.c what is for blocks by blocks.
 */
#if defined(__x86_64__)
#include <string.h>

#include "matmul_avx2.h"

#define MR	6

/* Mode -------------------------------------------------------------------- */

/* Flush results and operands, round to nearest, all exceptions masked. */
#define MXCSR_LOOM	0x9fc0

uint32_t loom_matmul_mxcsr_enter(void)
{
	uint32_t state = _mm_getcsr();

	_mm_setcsr(MXCSR_LOOM);
	return state;
}

void loom_matmul_mxcsr_leave(uint32_t state)
{
	_mm_setcsr(state);
}

/* Kernels ----------------------------------------------------------------- */

/*
 * What a kernel does with its registers.  The sums have the type that their
 * instructions want: the compiler cannot keep 12 of any other in registers.
 */
typedef uint32_t v8u __attribute__((vector_size(32)));

#define F32_SUM		__m256
#define F32_LOAD(p)	_mm256_loadu_ps((const float *)(p))
#define F32_STORE(p, v)	_mm256_storeu_ps((float *)(p), v)
#define F32_ZERO()	_mm256_setzero_ps()
#define F32_ADD(a, b)	_mm256_add_ps(a, b)
#define S32_SUM		v8u
#define S32_LOAD(p)	(v8u)_mm256_loadu_si256((const __m256i *)(p))
#define S32_STORE(p, v)	_mm256_storeu_si256((__m256i *)(p), (__m256i)(v))
#define S32_ZERO()	((v8u) { 0 })
#define S32_ADD(a, b)	((a) + (b))

#define DOT_F32(c, a, b) _mm256_fmadd_ps(_mm256_castsi256_ps(a), \
					 _mm256_castsi256_ps(b), c)
#define DOT_S16(c, a, b) ((c) + (v8u)_mm256_madd_epi16(a, b))

/* The loops of a kernel; @lines is a constant, so all of @c is in registers. */
#define DEFINE_TILE(name, T, dot)					\
INLINE void name##_lines(const struct loom_matmul_tile *t,		\
			 const unsigned int lines)			\
{									\
	const uint8_t *a = t->a;					\
	const uint32_t *b = t->b;					\
									\
	for (size_t left = t->groups; left;) {				\
		size_t n = left < t->step ? left : t->step;		\
		uint32_t *acc = t->acc;					\
		T##_SUM c[MR][2];					\
									\
		left -= n;						\
		UNROLL for (unsigned int i = 0; i < lines; i++)		\
			c[i][0] = c[i][1] = T##_ZERO();			\
		for (; n; n--, a += 4, b += NR) {			\
			__m256i y0 = load(b), y1 = load(b + 8);		\
									\
			UNROLL for (unsigned int i = 0; i < lines; i++) { \
				__m256i x = broadcast(a + i * t->a_stride); \
									\
				c[i][0] = dot(c[i][0], x, y0);		\
				c[i][1] = dot(c[i][1], x, y1);		\
			}						\
		}							\
		UNROLL for (unsigned int i = 0; i < lines; i++, acc += NR) { \
			T##_STORE(acc, T##_ADD(T##_LOAD(acc), c[i][0])); \
			T##_STORE(acc + 8,				\
				  T##_ADD(T##_LOAD(acc + 8), c[i][1]));	\
		}							\
	}								\
}									\
									\
TARGET static void name(const struct loom_matmul_tile *t)		\
{									\
	switch (t->lines) {						\
	case 1: name##_lines(t, 1); break;				\
	case 2: name##_lines(t, 2); break;				\
	case 3: name##_lines(t, 3); break;				\
	case 4: name##_lines(t, 4); break;				\
	case 5: name##_lines(t, 5); break;				\
	default: name##_lines(t, 6); break;				\
	}								\
}

DEFINE_TILE(tile_f32, F32, DOT_F32)
DEFINE_TILE(tile_s16, S32, DOT_S16)

/* Sums of a block, as of pairs, then its scales; the lines go on from @acc. */
INLINE void tile_block(const struct loom_matmul_tile *t, size_t g,
		       const unsigned int lines)
{
	const uint8_t *a = t->a + 4 * g, *end = a + 4 * 16;
	const uint32_t *b = t->b + g * NR;
	uint32_t *acc = t->acc;
	v8u c[MR][2];

	UNROLL for (unsigned int i = 0; i < lines; i++)
		c[i][0] = c[i][1] = S32_ZERO();
	for (; a < end; a += 4, b += NR) {
		__m256i y0 = load(b), y1 = load(b + 8);

		UNROLL for (unsigned int i = 0; i < lines; i++) {
			__m256i x = broadcast(a + i * t->a_stride);

			c[i][0] = DOT_S16(c[i][0], x, y0);
			c[i][1] = DOT_S16(c[i][1], x, y1);
		}
	}
	UNROLL for (unsigned int i = 0; i < lines; i++, acc += NR) {
		__m256 x = _mm256_castsi256_ps(broadcast(a + i * t->a_stride));

		UNROLL for (unsigned int j = 0; j < 2; j++)
			F32_STORE(acc + 8 * j, _mm256_fmadd_ps(
				_mm256_mul_ps(x, F32_LOAD(b + 8 * j)),
				_mm256_cvtepi32_ps((__m256i)c[i][j]),
				F32_LOAD(acc + 8 * j)));
	}
}

TARGET static void tile_blocks(const struct loom_matmul_tile *t)
{
	for (size_t g = 0; g < t->groups; g += LOOM_MATMUL_BLOCK_GROUPS) {
		switch (t->lines) {
		case 1: tile_block(t, g, 1); break;
		case 2: tile_block(t, g, 2); break;
		case 3: tile_block(t, g, 3); break;
		case 4: tile_block(t, g, 4); break;
		case 5: tile_block(t, g, 5); break;
		default: tile_block(t, g, 6); break;
		}
	}
}

/* Packing ----------------------------------------------------------------- */

/* One group of pairs: 16 elements of each of two rows. */
INLINE void interleave_pair(const uint8_t *src, ptrdiff_t stride, uint32_t *dst)
{
	__m256i x = load(src), y = load(src + stride);
	__m256i low = _mm256_unpacklo_epi16(x, y);
	__m256i high = _mm256_unpackhi_epi16(x, y);

	_mm256_storeu_si256((__m256i *)dst,
			    _mm256_permute2x128_si256(low, high, 0x20));
	_mm256_storeu_si256((__m256i *)(dst + 8),
			    _mm256_permute2x128_si256(low, high, 0x31));
}

TARGET static void interleave(uint32_t elem, const uint8_t *src,
			      ptrdiff_t stride, size_t rows, size_t n,
			      uint32_t *dst, uint32_t flip)
{
	size_t per = 4 / elem, whole = n == NR ? rows / per : 0;

	for (size_t g = 0; g < whole; g++, dst += NR) {
		if (elem == 4)
			memcpy(dst, src, 4 * NR);
		else
			interleave_pair(src, stride, dst);
		src += (ptrdiff_t)per * stride;
	}
	loom_matmul_c_interleave16(elem, src, stride, rows - whole * per, n,
				   dst, flip);
}

INLINE void transpose_block(const uint8_t *src, size_t src_stride,
			    uint8_t *dst, size_t dst_stride, __m256i mask)
{
	__m256i v[8];

	UNROLL for (size_t i = 0; i < 8; i++)
		v[i] = load(src + i * src_stride);
	transpose8(v);
	UNROLL for (size_t i = 0; i < 8; i++)
		_mm256_storeu_si256((__m256i *)(dst + i * dst_stride),
				    _mm256_xor_si256(v[i], mask));
}

TARGET static void transpose(const uint8_t *src, size_t src_stride,
			     size_t rows, size_t cols, uint8_t *dst,
			     size_t dst_stride, uint32_t flip)
{
	const __m256i mask = _mm256_set1_epi32((int)flip);
	size_t i = 0, whole = cols & ~(size_t)7;

	for (; i + 8 <= rows; i += 8) {
		for (size_t j = 0; j < whole; j += 8)
			transpose_block(src + i * src_stride + 4 * j,
					src_stride,
					dst + j * dst_stride + 4 * i,
					dst_stride, mask);
		loom_matmul_c_transpose(src + i * src_stride + 4 * whole,
					src_stride, 8, cols - whole,
					dst + whole * dst_stride + 4 * i,
					dst_stride, flip);
	}
	loom_matmul_c_transpose(src + i * src_stride, src_stride, rows - i,
				cols, dst + 4 * i, dst_stride, flip);
}

/* Conversion -------------------------------------------------------------- */

/* 16 signed bytes times the scale of their block. */
INLINE void scale_s8(float *dst, __m256 scale, __m128i values)
{
	__m128i high = _mm_srli_si128(values, 8);

	_mm256_storeu_ps(dst, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(
		_mm256_cvtepi8_epi32(values))));
	_mm256_storeu_ps(dst + 8, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(
		_mm256_cvtepi8_epi32(high))));
}

/* Blocks of 32: the products are exact. */
INLINE void dequantise(uint32_t type, const uint8_t *block, float *dst)
{
	__m128i low, high;
	__m256 scale = _mm256_set1_ps(_cvtsh_ss(half_at(block)));

	block_bytes(type, block, &low, &high);
	scale_s8(dst, scale, low);
	scale_s8(dst + 16, scale, high);
}

TARGET static void blocks_to_f32(uint32_t type, const uint8_t *src, float *dst,
				 size_t n)
{
	size_t size = type == LOOM_TYPE_Q8_0 ? 34 : 18;

	for (size_t i = 0; i < n; i += 32, src += size)
		dequantise(type, src, dst + i);
}

TARGET static void to_f32(uint32_t type, const void *src, void *dst, size_t n)
{
	bool half = type == LOOM_TYPE_BF16 || type == LOOM_TYPE_F16;
	size_t whole = half ? n & ~(size_t)7 : 0;
	const uint8_t *in = src;
	float *out = dst;

	if (type == LOOM_TYPE_Q8_0 || type == LOOM_TYPE_Q4_0) {
		blocks_to_f32(type, src, dst, n);
		return;
	}
	for (size_t i = 0; i < whole; i += 8, in += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)in);

		if (type == LOOM_TYPE_F16)
			_mm256_storeu_ps(out + i, _mm256_cvtph_ps(x));
		else
			_mm256_storeu_si256((__m256i *)(out + i),
				_mm256_slli_epi32(_mm256_cvtepu16_epi32(x),
						  16));
	}
	if (whole < n)
		loom_matmul_c_to_f32(type, in, out + whole, n - whole);
}

TARGET static void s8_to_s16(uint32_t type, const void *src, void *dst,
			     size_t n)
{
	size_t whole = n & ~(size_t)15;
	const uint8_t *in = src;
	uint16_t *out = dst;

	for (size_t i = 0; i < whole; i += 16)
		_mm256_storeu_si256((__m256i *)(out + i), _mm256_cvtepi8_epi16(
			_mm_loadu_si128((const __m128i *)(in + i))));
	loom_matmul_c_to_s16(type, in + whole, out + whole, n - whole);
}

/* Few lines of A by rows of B --------------------------------------------- */

#define ROW_GROUPS	8	/* rows that are gone through at once */
#define ROW_SUMS	4	/* pairs of registers with sums: panels by lines */

/* Elements of row @p that 16 lines have. */
INLINE void load_row(const uint8_t *p, uint32_t type, __m256 v[2])
{
	const __m256i high = _mm256_set1_epi32((int)0xffff0000);
	__m256i x = load(p);

	if (type == LOOM_TYPE_F32) {
		v[0] = _mm256_castsi256_ps(x);
		v[1] = F32_LOAD(p + 32);
	} else if (type == LOOM_TYPE_F16) {
		v[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(x));
		v[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(x, 1));
	} else {
		/* The even ones, then the odd ones: see in_order(). */
		v[0] = _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
		v[1] = _mm256_castsi256_ps(_mm256_and_si256(x, high));
	}
}

INLINE void in_order(uint32_t type, __m256 c[2])
{
	__m256 low, high;

	if (type != LOOM_TYPE_BF16)
		return;
	low = _mm256_unpacklo_ps(c[0], c[1]);
	high = _mm256_unpackhi_ps(c[0], c[1]);
	c[0] = _mm256_permute2f128_ps(low, high, 0x20);
	c[1] = _mm256_permute2f128_ps(low, high, 0x31);
}

/* Add to the sums of the K-tile, or at its end them to the accumulators. */
INLINE void put_row_sums(const struct loom_matmul_rows *r, size_t at,
			 uint32_t type, bool last, __m256 c[2])
{
	uint32_t *to = r->sum + at;

	if (last) {
		to = r->acc + at;
		in_order(type, c);
		c[0] = F32_ADD(F32_LOAD(to), c[0]);
		c[1] = F32_ADD(F32_LOAD(to + 8), c[1]);
	}
	F32_STORE(to, c[0]);
	F32_STORE(to + 8, c[1]);
}

/*
 * Groups @g0 to @end for @wide panels; constants: @type, @lines, @wide.
 *
 * Rows are often a power of two apart, so those of a pass share a few sets of
 * the first-level cache: what it holds of them must be used up at once, which
 * is why panels that one cache line covers are not taken one by one.
 */
INLINE void rows_panels(const struct loom_matmul_rows *r, size_t panel,
			size_t g0, size_t end, const uint32_t type,
			const unsigned int lines, const unsigned int wide)
{
	const size_t swap = type == LOOM_TYPE_BF16;
	const size_t bytes = NR * (type == LOOM_TYPE_F32 ? 4 : 2);
	const unsigned int sums = wide * lines;
	const size_t at = panel * lines * NR;
	__m256 c[ROW_SUMS][2], x, y[2];

	UNROLL for (unsigned int i = 0; i < sums; i++) {
		const uint32_t *sum = r->sum + at + i * NR;

		c[i][0] = g0 ? F32_LOAD(sum) : F32_ZERO();
		c[i][1] = g0 ? F32_LOAD(sum + 8) : F32_ZERO();
	}
	for (size_t g = g0; g < end; g++) {
		/* bf16 is packed in the order 1, 0, 3, 2, ... */
		const uint8_t *b = r->b + panel * bytes +
				   (ptrdiff_t)(g ^ swap) * r->b_stride;

		UNROLL for (unsigned int i = 0; i < sums; i++) {
			if (i % lines == 0)
				load_row(b + i / lines * bytes, type, y);
			x = _mm256_castsi256_ps(broadcast(
				r->a + i % lines * r->a_stride + 4 * g));
			c[i][0] = _mm256_fmadd_ps(x, y[0], c[i][0]);
			c[i][1] = _mm256_fmadd_ps(x, y[1], c[i][1]);
		}
	}
	UNROLL for (unsigned int i = 0; i < sums; i++)
		put_row_sums(r, at + i * NR, type, end == r->groups, c[i]);
}

INLINE void rows_of(const struct loom_matmul_rows *r, const uint32_t type,
		    const unsigned int lines)
{
	const unsigned int wide = ROW_SUMS / lines;

	for (size_t g = 0, end; g < r->groups; g = end) {
		size_t p = 0;

		end = r->groups - g < ROW_GROUPS ? r->groups : g + ROW_GROUPS;
		for (; p + wide <= r->panels; p += wide)
			rows_panels(r, p, g, end, type, lines, wide);
		for (; p < r->panels; p++)
			rows_panels(r, p, g, end, type, lines, 1);
	}
}

INLINE void rows_by_lines(const struct loom_matmul_rows *r,
			  const uint32_t type)
{
	switch (r->lines) {
	case 1: rows_of(r, type, 1); break;
	case 2: rows_of(r, type, 2); break;
	case 3: rows_of(r, type, 3); break;
	default: rows_of(r, type, 4); break;
	}
}

TARGET static void rows(const struct loom_matmul_rows *r)
{
	if (r->type == LOOM_TYPE_F32)
		rows_by_lines(r, LOOM_TYPE_F32);
	else if (r->type == LOOM_TYPE_F16)
		rows_by_lines(r, LOOM_TYPE_F16);
	else
		rows_by_lines(r, LOOM_TYPE_BF16);
}

/* Rows of 16 elements to groups of a panel -------------------------------- */

/* Two rows of s8 to pairs of s16. */
INLINE void pack_pair_s8(__m128i even, __m128i odd, uint32_t *dst)
{
	__m256i x = _mm256_cvtepi8_epi16(even), y = _mm256_cvtepi8_epi16(odd);
	__m256i low = _mm256_unpacklo_epi16(x, y);
	__m256i high = _mm256_unpackhi_epi16(x, y);

	_mm256_storeu_si256((__m256i *)dst,
			    _mm256_permute2x128_si256(low, high, 0x20));
	_mm256_storeu_si256((__m256i *)(dst + 8),
			    _mm256_permute2x128_si256(low, high, 0x31));
}

TARGET static void pack_rows_s8(uint32_t type, const uint8_t *src,
				ptrdiff_t stride, size_t rows, uint32_t *dst)
{
	size_t r;

	(void)type;
	for (r = 0; r + 2 <= rows; r += 2, src += 2 * stride, dst += NR)
		pack_pair_s8(_mm_loadu_si128((const __m128i *)src),
			     _mm_loadu_si128((const __m128i *)(src + stride)),
			     dst);
	if (r < rows)
		pack_pair_s8(_mm_loadu_si128((const __m128i *)src),
			     _mm_setzero_si128(), dst);
}

INLINE void pack_row_f32(uint32_t type, const uint8_t *src, uint32_t *dst)
{
	__m128i low = _mm_loadu_si128((const __m128i *)src);
	__m128i high = _mm_loadu_si128((const __m128i *)(src + 16));

	if (type == LOOM_TYPE_F16) {
		F32_STORE(dst, _mm256_cvtph_ps(low));
		F32_STORE(dst + 8, _mm256_cvtph_ps(high));
		return;
	}
	_mm256_storeu_si256((__m256i *)dst, _mm256_slli_epi32(
		_mm256_cvtepu16_epi32(low), 16));
	_mm256_storeu_si256((__m256i *)(dst + 8), _mm256_slli_epi32(
		_mm256_cvtepu16_epi32(high), 16));
}

TARGET static void pack_rows_f32(uint32_t type, const uint8_t *src,
				 ptrdiff_t stride, size_t rows, uint32_t *dst)
{
	for (size_t r = 0; r < rows; r++, src += stride, dst += NR) {
		if (type == LOOM_TYPE_F32)
			memcpy(dst, src, 4 * NR);
		else
			pack_row_f32(LOOM_TYPE_F16, src, dst);
	}
}

/* In the order 1, 0, 3, 2, ...; an odd row is paired with +0. */
TARGET static void pack_rows_bf16(uint32_t type, const uint8_t *src,
				  ptrdiff_t stride, size_t rows, uint32_t *dst)
{
	(void)type;
	if (rows % 2)
		memset(dst + (rows - 1) * NR, 0, 4 * NR);
	for (size_t r = 0; r < rows; r++, src += stride)
		pack_row_f32(LOOM_TYPE_BF16, src, dst + (r ^ 1) * NR);
}

/* Epilogue ---------------------------------------------------------------- */

/* @f is no denormal, and NaN is canonical, which cannot overflow. */
INLINE __m128i round_bf16(__m256 f)
{
	const __m256i bits = _mm256_castps_si256(f);
	__m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16),
				       _mm256_set1_epi32(1));
	__m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, odd),
				       _mm256_set1_epi32(0x7fff));

	sum = _mm256_srli_epi32(sum, 16);
	return _mm_packus_epi32(_mm256_castsi256_si128(sum),
				_mm256_extracti128_si256(sum, 1));
}

INLINE __m256 finish8(const struct loom_matmul_row *row, size_t j)
{
	__m256 t = F32_LOAD(row->acc + j), nan;

	if (row->scale)
		t = _mm256_mul_ps(_mm256_set1_ps(row->alpha), t);
	if (row->c)
		t = _mm256_add_ps(t, F32_LOAD(row->c + j));
	nan = _mm256_cmp_ps(t, t, _CMP_UNORD_Q);
	return _mm256_blendv_ps(t, _mm256_set1_ps(__builtin_nanf("")), nan);
}

/* Eight elements of D's type to @dst. */
INLINE void put8(uint32_t type, __m256 t, uint8_t *dst)
{
	if (type == LOOM_TYPE_F32)
		F32_STORE(dst, t);
	else if (type == LOOM_TYPE_F16)
		_mm_storeu_si128((__m128i *)dst, _mm256_cvtps_ph(
			t, _MM_FROUND_TO_NEAREST_INT));
	else
		_mm_storeu_si128((__m128i *)dst, round_bf16(t));
}

TARGET static void finish_float(const struct loom_matmul_row *row)
{
	size_t size = row->type == LOOM_TYPE_F32 ? 4 : 2;
	size_t whole = row->n & ~(size_t)7;
	struct loom_matmul_row tail = *row;
	uint32_t acc[8] = { 0 }, c[8] = { 0 };
	uint8_t out[32];

	for (size_t j = 0; j < whole; j += 8)
		put8(row->type, finish8(row, j),
		     (uint8_t *)row->dst + size * j);
	if (whole == row->n)
		return;
	memcpy(acc, row->acc + whole, 4 * (row->n - whole));
	if (row->c)
		memcpy(c, row->c + whole, 4 * (row->n - whole));
	tail.acc = acc;
	tail.c = row->c ? c : NULL;
	put8(row->type, finish8(&tail, 0), out);
	memcpy((uint8_t *)row->dst + size * whole, out,
	       size * (row->n - whole));
}

/* The set ----------------------------------------------------------------- */

const struct loom_matmul_kernels loom_matmul_avx2 = {
	.name = "avx2",
	.mr = MR,
	.nr = NR,
	.path = {
		[LOOM_MATMUL_SEQ] = {
			.elem = 4,
			.convert = to_f32,
			.tile = tile_f32,
			.rows = rows,
			.pack_rows = pack_rows_f32,
			.row_types = 1u << LOOM_TYPE_F32 | 1u << LOOM_TYPE_F16,
			LOOM_MATMUL_AVX2_THIN(LOOM_MATMUL_SEQ_TYPES),
			.pack_lines = loom_matmul_avx2_pack_lines,
			.finish = finish_float,
		},
		[LOOM_MATMUL_PAIR] = {
			.elem = 4,
			.swap = true,
			.convert = to_f32,
			.tile = tile_f32,
			.rows = rows,
			.pack_rows = pack_rows_bf16,
			.row_types = 1u << LOOM_TYPE_BF16,
			LOOM_MATMUL_AVX2_THIN(1u << LOOM_TYPE_BF16),
			.pack_lines = loom_matmul_avx2_pack_lines,
			.finish = finish_float,
		},
		[LOOM_MATMUL_INT] = {
			.elem = 2,
			.convert = s8_to_s16,
			.tile = tile_s16,
			.pack_rows = pack_rows_s8,
			.row_types = 1u << LOOM_TYPE_I8,
			.finish = loom_matmul_c_finish_int,
		},
		[LOOM_MATMUL_BLOCK] = {
			LOOM_MATMUL_AVX2_BLOCKS,
			.tile = tile_blocks,
			.finish = finish_float,
		},
	},
	.interleave = interleave,
	.transpose = transpose,
	.enter = loom_matmul_mxcsr_enter,
	.leave = loom_matmul_mxcsr_leave,
};
#endif
