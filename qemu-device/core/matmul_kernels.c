// SPDX-License-Identifier: MIT
/*
 * Kernel sets of the MATMUL engine: which ones this host can run, and the
 * portable one.
 *
 * The portable set needs nothing but correctly rounded fmaf(); it does the
 * flushing of denormals itself.  It is the fallback for any host and what the
 * fast sets are compared with.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "matmul.h"

#define PORTABLE_MR	4
#define PORTABLE_NR	16

static float from_bits(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static uint32_t to_bits(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

/* A zero of the same sign for what is below the smallest normal number. */
static float flush(float f)
{
	return fabsf(f) < FLT_MIN ? copysignf(0.0f, f) : f;
}

/*
 * A result is tiny if it would be below FLT_MIN after rounding to 24 bits with
 * any exponent, as x86 has it.  fmaf() rounds to fewer bits down there, so it
 * may return FLT_MIN for what is tiny: all below the midpoint between FLT_MIN
 * and its 24-bit predecessor.  The sign of the distance from that midpoint is
 * exact in double.
 */
static bool is_tiny_fma(float a, float b, float c, float r)
{
	double midpoint = copysign(0x1p-126 - 0x1p-151, r);
	double distance = fma(a, b, c - midpoint);

	return r > 0 ? distance < 0 : distance > 0;
}

/* Operands are already flushed. */
static inline float ftz_fma(float a, float b, float c)
{
	float r = fmaf(a, b, c);

	if (fabsf(r) > FLT_MIN || r != r)
		return r;
	if (fabsf(r) < FLT_MIN || is_tiny_fma(a, b, c, r))
		return copysignf(0.0f, r);
	return r;
}

static float ftz_mul(float a, float b)
{
	/* Exact; a tie at the midpoint rounds to FLT_MIN. */
	double exact = (double)flush(a) * (double)flush(b);

	if (fabs(exact) < 0x1p-126 - 0x1p-151)
		return copysignf(0.0f, (float)exact);
	return (float)exact;
}

/* Sums of normal numbers that are tiny are exact. */
static float ftz_add(float a, float b)
{
	return flush(flush(a) + flush(b));
}

/* One line of A by the panel, for one K-tile. */
static void portable_f32_line(const uint8_t *a, const uint32_t *b,
			      size_t groups, uint32_t *acc)
{
	float sum[PORTABLE_NR] = { 0 };
	uint32_t word;

	for (size_t g = 0; g < groups; g++) {
		memcpy(&word, a + 4 * g, sizeof(word));
		float x = flush(from_bits(word));

		for (size_t j = 0; j < PORTABLE_NR; j++)
			sum[j] = ftz_fma(x, flush(from_bits(*b++)), sum[j]);
	}
	for (size_t j = 0; j < PORTABLE_NR; j++)
		acc[j] = to_bits(ftz_add(from_bits(acc[j]), sum[j]));
}

static void portable_f32_tile(const struct loom_matmul_tile *t)
{
	for (size_t g = 0; g < t->groups; g += t->step) {
		size_t n = t->groups - g < t->step ? t->groups - g : t->step;

		for (unsigned int i = 0; i < t->lines; i++)
			portable_f32_line(t->a + i * t->a_stride + 4 * g,
					  t->b + g * PORTABLE_NR, n,
					  t->acc + i * PORTABLE_NR);
	}
}

static int32_t s16_dot(uint32_t a, uint32_t b)
{
	return (int16_t)a * (int16_t)b +
	       (int16_t)(a >> 16) * (int16_t)(b >> 16);
}

static void portable_s16_tile(const struct loom_matmul_tile *t)
{
	for (unsigned int i = 0; i < t->lines; i++) {
		const uint8_t *a = t->a + i * t->a_stride;
		const uint32_t *b = t->b;
		uint32_t *acc = t->acc + i * PORTABLE_NR;
		uint32_t word;

		for (size_t g = 0; g < t->groups; g++) {
			memcpy(&word, a + 4 * g, sizeof(word));
			for (size_t j = 0; j < PORTABLE_NR; j++)
				acc[j] += (uint32_t)s16_dot(word, *b++);
		}
	}
}

