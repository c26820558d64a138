// SPDX-License-Identifier: MIT
/*
 * Kernel sets of the MATMUL engine for x86 with AVX-512, without and with the
 * dot products of VNNI (s8) and BF16.
 *
 * Tiles of 6 lines of A by 64 of B: 24 registers of sums, 4 of B and one of A,
 * which needs 10 loads for 24 multiply-adds.  MXCSR does the flushing of
 * denormals; VDPBF16PS flushes in any case.
 */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "matmul.h"

#define MR	6
#define NR	64
#define ISA	"avx512f,avx512bw,avx512vl,f16c"
#define TARGET	__attribute__((target(ISA)))
#define TARGET_VNNI	__attribute__((target(ISA ",avx512vnni")))
#define TARGET_BF16	__attribute__((target(ISA ",avx512bf16")))
#define INLINE	static inline __attribute__((always_inline)) TARGET
#if defined(__clang__)
#define UNROLL	_Pragma("unroll")
#else
#define UNROLL	_Pragma("GCC unroll 16")
#endif

INLINE __m512i load(const void *p)
{
	return _mm512_loadu_si512(p);
}

INLINE void store(void *p, __m512i v)
{
	_mm512_storeu_si512(p, v);
}

INLINE __m512i broadcast(const uint8_t *p)
{
	int32_t word;

	memcpy(&word, p, sizeof(word));
	return _mm512_set1_epi32(word);
}

/* The first @n of 16 lanes. */
INLINE __mmask16 first16(size_t n)
{
	return n >= 16 ? 0xffff : (__mmask16)((1u << n) - 1);
}

/* The first @n of 64 lanes. */
INLINE __mmask64 first64(size_t n)
{
	return n >= 64 ? ~0ull : (1ull << n) - 1;
}

/* Kernels ----------------------------------------------------------------- */

/*
 * What a kernel does with its registers.  The sums have the type that their
 * instructions want: the compiler cannot keep 24 of any other in registers.
 */
typedef uint32_t v16u __attribute__((vector_size(64)));

#define F32_SUM		__m512
#define F32_LOAD(p)	_mm512_loadu_ps(p)
#define F32_STORE(p, v)	_mm512_storeu_ps(p, v)
#define F32_ZERO()	_mm512_setzero_ps()
#define F32_ADD(a, b)	_mm512_add_ps(a, b)
#define S32_SUM		v16u
#define S32_LOAD(p)	(v16u)_mm512_loadu_si512(p)
#define S32_STORE(p, v)	_mm512_storeu_si512(p, (__m512i)(v))
#define S32_ZERO()	((v16u) { 0 })
#define S32_ADD(a, b)	((a) + (b))

#define DOT_F32(c, a, b) _mm512_fmadd_ps(_mm512_castsi512_ps(a), \
					 _mm512_castsi512_ps(b), c)
#define DOT_BF16(c, a, b) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))
#define DOT_S16(c, a, b) ((c) + (v16u)_mm512_madd_epi16(a, b))
/* B is the unsigned operand, so that A can stay what it is. */
#define DOT_S8(c, a, b)	(v16u)_mm512_dpbusd_epi32((__m512i)(c), b, a)

/* The loops of a kernel; @lines is a constant, so all of @c is in registers. */
#define DEFINE_TILE(name, target, T, dot)				\
target static inline __attribute__((always_inline))			\
void name##_lines(const struct loom_matmul_tile *t, const unsigned int lines) \
{									\
	const uint8_t *a = t->a;					\
	const uint32_t *b = t->b;					\
									\
	for (size_t left = t->groups; left;) {				\
		size_t n = left < t->step ? left : t->step;		\
		uint32_t *acc = t->acc;					\
		T##_SUM c[MR][4];					\
									\
		left -= n;						\
		UNROLL for (unsigned int i = 0; i < lines; i++)		\
			UNROLL for (unsigned int j = 0; j < 4; j++)	\
				c[i][j] = T##_ZERO();			\
		for (; n; n--, a += 4, b += NR) {			\
			__m512i x, y[4];				\
									\
			UNROLL for (unsigned int j = 0; j < 4; j++)	\
				y[j] = load(b + 16 * j);		\
			UNROLL for (unsigned int i = 0; i < lines; i++) { \
				x = broadcast(a + i * t->a_stride);	\
				UNROLL for (unsigned int j = 0; j < 4; j++) \
					c[i][j] = dot(c[i][j], x, y[j]); \
			}						\
		}							\
		UNROLL for (unsigned int i = 0; i < lines; i++, acc += NR) \
			UNROLL for (unsigned int j = 0; j < 4; j++)	\
				T##_STORE(acc + 16 * j, T##_ADD(	\
					T##_LOAD(acc + 16 * j), c[i][j])); \
	}								\
}									\
									\
