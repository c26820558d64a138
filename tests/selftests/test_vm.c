// SPDX-License-Identifier: MIT
/*
 * Address spaces: VM_CREATE, VM_DESTROY, VM_BIND.
 */
#include <stdlib.h>
#include <string.h>

#include "card.h"

/* A bind that works, for tests that spoil one thing. */
struct bind_case {
	int fd;
	struct drm_loom_vm_bind args;
	struct drm_loom_vm_bind_op op;
};

static void bind_case_init(struct bind_case *c)
{
	memset(c, 0, sizeof(*c));
	c->fd = t_open();
	c->op.op = DRM_LOOM_VM_BIND_MAP;
	c->op.handle = t_bo(c->fd, 4 * T_PAGE, DRM_LOOM_PLACE_HBM, 0);
	c->op.va = T_HBM_VA;
	c->op.size = 4 * T_PAGE;
	c->args.vm_id = t_vm(c->fd);
	c->args.ops.stride = sizeof(c->op);
	c->args.ops.count = 1;
	c->args.ops.array = (uintptr_t)&c->op;
}

static int bind(struct bind_case *c)
{
	return t_ioctl(c->fd, DRM_IOCTL_LOOM_VM_BIND, &c->args);
}

TEST(vm_create_refuses_flags)
{
	struct drm_loom_vm_create args = { .flags = 1 };

	EXPECT_ERR(t_ioctl(t_open(), DRM_IOCTL_LOOM_VM_CREATE, &args), EINVAL);
}

TEST(vm_create_ends_with_enospc_and_recovers)
{
	struct drm_loom_vm_create args = { 0 };
	uint32_t ids[LOOM_MAX_CONTEXTS + 1];
	int fd = t_open(), n = 0;

	while (n <= LOOM_MAX_CONTEXTS &&
	       !t_ioctl(fd, DRM_IOCTL_LOOM_VM_CREATE, &args))
		ids[n++] = args.id;
	EXPECT_EQ(errno, ENOSPC);
	while (n) {
		struct drm_loom_vm_destroy d = { .id = ids[--n] };

		EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_VM_DESTROY, &d));
	}
	t_vm(fd);
}

TEST(vm_destroy_refuses_pad)
{
	int fd = t_open();
	struct drm_loom_vm_destroy args = { .id = t_vm(fd), .pad = 1 };

	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_LOOM_VM_DESTROY, &args), EINVAL);
}

TEST(vm_destroy_refuses_unknown_id)
{
	struct drm_loom_vm_destroy args = { .id = 99 };

	EXPECT_ERR(t_ioctl(t_open(), DRM_IOCTL_LOOM_VM_DESTROY, &args), ENOENT);
}

TEST(vm_destroy_twice_is_enoent)
{
	int fd = t_open();
	struct drm_loom_vm_destroy args = { .id = t_vm(fd) };

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_VM_DESTROY, &args));
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_LOOM_VM_DESTROY, &args), ENOENT);
}

TEST(vm_destroy_bans_its_queues)
{
	struct drm_loom_vm_destroy args;
	struct t_ctx ctx;
	uint32_t size;

	t_ctx_init(&ctx);
	size = t_cmd_fill(&ctx, 0, T_HBM_VA, 16, 7);
	args = (struct drm_loom_vm_destroy){ .id = ctx.vm };
	EXPECT_OK(t_ioctl(ctx.fd, DRM_IOCTL_LOOM_VM_DESTROY, &args));
	EXPECT(t_queue_state(ctx.fd, ctx.queue).state & DRM_LOOM_QUEUE_BANNED);
	EXPECT_ERR(t_submit(ctx.fd, ctx.queue, T_CMD_VA, size, 0), ECANCELED);
}

TEST(bind_case_works_unspoilt)
{
	struct bind_case c;

	bind_case_init(&c);
	EXPECT_OK(bind(&c));
}

TEST(bind_refuses_unknown_vm)
{
	struct bind_case c;

	bind_case_init(&c);
	c.args.vm_id = 99;
	EXPECT_ERR(bind(&c), ENOENT);
}

