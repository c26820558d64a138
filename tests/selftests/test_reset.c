// SPDX-License-Identifier: MIT
/*
 * Resets of the whole card: who is innocent loses nothing.
 *
 * The resets here are function-level ones through sysfs, which take the same way
 * through the driver as those that it makes itself.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "card.h"

static void reset_card(void)
{
	if (access(T_DEVICE "reset_method", F_OK))
		tap_skip("no " T_DEVICE "reset_method");
	t_write_file(T_DEVICE "reset_method", "flr");
	t_write_file(T_DEVICE "reset", "1");
}

static int submit_flags(struct t_ctx *ctx, uint32_t offset, uint32_t size,
			uint32_t flags, uint32_t out)
{
	struct drm_loom_sync_op sync = { DRM_LOOM_SYNC_SIGNAL, out, 0 };
	struct drm_loom_job job = {
		.cmd_va = T_CMD_VA + offset,
		.cmd_size = size,
		.flags = flags,
		.syncs = { sizeof(sync), 1, (uintptr_t)&sync },
	};
	struct drm_loom_submit args = {
		.queue_id = ctx->queue,
		.jobs = { sizeof(job), 1, (uintptr_t)&job },
	};

	return t_ioctl(ctx->fd, DRM_IOCTL_LOOM_SUBMIT, &args);
}

/* Let who waits for event 1 go on; a queue of its own. */
static void set_event(struct t_ctx *ctx)
{
	uint32_t size = t_cmd_event(ctx, 0x8000, LOOM_EVENT_OP_SET, 1, 1);

	EXPECT_OK(t_submit(ctx->fd, t_queue(ctx->fd, ctx->vm), T_CMD_VA + 0x8000,
			   size, 0));
}

static void wait_status(struct t_ctx *ctx, uint32_t sync, int status)
{
	EXPECT_OK(t_wait(ctx->fd, sync, 20000));
	EXPECT_EQ(t_fence_status(ctx->fd, sync), status);
}

TEST(idle_card_works_after_a_reset)
{
	struct drm_loom_queue_state state;
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 16, 4)), 1);
	reset_card();
	EXPECT_EQ(((uint32_t *)ctx.hbm)[15], 4);	/* HBM is kept */
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 16, 5)), 1);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[15], 5);
	state = t_queue_state(ctx.fd, ctx.queue);
	EXPECT_EQ(state.state, 0);
	EXPECT(state.resets >= 1);	/* waking from sleep is one too */
	EXPECT_EQ(state.jobs_done, 2);
}

/* Its first command waits, so nothing of it has been done. */
TEST(job_that_had_not_begun_runs_after_the_reset)
{
	struct t_ctx ctx;
	uint32_t sync, size;

	t_ctx_init(&ctx);
	sync = t_syncobj(ctx.fd);
	size = t_cmd_event(&ctx, 0, LOOM_EVENT_OP_WAIT_GE, 1, 1);
	size = t_cmd_fill(&ctx, size, T_HBM_VA, 16, 7);
	EXPECT_OK(submit_flags(&ctx, 0, size, 0, sync));
	reset_card();
	EXPECT_ERR(t_wait(ctx.fd, sync, 100), ETIME);
	set_event(&ctx);
	wait_status(&ctx, sync, 1);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[15], 7);
	EXPECT_EQ(t_queue_state(ctx.fd, ctx.queue).state, 0);
}

static uint32_t half_done_job(struct t_ctx *ctx)
{
	uint32_t size;

	size = t_cmd_fill(ctx, 0, T_HBM_VA, 16, 1);
	size = t_cmd_event(ctx, size, LOOM_EVENT_OP_WAIT_GE, 1, 1);
	return t_cmd_fill(ctx, size, T_HBM_VA + 64, 16, 2);
}

static void wait_for_word(struct t_ctx *ctx, unsigned int index, uint32_t value)
{
	volatile uint32_t *word = (uint32_t *)ctx->hbm + index;
	unsigned int i;

	for (i = 0; *word != value && i < 10000; i++)
		usleep(1000);
	EXPECT_EQ(*word, value);
}

TEST(job_that_had_begun_is_not_run_twice)
{
	struct drm_loom_queue_state state;
	uint32_t lost, behind, size;
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	lost = t_syncobj(ctx.fd);
	behind = t_syncobj(ctx.fd);
	size = half_done_job(&ctx);
	EXPECT_OK(submit_flags(&ctx, 0, size, 0, lost));
	EXPECT_OK(submit_flags(&ctx, 0, size, 0, behind));
	wait_for_word(&ctx, 0, 1);
	reset_card();
	wait_status(&ctx, lost, -EIO);
	wait_status(&ctx, behind, -ECANCELED);
	state = t_queue_state(ctx.fd, ctx.queue);
	EXPECT_EQ(state.state, DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_LOST);
	EXPECT_EQ(state.job, 1);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[16], 0);
	EXPECT_ERR(submit_flags(&ctx, 0, size, 0, lost), ECANCELED);
}

TEST(repeatable_job_runs_again_from_its_start)
{
	uint32_t sync, size;
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	sync = t_syncobj(ctx.fd);
	size = half_done_job(&ctx);
	EXPECT_OK(submit_flags(&ctx, 0, size, DRM_LOOM_JOB_REPEATABLE, sync));
	wait_for_word(&ctx, 0, 1);
	*(volatile uint32_t *)ctx.hbm = 99;
	reset_card();
	wait_for_word(&ctx, 0, 1);
	set_event(&ctx);
	wait_status(&ctx, sync, 1);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[16], 2);
	EXPECT_EQ(t_queue_state(ctx.fd, ctx.queue).resets, 1);
}

TEST(unknown_job_flag_is_refused)
{
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	EXPECT_ERR(submit_flags(&ctx, 0, 64, 1u << 1, t_syncobj(ctx.fd)), EINVAL);
}

/* Jobs that add: one lost or run twice shows in the sum. */
#define LOAD_JOBS	150

static int load_child(void)
{
	struct t_ctx ctx;
	uint32_t i, size;

	t_ctx_init(&ctx);
	for (i = 1; i <= LOAD_JOBS; i++) {
		/* Moves word n to n + 1: the value travels one step a job. */
		((volatile uint32_t *)ctx.hbm)[i - 1] += i;
		size = t_cmd_copy(&ctx, 0, T_HBM_VA + 4 * i, T_HBM_VA + 4 * (i - 1), 1);
		if (t_run(&ctx, size) != 1)
			return 1;
	}
	return ((uint32_t *)ctx.hbm)[LOAD_JOBS] != LOAD_JOBS * (LOAD_JOBS + 1) / 2;
}

static pid_t start_load(void)
{
	pid_t pid = fork();

	EXPECT_OK(pid);
	if (!pid)
		_exit(load_child());
	return pid;
}

TEST(four_clients_do_not_notice_resets)
{
	pid_t pid[4];
	int i, status;

	for (i = 0; i < 4; i++)
		pid[i] = start_load();
	for (i = 0; i < 4; i++) {
		usleep(100000);
		reset_card();
	}
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(waitpid(pid[i], &status, 0), pid[i]);
		EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

TAP_MAIN()
