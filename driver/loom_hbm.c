// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: HBM
 *
 * A buddy allocator behind TTM's resource manager interface.  A buffer object
 * is a list of blocks, the largest first, so that most of it can be mapped by
 * 2 MiB page table entries.
 *
 * The BAR may show only the first part of HBM.  Objects that no CPU has mapped
 * are put behind that part while there is room; a page fault moves an object into
 * it.  What the driver itself writes (page tables) is in it from the start.
 *
 * Locking: loom_hbm.lock protects the allocator; it is a leaf.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include <drm/drm_managed.h>

#include "loom_bo.h"
#include "loom_device.h"
#include "loom_hbm.h"

static uint loom_hbm_visible_mb;
module_param_named(hbm_visible_mb, loom_hbm_visible_mb, uint, 0444);
MODULE_PARM_DESC(hbm_visible_mb,
		 "MiB of HBM the CPU may map, to test with a small BAR (default: all that the BAR shows)");

/* What the CPU clears before it looks whether others want to run. */
#define LOOM_HBM_CLEAR_STEP	SZ_1M

static struct loom_hbm *to_loom_hbm(struct ttm_resource_manager *man)
{
	return container_of(man, struct loom_hbm, manager);
}

/* Retired pages ----------------------------------------------------------- */

/**
 * struct loom_hbm_retired - a page that is not to be used
 */
struct loom_hbm_retired {
	/** @link: in loom_hbm.retired, or loom_hbm.retiring */
	struct list_head link;
	/** @page: its offset in HBM */
	u64 page;
	/** @blocks: list of the one gpu_buddy_block, once it is ours */
	struct list_head blocks;
};

static bool loom_hbm_take_page(struct loom_hbm *hbm,
			       struct loom_hbm_retired *retired)
{
	return !gpu_buddy_alloc_blocks(&hbm->mm, retired->page,
				       retired->page + PAGE_SIZE, PAGE_SIZE,
				       PAGE_SIZE, &retired->blocks,
				       GPU_BUDDY_RANGE_ALLOCATION);
}

/* Memory was freed: have the pages that wait for it before others do. */
static void loom_hbm_take_retiring(struct loom_hbm *hbm)
{
	struct loom_hbm_retired *retired, *next;

	lockdep_assert_held(&hbm->lock);
	list_for_each_entry_safe(retired, next, &hbm->retiring, link)
		if (loom_hbm_take_page(hbm, retired))
			list_move_tail(&retired->link, &hbm->retired);
}

static bool loom_hbm_list_has(struct list_head *list, u64 page)
{
	struct loom_hbm_retired *retired;

	list_for_each_entry(retired, list, link)
		if (retired->page == page)
			return true;
	return false;
}

static bool loom_hbm_resource_has(struct loom_hbm *hbm,
				  struct loom_hbm_resource *hres, u64 page)
{
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &hres->blocks, link) {
		u64 start = gpu_buddy_block_offset(block);

		if (page >= start &&
		    page - start < gpu_buddy_block_size(&hbm->mm, block))
			return true;
	}
	return false;
}

/* The object that has @page, a reference; NULL if none has, or it is dying. */
static struct loom_bo *loom_hbm_find_owner(struct loom_hbm *hbm, u64 page)
{
	struct loom_hbm_resource *hres;

	lockdep_assert_held(&hbm->lock);
	list_for_each_entry(hres, &hbm->resources, link)
		if (loom_hbm_resource_has(hbm, hres, page))
			return loom_bo_get_of(hres->base.bo);
	return NULL;
}

static int loom_hbm_retire_locked(struct loom_hbm *hbm,
				  struct loom_hbm_retired *retired,
				  struct loom_bo **owner)
{
	lockdep_assert_held(&hbm->lock);
	if (retired->page >= hbm->mm.size)
		return -ERANGE;
	if (loom_hbm_list_has(&hbm->retired, retired->page) ||
	    loom_hbm_list_has(&hbm->retiring, retired->page))
		return -EEXIST;
	if (loom_hbm_take_page(hbm, retired)) {
		list_add_tail(&retired->link, &hbm->retired);
		return 0;
	}
	list_add_tail(&retired->link, &hbm->retiring);
	*owner = loom_hbm_find_owner(hbm, retired->page);
	return 0;
}

