/* SPDX-License-Identifier: MIT */
/*
 * DOC: The vector engine's functions, step by step
 *
 * Written from Documentation/numerics.rst, one operation after the other in
 * scalar fp32, sharing nothing with the core; what a second implementation
 * would look like.  Results and NaN are bit for bit those of the card.
 */
#ifndef T_VECMATH_REFERENCE_H
#define T_VECMATH_REFERENCE_H

#include <math.h>
#include <stdint.h>

#include "numerics.h"

#define T_INT	12582912.0f
#define T_NAN	t_float(0x7fc00000)

/* P(c0, c1, ..; x) */
#define T_HORNER(x, ...)						\
	t_horner((const float[]){ __VA_ARGS__ },			\
		 sizeof((const float[]){ __VA_ARGS__ }) / sizeof(float), x)

static inline float t_horner(const float *c, size_t n, float x)
{
	float p = c[n - 1];

	for (size_t i = n - 1; i-- > 0;)
		p = fmaf(p, x, c[i]);
	return p;
}

/* The integer nearest to what was added to T_INT. */
static inline int32_t t_integer_in(float t)
{
	return (int32_t)(t_bits(t) - t_bits(T_INT));
}

static inline float t_exp(float x)
{
	float c, t, k, r, p;
	int n, h;

	if (isnan(x))
		return T_NAN;
	c = x < -104 ? -104 : x > 89 ? 89 : x;
	t = fmaf(c, 0x1.715476p+0f, T_INT);
	n = t_integer_in(t);
	k = t - T_INT;
	r = fmaf(k, -0x1.62e430p-1f, c);
	r = fmaf(k, 0x1.05c610p-29f, r);
	p = T_HORNER(r, 1, 1, 0x1p-1f, 0x1.55553cp-3f, 0x1.5554f2p-5f,
		     0x1.113732p-7f, 0x1.6d40dcp-10f, 0x1.6b65d4p-13f);
	h = (int)floor(n / 2.0);
	return p * ldexpf(1, h) * ldexpf(1, n - h);
}

static inline float t_log(float x)
{
	float n = 0, f, p, r;
	int e;

	if (isnan(x) || x < 0)
		return T_NAN;
	if (x == 0)
		return -INFINITY;
	if (isinf(x))
		return x;
	if (x < 0x1p-126f) {
		x *= 0x1p23f;
		n = -23;
	}
	e = (int)floor(((double)t_bits(x) - 0x3f3504f3) / 0x800000);
	n += (float)e;
	f = ldexpf(x, -e) - 1;
	p = T_HORNER(f, -0x1p-1f, 0x1.555548p-2f, -0x1.00000cp-2f,
		     0x1.99a444p-3f, -0x1.555b18p-3f, 0x1.233ed0p-3f,
		     -0x1.fc2046p-4f, 0x1.e673e6p-4f, -0x1.df106cp-4f,
		     0x1.172660p-4f);
	r = fmaf(n, -0x1.05c610p-29f, f * f * p);
	return fmaf(n, 0x1.62e430p-1f, f + r);
}

struct t_angle {
	unsigned int quadrant;
	float hi, lo;
};

static inline struct t_angle t_near_angle(float x)
{
	float t = fmaf(x, 0x1.45f306p-1f, T_INT), k = t - T_INT;
	float r = fmaf(k, -0x1.921fb6p+0f, x), p = k * 0x1.777a5cp-25f;
	float hi = r + p, q = hi - r, lo = (r - (hi - q)) + (p - q);

	lo = lo + fmaf(k, 0x1.777a5cp-25f, -p);
	lo = fmaf(k, 0x1.ee59dap-50f, lo);
	return (struct t_angle){ (unsigned int)t_integer_in(t), hi, lo };
}

