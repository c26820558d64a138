// SPDX-License-Identifier: MIT
/*
 * A card that misbehaves: what its clients see, and that it works afterwards.
 *
 * tests/vm/test-recovery.sh boots a card with one fault armed for each of these
 * tests, told apart by the hardware queue that it strikes: the last of the test's
 * own.  The two behind it are the bystander's and, where there is one, the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "card.h"
#include "tests/lib/card_use.h"

#define NODE	"/dev/accel/accel0"

static void need_faults(void)
{
	if (!getenv("LOOM_FAULTY"))
		tap_skip("the card is well: tests/vm/test-recovery.sh boots one that is not");
}

/* Queues of the test before are the card's until their last job is over. */
static void await_free_queues(void)
{
	unsigned int tries = 3000;
	struct card_use use;

	/* The first is the driver's own. */
	do {
		EXPECT(card_use_get(&use));
	} while (use.queues > 1 && tries-- && !usleep(10000));
	EXPECT_EQ(use.queues, 1);
}

/* A context whose last queue is hardware queue @number, and a bystander. */
static void init(struct t_ctx *ctx, struct t_ctx *innocent, unsigned int number)
{
	unsigned int i;

	need_faults();
	await_free_queues();
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

/* Of a job that ends within @ms milliseconds. */
static int fence_status(struct t_ctx *ctx, unsigned int ms)
{
	uint32_t sync = submit(ctx);

	EXPECT_OK(t_wait(ctx->fd, sync, ms));
	return t_fence_status(ctx->fd, sync);
}

static void expect_works(struct t_ctx *ctx)
{
	EXPECT_EQ(t_run(ctx, t_cmd_fill(ctx, 0, T_HBM_VA, 16, 8)), 1);
	EXPECT_EQ(((uint32_t *)ctx->hbm)[15], 8);
	EXPECT_EQ(t_queue_state(ctx->fd, ctx->queue).state, 0);
}

static void expect_new_queue_works(struct t_ctx *ctx)
{
	ctx->queue = t_queue(ctx->fd, ctx->vm);
	expect_works(ctx);
}

static unsigned long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ul + t.tv_nsec / 1000000;
}

/* All that the card has raised, on any processor. */
static unsigned long interrupts(void)
{
	unsigned long sum = 0, n;
	char line[1024], *p, *end;
	FILE *f = fopen("/proc/interrupts", "r");

	EXPECT(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		if (!strstr(line, "loom"))
			continue;
		for (p = strchr(line, ':') + 1; n = strtoul(p, &end, 10), end != p; p = end)
			sum += n;
	}
	fclose(f);
	return sum;
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
	EXPECT_EQ(t_attribute("resets"), before + 1);
}

/* irq-lost,queue=5 */
TEST(lost_interrupt_only_costs_time)
{
	unsigned long before;
	struct t_ctx ctx, innocent;

	init(&ctx, &innocent, 5);
	before = t_attribute("lost_irqs");
	EXPECT_EQ(fence_status(&ctx, 20000), 1);
	EXPECT_EQ(t_attribute("lost_irqs"), before + 1);
	expect_works(&ctx);
	expect_works(&innocent);
}

/* irq-late,queue=12,delay=150: before the watchdog would take a second look. */
TEST(late_interrupt_only_costs_time)
{
	unsigned long resets, start;
	struct t_ctx ctx, innocent;

	init(&ctx, &innocent, 12);
	resets = t_attribute("resets");
	start = now_ms();
	EXPECT_EQ(fence_status(&ctx, 20000), 1);
	EXPECT(now_ms() - start >= 149);	/* the card's clock has whole ones */
	expect_works(&ctx);
	expect_works(&innocent);
	EXPECT_EQ(t_attribute("resets"), resets);
}

/* irq-duplicate,queue=15,delay=500: apart enough not to become one on a busy host. */
TEST(duplicate_interrupt_costs_nothing)
{
	unsigned long resets, bad, before;
	unsigned int tries = 1000;
	struct t_ctx ctx, innocent;

	init(&ctx, &innocent, 15);
	/* Then the clears of all memory are over, too. */
	expect_works(&innocent);
	resets = t_attribute("resets");
	bad = t_attribute("bad_completions");
	before = interrupts();
	EXPECT_EQ(fence_status(&ctx, 20000), 1);
	while (interrupts() < before + 2 && tries--)
		usleep(10000);
	EXPECT_EQ(interrupts(), before + 2);
	expect_works(&ctx);
	expect_works(&innocent);
	EXPECT_EQ(t_attribute("resets"), resets);
	EXPECT_EQ(t_attribute("bad_completions"), bad);
}

/* wrong-seq,queue=10 */
TEST(wrong_completion_costs_its_queue_and_resets_the_card)
{
	unsigned long resets;
	struct t_ctx ctx, innocent;

	init(&ctx, &innocent, 10);
	resets = t_attribute("resets");
	EXPECT_EQ(fence_status(&ctx, 20000), -EIO);
	EXPECT_EQ(t_queue_state(ctx.fd, ctx.queue).state,
		  DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_LOST);
	EXPECT_EQ(t_attribute("bad_completions"), 1);
	expect_works(&innocent);
	expect_one_reset(&innocent, resets);
	expect_new_queue_works(&ctx);
}

/* hang,queue=20 and reset-stuck,queue=20 */
TEST(queue_that_does_not_stop_costs_a_reset_of_the_card)
{
	unsigned long resets;
	struct t_ctx ctx, innocent;

	init(&ctx, &innocent, 20);
	resets = t_attribute("resets");
	EXPECT_EQ(fence_status(&ctx, 30000), -ETIME);
	EXPECT_EQ(t_queue_state(ctx.fd, ctx.queue).state,
		  DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_TIMEDOUT);
	expect_works(&innocent);
	expect_one_reset(&innocent, resets);
	EXPECT_EQ(t_attribute("wedged"), 0);
	expect_new_queue_works(&ctx);
}