target static void name(const struct loom_matmul_tile *t)		\
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

DEFINE_TILE(tile_f32, TARGET, F32, DOT_F32)
DEFINE_TILE(tile_s16, TARGET, S32, DOT_S16)
DEFINE_TILE(tile_s8, TARGET_VNNI, S32, DOT_S8)
DEFINE_TILE(tile_bf16, TARGET_BF16, F32, DOT_BF16)

/* Sums of a block, as of pairs, then its scales; the lines go on from @acc. */
INLINE void tile_block(const struct loom_matmul_tile *t, size_t g,
		       const unsigned int lines)
{
	const uint8_t *a = t->a + 4 * g, *end = a + 4 * 16;
	const uint32_t *b = t->b + g * NR;
	uint32_t *acc = t->acc;
	v16u c[MR][4];

	UNROLL for (unsigned int i = 0; i < lines; i++)
		UNROLL for (unsigned int j = 0; j < 4; j++)
			c[i][j] = S32_ZERO();
	for (; a < end; a += 4, b += NR) {
		__m512i x, y[4];

		UNROLL for (unsigned int j = 0; j < 4; j++)
			y[j] = load(b + 16 * j);
		UNROLL for (unsigned int i = 0; i < lines; i++) {
			x = broadcast(a + i * t->a_stride);
			UNROLL for (unsigned int j = 0; j < 4; j++)
				c[i][j] = DOT_S16(c[i][j], x, y[j]);
		}
	}
	UNROLL for (unsigned int i = 0; i < lines; i++, acc += NR) {
		__m512 x = _mm512_castsi512_ps(broadcast(a + i * t->a_stride));

		UNROLL for (unsigned int j = 0; j < 4; j++)
			F32_STORE(acc + 16 * j, _mm512_fmadd_ps(
				_mm512_mul_ps(x, F32_LOAD(b + 16 * j)),
				_mm512_cvtepi32_ps((__m512i)c[i][j]),
				F32_LOAD(acc + 16 * j)));
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

/*
 * One step with sums whose order, rounding and flushing matter, and what Loom
 * defines to come out.  An instruction set says little about such things, so
 * ask the processor.
 */
TARGET_BF16 bool loom_matmul_bf16_exact(void)
{
	/* acc, odd a, odd b, even a, even b, result: as bits */
	static const uint32_t row[][6] = {
		/* odd first: 2^24 + 1 - 2^24 loses the 1 */
		{ 0x4b800000, 0x3f80, 0x3f80, 0xcb80, 0x3f80, 0x00000000 },
		{ 0x4b800000, 0xcb80, 0x3f80, 0x3f80, 0x3f80, 0x3f800000 },
		/* each sum is rounded, to even */
		{ 0x3f800000, 0x3300, 0x3f80, 0x3300, 0x3f80, 0x3f800000 },
		{ 0x3f800001, 0x3380, 0x3f80, 0x0000, 0x0000, 0x3f800002 },
		/* denormal operands and results are zero */
		{ 0x00000000, 0x007f, 0x7f00, 0x0000, 0x0000, 0x00000000 },
		{ 0x00400000, 0x0000, 0x0000, 0x0000, 0x0000, 0x00000000 },
		{ 0x00000000, 0x9f80, 0x1f80, 0x0000, 0x0000, 0x00000000 },
		/* and so is a difference of normal numbers */
		{ 0x00800001, 0x8080, 0x3f80, 0x0000, 0x0000, 0x00000000 },
	};
	const size_t rows = sizeof(row) / sizeof(row[0]);
	uint32_t acc[16] = { 0 }, a[16] = { 0 }, b[16] = { 0 };
	bool exact = true;

	for (size_t i = 0; i < rows; i++) {
		acc[i] = row[i][0];
		a[i] = row[i][1] << 16 | row[i][3];
		b[i] = row[i][2] << 16 | row[i][4];
	}
	_mm512_storeu_ps(acc, DOT_BF16(_mm512_loadu_ps(acc), load(a), load(b)));
	for (size_t i = 0; i < rows; i++)
		exact &= acc[i] == row[i][5];
	return exact;
}

/* Packing ----------------------------------------------------------------- */

/* Transpose 4 x 4 blocks of 128 bits: out[i] is lane i of the four inputs. */
INLINE void transpose_lanes(const __m512i in[4], __m512i out[4])
{
	__m512i even01 = _mm512_shuffle_i32x4(in[0], in[1], 0x88);
	__m512i odd01 = _mm512_shuffle_i32x4(in[0], in[1], 0xdd);
	__m512i even23 = _mm512_shuffle_i32x4(in[2], in[3], 0x88);
	__m512i odd23 = _mm512_shuffle_i32x4(in[2], in[3], 0xdd);

	out[0] = _mm512_shuffle_i32x4(even01, even23, 0x88);
	out[1] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
	out[2] = _mm512_shuffle_i32x4(even01, even23, 0xdd);
	out[3] = _mm512_shuffle_i32x4(odd01, odd23, 0xdd);
}

/* Transpose 16 x 16 words in registers. */
INLINE void transpose16(__m512i v[16])
{
	__m512i t[16], u[4];

	UNROLL for (int i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
	}
	UNROLL for (int i = 0; i < 16; i += 4) {
		v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	/* Now lane l of v[4 * q + r] is column 4 * l + r of rows 4 * q... */
	UNROLL for (int r = 0; r < 4; r++) {
		__m512i in[4] = { v[r], v[4 + r], v[8 + r], v[12 + r] };

		transpose_lanes(in, u);
		t[r] = u[0];
		t[4 + r] = u[1];
		t[8 + r] = u[2];
		t[12 + r] = u[3];
	}
	UNROLL for (int i = 0; i < 16; i++)
		v[i] = t[i];
}

TARGET static void transpose(const uint8_t *src, size_t src_stride,
			     size_t rows, size_t cols, uint8_t *dst,
			     size_t dst_stride, uint32_t flip)
{
	const __m512i mask = _mm512_set1_epi32((int)flip);
	__m512i v[16];

	for (size_t i = 0; i < rows; i += 16) {
		size_t tall = rows - i < 16 ? rows - i : 16;

		for (size_t j = 0; j < cols; j += 16) {
			size_t wide = cols - j < 16 ? cols - j : 16;
			const uint8_t *s = src + i * src_stride + 4 * j;
			uint8_t *d = dst + j * dst_stride + 4 * i;

			UNROLL for (size_t r = 0; r < 16; r++)
				v[r] = _mm512_maskz_loadu_epi32(
					r < tall ? first16(wide) : 0,
					s + (r < tall ? r : 0) * src_stride);
			transpose16(v);
			UNROLL for (size_t c = 0; c < 16; c++)
				_mm512_mask_storeu_epi32(
					d + (c < wide ? c : 0) * dst_stride,
					c < wide ? first16(tall) : 0,
					_mm512_xor_si512(v[c], mask));
		}
	}
}

INLINE void interleave4(const uint8_t *src, ptrdiff_t stride, size_t rows,
			size_t n, uint32_t *dst)
{
	for (size_t r = 0; r < rows; r++, src += stride, dst += NR)
		for (size_t j = 0; j < NR; j += 16)
			store(dst + j, _mm512_maskz_loadu_epi32(
				j < n ? first16(n - j) : 0, src + 4 * j));
}

/* Which words of two rows make the first 16 pairs. */
INLINE __m512i pairs_low(void)
{
	return _mm512_set_epi64(
		0x002f000f002e000e, 0x002d000d002c000c, 0x002b000b002a000a,
		0x0029000900280008, 0x0027000700260006, 0x0025000500240004,
		0x0023000300220002, 0x0021000100200000);
}

INLINE void interleave2(const uint8_t *src, ptrdiff_t stride, size_t rows,
			size_t n, uint32_t *dst)
{
	const __m512i low = pairs_low();
	const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));

	for (size_t r = 0; r < rows; r += 2, src += 2 * stride) {
		for (size_t j = 0; j < NR; j += 32, dst += 32) {
			__mmask32 m = j < n ? (__mmask32)first64(n - j) : 0;
			__mmask32 m1 = r + 1 < rows ? m : 0;
			const uint8_t *s = src + 2 * j;
			__m512i x = _mm512_maskz_loadu_epi16(m, s);
			__m512i y = _mm512_maskz_loadu_epi16(
				m1, m1 ? s + stride : s);

			store(dst, _mm512_permutex2var_epi16(x, low, y));
			store(dst + 16, _mm512_permutex2var_epi16(x, high, y));
		}
	}
}

INLINE void interleave1(const uint8_t *src, ptrdiff_t stride, size_t rows,
			size_t n, uint32_t *dst, uint32_t flip)
{
	const __m512i mask = _mm512_set1_epi32((int)flip);
	const __mmask64 m = first64(n);

	for (size_t r = 0; r < rows; r += 4, src += 4 * stride, dst += NR) {
		__m512i v[4], w[4];

		UNROLL for (size_t i = 0; i < 4; i++)
			v[i] = r + i < rows ? _mm512_maskz_loadu_epi8(
				m, src + (ptrdiff_t)i * stride) :
				_mm512_setzero_si512();
		w[0] = _mm512_unpacklo_epi8(v[0], v[1]);
		w[1] = _mm512_unpackhi_epi8(v[0], v[1]);
		w[2] = _mm512_unpacklo_epi8(v[2], v[3]);
		w[3] = _mm512_unpackhi_epi8(v[2], v[3]);
		v[0] = _mm512_unpacklo_epi16(w[0], w[2]);
		v[1] = _mm512_unpackhi_epi16(w[0], w[2]);
		v[2] = _mm512_unpacklo_epi16(w[1], w[3]);
		v[3] = _mm512_unpackhi_epi16(w[1], w[3]);
		transpose_lanes(v, w);
		UNROLL for (size_t i = 0; i < 4; i++)
			store(dst + 16 * i, _mm512_xor_si512(w[i], mask));
	}
}

TARGET static void interleave(uint32_t elem, const uint8_t *src,
			      ptrdiff_t stride, size_t rows, size_t n,
			      uint32_t *dst, uint32_t flip)
{
	if (elem == 4)
		interleave4(src, stride, rows, n, dst);
	else if (elem == 2)
		interleave2(src, stride, rows, n, dst);
	else
		interleave1(src, stride, rows, n, dst, flip);
}

/* Conversion -------------------------------------------------------------- */

/*
 * As f16 a shifted E4M3 is 2^8 times too small, denormals included; only its
 * NaN needs care.
 */
INLINE __m512 e4m3_to_f32(__m128i x)
{
	__m256i wide = _mm256_cvtepu8_epi16(x);
	__m256i mag = _mm256_and_si256(wide, _mm256_set1_epi16(0x7f));
	__m256i sign = _mm256_and_si256(wide, _mm256_set1_epi16(0x80));
	__m256i half = _mm256_or_si256(_mm256_slli_epi16(mag, 7),
				       _mm256_slli_epi16(sign, 8));
	__mmask16 nan = _mm256_cmpeq_epi16_mask(mag, _mm256_set1_epi16(0x7f));
	__m512 f = _mm512_mul_ps(_mm512_cvtph_ps(half),
				 _mm512_set1_ps(256.0f));

	return _mm512_castsi512_ps(_mm512_mask_mov_epi32(
		_mm512_castps_si512(f), nan, _mm512_set1_epi32(0x7fc00000)));
}

INLINE __m512 e5m2_to_f32(__m128i x)
{
	return _mm512_cvtph_ps(_mm256_slli_epi16(_mm256_cvtepu8_epi16(x), 8));
}

/* 16 elements of @type, those of @m. */
INLINE __m512 load_f32(uint32_t type, const uint8_t *src, __mmask16 m)
{
	__m256i half;

	switch (type) {
	case LOOM_TYPE_F32:
		return _mm512_maskz_loadu_ps(m, src);
	case LOOM_TYPE_F16:
		half = _mm256_maskz_loadu_epi16(m, src);
		return _mm512_cvtph_ps(half);
	case LOOM_TYPE_BF16:
		half = _mm256_maskz_loadu_epi16(m, src);
		return _mm512_castsi512_ps(_mm512_slli_epi32(
			_mm512_cvtepu16_epi32(half), 16));
	case LOOM_TYPE_F8E4M3:
		return e4m3_to_f32(_mm_maskz_loadu_epi8(m, src));
	default:
		return e5m2_to_f32(_mm_maskz_loadu_epi8(m, src));
	}
}

INLINE __m512 scale_s8(__m512 scale, __m128i values)
{
	return _mm512_mul_ps(scale, _mm512_cvtepi32_ps(
		_mm512_cvtepi8_epi32(values)));
}

INLINE void dequantise(uint32_t type, const uint8_t *block, float *dst)
{
	__m128i low, high;
	uint16_t bits;

	memcpy(&bits, block, sizeof(bits));
	low = _mm_loadu_si128((const void *)(block + 2));
	if (type == LOOM_TYPE_Q8_0) {
		high = _mm_loadu_si128((const void *)(block + 18));
	} else {
		const __m128i nibble = _mm_set1_epi8(15);
		const __m128i eight = _mm_set1_epi8(8);

		high = _mm_and_si128(_mm_srli_epi16(low, 4), nibble);
		high = _mm_sub_epi8(high, eight);
		low = _mm_sub_epi8(_mm_and_si128(low, nibble), eight);
	}
	__m512 scale = _mm512_set1_ps(_cvtsh_ss(bits));

	_mm512_storeu_ps(dst, scale_s8(scale, low));
	_mm512_storeu_ps(dst + 16, scale_s8(scale, high));
}

INLINE void convert_f32(uint32_t type, const uint8_t *src, size_t size,
			float *dst, size_t n)
{
	for (size_t i = 0; i < n; i += 16) {
		__mmask16 m = first16(n - i);

		_mm512_mask_storeu_ps(dst + i, m,
				      load_f32(type, src + i * size, m));
	}
}

TARGET static void to_f32(uint32_t type, const void *src, void *dst, size_t n)
{
	const uint8_t *block = src;
	float *out = dst;

	switch (type) {
	case LOOM_TYPE_F32:
		convert_f32(LOOM_TYPE_F32, src, 4, dst, n);
		break;
	case LOOM_TYPE_F16:
		convert_f32(LOOM_TYPE_F16, src, 2, dst, n);
		break;
	case LOOM_TYPE_BF16:
		convert_f32(LOOM_TYPE_BF16, src, 2, dst, n);
		break;
	case LOOM_TYPE_F8E4M3:
		convert_f32(LOOM_TYPE_F8E4M3, src, 1, dst, n);
		break;
	case LOOM_TYPE_F8E5M2:
		convert_f32(LOOM_TYPE_F8E5M2, src, 1, dst, n);
		break;
	case LOOM_TYPE_Q8_0:
		for (size_t i = 0; i < n; i += 32, block += 34)
			dequantise(LOOM_TYPE_Q8_0, block, out + i);
		break;
	default:
		for (size_t i = 0; i < n; i += 32, block += 18)
			dequantise(LOOM_TYPE_Q4_0, block, out + i);
		break;
	}
}

/* Every fp8 number is a bf16 number, so dropping the low half is exact. */
INLINE void convert_bf16(uint32_t type, const uint8_t *src, uint16_t *dst,
			 size_t n)
{
	for (size_t i = 0; i < n; i += 16) {
		__mmask16 m = first16(n - i);
		__m512i f = _mm512_castps_si512(load_f32(type, src + i, m));

		_mm256_mask_storeu_epi16(dst + i, m, _mm512_cvtepi32_epi16(
			_mm512_srli_epi32(f, 16)));
	}
}

TARGET static void f8_to_bf16(uint32_t type, const void *src, void *dst,
			      size_t n)
{
	if (type == LOOM_TYPE_F8E4M3)
		convert_bf16(LOOM_TYPE_F8E4M3, src, dst, n);
	else
		convert_bf16(LOOM_TYPE_F8E5M2, src, dst, n);
}

TARGET static void s8_to_s16(uint32_t type, const void *src, void *dst,
			     size_t n)
{
	const uint8_t *in = src;
	uint16_t *out = dst;

	(void)type;
	for (size_t i = 0; i < n; i += 32) {
		__mmask32 m = (__mmask32)first64(n - i);

		_mm512_mask_storeu_epi16(out + i, m, _mm512_cvtepi8_epi16(
			_mm256_maskz_loadu_epi8(m, in + i)));
	}
}

TARGET_VNNI static uint32_t sum_s8(const uint8_t *a, size_t groups)
{
	const __m512i ones = _mm512_set1_epi8(1);
	__m512i sum = _mm512_setzero_si512();

	for (size_t g = 0; g < groups; g += 16) {
		__m512i v = _mm512_maskz_loadu_epi32(
			groups - g >= 16 ? 0xffff :
			(__mmask16)((1u << (groups - g)) - 1), a + 4 * g);

		sum = _mm512_dpbusd_epi32(sum, ones, v);
	}
	return (uint32_t)_mm512_reduce_add_epi32(sum);
}

/* Thin products ----------------------------------------------------------- */

#define ROW_GROUPS	4	/* groups of rows that are gone through at once */

/* Of rows that come next, what lies below the panel at @p. */
INLINE void prefetch_row(const uint8_t *p, size_t bytes)
{
	UNROLL for (size_t i = 0; i < bytes; i += 64)
		_mm_prefetch(p + i, _MM_HINT_T1);
}

/* 64 groups side by side: elements of row p. */
INLINE void rows_f32(const uint8_t *p, ptrdiff_t stride, uint32_t type,
		     __m512i v[4])
{
	size_t size = type == LOOM_TYPE_F32 ? 4 : 2;

	prefetch_row(p + ROW_GROUPS * stride, size * NR);
	UNROLL for (size_t j = 0; j < 4; j++)
		v[j] = _mm512_castps_si512(load_f32(type, p + 16 * j * size,
						    0xffff));
}

/* Of row p and the next. */
INLINE void rows_bf16(const uint8_t *p, ptrdiff_t stride, uint32_t type,
		      __m512i v[4])
{
	const __m512i low = pairs_low();
	const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));

	(void)type;
	prefetch_row(p + 2 * ROW_GROUPS * stride, 2 * NR);
	prefetch_row(p + (2 * ROW_GROUPS + 1) * stride, 2 * NR);
	UNROLL for (int j = 0; j < 2; j++, p += 64) {
		__m512i x = load(p), y = load(p + stride);

		v[2 * j] = _mm512_permutex2var_epi16(x, low, y);
		v[2 * j + 1] = _mm512_permutex2var_epi16(x, high, y);
	}
}

