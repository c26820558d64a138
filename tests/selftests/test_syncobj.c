// SPDX-License-Identifier: MIT
/*
 * Syncobjs with the card's fences: what IGT's syncobj_basic, syncobj_wait and
 * syncobj_timeline do with fences of sw_sync, which no stock kernel has.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "card.h"

#define ALL	DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL
#define SUBMIT	DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT
#define AVAILABLE DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE

static uint32_t create(int fd, uint32_t flags)
{
	struct drm_syncobj_create args = { .flags = flags };

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_CREATE, &args));
	return args.handle;
}

static uint32_t signalled(int fd)
{
	return create(fd, DRM_SYNCOBJ_CREATE_SIGNALED);
}

static int64_t deadline(unsigned int ms)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec + ms * 1000000ll;
}

static int wait_many(int fd, const uint32_t *handles, uint32_t n, uint32_t flags,
		     unsigned int ms, uint32_t *first)
{
	struct drm_syncobj_wait args = {
		.handles = (uintptr_t)handles,
		.count_handles = n,
		.timeout_nsec = deadline(ms),
		.flags = flags,
	};
	int ret = t_ioctl(fd, DRM_IOCTL_SYNCOBJ_WAIT, &args);

	if (first)
		*first = args.first_signaled;
	return ret;
}

static int wait_point(int fd, uint32_t handle, uint64_t point, uint32_t flags,
		      unsigned int ms)
{
	struct drm_syncobj_timeline_wait args = {
		.handles = (uintptr_t)&handle,
		.points = (uintptr_t)&point,
		.count_handles = 1,
		.timeout_nsec = deadline(ms),
		.flags = flags,
	};

	return t_ioctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &args);
}

static int of_array(int fd, unsigned long request, uint32_t handle)
{
	struct drm_syncobj_array args = {
		.handles = (uintptr_t)&handle, .count_handles = 1,
	};

	return t_ioctl(fd, request, &args);
}

static int signal_point(int fd, uint32_t handle, uint64_t point)
{
	struct drm_syncobj_timeline_array args = {
		.handles = (uintptr_t)&handle,
		.points = (uintptr_t)&point,
		.count_handles = 1,
	};

	return t_ioctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &args);
}

static uint64_t query(int fd, uint32_t handle, uint32_t flags)
{
	uint64_t point = ~0ull;
	struct drm_syncobj_timeline_array args = {
		.handles = (uintptr_t)&handle,
		.points = (uintptr_t)&point,
		.count_handles = 1,
		.flags = flags,
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_QUERY, &args));
	return point;
}

static int transfer(int fd, uint32_t dst, uint64_t dst_point, uint32_t src,
		    uint64_t src_point)
{
	struct drm_syncobj_transfer args = {
		.dst_handle = dst, .dst_point = dst_point,
		.src_handle = src, .src_point = src_point,
	};

	return t_ioctl(fd, DRM_IOCTL_SYNCOBJ_TRANSFER, &args);
}

/* syncobj_basic ------------------------------------------------------------- */

TEST(create_refuses_unknown_flags)
{
	struct drm_syncobj_create args = { .flags = 0xdeadbeef };

	EXPECT_ERR(t_ioctl(t_open(), DRM_IOCTL_SYNCOBJ_CREATE, &args), EINVAL);
}

TEST(destroy_refuses_unknown_handle_and_pad)
{
	int fd = t_open();
	struct drm_syncobj_destroy args = { .handle = 999 };

	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_DESTROY, &args), EINVAL);
	args = (struct drm_syncobj_destroy){ .handle = create(fd, 0), .pad = 1 };
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_DESTROY, &args), EINVAL);
	args.pad = 0;
	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_DESTROY, &args));
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_DESTROY, &args), EINVAL);
}

TEST(handle_to_fd_refuses_what_is_wrong)
{
	int fd = t_open();
	const struct drm_syncobj_handle good = { .handle = create(fd, 0), .fd = -1 };
	struct drm_syncobj_handle args = good;

	args.handle = 999;
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args), EINVAL);
	args = good;
	args.flags = 0xdeadbeef;
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args), EINVAL);
	args = good;
	args.pad = 1;
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args), EINVAL);
}

