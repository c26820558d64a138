// SPDX-License-Identifier: MIT
/*
 * System suspend with jobs on the card.  All of it happens but for the sleep of
 * the processors (pm_test), so nothing is needed that wakes them.  The files that
 * a VM shares with its host do not survive that: tests/vm/test-suspend.sh boots
 * one without for this program.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card.h"

#define ROUNDS	20
#define JOBS	64
#define FILLS	16
#define WORDS	(uint32_t)(T_HBM_SIZE / 4 / 2)
#define EVENT	1

/* What the waiting queue writes to, and what the busy one does. */
#define WAITER_VA	T_HBM_VA
#define WORKER_VA	(T_HBM_VA + T_HBM_SIZE / 2)
/* Bytes of the commands of each, and of those that set it free. */
#define WORKER_CMDS	0x4000u
#define FREE_CMDS	0x8000u

struct load {
	struct t_ctx card;
	uint32_t worker;	/* the other queue of card.vm */
	uint32_t waiting;	/* syncobj of a job that waits for EVENT */
	uint32_t done[JOBS];	/* syncobjs of jobs that work */
};

/* A job that may run twice, as it does when it had begun at the suspend. */
static void submit_repeatable(struct load *load, uint32_t queue, uint32_t begin,
			      uint32_t end, uint32_t out)
{
	struct drm_loom_sync_op sync = {
		.flags = DRM_LOOM_SYNC_SIGNAL, .handle = out,
	};
	struct drm_loom_job job = {
		.cmd_va = T_CMD_VA + begin,
		.cmd_size = end - begin,
		.flags = DRM_LOOM_JOB_REPEATABLE,
		.syncs = { sizeof(sync), 1, (uintptr_t)&sync },
	};
	struct drm_loom_submit args = {
		.queue_id = queue,
		.jobs = { sizeof(job), 1, (uintptr_t)&job },
	};

	EXPECT_OK(t_ioctl(load->card.fd, DRM_IOCTL_LOOM_SUBMIT, &args));
}

static void load_init(struct load *load)
{
	t_ctx_init(&load->card);
	load->worker = t_queue(load->card.fd, load->card.vm);
	load->waiting = t_syncobj(load->card.fd);
	for (unsigned int i = 0; i < JOBS; i++)
		load->done[i] = t_syncobj(load->card.fd);
}

/* One queue in the middle of a job that cannot end yet, one with plenty to do. */
static void load_begin(struct load *load, uint32_t value)
{
	struct t_ctx *card = &load->card;
	uint32_t end = WORKER_CMDS;

	for (unsigned int i = 0; i < FILLS; i++)
		end = t_cmd_fill(card, end, WORKER_VA, WORDS, value);
	for (unsigned int i = 0; i < JOBS; i++)
		submit_repeatable(load, load->worker, WORKER_CMDS, end, load->done[i]);
	end = t_cmd_event(card, 0, LOOM_EVENT_OP_WAIT_GE, EVENT, value);
	end = t_cmd_fill(card, end, WAITER_VA, WORDS, ~value);
	submit_repeatable(load, card->queue, 0, end, load->waiting);
}

static void expect_filled(struct load *load, uint64_t va, uint32_t value)
{
	const uint32_t *word = (const uint32_t *)(load->card.hbm + (va - T_HBM_VA));

	for (uint32_t i = 0; i < WORDS; i += 1021)
		EXPECT_EQ(word[i], value);
}

/* The work goes on and ends; what waited still waits, and ends when it may. */
static void load_end(struct load *load, uint32_t value)
{
	struct t_ctx *card = &load->card;
	uint32_t end, freed = t_syncobj(card->fd);

	for (unsigned int i = 0; i < JOBS; i++) {
		EXPECT_OK(t_wait(card->fd, load->done[i], 60000));
		EXPECT_EQ(t_fence_status(card->fd, load->done[i]), 1);
	}
	EXPECT_EQ(t_fence_status(card->fd, load->waiting), 0);
	end = t_cmd_event(card, FREE_CMDS, LOOM_EVENT_OP_SET, EVENT, value);
	submit_repeatable(load, load->worker, FREE_CMDS, end, freed);
	EXPECT_OK(t_wait(card->fd, load->waiting, 60000));
	EXPECT_EQ(t_fence_status(card->fd, load->waiting), 1);
	/* That it has set the event does not mean that it is over. */
	EXPECT_OK(t_wait(card->fd, freed, 60000));
	expect_filled(load, WORKER_VA, value);
	expect_filled(load, WAITER_VA, ~value);
}

TEST(suspend_under_load_keeps_hbm_queues_and_jobs)
{
	struct drm_loom_queue_state state;
	struct load load;

	if (!getenv("LOOM_TEST_SUSPEND"))
		tap_skip("this VM would not survive it: vm/test-suspend boots one for it");
	alarm(600);
	load_init(&load);
	t_write_file("/sys/power/pm_test", "platform");
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		load_begin(&load, round);
		t_write_file("/sys/power/state", "freeze");
		load_end(&load, round);
	}
	state = t_queue_state(load.card.fd, load.card.queue);
	EXPECT_EQ(state.state, 0);
	EXPECT_EQ(state.jobs_done, ROUNDS);
	EXPECT(state.resets >= ROUNDS);
	state = t_queue_state(load.card.fd, load.worker);
	EXPECT_EQ(state.state, 0);
	EXPECT_EQ(state.jobs_done, ROUNDS * (JOBS + 1));
}

TAP_MAIN()
