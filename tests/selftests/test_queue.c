// SPDX-License-Identifier: MIT
/*
 * Queues and jobs: QUEUE_CREATE, QUEUE_DESTROY, QUEUE_STATE, SUBMIT.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card.h"

static int create(int fd, struct drm_loom_queue_create args)
{
	return t_ioctl(fd, DRM_IOCTL_LOOM_QUEUE_CREATE, &args);
}

static struct drm_loom_queue_create good(int fd)
{
	return (struct drm_loom_queue_create){
		.vm_id = t_vm(fd),
		.priority = DRM_LOOM_PRIORITY_NORMAL,
	};
}

TEST(queue_create_refuses_unknown_vm)
{
	int fd = t_open();
	struct drm_loom_queue_create args = good(fd);

	args.vm_id = 99;
	EXPECT_ERR(create(fd, args), ENOENT);
}

TEST(queue_create_refuses_flags)
{
	int fd = t_open();
	struct drm_loom_queue_create args = good(fd);

	args.flags = 1;
	EXPECT_ERR(create(fd, args), EINVAL);
}

TEST(queue_create_refuses_unknown_priority)
{
	int fd = t_open();
	struct drm_loom_queue_create args = good(fd);

	args.priority = 7;
	EXPECT_ERR(create(fd, args), EINVAL);
}

TEST(queue_create_refuses_high_priority_to_others)
{
	int fd = t_open();
	struct drm_loom_queue_create args = good(fd);

	args.priority = DRM_LOOM_PRIORITY_HIGH;
	EXPECT_OK(create(fd, args));	/* root may */
	EXPECT_OK(setuid(65534));
	EXPECT_ERR(create(fd, args), EACCES);
}

TEST(queue_create_ends_with_enospc_and_recovers)
{
	int fd = t_open(), n = 0;
	struct drm_loom_queue_create args = good(fd);

	while (n <= LOOM_MAX_QUEUES && !t_ioctl(fd, DRM_IOCTL_LOOM_QUEUE_CREATE, &args))
		n++;
	EXPECT(n >= 1 && n <= LOOM_MAX_QUEUES);
	EXPECT_EQ(errno, ENOSPC);
	close(fd);
	fd = t_open();
	t_queue(fd, t_vm(fd));
}

TEST(queue_destroy_refuses_pad)
{
	int fd = t_open();
	struct drm_loom_queue_destroy args = {
		.id = t_queue(fd, t_vm(fd)), .pad = 1,
	};

	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_LOOM_QUEUE_DESTROY, &args), EINVAL);
}

TEST(queue_destroy_twice_is_enoent)
{
	int fd = t_open();
	struct drm_loom_queue_destroy args = { .id = t_queue(fd, t_vm(fd)) };

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_QUEUE_DESTROY, &args));
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_LOOM_QUEUE_DESTROY, &args), ENOENT);
}

TEST(queue_destroy_cancels_a_job_that_waits_for_ever)
{
	struct drm_loom_queue_destroy args;
	struct t_ctx ctx;
	uint32_t size, done;

	t_ctx_init(&ctx);
	done = t_syncobj(ctx.fd);
	size = t_cmd_event(&ctx, 0, LOOM_EVENT_OP_WAIT_GE, 1, 1);
	EXPECT_OK(t_submit(ctx.fd, ctx.queue, T_CMD_VA, size, done));
	args = (struct drm_loom_queue_destroy){ .id = ctx.queue };
	EXPECT_OK(t_ioctl(ctx.fd, DRM_IOCTL_LOOM_QUEUE_DESTROY, &args));
	EXPECT_OK(t_wait(ctx.fd, done, 5000));
	EXPECT_EQ(t_fence_status(ctx.fd, done), -ECANCELED);
}

TEST(queue_state_of_a_new_queue_is_well)
{
	int fd = t_open();
	struct drm_loom_queue_state state = t_queue_state(fd, t_queue(fd, t_vm(fd)));

	EXPECT_EQ(state.state, 0);
	EXPECT_EQ(state.error, 0);
	EXPECT_EQ(state.jobs_done, 0);
}

TEST(queue_state_refuses_unknown_id)
{
	struct drm_loom_queue_state args = { .id = 99 };

	EXPECT_ERR(t_ioctl(t_open(), DRM_IOCTL_LOOM_QUEUE_STATE, &args), ENOENT);
}

/* A submit that works, for tests that spoil one thing. */
struct submit_case {
	struct t_ctx ctx;
	struct drm_loom_submit args;
	struct drm_loom_job job;
	struct drm_loom_sync_op sync;
};