/* Row of group @g; @swap: of f32 in the order 1, 0, 3, 2, ... */
INLINE const uint8_t *row_of(const struct loom_matmul_rows *r, size_t g,
			     size_t per, size_t swap)
{
	return r->b + (ptrdiff_t)(per * (g ^ swap)) * r->b_stride;
}

/*
 * Groups @g0 to @end for one panel.  As DEFINE_TILE(), but groups are made of
 * @per rows of B on the way; sums wait in memory for the next few rows.
 */
#define DEFINE_ROWS(name, target, per, size, swap, type, rows, dot)	\
target static inline __attribute__((always_inline))			\
void name##_panel(const struct loom_matmul_rows *r, size_t panel,	\
		  size_t g0, size_t end, const unsigned int lines)	\
{									\
	size_t at = panel * lines * NR;					\
	const bool last = end == r->groups;				\
	uint32_t *sum = r->sum + at, *to = (last ? r->acc : r->sum) + at; \
	__m512 c[LOOM_MATMUL_THIN][4];					\
	__m512i x, y[4];						\
									\
	UNROLL for (unsigned int i = 0; i < lines; i++, sum += NR)	\
		UNROLL for (unsigned int j = 0; j < 4; j++)		\
			c[i][j] = g0 ? _mm512_loadu_ps(sum + 16 * j) :	\
				       _mm512_setzero_ps();		\
	for (size_t g = g0; g < end; g++) {				\
		rows(row_of(r, g, per, swap) + panel * NR * (size),	\
		     r->b_stride, type, y);				\
		UNROLL for (unsigned int i = 0; i < lines; i++) {	\
			x = broadcast(r->a + i * r->a_stride + 4 * g);	\
			UNROLL for (unsigned int j = 0; j < 4; j++)	\
				c[i][j] = dot(c[i][j], x, y[j]);	\
		}							\
	}								\
	UNROLL for (unsigned int i = 0; i < lines; i++, to += NR)	\
		UNROLL for (unsigned int j = 0; j < 4; j++)		\
			_mm512_storeu_ps(to + 16 * j, !last ? c[i][j] :	\
				_mm512_add_ps(_mm512_loadu_ps(to + 16 * j), \
					      c[i][j]));		\
}									\
									\
