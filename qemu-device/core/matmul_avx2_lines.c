// SPDX-License-Identifier: MIT
/*
 * AVX2 for B whose lines are contiguous along k, as weights of a language model
 * are: 16 lines at a time become rows of f32 that run across the lines, by
 * transposing blocks in registers.  That is a panel; products with few lines of
 * A use it up at once, a few hundred bytes of each line at a time.
 */
#if defined(__x86_64__)
#include <string.h>

#include "matmul_avx2.h"

#define CHUNK		32	/* elements of each line that are turned at once */
#define THIN_SUMS	4	/* pairs of registers with sums: panels by lines */

/* 16 lines to rows -------------------------------------------------------- */

/* Vectors of @a and @b, one in each half. */
INLINE __m256i load_pair(const uint8_t *a, const uint8_t *b)
{
	return _mm256_inserti128_si256(
		_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)a)),
		_mm_loadu_si128((const __m128i *)b), 1);
}

/* @top: integers in the topmost bits of each word */
INLINE void put_scaled(float *dst, __m256i top, __m256 scale)
{
	_mm256_storeu_ps(dst, _mm256_mul_ps(_mm256_cvtepi32_ps(top), scale));
}

/* Byte @n of each word to its top, the others 0. */
INLINE __m256i byte_to_top(__m256i v, const int n)
{
	const __m256i all = _mm256_set1_epi32((int)0xff000000);

	v = n < 3 ? _mm256_slli_epi32(v, 24 - 8 * n) : v;
	return n ? _mm256_and_si256(v, all) : v;
}

/* The same for nibbles. */
INLINE __m256i nibble_to_top(__m256i v, const int n)
{
	const __m256i all = _mm256_set1_epi32((int)0xf0000000);

	v = n < 7 ? _mm256_slli_epi32(v, 28 - 4 * n) : v;
	return n ? _mm256_and_si256(v, all) : v;
}

/* A block of each of 8 lines. */
INLINE void turn_q8_0(const uint8_t *p, ptrdiff_t stride, float *dst)
{
	__m256 scale = scales8(p, stride, 0x1p-24f);
	__m256i v[8];

	UNROLL for (int i = 0; i < 8; i++)
		v[i] = load(p + 2 + i * stride);
	transpose8(v);
	UNROLL for (int i = 0; i < 8; i++, dst += 4 * NR) {
		UNROLL for (int j = 0; j < 4; j++)
			put_scaled(dst + j * NR, byte_to_top(v[i], j), scale);
	}
}

