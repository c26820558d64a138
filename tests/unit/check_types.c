// SPDX-License-Identifier: MIT
/*
 * DOC: Conversions between data types
 */
#include <check.h>
#include <stdlib.h>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include "numerics.h"
#include "simd.h"
#include "types.h"

#define NUM_SETS	3
#define FOR_EACH_SET(set, n) \
	for (n = 0; n < NUM_SETS; n++) \
		if ((set = loom_simd_get(n)))

/* Check notes every assertion in a file; millions of them take long. */
#define FAIL_UNLESS(cond, ...) \
	do { \
		if (!(cond)) \
			ck_abort_msg(__VA_ARGS__); \
	} while (0)

static const uint32_t small_floats[] = {
	LOOM_TYPE_F16, LOOM_TYPE_BF16, LOOM_TYPE_F8E4M3, LOOM_TYPE_F8E5M2,
};

static const uint32_t ints[] = {
	LOOM_TYPE_I8, LOOM_TYPE_U8, LOOM_TYPE_I16, LOOM_TYPE_I32, LOOM_TYPE_I64,
};

START_TEST(test_sizes_are_those_of_the_interface)
{
	uint32_t type;

	for (type = LOOM_TYPE_F32; type <= LOOM_TYPE_I64; type++)
		ck_assert_uint_eq(loom_type_size(type), t_type_size(type));
	ck_assert_uint_eq(loom_type_size(LOOM_TYPE_NONE), 0);
	ck_assert_uint_eq(loom_type_size(LOOM_TYPE_Q8_0), 0);
	ck_assert_uint_eq(loom_type_size(LOOM_TYPE_Q4_0), 0);
	ck_assert_uint_eq(loom_type_size(LOOM_TYPE_COUNT), 0);
	ck_assert_uint_eq(loom_type_size(~0u), 0);
	ck_assert(loom_type_is_float(LOOM_TYPE_F8E5M2));
	ck_assert(!loom_type_is_float(LOOM_TYPE_I8));
	ck_assert(!loom_type_is_float(LOOM_TYPE_NONE));
}
END_TEST

/* All codes of a small type at once, as elements. */
static unsigned int all_codes(uint32_t type, void *buf)
{
	unsigned int i, n = 1u << 8 * t_type_size(type);

	for (i = 0; i < n; i++) {
		if (n == 256)
			((uint8_t *)buf)[i] = (uint8_t)i;
		else
			((uint16_t *)buf)[i] = (uint16_t)i;
	}
	return n;
}

static uint32_t code_at(uint32_t type, const void *buf, unsigned int i)
{
	return t_type_size(type) == 1 ? ((const uint8_t *)buf)[i] :
					((const uint16_t *)buf)[i];
}

START_TEST(test_every_code_widens_to_its_value_and_back)
{
	uint32_t type = small_floats[_i];
	struct t_format f = t_format(type);
	static uint16_t code[1 << 16], back[1 << 16];
	static float wide[1 << 16];
	const struct loom_simd *set;
	unsigned int i, k, n = all_codes(type, code);

	FOR_EACH_SET(set, k) {
		set->to_f32[type](wide, code, n);
		set->from_f32[type](back, wide, n);
		for (i = 0; i < n; i++) {
			uint32_t expect = isnan(wide[i]) ? f.nan : i;

			if ((i & (n / 2 - 1)) > f.max && !isnan(wide[i]) &&
			    t_type_size(type) == 1)
				expect = f.max | (i & n / 2);
			FAIL_UNLESS(t_bits(wide[i]) ==
				    t_bits(t_decode(type, i)),
				    "type %u: code %#x became %a", type, i,
				    wide[i]);
			FAIL_UNLESS(code_at(type, back, i) == expect,
				    "type %u: code %#x came back as %#x",
				    type, i, code_at(type, back, i));
		}
	}
}
END_TEST

/* All sets narrow @n floats as the definition does. */
static void check_narrowing(uint32_t type, const float *in, unsigned int n)
{
	unsigned int i, k, size = t_type_size(type);
	uint8_t *expect = calloc(n, size), *out = calloc(n, size);
	const struct loom_simd *set;

	for (i = 0; i < n; i++)
		t_store_f32(type, expect + i * size, t_bits(in[i]));
	FOR_EACH_SET(set, k) {
		set->from_f32[type](out, in, n);
		for (i = 0; i < n; i++)
			FAIL_UNLESS(!memcmp(out + i * size, expect + i * size,
					    size), "set %u: type %u from %a",
				    k, type, in[i]);
	}
	free(expect);
	free(out);
}

