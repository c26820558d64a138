// SPDX-License-Identifier: MIT
/*
 * AVX2 for blocks by blocks: Q8_0 activations and Q8_0 or Q4_0 weights.
 *
 * The sum of a block is an integer, which has no order, so here k may run along
 * the register: weights are taken as they lie, widened to s16 so that no value
 * overflows, and 8 lines' sums are brought together at the end of each block.
 */
#if defined(__x86_64__)
#include <string.h>

#include "matmul_avx2.h"

#define BLOCK_BYTES	(4 * LOOM_MATMUL_BLOCK_GROUPS)	/* packed */

/* The elements of a block, as s16. */
INLINE void widen(const uint32_t type, const uint8_t *block, __m256i v[2])
{
	__m128i low, high;

	block_bytes(type, block, &low, &high);
	v[0] = _mm256_cvtepi8_epi16(low);
	v[1] = _mm256_cvtepi8_epi16(high);
}

INLINE void blocks_of(const uint32_t type, const size_t size,
		      const uint8_t *src, uint8_t *dst, size_t n)
{
	for (; n; n -= 32, src += size, dst += BLOCK_BYTES) {
		float scale = _cvtsh_ss(half_at(src));
		__m256i v[2];

		widen(type, src, v);
		_mm256_storeu_si256((__m256i *)dst, v[0]);
		_mm256_storeu_si256((__m256i *)(dst + 32), v[1]);
		memcpy(dst + 64, &scale, sizeof(scale));
	}
}

TARGET void loom_matmul_avx2_blocks(uint32_t type, const void *src, void *dst,
				    size_t n)
{
	if (type == LOOM_TYPE_Q8_0)
		blocks_of(LOOM_TYPE_Q8_0, 34, src, dst, n);
	else
		blocks_of(LOOM_TYPE_Q4_0, 18, src, dst, n);
}

/* Few lines of A by lines of B -------------------------------------------- */

/* Lane i of the result: the sum of the lanes of v[i]. */
INLINE __m256i add_across(__m256i v[8])
{
	UNROLL for (int i = 0; i < 4; i++)
		v[i] = _mm256_add_epi32(
			_mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]),
			_mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
	UNROLL for (int i = 0; i < 2; i++)
		v[i] = _mm256_add_epi32(
			_mm256_unpacklo_epi64(v[2 * i], v[2 * i + 1]),
			_mm256_unpackhi_epi64(v[2 * i], v[2 * i + 1]));
	return _mm256_add_epi32(_mm256_permute2x128_si256(v[0], v[1], 0x20),
				_mm256_permute2x128_si256(v[0], v[1], 0x31));
}

/* A block of 8 lines at @b by the packed block at @a, added to @c. */
INLINE __m256 add_block(const uint32_t type, const uint8_t *b,
			ptrdiff_t stride, const uint8_t *a, __m256 c)
{
	const __m256i a0 = load(a), a1 = load(a + 32);
	__m256 scale = _mm256_mul_ps(scales8(b, stride, 1.0f),
				     _mm256_castsi256_ps(broadcast(a + 64)));
	__m256i v[8], w[2];

	UNROLL for (int i = 0; i < 8; i++) {
		widen(type, b + i * stride, w);
		v[i] = _mm256_add_epi32(_mm256_madd_epi16(a0, w[0]),
					_mm256_madd_epi16(a1, w[1]));
	}
	return _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(add_across(v)), c);
}

INLINE void thin_lines(const struct loom_matmul_thin *t, const uint32_t type,
		       const size_t size, const unsigned int lines)
{
	const bool dense = t->b_stride == (ptrdiff_t)(t->k / 32 * size);
	const size_t eights = t->panels * t->nr / 8;

	for (size_t q = 0; q < eights; q++) {
		const uint8_t *b = t->b + (ptrdiff_t)(q * 8) * t->b_stride;
		const uintptr_t next = (uintptr_t)b +
				       8 * (uintptr_t)t->b_stride;
		__m256 c[LOOM_MATMUL_THIN];

		UNROLL for (unsigned int i = 0; i < lines; i++)
			c[i] = _mm256_loadu_ps(acc_at(t, 8 * q, i));
		for (size_t n = 0; n < t->k / 32; n++) {
			if (dense)
				fetch_ahead(next + 8 * size * n, 8 * size);
			UNROLL for (unsigned int i = 0; i < lines; i++)
				c[i] = add_block(type, b + n * size, t->b_stride,
						 t->a + i * t->a_stride +
						 n * BLOCK_BYTES, c[i]);
		}
		UNROLL for (unsigned int i = 0; i < lines; i++)
			_mm256_storeu_ps(acc_at(t, 8 * q, i), c[i]);
	}
}

INLINE void thin_type(const struct loom_matmul_thin *t, const uint32_t type,
		      const size_t size)
{
	switch (t->lines) {
	case 1: thin_lines(t, type, size, 1); break;
	case 2: thin_lines(t, type, size, 2); break;
	case 3: thin_lines(t, type, size, 3); break;
	default: thin_lines(t, type, size, 4); break;
	}
}

TARGET void loom_matmul_avx2_thin_blocks(const struct loom_matmul_thin *t)
{
	if (t->type == LOOM_TYPE_Q8_0)
		thin_type(t, LOOM_TYPE_Q8_0, 34);
	else
		thin_type(t, LOOM_TYPE_Q4_0, 18);
}
#endif
