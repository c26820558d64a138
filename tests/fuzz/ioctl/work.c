// SPDX-License-Identifier: MIT
/*
 * Operations on address spaces, queues and jobs.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <drm/loom_accel.h>
#include <loom/loom_isa.h>
#include <loom/loom_regs.h>

#include "fuzz_ioctl.h"

/* What DRM_LOOM_QUERY_DEVICE says of the address space. */
#define VA_START	0x10000ull
#define VA_END		(1ull << LOOM_VA_BITS)

#define MAX_BINDS	6
#define MAX_JOBS	6
#define MAX_SYNCS	4
/* One program in so many waits for what never comes: that takes its time. */
#define HANG		300

int fz_run_vm_create(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_vm_create args = { 0 };
	int ret;

	fz_spoil(fz, &args, sizeof(args));
	ret = fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_VM_CREATE, &args);
	if (ret)
		return ret;
	fz_keep(fz, file, FZ_VM, args.id);
	if (fz_one_in(fz, 2))
		fz_bind_base(file, args.id);
	return 0;
}

int fz_run_vm_destroy(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_vm_destroy args = { .id = fz_pick(fz, file, FZ_VM) };

	fz_spoil(fz, &args, sizeof(args));
	if (fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_VM_DESTROY, &args))
		return -1;
	fz_forget(fz, file, FZ_VM, args.id);
	return 0;
}

int fz_run_vm_state(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_vm_state args = { .id = fz_pick(fz, file, FZ_VM) };

	fz_spoil(fz, &args, sizeof(args));
	return fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_VM_STATE, &args);
}

/* Few addresses, so that mappings meet; now and then at the edges of all. */
static uint64_t pick_va(struct fz *fz)
{
	switch (fz_below(fz, 16)) {
	case 0:
		return VA_START;
	case 1:
		return VA_END - 4096ull * (1 + fz_below(fz, 64));
	case 2:
		return FZ_HBM_VA;
	default:
		return 0x200000000ull + 4096ull * fz_below(fz, 2048);
	}
}

static struct drm_loom_vm_bind_op pick_bind(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_vm_bind_op op = {
		.op = fz_one_in(fz, 3) ? DRM_LOOM_VM_BIND_UNMAP : DRM_LOOM_VM_BIND_MAP,
		.va = pick_va(fz),
		.size = 4096ull << fz_below(fz, 1 + fz_below(fz, 8)),
	};

	if (op.op == DRM_LOOM_VM_BIND_MAP) {
		op.flags = fz_one_in(fz, 4) ? DRM_LOOM_VM_MAP_READONLY : 0;
		op.bo_offset = fz_one_in(fz, 3) ? 4096ull * fz_below(fz, 4) : 0;
		if (fz_one_in(fz, 6))
			op.flags |= DRM_LOOM_VM_MAP_SRAM;
		else
			op.handle = fz_pick(fz, file, FZ_BO);
	}
	if (fz_one_in(fz, MAX_BINDS))
		fz_spoil(fz, &op, sizeof(op));
	return op;
}

/* Sync operations, in an array that the kernel reads. */
static struct drm_loom_obj_array pick_syncs(struct fz *fz, struct fz_file *file,
					    unsigned int max,
					    struct drm_loom_sync_op *syncs)
{
	unsigned int i, n = fz_below(fz, max + 1);

	for (i = 0; i < n; i++) {
		bool timeline = fz_one_in(fz, 2);

		syncs[i] = (struct drm_loom_sync_op){
			.flags = (fz_one_in(fz, 8) ? 0 : DRM_LOOM_SYNC_SIGNAL) |
				 (timeline ? DRM_LOOM_SYNC_TIMELINE : 0),
			.handle = fz_pick(fz, file, FZ_SYNCOBJ),
			.value = timeline ? 1 + fz_below(fz, 1000) : 0,
		};
		if (fz_one_in(fz, MAX_SYNCS))
			fz_spoil(fz, &syncs[i], sizeof(syncs[i]));
	}
	return (struct drm_loom_obj_array){
		sizeof(*syncs), n, n ? (uintptr_t)syncs : 0,
	};
}

int fz_run_vm_bind(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_vm_bind_op ops[MAX_BINDS];
	struct drm_loom_sync_op syncs[MAX_SYNCS];
	unsigned int i, n = 1 + fz_below(fz, fz_one_in(fz, 4) ? MAX_BINDS : 1);
	struct drm_loom_vm_bind args = { .vm_id = fz_pick(fz, file, FZ_VM) };

	for (i = 0; i < n; i++)
		ops[i] = pick_bind(fz, file);
	args.ops = (struct drm_loom_obj_array){
		sizeof(ops[0]), n, (uintptr_t)fz_array(fz, ops, n * sizeof(ops[0])),
	};
	if (fz_one_in(fz, 2)) {
		args.flags = DRM_LOOM_VM_BIND_ASYNC;
		args.syncs = pick_syncs(fz, file, MAX_SYNCS, syncs);
	}
	fz_spoil(fz, &args, sizeof(args));
	return fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_VM_BIND, &args);
}

/* Queues -------------------------------------------------------------------- */

int fz_run_queue_create(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_queue_create args = {
		.vm_id = fz_pick(fz, file, FZ_VM),
		.priority = fz_below(fz, 3),
	};
	int ret;

	fz_spoil(fz, &args, sizeof(args));
	ret = fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_QUEUE_CREATE, &args);
	if (!ret)
		fz_keep(fz, file, FZ_QUEUE, args.id);
	return ret;
}

