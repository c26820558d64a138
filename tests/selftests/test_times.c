// SPDX-License-Identifier: MIT
/*
 * QUEUE_TIMES and QUERY_CLIENT: when a client's jobs ran, without privileges.
 */
#include <string.h>

#include "card.h"

static int times(struct t_ctx *ctx, uint64_t first, uint32_t *count,
		 struct drm_loom_job_time *out)
{
	struct drm_loom_queue_times args = {
		.id = ctx->queue,
		.count = *count,
		.first = first,
		.times = (uintptr_t)out,
	};
	int ret = t_ioctl(ctx->fd, DRM_IOCTL_LOOM_QUEUE_TIMES, &args);

	*count = args.count;
	return ret;
}

static void run_jobs(struct t_ctx *ctx, unsigned int n)
{
	uint32_t size = t_cmd_fill(ctx, 0, T_HBM_VA, 1024, 1);
	unsigned int i;

	for (i = 0; i < n; i++)
		EXPECT_EQ(t_run(ctx, size), 1);
}

static struct drm_loom_client_info client(int fd)
{
	struct drm_loom_client_info info;
	struct drm_loom_query query = {
		.type = DRM_LOOM_QUERY_CLIENT,
		.size = sizeof(info),
		.data = (uintptr_t)&info,
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_QUERY, &query));
	EXPECT_EQ(query.size, sizeof(info));
	return info;
}

TEST(times_follow_each_other_and_agree_with_the_state)
{
	struct drm_loom_job_time t[8];
	struct drm_loom_queue_state state;
	struct t_ctx ctx;
	uint32_t i, count = 8;

	t_ctx_init(&ctx);
	run_jobs(&ctx, 5);
	EXPECT_OK(times(&ctx, 0, &count, t));
	EXPECT_EQ(count, 5);
	for (i = 0; i < count; i++) {
		EXPECT_EQ(t[i].job, i + 1);
		EXPECT(t[i].start < t[i].end);
		EXPECT(!i || t[i - 1].end <= t[i].start);
	}
	state = t_queue_state(ctx.fd, ctx.queue);
	EXPECT_EQ(state.last_start, t[4].start);
	EXPECT_EQ(state.last_end, t[4].end);
}

TEST(times_begin_with_the_job_asked_for)
{
	struct drm_loom_job_time t[2];
	struct t_ctx ctx;
	uint32_t count = 2;

	t_ctx_init(&ctx);
	run_jobs(&ctx, 5);
	EXPECT_OK(times(&ctx, 3, &count, t));
	EXPECT_EQ(count, 2);
	EXPECT_EQ(t[0].job, 3);
	EXPECT_EQ(t[1].job, 4);
	EXPECT_OK(times(&ctx, 6, &count, t));
	EXPECT_EQ(count, 0);
}

TEST(times_of_long_ago_are_forgotten)
{
	struct drm_loom_job_time t[256];
	struct t_ctx ctx;
	uint32_t count = 256;

	t_ctx_init(&ctx);
	run_jobs(&ctx, 260);
	EXPECT_OK(times(&ctx, 0, &count, t));
	EXPECT_EQ(count, 256);
	EXPECT_EQ(t[0].job, 5);
	EXPECT_EQ(t[255].job, 260);
}

TEST(times_refuse_no_room)
{
	struct drm_loom_job_time t;
	struct t_ctx ctx;
	uint32_t count = 0;

	t_ctx_init(&ctx);
	EXPECT_ERR(times(&ctx, 0, &count, &t), EINVAL);
}

TEST(times_refuse_more_room_than_there_can_be)
{
	struct drm_loom_job_time t;
	struct t_ctx ctx;
	uint32_t count = 257;

	t_ctx_init(&ctx);
	EXPECT_ERR(times(&ctx, 0, &count, &t), EINVAL);
}

TEST(times_refuse_an_unknown_queue)
{
	struct drm_loom_job_time t;
	struct t_ctx ctx;
	uint32_t count = 1;

	t_ctx_init(&ctx);
	ctx.queue += 100;
	EXPECT_ERR(times(&ctx, 0, &count, &t), ENOENT);
}

TEST(times_refuse_a_bad_pointer)
{
	struct t_ctx ctx;
	uint32_t count = 1;

	t_ctx_init(&ctx);
	run_jobs(&ctx, 1);
	EXPECT_ERR(times(&ctx, 0, &count, (void *)8), EFAULT);
}

TEST(client_counts_its_own_jobs_only)
{
	struct drm_loom_client_info before, after;
	struct drm_loom_job_time t[3];
	struct t_ctx mine, other;
	uint32_t count = 3;

	t_ctx_init(&mine);
	t_ctx_init(&other);
	before = client(mine.fd);
	EXPECT_EQ(before.jobs, 0);
	run_jobs(&mine, 3);
	run_jobs(&other, 2);
	after = client(mine.fd);
	EXPECT_EQ(after.jobs, 3);
	EXPECT_EQ(after.failed, 0);
	EXPECT_OK(times(&mine, 0, &count, t));
	EXPECT_EQ(after.cycles, t[0].end - t[0].start + t[1].end - t[1].start +
				t[2].end - t[2].start);
	EXPECT(after.now >= t[2].end);
}

TEST(client_counts_failures)
{
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	EXPECT_EQ(t_run(&ctx, 64), -EIO);
	EXPECT_EQ(client(ctx.fd).jobs, 1);
	EXPECT_EQ(client(ctx.fd).failed, 1);
}

TAP_MAIN()
