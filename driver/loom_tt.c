// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Pages
 *
 * Pages of objects in system memory come from TTM's pool and are mapped for the card
 * as long as they exist; ttm_tt.sg says where.  Those of imported objects are the
 * exporter's, mapped by whoever imports.
 *
 * Mappings of a device end with it, so unplugging undoes them.  The pages stay: other
 * devices may have been lent them (loom_prime.c).  That is also why the mapping is
 * not left to TTM's pool, whose ttm_device_clear_dma_mappings() frees them.  Besides,
 * that waits with a spinlock held for objects that are being released, whose release
 * waits for the spinlock.
 *
 * Locking: loom_tts.lock, inside dma_resvs.  Nothing is allocated under it.
 */
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_pool.h>
#include <drm/ttm/ttm_tt.h>

#include "loom_device.h"
#include "loom_tt.h"

/**
 * struct loom_tt - the pages of one object
 */
struct loom_tt {
	/** @base: base class */
	struct ttm_tt base;
	/** @link: in loom_tts.mapped, or empty */
	struct list_head link;
	/** @sgt: the pages, mapped for the card */
	struct sg_table sgt;
};

static struct loom_tt *to_loom_tt(struct ttm_tt *tt)
{
	return container_of(tt, struct loom_tt, base);
}

struct ttm_tt *loom_tt_create(struct ttm_buffer_object *tbo, u32 page_flags)
{
	struct loom_tt *ltt;

	ltt = kzalloc(sizeof(*ltt), GFP_KERNEL_ACCOUNT);
	if (!ltt)
		return NULL;
	if (ttm_tt_init(&ltt->base, tbo, page_flags, ttm_cached, 0)) {
		kfree(ltt);
		return NULL;
	}
	INIT_LIST_HEAD(&ltt->link);
	return &ltt->base;
}

void loom_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt)
{
	ttm_tt_fini(tt);
	kfree(to_loom_tt(tt));
}

static int loom_tt_map(struct loom_device *ldev, struct loom_tt *ltt)
{
	struct ttm_tt *tt = &ltt->base;
	int ret;

	ret = sg_alloc_table_from_pages(&ltt->sgt, tt->pages, tt->num_pages, 0,
					(u64)tt->num_pages << PAGE_SHIFT,
					GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret;
	ret = dma_map_sgtable(ldev->drm.dev, &ltt->sgt, DMA_BIDIRECTIONAL, 0);
	if (ret) {
		sg_free_table(&ltt->sgt);
		return ret;
	}
	tt->sg = &ltt->sgt;
	mutex_lock(&ldev->tts.lock);
	list_add_tail(&ltt->link, &ldev->tts.mapped);
	mutex_unlock(&ldev->tts.lock);
	return 0;
}

static void loom_tt_unmap(struct loom_device *ldev, struct loom_tt *ltt)
{
	lockdep_assert_held(&ldev->tts.lock);
	list_del_init(&ltt->link);
	ltt->base.sg = NULL;
	dma_unmap_sgtable(ldev->drm.dev, &ltt->sgt, DMA_BIDIRECTIONAL, 0);
	sg_free_table(&ltt->sgt);
}

/* Only inside drm_dev_enter(). */
static int loom_tt_fill(struct loom_device *ldev, struct loom_tt *ltt,
			struct ttm_operation_ctx *ctx)
{
	int ret;

	ret = ttm_pool_alloc(&ldev->ttm.pool, &ltt->base, ctx);
	if (ret)
		return ret;
	ret = loom_tt_map(ldev, ltt);
	if (ret)
		ttm_pool_free(&ldev->ttm.pool, &ltt->base);
	return ret;
}

int loom_tt_populate(struct ttm_device *ttm, struct ttm_tt *tt,
		     struct ttm_operation_ctx *ctx)
{
	struct loom_device *ldev = ttm_to_loom_device(ttm);
	int idx, ret;

	if (tt->page_flags & TTM_TT_FLAG_EXTERNAL)
		return 0;
	if (!drm_dev_enter(&ldev->drm, &idx))
		return -ENODEV;
	ret = loom_tt_fill(ldev, to_loom_tt(tt), ctx);
	drm_dev_exit(idx);
	return ret;
}

void loom_tt_unpopulate(struct ttm_device *ttm, struct ttm_tt *tt)
{
	struct loom_device *ldev = ttm_to_loom_device(ttm);
	struct loom_tt *ltt = to_loom_tt(tt);

	if (tt->page_flags & TTM_TT_FLAG_EXTERNAL)
		return;
	mutex_lock(&ldev->tts.lock);
	if (!list_empty(&ltt->link))
		loom_tt_unmap(ldev, ltt);
	mutex_unlock(&ldev->tts.lock);
	ttm_pool_free(&ldev->ttm.pool, tt);
}

/* The card has gone, nothing may stay mapped for it.  After drm_dev_unplug(). */
void loom_tt_unplug(struct loom_device *ldev)
{
	struct loom_tt *ltt, *next;

	mutex_lock(&ldev->tts.lock);
	list_for_each_entry_safe(ltt, next, &ldev->tts.mapped, link)
		loom_tt_unmap(ldev, ltt);
	mutex_unlock(&ldev->tts.lock);
}

int loom_tt_init(struct loom_device *ldev)
{
	INIT_LIST_HEAD(&ldev->tts.mapped);
	return drmm_mutex_init(&ldev->drm, &ldev->tts.lock);
}
