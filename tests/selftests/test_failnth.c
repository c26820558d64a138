// SPDX-License-Identifier: MIT
/*
 * Every allocation of every ioctl fails once: the call ends with -ENOMEM, or does
 * without, then works when it is repeated, and nothing is left in use.
 *
 * Needs a kernel with /proc/self/fail-nth: the debug kernel has it.  What the kernel
 * allocates in threads of its own does not fail here.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "card.h"
#include "tests/lib/card_use.h"

#define MAX_ALLOCATIONS	500	/* of one call */
#define RETURN_SECONDS	60
#define VA		0x200000000ull
#define SIZE		(4ull * T_PAGE)

/* What the calls work with. */
struct state {
	struct t_ctx ctx;
	int fail_nth;
	int fd;			/* what a call gave */
	uint32_t handle;	/* what a call gave, or takes */
	uint32_t syncs[2];
};

/* One call: @run may be repeated when it failed; @undo follows its success. */
struct call {
	void (*prepare)(struct state *s);
	int (*run)(struct state *s);
	void (*undo)(struct state *s);
	bool hbm;		/* it takes HBM */
};

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		tap_skip("%s is not there: the debug kernel has it", path);
	EXPECT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/*
 * Let all caches fail but that of the kernel's buddy allocator, which hands out HBM:
 * when memory is short as it splits a block, it frees blocks that are still in its
 * tree (6.12.117: KASAN in rb_last(), then BUG in buddy.c).
 */
static void spare_buddy(void)
{
	DIR *dir = opendir("/sys/kernel/slab");
	unsigned int failing = 0;
	struct dirent *entry;
	char path[512];
	int fd;

	if (!dir)
		tap_skip("/sys/kernel/slab is not there: the debug kernel has it");
	while ((entry = readdir(dir))) {
		if (strstr(entry->d_name, "buddy_block"))
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab", entry->d_name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		failing += write(fd, "1", 1) == 1;
		close(fd);
	}
	closedir(dir);
	EXPECT(failing > 20);
	put("/sys/kernel/debug/failslab/cache-filter", "Y");
}

/*
 * Allocations that may sleep fail too, and without a word.  So do single pages,
 * unless they may be for the buddy allocator's cache.
 */
