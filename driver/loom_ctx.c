// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Contexts
 *
 * A context is the register that holds the root of a page table.  Context 0 is
 * the kernel's own, see loom_copy.c; nobody binds in it.
 *
 * The scheduler of a VM's binds belongs to the context and not to the VM, because
 * fences of its jobs may outlive the VM, see loom_sched.c.
 */
#include <drm/drm_managed.h>

#include "loom_bind.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_sched.h"

static int loom_ctx_init(struct loom_device *ldev, unsigned int id)
{
	struct loom_ctx *ctx;

	ctx = drmm_kzalloc(&ldev->drm, sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	ctx->ldev = ldev;
	ctx->id = id;
	ldev->ctxs[id] = ctx;
	if (id == LOOM_CTX_COPY)
		return 0;
	/* One bind at a time.  They only write memory and cannot hang. */
	ctx->sched = loom_sched_create(ldev, &loom_bind_sched_ops, 1, "bind", id);
	return PTR_ERR_OR_ZERO(ctx->sched);
}

int loom_ctx_init_all(struct loom_device *ldev)
{
	unsigned int i;
	int ret;

	ldev->ctxs = drmm_kcalloc(&ldev->drm, ldev->hw.num_contexts,
				  sizeof(*ldev->ctxs), GFP_KERNEL);
	if (!ldev->ctxs)
		return -ENOMEM;
	loom_slots_init(&ldev->ctx_slots, LOOM_CTX_COPY + 1,
			ldev->hw.num_contexts);
	for (i = 0; i < ldev->hw.num_contexts; i++) {
		ret = loom_ctx_init(ldev, i);
		if (ret)
			return ret;
	}
	return 0;
}

/* Take a free context.  -ENOSPC, -ERESTARTSYS. */
struct loom_ctx *loom_ctx_get(struct loom_device *ldev)
{
	int id = loom_slots_get(&ldev->ctx_slots);

	return id < 0 ? ERR_PTR(id) : ldev->ctxs[id];
}

void loom_ctx_put(struct loom_ctx *ctx, bool leaving)
{
	loom_slots_put(&ctx->ldev->ctx_slots, ctx->id, leaving);
}

static void loom_ctx_write_root(struct loom_ctx *ctx, u64 root)
{
	loom_device_hw_get(ctx->ldev);
	ctx->root = root;
	wmb();	/* the table at @root, through the BAR */
	loom_write64(ctx->ldev, LOOM_REG_CTX_ROOT(ctx->id), root);
	loom_device_hw_put(ctx->ldev);
}

/* These two: only inside drm_dev_enter(). */

void loom_ctx_set_root(struct loom_ctx *ctx, u64 root)
{
	loom_ctx_write_root(ctx, root | LOOM_CTX_ROOT_VALID);
}

void loom_ctx_clear_root(struct loom_ctx *ctx)
{
	loom_ctx_write_root(ctx, 0);
}

/*
 * Make changes of the page table count.  On return the card uses no translation
 * that was made before.  Only between loom_device_hw_get() and _put().
 */
void loom_ctx_invalidate(struct loom_ctx *ctx)
{
	wmb();	/* the changes, through the BAR */
	loom_write32(ctx->ldev, LOOM_REG_TLB_INVALIDATE, ctx->id);
}

/* The card has forgotten the contexts; their tables are in HBM, which it keeps. */
void loom_ctx_post_reset(struct loom_device *ldev)
{
	unsigned int i;

	for (i = 0; i < ldev->hw.num_contexts; i++)
		loom_write64(ldev, LOOM_REG_CTX_ROOT(i), ldev->ctxs[i]->root);
}
