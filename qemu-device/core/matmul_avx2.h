/* SPDX-License-Identifier: MIT */
/* What the files with AVX2 kernels of the MATMUL engine share. */
#ifndef LOOM_MATMUL_AVX2_H
#define LOOM_MATMUL_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "matmul.h"

#define NR	16	/* lines of a panel */
#define CACHE_LINE	64
#define TARGET	__attribute__((target("avx2,fma,f16c")))
#define INLINE	static inline __attribute__((always_inline)) TARGET
#if defined(__clang__)
#define UNROLL	_Pragma("unroll")
#else
#define UNROLL	_Pragma("GCC unroll 8")
#endif

INLINE __m256i load(const void *p)
{
	return _mm256_loadu_si256(p);
}

/* The word at @p in all lanes. */
INLINE __m256i broadcast(const uint8_t *p)
{
	int32_t word;

	memcpy(&word, p, sizeof(word));
	return _mm256_set1_epi32(word);
}

INLINE uint16_t half_at(const uint8_t *p)
{
	uint16_t bits;

	memcpy(&bits, p, sizeof(bits));
	return bits;
}

/* Scales of blocks of 8 lines, times a power of two: exact. */
INLINE __m256 scales8(const uint8_t *p, ptrdiff_t stride, float factor)
{
	uint16_t h[8];

	UNROLL for (int i = 0; i < 8; i++)
		h[i] = half_at(p + i * stride);
	return _mm256_mul_ps(_mm256_set1_ps(factor), _mm256_cvtph_ps(
		_mm_setr_epi16((int16_t)h[0], (int16_t)h[1], (int16_t)h[2],
			       (int16_t)h[3], (int16_t)h[4], (int16_t)h[5],
			       (int16_t)h[6], (int16_t)h[7])));
}

/* Signed bytes of a block of 32, without its scale. */
INLINE void block_bytes(uint32_t type, const uint8_t *block, __m128i *low,
			__m128i *high)
{
	const __m128i nibble = _mm_set1_epi8(15), eight = _mm_set1_epi8(8);
	__m128i first = _mm_loadu_si128((const __m128i *)(block + 2));

	if (type == LOOM_TYPE_Q8_0) {
		*low = first;
		*high = _mm_loadu_si128((const __m128i *)(block + 18));
		return;
	}
	*low = _mm_sub_epi8(_mm_and_si128(first, nibble), eight);
	*high = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(first, 4), nibble),
			     eight);
}

/* Where the accumulators of line @lane of B and those after it are, for line @i of A. */
static inline float *acc_at(const struct loom_matmul_thin *t, size_t lane,
			    size_t i)
{
	size_t panel = lane / t->nr;

	return (float *)t->acc + (panel * t->lines + i) * t->nr + lane % t->nr;
}

/*
 * Dense lines are one stream that is gone through in an odd order, which the
 * host's prefetchers do not see: ask for @bytes of the lines that come next.
 */
static inline void fetch_ahead(uintptr_t from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += CACHE_LINE)
		__builtin_prefetch((const void *)(from + i));
}

/* Transpose 8 x 8 words in registers. */
INLINE void transpose8(__m256i v[8])
{
	__m256i t[8];

	UNROLL for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
		t[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
	}
	UNROLL for (int i = 0; i < 8; i += 4) {
		v[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
		v[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
		v[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
		v[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	UNROLL for (int i = 0; i < 4; i++) {
		t[i] = _mm256_permute2x128_si256(v[i], v[i + 4], 0x20);
		t[i + 4] = _mm256_permute2x128_si256(v[i], v[i + 4], 0x31);
	}
	UNROLL for (int i = 0; i < 8; i++)
		v[i] = t[i];
}

#endif