/* Scales of f16 have a product that is exact and not tiny, and so are the sums. */
static void portable_block_line(const uint8_t *a, const uint32_t *b,
				uint32_t *acc)
{
	int32_t sum[PORTABLE_NR] = { 0 };
	uint32_t word;

	for (size_t g = 0; g < LOOM_MATMUL_BLOCK_GROUPS - 1; g++, a += 4) {
		memcpy(&word, a, sizeof(word));
		for (size_t j = 0; j < PORTABLE_NR; j++)
			sum[j] += s16_dot(word, *b++);
	}
	memcpy(&word, a, sizeof(word));
	for (size_t j = 0; j < PORTABLE_NR; j++)
		acc[j] = to_bits(fmaf(from_bits(word) * from_bits(*b++),
				      (float)sum[j], from_bits(acc[j])));
}

static void portable_block_tile(const struct loom_matmul_tile *t)
{
	for (size_t g = 0; g < t->groups; g += LOOM_MATMUL_BLOCK_GROUPS) {
		for (unsigned int i = 0; i < t->lines; i++)
			portable_block_line(t->a + i * t->a_stride + 4 * g,
					    t->b + g * PORTABLE_NR,
					    t->acc + i * PORTABLE_NR);
	}
}

static void portable_finish_float(const struct loom_matmul_row *row)
{
	float out[PORTABLE_NR];

	for (size_t j = 0; j < row->n; j++) {
		float t = from_bits(row->acc[j]);

		if (row->scale)
			t = ftz_mul(row->alpha, t);
		if (row->c)
			t = ftz_add(t, from_bits(row->c[j]));
		out[j] = t != t ? from_bits(0x7fc00000) : t;
	}
	loom_from_f32(row->type, out, row->dst, row->n);
}

static uint32_t portable_enter(void)
{
	return 0;
}

static void portable_leave(uint32_t state)
{
	(void)state;
}

/* Shared by the sets ------------------------------------------------------ */

void loom_matmul_c_interleave16(uint32_t elem, const uint8_t *src,
				ptrdiff_t stride, size_t rows, size_t n,
				uint32_t *dst, uint32_t flip)
{
	size_t per = 4 / elem;

	for (size_t g = 0; g * per < rows; g++, dst += 16) {
		for (size_t j = 0; j < 16; j++)
			dst[j] = flip;
		for (size_t r = g * per; r < rows && r < (g + 1) * per; r++) {
			const uint8_t *row = src + (ptrdiff_t)r * stride;
			unsigned int shift = 8 * elem * (r - g * per);

			for (size_t j = 0; j < n; j++) {
				uint32_t word = 0;

				memcpy(&word, row + j * elem, elem);
				dst[j] ^= word << shift;
			}
		}
	}
}

void loom_matmul_c_transpose(const uint8_t *src, size_t src_stride,
			     size_t rows, size_t cols, uint8_t *dst,
			     size_t dst_stride, uint32_t flip)
{
	for (size_t i = 0; i < rows; i++) {
		for (size_t j = 0; j < cols; j++) {
			uint32_t word;

			memcpy(&word, src + i * src_stride + 4 * j, 4);
			word ^= flip;
			memcpy(dst + j * dst_stride + 4 * i, &word, 4);
		}
	}
}

/* Element @i of the block whose elements start at @p, without its scale. */
static int block_value(uint32_t type, const uint8_t *p, int i)
{
	if (type == LOOM_TYPE_Q8_0)
		return (int8_t)p[i];
	return (i < 16 ? p[i] & 15 : p[i - 16] >> 4) - 8;
}

/* The products are exact: 11 bits by 8. */
static void dequantise(uint32_t type, const uint8_t *block, float *dst)
{
	float scale;

	loom_to_f32(LOOM_TYPE_F16, block, &scale, 1);
	for (int i = 0; i < 32; i++)
		dst[i] = scale * (float)block_value(type, block + 2, i);
}

void loom_matmul_c_to_f32(uint32_t type, const void *src, void *dst, size_t n)
{
	const uint8_t *block = src;
	float *out = dst;

	if (type != LOOM_TYPE_Q8_0 && type != LOOM_TYPE_Q4_0) {
		loom_to_f32(type, src, dst, n);
		return;
	}
	for (size_t i = 0; i < n; i += 32) {
		dequantise(type, block, out + i);
		block += type == LOOM_TYPE_Q8_0 ? 34 : 18;
	}
}