TEST(fd_to_handle_refuses_what_is_wrong)
{
	int fd = t_open();
	struct drm_syncobj_handle args = { .handle = create(fd, 0), .fd = -1 };

	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args), EINVAL);
	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args));
	args.flags = 0xdeadbeef;
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args), EINVAL);
	args.flags = 0;
	args.pad = 1;
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args), EINVAL);
	args.pad = 0;
	args.fd = fd;	/* no syncobj */
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args), EINVAL);
}

TEST(syncobj_goes_through_a_file_to_another_client)
{
	struct t_ctx ctx;
	struct drm_syncobj_handle args;
	int other = t_open();

	t_ctx_init(&ctx);
	args = (struct drm_syncobj_handle){ .handle = create(ctx.fd, 0), .fd = -1 };
	t_hold(&ctx, args.handle, 0);
	EXPECT_OK(t_ioctl(ctx.fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args));
	EXPECT_OK(t_ioctl(other, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args));
	EXPECT_ERR(t_wait(other, args.handle, 20), ETIME);
	t_let_go(&ctx);
	EXPECT_OK(t_wait(other, args.handle, 10000));
}

/* syncobj_wait --------------------------------------------------------------- */

TEST(wait_refuses_what_is_wrong)
{
	int fd = t_open();
	uint32_t handle = signalled(fd), unknown = 999;

	EXPECT_ERR(wait_many(fd, &unknown, 1, 0, 0, NULL), ENOENT);
	EXPECT_ERR(wait_many(fd, &handle, 1, 1u << 30, 0, NULL), EINVAL);
	EXPECT_ERR(wait_many(fd, NULL, 1, 0, 0, NULL), EFAULT);
	EXPECT_OK(wait_many(fd, &handle, 1, 0, 0, NULL));
}

TEST(wait_without_fence_needs_the_flag)
{
	int fd = t_open();
	uint32_t handle = create(fd, 0);

	EXPECT_ERR(wait_many(fd, &handle, 1, 0, 0, NULL), EINVAL);
	EXPECT_ERR(wait_many(fd, &handle, 1, SUBMIT, 20, NULL), ETIME);
}

TEST(wait_for_a_job_ends_with_it)
{
	struct t_ctx ctx;
	uint32_t handle;

	t_ctx_init(&ctx);
	handle = create(ctx.fd, 0);
	t_hold(&ctx, handle, 0);
	EXPECT_ERR(wait_many(ctx.fd, &handle, 1, 0, 20, NULL), ETIME);
	t_let_go(&ctx);
	EXPECT_OK(wait_many(ctx.fd, &handle, 1, 0, 10000, NULL));
}

TEST(wait_for_any_names_the_one_that_came)
{
	struct t_ctx ctx;
	uint32_t handles[3], first = 99;

	t_ctx_init(&ctx);
	handles[0] = create(ctx.fd, 0);
	handles[1] = create(ctx.fd, 0);
	handles[2] = signalled(ctx.fd);
	t_hold(&ctx, handles[0], 0);
	EXPECT_OK(wait_many(ctx.fd, handles, 3, SUBMIT, 10000, &first));
	EXPECT_EQ(first, 2);
	EXPECT_ERR(wait_many(ctx.fd, handles, 2, SUBMIT, 20, NULL), ETIME);
	t_let_go(&ctx);
	EXPECT_OK(wait_many(ctx.fd, handles, 2, SUBMIT, 10000, &first));
	EXPECT_EQ(first, 0);
}

TEST(wait_for_all_waits_for_the_last)
{
	struct t_ctx ctx;
	uint32_t handles[2];

	t_ctx_init(&ctx);
	handles[0] = create(ctx.fd, 0);
	handles[1] = signalled(ctx.fd);
	t_hold(&ctx, handles[0], 0);
	EXPECT_ERR(wait_many(ctx.fd, handles, 2, ALL, 20, NULL), ETIME);
	t_let_go(&ctx);
	EXPECT_OK(wait_many(ctx.fd, handles, 2, ALL, 10000, NULL));
}

