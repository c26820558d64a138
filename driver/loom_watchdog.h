/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Jobs that take too long.
 */
#ifndef LOOM_WATCHDOG_H
#define LOOM_WATCHDOG_H

struct loom_device;

int loom_watchdog_init(struct loom_device *ldev);
void loom_watchdog_kick(struct loom_device *ldev);

#endif
