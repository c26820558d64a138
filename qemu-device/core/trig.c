// SPDX-License-Identifier: MIT
/*
 * Reduction of large angles: x mod pi/2 with integers, after Payne and Hanek.
 */
#include "simd.h"

/* The bits of 2/pi after 32 zeros. */
static const uint32_t two_over_pi[] = {
	0x00000000, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599,
	0x3c439041, 0xfe5163ab,
};

/* 32 bits of the table from bit @pos on */
static uint64_t window(unsigned int pos)
{
	const uint32_t *w = &two_over_pi[pos / 32];
	uint64_t pair = (uint64_t)w[0] << 32 | w[1];

	return pair >> (32 - pos % 32) & 0xffffffff;
}

/*
 * |x| = m * 2^e with 24 bits of m, so bits of 2/pi worth 2^(2-e) and more only
 * contribute multiples of 4 quadrants, and 96 bits from there are enough: no
 * f32 comes closer to a multiple of pi/2 than 2^-30.
 */
struct loom_angle loom_reduce_angle(float x)
{
	union { float f; uint32_t u; } v = { .f = x };
	uint32_t m = (v.u & 0x7fffff) | 0x800000;
	unsigned int pos = (v.u >> 23 & 0xff) - 150 - 2 + 32;
	uint32_t quadrant;
	uint64_t turns;	/* in units of 2^-62 quadrants, modulo 4 */
	double r;

	if ((v.u & 0x7f800000) == 0x7f800000)
		return (struct loom_angle){ .hi = x - x };

	turns = (m * window(pos) << 32) + m * window(pos + 32) +
		(m * window(pos + 64) >> 32);
	quadrant = (uint32_t)((turns + (1ull << 61)) >> 62);
	r = (double)(int64_t)(turns - ((uint64_t)quadrant << 62)) *
	    0x1.921fb54442d18p-62;
	if (v.u >> 31) {
		quadrant = -quadrant;
		r = -r;
	}
	return (struct loom_angle){
		.quadrant = quadrant,
		.hi = (float)r,
		.lo = (float)(r - (double)(float)r),
	};
}
