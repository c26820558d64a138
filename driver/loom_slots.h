/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Numbered hardware resources that come back late.
 */
#ifndef LOOM_SLOTS_H
#define LOOM_SLOTS_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#define LOOM_MAX_SLOTS	256

/**
 * struct loom_slots - which of the numbers 0..num-1 are taken
 */
struct loom_slots {
	/** @lock: protects @taken */
	spinlock_t lock;
	/** @taken: one bit per slot */
	DECLARE_BITMAP(taken, LOOM_MAX_SLOTS);
	/** @num: slots there are */
	unsigned int num;
	/** @leaving: slots that are taken but on their way back */
	atomic_t leaving;
	/** @returned: woken by every slot that comes back */
	wait_queue_head_t returned;
};

void loom_slots_init(struct loom_slots *slots, unsigned int first,
		     unsigned int num);
int loom_slots_get(struct loom_slots *slots);
void loom_slots_leave(struct loom_slots *slots);
void loom_slots_put(struct loom_slots *slots, unsigned int slot, bool leaving);

#endif
