/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Power management.
 */
#ifndef LOOM_PM_H
#define LOOM_PM_H

struct dev_pm_ops;
struct loom_device;

extern const struct dev_pm_ops loom_pm_ops;

void loom_pm_init(struct loom_device *ldev);
void loom_pm_unplug(struct loom_device *ldev);

int loom_pm_get(struct loom_device *ldev);
void loom_pm_keep(struct loom_device *ldev);
void loom_pm_put(struct loom_device *ldev);

#endif
