/* SPDX-License-Identifier: MIT */
/*
 * DOC: AVX-512 on a host without it
 *
 * Put before the compiler's own <immintrin.h>, this header makes the AVX-512
 * kernel sets of the MATMUL engine out of AVX2, lane by lane and with no
 * thought of speed, so that they are tested wherever the tests run.  What an
 * instruction does is written down here from its definition; the sums of
 * VDPBF16PS are those that a processor gave when it was asked
 * (loom_matmul_bf16_exact()).
 *
 * The sets get names of their own, so that a program can have both.
 */
#ifndef T_AVX512_IMMINTRIN_H
#define T_AVX512_IMMINTRIN_H

#include_next <immintrin.h>
#include <stdint.h>
#include <string.h>

#define loom_matmul_avx512	t_emulated_avx512
#define loom_matmul_vnni	t_emulated_vnni
#define loom_matmul_bf16	t_emulated_bf16
#define loom_matmul_bf16_exact	t_emulated_bf16_exact

/* Whatever a function asks for, this is what it gets. */
#define target(...)	target("avx2,fma,f16c")

/* Calls, not inline: the compiler is faster by far with the kernels then. */
#define EMULATED	static __attribute__((noinline, unused, \
					      target("avx2,fma,f16c")))

union t_zmm {
	__m512i i;
	__m512 f;
	__m256i half[2];
	__m256 halff[2];
	uint8_t u8[64];
	int8_t s8[64];
	uint16_t u16[32];
	int16_t s16[32];
	uint32_t u32[16];
	int32_t s32[16];
	uint64_t u64[8];
};

/* r.lane[i] = expr for all lanes */
#define EACH(lanes, statement)						\
	for (unsigned int i = 0; i < (lanes); i++) {			\
		statement;						\
	}

/* Loads and stores -------------------------------------------------------- */

EMULATED __m512i t_load(const void *p)
{
	union t_zmm r;

	memcpy(&r, p, sizeof(r));
	return r.i;
}

EMULATED void t_store(void *p, __m512i v)
{
	memcpy(p, &v, sizeof(v));
}

/* Lanes without a bit in @m are not touched in memory. */
EMULATED union t_zmm t_mask_load(uint64_t m, const void *p, size_t size,
				 unsigned int lanes)
{
	union t_zmm r = { .u64 = { 0 } };

	if (!(~m << (64 - lanes))) {
		memcpy(&r, p, size * lanes);
		return r;
	}
	EACH(lanes, if (m >> i & 1)
		memcpy(r.u8 + i * size, (const uint8_t *)p + i * size, size));
	return r;
}

EMULATED void t_mask_store(void *p, uint64_t m, __m512i v, size_t size,
			   unsigned int lanes)
{
	union t_zmm a = { .i = v };

	if (!(~m << (64 - lanes))) {
		memcpy(p, &a, size * lanes);
		return;
	}
	EACH(lanes, if (m >> i & 1)
		memcpy((uint8_t *)p + i * size, a.u8 + i * size, size));
}

EMULATED __m512i t_widen256(__m256i v)
{
	union t_zmm r = { .u64 = { 0 } };

	r.half[0] = v;
	return r.i;
}