target static void name(const struct loom_matmul_rows *r)		\
{									\
	for (size_t g = 0, end; g < r->groups; g = end) {		\
		end = r->groups - g < ROW_GROUPS ? r->groups :		\
						   g + ROW_GROUPS;	\
		for (size_t p = 0; p < r->panels; p++) {		\
			switch (r->lines) {				\
			case 1: name##_panel(r, p, g, end, 1); break;	\
			case 2: name##_panel(r, p, g, end, 2); break;	\
			case 3: name##_panel(r, p, g, end, 3); break;	\
			default: name##_panel(r, p, g, end, 4); break;	\
			}						\
		}							\
	}								\
}

DEFINE_ROWS(rows_of_f32, TARGET, 1, 4, 0, LOOM_TYPE_F32, rows_f32, DOT_F32)
DEFINE_ROWS(rows_of_f16, TARGET, 1, 2, 0, LOOM_TYPE_F16, rows_f32, DOT_F32)
DEFINE_ROWS(rows_of_bf16, TARGET, 1, 2, 1, LOOM_TYPE_BF16, rows_f32, DOT_F32)
DEFINE_ROWS(rows_of_pairs, TARGET_BF16, 2, 2, 0, LOOM_TYPE_BF16, rows_bf16,
	    DOT_BF16)

