/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Schedulers that outlive their card.
 */
#ifndef LOOM_SCHED_H
#define LOOM_SCHED_H

#include <drm/gpu_scheduler.h>

struct loom_device;

struct drm_gpu_scheduler *
loom_sched_create(struct loom_device *ldev, const struct drm_sched_backend_ops *ops,
		  u32 credits, const char *what, unsigned int id);
void loom_sched_exit(void);

#endif
