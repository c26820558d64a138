// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Memory types
 *
 * HBM (loom_hbm.c) and system memory (loom_sysmem.c, its pages loom_tt.c), which is
 * not swapped out.
 *
 * When HBM is full, new objects push out those that were put there longest ago: to
 * system memory, where the card can use them too, only more slowly.  Nothing that
 * was pushed out pushes others out in turn; it goes back when there is room, see
 * loom_rebind.c.  Page tables never move.
 *
 * A move changes where the object is at once.  The card's copy follows when the
 * jobs before have finished with the old place (loom_copy.c), and jobs after wait
 * for it by its fence in the dma_resv.  All mappings of the object are marked as
 * evicted in their VMs, which write them again before their next job.
 *
 * A dying object keeps its memory until the last fence in its dma_resv has
 * signalled: TTM's delayed destruction.
 */
#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_bo.h>

#include "loom_bo.h"
#include "loom_compat.h"
#include "loom_copy.h"
#include "loom_device.h"
#include "loom_pm.h"
#include "loom_sysmem.h"
#include "loom_trace.h"
#include "loom_tt.h"
#include "loom_ttm.h"

/* Is there room in system memory?  Without it nothing can leave HBM. */
static bool loom_ttm_can_evict(struct loom_device *ldev,
			       struct ttm_buffer_object *tbo)
{
	struct ttm_resource_manager *man = &ldev->sysmem;

	return ttm_resource_manager_usage(man) + tbo->base.size <= man->size;
}

static bool loom_ttm_eviction_valuable(struct ttm_buffer_object *tbo,
				       const struct ttm_place *place)
{
	struct loom_device *ldev = ttm_to_loom_device(tbo->bdev);

	/* The dead may be waited for. */
	if (tbo->deleted)
		return true;
	if (tbo->type == ttm_bo_type_kernel ||
	    tbo->resource->mem_type != LOOM_PL_HBM ||
	    !loom_ttm_can_evict(ldev, tbo))
		return false;
	return ttm_bo_eviction_valuable(tbo, place);
}

static void loom_ttm_evict_flags(struct ttm_buffer_object *tbo,
				 struct ttm_placement *placement)
{
	static const struct ttm_place system = {
		.mem_type = LOOM_PL_SYSMEM,
	};

	*placement = (struct ttm_placement) { };
	if (tbo->deleted)
		return;
	placement->num_placement = 1;
	placement->placement = &system;
}

static int loom_ttm_move_by_card(struct ttm_buffer_object *tbo, bool evict,
				 struct ttm_resource *new_mem)
{
	struct loom_device *ldev = ttm_to_loom_device(tbo->bdev);
	struct dma_fence *fence;
	int idx, ret;

	if (loom_pm_get(ldev))
		return -ENODEV;
	fence = ERR_PTR(-ENODEV);
	if (drm_dev_enter(&ldev->drm, &idx)) {
		fence = loom_copy_move(ttm_to_loom_bo(tbo), new_mem);
		drm_dev_exit(idx);
	}
	loom_pm_put(ldev);
	if (IS_ERR(fence))
		return PTR_ERR(fence);
	ret = ttm_bo_move_accel_cleanup(tbo, fence, evict, true, new_mem);
	dma_fence_put(fence);
	return ret;
}

static int loom_ttm_move(struct ttm_buffer_object *tbo, bool evict,
			 struct ttm_operation_ctx *ctx,
			 struct ttm_resource *new_mem, struct ttm_place *hop)
{
	struct ttm_resource *old_mem = tbo->resource;
	bool by_card = old_mem && (old_mem->mem_type == LOOM_PL_HBM ||
				   new_mem->mem_type == LOOM_PL_HBM);
	int ret = 0;