#undef _mm512_loadu_si512
#define _mm512_loadu_si512(p)		t_load(p)
#undef _mm512_storeu_si512
#define _mm512_storeu_si512(p, v)	t_store(p, v)
#undef _mm512_loadu_ps
#define _mm512_loadu_ps(p)		((__m512)t_load(p))
#undef _mm512_storeu_ps
#define _mm512_storeu_ps(p, v)		t_store(p, (__m512i)(v))
#undef _mm512_maskz_loadu_epi8
#define _mm512_maskz_loadu_epi8(m, p)	(t_mask_load(m, p, 1, 64).i)
#undef _mm512_maskz_loadu_epi16
#define _mm512_maskz_loadu_epi16(m, p)	(t_mask_load(m, p, 2, 32).i)
#undef _mm512_maskz_loadu_epi32
#define _mm512_maskz_loadu_epi32(m, p)	(t_mask_load(m, p, 4, 16).i)
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps(m, p)	(t_mask_load(m, p, 4, 16).f)
#undef _mm256_maskz_loadu_epi8
#define _mm256_maskz_loadu_epi8(m, p)	(t_mask_load(m, p, 1, 32).half[0])
#undef _mm256_maskz_loadu_epi16
#define _mm256_maskz_loadu_epi16(m, p)	(t_mask_load(m, p, 2, 16).half[0])
#undef _mm_maskz_loadu_epi8
#define _mm_maskz_loadu_epi8(m, p)	\
	_mm256_castsi256_si128(t_mask_load(m, p, 1, 16).half[0])
#undef _mm512_mask_storeu_epi16
#define _mm512_mask_storeu_epi16(p, m, v) \
	t_mask_store(p, m, (__m512i)(v), 2, 32)
#undef _mm512_mask_storeu_epi32
#define _mm512_mask_storeu_epi32(p, m, v) \
	t_mask_store(p, m, (__m512i)(v), 4, 16)
#undef _mm512_mask_storeu_ps
#define _mm512_mask_storeu_ps(p, m, v)	\
	t_mask_store(p, m, (__m512i)(v), 4, 16)
#undef _mm256_mask_storeu_epi16
#define _mm256_mask_storeu_epi16(p, m, v) \
	t_mask_store(p, m, t_widen256(v), 2, 16)

/* The same in all lanes --------------------------------------------------- */

#undef _mm512_setzero_si512
#define _mm512_setzero_si512()	((union t_zmm){ .u64 = { 0 } }.i)
#undef _mm512_setzero_ps
#define _mm512_setzero_ps()	((union t_zmm){ .u64 = { 0 } }.f)

EMULATED __m512i t_set1(uint32_t x)
{
	union t_zmm r;

	EACH(16, r.u32[i] = x);
	return r.i;
}

EMULATED __m512 t_set1_ps(float x)
{
	union t_zmm r;

	r.halff[0] = r.halff[1] = _mm256_set1_ps(x);
	return r.f;
}

#undef _mm512_set1_epi32
#define _mm512_set1_epi32(x)	t_set1((uint32_t)(x))
#undef _mm512_set1_epi16
#define _mm512_set1_epi16(x)	t_set1((uint16_t)(x) * 0x10001u)
#undef _mm512_set1_epi8
#define _mm512_set1_epi8(x)	t_set1((uint8_t)(x) * 0x1010101u)
#undef _mm512_set1_ps
#define _mm512_set1_ps(x)	t_set1_ps(x)
#undef _mm512_set_epi64
#define _mm512_set_epi64(h, g, f, e, d, c, b, a) \
	((union t_zmm){ .u64 = { a, b, c, d, e, f, g, h } }.i)

/* Floating point, half by half -------------------------------------------- */

#define BY_HALVES(name, T, field, expr)					\
EMULATED T name(T va, T vb, T vc)					\
{									\
	union t_zmm a = { .f = (__m512)va }, b = { .f = (__m512)vb };	\
	union t_zmm c = { .f = (__m512)vc }, r;				\
									\
	EACH(2, r.field[i] = expr);					\
	(void)b;							\
	(void)c;							\
	return (T)r.f;							\
}

BY_HALVES(t_add_ps, __m512, halff, _mm256_add_ps(a.halff[i], b.halff[i]))
BY_HALVES(t_mul_ps, __m512, halff, _mm256_mul_ps(a.halff[i], b.halff[i]))
BY_HALVES(t_fma_ps, __m512, halff,
	  _mm256_fmadd_ps(a.halff[i], b.halff[i], c.halff[i]))
