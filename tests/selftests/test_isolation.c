// SPDX-License-Identifier: MIT
/*
 * Two processes on one card.
 *
 *   victim:  A, then B = A + A ..., checked word by word
 *   rogue:   faults, hangs, reads and writes where it has no business
 */
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "card.h"

#define ROUNDS	100

/* Copy a pattern around and compare all of it, ROUNDS times. */
static void victim(void)
{
	struct t_ctx ctx;
	uint32_t *hbm;

	t_ctx_init(&ctx);
	hbm = (uint32_t *)ctx.hbm;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t size;

		size = t_cmd_fill(&ctx, 0, T_HBM_VA, 4096, 0xbeef0000 + i);
		size = t_cmd_copy(&ctx, size, T_HBM_VA + 0x10000, T_HBM_VA, 4096);
		EXPECT_EQ(t_run(&ctx, size), 1);
		for (uint32_t w = 0; w < 4096; w++)
			EXPECT_EQ(hbm[0x4000 + w], 0xbeef0000 + i);
	}
	EXPECT_EQ(t_queue_state(ctx.fd, ctx.queue).state, 0);
}

static void rogue_fault(void)
{
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, 0x7000000000ull, 1 << 20,
					 0xdead)), -EIO);
	close(ctx.fd);
}

TEST(results_stay_right_beside_a_process_that_faults)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		for (int i = 0; i < 30; i++)
			rogue_fault();
		_exit(0);
	}
	EXPECT_OK(pid);
	victim();
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

/* The same device address in two processes is not the same memory. */
TEST(addresses_of_one_process_mean_nothing_to_another)
{
	struct t_ctx mine, other;

	t_ctx_init(&mine);
	t_ctx_init(&other);
	EXPECT_EQ(t_run(&mine, t_cmd_fill(&mine, 0, T_HBM_VA, 1024, 0x5ec2e7)), 1);
	EXPECT_EQ(t_run(&other, t_cmd_copy(&other, 0, T_HBM_VA + 0x1000,
					   T_HBM_VA, 1024)), 1);
	EXPECT_EQ(((uint32_t *)other.hbm)[0x400], 0);
}

/* A child fills HBM and dies; nothing of it may be read afterwards. */
TEST(hbm_of_a_dead_process_cannot_be_read)
{
	uint64_t size = 64 << 20;
	struct t_ctx ctx;
	uint32_t bo, *p;
	int status;
	pid_t pid = fork();

	if (!pid) {
		t_ctx_init(&ctx);
		for (int i = 0; i < 8; i++) {
			uint64_t va = 0x100000000ull + i * size;

			bo = t_bo(ctx.fd, size, DRM_LOOM_PLACE_HBM, ctx.vm);
			t_map(ctx.fd, ctx.vm, bo, va, size);
			EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, va,
				  (uint32_t)(size / 4), 0x5ec2e7)), 1);
		}
		_exit(0);
	}
	EXPECT_OK(pid);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	t_ctx_init(&ctx);
	for (int i = 0; i < 8; i++) {
		bo = t_bo(ctx.fd, size, DRM_LOOM_PLACE_HBM, ctx.vm);
		p = t_mmap(ctx.fd, bo, size);
		for (uint64_t w = 0; w < size / 4; w += 257)
			if (p[w])
				tap_fail(__FILE__, __LINE__,
					 "object %d, byte %#llx holds %#x", i,
					 (unsigned long long)w * 4, p[w]);
	}
}

/* After an unmap the card must have forgotten the translation. */
TEST(unmapped_memory_cannot_be_reached_any_more)
{
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 1024, 1)), 1);
	t_unmap(ctx.fd, ctx.vm, T_HBM_VA, T_HBM_SIZE);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 1024, 2)), -EIO);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[0], 1);
}

TEST(killed_process_leaves_the_card_well)
{
	struct t_ctx ctx;

	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			t_ctx_init(&ctx);
			for (;;)
				t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 65536, 1));
		}
		EXPECT_OK(pid);
		usleep(30000 + i * 7000);
		EXPECT_OK(kill(pid, 9));
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
	}
	victim();
}

TAP_MAIN()
