// SPDX-License-Identifier: MIT
/*
 * What a submit costs the guest, in instructions.
 *
 * Runs in a VM with one processor and "-icount shift=0": then the time-stamp counter
 * counts instructions, and time that the processor waits, as nanoseconds; so of
 * each operation the smallest sample is what it costs.  A submit is measured behind
 * a job that waits for an event, or its job would end, and interrupt, in the middle of
 * it; a submit with its wait has all.  Each phase begins and ends with a write of
 * LOOM_REG_SCRATCH through sysfs, which QEMU's trace shows (tests/bench/cost.py counts
 * what is between).
 *
 * Output: "name instructions" lines; references are named "reference/...".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

#include <drm_mode.h>

#include "tests/selftests/card.h"

#define ROUNDS		200
#define BATCH		32

/* The kernel's drm/vgem_drm.h, which no package of ours brings. */
struct vgem_attach {
	uint32_t handle;
	uint32_t flags;
	uint32_t out_fence;
	uint32_t pad;
};

struct vgem_signal {
	uint32_t fence;
	uint32_t flags;
};

#define VGEM_ATTACH	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_attach)
#define VGEM_SIGNAL	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_signal)

/* Commands of the jobs that hold the queue, and let it go on, and their event. */
#define HOLD_AT		0x2000u
#define RELEASE_AT	0x4000u
#define EVENT		1u

/** struct bench - what operations need */
struct bench {
	struct t_ctx ctx;
	/* Another queue of the same VM, and sizes of the commands above. */
	uint32_t other;
	uint32_t hold_size;
	uint32_t release_size;
	uint32_t syncobj;
	struct drm_loom_sync_op sync;
	struct drm_loom_job job[BATCH];
	struct drm_loom_submit submit;
	/* References. */
	int vgem;
	uint32_t vgem_handle;
	int disk;
	void *block;
};

static volatile uint32_t *regs;

static void mark(uint32_t phase)
{
	regs[LOOM_REG_SCRATCH / 4] = phase;
}

static void map_registers(void)
{
	int fd = open("/sys/class/accel/accel0/device/resource0", O_RDWR | O_SYNC);

	EXPECT_OK(fd);
	regs = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(regs != MAP_FAILED);	/* boot with iomem=relaxed */
	close(fd);
}

/* ---------------------------------------------------------------- operations */

static void op_get_cap(struct bench *b)
{
	struct drm_get_cap cap = { .capability = DRM_CAP_SYNCOBJ };

	ioctl(b->ctx.fd, DRM_IOCTL_GET_CAP, &cap);
}

static void op_submit(struct bench *b)
{
	EXPECT_OK(ioctl(b->ctx.fd, DRM_IOCTL_LOOM_SUBMIT, &b->submit));
}

/* What comes behind it has to wait. */
static void hold_queue(struct bench *b)
{
	EXPECT_OK(t_submit(b->ctx.fd, b->ctx.queue, T_CMD_VA + HOLD_AT,
			   b->hold_size, 0));
}

static void release_queue(struct bench *b)
{
	EXPECT_OK(t_submit(b->ctx.fd, b->other, T_CMD_VA + RELEASE_AT,
			   b->release_size, 0));
	EXPECT_OK(t_wait(b->ctx.fd, b->syncobj, 10000));
}

static void op_submit_wait(struct bench *b)
{
	struct drm_syncobj_wait wait = {
		.handles = (uintptr_t)&b->syncobj,
		.count_handles = 1,
		.timeout_nsec = INT64_MAX,
	};

	op_submit(b);
	EXPECT_OK(ioctl(b->ctx.fd, DRM_IOCTL_SYNCOBJ_WAIT, &wait));
}

static void op_vgem(struct bench *b)
{
	struct vgem_attach attach = { .handle = b->vgem_handle };
	struct vgem_signal signal = { 0 };

	EXPECT_OK(ioctl(b->vgem, VGEM_ATTACH, &attach));
	signal.fence = attach.out_fence;
	EXPECT_OK(ioctl(b->vgem, VGEM_SIGNAL, &signal));
}

static void op_read_disk(struct bench *b)
{
	EXPECT_EQ(pread(b->disk, b->block, 4096, 0), 4096);
}

/* ---------------------------------------------------------------- preparation */

