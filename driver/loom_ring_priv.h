/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What loom_ring.c and loom_ring_stop.c share, and nobody else looks into.
 */
#ifndef LOOM_RING_PRIV_H
#define LOOM_RING_PRIV_H

#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <drm/loom_accel.h>

#include "loom_device.h"
#include "loom_ring.h"
#include "loom_ring_index.h"

static_assert(LOOM_RING_SIZE == LOOM_RING_TIMES);

/* Entries for jobs that come without the scheduler; the others are its credits. */
#define LOOM_RING_DIRECT	(LOOM_RING_SIZE / 2)

/**
 * enum loom_ring_phase - life of a ring, see loom_ring.c
 */
enum loom_ring_phase {
	/** @LOOM_RING_OFF: not lent */
	LOOM_RING_OFF,
	/** @LOOM_RING_RUNNING: takes jobs */
	LOOM_RING_RUNNING,
	/** @LOOM_RING_PAUSED: takes jobs and keeps them from the card for a while */
	LOOM_RING_PAUSED,
	/** @LOOM_RING_FAILED: on its way to STOPPED */
	LOOM_RING_FAILED,
	/** @LOOM_RING_STOPPED: the card has nothing to do with it any more */
	LOOM_RING_STOPPED,
};

/**
 * struct loom_ring_job - a job on the ring
 */
struct loom_ring_job {
	/** @what: the job itself */
	struct loom_ring_work what;
	/** @fence: signalled when it is over, a reference */
	struct loom_fence *fence;
	/** @start: modelled cycle at which it began, once it is over */
	u64 start;
	/** @end: modelled cycle at which it was over */
	u64 end;
};

/**
 * struct loom_ring - a hardware queue
 */
struct loom_ring {
	/** @ldev: the card */
	struct loom_device *ldev;
	/** @id: its number */
	unsigned int id;
	/** @sched: gives it jobs; lives as long as the card */
	struct drm_gpu_scheduler *sched;
	/** @fence_context: of the jobs' fences */
	u64 fence_context;
	/** @entries: ring entries, devm-managed, made at first use */
	struct loom_ring_entry *entries;
	/** @entries_dma: the card's address of @entries */
	dma_addr_t entries_dma;
	/** @compl: completion records, behind @entries */
	struct loom_completion *compl;
	/** @recover: stops the ring after a fault */
	struct work_struct recover;
	/** @stop_lock: held while the ring is being stopped or lent */
	struct mutex stop_lock;
	/** @lock: protects all that follows */
	spinlock_t lock;
	/** @phase: state */
	enum loom_ring_phase phase;
	/** @ctx: hardware context of its jobs */
	unsigned int ctx;
	/** @priority: of the hardware */
	u32 priority;
	/** @vm: address space of its jobs; its borrower keeps it; NULL for the kernel's */
	struct loom_vm *vm;
	/** @lease: counts how often the ring was lent */
	u64 lease;
	/** @base: number of the last job before the card's index 0 */
	u64 base;
	/** @emitted: number of the newest job given to the card, from 1 */
	u64 emitted;
	/** @rung: number of the newest job that the card was told of */
	u64 rung;
	/** @begun: number of the job that a reset found begun, or 0 */
	u64 begun;
	/** @done: number of the newest job that is over */
	u64 done;
	/** @jobs: the newest ones, by number; those up to @done are history */
	struct loom_ring_job jobs[LOOM_RING_SIZE];
	/** @client: whose statistics to add to, a reference */
	struct loom_client *client;
	/** @state: what QUEUE_STATE answers */
	struct drm_loom_queue_state state;
};

static inline struct loom_ring_job *loom_ring_job(struct loom_ring *ring,
						  u64 number)
{
	return &ring->jobs[number % LOOM_RING_SIZE];
}

/* Where the card looks for job @number. */
static inline unsigned int loom_ring_slot(const struct loom_ring *ring,
					  u64 number)
{
	return loom_ring_index(number, ring->base);
}

static inline u32 loom_ring_reg(const struct loom_ring *ring, u32 reg)
{
	return LOOM_REG_QUEUE(ring->id, reg);
}

static inline u32 loom_ring_read(const struct loom_ring *ring, u32 reg)
{
	return loom_read32(ring->ldev, loom_ring_reg(ring, reg));
}

void loom_ring_retire(struct loom_ring *ring, int error);
void loom_ring_ban(struct loom_ring *ring, u32 reason);
void loom_ring_consume(struct loom_ring *ring);
void loom_ring_write_entry(struct loom_ring *ring, u64 number);
void loom_ring_ring_doorbell(struct loom_ring *ring);
void loom_ring_start_hw(struct loom_ring *ring);
void loom_ring_init_stop(struct loom_ring *ring);

#endif
