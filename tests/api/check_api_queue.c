// SPDX-License-Identifier: MIT
/* Queues, submission, waits, events. */
#include <stdlib.h>
#include <time.h>

#include "api.h"

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

/* A job that does not end before event 1 is set. */
static void record_block(struct accel_cmdbuf *cb)
{
	t_ok(accel_cmd_event(cb, LOOM_EVENT_OP_WAIT_GE, 1, 1));
}

static void record_release(struct accel_cmdbuf *cb)
{
	t_ok(accel_cmd_event(cb, LOOM_EVENT_OP_SET, 1, 1));
}

START_TEST(test_points_count_jobs)
{
	struct accel_cmdbuf *cbs[3];
	struct accel_submit_info info = {
		.size = sizeof(info), .num_cmdbufs = 3, .cmdbufs = cbs,
	};
	uint64_t one, four;
	struct t_api t;

	t_open(&t);
	t_ok(accel_cmd_nop(t.cb));
	cbs[0] = cbs[1] = cbs[2] = t.cb;
	t_ok(accel_submit(t.q, t.cb, &one));
	t_ok(accel_submit_ex(t.q, &info, &four));
	ck_assert_uint_gt(four, one);
	t_ok(accel_wait(t.q, four, LONG));
	t_ok(accel_wait(t.q, one, 0));
	t_ok(accel_wait(t.q, 0, 0));
	t_err(-EINVAL, accel_wait(t.q, four + 1, 0));
	t_says("was not submitted");
	t_close(&t);
}
END_TEST

START_TEST(test_bad_submissions_are_refused)
{
	struct accel_cmdbuf *cbs[65];
	struct accel_submit_info info = { .size = sizeof(info), .cmdbufs = cbs };
	struct accel_point wait;
	struct t_api t, other;
	unsigned int i;

	t_open(&t);
	t_open(&other);
	for (i = 0; i < 65; i++)
		cbs[i] = t.cb;
	t_err(-EINVAL, accel_submit(t.q, t.cb, NULL));
	t_says("command buffer 0 is empty");
	t_ok(accel_cmd_nop(t.cb));
	t_err(-EINVAL, accel_submit(other.q, t.cb, NULL));
	t_says("of another device");
	t_err(-EINVAL, accel_submit_ex(t.q, &info, NULL));
	info.num_cmdbufs = 65;
	t_err(-EINVAL, accel_submit_ex(t.q, &info, NULL));
	info.num_cmdbufs = 1;
	info.num_waits = 1;
	t_err(-EINVAL, accel_submit_ex(t.q, &info, NULL));
	info.waits = &wait;
	wait = (struct accel_point){ other.q, 0 };
	t_err(-EINVAL, accel_submit_ex(t.q, &info, NULL));
	wait = (struct accel_point){ t.q, 1 };
	t_err(-EINVAL, accel_submit_ex(t.q, &info, NULL));
	t_says("was not submitted");
	info.num_waits = 0;
	info.flags = 1u << 31;
	t_err(-EINVAL, accel_submit_ex(t.q, &info, NULL));
	t_close(&other);
	t_close(&t);
}
END_TEST

START_TEST(test_command_buffers_of_a_submission_run_in_order)
{
	enum { NUM = 64 };
	struct accel_cmdbuf *cbs[NUM];
	struct accel_submit_info info = {
		.size = sizeof(info), .num_cmdbufs = NUM, .cmdbufs = cbs,
	};
	struct accel_bo *bo;
	struct t_api t;
	uint64_t point;
	unsigned int i;

	t_open(&t);
	bo = t_bo(&t, 4096, ACCEL_HBM);
	/* Each moves what the one before it wrote one place up. */
	for (i = 0; i < NUM; i++) {
		cbs[i] = t_cmdbuf(&t);
		if (i)
			t_copy(cbs[i], accel_bo_va(bo) + 4 * i,
			       accel_bo_va(bo) + 4 * (i - 1), 1);
		else
			t_fill(cbs[i], accel_bo_va(bo), 1, 99);
	}
	t_ok(accel_submit_ex(t.q, &info, &point));
	t_ok(accel_wait(t.q, point, LONG));
	ck_assert_int_eq(t_get(bo, NUM - 1), 99);
	for (i = 0; i < NUM; i++)
		accel_cmdbuf_destroy(cbs[i]);
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_many_submissions_without_waiting)
{
	enum { NUM = 1500 };
	struct accel_bo *bo;
	struct t_api t;
	uint64_t point;
	unsigned int i;

	t_open(&t);
	bo = t_bo(&t, 4096, ACCEL_HBM);
	t_fill(t.cb, accel_bo_va(bo), 1, 5);
	for (i = 0; i < NUM; i++)
		t_ok(accel_submit(t.q, t.cb, &point));
	t_ok(accel_wait(t.q, point, LONG));
	ck_assert_int_eq(t_get(bo, 0), 5);
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_wait_times_out_and_work_goes_on)
{
	struct accel_cmdbuf *release;
	struct accel_queue *q2;
	struct t_api t;
	uint64_t point, p2;
	int64_t start;

	t_open(&t);
	q2 = t_queue(&t);
	release = t_cmdbuf(&t);
	record_block(t.cb);
	record_release(release);
	t_ok(accel_submit(t.q, t.cb, &point));
	t_err(-ETIME, accel_wait(t.q, point, 0));
	start = now_ns();
	t_err(-ETIME, accel_wait(t.q, point, SECOND / 20));
	ck_assert_int_ge(now_ns() - start, SECOND / 20);
	t_hints("wait again");
	t_ok(accel_submit(q2, release, &p2));
	t_ok(accel_wait(t.q, point, -1));
	t_ok(accel_wait(q2, p2, -1));
	accel_cmdbuf_destroy(release);
	accel_queue_destroy(q2);
	t_close(&t);
}
END_TEST

