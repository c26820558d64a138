// SPDX-License-Identifier: MIT
/*
 * See card.h.
 */
#include <fcntl.h>
#include <linux/sync_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "card.h"

int t_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret;
}

static const char *node(void)
{
	return getenv("LOOM_NODE") ?: "/dev/accel/accel0";
}

int t_open(void)
{
	int fd = open(node(), O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		tap_skip("%s is not there: run me with tools/loom-vm", node());
	EXPECT_OK(fd);
	return fd;
}

void t_await_card(void)
{
	unsigned int tries = 6000;
	int fd;

	while ((fd = open(node(), O_RDWR | O_CLOEXEC)) < 0 && tries--)
		usleep(10000);
	EXPECT_OK(fd);
	close(fd);
}

void t_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	EXPECT_OK(fd);
	EXPECT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

unsigned long t_attribute(const char *name)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), T_DEVICE "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT_OK(fd);
	EXPECT(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtoul(text, NULL, 10);
}

uint32_t t_bo(int fd, uint64_t size, uint32_t placement, uint32_t vm)
{
	struct drm_loom_bo_create args = {
		.size = size,
		.placement = placement,
		.vm_id = vm,
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_BO_CREATE, &args));
	EXPECT(args.handle != 0);
	return args.handle;
}

void *t_mmap(int fd, uint32_t handle, uint64_t size)
{
	struct drm_loom_bo_mmap_offset args = { .handle = handle };
	void *p;

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &args));
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 (off_t)args.offset);
	EXPECT(p != MAP_FAILED);
	return p;
}

void t_gem_close(int fd, uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_GEM_CLOSE, &args));
}

uint32_t t_vm(int fd)
{
	struct drm_loom_vm_create args = { 0 };

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_VM_CREATE, &args));
	EXPECT(args.id != 0);
	return args.id;
}

int t_bind(int fd, uint32_t vm, const struct drm_loom_vm_bind_op *op)
{
	struct drm_loom_vm_bind args = {
		.vm_id = vm,
		.ops = { sizeof(*op), 1, (uintptr_t)op },
	};

	return t_ioctl(fd, DRM_IOCTL_LOOM_VM_BIND, &args);
}

void t_map(int fd, uint32_t vm, uint32_t handle, uint64_t va, uint64_t size)
{
	struct drm_loom_vm_bind_op op = {
		.op = DRM_LOOM_VM_BIND_MAP,
		.handle = handle,
		.va = va,
		.size = size,
	};

	EXPECT_OK(t_bind(fd, vm, &op));
}

void t_unmap(int fd, uint32_t vm, uint64_t va, uint64_t size)
{
	struct drm_loom_vm_bind_op op = {
		.op = DRM_LOOM_VM_BIND_UNMAP,
		.va = va,
		.size = size,
	};

	EXPECT_OK(t_bind(fd, vm, &op));
}

uint32_t t_queue(int fd, uint32_t vm)
{
	struct drm_loom_queue_create args = {
		.vm_id = vm,
		.priority = DRM_LOOM_PRIORITY_NORMAL,
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_QUEUE_CREATE, &args));
	EXPECT(args.id != 0);
	return args.id;
}

struct drm_loom_queue_state t_queue_state(int fd, uint32_t queue)
{
	struct drm_loom_queue_state args = { .id = queue };

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_QUEUE_STATE, &args));
	return args;
}

uint32_t t_syncobj(int fd)
{
	struct drm_syncobj_create args = { 0 };

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_CREATE, &args));
	return args.handle;
}

static int64_t t_deadline(unsigned int ms)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec + ms * 1000000ll;
}

int t_wait(int fd, uint32_t syncobj, unsigned int ms)
{
	struct drm_syncobj_wait args = {
		.handles = (uintptr_t)&syncobj,
		.count_handles = 1,
		.timeout_nsec = t_deadline(ms),
	};

	return t_ioctl(fd, DRM_IOCTL_SYNCOBJ_WAIT, &args);
}

int t_wait_point(int fd, uint32_t syncobj, uint64_t point, unsigned int ms)
{
	struct drm_syncobj_timeline_wait args = {
		.handles = (uintptr_t)&syncobj,
		.points = (uintptr_t)&point,
		.count_handles = 1,
		.timeout_nsec = t_deadline(ms),
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
	};

	return t_ioctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &args);
}

int t_sync_file(int fd, uint32_t syncobj)
{
	struct drm_syncobj_handle handle = {
		.handle = syncobj,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
		.fd = -1,
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &handle));
	return handle.fd;
}

int t_sync_file_status(int sync_file)
{
	struct sync_file_info info = { 0 };

	EXPECT_OK(t_ioctl(sync_file, SYNC_IOC_FILE_INFO, &info));
	return info.status;
}

int t_fence_status(int fd, uint32_t syncobj)
{
	int sync_file = t_sync_file(fd, syncobj);
	int status = t_sync_file_status(sync_file);

	close(sync_file);
	return status;
}

