// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Buffer objects
 *
 * A buffer object is zeroed before anybody can see it: the card does that, and
 * whoever is first to use the object waits.  It has a dma_resv of its own, or
 * that of the one VM it may be bound in, so that a submit of that VM locks once
 * for all of them.
 *
 * An object for HBM may be in system memory while HBM is full, see loom_ttm.c.
 *
 * Locking: the dma_resv protects where the object is (ttm.resource) and its
 * list of mappings.
 */
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_gpuvm.h>
#include <drm/drm_prime.h>

#include <drm/loom_accel.h>

#include "loom_bo.h"
#include "loom_compat.h"
#include "loom_copy.h"
#include "loom_device.h"
#include "loom_file.h"
#include "loom_pm.h"
#include "loom_prime.h"
#include "loom_reset.h"
#include "loom_sysmem.h"
#include "loom_vm.h"

#define LOOM_BO_WAIT_SLICE	(HZ / 10)
#define LOOM_BO_PLACEMENTS	(DRM_LOOM_PLACE_HBM | DRM_LOOM_PLACE_SYSTEM)

/* CPU mappings ------------------------------------------------------------ */

/* To where the CPU can see it. */
static vm_fault_t loom_bo_fault_move(struct loom_bo *bo)
{
	struct loom_device *ldev = to_loom_device(bo->ttm.base.dev);
	int ret;

	WRITE_ONCE(bo->cpu, true);
	if (bo->ttm.resource->mem_type != LOOM_PL_HBM ||
	    loom_hbm_is_visible(&ldev->hbm, bo->ttm.resource))
		return 0;
	ret = loom_bo_validate(bo);
	if (ret == -ERESTARTSYS || ret == -EINTR)
		return VM_FAULT_NOPAGE;
	return ret ? VM_FAULT_SIGBUS : 0;
}

/*
 * Wait for clears and moves inside drm_dev_enter(): unplugging waits for us before it
 * ends what we wait for.
 */
static vm_fault_t loom_bo_fault_wait_locked(struct drm_gem_object *obj)
{
	long ret;

	do {
		if (drm_dev_is_unplugged(obj->dev))
			return VM_FAULT_NOPAGE;
		ret = dma_resv_wait_timeout(obj->resv, DMA_RESV_USAGE_KERNEL, true,
					    LOOM_BO_WAIT_SLICE);
	} while (!ret);
	return ret < 0 ? VM_FAULT_NOPAGE : 0;
}

/* Wait for clears and moves; on VM_FAULT_RETRY without mmap lock. */
static vm_fault_t loom_bo_fault_wait(struct loom_bo *bo, struct vm_fault *vmf)
{
	struct dma_resv *resv = bo->ttm.base.resv;
	bool retry = fault_flag_allow_retry_first(vmf->flags) &&
		     !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT);
	struct dma_fence *fence;

	if (dma_resv_test_signaled(resv, DMA_RESV_USAGE_KERNEL))
		return 0;
	if (!retry)
		return loom_bo_fault_wait_locked(&bo->ttm.base);
	/* The object may go with its mapping: without handles it has but that. */
	if (dma_resv_get_singleton(resv, DMA_RESV_USAGE_KERNEL, &fence))
		return VM_FAULT_NOPAGE;
	dma_resv_unlock(resv);
	mmap_read_unlock(vmf->vma->vm_mm);
	if (fence)
		dma_fence_wait(fence, true);
	dma_fence_put(fence);
	return VM_FAULT_RETRY;
}

static vm_fault_t loom_bo_fault_locked(struct loom_bo *bo, struct vm_fault *vmf)
{
	vm_fault_t ret;

	ret = loom_bo_fault_move(bo);
	if (ret)
		return ret;
	ret = loom_bo_fault_wait(bo, vmf);
	if (ret)
		return ret;
	/* Other people's data must not show. */
	if (READ_ONCE(bo->lost))
		return VM_FAULT_SIGBUS;
	return ttm_bo_vm_fault_reserved(vmf, vmf->vma->vm_page_prot,
					TTM_BO_VM_NUM_PREFAULT);
}

