// SPDX-License-Identifier: MIT
/*
 * DOC: A million of each, vector engine
 *
 * Functions, arithmetic and conversions of every build of the inner loops that
 * this host can run, bit for bit against the scalar definitions of tests/lib.
 *
 * VECTOR_CASES (default 1000000) and VECTOR_SEED may be given from outside.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numerics.h"
#include "simd.h"
#include "vecmath_reference.h"

#define BATCH	4096u
#define CHUNKS	(BATCH / LOOM_CHUNK)
#define SETS	3u

static const char *const set_name[SETS] = { "base", "avx2", "avx512" };

/* Up to three sources, the sets' result and what it must be. */
static union loom_lanes in[3][CHUNKS], out[CHUNKS];
static uint32_t expected[BATCH];
static uint64_t seed;

static uint64_t env(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

static uint32_t *lane(union loom_lanes *chunks, unsigned int i)
{
	return &chunks[i / LOOM_CHUNK].u[i % LOOM_CHUNK];
}

/* Any bits; of a moderate size; special ones. */
static uint32_t random_bits(void)
{
	static const uint32_t special[] = {
		0x00000000, 0x7f800000, 0x7fc00000, 0x7fa12345, 0x00000001,
		0x007fffff, 0x00800000, 0x7f7fffff, 0x3f800000, 0x3f000000,
		0x4b000000, 0x48000000, 0x477fe000, 0x43e00000, 0x4f000000,
	};
	uint64_t r = t_random(&seed);
	uint32_t bits = (uint32_t)r, sign = bits & 0x80000000;

	switch (r >> 60) {
	case 0:
		return special[(r >> 32) % (sizeof(special) / 4)] | sign;
	case 1 ... 8:
		return (bits & 0x807fffff) | (uint32_t)(97 + (r >> 32) % 60) << 23;
	default:
		return bits;
	}
}

static void fill_inputs(void)
{
	for (unsigned int s = 0; s < 3; s++)
		for (unsigned int i = 0; i < BATCH; i++)
			*lane(in[s], i) = random_bits();
}

static void compare(const char *what, unsigned int set, const uint32_t *got)
{
	if (!memcmp(got, expected, sizeof(expected)))
		return;
	for (unsigned int i = 0; i < BATCH; i++) {
		if (got[i] != expected[i])
			ck_abort_msg("%s, %s: 0x%08x 0x%08x 0x%08x gives 0x%08x, "
				     "not 0x%08x", what, set_name[set],
				     *lane(in[0], i), *lane(in[1], i),
				     *lane(in[2], i), got[i], expected[i]);
	}
}

static void report(const char *what, const char *name, uint64_t cases)
{
	printf("# vector %s %s: %llu cases on", what, name,
	       (unsigned long long)cases);
	for (unsigned int n = 0; n < SETS; n++)
		if (loom_simd_get(n))
			printf(" %s", set_name[n]);
	printf("\n");
	fflush(stdout);
}

/* Instructions ------------------------------------------------------------ */

static float ref_add(float a, float b, float c)
{
	(void)c;
	return a + b;
}

static float ref_sub(float a, float b, float c)
{
	(void)c;
	return a - b;
}

static float ref_mul(float a, float b, float c)
{
	(void)c;
	return a * b;
}

static float ref_div(float a, float b, float c)
{
	(void)c;
	return a / b;
}

static float ref_rsqrt(float a)
{
	return 1.0f / sqrtf(a);
}

/** struct instruction - one with one source or with three */
struct instruction {
	const char *name;
	uint8_t op;
	float (*one)(float a);
	float (*three)(float a, float b, float c);
};

static const struct instruction instructions[] = {
	{ "EXP", LOOM_VEC_EXP, t_exp, NULL },
	{ "LOG", LOOM_VEC_LOG, t_log, NULL },
	{ "SIN", LOOM_VEC_SIN, t_sin, NULL },
	{ "COS", LOOM_VEC_COS, t_cos, NULL },
	{ "TANH", LOOM_VEC_TANH, t_tanh, NULL },
	{ "ERF", LOOM_VEC_ERF, t_erf, NULL },
	{ "SQRT", LOOM_VEC_SQRT, sqrtf, NULL },
	{ "RSQRT", LOOM_VEC_RSQRT, ref_rsqrt, NULL },
	{ "FLOOR", LOOM_VEC_FLOOR, floorf, NULL },
	{ "CEIL", LOOM_VEC_CEIL, ceilf, NULL },
	{ "RINT", LOOM_VEC_RINT, rintf, NULL },
	{ "TRUNC", LOOM_VEC_TRUNC, truncf, NULL },
	{ "ADD", LOOM_VEC_ADD, NULL, ref_add },
	{ "SUB", LOOM_VEC_SUB, NULL, ref_sub },
	{ "MUL", LOOM_VEC_MUL, NULL, ref_mul },
	{ "DIV", LOOM_VEC_DIV, NULL, ref_div },
	{ "FMA", LOOM_VEC_FMA, NULL, fmaf },
};
#define NUM_INSTRUCTIONS \
	((int)(sizeof(instructions) / sizeof(instructions[0])))

static void expect(const struct instruction *x)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		float a = t_float(*lane(in[0], i)), b = t_float(*lane(in[1], i));
		float c = t_float(*lane(in[2], i));

		expected[i] = t_canonical(t_bits(x->one ? x->one(a) :
							  x->three(a, b, c)));
	}
}

