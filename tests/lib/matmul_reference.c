// SPDX-License-Identifier: MIT
/*
 * The arithmetic of the systolic arrays by its definition.
 *
 * All of it is integer, so it owes nothing to the host's floating point; it is
 * slow and shares no code with the core.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "matmul_reference.h"
#include "numerics.h"

#define ONE	0x3f800000u

/* Sign, 24-bit significand and exponent: value = man * 2^exp. */
struct parts {
	bool negative;
	uint64_t man;
	int exp;
};

static bool is_special(uint32_t bits)
{
	return (bits >> 23 & 0xff) == 0xff;
}

/* Denormals are zero. */
static struct parts parts_of(uint32_t bits)
{
	struct parts p = { bits >> 31, 0, 0 };
	int exp = bits >> 23 & 0xff;

	if (exp) {
		p.man = (bits & 0x7fffff) | 0x800000;
		p.exp = exp - 150;
	}
	return p;
}

/* How many bits a number has. */
static int length_of(unsigned __int128 x)
{
	uint64_t high = (uint64_t)(x >> 64), low = (uint64_t)x;

	if (high)
		return 128 - __builtin_clzll(high);
	return low ? 64 - __builtin_clzll(low) : 0;
}

/*
 * Round to nearest even as f32, as if there were no end to the exponent; then
 * what is below the normal numbers becomes zero.  An exact zero is +0.
 */
static uint32_t round_parts(bool negative, unsigned __int128 man, int exp)
{
	uint32_t sign = negative ? 0x80000000 : 0;
	int drop = length_of(man) - 24;

	if (!man)
		return 0;
	if (drop > 0) {
		unsigned __int128 half = (unsigned __int128)1 << (drop - 1);
		unsigned __int128 rest = man & (2 * half - 1);

		man >>= drop;
		man += rest > half || (rest == half && (man & 1));
	} else {
		man <<= -drop;
	}
	exp += drop + 150;
	if (man == 0x1000000) {
		man >>= 1;
		exp++;
	}
	if (exp >= 255)
		return sign | 0x7f800000;
	if (exp < 1)
		return sign;
	return sign | (uint32_t)exp << 23 | ((uint32_t)man & 0x7fffff);
}

/* Shift right; what falls off is remembered in the lowest bit. */
static unsigned __int128 shift_sticky(unsigned __int128 x, int n)
{
	if (n > 120)
		return x != 0;
	return x >> n | ((x & (((unsigned __int128)1 << n) - 1)) != 0);
}

/* Bring the top bit of @man to bit 110. */
static void normalise(unsigned __int128 *man, int *exp)
{
	int shift = 111 - length_of(*man);

	*man <<= shift;
	*exp -= shift;
}

static uint32_t add_parts(struct parts a, struct parts b)
{
	unsigned __int128 x = a.man, y = b.man;

	normalise(&x, &a.exp);
	normalise(&y, &b.exp);
	if (a.exp < b.exp || (a.exp == b.exp && x < y)) {
		struct parts p = a;
		unsigned __int128 z = x;

		a = b;
		b = p;
		x = y;
		y = z;
	}
	y = shift_sticky(y, a.exp - b.exp);
	if (a.negative == b.negative)
		return round_parts(a.negative, x + y, a.exp);
	return round_parts(a.negative, x - y, a.exp);
}

/* a * b + c, rounded once, DAZ and FTZ */
uint32_t t_ref_fma(uint32_t a, uint32_t b, uint32_t c)
{
	struct parts pa = parts_of(a), pb = parts_of(b), pc = parts_of(c);
	struct parts p = {
		.negative = pa.negative ^ pb.negative,
		.man = pa.man * pb.man,
		.exp = pa.exp + pb.exp,
	};

	if (is_special(a) || is_special(b) || is_special(c)) {
		/* In double no finite product overflows. */
		double x = pa.man || is_special(a) ? (double)t_float(a) : 0;
		double y = pb.man || is_special(b) ? (double)t_float(b) : 0;

		return t_bits((float)(x * y + (double)t_float(c)));
	}
	if (p.man && pc.man)
		return add_parts(p, pc);
	if (p.man)
		return round_parts(p.negative, p.man, p.exp);
	if (pc.man)
		return c;
	return p.negative && pc.negative ? 0x80000000 : 0;
}