static void submit_case_init(struct submit_case *c)
{
	memset(c, 0, sizeof(*c));
	t_ctx_init(&c->ctx);
	c->job.cmd_va = T_CMD_VA;
	c->job.cmd_size = t_cmd_fill(&c->ctx, 0, T_HBM_VA, 16, 1);
	c->sync.flags = DRM_LOOM_SYNC_SIGNAL;
	c->sync.handle = t_syncobj(c->ctx.fd);
	c->job.syncs.stride = sizeof(c->sync);
	c->job.syncs.count = 1;
	c->job.syncs.array = (uintptr_t)&c->sync;
	c->args.queue_id = c->ctx.queue;
	c->args.jobs.stride = sizeof(c->job);
	c->args.jobs.count = 1;
	c->args.jobs.array = (uintptr_t)&c->job;
}

static int submit(struct submit_case *c)
{
	return t_ioctl(c->ctx.fd, DRM_IOCTL_LOOM_SUBMIT, &c->args);
}

TEST(submit_case_works_unspoilt)
{
	struct drm_loom_queue_state state;
	struct submit_case c;

	submit_case_init(&c);
	EXPECT_OK(submit(&c));
	EXPECT_OK(t_wait(c.ctx.fd, c.sync.handle, 10000));
	EXPECT_EQ(((uint32_t *)c.ctx.hbm)[15], 1);
	state = t_queue_state(c.ctx.fd, c.ctx.queue);
	EXPECT_EQ(state.state, 0);
	EXPECT_EQ(state.jobs_done, 1);
	EXPECT(state.last_end > state.last_start);
}

TEST(submit_refuses_unknown_queue)
{
	struct submit_case c;

	submit_case_init(&c);
	c.args.queue_id = 99;
	EXPECT_ERR(submit(&c), ENOENT);
}

TEST(submit_refuses_flags)
{
	struct submit_case c;

	submit_case_init(&c);
	c.args.flags = 1;
	EXPECT_ERR(submit(&c), EINVAL);
}

TEST(submit_refuses_no_jobs)
{
	struct submit_case c;

	submit_case_init(&c);
	c.args.jobs.count = 0;
	EXPECT_ERR(submit(&c), EINVAL);
}

TEST(submit_refuses_huge_count)
{
	struct submit_case c;

	submit_case_init(&c);
	c.args.jobs.count = ~0u;
	EXPECT_ERR(submit(&c), EINVAL);
}

TEST(submit_refuses_short_stride)
{
	struct submit_case c;

	submit_case_init(&c);
	c.args.jobs.stride = 8;
	EXPECT_ERR(submit(&c), EINVAL);
}

TEST(submit_refuses_bad_pointer)
{
	struct submit_case c;

	submit_case_init(&c);
	c.args.jobs.array = 8;
	EXPECT_ERR(submit(&c), EFAULT);
}

TEST(submit_refuses_job_flags)
{
	struct submit_case c;

	submit_case_init(&c);
	c.job.flags = 1u << 31;
	EXPECT_ERR(submit(&c), EINVAL);
}

TEST(submit_refuses_unaligned_commands)
{
	struct submit_case c;

	submit_case_init(&c);
	c.job.cmd_va += 32;
	EXPECT_ERR(submit(&c), EINVAL);
}

TEST(submit_refuses_commands_beyond_the_va_space)
{
	struct submit_case c;

	submit_case_init(&c);
	c.job.cmd_va = 1ull << LOOM_VA_BITS;
	EXPECT_ERR(submit(&c), EINVAL);
}

TEST(submit_refuses_odd_sizes)
{
	struct submit_case c;

	submit_case_init(&c);
	c.job.cmd_size = 0;
	EXPECT_ERR(submit(&c), EINVAL);
	c.job.cmd_size = 65;
	EXPECT_ERR(submit(&c), EINVAL);
	c.job.cmd_size = LOOM_MAX_CMD_BYTES + 64;
	EXPECT_ERR(submit(&c), EINVAL);
}

TEST(submit_refuses_unknown_syncobj)
{
	struct submit_case c;

	submit_case_init(&c);
	c.sync.handle = 999;
	EXPECT_ERR(submit(&c), ENOENT);
}

TEST(submit_refuses_unknown_sync_flags)
{
	struct submit_case c;

	submit_case_init(&c);
	c.sync.flags |= 1u << 8;
	EXPECT_ERR(submit(&c), EINVAL);
}

TEST(submit_refuses_value_of_a_binary_syncobj)
{
	struct submit_case c;

	submit_case_init(&c);
	c.sync.value = 1;
	EXPECT_ERR(submit(&c), EINVAL);
}

TEST(submit_refuses_huge_sync_count)
{
	struct submit_case c;

	submit_case_init(&c);
	c.job.syncs.count = ~0u;
	EXPECT_ERR(submit(&c), EINVAL);
}

TEST(submit_refuses_to_wait_for_a_syncobj_without_fence)
{
	struct submit_case c;

	submit_case_init(&c);
	c.sync.flags = DRM_LOOM_SYNC_WAIT;
	EXPECT_ERR(submit(&c), EINVAL);
}

