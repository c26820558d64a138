// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Slots
 *
 * Rings and contexts are few, and a destroyed one is free only when its last
 * job is: moments after the ioctl that destroyed it returned.  So who asks for
 * one waits a little when some are known to be on their way back, instead of
 * failing.
 */
#include <linux/errno.h>
#include <linux/jiffies.h>

#include "loom_slots.h"

#define LOOM_SLOTS_PATIENCE	(2 * HZ)

/* Slots below @first are never given out. */
void loom_slots_init(struct loom_slots *slots, unsigned int first,
		     unsigned int num)
{
	spin_lock_init(&slots->lock);
	slots->num = min(num, LOOM_MAX_SLOTS);
	bitmap_set(slots->taken, 0, first);
	atomic_set(&slots->leaving, 0);
	init_waitqueue_head(&slots->returned);
}

static int loom_slots_try(struct loom_slots *slots)
{
	unsigned int slot;

	spin_lock(&slots->lock);
	slot = find_first_zero_bit(slots->taken, slots->num);
	if (slot < slots->num)
		__set_bit(slot, slots->taken);
	spin_unlock(&slots->lock);
	return slot < slots->num ? slot : -ENOSPC;
}

/**
 * loom_slots_get() - take a free slot
 * @slots: the slots
 *
 * Return: its number, -ENOSPC, or -ERESTARTSYS.
 */
int loom_slots_get(struct loom_slots *slots)
{
	int slot;
	long ret;

	ret = wait_event_interruptible_timeout(slots->returned,
					       (slot = loom_slots_try(slots)) >= 0 ||
					       !atomic_read(&slots->leaving),
					       LOOM_SLOTS_PATIENCE);
	if (ret < 0)
		return ret;
	/* The last to leave may have come between the two looks. */
	return slot >= 0 ? slot : loom_slots_try(slots);
}

/* A slot will come back soon: loom_slots_put() with @leaving follows. */
void loom_slots_leave(struct loom_slots *slots)
{
	atomic_inc(&slots->leaving);
}

void loom_slots_put(struct loom_slots *slots, unsigned int slot, bool leaving)
{
	spin_lock(&slots->lock);
	__clear_bit(slot, slots->taken);
	spin_unlock(&slots->lock);
	if (leaving)
		atomic_dec(&slots->leaving);
	wake_up_all(&slots->returned);
}
