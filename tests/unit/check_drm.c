// SPDX-License-Identifier: MIT
/*
 * The /dev/accel transport and the search for cards, without a kernel: this
 * program defines the functions of libdrm that the library calls, and a
 * directory stands for sysfs.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <drm/loom_accel.h>
#include <xf86drm.h>

#include "drm_node.h"

#define NODE_SIZE	(1 << 20)

/* ---------------------------------------------------------- the mock kernel */

static struct {
	/* What drmGetVersion() and the card's query say. */
	const char *driver;
	int major;
	struct drm_loom_device_info info;
	/* Fail the n-th call from now on (1 is the next) with this errno. */
	int fail_at;
	int fail_errno;
	/* What is alive. */
	int vms, bos, binds, queues, syncobjs;
	uint32_t next_handle;
	uint64_t next_offset;
	/* Arguments of the last calls. */
	struct drm_loom_vm_bind_op bind;
	struct drm_loom_submit submit;
	struct drm_loom_job jobs[64];
	struct drm_loom_sync_op syncs[64][65];
	uint64_t wait_point;
	int wait_result;
	/* So many waits end before their time. */
	int early;
	struct drm_loom_queue_state state;
} kernel;

/* Is it this call's turn to fail? */
static bool fails(void)
{
	if (!kernel.fail_at || --kernel.fail_at)
		return false;
	errno = kernel.fail_errno;
	return true;
}

static void do_query(struct drm_loom_query *q)
{
	struct drm_loom_memory_info mem = {
		.hbm_total = 1 << 30, .hbm_used = 12345, .system_used = 678,
	};
	struct drm_loom_counters c = { .count = 17, .value = { 100, 60 } };
	const void *from = q->type == DRM_LOOM_QUERY_DEVICE ? (void *)&kernel.info :
			   q->type == DRM_LOOM_QUERY_MEMORY ? (void *)&mem :
							      (void *)&c;

	memcpy((void *)(uintptr_t)q->data, from, q->size);
}

static void do_submit(const struct drm_loom_submit *s)
{
	const struct drm_loom_job *jobs = (void *)(uintptr_t)s->jobs.array;
	unsigned int i;

	kernel.submit = *s;
	for (i = 0; i < s->jobs.count; i++) {
		kernel.jobs[i] = jobs[i];
		if (jobs[i].syncs.count)
			memcpy(kernel.syncs[i],
			       (void *)(uintptr_t)jobs[i].syncs.array,
			       jobs[i].syncs.count * sizeof(kernel.syncs[0][0]));
	}
}

static void do_bind(const struct drm_loom_vm_bind *b)
{
	memcpy(&kernel.bind, (void *)(uintptr_t)b->ops.array,
	       sizeof(kernel.bind));
	kernel.binds += kernel.bind.op == DRM_LOOM_VM_BIND_MAP ? 1 : -1;
}

int drmIoctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	if (fails())
		return -1;
	switch (request) {
	case DRM_IOCTL_LOOM_QUERY:
		do_query(arg);
		break;
	case DRM_IOCTL_LOOM_VM_CREATE:
		kernel.vms++;
		((struct drm_loom_vm_create *)arg)->id = 7;
		break;
	case DRM_IOCTL_LOOM_VM_DESTROY:
		kernel.vms--;
		break;
	case DRM_IOCTL_LOOM_BO_CREATE:
		kernel.bos++;
		((struct drm_loom_bo_create *)arg)->handle = ++kernel.next_handle;
		break;
	case DRM_IOCTL_GEM_CLOSE:
		kernel.bos--;
		break;
	case DRM_IOCTL_LOOM_BO_MMAP_OFFSET:
		((struct drm_loom_bo_mmap_offset *)arg)->offset =
			kernel.next_offset;
		kernel.next_offset += 65536;
		break;
	case DRM_IOCTL_LOOM_VM_BIND:
		do_bind(arg);
		break;
	case DRM_IOCTL_LOOM_QUEUE_CREATE:
		((struct drm_loom_queue_create *)arg)->id = ++kernel.queues;
		break;
	case DRM_IOCTL_LOOM_QUEUE_DESTROY:
		kernel.queues--;
		break;
	case DRM_IOCTL_LOOM_QUEUE_STATE:
		*(struct drm_loom_queue_state *)arg = kernel.state;
		break;
	case DRM_IOCTL_LOOM_SUBMIT:
		do_submit(arg);
		break;
	default:
		ck_abort_msg("ioctl %lx", request);
	}
	return 0;
}

