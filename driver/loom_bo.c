// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Buffer objects
 *
 * A buffer object is zeroed before anybody can see it.  It has a dma_resv of
 * its own, or that of the one VM it may be bound in, so that a submit of that
 * VM locks once for all of them.
 *
 * Locking: the dma_resv protects where the object is (ttm.resource) and its
 * list of mappings.
 */
#include <linux/dma-resv.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_gpuvm.h>

#include <drm/loom_accel.h>

#include "loom_bo.h"
#include "loom_device.h"
#include "loom_file.h"
#include "loom_sysmem.h"
#include "loom_vm.h"

#define LOOM_BO_PLACEMENTS	(DRM_LOOM_PLACE_HBM | DRM_LOOM_PLACE_SYSTEM)

/* CPU mappings ------------------------------------------------------------ */

static vm_fault_t loom_bo_fault(struct vm_fault *vmf)
{
	struct ttm_buffer_object *tbo = vmf->vma->vm_private_data;
	vm_fault_t ret;
	int idx;

	ret = ttm_bo_vm_reserve(tbo, vmf);
	if (ret)
		return ret;
	if (drm_dev_enter(tbo->base.dev, &idx)) {
		ret = ttm_bo_vm_fault_reserved(vmf, vmf->vma->vm_page_prot,
					       TTM_BO_VM_NUM_PREFAULT);
		drm_dev_exit(idx);
	} else {
		/* The card is gone: no SIGBUS, nothing lands anywhere. */
		ret = ttm_bo_vm_dummy_page(vmf, vmf->vma->vm_page_prot);
	}
	/* The lock was dropped already when the fault is to be retried. */
	if (ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return ret;
	dma_resv_unlock(tbo->base.resv);
	return ret;
}

static int loom_bo_access(struct vm_area_struct *vma, unsigned long addr,
			  void *buf, int len, int write)
{
	struct ttm_buffer_object *tbo = vma->vm_private_data;
	int idx, ret;

	if (!drm_dev_enter(tbo->base.dev, &idx))
		return -EIO;
	ret = ttm_bo_vm_access(vma, addr, buf, len, write);
	drm_dev_exit(idx);
	return ret;
}

static const struct vm_operations_struct loom_bo_vm_ops = {
	.fault = loom_bo_fault,
	.open = ttm_bo_vm_open,
	.close = ttm_bo_vm_close,
	.access = loom_bo_access,
};

/* GEM --------------------------------------------------------------------- */

static void loom_bo_free(struct drm_gem_object *obj)
{
	loom_ttm_bo_fini(&to_loom_bo(obj)->ttm);
}

static struct dma_buf *loom_bo_export(struct drm_gem_object *obj, int flags)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static const struct drm_gem_object_funcs loom_bo_funcs = {
	.free = loom_bo_free,
	.export = loom_bo_export,
	.mmap = drm_gem_ttm_mmap,
	.print_info = drm_gem_ttm_print_info,
	.vm_ops = &loom_bo_vm_ops,
};

/* TTM's last word, after the fences of the object. */
static void loom_bo_destroy(struct ttm_buffer_object *tbo)
{
	struct loom_bo *bo = ttm_to_loom_bo(tbo);

	drm_gem_object_release(&tbo->base);
	if (bo->vm_root)
		drm_gem_object_put(bo->vm_root);
	kfree(bo);
}

void loom_bo_put(struct loom_bo *bo)
{
	if (bo)
		drm_gem_object_put(loom_bo_gem(bo));
}

/* Creation ---------------------------------------------------------------- */

static struct loom_bo *loom_bo_alloc(struct loom_device *ldev, u64 size,
				     u32 placement)
{
	struct loom_bo *bo;

	bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->placement = placement;
	bo->ttm.base.funcs = &loom_bo_funcs;
	drm_gem_private_object_init(&ldev->drm, &bo->ttm.base, size);
	return bo;
}

static u32 loom_bo_mem_type(u32 placement)
{
	return placement == DRM_LOOM_PLACE_HBM ? LOOM_PL_HBM : LOOM_PL_SYSMEM;
}

/* Give @bo its memory.  On failure @bo is gone. */
static int loom_bo_init(struct loom_device *ldev, struct loom_bo *bo,
			enum ttm_bo_type type, u64 align, struct dma_resv *resv)
{
	struct ttm_place place = {
		.mem_type = loom_bo_mem_type(bo->placement),
	};
	struct ttm_placement placement = {
		.num_placement = 1, .placement = &place,
	};
	struct ttm_operation_ctx ctx = {
		.interruptible = true,
	};
	bool hbm = bo->placement == DRM_LOOM_PLACE_HBM;
	u64 size = bo->ttm.base.size;
	int ret;

	ret = ttm_bo_init_reserved(&ldev->ttm, &bo->ttm, type, &placement,
				   align >> PAGE_SHIFT, &ctx, NULL, resv,
				   loom_bo_destroy);
	/* TTM has one error for two kinds of memory. */
	if (ret == -ENOMEM && hbm && loom_hbm_avail(&ldev->hbm) < size)
		return -ENOSPC;
	return ret;
}

/**
 * loom_bo_create_kernel() - a zeroed, contiguous piece of HBM for the driver
 * @ldev: the card, inside drm_dev_enter()
 * @size: bytes, a power of two
 *
 * Return: the object, -ENOSPC, -ENOMEM, or -ERESTARTSYS.
 */
struct loom_bo *loom_bo_create_kernel(struct loom_device *ldev, u64 size)
{
	struct loom_bo *bo;
	int ret;

	bo = loom_bo_alloc(ldev, size, DRM_LOOM_PLACE_HBM);
	if (IS_ERR(bo))
		return bo;
	ret = loom_bo_init(ldev, bo, ttm_bo_type_kernel, size, NULL);
	if (ret)
		return ERR_PTR(ret);
	loom_hbm_clear(&ldev->hbm, bo->ttm.resource);
	ttm_bo_unreserve(&bo->ttm);
	return bo;
}

static int loom_bo_init_user(struct loom_device *ldev, struct loom_bo *bo,
			     struct loom_vm *vm)
{
	struct dma_resv *resv = NULL;
	int ret;

	if (vm) {
		bo->vm_root = drm_gpuvm_resv_obj(&vm->base);
		drm_gem_object_get(bo->vm_root);
		resv = bo->vm_root->resv;
		ret = dma_resv_lock_interruptible(resv, NULL);
		if (ret) {
			drm_gem_object_release(loom_bo_gem(bo));
			drm_gem_object_put(bo->vm_root);
			kfree(bo);
			return ret;
		}
	}
	ret = loom_bo_init(ldev, bo, ttm_bo_type_device, PAGE_SIZE, resv);
	if (resv)
		dma_resv_unlock(resv);
	else if (!ret)
		dma_resv_unlock(bo->ttm.base.resv);
	/* Long, so not under the lock: nobody else knows the object yet. */
	if (!ret && bo->placement == DRM_LOOM_PLACE_HBM)
		loom_hbm_clear(&ldev->hbm, bo->ttm.resource);
	return ret;
}

static int loom_bo_create_user(struct loom_device *ldev, struct drm_file *file,
			       struct drm_loom_bo_create *args,
			       struct loom_vm *vm)
{
	struct loom_bo *bo;
	int ret;

	bo = loom_bo_alloc(ldev, args->size, args->placement);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	ret = loom_bo_init_user(ldev, bo, vm);
	if (ret)
		return ret;
	ret = drm_gem_handle_create(file, loom_bo_gem(bo), &args->handle);
	loom_bo_put(bo);
	return ret;
}

static int loom_bo_check_create(struct loom_device *ldev,
				const struct drm_loom_bo_create *args)
{
	u64 limit;

	if (args->flags || !args->size || !PAGE_ALIGNED(args->size))
		return -EINVAL;
	if (args->placement & ~LOOM_BO_PLACEMENTS ||
	    hweight32(args->placement) != 1)
		return -EINVAL;
	limit = args->placement == DRM_LOOM_PLACE_HBM ?
		ldev->hbm.manager.size : ldev->sysmem.size;
	return args->size > limit ? -E2BIG : 0;
}

/* ioctls ------------------------------------------------------------------ */

int loom_bo_ioctl_create(struct drm_device *drm, void *data,
			 struct drm_file *file)
{
	struct loom_device *ldev = to_loom_device(drm);
	struct drm_loom_bo_create *args = data;
	struct loom_vm *vm = NULL;
	int idx, ret;

	ret = loom_bo_check_create(ldev, args);
	if (ret)
		return ret;
	if (args->vm_id) {
		vm = loom_vm_lookup(file, args->vm_id);
		if (!vm)
			return -ENOENT;
	}
	ret = -ENODEV;
	if (drm_dev_enter(drm, &idx)) {
		ret = loom_bo_create_user(ldev, file, args, vm);
		drm_dev_exit(idx);
	}
	loom_vm_put(vm);
	return ret;
}

int loom_bo_ioctl_mmap_offset(struct drm_device *drm, void *data,
			      struct drm_file *file)
{
	struct drm_loom_bo_mmap_offset *args = data;
	struct drm_gem_object *obj;

	if (args->flags)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	args->offset = drm_vma_node_offset_addr(&obj->vma_node);
	drm_gem_object_put(obj);
	return 0;
}

/* DRM_LOOM_PLACE_* of where @bo is at this moment. */
u32 loom_bo_resident(struct loom_bo *bo)
{
	struct ttm_resource *res = READ_ONCE(bo->ttm.resource);

	if (!res)
		return 0;
	return res->mem_type == LOOM_PL_HBM ? DRM_LOOM_PLACE_HBM :
					      DRM_LOOM_PLACE_SYSTEM;
}

int loom_bo_ioctl_info(struct drm_device *drm, void *data,
		       struct drm_file *file)
{
	struct drm_loom_bo_info *args = data;
	struct drm_gem_object *obj;
	struct loom_bo *bo;
	int ret;

	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	bo = to_loom_bo(obj);
	ret = ttm_bo_reserve(&bo->ttm, true, false, NULL);
	if (!ret) {
		args->placement = bo->placement;
		args->size = obj->size;
		args->resident = loom_bo_resident(bo);
		args->pad = 0;
		ttm_bo_unreserve(&bo->ttm);
	}
	drm_gem_object_put(obj);
	return ret;
}
