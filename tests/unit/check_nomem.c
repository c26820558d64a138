// SPDX-License-Identifier: MIT
/*
 * Out of memory.  The n-th allocation of the library and the core fails, for
 * every n until a program's whole life succeeds: each failure is an error of
 * the call, leaves nothing behind and breaks nothing.
 *
 * Linked with --wrap for the functions below.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <accel/accel_cmd.h>

/* Allocations from now on; the one that makes it 0 fails. */
static atomic_int countdown;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);

static bool fails(void)
{
	return atomic_fetch_sub(&countdown, 1) == 1;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset)
{
	return fails() ? MAP_FAILED :
			 __real_mmap(addr, len, prot, flags, fd, offset);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg)
{
	return fails() ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}

/** struct life - everything a program makes */
struct life {
	struct accel_device *dev;
	struct accel_queue *q, *q2;
	struct accel_cmdbuf *cb;
	struct accel_bo *hbm, *host;
	struct accel_vprog *prog;
};

static int make(struct life *l)
{
	int rc = accel_device_open("sim:hbm=32M,workers=2", &l->dev);

	if (!rc)
		rc = accel_queue_create(l->dev, NULL, &l->q);
	if (!rc)
		rc = accel_queue_create(l->dev, NULL, &l->q2);
	if (!rc)
		rc = accel_cmdbuf_create(l->dev, &l->cb);
	if (!rc)
		rc = accel_bo_create(l->dev, 4096, ACCEL_HBM, &l->hbm);
	if (!rc)
		rc = accel_bo_create(l->dev, 3 << 20, ACCEL_HOST, &l->host);
	if (!rc)
		rc = accel_vprog_assemble("mov s0, s1", &l->prog);
	return rc;
}

static int use(struct life *l)
{
	const uint32_t dim[4] = { 1, 1, 1, 1 };
	struct accel_point wait = { l->q2, 0 };
	const struct accel_submit_info info = {
		.size = sizeof(info), .num_cmdbufs = 1, .cmdbufs = &l->cb,
		.waits = &wait, .num_waits = 1,
	};
	uint64_t point;
	int rc = 0;

	/* More than one page, so that the buffer grows. */
	while (!rc && accel_cmdbuf_size(l->cb) < 20000)
		rc = accel_cmd_timestamp(l->cb, accel_bo_va(l->hbm));
	if (!rc)
		rc = accel_cmd_vector(l->cb, l->prog, dim, NULL, 0, NULL);
	if (!rc)
		rc = accel_submit(l->q2, l->cb, &wait.value);
	if (!rc)
		rc = accel_submit_ex(l->q, &info, &point);
	if (!rc)
		rc = accel_wait(l->q, point, -1);
	return rc;
}

static void unmake(struct life *l)
{
	accel_vprog_destroy(l->prog);
	accel_bo_destroy(l->hbm);
	accel_bo_destroy(l->host);
	accel_cmdbuf_destroy(l->cb);
	accel_queue_destroy(l->q);
	accel_queue_destroy(l->q2);
	accel_device_close(l->dev);
}

START_TEST(test_any_allocation_may_fail)
{
	struct life life;
	int n, rc, left;

	for (n = 1; n < 1000; n++) {
		memset(&life, 0, sizeof(life));
		atomic_store(&countdown, n);
		rc = make(&life);
		if (!rc)
			rc = use(&life);
		unmake(&life);
		/* Check allocates, too. */
		left = atomic_exchange(&countdown, 0);
		if (left > 0)
			break;
		ck_assert_msg(!rc || rc == -ENOMEM || rc == -EIO,
			      "allocation %d: %d: %s", n, rc,
			      accel_last_error()->message);
		if (rc)
			ck_assert_int_eq(accel_last_error()->code, rc);
	}
	ck_assert_int_gt(n, 20);
	ck_assert_int_lt(n, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nomem");
	TCase *tc = tcase_create("nomem");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_any_allocation_may_fail);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