TEST(bind_refuses_unknown_flags)
{
	struct bind_case c;

	bind_case_init(&c);
	c.args.flags = 1u << 9;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_no_ops)
{
	struct bind_case c;

	bind_case_init(&c);
	c.args.ops.count = 0;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_huge_count)
{
	struct bind_case c;

	bind_case_init(&c);
	c.args.ops.count = ~0u;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_short_stride)
{
	struct bind_case c;

	bind_case_init(&c);
	c.args.ops.stride = 8;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_bad_ops_pointer)
{
	struct bind_case c;

	bind_case_init(&c);
	c.args.ops.array = 8;
	EXPECT_ERR(bind(&c), EFAULT);
}

TEST(bind_accepts_longer_ops_with_zero_tails_only)
{
	struct {
		struct drm_loom_vm_bind_op op;
		uint64_t future;
	} grown;
	struct bind_case c;

	bind_case_init(&c);
	grown.op = c.op;
	grown.future = 0;
	c.args.ops.stride = sizeof(grown);
	c.args.ops.array = (uintptr_t)&grown;
	EXPECT_OK(bind(&c));
	grown.future = 1;
	EXPECT_ERR(bind(&c), E2BIG);
}

TEST(bind_refuses_unknown_op)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.op = 9;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_unknown_op_flags)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.flags = 1u << 12;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_pad)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.pad = 1;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_unknown_handle)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.handle = 999;
	EXPECT_ERR(bind(&c), ENOENT);
}

TEST(bind_refuses_unaligned_va)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.va += 64;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_unaligned_size)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.size -= 64;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_unaligned_offset)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.size = T_PAGE;
	c.op.bo_offset = 64;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_size_zero)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.size = 0;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_more_than_the_object)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.bo_offset = T_PAGE;
	EXPECT_ERR(bind(&c), EINVAL);
	c.op.bo_offset = ~(T_PAGE - 1);
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_addresses_beyond_the_va_space)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.va = (1ull << LOOM_VA_BITS) - T_PAGE;
	EXPECT_ERR(bind(&c), EINVAL);
	c.op.va = ~(T_PAGE - 1);
	EXPECT_ERR(bind(&c), EINVAL);
	c.op.va = 0;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(bind_refuses_syncs_without_async)
{
	struct drm_loom_sync_op sync = { 0 };
	struct bind_case c;

	bind_case_init(&c);
	sync.handle = t_syncobj(c.fd);
	c.args.syncs.count = 1;
	c.args.syncs.stride = sizeof(sync);
	c.args.syncs.array = (uintptr_t)&sync;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(unmap_refuses_a_handle)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.op = DRM_LOOM_VM_BIND_UNMAP;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(unmap_refuses_an_offset)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.op = DRM_LOOM_VM_BIND_UNMAP;
	c.op.handle = 0;
	c.op.bo_offset = T_PAGE;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(unmap_of_a_hole_is_fine)
{
	int fd = t_open();

	t_unmap(fd, t_vm(fd), T_HBM_VA, 16 * T_PAGE);
}

TEST(map_of_sram_refuses_a_handle)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.flags = DRM_LOOM_VM_MAP_SRAM;
	EXPECT_ERR(bind(&c), EINVAL);
}

TEST(map_of_sram_refuses_more_than_there_is)
{
	struct bind_case c;

	bind_case_init(&c);
	c.op.flags = DRM_LOOM_VM_MAP_SRAM;
	c.op.handle = 0;
	c.op.bo_offset = 1ull << 40;
	EXPECT_ERR(bind(&c), EINVAL);
}

/* All operations are checked before the first takes effect. */
TEST(bind_with_one_bad_op_changes_nothing)
{
	struct drm_loom_vm_bind_op ops[2];
	struct drm_loom_vm_bind args;
	struct t_ctx ctx;
	uint32_t size;

	t_ctx_init(&ctx);
	ops[0] = (struct drm_loom_vm_bind_op){
		.op = DRM_LOOM_VM_BIND_UNMAP,
		.va = T_HBM_VA,
		.size = T_HBM_SIZE,
	};
	ops[1] = ops[0];
	ops[1].op = 9;
	args = (struct drm_loom_vm_bind){
		.vm_id = ctx.vm,
		.ops = { sizeof(ops[0]), 2, (uintptr_t)ops },
	};
	EXPECT_ERR(t_ioctl(ctx.fd, DRM_IOCTL_LOOM_VM_BIND, &args), EINVAL);
	size = t_cmd_fill(&ctx, 0, T_HBM_VA, 16, 5);
	EXPECT_EQ(t_run(&ctx, size), 1);
}