void loom_matmul_c_to_s16(uint32_t type, const void *src, void *dst, size_t n)
{
	const int8_t *in = src;
	int16_t *out = dst;

	(void)type;
	for (size_t i = 0; i < n; i++)
		out[i] = in[i];
}

void loom_matmul_c_blocks(uint32_t type, const void *src, void *dst, size_t n)
{
	const uint8_t *in = src;
	uint8_t *out = dst;
	int16_t value[32];
	float scale;

	for (; n; n -= 32, in += type == LOOM_TYPE_Q8_0 ? 34 : 18) {
		loom_to_f32(LOOM_TYPE_F16, in, &scale, 1);
		for (int i = 0; i < 32; i++)
			value[i] = (int16_t)block_value(type, in + 2, i);
		memcpy(out, value, sizeof(value));
		memcpy(out + sizeof(value), &scale, sizeof(scale));
		out += 4 * LOOM_MATMUL_BLOCK_GROUPS;
	}
}

void loom_matmul_c_finish_int(const struct loom_matmul_row *row)
{
	uint8_t *dst = row->dst;

	for (size_t j = 0; j < row->n; j++) {
		uint32_t t = row->acc[j] + row->bias;

		if (row->c)
			t += row->c[j];
		memcpy(dst + 4 * j, &t, sizeof(t));
	}
}

static const struct loom_matmul_kernels portable = {
	.name = "portable",
	.mr = PORTABLE_MR,
	.nr = PORTABLE_NR,
	.path = {
		[LOOM_MATMUL_SEQ] = {
			.elem = 4,
			.convert = loom_matmul_c_to_f32,
			.tile = portable_f32_tile,
			.finish = portable_finish_float,
		},
		[LOOM_MATMUL_PAIR] = {
			.elem = 4,
			.swap = true,
			.convert = loom_matmul_c_to_f32,
			.tile = portable_f32_tile,
			.finish = portable_finish_float,
		},
		[LOOM_MATMUL_INT] = {
			.elem = 2,
			.convert = loom_matmul_c_to_s16,
			.tile = portable_s16_tile,
			.finish = loom_matmul_c_finish_int,
		},
		[LOOM_MATMUL_BLOCK] = {
			.elem = 2,
			.scaled = true,
			.convert = loom_matmul_c_blocks,
			.tile = portable_block_tile,
			.finish = portable_finish_float,
		},
	},
	.interleave = loom_matmul_c_interleave16,
	.transpose = loom_matmul_c_transpose,
	.enter = portable_enter,
	.leave = portable_leave,
};

/* What there is ----------------------------------------------------------- */

#if defined(__x86_64__)
static bool host_has_avx2(void)
{
	/* Whatever has FMA has F16C, which clang does not know by name. */
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool host_has_avx512(void)
{
	return host_has_avx2() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl");
}

static bool host_has_vnni(void)
{
	return host_has_avx512() && __builtin_cpu_supports("avx512vnni");
}

static bool host_has_bf16(void)
{
	return host_has_vnni() && __builtin_cpu_supports("avx512bf16") &&
	       loom_matmul_bf16_exact();
}

static const struct loom_matmul_kernels *
x86_kernels(enum loom_matmul_level level)
{
	switch (level) {
	case LOOM_MATMUL_AVX2:
		return host_has_avx2() ? &loom_matmul_avx2 : NULL;
	case LOOM_MATMUL_AVX512:
		return host_has_avx512() ? &loom_matmul_avx512 : NULL;
	case LOOM_MATMUL_VNNI:
		return host_has_vnni() ? &loom_matmul_vnni : NULL;
	case LOOM_MATMUL_BF16:
		return host_has_bf16() ? &loom_matmul_bf16 : NULL;
	default:
		return NULL;
	}
}
#else
static const struct loom_matmul_kernels *
x86_kernels(enum loom_matmul_level level)
{
	(void)level;
	return NULL;
}
#endif

const struct loom_matmul_kernels *
loom_matmul_kernels(enum loom_matmul_level level)
{
	return level == LOOM_MATMUL_PORTABLE ? &portable : x86_kernels(level);
}
