/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Sensors.
 */
#ifndef LOOM_HWMON_H
#define LOOM_HWMON_H

struct loom_device;

int loom_hwmon_init(struct loom_device *ldev);

#endif