BY_HALVES(t_add16, __m512i, half, _mm256_add_epi16(a.half[i], b.half[i]))
BY_HALVES(t_add32, __m512i, half, _mm256_add_epi32(a.half[i], b.half[i]))
BY_HALVES(t_madd, __m512i, half, _mm256_madd_epi16(a.half[i], b.half[i]))
BY_HALVES(t_and, __m512i, half, _mm256_and_si256(a.half[i], b.half[i]))
BY_HALVES(t_xor, __m512i, half, _mm256_xor_si256(a.half[i], b.half[i]))
/* Within lanes of 128 bits, as in AVX2 */
BY_HALVES(t_lo8, __m512i, half, _mm256_unpacklo_epi8(a.half[i], b.half[i]))
BY_HALVES(t_hi8, __m512i, half, _mm256_unpackhi_epi8(a.half[i], b.half[i]))
BY_HALVES(t_lo16, __m512i, half, _mm256_unpacklo_epi16(a.half[i], b.half[i]))
BY_HALVES(t_hi16, __m512i, half, _mm256_unpackhi_epi16(a.half[i], b.half[i]))
BY_HALVES(t_lo32, __m512i, half, _mm256_unpacklo_epi32(a.half[i], b.half[i]))
BY_HALVES(t_hi32, __m512i, half, _mm256_unpackhi_epi32(a.half[i], b.half[i]))
BY_HALVES(t_lo64, __m512i, half, _mm256_unpacklo_epi64(a.half[i], b.half[i]))
BY_HALVES(t_hi64, __m512i, half, _mm256_unpackhi_epi64(a.half[i], b.half[i]))

#undef _mm512_add_ps
#define _mm512_add_ps(a, b)		t_add_ps(a, b, b)
#undef _mm512_mul_ps
#define _mm512_mul_ps(a, b)		t_mul_ps(a, b, b)
#undef _mm512_fmadd_ps
#define _mm512_fmadd_ps(a, b, c)	t_fma_ps(a, b, c)
#undef _mm512_add_epi16
#define _mm512_add_epi16(a, b)		t_add16(a, b, b)
#undef _mm512_add_epi32
#define _mm512_add_epi32(a, b)		t_add32(a, b, b)
#undef _mm512_madd_epi16
#define _mm512_madd_epi16(a, b)		t_madd(a, b, b)
#undef _mm512_and_si512
#define _mm512_and_si512(a, b)		t_and(a, b, b)
#undef _mm512_xor_si512
#define _mm512_xor_si512(a, b)		t_xor(a, b, b)
#undef _mm512_unpacklo_epi8
#define _mm512_unpacklo_epi8(a, b)	t_lo8(a, b, b)
#undef _mm512_unpackhi_epi8
#define _mm512_unpackhi_epi8(a, b)	t_hi8(a, b, b)
#undef _mm512_unpacklo_epi16
#define _mm512_unpacklo_epi16(a, b)	t_lo16(a, b, b)
#undef _mm512_unpackhi_epi16
#define _mm512_unpackhi_epi16(a, b)	t_hi16(a, b, b)
#undef _mm512_unpacklo_epi32
#define _mm512_unpacklo_epi32(a, b)	t_lo32(a, b, b)
#undef _mm512_unpackhi_epi32
#define _mm512_unpackhi_epi32(a, b)	t_hi32(a, b, b)
#undef _mm512_unpacklo_epi64
#define _mm512_unpacklo_epi64(a, b)	t_lo64(a, b, b)
#undef _mm512_unpackhi_epi64
#define _mm512_unpackhi_epi64(a, b)	t_hi64(a, b, b)
#undef _mm512_castps_si512
#define _mm512_castps_si512(a)		((__m512i)(a))
#undef _mm512_castsi512_ps
#define _mm512_castsi512_ps(a)		((__m512)(a))

/* Dot products ------------------------------------------------------------ */