drmVersionPtr drmGetVersion(int fd)
{
	drmVersionPtr v;

	(void)fd;
	if (fails())
		return NULL;
	v = calloc(1, sizeof(*v));
	v->version_major = kernel.major;
	v->name = (char *)kernel.driver;
	return v;
}

void drmFreeVersion(drmVersionPtr v)
{
	free(v);
}

int drmSyncobjCreate(int fd, uint32_t flags, uint32_t *handle)
{
	(void)fd;
	(void)flags;
	if (fails())
		return -1;
	*handle = 100 + ++kernel.syncobjs;
	return 0;
}

int drmSyncobjDestroy(int fd, uint32_t handle)
{
	(void)fd;
	(void)handle;
	kernel.syncobjs--;
	return 0;
}

int drmSyncobjTimelineWait(int fd, uint32_t *handles, uint64_t *points,
			   unsigned int num, int64_t timeout, unsigned int flags,
			   uint32_t *first)
{
	(void)fd;
	(void)handles;
	(void)timeout;
	(void)flags;
	(void)first;
	ck_assert_uint_eq(num, 1);
	if (fails())
		return -errno;
	kernel.wait_point = *points;
	if (kernel.early && kernel.early--)
		return -ETIME;
	return kernel.wait_result;
}

/* ---------------------------------------------------------------- the bench */

static char top[] = "/tmp/check_drm.XXXXXX";
static char sysfs[64], devdir[64], node[80];
static struct drm_paths paths;

__attribute__((format(printf, 1, 2)))
static void shell(const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	ck_assert_int_eq(system(command), 0);
}

static void add_card(int number, const char *bus, const char *driver)
{
	shell("mkdir -p %s/bus/%s %s/drivers/%s", top, bus, top, driver);
	shell("ln -s ../../drivers/%s %s/bus/%s/driver", driver, top, bus);
	shell("mkdir -p %s/accel%d && ln -s ../../bus/%s %s/accel%d/device",
	      sysfs, number, bus, sysfs, number);
	shell("truncate -s %d %s/accel%d", NODE_SIZE, devdir, number);
}

