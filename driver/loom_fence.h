/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Fences of jobs on the card.
 */
#ifndef LOOM_FENCE_H
#define LOOM_FENCE_H

#include <linux/dma-fence.h>
#include <linux/spinlock.h>

struct loom_bo;

/**
 * struct loom_fence - signalled when the card is done with a job
 */
struct loom_fence {
	/** @base: base class; first, so that the core can free us */
	struct dma_fence base;
	/** @lock: of @base; own, because the fence may outlive its ring */
	spinlock_t lock;
	/** @bo: a kernel's copy: the object, lost before an error is signalled */
	struct loom_bo *bo;
};

struct loom_fence *loom_fence_alloc(void);
void loom_fence_free(struct loom_fence *fence);
void loom_fence_init(struct loom_fence *fence, u64 context, u64 seqno);
void loom_fence_fail(struct loom_fence *fence, int error);
void loom_fence_signal(struct loom_fence *fence, int error);

#endif
