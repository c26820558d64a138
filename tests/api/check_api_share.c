// SPDX-License-Identifier: MIT
/*
 * What others see of a program: labels, facts and dma-bufs of its buffer objects,
 * times of its jobs, what it used.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "api.h"

static bool is_sim(struct t_api *t)
{
	struct accel_device_info info = { .size = sizeof(info) };

	t_ok(accel_device_query(t->dev, &info));
	return info.is_sim;
}

START_TEST(test_label_is_kept_and_taken_away)
{
	struct accel_bo_info info = { .size = sizeof(info) };
	char longest[ACCEL_MAX_LABEL + 2];
	uint64_t point;
	struct accel_bo *bo;
	struct t_api t;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	t_open(&t);
	bo = t_bo(&t, 4096, ACCEL_HBM);
	t_ok(accel_bo_query(bo, &info));
	ck_assert_str_eq(info.label, "");
	ck_assert_uint_eq(info.placement, ACCEL_HBM);
	ck_assert_uint_eq(info.resident, ACCEL_HBM);
	ck_assert_uint_eq(info.flags, 0);
	t_ok(accel_bo_set_label(bo, "weights of layer 1"));
	t_ok(accel_bo_query(bo, &info));
	ck_assert_str_eq(info.label, "weights of layer 1");
	t_fill(t.cb, accel_bo_va(bo), 2048, 1);
	t_ok(accel_submit(t.q, t.cb, &point));
	t_err(-EIO, accel_wait(t.q, point, LONG));
	t_hints("the buffer \"weights of layer 1\" at 0x");
	t_err(-E2BIG, accel_bo_set_label(bo, longest));
	t_ok(accel_bo_set_label(bo, longest + 1));
	t_ok(accel_bo_query(bo, &info));
	ck_assert_str_eq(info.label, longest + 1);
	t_ok(accel_bo_set_label(bo, NULL));
	t_ok(accel_bo_query(bo, &info));
	ck_assert_str_eq(info.label, "");
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_times_of_jobs_ascend)
{
	struct accel_job_time times[ACCEL_MAX_JOB_TIMES];
	struct t_api t;
	uint64_t point;
	int i, n;

	t_open(&t);
	t_ok(accel_queue_times(t.q, 1, times, 1));
	t_ok(accel_cmd_nop(t.cb));
	for (i = 0; i < 300; i++)
		t_ok(accel_submit(t.q, t.cb, &point));
	t_ok(accel_wait(t.q, point, LONG));
	n = accel_queue_times(t.q, 0, times, ACCEL_MAX_JOB_TIMES);
	ck_assert_int_eq(n, ACCEL_MAX_JOB_TIMES);
	ck_assert_uint_eq(times[n - 1].job, point);
	for (i = 0; i < n; i++) {
		ck_assert_uint_eq(times[i].job, point - (unsigned int)(n - 1 - i));
		ck_assert_uint_ge(times[i].end, times[i].start);
		if (i)
			ck_assert_uint_ge(times[i].start, times[i - 1].end);
	}
	ck_assert_int_eq(accel_queue_times(t.q, point, times, 8), 1);
	ck_assert_uint_eq(times[0].job, point);
	ck_assert_int_eq(accel_queue_times(t.q, point - 20, times, 8), 8);
	ck_assert_uint_eq(times[0].job, point - 20);
	t_ok(accel_queue_times(t.q, point + 1, times, 8));
	t_err(-EINVAL, accel_queue_times(t.q, 1, times, 0));
	t_err(-EINVAL, accel_queue_times(t.q, 1, times, ACCEL_MAX_JOB_TIMES + 1));
	t_close(&t);
}
END_TEST

START_TEST(test_usage_counts_this_handle_alone)
{
	struct accel_usage a = { .size = sizeof(a) }, b = { .size = sizeof(b) };
	struct loom_cmd_nop nop = { .reserved = { 1 } };
	uint64_t point;
	struct accel_bo *bo;
	struct t_api t, other;

	t_open(&t);
	t_open(&other);
	bo = t_bo(&t, 1 << 20, ACCEL_HBM);
	t_fill(t.cb, accel_bo_va(bo), 1 << 18, 1);
	t_run(&t);
	t_ok(accel_device_usage(t.dev, &a));
	ck_assert_uint_eq(a.jobs, 1);
	ck_assert_uint_eq(a.failed, 0);
	ck_assert_uint_gt(a.cycles, 0);
	t_raw(t.cb, LOOM_OP_NOP, &nop, sizeof(nop));
	t_ok(accel_submit(t.q, t.cb, &point));
	t_err(-EIO, accel_wait(t.q, point, LONG));
	t_ok(accel_device_usage(t.dev, &a));
	ck_assert_uint_eq(a.jobs, 2);
	ck_assert_uint_eq(a.failed, 1);
	t_ok(accel_device_usage(other.dev, &b));
	ck_assert_uint_eq(b.jobs, 0);
	ck_assert_uint_eq(b.cycles, 0);
	t_close(&other);
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_shared_memory_is_one)
{
	struct accel_bo_info info = { .size = sizeof(info) };
	struct accel_bo *ours, *theirs, *again;
	struct t_api t, other;
	int fd, i;

	t_open(&t);
	t_open(&other);
	t_ok(accel_bo_create_shared(t.dev, 1 << 16, ACCEL_HBM, &ours));
	if (is_sim(&t)) {
		t_err(-EOPNOTSUPP, accel_bo_export(ours, &fd));
		accel_bo_destroy(ours);
		goto out;
	}
	t_ok(accel_bo_export(ours, &fd));
	t_err(-EEXIST, accel_bo_import(t.dev, fd, &again));
	t_ok(accel_bo_import(other.dev, fd, &theirs));
	t_err(-EEXIST, accel_bo_import(other.dev, fd, &again));
	close(fd);
	ck_assert_uint_eq(accel_bo_size(theirs), 1 << 16);
	t_ok(accel_bo_query(theirs, &info));

	t_fill(t.cb, accel_bo_va(ours), 1 << 14, 7);
	t_run(&t);
	ck_assert_int_eq(t_get(theirs, (1 << 14) - 1), 7);
	t_fill(other.cb, accel_bo_va(theirs), 1 << 13, 9);
	t_run(&other);
	/* It outlives the exporter. */
	accel_bo_destroy(ours);
	for (i = 0; i < 1 << 14; i += 0xfff)
		ck_assert_int_eq(t_get(theirs, i), i < 1 << 13 ? 9 : 7);
	accel_bo_destroy(theirs);