	if (by_card)
		ret = loom_ttm_move_by_card(tbo, evict, new_mem);
	else
		ttm_bo_move_null(tbo, new_mem);
	if (ret)
		return ret;
	trace_loom_bo_move(ttm_to_loom_device(tbo->bdev)->drm.dev,
			   tbo->base.size, new_mem->mem_type == LOOM_PL_HBM,
			   evict);
	loom_bo_has_moved(ttm_to_loom_bo(tbo), new_mem);
	if (by_card)
		drm_gpuvm_bo_gem_evict(&tbo->base, true);
	return 0;
}

static int loom_ttm_io_mem_reserve(struct ttm_device *ttm,
				   struct ttm_resource *mem)
{
	struct loom_device *ldev = ttm_to_loom_device(ttm);

	if (mem->mem_type != LOOM_PL_HBM)
		return 0;
	if (!loom_hbm_is_visible(&ldev->hbm, mem))
		return -EINVAL;
	/* True of the first page only; loom_ttm_io_mem_pfn() knows the rest. */
	mem->bus.offset = ldev->hbm.io_start + loom_hbm_offset(&ldev->hbm, mem, 0);
	mem->bus.is_iomem = true;
	mem->bus.caching = ttm_write_combined;
	return 0;
}

static unsigned long loom_ttm_io_mem_pfn(struct ttm_buffer_object *tbo,
					 unsigned long page)
{
	struct loom_device *ldev = ttm_to_loom_device(tbo->bdev);
	u64 offset = loom_hbm_offset(&ldev->hbm, tbo->resource,
				     (u64)page << PAGE_SHIFT);

	return PHYS_PFN(ldev->hbm.io_start + offset);
}

static void loom_ttm_access_page(void __iomem *cpu, void *buf, size_t len,
				 bool write)
{
	if (write)
		memcpy_toio(cpu, buf, len);
	else
		memcpy_fromio(buf, cpu, len);
}

/* For debuggers that look into another process' mapping of HBM. */
static int loom_ttm_access_memory(struct ttm_buffer_object *tbo,
				  unsigned long offset, void *buf, int len,
				  int write)
{
	struct loom_device *ldev = ttm_to_loom_device(tbo->bdev);
	int done = 0;
	int idx;

	if (!loom_hbm_is_visible(&ldev->hbm, tbo->resource) ||
	    !drm_dev_enter(&ldev->drm, &idx))
		return -EIO;
	while (done < len) {
		size_t n = min_t(size_t, len - done,
				 PAGE_SIZE - offset_in_page(offset + done));
		u64 at = loom_hbm_offset(&ldev->hbm, tbo->resource, offset + done);

		loom_ttm_access_page(ldev->hbm.cpu + at, buf + done, n, write);
		done += n;
	}
	drm_dev_exit(idx);
	return len;
}

static const struct ttm_device_funcs loom_ttm_funcs = {
	.ttm_tt_create = loom_tt_create,
	.ttm_tt_populate = loom_tt_populate,
	.ttm_tt_unpopulate = loom_tt_unpopulate,
	.ttm_tt_destroy = loom_tt_destroy,
	.eviction_valuable = loom_ttm_eviction_valuable,
	.evict_flags = loom_ttm_evict_flags,
	.move = loom_ttm_move,
	.io_mem_reserve = loom_ttm_io_mem_reserve,
	.io_mem_pfn = loom_ttm_io_mem_pfn,
	.access_memory = loom_ttm_access_memory,
};

static void loom_ttm_fini(struct drm_device *drm, void *data)
{
	ttm_device_fini(data);
}

int loom_ttm_init(struct loom_device *ldev)
{
	struct drm_device *drm = &ldev->drm;
	int ret;

	ret = loom_tt_init(ldev);
	if (ret)
		return ret;
	ret = loom_ttm_device_init(&ldev->ttm, &loom_ttm_funcs, drm->dev,
				   drm->anon_inode->i_mapping,
				   drm->vma_offset_manager);
	if (ret)
		return ret;
	ret = drmm_add_action_or_reset(drm, loom_ttm_fini, &ldev->ttm);
	if (ret)
		return ret;
	ret = loom_sysmem_init(ldev);
	if (ret)
		return ret;
	return loom_hbm_init(ldev);
}
