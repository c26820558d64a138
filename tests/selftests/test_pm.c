// SPDX-License-Identifier: MIT
/*
 * Runtime power management: a card that nobody uses sleeps, and nobody notices.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "card.h"

#define POWER	"/sys/class/accel/accel0/device/power/"
#define WORDS	(uint32_t)(T_HBM_SIZE / 4)

static void power_write(const char *name, const char *value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), POWER "%s", name);
	f = fopen(path, "w");
	EXPECT(f != NULL);
	EXPECT(fputs(value, f) >= 0);
	EXPECT_EQ(fclose(f), 0);
}

static int is_asleep(void)
{
	char text[32] = "";
	FILE *f = fopen(POWER "runtime_status", "r");

	EXPECT(f != NULL);
	EXPECT(fgets(text, sizeof(text), f) != NULL);
	fclose(f);
	return !strncmp(text, "suspended", 9);
}

static void restore_delay(void)
{
	power_write("autosuspend_delay_ms", "2000");
}

/* The tests do not wait two seconds each time. */
static void be_sleepy(void)
{
	if (access(POWER "autosuspend_delay_ms", W_OK))
		tap_skip("the kernel has no runtime power management");
	atexit(restore_delay);
	power_write("autosuspend_delay_ms", "50");
}

static void wait_for_sleep(void)
{
	for (int i = 0; i < 1000 && !is_asleep(); i++)
		usleep(10000);
	EXPECT(is_asleep());
}

TEST(an_idle_card_sleeps_and_a_touch_wakes_it)
{
	struct t_ctx a;

	be_sleepy();
	t_ctx_init(&a);
	for (uint32_t i = 0; i < WORDS; i++)
		((uint32_t *)a.hbm)[i] = i * 7;
	wait_for_sleep();
	for (uint32_t i = 0; i < WORDS; i++)
		EXPECT_EQ(((uint32_t *)a.hbm)[i], i * 7);
	EXPECT(!is_asleep());
	wait_for_sleep();
}

TEST(queues_and_bindings_survive_sleep)
{
	struct t_ctx a, b;

	be_sleepy();
	t_ctx_init(&a);
	t_ctx_init(&b);
	for (uint32_t i = 0; i < 10; i++) {
		EXPECT_EQ(t_run(&a, t_cmd_fill(&a, 0, T_HBM_VA, WORDS / 2, i)), 1);
		EXPECT_EQ(t_run(&b, t_cmd_fill(&b, 0, T_HBM_VA, WORDS / 2, ~i)), 1);
		wait_for_sleep();
		EXPECT_EQ(t_run(&a, t_cmd_copy(&a, 0, T_HBM_VA + T_HBM_SIZE / 2,
					       T_HBM_VA, WORDS / 2)), 1);
		EXPECT_EQ(t_run(&b, t_cmd_copy(&b, 0, T_HBM_VA + T_HBM_SIZE / 2,
					       T_HBM_VA, WORDS / 2)), 1);
		EXPECT_EQ(((uint32_t *)a.hbm)[WORDS - 1], i);
		EXPECT_EQ(((uint32_t *)b.hbm)[WORDS - 1], ~i);
	}
	EXPECT_EQ(t_queue_state(a.fd, a.queue).jobs_done, 20);
}

TEST(a_job_keeps_the_card_awake)
{
	struct t_ctx a;

	be_sleepy();
	t_ctx_init(&a);
	EXPECT_OK(t_submit(a.fd, a.queue, T_CMD_VA,
			   t_cmd_event(&a, 0, LOOM_EVENT_OP_WAIT_GE, 0, 1), 0));
	for (int i = 0; i < 50; i++) {
		EXPECT(!is_asleep());
		usleep(10000);
	}
}

TEST(everything_can_be_made_and_closed_asleep)
{
	struct t_ctx a;
	uint32_t bo;

	be_sleepy();
	t_ctx_init(&a);
	wait_for_sleep();
	bo = t_bo(a.fd, 4 << 20, DRM_LOOM_PLACE_HBM, 0);
	wait_for_sleep();
	t_map(a.fd, a.vm, bo, 0x200000000ull, 4 << 20);
	wait_for_sleep();
	t_gem_close(a.fd, bo);
	t_unmap(a.fd, a.vm, 0x200000000ull, 4 << 20);
	wait_for_sleep();
	t_queue(a.fd, a.vm);
	wait_for_sleep();
	munmap(a.cmd, T_CMD_SIZE);
	munmap(a.hbm, T_HBM_SIZE);
	close(a.fd);
	wait_for_sleep();
}

TEST(mappings_of_system_memory_survive_sleep)
{
	struct t_ctx a;

	be_sleepy();
	t_ctx_init(&a);
	strcpy((char *)a.cmd + 1024, "kept");
	wait_for_sleep();
	EXPECT(!strcmp((char *)a.cmd + 1024, "kept"));
}

TAP_MAIN()
