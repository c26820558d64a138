// SPDX-License-Identifier: MIT
/*
 * DOC: Accuracy of the vector engine's functions
 *
 * Samples of all f32 values, compared with the double functions of the C
 * library.  The bounds are those of Documentation/numerics.rst, which come
 * from all 2^32 values: run with VECMATH_STEP=1 (an hour under the sanitizers)
 * to measure them again.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "numerics.h"
#include "simd.h"

#define BATCH	1024

struct function {
	const char *name;
	uint8_t op;
	double (*reference)(double x);
	double bound;			/* ulp */
	float worst;			/* where the largest error is */
};

static const struct function functions[] = {
	{ "exp", LOOM_VEC_EXP, exp, 0.867, -0x1.78ca3ep+2f },
	{ "log", LOOM_VEC_LOG, log, 0.892, 0x1.68fffp-1f },
	{ "sin", LOOM_VEC_SIN, sin, 0.884, 0x1.2a781ep+33f },
	{ "cos", LOOM_VEC_COS, cos, 0.883, 0x1.9f2a9ep+34f },
	{ "tanh", LOOM_VEC_TANH, tanh, 1.055, 0x1.800d2cp-1f },
	{ "erf", LOOM_VEC_ERF, erf, 1.0, 0x1.0f2de8p+0f },
};
#define NUM_FUNCTIONS	(sizeof(functions) / sizeof(functions[0]))

static union loom_lanes in[BATCH / LOOM_CHUNK], out[BATCH / LOOM_CHUNK];

static void compute(const struct loom_simd *set, uint8_t op,
		    union loom_lanes *result)
{
	struct loom_lane_src src[3] = { { in, 1 }, { in, 1 }, { in, 1 } };

	set->lane[op](result, src, BATCH / LOOM_CHUNK);
}

static float *input(unsigned int i)
{
	return &in[i / LOOM_CHUNK].f[i % LOOM_CHUNK];
}

static float output(unsigned int i)
{
	return out[i / LOOM_CHUNK].f[i % LOOM_CHUNK];
}

/* Size of the last place of an f32 near @x. */
static double last_place(double x)
{
	int e;

	frexp(x, &e);
	return ldexp(1, (e < -125 ? -125 : e) - 24);
}

/* Error in ulp; huge if a special value is wrong. */
static double error_of(float y, double expect)
{
	float nearest = (float)expect;

	if (isnan(expect))
		return t_bits(y) == 0x7fc00000 ? 0 : HUGE_VAL;
	if (isinf(nearest) || isinf(y) || expect == 0)
		return t_bits(y) == t_bits(nearest) ? 0 : HUGE_VAL;
	return fabs((double)y - expect) / last_place(expect);
}

/* Check all that is in in[]. */
static double check_batch(const struct function *f)
{
	double worst = 0, e;
	unsigned int i;

	compute(loom_simd_best(), f->op, out);
	for (i = 0; i < BATCH; i++) {
		e = error_of(output(i), f->reference((double)*input(i)));
		if (e > f->bound)
			ck_abort_msg("%s(%a) = %a is off by %.3f ulp", f->name,
				     *input(i), output(i), e);
		worst = e > worst ? e : worst;
	}
	return worst;
}

/* A step that is no power of 2, and no sample twice */
static uint64_t step(void)
{
	const char *s = getenv("VECMATH_STEP");

	return s ? strtoull(s, NULL, 0) : 4999;
}

START_TEST(test_errors_stay_within_the_bound)
{
	const struct function *f = &functions[_i];
	uint64_t bits = 0, i;
	double worst = 0, e;

	while (bits < 1ull << 32) {
		for (i = 0; i < BATCH; i++, bits += step())
			*input((unsigned int)i) = t_float((uint32_t)bits);
		e = check_batch(f);
		worst = e > worst ? e : worst;
	}
	*input(0) = f->worst;
	e = check_batch(f);
	worst = e > worst ? e : worst;
	if (getenv("VECMATH_STEP"))
		printf("%s: %.4f ulp\n", f->name, worst);
}
END_TEST

/* Where functions change: denormal results, reductions, branches. */
START_TEST(test_neighbourhoods_of_the_difficult_places)
{
	static const float places[] = {
		0, 0x1p-126f, 0.34657359f, 0.70710678f, 0.75f, 0.78539816f, 1,
		1.41421356f, 1.57079633f, 3.14159265f, 4, 9, 87.3365448f,
		88.7228391f, -87.3365448f, -103.278929f, -103.972084f, 102943.7f,
		0x1p17f, 0x1p22f, 0x1p24f, 0x1.6ac5b2p+62f, 0x1.fffffep127f,
	};
	const struct function *f = &functions[_i];
	unsigned int p, i;

	for (p = 0; p < sizeof(places) / sizeof(*places); p++) {
		for (i = 0; i < BATCH; i++)
			*input(i) = t_float(t_bits(places[p]) + i -
					    BATCH / 2);
		check_batch(f);
		for (i = 0; i < BATCH; i++)
			*input(i) = -*input(i);
		check_batch(f);
	}
}
END_TEST