TEST(map_replaces_what_was_there)
{
	struct t_ctx ctx;
	uint32_t bo, *p;

	t_ctx_init(&ctx);
	bo = t_bo(ctx.fd, T_PAGE, DRM_LOOM_PLACE_HBM, ctx.vm);
	p = t_mmap(ctx.fd, bo, T_PAGE);
	t_map(ctx.fd, ctx.vm, bo, T_HBM_VA + T_PAGE, T_PAGE);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 3 * 1024, 9)), 1);
	EXPECT_EQ(p[0], 9);
	EXPECT_EQ(p[1023], 9);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[1023], 9);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[1024], 0);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[2048], 9);
}

TEST(unmap_in_the_middle_keeps_both_ends)
{
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	t_unmap(ctx.fd, ctx.vm, T_HBM_VA + T_PAGE, T_PAGE);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 1024, 3)), 1);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA + 2 * T_PAGE, 1024, 4)), 1);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA + T_PAGE, 1, 5)), -EIO);
}

TEST(read_only_mapping_faults_on_write)
{
	struct drm_loom_queue_state state;
	struct drm_loom_vm_bind_op op;
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	op = (struct drm_loom_vm_bind_op){
		.op = DRM_LOOM_VM_BIND_MAP,
		.flags = DRM_LOOM_VM_MAP_READONLY,
		.handle = ctx.hbm_bo,
		.va = T_HBM_VA,
		.size = T_HBM_SIZE,
	};
	EXPECT_OK(t_bind(ctx.fd, ctx.vm, &op));
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 1, 5)), -EIO);
	state = t_queue_state(ctx.fd, ctx.queue);
	EXPECT_EQ(state.error, LOOM_ERR_FAULT_PERM);
	EXPECT_EQ(state.access, LOOM_ACCESS_WRITE);
	EXPECT_EQ(state.fault_addr, T_HBM_VA);
}

TEST(sram_can_be_mapped_and_used)
{
	struct drm_loom_vm_bind_op op = {
		.op = DRM_LOOM_VM_BIND_MAP,
		.flags = DRM_LOOM_VM_MAP_SRAM,
		.va = 0x80000000ull,
		.size = 2 << 20,
	};
	struct t_ctx ctx;
	uint32_t size;

	t_ctx_init(&ctx);
	EXPECT_OK(t_bind(ctx.fd, ctx.vm, &op));
	size = t_cmd_fill(&ctx, 0, op.va, 1024, 0x77);
	size = t_cmd_copy(&ctx, size, T_HBM_VA, op.va, 1024);
	EXPECT_EQ(t_run(&ctx, size), 1);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[1023], 0x77);
}

TEST(large_buffers_map_across_page_table_levels)
{
	uint64_t size = 96 << 20, va = (1ull << 39) - (48 << 20);
	struct t_ctx ctx;
	uint32_t bo, *p;

	t_ctx_init(&ctx);
	bo = t_bo(ctx.fd, size, DRM_LOOM_PLACE_HBM, ctx.vm);
	p = t_mmap(ctx.fd, bo, size);
	t_map(ctx.fd, ctx.vm, bo, va, size);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, va, (uint32_t)(size / 4), 3)), 1);
	for (uint64_t i = 0; i < size / 4; i += 1021)
		EXPECT_EQ(p[i], 3);
	EXPECT_EQ(p[size / 4 - 1], 3);
}