TEST(reset_takes_the_fence_and_signal_gives_one)
{
	int fd = t_open();
	uint32_t handle = signalled(fd);

	EXPECT_OK(of_array(fd, DRM_IOCTL_SYNCOBJ_RESET, handle));
	EXPECT_ERR(wait_many(fd, &handle, 1, 0, 0, NULL), EINVAL);
	EXPECT_OK(of_array(fd, DRM_IOCTL_SYNCOBJ_SIGNAL, handle));
	EXPECT_OK(wait_many(fd, &handle, 1, 0, 0, NULL));
	EXPECT_ERR(of_array(fd, DRM_IOCTL_SYNCOBJ_RESET, 999), ENOENT);
	EXPECT_ERR(of_array(fd, DRM_IOCTL_SYNCOBJ_SIGNAL, 999), ENOENT);
}

/* The job's end does not depend on who watches. */
TEST(reset_under_a_job_does_not_disturb_it)
{
	struct t_ctx ctx;
	uint32_t handle;

	t_ctx_init(&ctx);
	handle = create(ctx.fd, 0);
	t_hold(&ctx, handle, 0);
	EXPECT_OK(of_array(ctx.fd, DRM_IOCTL_SYNCOBJ_RESET, handle));
	t_let_go(&ctx);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 64, T_HBM_VA, 16, 1)), 1);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[15], 1);
}

/*
 * Waits that begin before there is a fence: in a child that shares our file, and ends with
 * the number of the one that came; with 0 after ALL.
 */
static pid_t wait_elsewhere(int fd, const uint32_t *handles, const uint64_t *points,
			    uint32_t n, uint32_t flags)
{
	struct drm_syncobj_timeline_wait args = {
		.handles = (uintptr_t)handles,
		.points = (uintptr_t)points,
		.count_handles = n,
		.timeout_nsec = deadline(60000),
		.flags = SUBMIT | flags,
	};
	pid_t child = fork();

	EXPECT_OK(child);
	if (!child)
		_exit(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &args) ? 127 :
		      flags & ALL ? 0 : (int)args.first_signaled);
	usleep(20000);
	return child;
}

static void expect_waiting(pid_t child)
{
	usleep(20000);
	EXPECT_EQ(waitpid(child, NULL, WNOHANG), 0);
}

static void expect_ended(pid_t child, int first)
{
	int status;

	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), first);
}

TEST(wait_that_began_before_the_submit_ends_with_the_job)
{
	const uint64_t binary = 0;
	struct t_ctx ctx;
	uint32_t handle;
	pid_t child;

	t_ctx_init(&ctx);
	handle = create(ctx.fd, 0);
	child = wait_elsewhere(ctx.fd, &handle, &binary, 1, 0);
	expect_waiting(child);
	t_hold(&ctx, handle, 0);
	expect_waiting(child);
	t_let_go(&ctx);
	expect_ended(child, 0);
}

TEST(wait_for_any_of_what_is_not_there_ends_with_the_first)
{
	const uint64_t points[3] = { 0, 0, 5 };
	uint32_t handles[3];
	struct t_ctx ctx;
	pid_t child;

	t_ctx_init(&ctx);
	for (int i = 0; i < 3; i++)
		handles[i] = create(ctx.fd, 0);
	child = wait_elsewhere(ctx.fd, handles, points, 3, 0);
	t_hold(&ctx, handles[1], 0);
	EXPECT_OK(signal_point(ctx.fd, handles[2], 4));
	expect_waiting(child);
	EXPECT_OK(signal_point(ctx.fd, handles[2], 5));
	expect_ended(child, 2);
	t_let_go(&ctx);
}

TEST(wait_for_all_of_what_is_not_there_ends_with_the_last)
{
	const uint64_t points[3] = { 0, 0, 5 };
	uint32_t handles[3];
	struct t_ctx ctx;
	pid_t child;

	t_ctx_init(&ctx);
	for (int i = 0; i < 3; i++)
		handles[i] = create(ctx.fd, 0);
	child = wait_elsewhere(ctx.fd, handles, points, 3, ALL);
	EXPECT_OK(of_array(ctx.fd, DRM_IOCTL_SYNCOBJ_SIGNAL, handles[0]));
	t_hold(&ctx, handles[1], 0);
	expect_waiting(child);
	EXPECT_OK(signal_point(ctx.fd, handles[2], 6));
	expect_waiting(child);
	t_let_go(&ctx);
	expect_ended(child, 0);
}