static void setup(void)
{
	strcpy(top, "/tmp/check_drm.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(sysfs, sizeof(sysfs), "%s/class", top);
	snprintf(devdir, sizeof(devdir), "%s/dev", top);
	snprintf(node, sizeof(node), "%s/accel0", devdir);
	shell("mkdir %s %s", sysfs, devdir);
	paths = (struct drm_paths){ sysfs, devdir };
	add_card(0, "0000:01:00.0", "loom");

	memset(&kernel, 0, sizeof(kernel));
	kernel.driver = "loom";
	kernel.major = DRM_DRIVER_MAJOR;
	kernel.info = (struct drm_loom_device_info){
		.hw_version = LOOM_HW_VERSION_MAJOR << 16,
		.isa_version = LOOM_ISA_VERSION,
		.num_queues = 64, .max_cmd_bytes = 1 << 20,
		.hbm_size = 1 << 30, .va_start = 0x1000,
		.va_end = 1ull << 47, .serial = 42, .max_jobs = 64,
	};
	unsetenv("LOOM_VISIBLE_DEVICES");
}

static void teardown(void)
{
	shell("rm -rf %s", top);
}

static void says(int code, const char *message, const char *hint)
{
	const struct accel_error *e = accel_last_error();

	ck_assert_int_eq(e->code, code);
	ck_assert_msg(strstr(e->message, message), "'%s' is not in '%s'",
		      message, e->message);
	ck_assert_msg(strstr(e->hint, hint), "'%s' is not in '%s'", hint,
		      e->hint);
}

static struct accel_device *open_card(void)
{
	struct accel_device *dev = NULL;

	ck_assert_msg(!accel_device_open(node, &dev), "%s",
		      accel_last_error()->message);
	return dev;
}

static void check_nothing_left(void)
{
	ck_assert_int_eq(kernel.vms, 0);
	ck_assert_int_eq(kernel.bos, 0);
	ck_assert_int_eq(kernel.binds, 0);
	ck_assert_int_eq(kernel.queues, 0);
	ck_assert_int_eq(kernel.syncobjs, 0);
}

/* ------------------------------------------------------------ finding cards */

START_TEST(test_list_has_the_cards_of_loom_in_order)
{
	struct accel_device_entry e[4];
	char found[80];

	add_card(2, "0000:03:00.0", "ivpu");
	add_card(10, "0000:05:00.0", "loom");
	add_card(3, "0000:04:00.0", "loom");
	shell("mkdir %s/accelx %s/card0 %s/accel-1", sysfs, sysfs, sysfs);
	ck_assert_int_eq(drm_list(&paths, NULL, 0), 3);
	ck_assert_int_eq(drm_list(&paths, e, 4), 3);
	ck_assert_str_eq(e[0].bus, "0000:01:00.0");
	ck_assert_str_eq(e[1].bus, "0000:04:00.0");
	ck_assert_str_eq(e[2].bus, "0000:05:00.0");
	ck_assert(strstr(e[2].node, "/accel10"));
	ck_assert_str_eq(e[0].problem, "");

	ck_assert_int_eq(drm_find(&paths, NULL, found, sizeof(found)), 0);
	ck_assert_str_eq(found, node);
	ck_assert_int_eq(drm_find(&paths, "2", found, sizeof(found)), 0);
	ck_assert_str_eq(found, e[2].node);
	ck_assert_int_eq(drm_find(&paths, "0000:04:00.0", found,
				  sizeof(found)), 0);
	ck_assert_str_eq(found, e[1].node);
	ck_assert_int_eq(drm_find(&paths, "3", found, sizeof(found)), -ENODEV);
	says(-ENODEV, "no card '3', there are 3", "accel-smi");
	ck_assert_int_eq(drm_find(&paths, "0000:03:00.0", found,
				  sizeof(found)), -ENODEV);
}
END_TEST

START_TEST(test_visible_devices_are_a_filter)
{
	struct accel_device_entry e[4];
	char found[80];

	add_card(1, "0000:02:00.0", "loom");
	add_card(2, "0000:03:00.0", "loom");
	setenv("LOOM_VISIBLE_DEVICES", "2,0000:01:00.0", 1);
	ck_assert_int_eq(drm_list(&paths, e, 4), 2);
	ck_assert_str_eq(e[0].bus, "0000:01:00.0");
	ck_assert_str_eq(e[1].bus, "0000:03:00.0");
	setenv("LOOM_VISIBLE_DEVICES", "", 1);
	ck_assert_int_eq(drm_find(&paths, NULL, found, sizeof(found)), -ENODEV);
	says(-ENODEV, "LOOM_VISIBLE_DEVICES", "unset");
}
END_TEST

START_TEST(test_why_there_is_no_card)
{
	struct drm_paths nowhere = { "/nonexistent/accel", devdir };
	struct accel_device_entry e;
	char found[80];

	ck_assert_int_eq(drm_list(&nowhere, &e, 1), 0);
	ck_assert_int_eq(drm_find(&nowhere, NULL, found, sizeof(found)),
			 -ENODEV);
	says(-ENODEV, "driver is not loaded", "tools/loom-vm");
	shell("rm -r %s/accel0", sysfs);
	ck_assert_int_eq(drm_find(&paths, "0", found, sizeof(found)), -ENODEV);
	says(-ENODEV, "no card is bound", "modprobe loom");

	/* The card is there, the node is not. */
	add_card(1, "0000:02:00.0", "loom");
	shell("rm %s/accel1", devdir);
	ck_assert_int_eq(drm_list(&paths, &e, 1), 1);
	ck_assert(strstr(e.problem, "there is no"));
}
END_TEST

START_TEST(test_why_a_node_does_not_open)
{
	struct accel_device *dev;

	ck_assert_int_eq(chmod(node, 0640), 0);
	ck_assert_int_eq(drm_node_error(node, EACCES), -EACCES);
	says(-EACCES, "mode 0640", "usermod -aG");
	ck_assert_int_eq(drm_node_error(node, ENXIO), -ENODEV);
	says(-ENODEV, "no card answers", "");
	ck_assert_int_eq(drm_node_error(node, EMFILE), -EMFILE);
	says(-EMFILE, "Too many open files", "");

	kernel.driver = "ivpu";
	ck_assert_int_eq(accel_device_open(node, &dev), -ENODEV);
	says(-ENODEV, "belongs to the driver ivpu", "");
	kernel.driver = "loom";
	kernel.major++;
	ck_assert_int_eq(accel_device_open(node, &dev), -EPROTO);
	says(-EPROTO, "the driver of", "of one release");
	kernel.major--;
	kernel.info.isa_version++;
	ck_assert_int_eq(accel_device_open(node, &dev), -EPROTO);
	says(-EPROTO, "command set 2", "");
	check_nothing_left();
}
END_TEST

/* ------------------------------------------------------------------- objects */

START_TEST(test_objects_are_bound_and_unbound)
{
	struct accel_device *dev = open_card();
	struct accel_device_info info = { .size = sizeof(info) };
	struct accel_bo *small, *large;
	char text[8] = "";

	ck_assert_int_eq(accel_device_query(dev, &info), 0);
	ck_assert_str_eq(info.name, node);
	ck_assert_uint_eq(info.serial, 42);
	ck_assert_int_eq(accel_bo_create(dev, 5000, ACCEL_HOST, &small), 0);
	ck_assert_uint_eq(kernel.bind.va, accel_bo_va(small));
	ck_assert_uint_eq(kernel.bind.size, 8192);
	ck_assert_uint_eq(kernel.bind.handle, 1);
	ck_assert_int_eq(accel_bo_create(dev, 4 << 20, ACCEL_HBM, &large), 0);
	ck_assert_uint_eq(accel_bo_va(large) % LOOM_HUGE_SIZE, 0);
	ck_assert_uint_ge(accel_bo_va(large), kernel.info.va_start);

	/* The node is a file, so what is mapped can be read from it. */
	ck_assert_int_eq(accel_bo_write(small, 4, "hello", 6), 0);
	ck_assert_int_eq(accel_bo_read(small, 4, text, 6), 0);
	ck_assert_str_eq(text, "hello");
	accel_bo_destroy(small);
	ck_assert_uint_eq(kernel.bind.op, DRM_LOOM_VM_BIND_UNMAP);
	ck_assert_uint_eq(kernel.bind.handle, 0);
	accel_bo_destroy(large);
	accel_device_close(dev);
	check_nothing_left();
}
END_TEST

START_TEST(test_errors_of_objects)
{
	struct accel_device *dev = open_card();
	struct accel_bo *bo;

	kernel.fail_at = 1;
	kernel.fail_errno = ENOSPC;
	ck_assert_int_eq(accel_bo_create(dev, 4096, ACCEL_HBM, &bo), -ENOSPC);
	says(-ENOSPC, "12345 of 1073741824 in use", "free buffers");
	kernel.fail_at = 1;
	kernel.fail_errno = E2BIG;
	ck_assert_int_eq(accel_bo_create(dev, 4096, ACCEL_HOST, &bo), -ENOMEM);
	kernel.fail_at = 2;
	kernel.fail_errno = ENODEV;
	ck_assert_int_eq(accel_bo_create(dev, 4096, ACCEL_HBM, &bo), -ENODEV);
	says(-ENODEV, "LOOM_VM_BIND(map", "removed");
	accel_device_close(dev);
	check_nothing_left();
}
END_TEST

/* -------------------------------------------------------------------- queues */

/** struct bench - a card with two queues and a command buffer */
struct bench {
	struct accel_device *dev;
	struct accel_queue *q, *q2;
	struct accel_cmdbuf *cb;
};

static void bench_open(struct bench *b)
{
	b->dev = open_card();
	ck_assert_int_eq(accel_queue_create(b->dev, NULL, &b->q), 0);
	ck_assert_int_eq(accel_queue_create(b->dev, NULL, &b->q2), 0);
	ck_assert_int_eq(accel_cmdbuf_create(b->dev, &b->cb), 0);
	ck_assert_int_eq(accel_cmd_nop(b->cb), 0);
}

static void bench_close(struct bench *b)
{
	accel_cmdbuf_destroy(b->cb);
	accel_queue_destroy(b->q);
	accel_queue_destroy(b->q2);
	accel_device_close(b->dev);
	check_nothing_left();
}

START_TEST(test_submit_waits_first_and_signals_last)
{
	struct accel_cmdbuf *cbs[3];
	struct accel_point waits[2];
	struct accel_submit_info info = {
		.size = sizeof(info), .num_cmdbufs = 3, .cmdbufs = cbs,
		.waits = waits, .num_waits = 2,
	};
	struct bench b;
	uint64_t p2, point;

	bench_open(&b);
	ck_assert_int_eq(accel_submit(b.q2, b.cb, &p2), 0);
	ck_assert_uint_eq(kernel.submit.jobs.count, 1);
	ck_assert_uint_eq(kernel.jobs[0].syncs.count, 1);
	ck_assert_uint_eq(kernel.jobs[0].cmd_size, 64);
	ck_assert_uint_eq(kernel.syncs[0][0].flags,
			  DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE);
	ck_assert_uint_eq(kernel.syncs[0][0].handle, 102);
	ck_assert_uint_eq(kernel.syncs[0][0].value, p2);

	cbs[0] = cbs[1] = cbs[2] = b.cb;
	/* Point 0 is always reached and not worth a syncobj. */
	waits[0] = (struct accel_point){ b.q2, 0 };
	waits[1] = (struct accel_point){ b.q2, p2 };
	ck_assert_int_eq(accel_submit_ex(b.q, &info, &point), 0);
	ck_assert_uint_eq(kernel.submit.jobs.count, 3);
	ck_assert_uint_eq(kernel.jobs[0].syncs.count, 1);
	ck_assert_uint_eq(kernel.syncs[0][0].flags, DRM_LOOM_SYNC_TIMELINE);
	ck_assert_uint_eq(kernel.syncs[0][0].handle, 102);
	ck_assert_uint_eq(kernel.syncs[0][0].value, p2);
	ck_assert_uint_eq(kernel.jobs[1].syncs.count, 0);
	ck_assert_uint_eq(kernel.jobs[2].syncs.count, 1);
	ck_assert_uint_eq(kernel.syncs[2][0].handle, 101);
	ck_assert_uint_eq(kernel.syncs[2][0].value, point);

	ck_assert_int_eq(accel_wait(b.q, point, 5), 0);
	ck_assert_uint_eq(kernel.wait_point, point);
	bench_close(&b);
}
END_TEST

START_TEST(test_wait_explains_the_state)
{
	struct bench b;
	uint64_t p1, p2;

	bench_open(&b);
	ck_assert_int_eq(accel_submit(b.q, b.cb, &p1), 0);
	ck_assert_int_eq(accel_submit(b.q, b.cb, &p2), 0);
	kernel.wait_result = -ETIME;
	ck_assert_int_eq(accel_wait(b.q, p1, 5), -ETIME);
	kernel.wait_result = -ENODEV;
	ck_assert_int_eq(accel_wait(b.q, p1, 5), -ENODEV);
	says(-ENODEV, "SYNCOBJ_TIMELINE_WAIT(point 1)", "removed");
	kernel.wait_result = 0;
	kernel.state = (struct drm_loom_queue_state){
		.state = DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_FAULTED,
		.error = LOOM_ERR_CMD_RESERVED, .opcode = LOOM_OP_NOP,
		.field = 20, .job = 1,
	};
	ck_assert_int_eq(accel_wait(b.q, p2, -1), -ECANCELED);
	says(-ECANCELED, "job 1: command 0 (NOP), field reserved[1]", "");
	ck_assert_int_eq(accel_wait(b.q, p1, -1), -EIO);
	kernel.fail_at = 1;
	kernel.fail_errno = ECANCELED;
	ck_assert_int_eq(accel_submit(b.q, b.cb, &p1), -ECANCELED);

	/* The other queue: no progress. */
	kernel.fail_at = 0;
	ck_assert_int_eq(accel_submit(b.q2, b.cb, &p1), 0);
	kernel.state.state = DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_TIMEDOUT;
	ck_assert_int_eq(accel_wait(b.q2, p1, -1), -ETIMEDOUT);
	says(-ETIMEDOUT, "no progress", "");
	bench_close(&b);
}
END_TEST

START_TEST(test_wait_does_not_end_early)
{
	struct bench b;
	uint64_t point;

	bench_open(&b);
	ck_assert_int_eq(accel_submit(b.q, b.cb, &point), 0);
	kernel.early = 3;
	ck_assert_int_eq(accel_wait(b.q, point, 0), -ETIME);
	ck_assert_int_eq(kernel.early, 2);
	ck_assert_int_eq(accel_wait(b.q, point, INT64_C(60000000000)), 0);
	ck_assert_int_eq(kernel.early, 0);
	bench_close(&b);
}
END_TEST

START_TEST(test_submit_to_a_queue_that_failed_meanwhile)
{
	struct bench b;

	bench_open(&b);
	ck_assert_int_eq(accel_submit(b.q, b.cb, NULL), 0);
	kernel.state = (struct drm_loom_queue_state){
		.state = DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_FAULTED,
		.error = LOOM_ERR_FAULT_UNMAPPED, .opcode = LOOM_OP_COPY,
		.fault_addr = 0x5000, .job = 1,
	};
	kernel.fail_at = 1;
	kernel.fail_errno = ECANCELED;
	ck_assert_int_eq(accel_submit(b.q, b.cb, NULL), -ECANCELED);
	says(-ECANCELED, "read of address 0x5000", "make another");
	bench_close(&b);
}
END_TEST

START_TEST(test_high_priority_needs_a_capability)
{
	const struct accel_queue_desc desc = {
		sizeof(desc), ACCEL_PRIORITY_HIGH,
	};
	struct accel_queue *q;
	struct bench b;

	bench_open(&b);
	kernel.fail_at = 2;
	kernel.fail_errno = EACCES;
	ck_assert_int_eq(accel_queue_create(b.dev, &desc, &q), -EACCES);
	says(-EACCES, "LOOM_QUEUE_CREATE(priority 2)", "CAP_SYS_NICE");
	bench_close(&b);
}
END_TEST

/* Everything a program does; 0 or the first error. */
static int whole_life(void)
{
	struct accel_memory_info mem = { .size = sizeof(mem) };
	struct accel_device *dev = NULL;
	struct accel_queue *q = NULL;
	struct accel_cmdbuf *cb = NULL;
	struct accel_bo *bo = NULL;
	uint64_t point;
	int rc;

	rc = accel_device_open(node, &dev);
	if (rc)
		return rc;
	rc = accel_queue_create(dev, NULL, &q);
	if (!rc)
		rc = accel_cmdbuf_create(dev, &cb);
	if (!rc)
		rc = accel_bo_create(dev, 4096, ACCEL_HBM, &bo);
	if (!rc)
		rc = accel_bo_write(bo, 0, "", 1);
	if (!rc)
		rc = accel_cmd_timestamp(cb, accel_bo_va(bo));
	if (!rc)
		rc = accel_submit(q, cb, &point);
	if (!rc)
		rc = accel_wait(q, point, -1);
	if (!rc)
		rc = accel_device_memory(dev, &mem);
	/* What destroys may not fail for the rest of this test. */
	kernel.fail_at = 0;
	accel_bo_destroy(bo);
	accel_cmdbuf_destroy(cb);
	accel_queue_destroy(q);
	accel_device_close(dev);
	return rc;
}

START_TEST(test_any_call_may_fail)
{
	int n, rc;

	kernel.fail_errno = EIO;
	for (n = 1; n < 100; n++) {
		kernel.fail_at = n;
		kernel.next_offset = 0;
		rc = whole_life();
		check_nothing_left();
		if (!rc)
			break;
		ck_assert_int_eq(rc, accel_last_error()->code);
		ck_assert(*accel_last_error()->message);
		/* drmGetVersion() does not say why. */
		ck_assert(rc == -EIO || rc == -ENODEV);
	}
	ck_assert_int_gt(n, 10);
	ck_assert_int_lt(n, 100);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("drm");
	TCase *tc = tcase_create("drm");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_list_has_the_cards_of_loom_in_order);
	tcase_add_test(tc, test_visible_devices_are_a_filter);
	tcase_add_test(tc, test_why_there_is_no_card);
	tcase_add_test(tc, test_why_a_node_does_not_open);
	tcase_add_test(tc, test_objects_are_bound_and_unbound);
	tcase_add_test(tc, test_errors_of_objects);
	tcase_add_test(tc, test_submit_waits_first_and_signals_last);
	tcase_add_test(tc, test_wait_explains_the_state);
	tcase_add_test(tc, test_wait_does_not_end_early);
	tcase_add_test(tc, test_submit_to_a_queue_that_failed_meanwhile);
	tcase_add_test(tc, test_high_priority_needs_a_capability);
	tcase_add_test(tc, test_any_call_may_fail);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
