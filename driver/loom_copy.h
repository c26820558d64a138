/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Clearing and moving memory with the card's copy engine.
 */
#ifndef LOOM_COPY_H
#define LOOM_COPY_H

#include <drm/gpu_scheduler.h>

struct dma_fence;
struct loom_bo;
struct loom_device;
struct ttm_resource;

extern const struct drm_sched_backend_ops loom_copy_sched_ops;

int loom_copy_init(struct loom_device *ldev);
struct dma_fence *loom_copy_clear(struct loom_bo *bo);
struct dma_fence *loom_copy_move(struct loom_bo *bo, struct ttm_resource *to);

#endif
