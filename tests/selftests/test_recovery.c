// SPDX-License-Identifier: MIT
/*
 * A card that misbehaves: what its clients see, and that it works afterwards.
 *
 * tests/vm/test-recovery.sh boots a card with one fault armed for each of these
 * tests, told apart by the hardware queue that it strikes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card.h"

static unsigned long attribute(const char *name)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/class/accel/accel0/device/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT_OK(fd);
	EXPECT(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtoul(text, NULL, 10);
}

/* A context whose last queue is hardware queue @number, and a bystander. */
static void init(struct t_ctx *ctx, struct t_ctx *innocent, unsigned int number)
{
	unsigned int i;

	if (!getenv("LOOM_FAULTY"))
		tap_skip("the card is well: tests/vm/test-recovery.sh boots one that is not");
	t_ctx_init(ctx);
	for (i = 1; i < number; i++)
		ctx->queue = t_queue(ctx->fd, ctx->vm);
	t_ctx_init(innocent);
}

static uint32_t submit(struct t_ctx *ctx)
{
	uint32_t sync = t_syncobj(ctx->fd);

	EXPECT_OK(t_submit(ctx->fd, ctx->queue, T_CMD_VA,
			   t_cmd_fill(ctx, 0, T_HBM_VA, 16, 3), sync));
	return sync;
}

static void expect_works(struct t_ctx *ctx)
{
	EXPECT_EQ(t_run(ctx, t_cmd_fill(ctx, 0, T_HBM_VA, 16, 8)), 1);
	EXPECT_EQ(((uint32_t *)ctx->hbm)[15], 8);
	EXPECT_EQ(t_queue_state(ctx->fd, ctx->queue).state, 0);
}

/*
 * The job's fence does not wait for the reset that the job has cost.  A queue
 * counts a card that slept and woke as reset, too.
 */
static void expect_one_reset(struct t_ctx *innocent, unsigned long before)
{
	unsigned int tries = 3000;

	while (!t_queue_state(innocent->fd, innocent->queue).resets && tries--)
		usleep(10000);
	EXPECT(t_queue_state(innocent->fd, innocent->queue).resets >= 1);
	EXPECT_EQ(attribute("resets"), before + 1);
}

/* irq-lost,queue=5 */
TEST(lost_interrupt_only_costs_time)
{
	unsigned long before;
	struct t_ctx ctx, innocent;
	uint32_t sync;

	init(&ctx, &innocent, 5);
	before = attribute("lost_irqs");
	sync = submit(&ctx);
	EXPECT_OK(t_wait(ctx.fd, sync, 20000));
	EXPECT_EQ(t_fence_status(ctx.fd, sync), 1);
	EXPECT_EQ(attribute("lost_irqs"), before + 1);
	expect_works(&ctx);
	expect_works(&innocent);
}

/* wrong-seq,queue=10 */
TEST(wrong_completion_costs_its_queue_and_resets_the_card)
{
	unsigned long resets;
	struct t_ctx ctx, innocent;
	uint32_t sync;

	init(&ctx, &innocent, 10);
	resets = attribute("resets");
	sync = submit(&ctx);
	EXPECT_OK(t_wait(ctx.fd, sync, 20000));
	EXPECT_EQ(t_fence_status(ctx.fd, sync), -EIO);
	EXPECT_EQ(t_queue_state(ctx.fd, ctx.queue).state,
		  DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_LOST);
	EXPECT_EQ(attribute("bad_completions"), 1);
	expect_works(&innocent);
	expect_one_reset(&innocent, resets);
	ctx.queue = t_queue(ctx.fd, ctx.vm);
	expect_works(&ctx);
}

/* hang,queue=20 and reset-stuck,queue=20 */
TEST(queue_that_does_not_stop_costs_a_reset_of_the_card)
{
	unsigned long resets;
	struct t_ctx ctx, innocent;
	uint32_t sync;

	init(&ctx, &innocent, 20);
	resets = attribute("resets");
	sync = submit(&ctx);
	EXPECT_OK(t_wait(ctx.fd, sync, 30000));
	EXPECT_EQ(t_fence_status(ctx.fd, sync), -ETIME);
	EXPECT_EQ(t_queue_state(ctx.fd, ctx.queue).state,
		  DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_TIMEDOUT);
	expect_works(&innocent);
	expect_one_reset(&innocent, resets);
	EXPECT_EQ(attribute("wedged"), 0);
	ctx.queue = t_queue(ctx.fd, ctx.vm);
	expect_works(&ctx);
}

/* thermal-trip,queue=30 */
TEST(thermal_trip_costs_the_job_and_resets_the_card)
{
	unsigned long resets;
	struct t_ctx ctx, innocent;
	uint32_t sync;

	init(&ctx, &innocent, 30);
	resets = attribute("resets");
	sync = submit(&ctx);
	EXPECT_OK(t_wait(ctx.fd, sync, 20000));
	EXPECT_EQ(t_fence_status(ctx.fd, sync), -EIO);
	expect_works(&innocent);
	expect_one_reset(&innocent, resets);
	ctx.queue = t_queue(ctx.fd, ctx.vm);
	expect_works(&ctx);
}

/* aer-fatal,queue=40: the PCI core resets the slot. */
TEST(fatal_link_error_costs_a_reset_of_the_slot)
{
	unsigned long resets;
	struct t_ctx ctx, innocent;
	uint32_t sync;

	init(&ctx, &innocent, 40);
	resets = attribute("resets");
	sync = submit(&ctx);
	EXPECT_OK(t_wait(ctx.fd, sync, 20000));
	expect_one_reset(&innocent, resets);
	EXPECT_EQ(attribute("wedged"), 0);
	expect_works(&innocent);
	ctx.queue = t_queue(ctx.fd, ctx.vm);
	expect_works(&ctx);
}

TAP_MAIN()