static void prepare_jobs(struct bench *b, uint32_t count)
{
	uint32_t i, size = t_cmd_fill(&b->ctx, 0, T_HBM_VA, 16, 1);

	memset(b->job, 0, sizeof(b->job));
	b->sync = (struct drm_loom_sync_op) { DRM_LOOM_SYNC_SIGNAL, b->syncobj, 0 };
	for (i = 0; i < count; i++)
		b->job[i] = (struct drm_loom_job) {
			.cmd_va = T_CMD_VA,
			.cmd_size = size,
		};
	b->job[count - 1].syncs = (struct drm_loom_obj_array) {
		sizeof(b->sync), 1, (uintptr_t)&b->sync
	};
	b->submit = (struct drm_loom_submit) {
		.queue_id = b->ctx.queue,
		.jobs = { sizeof(b->job[0]), count, (uintptr_t)b->job },
	};
}

static void prepare_hold(struct bench *b)
{
	struct t_ctx *ctx = &b->ctx;
	uint32_t end;

	b->other = t_queue(ctx->fd, ctx->vm);
	end = t_cmd_event(ctx, HOLD_AT, LOOM_EVENT_OP_WAIT_GE, EVENT, 1);
	end = t_cmd_event(ctx, end, LOOM_EVENT_OP_SET, EVENT, 0);
	b->hold_size = end - HOLD_AT;
	end = t_cmd_event(ctx, RELEASE_AT, LOOM_EVENT_OP_SET, EVENT, 1);
	b->release_size = end - RELEASE_AT;
}

static bool prepare_vgem(struct bench *b)
{
	struct drm_mode_create_dumb dumb = { .width = 32, .height = 32, .bpp = 32 };
	char path[64];
	int i;

	for (i = 0; i < 8; i++) {
		struct drm_version v = { 0 };
		char name[16] = "";

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		b->vgem = open(path, O_RDWR);
		if (b->vgem < 0)
			continue;
		v.name = name;
		v.name_len = sizeof(name) - 1;
		if (!ioctl(b->vgem, DRM_IOCTL_VERSION, &v) && !strcmp(name, "vgem")) {
			EXPECT_OK(ioctl(b->vgem, DRM_IOCTL_MODE_CREATE_DUMB, &dumb));
			b->vgem_handle = dumb.handle;
			return true;
		}
		close(b->vgem);
	}
	return false;
}

/* Without the page cache: each read is one request, and one at a time. */
static bool prepare_disk(struct bench *b, const char *node)
{
	b->disk = open(node, O_RDONLY | O_DIRECT);
	b->block = aligned_alloc(4096, 4096);
	return b->disk >= 0 && b->block;
}

/* ---------------------------------------------------------------- measurement */

/* The smallest of many, and all of them between two marks. */
static void measure(struct bench *b, const char *name, uint32_t phase,
		    void (*before)(struct bench *), void (*op)(struct bench *),
		    void (*after)(struct bench *))
{
	uint64_t start, cycles, best = UINT64_MAX;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (i == ROUNDS / 4)	/* caches and slabs are warm */
			mark(phase);
		if (before)
			before(b);
		start = __rdtsc();
		op(b);
		cycles = __rdtsc() - start;
		if (cycles < best)
			best = cycles;
		if (after)
			after(b);
	}
	mark(0);
	printf("%s %llu\n", name, (unsigned long long)best);
}

int main(void)
{
	static struct bench b;

	t_ctx_init(&b.ctx);
	b.syncobj = t_syncobj(b.ctx.fd);
	map_registers();
	measure(&b, "reference/get-cap", 0, NULL, op_get_cap, NULL);
	prepare_jobs(&b, 1);
	prepare_hold(&b);
	measure(&b, "submit", 0, hold_queue, op_submit, release_queue);
	measure(&b, "submit-wait", 1, NULL, op_submit_wait, NULL);
	prepare_jobs(&b, BATCH);
	measure(&b, "submit-batch32", 2, NULL, op_submit_wait, NULL);
	if (prepare_vgem(&b))
		measure(&b, "reference/vgem-fence", 0, NULL, op_vgem, NULL);
	if (prepare_disk(&b, "/dev/nullb0"))
		measure(&b, "reference/null-blk", 0, NULL, op_read_disk, NULL);
	if (prepare_disk(&b, "/dev/nvme0n1"))
		measure(&b, "reference/nvme-qd1", 0, NULL, op_read_disk, NULL);
	printf("rounds %d\n", ROUNDS - ROUNDS / 4);
	return 0;
}
