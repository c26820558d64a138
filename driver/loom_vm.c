// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Address spaces
 *
 * A VM is a hardware context, its page tables, and a drm_gpuvm that says what
 * they should contain.  It ends when its handle is gone and no queue or bind
 * job needs it: then it is taken apart by a work item, because the last
 * reference may be dropped where one cannot sleep on a dma_resv.
 *
 * Locking, from the outside in:
 *
 *   loom_vm.lock
 *     dma_resv of the VM (drm_gpuvm_resv())
 *       dma_resv of objects that have their own
 *
 * loom_vm.lock is held over each change of the tree; submits do not take it.
 * The lists of mappings of an object are protected by the object's dma_resv,
 * the list of foreign objects of the VM by drm_gpuvm's own spinlock.
 */
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>

#include <drm/drm_drv.h>

#include <drm/loom_accel.h>

#include "loom_bind.h"
#include "loom_bo.h"
#include "loom_compat.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_file.h"
#include "loom_mmu.h"
#include "loom_pm.h"
#include "loom_queue.h"
#include "loom_rebind.h"
#include "loom_vm.h"

/* The end ----------------------------------------------------------------- */

static void loom_vm_remove_vma(struct drm_gpuva *va)
{
	struct drm_gem_object *obj = va->gem.obj;

	drm_gpuva_remove(va);
	if (obj) {
		/* Unlinking may drop the object under its own lock. */
		drm_gem_object_get(obj);
		dma_resv_lock(obj->resv, NULL);
		drm_gpuva_unlink(va);
		dma_resv_unlock(obj->resv);
		drm_gem_object_put(obj);
	}
	kfree(container_of(va, struct loom_vma, base));
}

static void loom_vm_remove_all(struct loom_vm *vm)
{
	struct drm_gpuva *va, *next;

	drm_gpuvm_for_each_va_safe(va, next, &vm->base)
		loom_vm_remove_vma(va);
}

static void loom_vm_disable(struct loom_vm *vm)
{
	struct loom_device *ldev = vm->ldev;
	int idx;

	if (loom_pm_get(ldev))
		return;
	if (drm_dev_enter(&ldev->drm, &idx)) {
		loom_ctx_clear_root(vm->ctx);
		drm_dev_exit(idx);
	}
	loom_pm_put(ldev);
}

static void loom_vm_release(struct work_struct *work)
{
	struct loom_vm *vm = container_of(work, struct loom_vm, release);

	drm_sched_entity_fini(&vm->binds);
	dma_fence_put(vm->last_bind);
	loom_vm_disable(vm);
	loom_vm_remove_all(vm);
	loom_mmu_destroy(vm->mmu);
	loom_ctx_put(vm->ctx, true);
	drm_gpuvm_put(&vm->base);
}

static void loom_vm_free(struct drm_gpuvm *gpuvm)
{
	struct loom_vm *vm = to_loom_vm(gpuvm);
	struct loom_device *ldev = vm->ldev;

	mutex_destroy(&vm->lock);
	kfree(vm);
	drm_dev_put(&ldev->drm);
}

static const struct drm_gpuvm_ops loom_vm_ops = {
	.vm_free = loom_vm_free,
	.vm_bo_validate = loom_rebind_validate,
	LOOM_BIND_GPUVM_STEPS,
};

static void loom_vm_last_put(struct kref *ref)
{
	struct loom_vm *vm = container_of(ref, struct loom_vm, ref);

	queue_work(loom_release_wq, &vm->release);
}

struct loom_vm *loom_vm_get(struct loom_vm *vm)
{
	kref_get(&vm->ref);
	return vm;
}

void loom_vm_put(struct loom_vm *vm)
{
	if (vm)
		kref_put(&vm->ref, loom_vm_last_put);
}

/* The beginning ----------------------------------------------------------- */

/* What drm_gpuvm needs: the VM can be put by drm_gpuvm_put() from here on. */
static struct loom_vm *loom_vm_alloc(struct loom_device *ldev)
{
	struct drm_gem_object *root;
	struct loom_vm *vm;

	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return ERR_PTR(-ENOMEM);
	root = drm_gpuvm_resv_object_alloc(&ldev->drm);
	if (!root) {
		kfree(vm);
		return ERR_PTR(-ENOMEM);
	}
	drm_dev_get(&ldev->drm);
	vm->ldev = ldev;
	kref_init(&vm->ref);
	mutex_init(&vm->lock);
	INIT_WORK(&vm->release, loom_vm_release);
	drm_gpuvm_init(&vm->base, "loom", 0, &ldev->drm, root, LOOM_VA_START,
		       LOOM_VA_END - LOOM_VA_START, 0, 0, &loom_vm_ops);
	drm_gem_object_put(root);
	return vm;
}