TEST(async_bind_waits_and_signals)
{
	struct drm_loom_vm_bind_op op;
	struct drm_loom_sync_op syncs[2];
	struct drm_loom_vm_bind args;
	struct drm_syncobj_array signal;
	struct t_ctx ctx;
	uint32_t in, out, bo;

	t_ctx_init(&ctx);
	in = t_syncobj(ctx.fd);
	out = t_syncobj(ctx.fd);
	bo = t_bo(ctx.fd, T_PAGE, DRM_LOOM_PLACE_HBM, ctx.vm);
	op = (struct drm_loom_vm_bind_op){
		.handle = bo, .va = 0x90000000ull, .size = T_PAGE,
	};
	syncs[0] = (struct drm_loom_sync_op){ .handle = in };
	syncs[1] = (struct drm_loom_sync_op){
		.flags = DRM_LOOM_SYNC_SIGNAL, .handle = out,
	};
	args = (struct drm_loom_vm_bind){
		.vm_id = ctx.vm,
		.flags = DRM_LOOM_VM_BIND_ASYNC,
		.ops = { sizeof(op), 1, (uintptr_t)&op },
		.syncs = { sizeof(syncs[0]), 2, (uintptr_t)syncs },
	};
	/* An empty binary syncobj has no fence to wait for. */
	EXPECT_ERR(t_ioctl(ctx.fd, DRM_IOCTL_LOOM_VM_BIND, &args), EINVAL);
	signal = (struct drm_syncobj_array){
		.handles = (uintptr_t)&in, .count_handles = 1,
	};
	EXPECT_OK(t_ioctl(ctx.fd, DRM_IOCTL_SYNCOBJ_SIGNAL, &signal));
	EXPECT_OK(t_ioctl(ctx.fd, DRM_IOCTL_LOOM_VM_BIND, &args));
	EXPECT_OK(t_wait(ctx.fd, out, 10000));
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, op.va, 8, 1)), 1);
}

/* The bind of one queue's result waits for a job that has not begun. */
TEST(async_bind_is_ordered_behind_a_job)
{
	struct drm_loom_sync_op sync = { 0 };
	struct drm_loom_vm_bind_op op;
	struct drm_loom_vm_bind args;
	struct t_ctx ctx;
	uint32_t done, size, other;

	t_ctx_init(&ctx);
	done = t_syncobj(ctx.fd);
	other = t_queue(ctx.fd, ctx.vm);
	size = t_cmd_event(&ctx, 0, LOOM_EVENT_OP_WAIT_GE, 1, 1);
	size = t_cmd_fill(&ctx, size, T_HBM_VA, 4, 0x42);
	EXPECT_OK(t_submit(ctx.fd, ctx.queue, T_CMD_VA, size, done));
	op = (struct drm_loom_vm_bind_op){
		.op = DRM_LOOM_VM_BIND_UNMAP, .va = T_HBM_VA, .size = T_HBM_SIZE,
	};
	sync.handle = done;
	args = (struct drm_loom_vm_bind){
		.vm_id = ctx.vm,
		.flags = DRM_LOOM_VM_BIND_ASYNC,
		.ops = { sizeof(op), 1, (uintptr_t)&op },
		.syncs = { sizeof(sync), 1, (uintptr_t)&sync },
	};
	EXPECT_OK(t_ioctl(ctx.fd, DRM_IOCTL_LOOM_VM_BIND, &args));
	/* Now let the job go; had the unmap overtaken it, it would fault. */
	t_cmd_event(&ctx, 0x1000, LOOM_EVENT_OP_SET, 1, 1);
	EXPECT_OK(t_submit(ctx.fd, other, T_CMD_VA + 0x1000, 64, 0));
	EXPECT_OK(t_wait(ctx.fd, done, 10000));
	EXPECT_EQ(t_fence_status(ctx.fd, done), 1);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[3], 0x42);
}

TEST(vm_state_counts_what_is_mapped)
{
	struct drm_loom_vm_state args = { 0 };
	struct bind_case c;

	bind_case_init(&c);
	args.id = c.args.vm_id;
	EXPECT_OK(t_ioctl(c.fd, DRM_IOCTL_LOOM_VM_STATE, &args));
	EXPECT_EQ(args.state, 0);
	EXPECT_EQ(args.mapped, 0);
	EXPECT_OK(bind(&c));
	EXPECT_OK(t_ioctl(c.fd, DRM_IOCTL_LOOM_VM_STATE, &args));
	EXPECT_EQ(args.mapped, 4 * T_PAGE);
	EXPECT_EQ(args.displaced, 0);
	t_unmap(c.fd, c.args.vm_id, c.op.va + T_PAGE, T_PAGE);
	EXPECT_OK(t_ioctl(c.fd, DRM_IOCTL_LOOM_VM_STATE, &args));
	EXPECT_EQ(args.mapped, 3 * T_PAGE);
}

TEST(vm_state_refuses_unknown_id)
{
	struct drm_loom_vm_state args = { .id = 99 };

	EXPECT_ERR(t_ioctl(t_open(), DRM_IOCTL_LOOM_VM_STATE, &args), ENOENT);
}

TAP_MAIN()
