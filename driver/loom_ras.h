/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Memory errors.
 */
#ifndef LOOM_RAS_H
#define LOOM_RAS_H

#include <linux/types.h>

struct loom_device;

int loom_ras_init(struct loom_device *ldev);
void loom_ras_unplug(struct loom_device *ldev);
void loom_ras_page_failed(struct loom_device *ldev, u64 addr);

#endif
