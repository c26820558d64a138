// SPDX-License-Identifier: MIT
/*
 * Data types: sizes and conversions.
 */
#include <string.h>

#include "simd.h"
#include "types.h"

static const uint8_t type_size[LOOM_TYPE_COUNT] = {
	[LOOM_TYPE_F32] = 4,
	[LOOM_TYPE_F16] = 2,
	[LOOM_TYPE_BF16] = 2,
	[LOOM_TYPE_F8E4M3] = 1,
	[LOOM_TYPE_F8E5M2] = 1,
	[LOOM_TYPE_I8] = 1,
	[LOOM_TYPE_U8] = 1,
	[LOOM_TYPE_I16] = 2,
	[LOOM_TYPE_I32] = 4,
	[LOOM_TYPE_I64] = 8,
};

unsigned int loom_type_size(uint32_t type)
{
	return type < LOOM_TYPE_COUNT ? type_size[type] : 0;
}

bool loom_type_is_float(uint32_t type)
{
	return type >= LOOM_TYPE_F32 && type <= LOOM_TYPE_F8E5M2;
}

/* Types without a conversion leave @dst alone; no caller asks for them. */
static void convert(loom_conv_fn *const table[LOOM_TYPE_COUNT], uint32_t type,
		    void *dst, const void *src, size_t n)
{
	if (type < LOOM_TYPE_COUNT && table[type])
		table[type](dst, src, n);
}

void loom_to_f32(uint32_t type, const void *src, float *dst, size_t n)
{
	convert(loom_simd_best()->to_f32, type, dst, src, n);
}

void loom_from_f32(uint32_t type, const float *src, void *dst, size_t n)
{
	convert(loom_simd_best()->from_f32, type, dst, src, n);
}

void loom_to_i32(uint32_t type, const void *src, int32_t *dst, size_t n)
{
	convert(loom_simd_best()->to_i32, type, dst, src, n);
}

void loom_from_i32(uint32_t type, const int32_t *src, void *dst, size_t n)
{
	convert(loom_simd_best()->from_i32, type, dst, src, n);
}

static int64_t get_int(uint32_t type, const void *src, size_t i)
{
	switch (type) {
	case LOOM_TYPE_I8:
		return ((const int8_t *)src)[i];
	case LOOM_TYPE_U8:
		return ((const uint8_t *)src)[i];
	case LOOM_TYPE_I16:
		return ((const int16_t *)src)[i];
	case LOOM_TYPE_I32:
		return ((const int32_t *)src)[i];
	default:
		return ((const int64_t *)src)[i];
	}
}

static int64_t saturate(int64_t x, int64_t lo, int64_t hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

static void put_int(uint32_t type, void *dst, size_t i, int64_t x)
{
	switch (type) {
	case LOOM_TYPE_I8:
		((int8_t *)dst)[i] = (int8_t)saturate(x, INT8_MIN, INT8_MAX);
		break;
	case LOOM_TYPE_U8:
		((uint8_t *)dst)[i] = (uint8_t)saturate(x, 0, UINT8_MAX);
		break;
	case LOOM_TYPE_I16:
		((int16_t *)dst)[i] = (int16_t)saturate(x, INT16_MIN,
							 INT16_MAX);
		break;
	case LOOM_TYPE_I32:
		((int32_t *)dst)[i] = (int32_t)saturate(x, INT32_MIN,
							 INT32_MAX);
		break;
	default:
		((int64_t *)dst)[i] = x;
	}
}

void loom_convert(uint32_t dst_type, void *dst, uint32_t src_type,
		  const void *src, size_t n)
{
	LOOM_SCRATCH float f[LOOM_CONVERT_MAX];
	size_t i;

	if (dst_type == src_type) {
		memcpy(dst, src, n * loom_type_size(src_type));
	} else if (src_type == LOOM_TYPE_F32) {
		loom_from_f32(dst_type, src, dst, n);
	} else if (dst_type == LOOM_TYPE_F32) {
		loom_to_f32(src_type, src, dst, n);
	} else if (loom_type_is_float(src_type) ||
		   loom_type_is_float(dst_type)) {
		loom_to_f32(src_type, src, f, n);
		loom_from_f32(dst_type, f, dst, n);
	} else {
		for (i = 0; i < n; i++)
			put_int(dst_type, dst, i, get_int(src_type, src, i));
	}
}