/* The f32 nearest to multiples of pi/2 leave almost nothing of themselves. */
START_TEST(test_multiples_of_half_pi)
{
	uint64_t k = 1, i, n;

	for (n = 0; n < 1000; n++) {
		for (i = 0; i < BATCH; i++) {
			*input((unsigned int)i) = (float)(k * M_PI_2);
			k += 1 + k / 50000;
		}
		check_batch(&functions[2]);
		check_batch(&functions[3]);
		if (k > 1ull << 58)
			k = 3 + n;
	}
}
END_TEST

START_TEST(test_special_values)
{
	static const struct {
		uint8_t op;
		uint32_t in, out;
	} cases[] = {
		{ LOOM_VEC_EXP, 0x80000000, 0x3f800000 },
		{ LOOM_VEC_EXP, 0x7f800000, 0x7f800000 },
		{ LOOM_VEC_EXP, 0xff800000, 0 },
		{ LOOM_VEC_EXP, 0xffc12345, 0x7fc00000 },
		{ LOOM_VEC_LOG, 0x80000000, 0xff800000 },
		{ LOOM_VEC_LOG, 0x3f800000, 0 },
		{ LOOM_VEC_LOG, 0x80000001, 0x7fc00000 },
		{ LOOM_VEC_LOG, 0xff800000, 0x7fc00000 },
		{ LOOM_VEC_LOG, 0x7f800000, 0x7f800000 },
		{ LOOM_VEC_LOG, 0x7f800001, 0x7fc00000 },
		{ LOOM_VEC_SIN, 0x80000000, 0x80000000 },
		{ LOOM_VEC_SIN, 0x7f800000, 0x7fc00000 },
		{ LOOM_VEC_SIN, 0xff800001, 0x7fc00000 },
		{ LOOM_VEC_COS, 0x80000000, 0x3f800000 },
		{ LOOM_VEC_COS, 0xff800000, 0x7fc00000 },
		{ LOOM_VEC_TANH, 0x80000000, 0x80000000 },
		{ LOOM_VEC_TANH, 0x7f800000, 0x3f800000 },
		{ LOOM_VEC_TANH, 0xff800000, 0xbf800000 },
		{ LOOM_VEC_TANH, 0xff812345, 0x7fc00000 },
		{ LOOM_VEC_ERF, 0x80000000, 0x80000000 },
		{ LOOM_VEC_ERF, 0x7f800000, 0x3f800000 },
		{ LOOM_VEC_ERF, 0xff800000, 0xbf800000 },
		{ LOOM_VEC_ERF, 0x7fffffff, 0x7fc00000 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		*input(0) = t_float(cases[i].in);
		in[0].u[0] = cases[i].in;
		compute(loom_simd_best(), cases[i].op, out);
		ck_assert_uint_eq(out[0].u[0], cases[i].out);
	}
}
END_TEST

START_TEST(test_all_builds_give_the_same_bits)
{
	static union loom_lanes base[BATCH / LOOM_CHUNK];
	const struct loom_simd *set = loom_simd_get((unsigned int)_i);
	uint64_t seed = 1;
	unsigned int n, i, f;

	for (n = 0; set && n < 100; n++) {
		for (i = 0; i < BATCH; i++)
			*input(i) = t_float((uint32_t)t_random(&seed));
		for (f = 0; f < NUM_FUNCTIONS; f++) {
			compute(&loom_simd_base, functions[f].op, base);
			compute(set, functions[f].op, out);
			ck_assert_mem_eq(base, out, sizeof(out));
		}
	}
}
END_TEST

static Suite *vecmath_suite(void)
{
	Suite *s = suite_create("vecmath");
	TCase *tc = tcase_create("accuracy");

	tcase_set_timeout(tc, 0);
	tcase_add_loop_test(tc, test_errors_stay_within_the_bound, 0,
			    NUM_FUNCTIONS);
	tcase_add_loop_test(tc, test_neighbourhoods_of_the_difficult_places, 0,
			    NUM_FUNCTIONS);
	tcase_add_test(tc, test_multiples_of_half_pi);
	tcase_add_test(tc, test_special_values);
	tcase_add_loop_test(tc, test_all_builds_give_the_same_bits, 1, 3);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(vecmath_suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
