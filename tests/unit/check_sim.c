// SPDX-License-Identifier: MIT
/*
 * What only the "sim:" transport has: options, several cards in a process, a
 * watchdog, memory that is not handed out twice.  The rest is in tests/api.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define ok(call) \
	ck_assert_msg(!(call), "%s: %s", #call, accel_last_error()->message)

static struct accel_device *open_sim(const char *spec)
{
	struct accel_device *dev;

	ok(accel_device_open(spec, &dev));
	return dev;
}

static void record_fill(struct accel_cmdbuf *cb, uint64_t va, uint32_t n,
			uint32_t value)
{
	const struct loom_cmd_copy cmd = {
		.mode = LOOM_COPY_FILL, .dst_type = LOOM_TYPE_I32,
		.dim = { n, 1, 1, 1 }, .dst = va, .dst_stride = { 4 },
		.fill = value,
	};

	ok(accel_cmd_copy(cb, &cmd));
}

START_TEST(test_options_shape_the_card)
{
	struct accel_device_info info = { .size = sizeof(info) };
	struct accel_device *dev = open_sim(
		"sim:hbm=32M,sram=0x400000,arrays=2,rows=64,cols=32,"
		"clock-khz=500000,lanes=256,hbm-channels=4,"
		"hbm-channel-mbps=1000,pcie-mbps=2000,queues=3,serial=77,"
		"workers=2,job-timeout-ms=1000");

	ok(accel_device_query(dev, &info));
	ck_assert_uint_eq(info.hbm_size, 32u << 20);
	ck_assert_uint_eq(info.sram_size, 4u << 20);
	ck_assert_uint_eq(info.num_arrays, 2);
	ck_assert_uint_eq(info.array_rows, 64);
	ck_assert_uint_eq(info.array_cols, 32);
	ck_assert_uint_eq(info.clock_khz, 500000);
	ck_assert_uint_eq(info.vector_lanes, 256);
	ck_assert_uint_eq(info.hbm_channels, 4);
	ck_assert_uint_eq(info.hbm_mbps, 4000);
	ck_assert_uint_eq(info.pcie_mbps, 2000);
	ck_assert_uint_eq(info.num_queues, 3);
	ck_assert_uint_eq(info.serial, 77);
	ck_assert_str_eq(info.name, "sim:");
	accel_device_close(dev);
}
END_TEST

/** struct job - one thread's work on a device */
struct job {
	struct accel_device *dev;
	pthread_t thread;
	uint32_t value;
};

static void *job_main(void *opaque)
{
	struct job *job = opaque;
	struct accel_queue *q;
	struct accel_cmdbuf *cb;
	struct accel_bo *bo;
	uint64_t point;
	uint32_t i, got;

	ok(accel_queue_create(job->dev, NULL, &q));
	ok(accel_cmdbuf_create(job->dev, &cb));
	for (i = 0; i < 60; i++) {
		ok(accel_bo_create(job->dev, 4096 * (1 + i % 9),
				   i % 2 ? ACCEL_HBM : ACCEL_HOST, &bo));
		accel_cmdbuf_reset(cb);
		record_fill(cb, accel_bo_va(bo), 1024, job->value + i);
		ok(accel_submit(q, cb, &point));
		ok(accel_wait(q, point, -1));
		ok(accel_bo_read(bo, 4092, &got, 4));
		ck_assert_uint_eq(got, job->value + i);
		accel_bo_destroy(bo);
	}
	accel_cmdbuf_destroy(cb);
	accel_queue_destroy(q);
	return NULL;
}

START_TEST(test_threads_and_cards_do_not_disturb_each_other)
{
	struct accel_device *dev[2] = {
		open_sim("sim:hbm=32M,workers=1"),
		open_sim("sim:hbm=32M,workers=3"),
	};
	struct job jobs[6];
	unsigned int i;

	for (i = 0; i < 6; i++) {
		jobs[i].dev = dev[i % 2];
		jobs[i].value = i * 1000;
		ck_assert_int_eq(pthread_create(&jobs[i].thread, NULL, job_main,
						&jobs[i]), 0);
	}
	for (i = 0; i < 6; i++)
		pthread_join(jobs[i].thread, NULL);
	accel_device_close(dev[0]);
	accel_device_close(dev[1]);
}
END_TEST

START_TEST(test_job_without_progress_is_given_up)
{
	struct accel_device *dev = open_sim("sim:job-timeout-ms=300");
	struct accel_queue_status st = { .size = sizeof(st) };
	struct accel_queue *q, *other;
	struct accel_cmdbuf *hang, *good;
	uint64_t point, next;

	ok(accel_queue_create(dev, NULL, &q));
	ok(accel_queue_create(dev, NULL, &other));
	ok(accel_cmdbuf_create(dev, &hang));
	ok(accel_cmdbuf_create(dev, &good));
	ok(accel_cmd_nop(good));
	ok(accel_cmd_event(hang, LOOM_EVENT_OP_WAIT_GE, 3, 1));
	ok(accel_submit(q, hang, &point));
	ok(accel_submit(q, good, &next));
	ck_assert_int_eq(accel_wait(q, point, 100000000), -ETIME);
	ck_assert_int_eq(accel_wait(q, point, -1), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(accel_last_error()->message,
				     "no progress"));
	ck_assert_int_eq(accel_wait(q, next, -1), -ECANCELED);
	ck_assert_int_eq(accel_submit(q, good, NULL), -ECANCELED);
	ok(accel_queue_status(q, &st));
	ck_assert_uint_eq(st.failed, 1);
	ck_assert_uint_eq(st.job, 1);

	ok(accel_submit(other, good, &point));
	ok(accel_wait(other, point, -1));
	accel_queue_destroy(q);
	accel_queue_destroy(other);
	accel_cmdbuf_destroy(hang);
	accel_cmdbuf_destroy(good);
	accel_device_close(dev);
}
END_TEST

