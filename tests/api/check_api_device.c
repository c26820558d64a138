// SPDX-License-Identifier: MIT
/* Opening devices, their constants, the size rule of structs, errors. */
#include <pthread.h>
#include <stdlib.h>

#include "api.h"

START_TEST(test_open_bad_specs_say_why)
{
	static const struct {
		const char *spec;
		int code;
		const char *says;
		const char *hints;
	} cases[] = {
		{ "nonsense", -EINVAL, "'nonsense'", "sim:" },
		{ "/dev/accel/accel255", -ENODEV, "/dev/accel/accel255", "accel-smi" },
		{ "/dev/null", -ENODEV, "not a DRM device", "" },
		{ "sim:colour=3", -EINVAL, "'colour'", "arrays" },
		{ "sim:hbm", -EINVAL, "'hbm'", "key=number" },
		{ "sim:hbm=12Q", -EINVAL, "'hbm=12Q'", "key=number" },
		{ "sim:hbm=3M", -EINVAL, "hbm", "" },
		{ "sim:rows=9", -EINVAL, "rows", "" },
		{ "sim:workers=0", -EINVAL, "workers", "" },
		{ "sim:arrays=5000000000", -EINVAL, "arrays", "" },
	};
	struct accel_device *dev = NULL;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		t_err(cases[i].code, accel_device_open(cases[i].spec, &dev));
		t_says(cases[i].says);
		t_hints(cases[i].hints);
		ck_assert_str_eq(accel_last_error()->function,
				 "accel_device_open");
	}
	ck_assert_ptr_null(dev);
	t_err(-EINVAL, accel_device_open("sim:", NULL));
}
END_TEST

START_TEST(test_open_index_beyond_the_last_card)
{
	struct accel_device *dev;
	int cards = accel_device_list(NULL, 0);

	ck_assert_int_ge(cards, 0);
	t_err(-ENODEV, accel_device_open("200", &dev));
	ck_assert(*accel_last_error()->hint);
}
END_TEST

START_TEST(test_open_takes_the_environment)
{
	struct accel_device_info info = { .size = sizeof(info) };
	char *spec = strdup(t_spec());
	struct accel_device *dev;

	setenv("ACCEL_DEVICE", "sim:hbm=64M", 1);
	t_ok(accel_device_open(NULL, &dev));
	setenv("ACCEL_DEVICE", spec, 1);
	free(spec);
	t_ok(accel_device_query(dev, &info));
	ck_assert_uint_eq(info.hbm_size, 64u << 20);
	accel_device_close(dev);
}
END_TEST

START_TEST(test_query_tells_a_plausible_card)
{
	struct accel_device_info info = { .size = sizeof(info) };
	struct t_api t;

	t_open(&t);
	t_ok(accel_device_query(t.dev, &info));
	ck_assert(*info.name);
	ck_assert_uint_eq(info.is_sim, !strncmp(t_spec(), "sim:", 4));
	ck_assert_uint_ge(info.hbm_size, 16u << 20);
	ck_assert_uint_ge(info.num_arrays, 1);
	ck_assert_uint_ge(info.array_rows, 8);
	ck_assert_uint_ge(info.array_cols, 8);
	ck_assert_uint_ge(info.clock_khz, 1000);
	ck_assert_uint_ge(info.vector_lanes, 16);
	ck_assert_uint_ge(info.num_queues, 1);
	ck_assert_uint_eq(info.max_cmd_bytes, LOOM_MAX_CMD_BYTES);
	ck_assert_uint_eq(info.isa_version, LOOM_ISA_VERSION);
	ck_assert_uint_eq(info.hw_version >> 16, LOOM_HW_VERSION_MAJOR);
	t_close(&t);
}
END_TEST

