// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: dma-buf
 *
 * Export: as long as another device is attached, the object is pinned in system
 * memory, where that device reaches it: without PCI peer-to-peer DMA, which the
 * supported kernels lack, it cannot reach HBM.  Our own VMs go on using it there,
 * and when the last device has gone it returns to HBM.  A VM's own objects cannot
 * be exported: their dma_resv is the VM's.
 *
 * Import: an object of system memory whose pages are the exporter's.  It has the
 * dma-buf's dma_resv.
 *
 * Nothing is synchronised implicitly, but memory that was moved or cleared is
 * there when an attachment is made.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_gpuvm.h>
#include <drm/drm_prime.h>
#include <drm/ttm/ttm_tt.h>

#include <drm/loom_accel.h>

#include "loom_bo.h"
#include "loom_compat.h"
#include "loom_device.h"
#include "loom_prime.h"
#include "loom_sysmem.h"

LOOM_IMPORT_DMA_BUF;

struct dma_buf *loom_prime_export(struct drm_gem_object *obj, int flags)
{
	if (to_loom_bo(obj)->vm_root)
		return ERR_PTR(-EPERM);
	return drm_gem_prime_export(obj, flags);
}

static int loom_prime_move_to_system(struct loom_bo *bo)
{
	struct ttm_place place = { .mem_type = LOOM_PL_SYSMEM };
	struct ttm_placement placement = {
		.num_placement = 1, .placement = &place,
	};
	struct ttm_operation_ctx ctx = { .interruptible = true };

	return ttm_bo_validate(&bo->ttm, &placement, &ctx);
}

/* A device attaches.  The object is locked. */
int loom_prime_pin(struct drm_gem_object *obj)
{
	struct loom_bo *bo = to_loom_bo(obj);
	long ret;

	if (!bo->ttm.pin_count) {
		ret = loom_prime_move_to_system(bo);
		if (ret)
			return ret;
	}
	/* Devices do not wait for moves. */
	ret = dma_resv_wait_timeout(obj->resv, DMA_RESV_USAGE_KERNEL, true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;
	if (READ_ONCE(bo->lost))
		return -EIO;
	ttm_bo_pin(&bo->ttm);
	return 0;
}

void loom_prime_unpin(struct drm_gem_object *obj)
{
	struct loom_bo *bo = to_loom_bo(obj);

	ttm_bo_unpin(&bo->ttm);
	/* Have the next submits look where it should be. */
	if (!bo->ttm.pin_count && loom_bo_is_displaced(bo))
		drm_gpuvm_bo_gem_evict(obj, true);
}

/*
 * The pages for an importer, in segments that all take: nobody tells which device
 * it is, and one that says nothing of segments takes 64 KiB.
 */
struct sg_table *loom_prime_get_sg_table(struct drm_gem_object *obj)
{
	struct ttm_tt *tt = to_loom_bo(obj)->ttm.ttm;
	struct sg_table *sgt;
	int ret;

	sgt = kmalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	ret = sg_alloc_table_from_pages_segment(sgt, tt->pages, tt->num_pages, 0,
						(u64)tt->num_pages << PAGE_SHIFT,
						SZ_64K, GFP_KERNEL);
	if (ret) {
		kfree(sgt);
		return ERR_PTR(ret);
	}
	return sgt;
}

/* A mapping of an imported object is one of the exporter's. */
int loom_prime_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	int ret;

	if (!obj->import_attach)
		return drm_gem_ttm_mmap(obj, vma);
	/* The exporter's, should it not set them. */
	vma->vm_private_data = NULL;
	vma->vm_ops = NULL;
	ret = dma_buf_mmap(obj->dma_buf, vma, 0);
	/* The mapping holds the dma-buf instead. */
	if (!ret)
		drm_gem_object_put(obj);
	return ret;
}

/* @sg: pages of the dma-buf, mapped for the card. */
struct drm_gem_object *loom_prime_import(struct drm_device *drm,
					 struct dma_buf_attachment *attach,
					 struct sg_table *sg)
{
	struct dma_buf *dma_buf = attach->dmabuf;
	struct drm_gem_object *obj;
	struct loom_bo *bo;
	int idx;

	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	bo = loom_bo_create_imported(to_loom_device(drm), dma_buf->size, sg,
				     dma_buf->resv);
	obj = IS_ERR(bo) ? ERR_CAST(bo) : loom_bo_gem(bo);
	drm_dev_exit(idx);
	return obj;
}