TEST(wait_that_began_outlives_a_reset_of_nothing)
{
	const uint64_t binary = 0;
	int fd = t_open();
	uint32_t handle = create(fd, 0);
	pid_t child = wait_elsewhere(fd, &handle, &binary, 1, 0);

	EXPECT_OK(of_array(fd, DRM_IOCTL_SYNCOBJ_RESET, handle));
	expect_waiting(child);
	EXPECT_OK(of_array(fd, DRM_IOCTL_SYNCOBJ_SIGNAL, handle));
	expect_ended(child, 0);
}

/* syncobj_timeline ----------------------------------------------------------- */

TEST(points_are_reached_in_order)
{
	struct t_ctx ctx;
	uint32_t line;

	t_ctx_init(&ctx);
	line = create(ctx.fd, 0);
	EXPECT_EQ(query(ctx.fd, line, 0), 0);
	EXPECT_OK(signal_point(ctx.fd, line, 3));
	EXPECT_EQ(query(ctx.fd, line, 0), 3);
	t_hold(&ctx, line, 5);
	EXPECT_EQ(query(ctx.fd, line, 0), 3);
	EXPECT_EQ(query(ctx.fd, line, DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED), 5);
	EXPECT_OK(wait_point(ctx.fd, line, 3, 0, 0));
	EXPECT_ERR(wait_point(ctx.fd, line, 4, 0, 20), ETIME);
	t_let_go(&ctx);
	EXPECT_OK(wait_point(ctx.fd, line, 4, 0, 10000));
	EXPECT_OK(wait_point(ctx.fd, line, 5, 0, 10000));
	EXPECT_EQ(query(ctx.fd, line, 0), 5);
}

TEST(point_without_fence_needs_the_flag)
{
	int fd = t_open();
	uint32_t line = create(fd, 0);

	EXPECT_OK(signal_point(fd, line, 1));
	EXPECT_ERR(wait_point(fd, line, 2, 0, 0), EINVAL);
	EXPECT_ERR(wait_point(fd, line, 2, SUBMIT, 20), ETIME);
	EXPECT_ERR(wait_point(fd, line, 2, AVAILABLE, 20), ETIME);
}

TEST(point_of_a_job_is_available_before_it_is_reached)
{
	struct t_ctx ctx;
	uint32_t line;

	t_ctx_init(&ctx);
	line = create(ctx.fd, 0);
	t_hold(&ctx, line, 7);
	EXPECT_OK(wait_point(ctx.fd, line, 7, AVAILABLE, 10000));
	EXPECT_ERR(wait_point(ctx.fd, line, 7, 0, 20), ETIME);
	t_let_go(&ctx);
	EXPECT_OK(wait_point(ctx.fd, line, 7, 0, 10000));
}

/* A point that the program reaches before a job of an earlier one has ended. */
TEST(later_point_waits_for_the_job_of_an_earlier_one)
{
	struct t_ctx ctx;
	uint32_t line;

	t_ctx_init(&ctx);
	line = create(ctx.fd, 0);
	t_hold(&ctx, line, 1);
	EXPECT_OK(signal_point(ctx.fd, line, 2));
	EXPECT_ERR(wait_point(ctx.fd, line, 2, 0, 20), ETIME);
	EXPECT_EQ(query(ctx.fd, line, 0), 0);
	t_let_go(&ctx);
	EXPECT_OK(wait_point(ctx.fd, line, 2, 0, 10000));
}

TEST(points_have_64_bits)
{
	const uint64_t far = 1ull << 33;
	struct t_ctx ctx;
	uint32_t line;

	t_ctx_init(&ctx);
	line = create(ctx.fd, 0);
	EXPECT_OK(signal_point(ctx.fd, line, far));
	EXPECT_EQ(query(ctx.fd, line, 0), far);
	EXPECT_OK(wait_point(ctx.fd, line, far, 0, 0));
	t_hold(&ctx, line, far + 1);
	EXPECT_ERR(wait_point(ctx.fd, line, far + 1, 0, 20), ETIME);
	t_let_go(&ctx);
	EXPECT_OK(wait_point(ctx.fd, line, far + 1, 0, 10000));
}