static vm_fault_t loom_bo_fault_awake(struct vm_fault *vmf)
{
	struct ttm_buffer_object *tbo = vmf->vma->vm_private_data;
	struct loom_device *ldev = to_loom_device(tbo->base.dev);
	vm_fault_t ret;
	int idx;

	loom_reset_gate(ldev);
	ret = ttm_bo_vm_reserve(tbo, vmf);
	if (ret)
		return ret;
	if (drm_dev_enter(tbo->base.dev, &idx)) {
		ret = loom_bo_fault_locked(ttm_to_loom_bo(tbo), vmf);
		/* A reset that has begun since then did not see this mapping. */
		if (loom_reset_is_away(ldev))
			ttm_bo_unmap_virtual(tbo);
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

static vm_fault_t loom_bo_fault(struct vm_fault *vmf)
{
	struct ttm_buffer_object *tbo = vmf->vma->vm_private_data;
	struct loom_device *ldev = to_loom_device(tbo->base.dev);
	bool awake = !loom_pm_get(ldev);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (awake || drm_dev_is_unplugged(&ldev->drm))
		ret = loom_bo_fault_awake(vmf);
	if (awake)
		loom_pm_put(ldev);
	return ret;
}

static int loom_bo_access(struct vm_area_struct *vma, unsigned long addr,
			  void *buf, int len, int write)
{
	struct ttm_buffer_object *tbo = vma->vm_private_data;
	struct loom_device *ldev = to_loom_device(tbo->base.dev);
	int idx, ret;

	if (loom_pm_get(ldev))
		return -EIO;
	ret = -EIO;
	if (drm_dev_enter(&ldev->drm, &idx)) {
		ret = ttm_bo_vm_access(vma, addr, buf, len, write);
		drm_dev_exit(idx);
	}
	loom_pm_put(ldev);
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

static const struct drm_gem_object_funcs loom_bo_funcs = {
	.free = loom_bo_free,
	.export = loom_prime_export,
	.pin = loom_prime_pin,
	.unpin = loom_prime_unpin,
	.get_sg_table = loom_prime_get_sg_table,
	.mmap = loom_prime_mmap,
	.print_info = drm_gem_ttm_print_info,
	.vm_ops = &loom_bo_vm_ops,
};

/* TTM's last word, after the fences of the object. */
static void loom_bo_destroy(struct ttm_buffer_object *tbo)
{
	struct loom_bo *bo = ttm_to_loom_bo(tbo);

	if (tbo->base.import_attach)
		drm_prime_gem_destroy(&tbo->base, tbo->sg);
	drm_gem_object_release(&tbo->base);
	if (bo->vm_root)
		drm_gem_object_put(bo->vm_root);
	kfree(bo->label);
	kfree(bo);
}

/* A reference, or NULL if @tbo is none of ours (TTM makes some) or is dying. */
struct loom_bo *loom_bo_get_of(struct ttm_buffer_object *tbo)
{
	if (!tbo || tbo->destroy != loom_bo_destroy ||
	    !kref_get_unless_zero(&tbo->base.refcount))
		return NULL;
	return ttm_to_loom_bo(tbo);
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

/**
 * struct loom_bo_places - where an object may be, best first
 */
struct loom_bo_places {
	/** @base: for TTM, points to @place */
	struct ttm_placement base;
	/** @place: the places */
	struct ttm_place place[2];
};

static void loom_bo_get_places(struct loom_bo *bo, enum ttm_bo_type type,
			       struct loom_bo_places *places)
{
	struct loom_device *ldev = to_loom_device(bo->ttm.base.dev);
	bool kernel = type == ttm_bo_type_kernel;
	bool visible = kernel || READ_ONCE(bo->cpu);

	*places = (struct loom_bo_places) {
		.base.num_placement = 1,
		.base.placement = places->place,
	};
	if (bo->placement == DRM_LOOM_PLACE_SYSTEM) {
		places->place[0].mem_type = LOOM_PL_SYSMEM;
		return;
	}
	places->place[0].mem_type = LOOM_PL_HBM;
	if (visible)
		places->place[0].lpfn = ldev->hbm.visible >> PAGE_SHIFT;
	else
		places->place[0].flags = TTM_PL_FLAG_TOPDOWN;
	if (kernel)
		return;
	/* When nobody can be put out of HBM, or when it is there already. */
	places->place[1].mem_type = LOOM_PL_SYSMEM;
	places->place[1].flags = TTM_PL_FLAG_FALLBACK;
	places->base.num_placement = 2;
}

/* TTM has one error for two kinds of memory. */
static int loom_bo_memory_error(struct loom_bo_places *places,
				struct loom_hbm *hbm, u64 size, int ret)
{
	if (ret == -ENOMEM && places->place[0].mem_type == LOOM_PL_HBM &&
	    loom_hbm_avail(hbm) < size)
		return -ENOSPC;
	return ret;
}

/**
 * loom_bo_validate() - have an object where the card can use it
 * @bo: locked
 *
 * In HBM if it is for HBM and there is room.  It does not push others out unless
 * it is nowhere the card could reach.
 *
 * Return: 0, -EIO if its contents are lost, -ENOSPC, -ENOMEM, -ERESTARTSYS.
 */
int loom_bo_validate(struct loom_bo *bo)
{
	struct loom_device *ldev = to_loom_device(bo->ttm.base.dev);
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct loom_bo_places places;
	int ret;

	if (READ_ONCE(bo->lost))
		return -EIO;
	/* A pinned object is where it can be used. */
	if (bo->ttm.pin_count)
		return 0;
	loom_bo_get_places(bo, bo->ttm.type, &places);
	ret = ttm_bo_validate(&bo->ttm, &places.base, &ctx);
	return loom_bo_memory_error(&places, &ldev->hbm, bo->ttm.base.size, ret);
}

/* Its memory is @res from now on.  Locked. */
void loom_bo_has_moved(struct loom_bo *bo, struct ttm_resource *res)
{
	WRITE_ONCE(bo->resident, res->mem_type == LOOM_PL_HBM ?
		   DRM_LOOM_PLACE_HBM : DRM_LOOM_PLACE_SYSTEM);
}

/* For HBM and not in it? */
bool loom_bo_is_displaced(const struct loom_bo *bo)
{
	return bo->placement == DRM_LOOM_PLACE_HBM &&
	       READ_ONCE(bo->resident) != DRM_LOOM_PLACE_HBM;
}

/* Its contents are gone.  In the fence signalling path. */
void loom_bo_lose(struct loom_bo *bo)
{
	WRITE_ONCE(bo->lost, true);
	smp_wmb();	/* pairs with loom_rebind_check_lost() */
	atomic_inc(&to_loom_device(bo->ttm.base.dev)->num_lost);
}

/* Give @bo its memory, locked.  On failure @bo is gone. */
static int loom_bo_init(struct loom_device *ldev, struct loom_bo *bo,
			enum ttm_bo_type type, u64 align, struct sg_table *sg,
			struct dma_resv *resv)
{
	struct ttm_operation_ctx ctx = {
		.interruptible = true,
		/* Others of the VM, which is locked, may be put out too. */
		.allow_res_evict = resv,
		.resv = resv,
	};
	struct loom_bo_places places;
	u64 size = bo->ttm.base.size;
	int ret;

	loom_bo_get_places(bo, type, &places);
	ret = ttm_bo_init_reserved(&ldev->ttm, &bo->ttm, type, &places.base,
				   align >> PAGE_SHIFT, &ctx, sg, resv,
				   loom_bo_destroy);
	return loom_bo_memory_error(&places, &ldev->hbm, size, ret);
}

/* Who was here before may still be on the way out. */
static int loom_bo_clear_now(struct loom_device *ldev, struct loom_bo *bo)
{
	long ret;

	ret = dma_resv_wait_timeout(bo->ttm.base.resv, DMA_RESV_USAGE_KERNEL,
				    true, MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;
	loom_hbm_clear(&ldev->hbm, bo->ttm.resource);
	return 0;
}

/**
 * loom_bo_create_kernel() - a zeroed, contiguous piece of HBM for the driver
 * @ldev: the card, inside drm_dev_enter()
 * @size: bytes, a power of two
 *
 * It is in the visible part and never moves.
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
	ret = loom_bo_init(ldev, bo, ttm_bo_type_kernel, size, NULL, NULL);
	if (ret)
		return ERR_PTR(ret);
	ret = loom_bo_clear_now(ldev, bo);
	ttm_bo_unreserve(&bo->ttm);
	if (ret) {
		loom_bo_put(bo);
		return ERR_PTR(ret);
	}
	return bo;
}

/**
 * loom_bo_create_imported() - an object whose memory is another's
 * @ldev: the card, inside drm_dev_enter()
 * @size: bytes
 * @sg: the memory, mapped for the card
 * @resv: the dma-buf's, not locked
 *
 * Return: the object or an error; then @sg is still the caller's.
 */
struct loom_bo *loom_bo_create_imported(struct loom_device *ldev, u64 size,
					struct sg_table *sg,
					struct dma_resv *resv)
{
	struct loom_bo *bo;
	int ret;

	bo = loom_bo_alloc(ldev, size, DRM_LOOM_PLACE_SYSTEM);
	if (IS_ERR(bo))
		return bo;
	dma_resv_lock(resv, NULL);
	ret = loom_bo_init(ldev, bo, ttm_bo_type_sg, PAGE_SIZE, sg, resv);
	dma_resv_unlock(resv);
	return ret ? ERR_PTR(ret) : bo;
}

/* Pages of system memory come zeroed. */
static int loom_bo_clear(struct loom_bo *bo)
{
	struct dma_resv *resv = bo->ttm.base.resv;
	struct dma_fence *fence;
	int ret;

	if (bo->ttm.resource->mem_type != LOOM_PL_HBM)
		return 0;
	ret = dma_resv_reserve_fences(resv, 1);
	if (ret)
		return ret;
	fence = loom_copy_clear(bo);
	if (IS_ERR(fence))
		return PTR_ERR(fence);
	dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_KERNEL);
	dma_fence_put(fence);
	return 0;
}

/* On failure @bo is gone. */
static int loom_bo_init_user_locked(struct loom_device *ldev, struct loom_bo *bo,
				    struct dma_resv *resv)
{
	int ret;

	ret = loom_bo_init(ldev, bo, ttm_bo_type_device, PAGE_SIZE, NULL,
			   resv);
	if (ret)
		return ret;
	ret = loom_bo_clear(bo);
	if (!resv)
		dma_resv_unlock(bo->ttm.base.resv);
	/* With the lock of a VM held this is not the object's last breath. */
	if (ret)
		loom_bo_put(bo);
	return ret;
}

static int loom_bo_init_user(struct loom_device *ldev, struct loom_bo *bo,
			     struct loom_vm *vm)
{
	struct drm_gem_object *root;
	int ret;

	if (!vm)
		return loom_bo_init_user_locked(ldev, bo, NULL);
	root = drm_gpuvm_resv_obj(&vm->base);
	ret = dma_resv_lock_interruptible(root->resv, NULL);
	if (ret) {
		drm_gem_object_release(loom_bo_gem(bo));
		kfree(bo);
		return ret;
	}
	drm_gem_object_get(root);
	bo->vm_root = root;
	ret = loom_bo_init_user_locked(ldev, bo, root->resv);
	dma_resv_unlock(root->resv);
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
	WRITE_ONCE(to_loom_bo(obj)->cpu, true);
	args->offset = drm_vma_node_offset_addr(&obj->vma_node);
	drm_gem_object_put(obj);
	return 0;
}

static u32 loom_bo_flags(const struct loom_bo *bo)
{
	u32 flags = 0;

	if (bo->ttm.pin_count)
		flags |= DRM_LOOM_BO_PINNED;
	if (bo->ttm.base.import_attach)
		flags |= DRM_LOOM_BO_IMPORTED;
	if (READ_ONCE(bo->lost))
		flags |= DRM_LOOM_BO_LOST;
	return flags;
}

/* The label is copied out without lock: page faults take it. */
static void loom_bo_fill_info(struct loom_bo *bo, struct drm_loom_bo_info *args,
			      char label[DRM_LOOM_MAX_LABEL])
{
	size_t len = bo->label ? strlen(bo->label) : 0;

	args->placement = bo->placement;
	args->size = bo->ttm.base.size;
	args->resident = bo->resident;
	args->flags = loom_bo_flags(bo);
	if (len)
		memcpy(label, bo->label, len);
	args->label_size = len;
}

static int loom_bo_info(struct loom_bo *bo, struct drm_loom_bo_info *args)
{
	char label[DRM_LOOM_MAX_LABEL];
	u32 room = args->label_size;
	int ret;

	ret = ttm_bo_reserve(&bo->ttm, true, false, NULL);
	if (ret)
		return ret;
	loom_bo_fill_info(bo, args, label);
	ttm_bo_unreserve(&bo->ttm);
	if (args->label &&
	    copy_to_user(u64_to_user_ptr(args->label), label,
			 min(room, args->label_size)))
		return -EFAULT;
	return 0;
}

int loom_bo_ioctl_info(struct drm_device *drm, void *data,
		       struct drm_file *file)
{
	struct drm_loom_bo_info *args = data;
	struct drm_gem_object *obj;
	int ret;

	if (args->pad || (!args->label && args->label_size))
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	ret = loom_bo_info(to_loom_bo(obj), args);
	drm_gem_object_put(obj);
	return ret;
}

/* A copy of the caller's label, NULL for none. */
static char *loom_bo_get_label(const struct drm_loom_bo_set_label *args)
{
	char *label;

	if (!args->size)
		return args->label ? ERR_PTR(-EINVAL) : NULL;
	if (args->size > DRM_LOOM_MAX_LABEL)
		return ERR_PTR(-E2BIG);
	label = memdup_user_nul(u64_to_user_ptr(args->label), args->size);
	if (!IS_ERR(label) && strlen(label) != args->size) {
		kfree(label);
		return ERR_PTR(-EINVAL);
	}
	return label;
}

int loom_bo_ioctl_set_label(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct drm_loom_bo_set_label *args = data;
	struct drm_gem_object *obj;
	struct loom_bo *bo;
	char *label;
	int ret;

	label = loom_bo_get_label(args);
	if (IS_ERR(label))
		return PTR_ERR(label);
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj) {
		kfree(label);
		return -ENOENT;
	}
	bo = to_loom_bo(obj);
	ret = ttm_bo_reserve(&bo->ttm, true, false, NULL);
	if (!ret) {
		swap(bo->label, label);
		ttm_bo_unreserve(&bo->ttm);
	}
	drm_gem_object_put(obj);
	kfree(label);
	return ret;
}
