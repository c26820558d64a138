/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Hardware contexts.
 */
#ifndef LOOM_CTX_H
#define LOOM_CTX_H

#include <linux/types.h>

struct drm_gpu_scheduler;
struct loom_device;

/* The context that the kernel keeps for itself, see loom_copy.c. */
#define LOOM_CTX_COPY	0

/**
 * struct loom_ctx - a hardware context, and the scheduler of binds in it
 */
struct loom_ctx {
	/** @ldev: the card */
	struct loom_device *ldev;
	/** @id: its number */
	unsigned int id;
	/** @root: what its register holds, 0 when it is not in use; written with reset_lock read */
	u64 root;
	/** @sched: runs bind jobs one by one; lives as long as the card; NULL for LOOM_CTX_COPY */
	struct drm_gpu_scheduler *sched;
};

int loom_ctx_init_all(struct loom_device *ldev);
struct loom_ctx *loom_ctx_get(struct loom_device *ldev);
void loom_ctx_put(struct loom_ctx *ctx, bool leaving);
void loom_ctx_set_root(struct loom_ctx *ctx, u64 root);
void loom_ctx_clear_root(struct loom_ctx *ctx);
void loom_ctx_post_reset(struct loom_device *ldev);
void loom_ctx_invalidate(struct loom_ctx *ctx);

#endif