TEST(transfer_between_timeline_and_binary)
{
	struct t_ctx ctx;
	uint32_t line, binary;

	t_ctx_init(&ctx);
	line = create(ctx.fd, 0);
	binary = create(ctx.fd, 0);
	t_hold(&ctx, line, 4);
	EXPECT_OK(transfer(ctx.fd, binary, 0, line, 4));
	EXPECT_ERR(wait_many(ctx.fd, &binary, 1, 0, 20, NULL), ETIME);
	EXPECT_OK(transfer(ctx.fd, line, 9, binary, 0));
	t_let_go(&ctx);
	EXPECT_OK(wait_many(ctx.fd, &binary, 1, 0, 10000, NULL));
	EXPECT_OK(wait_point(ctx.fd, line, 9, 0, 10000));
}

TEST(transfer_refuses_what_is_wrong)
{
	int fd = t_open();
	uint32_t line = create(fd, 0), none = create(fd, 0);

	EXPECT_ERR(transfer(fd, line, 1, 999, 0), ENOENT);
	EXPECT_ERR(transfer(fd, 999, 1, line, 0), ENOENT);
	EXPECT_ERR(transfer(fd, line, 1, none, 0), EINVAL);
}

TEST(timeline_ioctls_refuse_what_is_wrong)
{
	int fd = t_open();
	uint32_t line = create(fd, 0);
	struct drm_syncobj_timeline_array args = {
		.handles = (uintptr_t)&line, .points = 8, .count_handles = 1,
	};

	EXPECT_ERR(signal_point(fd, 999, 1), ENOENT);
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &args), EFAULT);
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_QUERY, &args), EFAULT);
	args.points = (uintptr_t)&args;
	args.flags = 1u << 30;
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &args), EINVAL);
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_QUERY, &args), EINVAL);
	args.flags = 0;
	args.count_handles = 0;
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_QUERY, &args), EINVAL);
}

/* Modules in use ------------------------------------------------------------ */

static int module_users(void)
{
	FILE *f = fopen("/sys/module/loom/refcnt", "r");
	int users = -1;

	if (!f)
		tap_skip("loom is no module that can be unloaded");
	EXPECT_EQ(fscanf(f, "%d", &users), 1);
	fclose(f);
	return users;
}

/* Users leave some time after they end. */
static void expect_module_users(int users)
{
	unsigned int tries = 1000;

	while (module_users() != users && tries--)
		usleep(10000);
	EXPECT_EQ(module_users(), users);
}

/*
 * Of two jobs, and no more of the card than this.  The first waits on the card, the
 * second for the first, thus with the scheduler.
 */
static void leave_sync_files(int sync_file[2])
{
	struct t_ctx ctx;
	uint32_t out[2], hold;

	t_ctx_init(&ctx);
	hold = t_cmd_event(&ctx, 0, LOOM_EVENT_OP_WAIT_GE, 1, 1);
	for (int i = 0; i < 2; i++) {
		struct drm_loom_sync_op syncs[2] = {
			{ .flags = DRM_LOOM_SYNC_SIGNAL, .handle = out[i] = create(ctx.fd, 0) },
			{ .flags = DRM_LOOM_SYNC_WAIT, .handle = out[0] },
		};

		EXPECT_OK(t_submit_syncs(ctx.fd, ctx.queue, T_CMD_VA, hold, syncs, 1 + i));
		sync_file[i] = t_sync_file(ctx.fd, out[i]);
		EXPECT_EQ(t_sync_file_status(sync_file[i]), 0);
	}
	t_let_go(&ctx);
	EXPECT_OK(t_wait(ctx.fd, out[1], 20000));
	munmap(ctx.cmd, T_CMD_SIZE);
	munmap(ctx.hbm, T_HBM_SIZE);
	close(ctx.fd);
}

TEST(sync_files_keep_the_driver_from_being_unloaded)
{
	int before = module_users();
	int sync_file[2];

	leave_sync_files(sync_file);
	expect_module_users(before + 2);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(t_sync_file_status(sync_file[i]), 1);
		close(sync_file[i]);
	}
	expect_module_users(before);
}

TAP_MAIN()