TARGET static void rows_f32_f16(const struct loom_matmul_rows *r)
{
	if (r->type == LOOM_TYPE_F32)
		rows_of_f32(r);
	else
		rows_of_f16(r);
}

/* Sums of integers have no order: 16 lines of B by one of A, along k. */
TARGET_VNNI static inline __attribute__((always_inline))
__m512i sixteen_sums(const uint8_t *a, const uint8_t *b, ptrdiff_t stride,
		     size_t bytes)
{
	const __m512i flip = _mm512_set1_epi32((int)0x80808080);
	__m512i c[16];

	UNROLL for (int r = 0; r < 16; r++)
		c[r] = _mm512_setzero_si512();
	for (size_t k = 0; k < bytes; k += 64, b += 64) {
		__m512i x = load(a + k);

		UNROLL for (int r = 0; r < 16; r++) {
			c[r] = _mm512_dpbusd_epi32(c[r], _mm512_xor_si512(
				load(b + r * stride), flip), x);
		}
	}
	transpose16(c);
	UNROLL for (int r = 1; r < 16; r++)
		c[0] = _mm512_add_epi32(c[0], c[r]);
	return c[0];
}

TARGET_VNNI static void thin_s8(const struct loom_matmul_thin *t)
{
	const uint8_t *b = t->b;
	uint32_t *acc = t->acc;

	for (size_t p = 0; p < t->panels; p++, acc += t->lines * NR) {
		for (unsigned int j = 0; j < NR; j += 16) {
			for (unsigned int i = 0; i < t->lines; i++) {
				uint32_t *to = acc + i * NR + j;

				store(to, _mm512_add_epi32(load(to), sixteen_sums(
					t->a + i * t->a_stride, b, t->b_stride,
					t->k)));
			}
			b += 16 * t->b_stride;
		}
	}
}