INLINE void turn_q4_0(const uint8_t *p, ptrdiff_t stride, float *dst)
{
	/* Nibble - 8 is the nibble as a signed one, with its top bit turned. */
	const __m256i eight = _mm256_set1_epi32((int)0x88888888);
	__m256 scale = scales8(p, stride, 0x1p-28f);
	__m256i v[4], t[4];

	UNROLL for (int i = 0; i < 4; i++)
		v[i] = _mm256_xor_si256(eight, load_pair(
			p + 2 + i * stride, p + 2 + (i + 4) * stride));
	UNROLL for (int i = 0; i < 4; i += 2) {
		t[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
		t[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
	}
	UNROLL for (int i = 0; i < 2; i++) {
		v[2 * i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
		v[2 * i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
	}
	/* Low nibbles are elements 0 to 15, high ones 16 to 31. */
	UNROLL for (int i = 0; i < 4; i++, dst += 4 * NR) {
		UNROLL for (int j = 0; j < 4; j++) {
			put_scaled(dst + j * NR, nibble_to_top(v[i], 2 * j),
				   scale);
			put_scaled(dst + (16 + j) * NR,
				   nibble_to_top(v[i], 2 * j + 1), scale);
		}
	}
}

/* 16 elements of 8 lines, in the order 1, 0, 3, 2, ... */
INLINE void turn_bf16(const uint8_t *p, ptrdiff_t stride, float *dst)
{
	const __m256i high = _mm256_set1_epi32((int)0xffff0000);
	__m256i v[8];

	UNROLL for (int i = 0; i < 8; i++)
		v[i] = load(p + i * stride);
	transpose8(v);
	UNROLL for (int i = 0; i < 8; i++, dst += 2 * NR) {
		_mm256_storeu_si256((__m256i *)dst,
				    _mm256_and_si256(v[i], high));
		_mm256_storeu_si256((__m256i *)(dst + NR),
				    _mm256_slli_epi32(v[i], 16));
	}
}

/* 8 elements of 8 lines */
INLINE void turn_f32(const uint8_t *p, ptrdiff_t stride, float *dst)
{
	__m256i v[8];

	UNROLL for (int i = 0; i < 8; i++)
		v[i] = load(p + i * stride);
	transpose8(v);
	UNROLL for (int i = 0; i < 8; i++)
		_mm256_storeu_si256((__m256i *)(dst + i * NR), v[i]);
}

/* Halves of 16 lines to f32 */
INLINE void put_halves(float *dst, __m256i v)
{
	_mm256_storeu_ps(dst, _mm256_cvtph_ps(_mm256_castsi256_si128(v)));
	_mm256_storeu_ps(dst + 8, _mm256_cvtph_ps(
		_mm256_extracti128_si256(v, 1)));
}

/* 8 elements of 16 lines */
INLINE void turn_f16(const uint8_t *p, ptrdiff_t stride, float *dst)
{
	__m256i v[8], t[8];

	UNROLL for (int i = 0; i < 8; i++)
		v[i] = load_pair(p + i * stride, p + (i + 8) * stride);
	UNROLL for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_epi16(v[i], v[i + 1]);
		t[i + 1] = _mm256_unpackhi_epi16(v[i], v[i + 1]);
	}
	UNROLL for (int i = 0; i < 8; i += 4) {
		v[i] = _mm256_unpacklo_epi32(t[i], t[i + 2]);
		v[i + 1] = _mm256_unpackhi_epi32(t[i], t[i + 2]);
		v[i + 2] = _mm256_unpacklo_epi32(t[i + 1], t[i + 3]);
		v[i + 3] = _mm256_unpackhi_epi32(t[i + 1], t[i + 3]);
	}
	UNROLL for (int i = 0; i < 4; i++, dst += 2 * NR) {
		put_halves(dst, _mm256_unpacklo_epi64(v[i], v[i + 4]));
		put_halves(dst + NR, _mm256_unpackhi_epi64(v[i], v[i + 4]));
	}
}

/* All of these: @n elements of 16 lines, whole steps or blocks of them. */
TARGET static void lines_q8_0(const uint8_t *p, ptrdiff_t stride, size_t n,
			      float *dst)
{
	for (; n; n -= 32, p += 34, dst += 32 * NR) {
		turn_q8_0(p, stride, dst);
		turn_q8_0(p + 8 * stride, stride, dst + 8);
	}
}

TARGET static void lines_q4_0(const uint8_t *p, ptrdiff_t stride, size_t n,
			      float *dst)
{
	for (; n; n -= 32, p += 18, dst += 32 * NR) {
		turn_q4_0(p, stride, dst);
		turn_q4_0(p + 8 * stride, stride, dst + 8);
	}
}

TARGET static void lines_bf16(const uint8_t *p, ptrdiff_t stride, size_t n,
			      float *dst)
{
	for (; n; n -= 16, p += 32, dst += 16 * NR) {
		turn_bf16(p, stride, dst);
		turn_bf16(p + 8 * stride, stride, dst + 8);
	}
}

TARGET static void lines_f16(const uint8_t *p, ptrdiff_t stride, size_t n,
			     float *dst)
{
	for (; n; n -= 8, p += 16, dst += 8 * NR)
		turn_f16(p, stride, dst);
}

TARGET static void lines_f32(const uint8_t *p, ptrdiff_t stride, size_t n,
			     float *dst)
{
	for (; n; n -= 8, p += 32, dst += 8 * NR) {
		turn_f32(p, stride, dst);
		turn_f32(p + 8 * stride, stride, dst + 8);
	}
}

/** struct turner - how lines of a type become rows */
struct turner {
	void (*turn)(const uint8_t *p, ptrdiff_t stride, size_t n, float *dst);
	/** @bytes: of 32 elements that follow each other */
	size_t bytes;
};

static struct turner turner_of(uint32_t type)
{
	switch (type) {
	case LOOM_TYPE_Q8_0: return (struct turner) { lines_q8_0, 34 };
	case LOOM_TYPE_Q4_0: return (struct turner) { lines_q4_0, 18 };
	case LOOM_TYPE_BF16: return (struct turner) { lines_bf16, 64 };
	case LOOM_TYPE_F16: return (struct turner) { lines_f16, 64 };
	default: return (struct turner) { lines_f32, 128 };
	}
}

void loom_matmul_avx2_pack_lines(uint32_t type, const uint8_t *src,
				 ptrdiff_t stride, size_t k, uint32_t *panel)
{
	turner_of(type).turn(src, stride, k, (float *)panel);
}

/* Few lines of A by lines of B -------------------------------------------- */

/** struct thin_run - 16 or 32 lines of B by all lines of A */
struct thin_run {
	const struct loom_matmul_thin *t;
	struct turner turner;
	/** @q: the first sixteen lines */
	size_t q;
	/** @wide: how many sixteens, 1 or 2 */
	unsigned int wide;
	/** @rows: a chunk of them, turned */
	float rows[2][CHUNK * NR] __attribute__((aligned(CACHE_LINE)));
	/** @sum: of the K-tile: by sixteen, line of A, line of B */
	float sum[THIN_SUMS][NR] __attribute__((aligned(CACHE_LINE)));
};

static const uint8_t *line_at(const struct loom_matmul_thin *t, size_t q)
{
	return t->b + (ptrdiff_t)(q * NR) * t->b_stride;
}

/* Of the lines that are next, what corresponds to elements @k to @k + CHUNK. */
static void fetch_next(const struct thin_run *r, size_t k)
{
	const struct loom_matmul_thin *t = r->t;
	const size_t bytes = r->turner.bytes * NR * r->wide;

	if (t->b_stride == (ptrdiff_t)(t->k / 32 * r->turner.bytes))
		fetch_ahead((uintptr_t)line_at(t, r->q + r->wide) +
			    k / 32 * bytes, bytes);
}

/* Turn elements @k to @end of the lines. */
static void turn_chunk(struct thin_run *r, size_t k, size_t end)
{
	for (unsigned int i = 0; i < r->wide; i++)
		r->turner.turn(line_at(r->t, r->q + i) + k / 32 * r->turner.bytes,
			       r->t->b_stride, end - k, r->rows[i]);
}

/* Add products of @n elements, from @k on in A and from @first on in the rows. */
INLINE void sum_up_of(struct thin_run *r, size_t k, size_t first, size_t n,
		      const unsigned int lines, const unsigned int wide)
{
	const uint8_t *a = r->t->a + 4 * k;
	const float *rows = r->rows[0] + first * NR;
	__m256 c[THIN_SUMS][2], x, y[2];

	UNROLL for (unsigned int i = 0; i < wide * lines; i++) {
		c[i][0] = _mm256_load_ps(r->sum[i]);
		c[i][1] = _mm256_load_ps(r->sum[i] + 8);
	}
	for (; n; n--, rows += NR, a += 4) {
		UNROLL for (unsigned int i = 0; i < wide * lines; i++) {
			const float *row = rows + i / lines * CHUNK * NR;

			if (i % lines == 0) {
				y[0] = _mm256_load_ps(row);
				y[1] = _mm256_load_ps(row + 8);
			}
			x = _mm256_castsi256_ps(broadcast(
				a + i % lines * r->t->a_stride));
			c[i][0] = _mm256_fmadd_ps(x, y[0], c[i][0]);
			c[i][1] = _mm256_fmadd_ps(x, y[1], c[i][1]);
		}
	}
	UNROLL for (unsigned int i = 0; i < wide * lines; i++) {
		_mm256_store_ps(r->sum[i], c[i][0]);
		_mm256_store_ps(r->sum[i] + 8, c[i][1]);
	}
}

TARGET static void sum_up(struct thin_run *r, size_t k, size_t first, size_t n)
{
	switch (r->t->lines * 2 + r->wide) {
	case 3: sum_up_of(r, k, first, n, 1, 1); break;
	case 4: sum_up_of(r, k, first, n, 1, 2); break;
	case 5: sum_up_of(r, k, first, n, 2, 1); break;
	case 6: sum_up_of(r, k, first, n, 2, 2); break;
	case 7: sum_up_of(r, k, first, n, 3, 1); break;
	default: sum_up_of(r, k, first, n, 4, 1); break;
	}
}

/* End of a K-tile: the sums go to the accumulators and start again. */
TARGET static void end_tile(struct thin_run *r)
{
	const unsigned int lines = r->t->lines;

	for (unsigned int i = 0; i < r->wide * lines; i++) {
		float *acc = acc_at(r->t, (r->q + i / lines) * NR, i % lines);

		for (unsigned int j = 0; j < NR; j += 8)
			_mm256_storeu_ps(acc + j, _mm256_add_ps(
				_mm256_loadu_ps(acc + j),
				_mm256_load_ps(r->sum[i] + j)));
	}
	memset(r->sum, 0, sizeof(r->sum));
}

/* All of k for the lines of @r, whose sums are zero before and after. */
static void run_lines(struct thin_run *r)
{
	const struct loom_matmul_thin *t = r->t;
	const size_t part = t->step < CHUNK ? t->step : CHUNK;

	for (size_t k = 0; k < t->k; k += CHUNK) {
		size_t end = t->k - k < CHUNK ? t->k : k + CHUNK;

		fetch_next(r, k);
		turn_chunk(r, k, end);
		for (size_t g = k; g < end; g += part) {
			size_t stop = end - g < part ? end : g + part;

			sum_up(r, g, g - k, stop - g);
			if (stop % t->step == 0 || stop == t->k)
				end_tile(r);
		}
	}
}

void loom_matmul_avx2_thin(const struct loom_matmul_thin *t)
{
	const size_t sixteens = t->panels * t->nr / NR;
	struct thin_run r = {
		.t = t,
		.turner = turner_of(t->type),
		.wide = t->lines <= THIN_SUMS / 2 ? 2 : 1,
	};

	for (; r.q + r.wide <= sixteens; r.q += r.wide)
		run_lines(&r);
	for (r.wide = 1; r.q < sixteens; r.q++)
		run_lines(&r);
}
#endif