static int loom_vm_init_hw(struct loom_vm *vm)
{
	struct drm_gpu_scheduler *sched;
	int ret;

	vm->mmu = loom_mmu_create(vm->ldev);
	if (IS_ERR(vm->mmu))
		return PTR_ERR(vm->mmu);
	vm->ctx = loom_ctx_get(vm->ldev);
	if (IS_ERR(vm->ctx)) {
		ret = PTR_ERR(vm->ctx);
		goto err_destroy_mmu;
	}
	sched = vm->ctx->sched;
	ret = drm_sched_entity_init(&vm->binds, DRM_SCHED_PRIORITY_KERNEL,
				    &sched, 1, NULL);
	if (ret)
		goto err_put_ctx;
	loom_ctx_set_root(vm->ctx, loom_mmu_root(vm->mmu));
	return 0;

err_put_ctx:
	loom_ctx_put(vm->ctx, false);
err_destroy_mmu:
	loom_mmu_destroy(vm->mmu);
	return ret;
}

static struct loom_vm *loom_vm_create(struct loom_device *ldev)
{
	struct loom_vm *vm;
	int ret;

	vm = loom_vm_alloc(ldev);
	if (IS_ERR(vm))
		return vm;
	ret = loom_vm_init_hw(vm);
	if (ret) {
		drm_gpuvm_put(&vm->base);
		return ERR_PTR(ret);
	}
	return vm;
}

/* Handles ----------------------------------------------------------------- */

/* The VM with handle @id, or NULL; the caller puts it. */
struct loom_vm *loom_vm_lookup(struct drm_file *file, u32 id)
{
	struct loom_file *lfile = to_loom_file(file);
	struct loom_vm *vm;

	xa_lock(&lfile->vms);
	vm = xa_load(&lfile->vms, id);
	if (vm)
		loom_vm_get(vm);
	xa_unlock(&lfile->vms);
	return vm;
}

/* The handle is gone: no binds, no new queues.  Drops the handle's reference. */
void loom_vm_close(struct loom_vm *vm)
{
	WRITE_ONCE(vm->closed, true);
	loom_slots_leave(&vm->ldev->ctx_slots);
	loom_vm_put(vm);
}

static int loom_vm_create_handle(struct loom_device *ldev,
				 struct drm_file *file, u32 *id)
{
	struct loom_vm *vm;
	int ret;

	vm = loom_vm_create(ldev);
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	ret = loom_file_add(&to_loom_file(file)->vms, vm, id);
	if (ret)
		loom_vm_close(vm);
	return ret;
}

int loom_vm_ioctl_create(struct drm_device *drm, void *data,
			 struct drm_file *file)
{
	struct drm_loom_vm_create *args = data;
	int idx, ret;

	if (args->flags)
		return -EINVAL;
	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	ret = loom_vm_create_handle(to_loom_device(drm), file, &args->id);
	drm_dev_exit(idx);
	return ret;
}

int loom_vm_ioctl_destroy(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct drm_loom_vm_destroy *args = data;
	struct loom_file *lfile = to_loom_file(file);
	struct loom_vm *vm;

	if (args->pad)
		return -EINVAL;
	vm = xa_erase(&lfile->vms, args->id);
	if (!vm)
		return -ENOENT;
	loom_vm_get(vm);
	loom_vm_close(vm);
	loom_queue_ban_all(lfile, vm);
	loom_vm_put(vm);
	return 0;
}

static void loom_vm_fill_state(struct loom_vm *vm, struct drm_loom_vm_state *args)
{
	struct drm_gpuva *va;

	lockdep_assert_held(&vm->lock);
	args->state = READ_ONCE(vm->unusable) ? DRM_LOOM_VM_UNUSABLE : 0;
	args->mapped = 0;
	args->displaced = 0;
	drm_gpuvm_for_each_va(va, &vm->base) {
		args->mapped += va->va.range;
		if (va->gem.obj && loom_bo_is_displaced(to_loom_bo(va->gem.obj)))
			args->displaced += va->va.range;
	}
}

int loom_vm_ioctl_state(struct drm_device *drm, void *data,
			struct drm_file *file)
{
	struct drm_loom_vm_state *args = data;
	struct loom_vm *vm;
	int ret;

	vm = loom_vm_lookup(file, args->id);
	if (!vm)
		return -ENOENT;
	ret = mutex_lock_interruptible(&vm->lock);
	if (!ret) {
		loom_vm_fill_state(vm, args);
		mutex_unlock(&vm->lock);
	}
	loom_vm_put(vm);
	return ret;
}
