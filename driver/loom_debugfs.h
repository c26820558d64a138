/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * debugfs.
 */
#ifndef LOOM_DEBUGFS_H
#define LOOM_DEBUGFS_H

struct loom_device;

void loom_debugfs_init(struct loom_device *ldev);

#endif