/**
 * loom_hbm_retire() - never give a page out again
 * @hbm: HBM
 * @page: its offset
 * @owner: set to the object that has the page, a reference, if any has
 *
 * Return: 0, -EEXIST if it is retired already, -ERANGE, -ENOMEM.
 */
int loom_hbm_retire(struct loom_hbm *hbm, u64 page, struct loom_bo **owner)
{
	struct loom_hbm_retired *retired;
	int ret;

	retired = kzalloc(sizeof(*retired), GFP_KERNEL);
	if (!retired)
		return -ENOMEM;
	retired->page = page;
	INIT_LIST_HEAD(&retired->blocks);
	mutex_lock(&hbm->lock);
	ret = loom_hbm_retire_locked(hbm, retired, owner);
	mutex_unlock(&hbm->lock);
	if (ret)
		kfree(retired);
	return ret;
}

/* Those that wait for their object to go among them. */
unsigned int loom_hbm_count_retired(struct loom_hbm *hbm)
{
	size_t count;

	mutex_lock(&hbm->lock);
	count = list_count_nodes(&hbm->retired) +
		list_count_nodes(&hbm->retiring);
	mutex_unlock(&hbm->lock);
	return count;
}

void loom_hbm_show_retired(struct loom_hbm *hbm, struct drm_printer *p)
{
	struct loom_hbm_retired *retired;

	mutex_lock(&hbm->lock);
	list_for_each_entry(retired, &hbm->retired, link)
		drm_printf(p, "%#llx retired\n", retired->page);
	list_for_each_entry(retired, &hbm->retiring, link)
		drm_printf(p, "%#llx in use\n", retired->page);
	mutex_unlock(&hbm->lock);
}

/* The allocator goes, and all that had memory is gone. */
static void loom_hbm_free_retired(struct loom_hbm *hbm)
{
	struct loom_hbm_retired *retired, *next;

	list_for_each_entry_safe(retired, next, &hbm->retired, link) {
		gpu_buddy_free_list(&hbm->mm, &retired->blocks, 0);
		kfree(retired);
	}
}

/* Allocation -------------------------------------------------------------- */

static int loom_hbm_alloc_blocks(struct loom_hbm *hbm,
				 struct ttm_buffer_object *tbo,
				 const struct ttm_place *place,
				 struct loom_hbm_resource *hres)
{
	u64 start = (u64)place->fpfn << PAGE_SHIFT;
	u64 end = (u64)place->lpfn << PAGE_SHIFT;
	u64 align = (u64)max(tbo->page_alignment, 1u) << PAGE_SHIFT;
	unsigned long flags = 0;
	int ret;

	if (place->fpfn || place->lpfn)
		flags |= GPU_BUDDY_RANGE_ALLOCATION;
	if (place->flags & TTM_PL_FLAG_TOPDOWN && hbm->visible < hbm->mm.size)
		flags |= GPU_BUDDY_TOPDOWN_ALLOCATION;
	if (!end)
		end = hbm->mm.size;
	mutex_lock(&hbm->lock);
	/* The card is fastest with one piece; several do when it is crowded. */
	ret = gpu_buddy_alloc_blocks(&hbm->mm, start, end, hres->base.size,
				     align, &hres->blocks,
				     flags | GPU_BUDDY_CONTIGUOUS_ALLOCATION);
	if (ret)
		ret = gpu_buddy_alloc_blocks(&hbm->mm, start, end,
					     hres->base.size, align,
					     &hres->blocks, flags);
	if (!ret)
		list_add_tail(&hres->link, &hbm->resources);
	mutex_unlock(&hbm->lock);
	return ret;
}

static int loom_hbm_alloc(struct ttm_resource_manager *man,
			  struct ttm_buffer_object *tbo,
			  const struct ttm_place *place,
			  struct ttm_resource **res)
{
	struct loom_hbm_resource *hres;
	int ret;