/* Epilogue ---------------------------------------------------------------- */

/* @f is no denormal, and NaN is canonical, which cannot overflow. */
INLINE __m256i round_bf16(__m512 f)
{
	__m512i bits = _mm512_castps_si512(f);
	__m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16),
				       _mm512_set1_epi32(1));
	__m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, odd),
				       _mm512_set1_epi32(0x7fff));

	return _mm512_cvtepi32_epi16(_mm512_srli_epi32(sum, 16));
}

INLINE __m512 finish16(const struct loom_matmul_row *row, size_t j,
		       __mmask16 m)
{
	__m512 t = _mm512_maskz_loadu_ps(m, row->acc + j);
	__mmask16 nan;

	if (row->scale)
		t = _mm512_mul_ps(_mm512_set1_ps(row->alpha), t);
	if (row->c)
		t = _mm512_add_ps(t, _mm512_maskz_loadu_ps(m, row->c + j));
	nan = _mm512_cmp_ps_mask(t, t, _CMP_UNORD_Q);
	return _mm512_castsi512_ps(_mm512_mask_mov_epi32(
		_mm512_castps_si512(t), nan, _mm512_set1_epi32(0x7fc00000)));
}

TARGET static void finish_float(const struct loom_matmul_row *row)
{
	uint8_t *dst = row->dst;

	for (size_t j = 0; j < row->n; j += 16) {
		__mmask16 m = first16(row->n - j);
		__m512 t = finish16(row, j, m);

		if (row->type == LOOM_TYPE_F32)
			_mm512_mask_storeu_ps(dst + 4 * j, m, t);
		else if (row->type == LOOM_TYPE_F16)
			_mm256_mask_storeu_epi16(dst + 2 * j, m,
				_mm512_cvtps_ph(t, _MM_FROUND_TO_NEAREST_INT));
		else
			_mm256_mask_storeu_epi16(dst + 2 * j, m,
						 round_bf16(t));
	}
}

