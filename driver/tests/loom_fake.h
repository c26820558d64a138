/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A card of plain memory, and what the rest of the driver would do with it.
 */
#ifndef LOOM_FAKE_H
#define LOOM_FAKE_H

#include <linux/sizes.h>

#include "loom_bo.h"
#include "loom_device.h"

#define FAKE_HBM_SIZE	SZ_16M

/**
 * struct fake_calls - what the code under test asked others to do
 */
struct fake_calls {
	/** @resets: resets of the card */
	unsigned int resets;
	/** @recovers: rings to be stopped */
	unsigned int recovers;
	/** @kicks: the watchdog was to look */
	unsigned int kicks;
	/** @job_puts: jobs counted out */
	unsigned int job_puts;
	/** @no_memory: objects of the kernel cannot be created */
	bool no_memory;
};

extern struct fake_calls fake_calls;

struct loom_device *fake_card_create(void);
void fake_card_destroy(struct loom_device *ldev);

struct loom_bo *fake_bo_create(struct loom_device *ldev, u64 size, u64 end,
			       int *error);
void fake_bo_destroy(struct loom_bo *bo);

/* Of loom_hbm_test.c, which alone sees loom_hbm.c's callbacks. */
void fake_hbm_set_funcs(struct loom_hbm *hbm);

#endif