START_TEST(test_device_closes_with_work_in_flight)
{
	struct accel_device *dev = open_sim("sim:");
	struct accel_queue *q;
	struct accel_cmdbuf *cb;
	struct accel_bo *bo;
	unsigned int i;

	ok(accel_queue_create(dev, NULL, &q));
	ok(accel_cmdbuf_create(dev, &cb));
	ok(accel_bo_create(dev, 8 << 20, ACCEL_HBM, &bo));
	for (i = 0; i < 20; i++)
		record_fill(cb, accel_bo_va(bo), 2 << 20, i);
	for (i = 0; i < 300; i++)
		ok(accel_submit(q, cb, NULL));
	accel_queue_destroy(q);
	accel_cmdbuf_destroy(cb);
	accel_bo_destroy(bo);
	accel_device_close(dev);
}
END_TEST

START_TEST(test_hbm_is_used_up_and_given_back)
{
	struct accel_device *dev = open_sim("sim:hbm=16M");
	struct accel_memory_info mem = { .size = sizeof(mem) };
	struct accel_bo *bo[4096];
	unsigned int num = 0, i, round;
	uint64_t used;

	for (round = 0; round < 3; round++) {
		num = 0;
		while (num < ARRAY_SIZE(bo) &&
		       !accel_bo_create(dev, 4096 + 65536 * (num % 3), ACCEL_HBM,
					&bo[num]))
			num++;
		ck_assert_int_eq(accel_last_error()->code, -ENOSPC);
		ck_assert_ptr_nonnull(strstr(accel_last_error()->message,
					     "largest free piece"));
		ck_assert_uint_gt(num, 100);
		/* In another order than they came. */
		for (i = 0; i < num; i += 2)
			accel_bo_destroy(bo[i]);
		for (i = 1; i < num; i += 2)
			accel_bo_destroy(bo[i]);
		ok(accel_device_memory(dev, &mem));
		if (!round)
			used = mem.hbm_used;
		ck_assert_uint_eq(mem.hbm_used, used);
	}
	accel_device_close(dev);
}
END_TEST

/* A 2 MiB page where a table of small ones was, and the reverse. */
START_TEST(test_page_sizes_alternate_at_an_address)
{
	struct accel_device *dev = open_sim("sim:hbm=64M");
	struct accel_queue *q;
	struct accel_cmdbuf *cb;
	struct accel_bo *bo;
	unsigned int i;
	uint64_t point;
	uint32_t got;

	ok(accel_queue_create(dev, NULL, &q));
	for (i = 0; i < 8; i++) {
		ok(accel_bo_create(dev, i % 2 ? 6 << 20 : 1 << 20,
				   i % 3 ? ACCEL_HBM : ACCEL_HOST, &bo));
		ok(accel_cmdbuf_create(dev, &cb));
		record_fill(cb, accel_bo_va(bo), accel_bo_size(bo) / 4, i + 1);
		ok(accel_submit(q, cb, &point));
		ok(accel_wait(q, point, -1));
		ok(accel_bo_read(bo, accel_bo_size(bo) - 4, &got, 4));
		ck_assert_uint_eq(got, i + 1);
		accel_bo_destroy(bo);
		accel_cmdbuf_destroy(cb);
	}
	accel_queue_destroy(q);
	accel_device_close(dev);
}
END_TEST

START_TEST(test_range_allocator_merges_what_comes_back)
{
	struct range_alloc ra;
	uint64_t at[16], odd;
	unsigned int i;

	ck_assert_int_eq(range_init(&ra, 0x1000, 0x11000), 0);
	for (i = 0; i < 16; i++)
		ck_assert_int_eq(range_get(&ra, 0x1000, 0x1000, &at[i]), 0);
	ck_assert_int_eq(range_get(&ra, 1, 1, &odd), -ENOSPC);
	ck_assert_uint_eq(ra.used, 0x10000);
	for (i = 0; i < 16; i += 2)
		range_put(&ra, at[i], 0x1000);
	ck_assert_uint_eq(range_largest(&ra), 0x1000);
	ck_assert_int_eq(range_get(&ra, 0x2000, 1, &odd), -ENOSPC);
	for (i = 1; i < 16; i += 2)
		range_put(&ra, at[i], 0x1000);
	ck_assert_uint_eq(range_largest(&ra), 0x10000);
	ck_assert_uint_eq(ra.used, 0);
	ck_assert_int_eq(range_get(&ra, 0x8000, 0x8000, &odd), 0);
	ck_assert_uint_eq(odd, 0x8000);
	ck_assert_int_eq(range_get(&ra, 0x10000, 1, &odd), -ENOSPC);
	range_fini(&ra);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sim");
	TCase *tc = tcase_create("sim");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_options_shape_the_card);
	tcase_add_test(tc, test_threads_and_cards_do_not_disturb_each_other);
	tcase_add_test(tc, test_job_without_progress_is_given_up);
	tcase_add_test(tc, test_device_closes_with_work_in_flight);
	tcase_add_test(tc, test_hbm_is_used_up_and_given_back);
	tcase_add_test(tc, test_page_sizes_alternate_at_an_address);
	tcase_add_test(tc, test_range_allocator_merges_what_comes_back);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