START_TEST(test_waits_order_queues)
{
	struct accel_cmdbuf *copy, *release, *fill;
	struct accel_queue *q2, *q3;
	struct accel_point wait;
	struct accel_submit_info info = {
		.size = sizeof(info), .num_cmdbufs = 1, .waits = &wait,
		.num_waits = 1,
	};
	struct accel_bo *bo;
	struct t_api t;
	uint64_t p1, p2, p3;

	t_open(&t);
	q2 = t_queue(&t);
	q3 = t_queue(&t);
	copy = t_cmdbuf(&t);
	release = t_cmdbuf(&t);
	fill = t_cmdbuf(&t);
	bo = t_bo(&t, 4096, ACCEL_HBM);
	/* q: block, then fill; q2: copy after that; q3: release. */
	record_block(t.cb);
	t_fill(fill, accel_bo_va(bo), 1, 31);
	t_copy(copy, accel_bo_va(bo) + 64, accel_bo_va(bo), 1);
	record_release(release);
	t_ok(accel_submit(t.q, t.cb, NULL));
	t_ok(accel_submit(t.q, fill, &p1));
	wait = (struct accel_point){ t.q, p1 };
	info.cmdbufs = &copy;
	t_ok(accel_submit_ex(q2, &info, &p2));
	t_err(-ETIME, accel_wait(q2, p2, SECOND / 50));
	t_ok(accel_submit(q3, release, &p3));
	t_ok(accel_wait(q2, p2, LONG));
	ck_assert_int_eq(t_get(bo, 16), 31);
	t_ok(accel_wait(q3, p3, LONG));

	accel_bo_destroy(bo);
	accel_cmdbuf_destroy(copy);
	accel_cmdbuf_destroy(fill);
	accel_cmdbuf_destroy(release);
	accel_queue_destroy(q2);
	accel_queue_destroy(q3);
	t_close(&t);
}
END_TEST

START_TEST(test_events_signal_and_wait_in_heads)
{
	struct loom_cmd_copy fill = {
		.hdr = { .signal_event = 7 },
		.mode = LOOM_COPY_FILL, .dst_type = LOOM_TYPE_I32,
		.dim = { 1, 1, 1, 1 }, .dst_stride = { 4 }, .fill = 12,
	};
	struct loom_cmd_copy move = {
		.hdr = { .wait_event = 7 },
		.mode = LOOM_COPY_COPY, .src_type = LOOM_TYPE_I32,
		.dst_type = LOOM_TYPE_I32, .dim = { 1, 1, 1, 1 },
	};
	struct accel_cmdbuf *first;
	struct accel_queue *q2;
	struct accel_bo *bo;
	struct t_api t;
	uint64_t p, p2;

	t_open(&t);
	q2 = t_queue(&t);
	first = t_cmdbuf(&t);
	bo = t_bo(&t, 4096, ACCEL_HBM);
	fill.dst = accel_bo_va(bo);
	move.src = fill.dst;
	move.dst = fill.dst + 4;
	t_ok(accel_cmd_copy(t.cb, &move));
	t_ok(accel_cmd_copy(first, &fill));
	t_ok(accel_submit(t.q, t.cb, &p));
	t_err(-ETIME, accel_wait(t.q, p, SECOND / 50));
	t_ok(accel_submit(q2, first, &p2));
	t_ok(accel_wait(t.q, p, LONG));
	t_ok(accel_wait(q2, p2, LONG));
	ck_assert_int_eq(t_get(bo, 1), 12);
	accel_bo_destroy(bo);
	accel_cmdbuf_destroy(first);
	accel_queue_destroy(q2);
	t_close(&t);
}
END_TEST

START_TEST(test_destroyed_queue_drops_its_work)
{
	struct accel_cmdbuf *nop;
	struct accel_queue *q2, *q3;
	struct accel_point wait;
	struct accel_submit_info info = {
		.size = sizeof(info), .num_cmdbufs = 1, .waits = &wait,
		.num_waits = 1,
	};
	struct t_api t;
	uint64_t p2, p3;

	t_open(&t);
	q2 = t_queue(&t);
	q3 = t_queue(&t);
	nop = t_cmdbuf(&t);
	t_ok(accel_cmd_nop(nop));
	record_block(t.cb);
	t_ok(accel_submit(q2, t.cb, NULL));
	t_ok(accel_submit(q2, nop, &p2));
	wait = (struct accel_point){ q2, p2 };
	info.cmdbufs = &nop;
	t_ok(accel_submit_ex(q3, &info, &p3));
	accel_queue_destroy(q2);
	/* Who waited for it need not for ever. */
	t_ok(accel_wait(q3, p3, LONG));
	accel_queue_destroy(q3);
	accel_cmdbuf_destroy(nop);
	t_close(&t);
}
END_TEST