START_TEST(test_instructions_equal_their_definition)
{
	const struct instruction *x = &instructions[_i];
	const struct loom_lane_src src[3] = {
		{ in[0], 1 }, { in[1], 1 }, { in[2], 1 },
	};
	uint64_t want = env("VECTOR_CASES", 1000000), cases;

	seed = env("VECTOR_SEED", 1) * 100 + (uint64_t)_i;
	for (cases = 0; cases < want; cases += BATCH) {
		fill_inputs();
		expect(x);
		for (unsigned int n = 0; n < SETS; n++) {
			if (!loom_simd_get(n))
				continue;
			loom_simd_get(n)->lane[x->op](out, src, CHUNKS);
			compare(x->name, n, out[0].u);
		}
	}
	report("instruction", x->name, cases);
}
END_TEST

/* Conversions ------------------------------------------------------------- */

static const char *const type_name[LOOM_TYPE_COUNT] = {
	"NONE", "F32", "F16", "BF16", "F8E4M3", "F8E5M2", "I8", "U8", "I16",
	"I32", "I64",
};

/* F32 to @type, and the elements of @type at @raw to F32. */
static void check_narrowing(uint32_t type)
{
	static uint8_t want[8 * BATCH], got[8 * BATCH];
	unsigned int size = t_type_size(type);

	for (unsigned int i = 0; i < BATCH; i++)
		t_store_f32(type, want + i * size, *lane(in[0], i));
	for (unsigned int n = 0; n < SETS; n++) {
		if (!loom_simd_get(n))
			continue;
		loom_simd_get(n)->from_f32[type](got, in[0], BATCH);
		for (unsigned int i = 0; i < size * BATCH; i++)
			if (got[i] != want[i])
				ck_abort_msg("F32 to %s, %s: 0x%08x, byte %u",
					     type_name[type], set_name[n],
					     *lane(in[0], i / size), i % size);
	}
}

static void check_widening(uint32_t type)
{
	const uint8_t *raw = (const uint8_t *)in[1];
	unsigned int size = t_type_size(type);

	/* in[] is long enough for 8 bytes an element from in[1] on. */
	for (unsigned int i = 0; i < BATCH; i++)
		expected[i] = t_load_f32(type, raw + i * size);
	for (unsigned int n = 0; n < SETS; n++) {
		if (!loom_simd_get(n))
			continue;
		loom_simd_get(n)->to_f32[type](out, raw, BATCH);
		compare(type_name[type], n, out[0].u);
	}
}

START_TEST(test_conversions_equal_their_definition)
{
	uint64_t want = env("VECTOR_CASES", 1000000), cases;
	uint32_t type = (uint32_t)_i;

	seed = env("VECTOR_SEED", 1) * 100 + 50 + type;
	for (cases = 0; cases < want; cases += BATCH) {
		fill_inputs();
		check_narrowing(type);
		check_widening(type);
	}
	report("conversion F32 to and from", type_name[type], cases);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vector, a million of each kind");
	TCase *tc = tcase_create("kinds");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 0);
	tcase_add_loop_test(tc, test_instructions_equal_their_definition, 0,
			    NUM_INSTRUCTIONS);
	tcase_add_loop_test(tc, test_conversions_equal_their_definition,
			    LOOM_TYPE_F32, LOOM_TYPE_I64 + 1);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