/* The odd pair, then the even one; flushes whatever MXCSR says. */
EMULATED __m512 t_dpbf16(__m512 vc, __m512i va, __m512i vb)
{
	union t_zmm a = { .i = va }, b = { .i = vb }, c = { .f = vc };
	const __m256i high = _mm256_set1_epi32((int)0xffff0000);
	unsigned int mode = _mm_getcsr();

	_mm_setcsr(0x9fc0);
	EACH(2, c.halff[i] = _mm256_fmadd_ps(
		(__m256)_mm256_and_si256(a.half[i], high),
		(__m256)_mm256_and_si256(b.half[i], high), c.halff[i]));
	EACH(2, c.halff[i] = _mm256_fmadd_ps(
		(__m256)_mm256_slli_epi32(a.half[i], 16),
		(__m256)_mm256_slli_epi32(b.half[i], 16), c.halff[i]));
	_mm_setcsr(mode);
	return c.f;
}

/* Four products of @a, unsigned, and @b, signed, to a lane; wraps. */
EMULATED __m512i t_dpbusd(__m512i vc, __m512i va, __m512i vb)
{
	union t_zmm a = { .i = va }, b = { .i = vb }, c = { .i = vc };
	__m256i pairs[4];

	EACH(4, pairs[i] = _mm256_madd_epi16(
		_mm256_cvtepu8_epi16(_mm_loadu_si128(
			(const void *)(a.u8 + 16 * i))),
		_mm256_cvtepi8_epi16(_mm_loadu_si128(
			(const void *)(b.u8 + 16 * i)))));
	EACH(2, c.half[i] = _mm256_add_epi32(c.half[i],
		_mm256_permute4x64_epi64(_mm256_hadd_epi32(
			pairs[2 * i], pairs[2 * i + 1]), 0xd8)));
	return c.i;
}

#undef _mm512_dpbf16_ps
#define _mm512_dpbf16_ps(c, a, b)	t_dpbf16(c, (__m512i)(a), (__m512i)(b))
#undef _mm512_dpbusd_epi32
#define _mm512_dpbusd_epi32(c, a, b)	t_dpbusd(c, a, b)

EMULATED int t_reduce_add(__m512i va)
{
	union t_zmm a = { .i = va };
	uint32_t sum = 0;

	EACH(16, sum += a.u32[i]);
	return (int)sum;
}

#undef _mm512_reduce_add_epi32
#define _mm512_reduce_add_epi32(a)	t_reduce_add(a)

/* Shifts and shuffles ----------------------------------------------------- */

EMULATED __m512i t_shift(__m512i va, unsigned int left, unsigned int right)
{
	union t_zmm a = { .i = va };

	EACH(16, a.u32[i] = a.u32[i] << left >> right);
	return a.i;
}

#undef _mm512_slli_epi32
#define _mm512_slli_epi32(a, n)		t_shift(a, n, 0)
#undef _mm512_srli_epi32
#define _mm512_srli_epi32(a, n)		t_shift(a, 0, n)

EMULATED __m512i t_shuffle_lanes(__m512i va, __m512i vb, unsigned int by)
{
	union t_zmm a = { .i = va }, b = { .i = vb }, r;

	EACH(4, memcpy(r.u64 + 2 * i,
		       (i < 2 ? a : b).u64 + 2 * (by >> 2 * i & 3), 16));
	return r.i;
}

EMULATED __m512i t_permutex2(__m512i va, __m512i vx, __m512i vb)
{
	union t_zmm a = { .i = va }, x = { .i = vx }, b = { .i = vb }, r;

	EACH(32, r.u16[i] = (x.u16[i] & 32 ? b : a).u16[x.u16[i] & 31]);
	return r.i;
}

#undef _mm512_shuffle_i32x4
#define _mm512_shuffle_i32x4(a, b, n)		t_shuffle_lanes(a, b, n)
#undef _mm512_permutex2var_epi16
#define _mm512_permutex2var_epi16(a, x, b)	t_permutex2(a, x, b)

/* Conversions ------------------------------------------------------------- */