START_TEST(test_structs_grow_at_the_end)
{
	struct { struct accel_device_info info; uint64_t tail; } newer;
	struct accel_device_info info = { .size = 0 };
	struct t_api t;

	t_open(&t);
	t_err(-EINVAL, accel_device_query(t.dev, &info));
	t_hints("sizeof");

	/* An older program: what lies behind its struct stays. */
	memset(&info, 0xee, sizeof(info));
	info.size = offsetof(struct accel_device_info, serial);
	t_ok(accel_device_query(t.dev, &info));
	ck_assert(*info.name);
	ck_assert_uint_eq(info.serial, 0xeeeeeeeeeeeeeeee);

	/* A newer one: what we do not know reads as 0. */
	memset(&newer, 0xee, sizeof(newer));
	newer.info.size = sizeof(newer);
	t_ok(accel_device_query(t.dev, &newer.info));
	ck_assert_uint_eq(newer.info.size, sizeof(newer));
	ck_assert_uint_eq(newer.tail, 0);
	t_close(&t);
}
END_TEST

START_TEST(test_unknown_members_must_be_zero)
{
	struct { struct accel_queue_desc desc; uint64_t tail; } newer = {
		.desc = { sizeof(newer), ACCEL_PRIORITY_NORMAL }, .tail = 0,
	};
	struct accel_queue *q;
	struct t_api t;

	t_open(&t);
	t_ok(accel_queue_create(t.dev, &newer.desc, &q));
	accel_queue_destroy(q);
	newer.tail = 1;
	t_err(-E2BIG, accel_queue_create(t.dev, &newer.desc, &q));
	t_hints("newer libaccel");
	newer.desc.size = sizeof(newer.desc);
	newer.desc.priority = 9;
	t_err(-EINVAL, accel_queue_create(t.dev, &newer.desc, &q));
	t_says("priority 9");
	t_close(&t);
}
END_TEST

START_TEST(test_null_arguments_are_refused)
{
	struct t_api t;
	struct accel_bo *bo;
	uint64_t point;

	t_open(&t);
	t_err(-EINVAL, accel_device_query(NULL, NULL));
	t_err(-EINVAL, accel_device_query(t.dev, NULL));
	t_err(-EINVAL, accel_bo_create(NULL, 1, ACCEL_HBM, &bo));
	t_err(-EINVAL, accel_queue_create(t.dev, NULL, NULL));
	t_err(-EINVAL, accel_cmdbuf_create(NULL, NULL));
	t_err(-EINVAL, accel_submit(NULL, t.cb, &point));
	t_err(-EINVAL, accel_submit(t.q, NULL, &point));
	t_err(-EINVAL, accel_cmd_copy(t.cb, NULL));
	t_err(-EINVAL, accel_cmd_nop(NULL));
	t_err(-EINVAL, accel_wait(NULL, 0, 0));
	t_close(&t);

	accel_device_close(NULL);
	accel_bo_destroy(NULL);
	accel_queue_destroy(NULL);
	accel_cmdbuf_destroy(NULL);
	accel_vprog_destroy(NULL);
}
END_TEST

static void *fresh_thread(void *opaque)
{
	const struct accel_error *e = accel_last_error();

	(void)opaque;
	ck_assert_int_eq(e->code, 0);
	ck_assert_str_eq(e->message, "");
	ck_assert_str_eq(e->hint, "");
	ck_assert_str_eq(e->function, "");
	return NULL;
}

START_TEST(test_last_error_is_never_null_and_per_thread)
{
	struct accel_device *dev;
	pthread_t thread;

	t_err(-EINVAL, accel_device_open("nonsense", &dev));
	ck_assert_int_eq(pthread_create(&thread, NULL, fresh_thread, NULL), 0);
	pthread_join(thread, NULL);
	t_says("nonsense");
	ck_assert_str_eq(accel_version(), "0.1.0");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("api_device");
	TCase *tc = tcase_create("device");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_open_bad_specs_say_why);
	tcase_add_test(tc, test_open_index_beyond_the_last_card);
	tcase_add_test(tc, test_open_takes_the_environment);
	tcase_add_test(tc, test_query_tells_a_plausible_card);
	tcase_add_test(tc, test_structs_grow_at_the_end);
	tcase_add_test(tc, test_unknown_members_must_be_zero);
	tcase_add_test(tc, test_null_arguments_are_refused);
	tcase_add_test(tc, test_last_error_is_never_null_and_per_thread);
	suite_add_tcase(s, tc);
	return t_main(s);
}