	hres = kzalloc(sizeof(*hres), GFP_KERNEL_ACCOUNT);
	if (!hres)
		return -ENOMEM;
	ttm_resource_init(tbo, place, &hres->base);
	INIT_LIST_HEAD(&hres->blocks);
	ret = loom_hbm_alloc_blocks(to_loom_hbm(man), tbo, place, hres);
	if (ret) {
		ttm_resource_fini(man, &hres->base);
		kfree(hres);
		return ret;
	}
	*res = &hres->base;
	return 0;
}

static void loom_hbm_free(struct ttm_resource_manager *man,
			  struct ttm_resource *res)
{
	struct loom_hbm_resource *hres = to_loom_hbm_resource(res);
	struct loom_hbm *hbm = to_loom_hbm(man);

	mutex_lock(&hbm->lock);
	list_del(&hres->link);
	gpu_buddy_free_list(&hbm->mm, &hres->blocks, 0);
	loom_hbm_take_retiring(hbm);
	WRITE_ONCE(hbm->frees, hbm->frees + 1);
	mutex_unlock(&hbm->lock);
	ttm_resource_fini(man, res);
	kfree(hres);
}

static void loom_hbm_debug(struct ttm_resource_manager *man,
			   struct drm_printer *p)
{
	struct loom_hbm *hbm = to_loom_hbm(man);

	mutex_lock(&hbm->lock);
	drm_printf(p, "%llu of %llu KiB free\n", hbm->mm.avail >> 10,
		   hbm->mm.size >> 10);
	mutex_unlock(&hbm->lock);
}

static u64 loom_hbm_place_end(struct loom_hbm *hbm,
			      const struct ttm_place *place)
{
	return place->lpfn ? (u64)place->lpfn << PAGE_SHIFT : hbm->mm.size;
}

/* Would freeing @res help somebody who needs @place? */
static bool loom_hbm_intersects(struct ttm_resource_manager *man,
				struct ttm_resource *res,
				const struct ttm_place *place, size_t size)
{
	struct loom_hbm *hbm = to_loom_hbm(man);
	u64 end = loom_hbm_place_end(hbm, place);
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &to_loom_hbm_resource(res)->blocks, link)
		if (gpu_buddy_block_offset(block) < end)
			return true;
	return false;
}

/* Is all of @res in @place? */
static bool loom_hbm_compatible(struct ttm_resource_manager *man,
				struct ttm_resource *res,
				const struct ttm_place *place, size_t size)
{
	struct loom_hbm *hbm = to_loom_hbm(man);
	u64 end = loom_hbm_place_end(hbm, place);
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &to_loom_hbm_resource(res)->blocks, link)
		if (gpu_buddy_block_offset(block) +
		    gpu_buddy_block_size(&hbm->mm, block) > end)
			return false;
	return true;
}

/* Places begin at 0 always. */
static const struct ttm_resource_manager_func loom_hbm_funcs = {
	.alloc = loom_hbm_alloc,
	.free = loom_hbm_free,
	.intersects = loom_hbm_intersects,
	.compatible = loom_hbm_compatible,
	.debug = loom_hbm_debug,
};

static void loom_hbm_fini(struct drm_device *drm, void *data)
{
	struct loom_device *ldev = to_loom_device(drm);
	struct loom_hbm *hbm = data;

	ttm_resource_manager_set_used(&hbm->manager, false);
	if (ttm_resource_manager_evict_all(&ldev->ttm, &hbm->manager))
		return;
	loom_hbm_free_retired(hbm);
	gpu_buddy_fini(&hbm->mm);
	ttm_resource_manager_cleanup(&hbm->manager);
	ttm_set_driver_manager(&ldev->ttm, LOOM_PL_HBM, NULL);
	mutex_destroy(&hbm->lock);
}

static u64 loom_hbm_usable_bar(struct loom_device *ldev)
{
	u64 bar = pci_resource_len(to_pci_dev(ldev->drm.dev), LOOM_BAR_HBM);
	u64 limit = (u64)loom_hbm_visible_mb << 20;

	if (limit)
		bar = min(bar, limit);
	return ALIGN_DOWN(min(bar, ldev->hw.hbm_size), LOOM_HUGE_SIZE);
}

