// SPDX-License-Identifier: MIT
/*
 * Syncobjs that tell an eventfd: what IGT's syncobj_eventfd does, with the card's fences.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "card.h"
#include "tests/lib/syncobj_eventfd.h"

#define AVAILABLE	DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	EXPECT_OK(fd);
	return fd;
}

static int tell(int fd, uint32_t handle, uint64_t point, uint32_t flags, int event)
{
	struct syncobj_eventfd args = {
		.handle = handle, .flags = flags, .point = point, .fd = event,
	};

	return t_ioctl(fd, SYNCOBJ_EVENTFD, &args);
}

/* An eventfd that the syncobj, or its point, will tell. */
static int told_by(int fd, uint32_t handle, uint64_t point, uint32_t flags)
{
	int event = new_eventfd();

	EXPECT_OK(tell(fd, handle, point, flags, event));
	return event;
}

static void expect_silence(int event)
{
	struct pollfd poll_fd = { .fd = event, .events = POLLIN };

	EXPECT_EQ(poll(&poll_fd, 1, 20), 0);
}

/* Once, and no more than that. */
static void expect_told(int event)
{
	struct pollfd poll_fd = { .fd = event, .events = POLLIN };
	uint64_t count = 0;

	EXPECT_EQ(poll(&poll_fd, 1, 10000), 1);
	EXPECT_EQ(read(event, &count, sizeof(count)), (ssize_t)sizeof(count));
	EXPECT_EQ(count, 1);
	expect_silence(event);
	close(event);
}

static void signal_binary(int fd, uint32_t handle)
{
	struct drm_syncobj_array args = {
		.handles = (uintptr_t)&handle, .count_handles = 1,
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_SIGNAL, &args));
}

static void signal_point(int fd, uint32_t handle, uint64_t point)
{
	struct drm_syncobj_timeline_array args = {
		.handles = (uintptr_t)&handle,
		.points = (uintptr_t)&point,
		.count_handles = 1,
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &args));
}

TEST(eventfd_refuses_what_is_wrong)
{
	int fd = t_open(), event = new_eventfd();
	struct syncobj_eventfd args = {
		.handle = t_syncobj(fd), .fd = event, .pad = 1,
	};

	EXPECT_ERR(t_ioctl(fd, SYNCOBJ_EVENTFD, &args), EINVAL);
	EXPECT_ERR(tell(fd, args.handle, 0, 1u << 30, event), EINVAL);
	EXPECT_ERR(tell(fd, 999, 0, 0, event), ENOENT);
	EXPECT_ERR(tell(fd, args.handle, 0, 0, fd), EINVAL);
	EXPECT_ERR(tell(fd, args.handle, 0, 0, -1), EBADF);
	EXPECT_OK(tell(fd, args.handle, 0, 0, event));
}

TEST(eventfd_hears_of_a_job_that_is_submitted_later)
{
	struct t_ctx ctx;
	uint32_t binary;
	int event;

	t_ctx_init(&ctx);
	binary = t_syncobj(ctx.fd);
	event = told_by(ctx.fd, binary, 0, 0);
	expect_silence(event);
	t_hold(&ctx, binary, 0);
	expect_silence(event);
	t_let_go(&ctx);
	expect_told(event);
}

TEST(eventfd_hears_of_what_has_happened)
{
	int fd = t_open();
	uint32_t binary = t_syncobj(fd), line = t_syncobj(fd);

	signal_binary(fd, binary);
	signal_point(fd, line, 4);
	expect_told(told_by(fd, binary, 0, 0));
	expect_told(told_by(fd, line, 4, 0));
	expect_told(told_by(fd, line, 3, 0));
}

TEST(eventfd_hears_of_its_point)
{
	struct t_ctx ctx;
	uint32_t line;
	int first, second, third;

	t_ctx_init(&ctx);
	line = t_syncobj(ctx.fd);
	first = told_by(ctx.fd, line, 1, 0);
	second = told_by(ctx.fd, line, 2, 0);
	third = told_by(ctx.fd, line, 3, 0);
	t_hold(&ctx, line, 2);
	expect_silence(first);
	expect_silence(second);
	t_let_go(&ctx);
	expect_told(first);
	expect_told(second);
	expect_silence(third);
	signal_point(ctx.fd, line, 3);
	expect_told(third);
}

TEST(eventfd_hears_of_a_point_that_became_available)
{
	struct t_ctx ctx;
	uint32_t line;
	int available, over;

	t_ctx_init(&ctx);
	line = t_syncobj(ctx.fd);
	available = told_by(ctx.fd, line, 6, AVAILABLE);
	over = told_by(ctx.fd, line, 6, 0);
	expect_silence(available);
	t_hold(&ctx, line, 6);
	expect_told(available);
	expect_silence(over);
	t_let_go(&ctx);
	expect_told(over);
}

TEST(eventfd_hears_of_a_job_that_failed)
{
	struct t_ctx ctx;
	uint32_t binary;
	int event;

	t_ctx_init(&ctx);
	binary = t_syncobj(ctx.fd);
	event = told_by(ctx.fd, binary, 0, 0);
	EXPECT_OK(t_submit(ctx.fd, ctx.queue, T_CMD_VA,
			   t_cmd_fill(&ctx, 0, T_HBM_VA + T_HBM_SIZE, 16, 1), binary));
	expect_told(event);
	EXPECT_EQ(t_fence_status(ctx.fd, binary), -EIO);
}

/* Who listens may be gone before the job is over, and so may the syncobj. */
TEST(eventfd_that_nobody_has_any_more_does_no_harm)
{
	struct t_ctx ctx;
	uint32_t deaf, gone;
	int event;

	t_ctx_init(&ctx);
	deaf = t_syncobj(ctx.fd);
	gone = t_syncobj(ctx.fd);
	close(told_by(ctx.fd, deaf, 0, 0));
	event = told_by(ctx.fd, gone, 0, 0);
	t_hold(&ctx, deaf, 0);
	EXPECT_OK(t_ioctl(ctx.fd, DRM_IOCTL_SYNCOBJ_DESTROY,
			  &(struct drm_syncobj_destroy){ .handle = gone }));
	t_let_go(&ctx);
	EXPECT_OK(t_wait(ctx.fd, deaf, 10000));
	expect_silence(event);
	close(event);
}

TAP_MAIN()
