// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Fences
 *
 * Of a job that went through the scheduler only that sees this fence, and its
 * finished fence leaves the driver; of one that went to the card at once, this one
 * does.  A fence is allocated with the job and initialised when the job goes to the
 * card, where nothing may be allocated any more.
 *
 * Whoever has a sync file or a syncobj may keep a fence longer than anything else of
 * the card, so each of them holds the module.  Not so those of clears and moves: the
 * scheduler keeps the last one as long as there is a card.
 *
 * Code that signals fences, that others wait for to signal one, or that has made one
 * visible (from arming a job to pushing it) is within dma_fence_begin_signalling():
 * lockdep then knows that it must not wait for memory.  Interrupts need none.
 */
#include <linux/build_bug.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "loom_bo.h"
#include "loom_fence.h"

static_assert(!offsetof(struct loom_fence, base));

static const char *loom_fence_get_driver_name(struct dma_fence *fence)
{
	return "loom";
}

static const char *loom_fence_get_timeline_name(struct dma_fence *fence)
{
	return "card";
}

static void loom_fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops loom_fence_ops = {
	.get_driver_name = loom_fence_get_driver_name,
	.get_timeline_name = loom_fence_get_timeline_name,
	.release = loom_fence_release,
};

static const struct dma_fence_ops loom_fence_own_ops = {
	.get_driver_name = loom_fence_get_driver_name,
	.get_timeline_name = loom_fence_get_timeline_name,
};

/* All but @bo is for loom_fence_init(). */
struct loom_fence *loom_fence_alloc(void)
{
	struct loom_fence *fence;

	fence = kmalloc(sizeof(*fence), GFP_KERNEL_ACCOUNT);
	if (fence)
		fence->bo = NULL;
	return fence;
}

/* For a fence that was never initialised; others are put. */
void loom_fence_free(struct loom_fence *fence)
{
	kfree(fence);
}

void loom_fence_init(struct loom_fence *fence, u64 context, u64 seqno)
{
	const struct dma_fence_ops *ops = &loom_fence_own_ops;

	if (!fence->bo) {
		__module_get(THIS_MODULE);
		ops = &loom_fence_ops;
	}
	spin_lock_init(&fence->lock);
	dma_fence_init(&fence->base, ops, &fence->lock, context, seqno);
}

/* @error is 0 or negative.  Drops the caller's reference. */
void loom_fence_signal(struct loom_fence *fence, int error)
{
	if (error) {
		if (fence->bo)
			loom_bo_lose(fence->bo);
		dma_fence_set_error(&fence->base, error);
	}
	dma_fence_signal(&fence->base);
	dma_fence_put(&fence->base);
}

/* For a fence that was never initialised, of a job that never ran: it has signalled. */
void loom_fence_fail(struct loom_fence *fence, int error)
{
	loom_fence_init(fence, dma_fence_context_alloc(1), 1);
	dma_fence_get(&fence->base);
	loom_fence_signal(fence, error);
}