TARGET static void finish_int(const struct loom_matmul_row *row)
{
	const __m512i bias = _mm512_set1_epi32((int)row->bias);
	uint8_t *dst = row->dst;

	for (size_t j = 0; j < row->n; j += 16) {
		__mmask16 m = first16(row->n - j);
		__m512i t = _mm512_maskz_loadu_epi32(m, row->acc + j);

		t = _mm512_add_epi32(t, bias);
		if (row->c)
			t = _mm512_add_epi32(t, _mm512_maskz_loadu_epi32(
				m, row->c + j));
		_mm512_mask_storeu_epi32(dst + 4 * j, m, t);
	}
}

/* The sets ---------------------------------------------------------------- */

#define PATH_F32 {							\
	.elem = 4, .convert = to_f32, .tile = tile_f32,			\
	.rows = rows_f32_f16,						\
	.row_types = 1u << LOOM_TYPE_F32 | 1u << LOOM_TYPE_F16,		\
	LOOM_MATMUL_AVX2_THIN(LOOM_MATMUL_SEQ_TYPES),			\
	.finish = finish_float,						\
}
#define PATH_F32_PAIR {							\
	.elem = 4, .swap = true, .convert = to_f32, .tile = tile_f32,	\
	.rows = rows_of_bf16, .row_types = 1u << LOOM_TYPE_BF16,	\
	LOOM_MATMUL_AVX2_THIN(1u << LOOM_TYPE_BF16),			\
	.finish = finish_float,						\
}
#define PATH_BF16 {							\
	.elem = 2, .convert = f8_to_bf16, .tile = tile_bf16,		\
	.rows = rows_of_pairs, .row_types = 1u << LOOM_TYPE_BF16,	\
	.finish = finish_float,						\
}
#define PATH_BLOCK {							\
	LOOM_MATMUL_AVX2_BLOCKS, .tile = tile_blocks,			\
	.finish = finish_float,						\
}
#define PATH_S16 {							\
	.elem = 2, .convert = s8_to_s16, .tile = tile_s16,		\
	.finish = finish_int,						\
}
#define PATH_S8 {							\
	.elem = 1, .flip = 0x80808080, .tile = tile_s8,			\
	.thin = thin_s8, .line_types = 1u << LOOM_TYPE_I8, .line_k = 64, \
	.sum = sum_s8, .finish = finish_int,				\
}

#define DEFINE_KERNELS(set, pair, integer)				\
const struct loom_matmul_kernels loom_matmul_##set = {			\
	.name = #set,							\
	.mr = MR,							\
	.nr = NR,							\
	.path = {							\
		[LOOM_MATMUL_SEQ] = PATH_F32,				\
		[LOOM_MATMUL_PAIR] = pair,				\
		[LOOM_MATMUL_INT] = integer,				\
		[LOOM_MATMUL_BLOCK] = PATH_BLOCK,			\
	},								\
	.interleave = interleave,					\
	.transpose = transpose,						\
	.enter = loom_matmul_mxcsr_enter,				\
	.leave = loom_matmul_mxcsr_leave,				\
}

DEFINE_KERNELS(avx512, PATH_F32_PAIR, PATH_S16);
DEFINE_KERNELS(vnni, PATH_F32_PAIR, PATH_S8);
DEFINE_KERNELS(bf16, PATH_BF16, PATH_S8);
#endif