/* stuck-doorbell,queue=23: the card never hears of the job. */
TEST(lost_doorbell_costs_the_job_and_its_queue)
{
	struct t_ctx ctx, innocent;

	init(&ctx, &innocent, 23);
	EXPECT_EQ(fence_status(&ctx, 30000), -ETIME);
	EXPECT_EQ(t_queue_state(ctx.fd, ctx.queue).state,
		  DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_TIMEDOUT);
	expect_works(&innocent);
	expect_new_queue_works(&ctx);
}

/* dma-error,queue=26: of its ring's first entry. */
TEST(failed_dma_costs_the_job_and_its_queue)
{
	struct drm_loom_queue_state state;
	struct t_ctx ctx, innocent;

	init(&ctx, &innocent, 26);
	EXPECT_EQ(fence_status(&ctx, 20000), -EIO);
	state = t_queue_state(ctx.fd, ctx.queue);
	EXPECT_EQ(state.state, DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_FAULTED);
	EXPECT_EQ(state.error, LOOM_ERR_RING_DMA);
	expect_works(&innocent);
	expect_new_queue_works(&ctx);
}

/* thermal-trip,queue=30 */
TEST(thermal_trip_costs_the_job_and_resets_the_card)
{
	unsigned long resets;
	struct t_ctx ctx, innocent;

	init(&ctx, &innocent, 30);
	resets = t_attribute("resets");
	EXPECT_EQ(fence_status(&ctx, 20000), -EIO);
	expect_works(&innocent);
	expect_one_reset(&innocent, resets);
	expect_new_queue_works(&ctx);
}

/* poison,queue=33,addr=0x30000000: far from what anybody has. */
TEST(bad_page_that_nobody_has_costs_nothing)
{
	unsigned long errors, resets;
	struct t_ctx ctx, innocent;
	unsigned int tries = 1000;

	init(&ctx, &innocent, 33);
	errors = t_attribute("ras/ue_count");
	resets = t_attribute("resets");
	expect_works(&ctx);
	while (t_attribute("ras/ue_count") == errors && tries--)
		usleep(10000);
	EXPECT_EQ(t_attribute("ras/ue_count"), errors + 1);
	EXPECT_EQ(t_attribute("ras/ue_last_offset"), 0x30000000);
	EXPECT_EQ(t_attribute("resets"), resets);
	expect_works(&ctx);
	expect_works(&innocent);
}

/* aer-fatal,queue=40: the PCI core resets the slot. */
TEST(fatal_link_error_costs_a_reset_of_the_slot)
{
	unsigned long resets;
	struct t_ctx ctx, innocent;

	init(&ctx, &innocent, 40);
	if (access("/sys/class/accel/accel0/device/aer_dev_fatal", F_OK))
		tap_skip("this kernel has no CONFIG_PCIEAER, or left AER to the firmware");
	resets = t_attribute("resets");
	EXPECT_OK(t_wait(ctx.fd, submit(&ctx), 20000));
	expect_one_reset(&innocent, resets);
	EXPECT_EQ(t_attribute("wedged"), 0);
	expect_works(&innocent);
	expect_new_queue_works(&ctx);
}

/* flr-timeout: the card does not answer for two seconds. */
TEST(function_reset_that_takes_long_is_waited_for)
{
	unsigned long resets, start;
	struct t_ctx ctx, innocent;

	init(&ctx, &innocent, 1);
	expect_works(&ctx);
	resets = t_attribute("resets");
	t_write_file(T_DEVICE "reset_method", "flr");
	start = now_ms();
	t_write_file(T_DEVICE "reset", "1");
	EXPECT(now_ms() - start >= 2000);
	EXPECT_EQ(t_attribute("resets"), resets + 1);
	EXPECT_EQ(t_attribute("wedged"), 0);
	expect_works(&ctx);
	expect_works(&innocent);
}

/* surprise-removal,queue=45: test-recovery.sh plugs in another one. */
static void lose_card(void)
{
	struct t_ctx ctx, innocent;
	unsigned int tries = 1000;

	init(&ctx, &innocent, 45);
	/* Whether the wait is still answered depends on who is faster. */
	EXPECT(!t_wait(ctx.fd, submit(&ctx), 30000) || errno == ENODEV);
	/* First its queues end, then the device. */
	while ((!t_submit(innocent.fd, innocent.queue, T_CMD_VA, 64, 0) ||
		errno != ENODEV) && tries--)
		usleep(10000);
	EXPECT_ERR(t_submit(innocent.fd, innocent.queue, T_CMD_VA, 64, 0), ENODEV);
	EXPECT_ERR(t_submit(ctx.fd, ctx.queue, T_CMD_VA, 64, 0), ENODEV);
}

TEST(card_pulled_out_ends_its_jobs_and_a_new_one_works)
{
	unsigned int tries = 6000;
	struct t_ctx ctx, innocent;
	glob_t slots;
	int status;

	need_faults();
	if (glob("/sys/bus/pci/slots/*", 0, NULL, &slots))
		tap_skip("this kernel has no CONFIG_HOTPLUG_PCI_PCIE, or left hotplug to the firmware");
	globfree(&slots);
	/* In a process of its own: the number of the node is free when that is gone. */
	if (!fork()) {
		lose_card();
		_exit(0);
	}
	wait(&status);
	EXPECT_EQ(status, 0);
	while (!access(NODE, R_OK) && tries--)
		usleep(10000);
	t_await_card();
	init(&ctx, &innocent, 1);
	expect_works(&ctx);
	expect_works(&innocent);
}

TAP_MAIN()
