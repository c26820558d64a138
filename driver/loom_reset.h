/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Reset of the whole card.
 */
#ifndef LOOM_RESET_H
#define LOOM_RESET_H

#include "loom_device.h"

void loom_reset_init(struct loom_device *ldev);
void loom_reset_freeze(struct loom_device *ldev);
void loom_reset_thaw(struct loom_device *ldev, bool ok);
void loom_reset_unplug(struct loom_device *ldev);

void loom_reset_device(struct loom_device *ldev, unsigned int seen,
		       const char *why);
void loom_reset_schedule(struct loom_device *ldev, const char *why);
void loom_reset_begin(struct loom_device *ldev, bool alive);
int loom_reset_end(struct loom_device *ldev, bool ok);

void loom_reset_sleep(struct loom_device *ldev);
void loom_reset_wake(struct loom_device *ldev);
void loom_reset_gate(struct loom_device *ldev);

/* Can the CPU not reach HBM just now?  A mapping made in spite of it must go. */
static inline bool loom_reset_is_away(struct loom_device *ldev)
{
	return READ_ONCE(ldev->reset.away);
}

/* How often the card was reset. */
static inline unsigned int loom_reset_count(struct loom_device *ldev)
{
	return READ_ONCE(ldev->reset.count);
}

/* A job went well: resets until now have helped. */
static inline void loom_reset_forgive(struct loom_device *ldev)
{
	if (unlikely(READ_ONCE(ldev->reset.streak)))
		WRITE_ONCE(ldev->reset.streak, 0);
}

#endif