int fz_run_queue_destroy(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_queue_destroy args = { .id = fz_pick(fz, file, FZ_QUEUE) };

	fz_spoil(fz, &args, sizeof(args));
	if (fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_QUEUE_DESTROY, &args))
		return -1;
	fz_forget(fz, file, FZ_QUEUE, args.id);
	return 0;
}

int fz_run_queue_state(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_queue_state args = { .id = fz_pick(fz, file, FZ_QUEUE) };

	fz_spoil(fz, &args, sizeof(args));
	return fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_QUEUE_STATE, &args);
}

int fz_run_queue_times(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_queue_times args = {
		.id = fz_pick(fz, file, FZ_QUEUE),
		.count = 1 + fz_below(fz, 256),
		.times = (uintptr_t)fz->scratch,
	};

	fz_spoil(fz, &args, sizeof(args));
	return fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_QUEUE_TIMES, &args);
}

/* Commands ------------------------------------------------------------------ */

static struct loom_cmd head(uint8_t opcode, size_t size)
{
	return (struct loom_cmd){
		.opcode = opcode,
		.version = LOOM_ISA_VERSION,
		.size64 = (uint16_t)(size / LOOM_CMD_ALIGN),
	};
}

static size_t write_copy(struct fz *fz, uint8_t *p)
{
	bool fill = fz_one_in(fz, 2);
	struct loom_cmd_copy cmd = {
		.hdr = head(LOOM_OP_COPY, sizeof(cmd)),
		.mode = fill ? LOOM_COPY_FILL : LOOM_COPY_COPY,
		.src_type = fill ? 0 : LOOM_TYPE_I32,
		.dst_type = LOOM_TYPE_I32,
		.dim = { 1 + fz_below(fz, 1024), 1, 1, 1 },
		.src = fill ? 0 : FZ_HBM_VA,
		.dst = fz_one_in(fz, 4) ? pick_va(fz) : FZ_HBM_VA + 4096 * fz_below(fz, 200),
		.src_stride = { fill ? 0 : 4 },
		.dst_stride = { 4 },
		.fill = fill ? (uint32_t)fz_random(fz) : 0,
	};

	if (fz_one_in(fz, 8))
		fz_spoil(fz, &cmd, sizeof(cmd));
	memcpy(p, &cmd, sizeof(cmd));
	return sizeof(cmd);
}

static size_t write_event(struct fz *fz, uint8_t *p)
{
	struct loom_cmd_event cmd = {
		.hdr = head(LOOM_OP_EVENT, sizeof(cmd)),
		.op = fz_one_in(fz, HANG) ? LOOM_EVENT_OP_WAIT_GE : LOOM_EVENT_OP_SET,
		.event = fz_below(fz, 64),
		.value = 1000,
	};

	memcpy(p, &cmd, sizeof(cmd));
	return sizeof(cmd);
}

/* A program: the first command alone is one too. */
void fz_write_commands(struct fz *fz, uint8_t *cmd)
{
	size_t at = write_event(fz, cmd);

	while (at < FZ_CMD_SLOT) {
		bool fits = FZ_CMD_SLOT - at >= sizeof(struct loom_cmd_copy);

		at += fits && !fz_one_in(fz, 4) ? write_copy(fz, cmd + at) :
						  write_event(fz, cmd + at);
	}
	if (fz_one_in(fz, 20))
		fz_break(fz, cmd, FZ_CMD_SLOT);
}

/* A program or its first command; now and then some commands and a part of one. */
static struct drm_loom_job pick_job(struct fz *fz, struct fz_file *file,
				    struct drm_loom_sync_op *syncs)
{
	struct drm_loom_job job = {
		.cmd_va = FZ_CMD_VA + FZ_CMD_SLOT * fz_below(fz, FZ_CMD_SIZE / FZ_CMD_SLOT),
		.cmd_size = fz_one_in(fz, 30) ? 64 * (1 + fz_below(fz, 16)) :
			    fz_one_in(fz, 2) ? FZ_CMD_SLOT : LOOM_CMD_ALIGN,
		.flags = fz_one_in(fz, 3) ? DRM_LOOM_JOB_REPEATABLE : 0,
		.syncs = pick_syncs(fz, file, 2, syncs),
	};

	if (fz_one_in(fz, MAX_JOBS))
		fz_spoil(fz, &job, sizeof(job));
	return job;
}

/* What a program does whose queue is banned. */
static void replace_queue(struct fz *fz, struct fz_file *file, uint32_t id)
{
	struct drm_loom_queue_destroy args = { .id = id };

	if (!fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_QUEUE_DESTROY, &args))
		fz_forget(fz, file, FZ_QUEUE, id);
	fz_run_queue_create(fz, file);
}

int fz_run_submit(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_sync_op syncs[MAX_JOBS][2];
	struct drm_loom_job jobs[MAX_JOBS];
	unsigned int i, n = 1 + fz_below(fz, fz_one_in(fz, 3) ? MAX_JOBS : 1);
	struct drm_loom_submit args = { .queue_id = fz_pick(fz, file, FZ_QUEUE) };
	int ret;

	for (i = 0; i < n; i++)
		jobs[i] = pick_job(fz, file, syncs[i]);
	args.jobs = (struct drm_loom_obj_array){
		sizeof(jobs[0]), n, (uintptr_t)fz_array(fz, jobs, n * sizeof(jobs[0])),
	};
	fz_spoil(fz, &args, sizeof(args));
	ret = fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_SUBMIT, &args);
	if (ret && errno == ECANCELED)
		replace_queue(fz, file, args.queue_id);
	return ret;
}
