// SPDX-License-Identifier: MIT
/*
 * Kernel set of the MATMUL engine for x86 with AVX2 and FMA.
 *
 * Tiles of 6 lines of A by 16 of B.  MXCSR does the flushing of denormals.
 */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "matmul.h"

#define MR	6
#define NR	16
#define TARGET	__attribute__((target("avx2,fma,f16c")))
#define INLINE	static inline __attribute__((always_inline)) TARGET
#define UNROLL	_Pragma("GCC unroll 6")

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

INLINE __m256i load(const void *p)
{
	return _mm256_loadu_si256(p);
}

INLINE __m256i broadcast(const uint8_t *p)
{
	int32_t word;

	memcpy(&word, p, sizeof(word));
	return _mm256_set1_epi32(word);
}

INLINE __m256i fma_f32(__m256i acc, __m256i a, __m256i b)
{
	return _mm256_castps_si256(_mm256_fmadd_ps(_mm256_castsi256_ps(a),
						   _mm256_castsi256_ps(b),
						   _mm256_castsi256_ps(acc)));
}

INLINE __m256i add_f32(__m256i a, __m256i b)
{
	return _mm256_castps_si256(_mm256_add_ps(_mm256_castsi256_ps(a),
						 _mm256_castsi256_ps(b)));
}

INLINE __m256i dot_s16(__m256i acc, __m256i a, __m256i b)
{
	return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
}

INLINE __m256i add_s32(__m256i a, __m256i b)
{
	return _mm256_add_epi32(a, b);
}

/* The loops of a kernel; @lines is a constant, so all of @c is in registers. */
#define DEFINE_TILE(name, dot, add)					\
INLINE void name##_lines(const struct loom_matmul_tile *t,		\
			 const unsigned int lines)			\
{									\
	const uint8_t *a = t->a;					\
	const uint32_t *b = t->b;					\
									\
	for (size_t left = t->groups; left;) {				\
		size_t n = left < t->step ? left : t->step;		\
		uint32_t *acc = t->acc;					\
		__m256i c[MR][2];					\
									\
		left -= n;						\
		UNROLL for (unsigned int i = 0; i < lines; i++)		\
			c[i][0] = c[i][1] = _mm256_setzero_si256();	\
		for (; n; n--, a += 4, b += NR) {			\
			__m256i b0 = load(b), b1 = load(b + 8);		\
									\
			UNROLL for (unsigned int i = 0; i < lines; i++) { \
				__m256i x = broadcast(a + i * t->a_stride); \
									\
				c[i][0] = dot(c[i][0], x, b0);		\
				c[i][1] = dot(c[i][1], x, b1);		\
			}						\
		}							\
		UNROLL for (unsigned int i = 0; i < lines; i++, acc += NR) { \
			_mm256_storeu_si256((void *)acc,		\
				add(load(acc), c[i][0]));		\
			_mm256_storeu_si256((void *)(acc + 8),		\
				add(load(acc + 8), c[i][1]));		\
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

DEFINE_TILE(tile_f32, fma_f32, add_f32)
DEFINE_TILE(tile_s16, dot_s16, add_s32)

/* The compiler keeps scalar and vector operations under the same MXCSR. */
static void finish_float(const struct loom_matmul_row *row)
{
	float out[NR];

	for (size_t j = 0; j < row->n; j++) {
		float t, c;

		memcpy(&t, row->acc + j, sizeof(t));
		if (row->scale)
			t = row->alpha * t;
		if (row->c) {
			memcpy(&c, row->c + j, sizeof(c));
			t = t + c;
		}
		out[j] = t != t ? __builtin_nanf("") : t;
	}
	loom_from_f32(row->type, out, row->dst, row->n);
}

const struct loom_matmul_kernels loom_matmul_avx2 = {
	.name = "avx2",
	.mr = MR,
	.nr = NR,
	.path = {
		[LOOM_MATMUL_SEQ] = {
			.elem = 4,
			.convert = loom_matmul_c_to_f32,
			.tile = tile_f32,
		},
		[LOOM_MATMUL_PAIR] = {
			.elem = 4,
			.swap = true,
			.convert = loom_matmul_c_to_f32,
			.tile = tile_f32,
		},
		[LOOM_MATMUL_INT] = {
			.elem = 2,
			.convert = loom_matmul_c_to_s16,
			.tile = tile_s16,
		},
	},
	.interleave = loom_matmul_c_interleave16,
	.transpose = loom_matmul_c_transpose,
	.finish_float = finish_float,
	.finish_int = loom_matmul_c_finish_int,
	.enter = loom_matmul_mxcsr_enter,
	.leave = loom_matmul_mxcsr_leave,
};
#endif