int t_submit_syncs(int fd, uint32_t queue, uint64_t cmd_va, uint32_t size,
		   const struct drm_loom_sync_op *syncs, uint32_t count)
{
	struct drm_loom_job job = {
		.cmd_va = cmd_va,
		.cmd_size = size,
		.syncs = { sizeof(*syncs), count, (uintptr_t)syncs },
	};
	struct drm_loom_submit args = {
		.queue_id = queue,
		.jobs = { sizeof(job), 1, (uintptr_t)&job },
	};

	return t_ioctl(fd, DRM_IOCTL_LOOM_SUBMIT, &args);
}

int t_submit(int fd, uint32_t queue, uint64_t cmd_va, uint32_t size,
	     uint32_t out)
{
	struct drm_loom_sync_op sync = {
		.flags = DRM_LOOM_SYNC_SIGNAL,
		.handle = out,
	};

	return t_submit_syncs(fd, queue, cmd_va, size, &sync, out ? 1 : 0);
}

void t_ctx_init(struct t_ctx *ctx)
{
	ctx->fd = t_open();
	ctx->vm = t_vm(ctx->fd);
	ctx->queue = t_queue(ctx->fd, ctx->vm);
	ctx->cmd_bo = t_bo(ctx->fd, T_CMD_SIZE, DRM_LOOM_PLACE_SYSTEM, ctx->vm);
	ctx->hbm_bo = t_bo(ctx->fd, T_HBM_SIZE, DRM_LOOM_PLACE_HBM, ctx->vm);
	ctx->cmd = t_mmap(ctx->fd, ctx->cmd_bo, T_CMD_SIZE);
	ctx->hbm = t_mmap(ctx->fd, ctx->hbm_bo, T_HBM_SIZE);
	t_map(ctx->fd, ctx->vm, ctx->cmd_bo, T_CMD_VA, T_CMD_SIZE);
	t_map(ctx->fd, ctx->vm, ctx->hbm_bo, T_HBM_VA, T_HBM_SIZE);
}

static struct loom_cmd t_head(uint8_t opcode, size_t size)
{
	return (struct loom_cmd){
		.opcode = opcode,
		.version = LOOM_ISA_VERSION,
		.size64 = (uint16_t)(size / LOOM_CMD_ALIGN),
	};
}

uint32_t t_cmd_fill(struct t_ctx *ctx, uint32_t offset, uint64_t va,
		    uint32_t n, uint32_t value)
{
	struct loom_cmd_copy cmd = {
		.hdr = t_head(LOOM_OP_COPY, sizeof(cmd)),
		.mode = LOOM_COPY_FILL,
		.dst_type = LOOM_TYPE_I32,
		.dim = { n, 1, 1, 1 },
		.dst = va,
		.dst_stride = { 4 },
		.fill = value,
	};

	memcpy(ctx->cmd + offset, &cmd, sizeof(cmd));
	return offset + sizeof(cmd);
}

uint32_t t_cmd_copy(struct t_ctx *ctx, uint32_t offset, uint64_t dst,
		    uint64_t src, uint32_t n)
{
	struct loom_cmd_copy cmd = {
		.hdr = t_head(LOOM_OP_COPY, sizeof(cmd)),
		.mode = LOOM_COPY_COPY,
		.src_type = LOOM_TYPE_I32,
		.dst_type = LOOM_TYPE_I32,
		.dim = { n, 1, 1, 1 },
		.src = src,
		.dst = dst,
		.src_stride = { 4 },
		.dst_stride = { 4 },
	};

	memcpy(ctx->cmd + offset, &cmd, sizeof(cmd));
	return offset + sizeof(cmd);
}

uint32_t t_cmd_event(struct t_ctx *ctx, uint32_t offset, uint32_t op,
		     uint32_t event, uint32_t value)
{
	struct loom_cmd_event cmd = {
		.hdr = t_head(LOOM_OP_EVENT, sizeof(cmd)),
		.op = op,
		.event = event,
		.value = value,
	};

	memcpy(ctx->cmd + offset, &cmd, sizeof(cmd));
	return offset + sizeof(cmd);
}

void t_hold(struct t_ctx *ctx, uint32_t syncobj, uint64_t point)
{
	struct drm_loom_sync_op sync = {
		.flags = DRM_LOOM_SYNC_SIGNAL | (point ? DRM_LOOM_SYNC_TIMELINE : 0),
		.handle = syncobj,
		.value = point,
	};
	uint32_t size = t_cmd_event(ctx, 0, LOOM_EVENT_OP_WAIT_GE, 1, 1);

	EXPECT_OK(t_submit_syncs(ctx->fd, ctx->queue, T_CMD_VA, size, &sync, 1));
}

void t_let_go(struct t_ctx *ctx)
{
	uint32_t size = t_cmd_event(ctx, 0x1000, LOOM_EVENT_OP_SET, 1, 1) - 0x1000;

	EXPECT_OK(t_submit(ctx->fd, t_queue(ctx->fd, ctx->vm), T_CMD_VA + 0x1000, size, 0));
}

int t_run(struct t_ctx *ctx, uint32_t size)
{
	uint32_t sync = t_syncobj(ctx->fd);

	EXPECT_OK(t_submit(ctx->fd, ctx->queue, T_CMD_VA, size, sync));
	EXPECT_OK(t_wait(ctx->fd, sync, 60000));
	return t_fence_status(ctx->fd, sync);
}