EMULATED __m512i t_widen8to16(__m256i va)
{
	union t_zmm a = { .i = t_widen256(va) }, r;

	EACH(32, r.s16[i] = a.s8[i]);
	return r.i;
}

EMULATED __m512i t_widen8to32(__m128i va)
{
	union t_zmm a = { .i = t_widen256(_mm256_castsi128_si256(va)) }, r;

	EACH(16, r.s32[i] = a.s8[i]);
	return r.i;
}

EMULATED __m512i t_widen16(__m256i va)
{
	union t_zmm a = { .i = t_widen256(va) }, r;

	EACH(16, r.u32[i] = a.u16[i]);
	return r.i;
}

EMULATED __m256i t_narrow16(__m512i va)
{
	union t_zmm a = { .i = va }, r;

	EACH(16, r.u16[i] = (uint16_t)a.u32[i]);
	return r.half[0];
}

EMULATED __m512 t_int_to_ps(__m512i va)
{
	union t_zmm a = { .i = va }, r;

	EACH(2, r.halff[i] = _mm256_cvtepi32_ps(a.half[i]));
	return r.f;
}

EMULATED __m512 t_half_to_ps(__m256i va)
{
	union t_zmm r;

	r.halff[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(va));
	r.halff[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(va, 1));
	return r.f;
}

EMULATED __m256i t_ps_to_half(__m512 va)
{
	union t_zmm a = { .f = va };

	return _mm256_set_m128i(
		_mm256_cvtps_ph(a.halff[1], _MM_FROUND_TO_NEAREST_INT),
		_mm256_cvtps_ph(a.halff[0], _MM_FROUND_TO_NEAREST_INT));
}

#undef _mm512_cvtepi8_epi16
#define _mm512_cvtepi8_epi16(a)		t_widen8to16(a)
#undef _mm512_cvtepi8_epi32
#define _mm512_cvtepi8_epi32(a)		t_widen8to32(a)
#undef _mm512_cvtepu16_epi32
#define _mm512_cvtepu16_epi32(a)	t_widen16(a)
#undef _mm512_cvtepi32_epi16
#define _mm512_cvtepi32_epi16(a)	t_narrow16(a)
#undef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps(a)		t_int_to_ps(a)
#undef _mm512_cvtph_ps
#define _mm512_cvtph_ps(a)		t_half_to_ps(a)
#undef _mm512_cvtps_ph
#define _mm512_cvtps_ph(a, rounding)	t_ps_to_half(a)

/* Masks ------------------------------------------------------------------- */

EMULATED __mmask16 t_equal16(__m256i va, __m256i vb)
{
	union t_zmm a = { .i = t_widen256(va) }, b = { .i = t_widen256(vb) };
	unsigned int m = 0;

	EACH(16, m |= (unsigned int)(a.u16[i] == b.u16[i]) << i);
	return (__mmask16)m;
}

EMULATED __mmask16 t_unordered(__m512 va)
{
	union t_zmm a = { .f = va };
	unsigned int m = 0;

	EACH(16, m |= (unsigned int)((a.u32[i] & 0x7fffffff) > 0x7f800000) << i);
	return (__mmask16)m;
}

EMULATED __m512i t_mask_mov(__m512i va, __mmask16 m, __m512i vb)
{
	union t_zmm a = { .i = va }, b = { .i = vb };

	EACH(16, a.u32[i] = m >> i & 1 ? b.u32[i] : a.u32[i]);
	return a.i;
}

#undef _mm256_cmpeq_epi16_mask
#define _mm256_cmpeq_epi16_mask(a, b)	t_equal16(a, b)
/* The kernels compare a number with itself, to find NaN. */
#undef _mm512_cmp_ps_mask
#define _mm512_cmp_ps_mask(a, b, op)	t_unordered(a)
#undef _mm512_mask_mov_epi32
#define _mm512_mask_mov_epi32(a, m, b)	t_mask_mov(a, m, b)

#endif