uint32_t t_ref_add(uint32_t a, uint32_t b)
{
	return t_ref_fma(a, ONE, b);
}

/* Adding a zero of the product's sign changes nothing. */
uint32_t t_ref_mul(uint32_t a, uint32_t b)
{
	return t_ref_fma(a, b, (a ^ b) & 0x80000000);
}

/* Any small float format to f32; @inf: the top exponent is special. */
static uint32_t widen(uint32_t bits, int exp_bits, int man_bits, bool inf)
{
	int bias = (1 << (exp_bits - 1)) - 1;
	int exp = bits >> man_bits & ((1 << exp_bits) - 1);
	uint32_t man = bits & ((1u << man_bits) - 1);
	uint32_t sign = (bits >> (exp_bits + man_bits) & 1) << 31;

	if (inf && exp == (1 << exp_bits) - 1)
		return sign | 0x7f800000 | man << (23 - man_bits);
	if (!inf && (bits & 0x7f) == 0x7f)
		return 0x7fc00000;
	if (!exp)
		exp = 1;
	else
		man |= 1u << man_bits;
	return sign | t_bits(ldexpf((float)man, exp - bias - man_bits));
}

uint32_t t_ref_load(uint32_t type, const uint8_t *p)
{
	uint32_t word = 0;

	memcpy(&word, p, t_type_size(type));
	switch (type) {
	case LOOM_TYPE_F16:
		return widen(word, 5, 10, true);
	case LOOM_TYPE_BF16:
		return word << 16;
	case LOOM_TYPE_F8E4M3:
		return widen(word, 4, 3, false);
	case LOOM_TYPE_F8E5M2:
		return widen(word, 5, 2, true);
	default:
		return word;
	}
}

static const uint8_t *block_of(uint32_t type, const uint8_t *line, uint32_t k)
{
	return line + k / 32 * (type == LOOM_TYPE_Q8_0 ? 34 : 18);
}

uint32_t t_ref_block_scale(uint32_t type, const uint8_t *line, uint32_t k)
{
	return t_ref_load(LOOM_TYPE_F16, block_of(type, line, k));
}

int t_ref_block_value(uint32_t type, const uint8_t *line, uint32_t k)
{
	const uint8_t *value = block_of(type, line, k) + 2;
	uint32_t i = k % 32;

	if (type == LOOM_TYPE_Q8_0)
		return (int8_t)value[i];
	return (i < 16 ? value[i] & 15 : value[i - 16] >> 4) - 8;
}

uint32_t t_ref_load_block(uint32_t type, const uint8_t *line, uint32_t k)
{
	return t_bits(t_float(t_ref_block_scale(type, line, k)) *
		      (float)t_ref_block_value(type, line, k));
}

static uint16_t to_f16(uint32_t bits)
{
	uint16_t sign = bits >> 16 & 0x8000;
	double x = fabs((double)t_float(bits)), quantum;
	int exp;

	if (x >= 65520)
		return sign | 0x7c00;
	frexp(x, &exp);
	quantum = ldexp(1, (exp < -13 ? -13 : exp) - 11);
	x = nearbyint(x / quantum) * quantum;
	if (x < 0x1p-14)
		return sign | (uint16_t)(x * 0x1p24);
	frexp(x, &exp);
	return sign | (uint16_t)((exp + 14) << 10 |
				 ((uint32_t)ldexp(x, 11 - exp) & 0x3ff));
}

static uint16_t to_bf16(uint32_t bits)
{
	uint32_t rest = bits & 0xffff, high = bits >> 16;

	return (uint16_t)(high + (rest > 0x8000 ||
				  (rest == 0x8000 && (high & 1))));
}

void t_ref_store(uint32_t type, uint32_t bits, uint8_t *p)
{
	uint16_t half;

	if ((bits & 0x7fffffff) > 0x7f800000)
		half = type == LOOM_TYPE_F16 ? 0x7e00 : 0x7fc0;
	else
		half = type == LOOM_TYPE_F16 ? to_f16(bits) : to_bf16(bits);
	if ((bits & 0x7fffffff) > 0x7f800000)
		bits = 0x7fc00000;
	if (type == LOOM_TYPE_F32)
		memcpy(p, &bits, 4);
	else
		memcpy(p, &half, 2);
}