static int loom_hbm_map_bar(struct loom_device *ldev)
{
	struct pci_dev *pdev = to_pci_dev(ldev->drm.dev);
	struct loom_hbm *hbm = &ldev->hbm;
	int ret;

	hbm->visible = loom_hbm_usable_bar(ldev);
	if (!hbm->visible) {
		drm_err(&ldev->drm, "no room in the address map for the HBM BAR\n");
		return -ENODEV;
	}
	ret = pcim_request_region(pdev, LOOM_BAR_HBM, "loom-hbm");
	if (ret)
		return ret;
	hbm->io_start = pci_resource_start(pdev, LOOM_BAR_HBM);
	hbm->cpu = devm_ioremap_wc(&pdev->dev, hbm->io_start, hbm->visible);
	return hbm->cpu ? 0 : -ENOMEM;
}

int loom_hbm_init(struct loom_device *ldev)
{
	u64 size = ALIGN_DOWN(ldev->hw.hbm_size, LOOM_HUGE_SIZE);
	struct loom_hbm *hbm = &ldev->hbm;
	int ret;

	ret = loom_hbm_map_bar(ldev);
	if (ret)
		return ret;
	ret = gpu_buddy_init(&hbm->mm, size, PAGE_SIZE);
	if (ret)
		return ret;
	mutex_init(&hbm->lock);
	INIT_LIST_HEAD(&hbm->resources);
	INIT_LIST_HEAD(&hbm->retired);
	INIT_LIST_HEAD(&hbm->retiring);
	hbm->manager.func = &loom_hbm_funcs;
	ttm_resource_manager_init(&hbm->manager, &ldev->ttm, size);
	ttm_set_driver_manager(&ldev->ttm, LOOM_PL_HBM, &hbm->manager);
	ttm_resource_manager_set_used(&hbm->manager, true);
	return drmm_add_action_or_reset(&ldev->drm, loom_hbm_fini, hbm);
}

/* Can the CPU reach all of @res? */
bool loom_hbm_is_visible(struct loom_hbm *hbm, struct ttm_resource *res)
{
	const struct ttm_place place = {
		.lpfn = hbm->visible >> PAGE_SHIFT,
	};

	return loom_hbm_compatible(&hbm->manager, res, &place, 0);
}

u64 loom_hbm_avail(struct loom_hbm *hbm)
{
	u64 avail;

	mutex_lock(&hbm->lock);
	avail = hbm->mm.avail;
	mutex_unlock(&hbm->lock);
	return avail;
}

/**
 * loom_hbm_offset() - where a byte of a buffer object is
 * @hbm: HBM
 * @res: resource of the object
 * @pos: byte in the object
 *
 * Return: its offset in HBM.
 */
u64 loom_hbm_offset(struct loom_hbm *hbm, struct ttm_resource *res, u64 pos)
{
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &to_loom_hbm_resource(res)->blocks, link) {
		u64 size = gpu_buddy_block_size(&hbm->mm, block);

		if (pos < size)
			return gpu_buddy_block_offset(block) + pos;
		pos -= size;
	}
	WARN_ON_ONCE(1);
	return 0;
}

static void loom_hbm_clear_block(struct loom_hbm *hbm,
				 struct gpu_buddy_block *block)
{
	void __iomem *cpu = hbm->cpu + gpu_buddy_block_offset(block);
	u64 left = gpu_buddy_block_size(&hbm->mm, block);

	while (left) {
		size_t n = min_t(u64, left, LOOM_HBM_CLEAR_STEP);

		memset_io(cpu, 0, n);
		cpu += n;
		left -= n;
		cond_resched();
	}
}

/*
 * Fill a visible resource with zeros, now: for the driver's own, which are small.
 * Only inside drm_dev_enter().
 */
void loom_hbm_clear(struct loom_hbm *hbm, struct ttm_resource *res)
{
	struct loom_device *ldev = container_of(hbm, struct loom_device, hbm);
	struct gpu_buddy_block *block;

	loom_device_hw_get(ldev);
	list_for_each_entry(block, &to_loom_hbm_resource(res)->blocks, link)
		loom_hbm_clear_block(hbm, block);
	/* The next to touch it may be the card. */
	wmb();
	loom_device_hw_put(ldev);
}
