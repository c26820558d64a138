// SPDX-License-Identifier: MIT
/*
 * What user space sees when the card stops a queue, and that nobody else does.
 */
#include <string.h>

#include "card.h"

static struct drm_loom_queue_state run_faulty(struct t_ctx *ctx, uint32_t size)
{
	struct drm_loom_queue_state state;

	EXPECT_EQ(t_run(ctx, size), -EIO);
	state = t_queue_state(ctx->fd, ctx->queue);
	EXPECT(state.state & DRM_LOOM_QUEUE_FAULTED);
	EXPECT(state.state & DRM_LOOM_QUEUE_BANNED);
	EXPECT_EQ(state.job, 1);
	EXPECT_ERR(t_submit(ctx->fd, ctx->queue, T_CMD_VA, 64, 0), ECANCELED);
	return state;
}

TEST(unmapped_address_is_reported)
{
	struct drm_loom_queue_state state;
	struct t_ctx ctx;
	uint32_t size;

	t_ctx_init(&ctx);
	size = t_cmd_fill(&ctx, 0, T_HBM_VA, 16, 1);
	size = t_cmd_fill(&ctx, size, 0x7000000000ull, 16, 1);
	state = run_faulty(&ctx, size);
	EXPECT_EQ(state.error, LOOM_ERR_FAULT_UNMAPPED);
	EXPECT_EQ(state.fault_addr, 0x7000000000ull);
	EXPECT_EQ(state.access, LOOM_ACCESS_WRITE);
	EXPECT_EQ(state.cmd_index, 1);
	EXPECT_EQ(state.cmd_offset, sizeof(struct loom_cmd_copy));
	EXPECT_EQ(state.opcode, LOOM_OP_COPY);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[15], 1);	/* the first ran */
}

TEST(unmapped_commands_are_reported)
{
	struct drm_loom_queue_state state;
	struct t_ctx ctx;
	uint32_t sync;

	t_ctx_init(&ctx);
	sync = t_syncobj(ctx.fd);
	EXPECT_OK(t_submit(ctx.fd, ctx.queue, 0x7000000000ull, 64, sync));
	EXPECT_OK(t_wait(ctx.fd, sync, 10000));
	EXPECT_EQ(t_fence_status(ctx.fd, sync), -EIO);
	state = t_queue_state(ctx.fd, ctx.queue);
	EXPECT_EQ(state.error, LOOM_ERR_CMD_FETCH);
	EXPECT_EQ(state.fault_addr, 0x7000000000ull);
}

TEST(zeroed_commands_are_an_unknown_opcode)
{
	struct drm_loom_queue_state state;
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	state = run_faulty(&ctx, 64);
	EXPECT_EQ(state.error, LOOM_ERR_CMD_OPCODE);
	EXPECT_EQ(state.field, offsetof(struct loom_cmd, opcode));
	EXPECT_EQ(state.cmd_index, 0);
}

TEST(bad_type_names_the_field)
{
	struct drm_loom_queue_state state;
	struct loom_cmd_copy *cmd;
	struct t_ctx ctx;
	uint32_t size;

	t_ctx_init(&ctx);
	size = t_cmd_fill(&ctx, 0, T_HBM_VA, 16, 1);
	cmd = (struct loom_cmd_copy *)ctx.cmd;
	cmd->dst_type = 200;
	state = run_faulty(&ctx, size);
	EXPECT_EQ(state.error, LOOM_ERR_CMD_TYPE);
	EXPECT_EQ(state.field, offsetof(struct loom_cmd_copy, dst_type));
}

TEST(faulty_job_cancels_those_behind_it)
{
	uint32_t bad, behind, size;
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	bad = t_syncobj(ctx.fd);
	behind = t_syncobj(ctx.fd);
	/* Wait for an event so that both are queued before the fault. */
	size = t_cmd_event(&ctx, 0, LOOM_EVENT_OP_WAIT_GE, 1, 1);
	size = t_cmd_fill(&ctx, size, 0x7000000000ull, 1, 1);
	EXPECT_OK(t_submit(ctx.fd, ctx.queue, T_CMD_VA, size, bad));
	t_cmd_fill(&ctx, 0x1000, T_HBM_VA, 1, 1);
	EXPECT_OK(t_submit(ctx.fd, ctx.queue, T_CMD_VA + 0x1000, 192, behind));
	t_cmd_event(&ctx, 0x2000, LOOM_EVENT_OP_SET, 1, 1);
	EXPECT_OK(t_submit(ctx.fd, t_queue(ctx.fd, ctx.vm), T_CMD_VA + 0x2000, 64, 0));
	EXPECT_OK(t_wait(ctx.fd, bad, 10000));
	EXPECT_OK(t_wait(ctx.fd, behind, 10000));
	EXPECT_EQ(t_fence_status(ctx.fd, bad), -EIO);
	EXPECT_EQ(t_fence_status(ctx.fd, behind), -ECANCELED);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[0], 0);
}

TEST(fault_of_one_queue_leaves_its_neighbour_alone)
{
	struct t_ctx ctx;
	uint32_t other, sync;

	t_ctx_init(&ctx);
	other = t_queue(ctx.fd, ctx.vm);
	sync = t_syncobj(ctx.fd);
	run_faulty(&ctx, 64);
	t_cmd_fill(&ctx, 0, T_HBM_VA, 16, 6);
	EXPECT_OK(t_submit(ctx.fd, other, T_CMD_VA, 192, sync));
	EXPECT_OK(t_wait(ctx.fd, sync, 10000));
	EXPECT_EQ(t_fence_status(ctx.fd, sync), 1);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[0], 6);
	EXPECT_EQ(t_queue_state(ctx.fd, other).state, 0);
}

TEST(a_new_queue_works_after_a_fault)
{
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	run_faulty(&ctx, 64);
	ctx.queue = t_queue(ctx.fd, ctx.vm);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 4, 1)), 1);
}

/*
 * A job that waits for an event that never comes makes no progress; the
 * driver gives up on it (the VM loads the module with a short timeout) and on
 * nobody else.
 */
TEST(job_without_progress_times_out_alone)
{
	struct drm_loom_queue_state state;
	struct t_ctx hung, well;
	uint32_t sync, size;

	t_ctx_init(&hung);
	t_ctx_init(&well);
	sync = t_syncobj(hung.fd);
	size = t_cmd_event(&hung, 0, LOOM_EVENT_OP_WAIT_GE, 1, 1);
	EXPECT_OK(t_submit(hung.fd, hung.queue, T_CMD_VA, size, sync));
	while (t_wait(hung.fd, sync, 200) < 0) {
		EXPECT_EQ(errno, ETIME);
		EXPECT_EQ(t_run(&well, t_cmd_fill(&well, 0, T_HBM_VA, 64, 2)), 1);
	}
	EXPECT_EQ(t_fence_status(hung.fd, sync), -ETIME);
	state = t_queue_state(hung.fd, hung.queue);
	EXPECT(state.state & DRM_LOOM_QUEUE_TIMEDOUT);
	EXPECT(state.state & DRM_LOOM_QUEUE_BANNED);
	EXPECT_EQ(t_run(&well, t_cmd_fill(&well, 0, T_HBM_VA, 64, 3)), 1);
	EXPECT_EQ(t_queue_state(well.fd, well.queue).state, 0);
}

TAP_MAIN()