START_TEST(test_command_buffer_may_be_destroyed_after_submit)
{
	struct accel_cmdbuf *cb;
	struct accel_bo *bo;
	struct t_api t;
	uint64_t point;

	t_open(&t);
	bo = t_bo(&t, 4096, ACCEL_HBM);
	cb = t_cmdbuf(&t);
	t_fill(cb, accel_bo_va(bo), 1, 8);
	t_ok(accel_submit(t.q, cb, &point));
	accel_cmdbuf_destroy(cb);
	t_ok(accel_wait(t.q, point, LONG));
	ck_assert_int_eq(t_get(bo, 0), 8);
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_patched_buffer_runs_again)
{
	struct accel_bo *bo;
	struct t_api t;
	uint64_t point, fill;

	t_open(&t);
	bo = t_bo(&t, 4096, ACCEL_HBM);
	t_fill(t.cb, accel_bo_va(bo), 1, 0);
	for (fill = 1; fill < 4; fill++) {
		t_ok(accel_cmdbuf_patch(t.cb, offsetof(struct loom_cmd_copy, fill),
					&fill, sizeof(fill)));
		t_ok(accel_submit(t.q, t.cb, &point));
		t_ok(accel_wait(t.q, point, LONG));
		ck_assert_int_eq(t_get(bo, 0), (int)fill);
	}
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_all_hardware_queues_can_be_taken)
{
	struct accel_device_info info = { .size = sizeof(info) };
	struct accel_queue *q[LOOM_MAX_QUEUES], *more;
	struct t_api t;
	unsigned int i, num = 0;
	uint64_t point;

	t_open(&t);
	t_ok(accel_device_query(t.dev, &info));
	t_ok(accel_cmd_nop(t.cb));
	while (num < info.num_queues &&
	       !accel_queue_create(t.dev, NULL, &q[num]))
		num++;
	/* One is the fixture's; the driver may keep some for itself. */
	ck_assert_uint_ge(num, 1);
	ck_assert_uint_lt(num, info.num_queues);
	t_err(-ENOSPC, accel_queue_create(t.dev, NULL, &more));
	for (i = 0; i < num; i++)
		t_ok(accel_submit(q[i], t.cb, NULL));
	for (i = 0; i < num; i++)
		t_ok(accel_wait(q[i], 1, LONG));
	for (i = 0; i < num; i++)
		accel_queue_destroy(q[i]);
	more = t_queue(&t);
	t_ok(accel_submit(more, t.cb, &point));
	t_ok(accel_wait(more, point, LONG));
	accel_queue_destroy(more);
	t_close(&t);
}
END_TEST

START_TEST(test_status_of_a_well_queue)
{
	struct accel_queue_status st = { .size = sizeof(st) };
	struct t_api t;
	uint64_t last;

	t_open(&t);
	t_ok(accel_queue_status(t.q, &st));
	ck_assert_uint_eq(st.failed, 0);
	ck_assert_uint_eq(st.jobs_done, 0);
	t_ok(accel_cmd_nop(t.cb));
	t_run(&t);
	t_ok(accel_queue_status(t.q, &st));
	ck_assert_uint_eq(st.failed, 0);
	ck_assert_uint_eq(st.jobs_done, 1);
	ck_assert_uint_ge(st.last_end, st.last_start);
	ck_assert_str_eq(st.text, "");
	last = st.last_end;
	t_ok(accel_cmd_nop(t.cb));
	t_run(&t);
	t_ok(accel_queue_status(t.q, &st));
	ck_assert_uint_eq(st.jobs_done, 2);
	ck_assert_uint_ge(st.last_start, last);
	t_close(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("api_queue");
	TCase *tc = tcase_create("queue");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, test_points_count_jobs);
	tcase_add_test(tc, test_bad_submissions_are_refused);
	tcase_add_test(tc, test_command_buffers_of_a_submission_run_in_order);
	tcase_add_test(tc, test_many_submissions_without_waiting);
	tcase_add_test(tc, test_wait_times_out_and_work_goes_on);
	tcase_add_test(tc, test_waits_order_queues);
	tcase_add_test(tc, test_events_signal_and_wait_in_heads);
	tcase_add_test(tc, test_destroyed_queue_drops_its_work);
	tcase_add_test(tc, test_command_buffer_may_be_destroyed_after_submit);
	tcase_add_test(tc, test_patched_buffer_runs_again);
	tcase_add_test(tc, test_all_hardware_queues_can_be_taken);
	tcase_add_test(tc, test_status_of_a_well_queue);
	suite_add_tcase(s, tc);
	return t_main(s);
}
