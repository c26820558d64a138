/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Attributes in sysfs.
 */
#ifndef LOOM_SYSFS_H
#define LOOM_SYSFS_H

struct loom_device;

int loom_sysfs_init(struct loom_device *ldev);

#endif
