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
	size_t size = row->type == LOOM_TYPE_F32 ? 4 : 2, whole = row->n & ~7ul;
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

const struct loom_matmul_kernels loom_matmul_avx2 = {
	.name = "avx2",
	.mr = MR,
	.nr = NR,
	.path = {
		[LOOM_MATMUL_SEQ] = {
			.elem = 4,
			.convert = loom_matmul_c_to_f32,
			.tile = tile_f32,
			.finish = finish_float,
		},
		[LOOM_MATMUL_PAIR] = {
			.elem = 4,
			.swap = true,
			.convert = loom_matmul_c_to_f32,
			.tile = tile_f32,
			.finish = finish_float,
		},
		[LOOM_MATMUL_INT] = {
			.elem = 2,
			.convert = loom_matmul_c_to_s16,
			.tile = tile_s16,
			.finish = loom_matmul_c_finish_int,
		},
	},
	.interleave = loom_matmul_c_interleave16,
	.transpose = loom_matmul_c_transpose,
	.enter = loom_matmul_mxcsr_enter,
	.leave = loom_matmul_mxcsr_leave,
};
#endif