/* Every value half way between two codes, and its neighbours. */
START_TEST(test_ties_round_to_even)
{
	static float in[3 << 15];
	uint32_t type = small_floats[_i], i;
	struct t_format f = t_format(type);
	float *p = in;

	for (i = 0; i < f.max; i++) {
		float tie = (float)((t_magnitude(&f, i) +
				     t_magnitude(&f, i + 1)) / 2);

		*p++ = nextafterf(tie, 0);
		*p++ = tie;
		*p++ = -nextafterf(tie, INFINITY);
	}
	check_narrowing(type, in, (unsigned int)(p - in));
}
END_TEST

/* Floats of all magnitudes, special values first. */
static void random_floats(float *f, unsigned int n)
{
	static const uint32_t special[] = {
		0, 0x80000000, 1, 0x80000001, 0x7f800000, 0xff800000,
		0x7f800001, 0xffc12345, 0x7f7fffff, 0xff7fffff, 0x4f000000,
		0xcf000000, 0x4effffff, 0x5f000000, 0xdf000000, 0x5effffff,
		0x43e80000, 0x43e80001, 0x477fefff, 0x477ff000, 0x47700000,
	};
	uint64_t seed = 1;
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint64_t r = t_random(&seed);

		if (i < sizeof(special) / sizeof(*special))
			f[i] = t_float(special[i]);
		else if (r >> 62 == 0)	/* around the integers */
			f[i] = (float)(int32_t)(r & 0xffff) / 2 - 16384;
		else
			f[i] = t_float((uint32_t)r);
	}
}

START_TEST(test_random_floats_narrow_as_defined)
{
	uint32_t type = _i < 4 ? small_floats[_i] : ints[_i - 4];
	static float in[20000];

	random_floats(in, 20000);
	check_narrowing(type, in, 20000);
}
END_TEST

#ifdef __SSE2__
/* MATMUL flushes denormal f32; conversions must not notice. */
START_TEST(test_conversions_do_not_depend_on_flushing)
{
	uint32_t type = small_floats[_i], state = _mm_getcsr();
	static uint16_t code[1 << 16], back[1 << 16];
	static float plain[1 << 16], flushed[1 << 16];
	unsigned int n = all_codes(type, code);

	loom_to_f32(type, code, plain, n);
	_mm_setcsr(state | 0x8040);
	loom_to_f32(type, code, flushed, n);
	loom_from_f32(type, flushed, back, n);
	_mm_setcsr(state);
	ck_assert_mem_eq(plain, flushed, n * sizeof(float));
	loom_from_f32(type, plain, code, n);
	ck_assert_mem_eq(code, back, n * t_type_size(type));
}
END_TEST
#endif

static int64_t random_int(uint64_t *seed)
{
	uint64_t r = t_random(seed);

	return (int64_t)(r << (r & 56)) >> (r >> 8 & 56);
}

START_TEST(test_integers_become_the_nearest_float)
{
	uint32_t type = ints[_i];
	unsigned int i, k, size = t_type_size(type);
	enum { N = 10000 };
	static uint64_t in[N];
	static float out[N];
	const struct loom_simd *set;
	uint64_t seed = 2;

	for (i = 0; i < N; i++)
		t_put_int(type, (uint8_t *)in + i * size, random_int(&seed));
	FOR_EACH_SET(set, k) {
		set->to_f32[type](out, in, N);
		for (i = 0; i < N; i++)
			FAIL_UNLESS(t_bits(out[i]) ==
				    t_load_f32(type, (uint8_t *)in + i * size),
				    "type %u: element %u", type, i);
	}
}
END_TEST