/* Bit of 2/pi that is worth 2^-i. */
static inline unsigned int t_bit_of_2_pi(int i)
{
	static const uint64_t word[] = {
		0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041,
		0xfe5163abdebbc561,
	};

	return i < 1 ? 0 : word[(i - 1) / 64] >> (63 - (i - 1) % 64) & 1;
}

static inline struct t_angle t_far_angle(float x)
{
	const unsigned __int128 mask = ((unsigned __int128)1 << 96) - 1;
	uint32_t bits = t_bits(x) & 0x7fffffff;
	uint64_t m = (bits & 0x7fffff) | 0x800000, t;
	int e = (int)(bits >> 23) - 150;
	unsigned __int128 w = 0;
	unsigned int quadrant;
	double d;

	for (int i = 0; i < 96; i++)
		w = w << 1 | t_bit_of_2_pi(e - 1 + i);
	t = (uint64_t)((m * w & mask) >> 32);
	quadrant = (unsigned int)(((unsigned __int128)t + (1ull << 61)) >> 62);
	d = (double)((__int128)t - ((__int128)quadrant << 62)) *
	    0x1.921fb54442d18p-62;
	if (x < 0) {
		quadrant = -quadrant;
		d = -d;
	}
	return (struct t_angle){ quadrant, (float)d,
				 (float)(d - (double)(float)d) };
}

/* @turn: quarters of a turn to add, 1 for the cosine */
static inline float t_trig(float x, unsigned int turn)
{
	struct t_angle a;
	float z, s, c, r;

	if (isnan(x) || isinf(x))
		return T_NAN;
	a = fabsf(x) <= 0x1p17f ? t_near_angle(x) : t_far_angle(x);
	z = fmaf(a.hi, a.hi, (2 * a.hi) * a.lo);
	s = T_HORNER(z, -0x1.555546p-3f, 0x1.110778p-7f, -0x1.995400p-13f);
	s = a.hi + fmaf(s * z, a.hi, a.lo);
	c = T_HORNER(z, 1, -0x1p-1f, 0x1.55554ap-5f, -0x1.6c0c28p-10f,
		     0x1.99e80cp-16f);
	a.quadrant += turn;
	r = a.quadrant & 1 ? c : s;
	return a.quadrant & 2 ? -r : r;
}

static inline float t_sin(float x)
{
	return x == 0 ? x : t_trig(x, 0);
}

static inline float t_cos(float x)
{
	return t_trig(x, 1);
}

static inline float t_tanh(float x)
{
	float a = fabsf(x), z, p, r;

	if (isnan(x))
		return T_NAN;
	if (a < 0.75f) {
		z = a * a;
		p = T_HORNER(z, -0x1.55554ap-2f, 0x1.110ddap-3f,
			     -0x1.b98108p-5f, 0x1.5f9082p-6f, -0x1.f662fep-8f,
			     0x1.c89750p-10f);
		r = fmaf(p * z, a, a);
	} else {
		r = 1 - 2 / (t_exp(a + a) + 1);
	}
	return copysignf(r, x);
}

static inline float t_erf(float x)
{
	float a = fabsf(x), s, p, r;

	if (isnan(x))
		return T_NAN;
	a = a < 4 ? a : 4;
	if (a < 1) {
		s = a * a;
		p = T_HORNER(s, 0x1.06eba8p-3f, -0x1.81273ep-2f, 0x1.ce2ce6p-4f,
			     -0x1.b7f71ap-6f, 0x1.53f224p-8f, -0x1.a3515ep-11f,
			     0x1.4771fep-14f);
		r = fmaf(p, a, a);
	} else {
		p = T_HORNER(a, -0x1.0790eap-3f, -0x1.451ab6p-1f,
			     -0x1.b459e0p-4f, 0x1.8961f0p-6f, -0x1.ec80c8p-9f,
			     0x1.6f9ef4p-12f, -0x1.d477b4p-17f);
		r = 1 - t_exp(fmaf(p, a, -a));
	}
	return copysignf(r, x);
}

#endif