/* All jobs are checked before the first is queued. */
TEST(submit_with_one_bad_job_runs_none)
{
	struct drm_loom_job jobs[2];
	struct submit_case c;

	submit_case_init(&c);
	jobs[0] = jobs[1] = c.job;
	jobs[1].flags = 1u << 31;
	c.args.jobs.count = 2;
	c.args.jobs.array = (uintptr_t)jobs;
	EXPECT_ERR(submit(&c), EINVAL);
	usleep(50000);
	EXPECT_EQ(t_queue_state(c.ctx.fd, c.ctx.queue).jobs_done, 0);
	EXPECT_EQ(((uint32_t *)c.ctx.hbm)[0], 0);
}

TEST(jobs_run_in_order)
{
	struct submit_case c;
	uint32_t *word;

	submit_case_init(&c);
	word = (uint32_t *)c.ctx.hbm;
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t offset = (i % 64) * 192;

		if (i && i % 64 == 0)
			EXPECT_OK(t_wait(c.ctx.fd, c.sync.handle, 10000));
		t_cmd_fill(&c.ctx, offset, T_HBM_VA, 1, i + 1);
		c.job.cmd_va = T_CMD_VA + offset;
		EXPECT_OK(submit(&c));
	}
	EXPECT_OK(t_wait(c.ctx.fd, c.sync.handle, 10000));
	EXPECT_EQ(word[0], 200);
	EXPECT_EQ(t_queue_state(c.ctx.fd, c.ctx.queue).jobs_done, 200);
}

TEST(batched_jobs_may_wait_for_each_other)
{
	struct drm_loom_sync_op wait;
	struct drm_loom_job jobs[2];
	struct submit_case c;
	uint32_t first;

	submit_case_init(&c);
	first = t_syncobj(c.ctx.fd);
	jobs[0] = jobs[1] = c.job;
	wait = (struct drm_loom_sync_op){ .handle = first };
	c.sync.handle = first;
	jobs[1].syncs.array = (uintptr_t)&wait;
	c.args.jobs.count = 2;
	c.args.jobs.array = (uintptr_t)jobs;
	EXPECT_OK(submit(&c));
	EXPECT_OK(t_wait(c.ctx.fd, first, 10000));
}

TEST(timeline_points_are_signalled_in_order)
{
	struct submit_case c;

	submit_case_init(&c);
	c.sync.flags = DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE;
	for (uint64_t point = 1; point <= 20; point++) {
		c.sync.value = point;
		EXPECT_OK(submit(&c));
	}
	EXPECT_OK(t_wait_point(c.ctx.fd, c.sync.handle, 20, 10000));
	EXPECT_EQ(t_queue_state(c.ctx.fd, c.ctx.queue).jobs_done, 20);
}

TEST(one_queue_waits_for_a_timeline_point_of_another)
{
	struct drm_loom_sync_op wait;
	struct submit_case c;
	uint32_t other, out, size;

	submit_case_init(&c);
	other = t_queue(c.ctx.fd, c.ctx.vm);
	out = t_syncobj(c.ctx.fd);
	c.sync.flags = DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE;
	c.sync.value = 1;
	EXPECT_OK(submit(&c));
	size = t_cmd_copy(&c.ctx, 0x1000, T_HBM_VA + 0x1000, T_HBM_VA, 16);
	wait = (struct drm_loom_sync_op){
		.flags = DRM_LOOM_SYNC_TIMELINE, .handle = c.sync.handle, .value = 1,
	};
	EXPECT_OK(t_submit_syncs(c.ctx.fd, other, T_CMD_VA + 0x1000,
				 size - 0x1000, &wait, 1));
	EXPECT_OK(t_submit(c.ctx.fd, other, T_CMD_VA + 0x1000, size - 0x1000, out));
	EXPECT_OK(t_wait(c.ctx.fd, out, 10000));
	EXPECT_EQ(((uint32_t *)c.ctx.hbm)[0x400], 1);
}

TEST(more_jobs_than_the_ring_has_entries)
{
	struct submit_case c;

	submit_case_init(&c);
	c.sync.flags = DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE;
	for (c.sync.value = 1; c.sync.value <= 3000; c.sync.value++)
		EXPECT_OK(submit(&c));
	EXPECT_OK(t_wait_point(c.ctx.fd, c.sync.handle, 3000, 60000));
	EXPECT_EQ(t_queue_state(c.ctx.fd, c.ctx.queue).jobs_done, 3000);
}

TEST(close_with_running_jobs_leaves_the_card_well)
{
	struct t_ctx ctx;
	uint32_t size;

	for (int i = 0; i < 20; i++) {
		t_ctx_init(&ctx);
		size = t_cmd_event(&ctx, 0, LOOM_EVENT_OP_WAIT_GE, 2, 1);
		EXPECT_OK(t_submit(ctx.fd, ctx.queue, T_CMD_VA, size, 0));
		close(ctx.fd);
	}
	t_ctx_init(&ctx);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 4, 1)), 1);
}

TAP_MAIN()