START_TEST(test_integers_convert_by_saturation)
{
	uint32_t from = ints[_i / 5], to = ints[_i % 5];
	unsigned int i, in_size = t_type_size(from), out_size = t_type_size(to);
	uint64_t in[LOOM_CONVERT_MAX], out[LOOM_CONVERT_MAX], expect = 0, got;
	uint64_t seed = 3;

	for (i = 0; i < LOOM_CONVERT_MAX; i++)
		t_put_int(from, (uint8_t *)in + i * in_size, random_int(&seed));
	loom_convert(to, out, from, in, LOOM_CONVERT_MAX);
	for (i = 0; i < LOOM_CONVERT_MAX; i++) {
		t_put_int(to, &expect,
			  t_get_int(from, (uint8_t *)in + i * in_size));
		got = 0;
		memcpy(&got, (uint8_t *)out + i * out_size, out_size);
		FAIL_UNLESS(got == expect, "type %u to %u: element %u", from,
			    to, i);
	}
}
END_TEST

START_TEST(test_i32_loads_take_the_low_half_and_stores_saturate)
{
	static const int64_t wide[] = { -1, 0x123456789abcdef0, INT64_MIN,
					0x80000000ll };
	static const int32_t in[] = { -200, 200, 70000, INT32_MIN };
	int32_t out[4];
	int64_t out64[4];
	int8_t out8[4];
	uint8_t outu8[4];
	int16_t out16[4];

	loom_to_i32(LOOM_TYPE_I64, wide, out, 4);
	ck_assert_int_eq(out[0], -1);
	ck_assert_uint_eq((uint32_t)out[1], 0x9abcdef0);
	ck_assert_int_eq(out[2], 0);
	ck_assert_int_eq(out[3], INT32_MIN);

	loom_from_i32(LOOM_TYPE_I8, in, out8, 4);
	ck_assert(out8[0] == -128 && out8[1] == 127 && out8[3] == -128);
	loom_from_i32(LOOM_TYPE_U8, in, outu8, 4);
	ck_assert(outu8[0] == 0 && outu8[1] == 200 && outu8[2] == 255);
	loom_from_i32(LOOM_TYPE_I16, in, out16, 4);
	ck_assert(out16[0] == -200 && out16[2] == 32767 && out16[3] == -32768);
	loom_from_i32(LOOM_TYPE_I64, in, out64, 4);
	ck_assert(out64[0] == -200 && out64[3] == INT32_MIN);
}
END_TEST

/* F32 passes through registers bit by bit, but stores one NaN only. */
START_TEST(test_nan_is_made_canonical_by_stores)
{
	const uint32_t in[] = { 0x7f800001, 0xffffffff, 0x80000000 };
	float reg[3];
	uint32_t out[3];

	loom_to_f32(LOOM_TYPE_F32, in, reg, 3);
	ck_assert_mem_eq(reg, in, sizeof(in));
	loom_from_f32(LOOM_TYPE_F32, reg, out, 3);
	ck_assert_uint_eq(out[0], 0x7fc00000);
	ck_assert_uint_eq(out[1], 0x7fc00000);
	ck_assert_uint_eq(out[2], 0x80000000);
}
END_TEST

START_TEST(test_unknown_types_change_nothing)
{
	float f = 1;

	loom_to_f32(LOOM_TYPE_NONE, &f, &f, 1);
	loom_to_f32(LOOM_TYPE_Q4_0, &f, &f, 1);
	loom_from_f32(~0u, &f, &f, 1);
	ck_assert(f == 1);
}
END_TEST

static Suite *types_suite(void)
{
	Suite *s = suite_create("types");
	TCase *tc = tcase_create("types");

	tcase_add_test(tc, test_sizes_are_those_of_the_interface);
	tcase_add_loop_test(tc, test_every_code_widens_to_its_value_and_back,
			    0, 4);
	tcase_add_loop_test(tc, test_ties_round_to_even, 0, 4);
	tcase_add_loop_test(tc, test_random_floats_narrow_as_defined, 0, 9);
#ifdef __SSE2__
	tcase_add_loop_test(tc, test_conversions_do_not_depend_on_flushing,
			    0, 4);
#endif
	tcase_add_loop_test(tc, test_integers_become_the_nearest_float, 0, 5);
	tcase_add_loop_test(tc, test_integers_convert_by_saturation, 0, 25);
	tcase_add_test(tc, test_i32_loads_take_the_low_half_and_stores_saturate);
	tcase_add_test(tc, test_nan_is_made_canonical_by_stores);
	tcase_add_test(tc, test_unknown_types_change_nothing);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(types_suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
