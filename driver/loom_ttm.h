/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What TTM needs from the driver.
 */
#ifndef LOOM_TTM_H
#define LOOM_TTM_H

struct loom_device;

int loom_ttm_init(struct loom_device *ldev);

#endif