static void init_failures(struct state *s, const struct call *call)
{
	s->fail_nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (s->fail_nth < 0)
		tap_skip("this kernel does not let allocations fail: the debug kernel does");
	put("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	put("/sys/kernel/debug/failslab/verbose", "0");
	spare_buddy();
	put("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	put("/sys/kernel/debug/fail_page_alloc/min-order", call->hbm ? "9" : "0");
	put("/sys/kernel/debug/fail_page_alloc/verbose", "0");
}

/* From now on allocation @n fails, once; 0 for none. */
static void fail_at(struct state *s, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	EXPECT_EQ(pwrite(s->fail_nth, text, (size_t)len, 0), len);
}

/* Did it come to the one that was to fail? */
static bool has_failed(struct state *s)
{
	char text[16] = "";
	bool failed;

	EXPECT(pread(s->fail_nth, text, sizeof(text) - 1, 0) > 0);
	failed = strtoul(text, NULL, 0) == 0;
	fail_at(s, 0);
	return failed;
}

/* Let allocation @n of a call fail; false when it has none. */
static bool fail_one(struct state *s, const struct call *call, unsigned int n)
{
	bool failed;
	int ret, err;

	if (call->prepare)
		call->prepare(s);
	fail_at(s, n);
	ret = call->run(s);
	err = errno;
	failed = has_failed(s);
	if (ret < 0) {
		if (err != ENOMEM || !failed)
			tap_fail(__FILE__, __LINE__, "allocation %u: errno %d", n, err);
		EXPECT_OK(call->run(s));
	}
	if (call->undo)
		call->undo(s);
	return failed;
}

static void sweep(const struct call *call)
{
	struct card_use start;
	struct state s = { .fd = -1 };
	unsigned int n = 1;

	close(t_open());
	EXPECT(card_use_get(&start));
	init_failures(&s, call);
	t_ctx_init(&s.ctx);
	s.syncs[0] = t_syncobj(s.ctx.fd);
	s.syncs[1] = t_syncobj(s.ctx.fd);
	while (n < MAX_ALLOCATIONS && fail_one(&s, call, n))
		n++;
	EXPECT(n < MAX_ALLOCATIONS);
	tap_note("%u allocations failed", n - 1);
	EXPECT_EQ(t_run(&s.ctx, t_cmd_fill(&s.ctx, 0, T_HBM_VA, 16, 3)), 1);
	munmap(s.ctx.cmd, T_CMD_SIZE);
	munmap(s.ctx.hbm, T_HBM_SIZE);
	close(s.ctx.fd);
	EXPECT(card_use_returned(&start, RETURN_SECONDS));
}

#define SWEEP_THAT(takes_hbm, name, ...)				\
	TEST(name)							\
	{								\
		static const struct call call = { __VA_ARGS__, takes_hbm }; \
									\
		sweep(&call);						\
	}
#define SWEEP(...)	SWEEP_THAT(false, __VA_ARGS__)
#define SWEEP_HBM(...)	SWEEP_THAT(true, __VA_ARGS__)

/* Files and queries ---------------------------------------------------------- */

static int run_open(struct state *s)
{
	return s->fd = open("/dev/accel/accel0", O_RDWR | O_CLOEXEC);
}

static void undo_open(struct state *s)
{
	close(s->fd);
}

SWEEP(open_without_memory, NULL, run_open, undo_open)

static int run_query(struct state *s)
{
	uint8_t room[512];
	int ret = 0;

	for (uint32_t type = 0; !ret && type <= DRM_LOOM_QUERY_CLIENT; type++) {
		struct drm_loom_query args = { type, sizeof(room), (uintptr_t)room };

		ret = ioctl(s->ctx.fd, DRM_IOCTL_LOOM_QUERY, &args);
	}
	return ret;
}

SWEEP(query_without_memory, NULL, run_query, NULL)

/* Buffer objects -------------------------------------------------------------- */

static int create_bo(struct state *s, uint32_t placement, uint32_t vm)
{
	struct drm_loom_bo_create args = {
		.size = SIZE, .placement = placement, .vm_id = vm,
	};
	int ret = ioctl(s->ctx.fd, DRM_IOCTL_LOOM_BO_CREATE, &args);

	s->handle = args.handle;
	return ret;
}

static int run_create_hbm(struct state *s)
{
	return create_bo(s, DRM_LOOM_PLACE_HBM, 0);
}

static int run_create_system(struct state *s)
{
	return create_bo(s, DRM_LOOM_PLACE_SYSTEM, 0);
}

static int run_create_private(struct state *s)
{
	return create_bo(s, DRM_LOOM_PLACE_HBM, s->ctx.vm);
}

static void prepare_bo(struct state *s)
{
	EXPECT_OK(run_create_hbm(s));
}

static void undo_bo(struct state *s)
{
	t_gem_close(s->ctx.fd, s->handle);
}

SWEEP_HBM(bo_create_in_hbm_without_memory, NULL, run_create_hbm, undo_bo)
SWEEP(bo_create_in_system_without_memory, NULL, run_create_system, undo_bo)
SWEEP_HBM(bo_create_private_without_memory, NULL, run_create_private, undo_bo)

static int run_mmap_offset(struct state *s)
{
	struct drm_loom_bo_mmap_offset args = { .handle = s->handle };

	return ioctl(s->ctx.fd, DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &args);
}

SWEEP(bo_mmap_offset_without_memory, prepare_bo, run_mmap_offset, undo_bo)

static int run_mmap(struct state *s)
{
	struct drm_loom_bo_mmap_offset args = { .handle = s->handle };
	void *p;

	if (ioctl(s->ctx.fd, DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &args))
		return -1;
	p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, s->ctx.fd, (off_t)args.offset);
	return p == MAP_FAILED ? -1 : munmap(p, SIZE);
}

SWEEP(mmap_without_memory, prepare_bo, run_mmap, undo_bo)

static int run_info(struct state *s)
{
	struct drm_loom_bo_info args = { .handle = s->handle };

	return ioctl(s->ctx.fd, DRM_IOCTL_LOOM_BO_INFO, &args);
}

SWEEP(bo_info_without_memory, prepare_bo, run_info, undo_bo)

static int run_label(struct state *s)
{
	struct drm_loom_bo_set_label args = {
		.handle = s->handle, .size = 5, .label = (uintptr_t)"label",
	};

	return ioctl(s->ctx.fd, DRM_IOCTL_LOOM_BO_SET_LABEL, &args);
}

SWEEP(bo_set_label_without_memory, prepare_bo, run_label, undo_bo)

static int run_gem_close(struct state *s)
{
	struct drm_gem_close args = { .handle = s->handle };

	return ioctl(s->ctx.fd, DRM_IOCTL_GEM_CLOSE, &args);
}

SWEEP(gem_close_without_memory, prepare_bo, run_gem_close, NULL)

static int run_export(struct state *s)
{
	struct drm_prime_handle args = { .handle = s->handle, .flags = DRM_CLOEXEC };
	int ret = ioctl(s->ctx.fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args);

	s->fd = args.fd;
	return ret;
}

static void undo_export(struct state *s)
{
	close(s->fd);
	undo_bo(s);
}

SWEEP(prime_export_without_memory, prepare_bo, run_export, undo_export)

/* Address spaces --------------------------------------------------------------- */

static int run_vm_create(struct state *s)
{
	struct drm_loom_vm_create args = { 0 };
	int ret = ioctl(s->ctx.fd, DRM_IOCTL_LOOM_VM_CREATE, &args);

	s->handle = args.id;
	return ret;
}

static int run_vm_destroy(struct state *s)
{
	struct drm_loom_vm_destroy args = { .id = s->handle };

	return ioctl(s->ctx.fd, DRM_IOCTL_LOOM_VM_DESTROY, &args);
}

static void prepare_vm(struct state *s)
{
	EXPECT_OK(run_vm_create(s));
}

static void undo_vm(struct state *s)
{
	EXPECT_OK(run_vm_destroy(s));
}

SWEEP_HBM(vm_create_without_memory, NULL, run_vm_create, undo_vm)
SWEEP(vm_destroy_without_memory, prepare_vm, run_vm_destroy, NULL)

static int run_vm_state(struct state *s)
{
	struct drm_loom_vm_state args = { .id = s->ctx.vm };

	return ioctl(s->ctx.fd, DRM_IOCTL_LOOM_VM_STATE, &args);
}

SWEEP(vm_state_without_memory, NULL, run_vm_state, NULL)

static int bind(struct state *s, uint32_t op, uint64_t va, uint64_t size, uint32_t flags)
{
	struct drm_loom_sync_op sync = { DRM_LOOM_SYNC_SIGNAL, s->syncs[0], 0 };
	struct drm_loom_vm_bind_op uop = {
		.op = op, .va = va, .size = size,
		.handle = op == DRM_LOOM_VM_BIND_MAP ? s->handle : 0,
	};
	struct drm_loom_vm_bind args = {
		.vm_id = s->ctx.vm,
		.flags = flags,
		.ops = { sizeof(uop), 1, (uintptr_t)&uop },
		.syncs = { sizeof(sync), flags ? 1 : 0, (uintptr_t)&sync },
	};

	return ioctl(s->ctx.fd, DRM_IOCTL_LOOM_VM_BIND, &args);
}

static int run_map(struct state *s)
{
	return bind(s, DRM_LOOM_VM_BIND_MAP, VA, SIZE, 0);
}

static int run_map_async(struct state *s)
{
	return bind(s, DRM_LOOM_VM_BIND_MAP, VA, SIZE, DRM_LOOM_VM_BIND_ASYNC);
}

static void prepare_mapped(struct state *s)
{
	prepare_bo(s);
	EXPECT_OK(run_map(s));
}

/* A hole: what is left is two mappings. */
static int run_split(struct state *s)
{
	return bind(s, DRM_LOOM_VM_BIND_UNMAP, VA + T_PAGE, T_PAGE, 0);
}

static void undo_map(struct state *s)
{
	EXPECT_OK(bind(s, DRM_LOOM_VM_BIND_UNMAP, VA, SIZE, 0));
	undo_bo(s);
}

SWEEP_HBM(vm_bind_without_memory, prepare_bo, run_map, undo_map)
SWEEP_HBM(vm_bind_async_without_memory, prepare_bo, run_map_async, undo_map)
SWEEP_HBM(vm_bind_that_splits_without_memory, prepare_mapped, run_split, undo_map)

/* Queues ----------------------------------------------------------------------- */

static int run_queue_create(struct state *s)
{
	struct drm_loom_queue_create args = {
		.vm_id = s->ctx.vm, .priority = DRM_LOOM_PRIORITY_NORMAL,
	};
	int ret = ioctl(s->ctx.fd, DRM_IOCTL_LOOM_QUEUE_CREATE, &args);

	s->handle = args.id;
	return ret;
}

static int run_queue_destroy(struct state *s)
{
	struct drm_loom_queue_destroy args = { .id = s->handle };

	return ioctl(s->ctx.fd, DRM_IOCTL_LOOM_QUEUE_DESTROY, &args);
}

static void prepare_queue(struct state *s)
{
	EXPECT_OK(run_queue_create(s));
}

static void undo_queue(struct state *s)
{
	EXPECT_OK(run_queue_destroy(s));
}

SWEEP(queue_create_without_memory, NULL, run_queue_create, undo_queue)
SWEEP(queue_destroy_without_memory, prepare_queue, run_queue_destroy, NULL)

static int run_queue_state(struct state *s)
{
	struct drm_loom_queue_state args = { .id = s->ctx.queue };

	return ioctl(s->ctx.fd, DRM_IOCTL_LOOM_QUEUE_STATE, &args);
}

static int run_queue_times(struct state *s)
{
	struct drm_loom_job_time times[256];
	struct drm_loom_queue_times args = {
		.id = s->ctx.queue, .count = 256, .times = (uintptr_t)times,
	};

	return ioctl(s->ctx.fd, DRM_IOCTL_LOOM_QUEUE_TIMES, &args);
}

SWEEP(queue_state_without_memory, NULL, run_queue_state, NULL)
SWEEP(queue_times_without_memory, NULL, run_queue_times, NULL)

/* Two jobs, each with what it waits for and signals. */
static int run_submit(struct state *s)
{
	struct drm_loom_sync_op out[2] = {
		{ DRM_LOOM_SYNC_SIGNAL, s->syncs[0], 0 },
		{ DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE, s->syncs[1], 1 },
	};
	struct drm_loom_job jobs[2] = { 0 };
	struct drm_loom_submit args = {
		.queue_id = s->ctx.queue,
		.jobs = { sizeof(jobs[0]), 2, (uintptr_t)jobs },
	};

	for (unsigned int i = 0; i < 2; i++) {
		jobs[i].cmd_va = T_CMD_VA;
		jobs[i].cmd_size = 192;
		jobs[i].syncs = (struct drm_loom_obj_array){
			sizeof(out[0]), 1, (uintptr_t)&out[i],
		};
	}
	return ioctl(s->ctx.fd, DRM_IOCTL_LOOM_SUBMIT, &args);
}

static void prepare_submit(struct state *s)
{
	t_cmd_fill(&s->ctx, 0, T_HBM_VA, 16, 1);
	s->syncs[1] = t_syncobj(s->ctx.fd);
}

static void undo_submit(struct state *s)
{
	struct drm_syncobj_destroy args = { .handle = s->syncs[1] };

	EXPECT_OK(t_wait_point(s->ctx.fd, s->syncs[1], 1, 60000));
	EXPECT_OK(t_ioctl(s->ctx.fd, DRM_IOCTL_SYNCOBJ_DESTROY, &args));
}

SWEEP(submit_without_memory, prepare_submit, run_submit, undo_submit)

TAP_MAIN()
