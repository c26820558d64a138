/* SPDX-License-Identifier: MIT */
/*
 * DOC: Number formats by definition
 *
 * Slow and obvious conversions to compare the fast ones with.  They share no
 * code with the core: formats are decoded by formula and encoded by searching
 * for the nearest code.
 */
#ifndef T_NUMERICS_H
#define T_NUMERICS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <loom/loom_isa.h>

static inline float t_float(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static inline uint32_t t_bits(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(f));
	return bits;
}

static inline uint32_t t_canonical(uint32_t bits)
{
	return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : bits;
}

/* The small float types. */
struct t_format {
	unsigned int bits, man, bias;
	/* codes (without sign): largest finite, what overflow gives, NaN */
	uint32_t max, overflow, nan;
	bool infinity;
};

static inline struct t_format t_format(uint32_t type)
{
	switch (type) {
	case LOOM_TYPE_F16:
		return (struct t_format){ 16, 10, 15, 0x7bff, 0x7c00, 0x7e00,
					  true };
	case LOOM_TYPE_BF16:
		return (struct t_format){ 16, 7, 127, 0x7f7f, 0x7f80, 0x7fc0,
					  true };
	case LOOM_TYPE_F8E4M3:
		return (struct t_format){ 8, 3, 7, 0x7e, 0x7e, 0x7f, false };
	default:
		return (struct t_format){ 8, 2, 15, 0x7b, 0x7b, 0x7e, true };
	}
}

/* Value of a code without its sign bit; NAN and INFINITY included. */
static inline double t_magnitude(const struct t_format *f, uint32_t code)
{
	uint32_t man = code & ((1u << f->man) - 1), e = code >> f->man;

	if (code > f->max)
		return f->infinity && !man ? (double)INFINITY : (double)NAN;
	if (!e)
		return ldexp(man, 1 - (int)f->bias - (int)f->man);
	return ldexp(man + (1u << f->man), (int)e - (int)f->bias - (int)f->man);
}

static inline float t_decode(uint32_t type, uint32_t code)
{
	struct t_format f = t_format(type);
	uint32_t sign = code >> (f.bits - 1);
	double x = t_magnitude(&f, code & ((1u << (f.bits - 1)) - 1));

	if (isnan(x))
		return t_float(0x7fc00000);
	return (float)(sign ? -x : x);
}

/* Nearest code, ties to the even one; a code is even if its last bit is. */
static inline uint32_t t_encode(uint32_t type, float x)
{
	struct t_format f = t_format(type);
	uint32_t sign = signbit(x) ? 1u << (f.bits - 1) : 0;
	uint32_t lo = 0, hi = f.max, mid;
	double m = fabs((double)x), below, above;

	if (isnan(x))
		return f.nan;
	while (lo < hi) {	/* the largest code that is not above m */
		mid = (lo + hi + 1) / 2;
		if (t_magnitude(&f, mid) <= m)
			lo = mid;
		else
			hi = mid - 1;
	}
	below = t_magnitude(&f, lo);
	above = 2 * below - (lo ? t_magnitude(&f, lo - 1) : 0);
	if (lo < f.max)
		above = t_magnitude(&f, lo + 1);
	if (m - below > above - m || (m - below == above - m && (lo & 1)))
		lo = lo < f.max ? lo + 1 : f.overflow;
	return sign | lo;
}

static inline unsigned int t_type_size(uint32_t type)
{
	static const uint8_t size[] = { 0, 4, 2, 2, 1, 1, 1, 1, 2, 4, 8 };

	return size[type];
}

static inline int64_t t_int_min(uint32_t type)
{
	switch (type) {
	case LOOM_TYPE_I8:
		return INT8_MIN;
	case LOOM_TYPE_U8:
		return 0;
	case LOOM_TYPE_I16:
		return INT16_MIN;
	case LOOM_TYPE_I32:
		return INT32_MIN;
	default:
		return INT64_MIN;
	}
}

static inline int64_t t_int_max(uint32_t type)
{
	return type == LOOM_TYPE_U8 ? UINT8_MAX : ~t_int_min(type);
}

static inline bool t_is_small_float(uint32_t type)
{
	return type >= LOOM_TYPE_F16 && type <= LOOM_TYPE_F8E5M2;
}

/* The integer at @p, of an integer type. */
static inline int64_t t_get_int(uint32_t type, const void *p)
{
	uint64_t x = 0;
	unsigned int bits = 8 * t_type_size(type);

	memcpy(&x, p, t_type_size(type));
	if (type != LOOM_TYPE_U8 && bits < 64 && x >> (bits - 1))
		x -= 1ull << bits;
	return (int64_t)x;
}

static inline void t_put_int(uint32_t type, void *p, int64_t x)
{
	if (x < t_int_min(type))
		x = t_int_min(type);
	if (x > t_int_max(type))
		x = t_int_max(type);
	memcpy(p, &x, t_type_size(type));
}

/* Bits of the f32 that the element at @p becomes. */
static inline uint32_t t_load_f32(uint32_t type, const void *p)
{
	uint32_t code = 0;

	if (type == LOOM_TYPE_F32) {
		memcpy(&code, p, 4);
		return code;
	}
	if (!t_is_small_float(type))
		return t_bits((float)t_get_int(type, p));
	memcpy(&code, p, t_type_size(type));
	return t_bits(t_decode(type, code));
}

/* The element at @p becomes that f32. */
static inline void t_store_f32(uint32_t type, void *p, uint32_t bits)
{
	float x = t_float(bits);
	double r = nearbyint((double)x);
	uint32_t code;

	if (type == LOOM_TYPE_F32 || t_is_small_float(type)) {
		code = type == LOOM_TYPE_F32 ? t_canonical(bits) :
					       t_encode(type, x);
		memcpy(p, &code, t_type_size(type));
	} else if (isnan(x)) {
		t_put_int(type, p, 0);
	} else if (r >= 0x1p63) {
		t_put_int(type, p, INT64_MAX);
	} else if (r < -0x1p63) {
		t_put_int(type, p, INT64_MIN);
	} else {
		t_put_int(type, p, (int64_t)r);
	}
}

/* A sequence of pseudo-random numbers (splitmix64). */
static inline uint64_t t_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

#endif