out:
	t_close(&other);
	t_close(&t);
}
END_TEST

/** struct importer - a thread that imports and destroys again and again */
struct importer {
	struct accel_device *dev;
	int fd;
	unsigned int imports;
	/** @bad: what else than success and -EEXIST there was, 0 for nothing */
	int bad;
};

static void *import_often(void *arg)
{
	struct importer *i = arg;
	struct accel_bo *bo;
	char byte;

	for (int n = 0; n < 400 && !i->bad; n++) {
		int rc = accel_bo_import(i->dev, i->fd, &bo);

		if (rc == -EEXIST) {
			sched_yield();
			continue;
		}
		i->bad = rc ? rc : accel_bo_read(bo, 0, &byte, 1);
		i->imports += !rc;
		if (!rc)
			accel_bo_destroy(bo);
	}
	return NULL;
}

START_TEST(test_threads_import_the_same_memory)
{
	struct importer importer[2] = { 0 };
	struct t_api t, other;
	struct accel_bo *bo;
	pthread_t thread[2];
	int fd, i;

	t_open(&t);
	t_open(&other);
	t_ok(accel_bo_create_shared(t.dev, 4096, ACCEL_HOST, &bo));
	if (!is_sim(&t)) {
		t_ok(accel_bo_export(bo, &fd));
		for (i = 0; i < 2; i++) {
			importer[i].dev = other.dev;
			importer[i].fd = fd;
			ck_assert(!pthread_create(&thread[i], NULL, import_often,
						  &importer[i]));
		}
		for (i = 0; i < 2; i++)
			pthread_join(thread[i], NULL);
		for (i = 0; i < 2; i++)
			ck_assert_int_eq(importer[i].bad, 0);
		/* One of them was always first. */
		ck_assert_uint_gt(importer[0].imports + importer[1].imports, 0);
		close(fd);
	}
	accel_bo_destroy(bo);
	t_close(&other);
	t_close(&t);
}
END_TEST

START_TEST(test_what_cannot_be_shared_is_refused)
{
	struct accel_bo *bo, *out;
	struct t_api t;
	int fd, file;

	t_open(&t);
	bo = t_bo(&t, 4096, ACCEL_HBM);
	t_err(-EINVAL, accel_bo_export(bo, &fd));
	t_hints("accel_bo_create_shared");
	accel_bo_destroy(bo);
	t_err(-EBADF, accel_bo_import(t.dev, -1, &out));
	file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(file, 0);
	t_err(is_sim(&t) ? -EOPNOTSUPP : -EINVAL,
	      accel_bo_import(t.dev, file, &out));
	close(file);
	/* Nothing of the failures is left: the card works. */
	bo = t_bo(&t, 4096, ACCEL_HOST);
	t_fill(t.cb, accel_bo_va(bo), 1024, 3);
	t_run(&t);
	ck_assert_int_eq(t_get(bo, 1023), 3);
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_repeatable_work_and_unknown_flags)
{
	struct accel_submit_info info = {
		.size = sizeof(info), .num_cmdbufs = 1,
		.flags = ACCEL_SUBMIT_REPEATABLE,
	};
	struct t_api t;
	uint64_t point;

	t_open(&t);
	t_ok(accel_cmd_nop(t.cb));
	info.cmdbufs = &t.cb;
	t_ok(accel_submit_ex(t.q, &info, &point));
	t_ok(accel_wait(t.q, point, LONG));
	info.flags = 1u << 31;
	t_err(-EINVAL, accel_submit_ex(t.q, &info, &point));
	t_says("0x80000000");
	t_close(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("api_share");
	TCase *tc = tcase_create("share");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, test_label_is_kept_and_taken_away);
	tcase_add_test(tc, test_times_of_jobs_ascend);
	tcase_add_test(tc, test_usage_counts_this_handle_alone);
	tcase_add_test(tc, test_shared_memory_is_one);
	tcase_add_test(tc, test_threads_import_the_same_memory);
	tcase_add_test(tc, test_what_cannot_be_shared_is_refused);
	tcase_add_test(tc, test_repeatable_work_and_unknown_flags);
	suite_add_tcase(s, tc);
	return t_main(s);
}
