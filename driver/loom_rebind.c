// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Rebinds
 *
 * An object that moves is put on the evicted list of each VM it is mapped in
 * (loom_ttm.c).  What the page table says of it is wrong from then on, and must
 * not be used: the move waits for the jobs before it, and no later job of the VM
 * begins before this:
 *
 *   1. the object is validated: brought to where the card can use it
 *   2. its mappings are marked as stale
 *   3. a job of the VM's bind queue writes them again, after the moves
 *
 * The job's fence is a kernel fence of the VM's dma_resv, for which all later
 * submits wait.
 *
 * Objects that are in system memory because HBM was full are tried again when
 * some of it has been freed.
 *
 * Locking: as for binds.  loom_vm.lock is taken, so a submit that finds that it
 * needs this must drop its locks first.
 */
#include <linux/dma-resv.h>

#include <drm/drm_exec.h>
#include <drm/drm_gpuvm.h>

#include <drm/loom_accel.h>

#include "loom_bind.h"
#include "loom_bo.h"
#include "loom_compat.h"
#include "loom_device.h"
#include "loom_mmu.h"
#include "loom_rebind.h"
#include "loom_vm.h"

/* May a job of @vm not begin?  The VM and all its objects are locked. */
bool loom_rebind_is_needed(struct loom_vm *vm)
{
	return vm->stale || !list_empty(&vm->base.evict.list) ||
	       vm->num_lost != atomic_read(&vm->ldev->num_lost);
}

/* May objects of @vm that are not in HBM find room there now? */
bool loom_rebind_is_useful(struct loom_vm *vm)
{
	return READ_ONCE(vm->displaced) &&
	       READ_ONCE(vm->hbm_frees) != READ_ONCE(vm->ldev->hbm.frees);
}

/* What drm_gpuvm_validate() calls for each object on the evicted list. */
int loom_rebind_validate(struct drm_gpuvm_bo *vm_bo, struct drm_exec *exec)
{
	struct loom_vm *vm = to_loom_vm(vm_bo->vm);
	struct loom_bo *bo = to_loom_bo(vm_bo->obj);
	struct drm_gpuva *va;
	int ret;

	ret = loom_bo_validate(bo);
	if (ret)
		return ret;
	if (loom_bo_is_displaced(bo))
		vm->displaced = true;
	drm_gpuvm_bo_for_each_va(va, vm_bo)
		to_loom_vma(va)->stale = true;
	vm->stale = true;
	drm_gpuvm_bo_evict(vm_bo, false);
	return 0;
}

static void loom_rebind_retry_displaced(struct loom_vm *vm)
{
	struct drm_gpuva *va;

	if (!loom_rebind_is_useful(vm))
		return;
	drm_gpuvm_for_each_va(va, &vm->base)
		if (va->gem.obj && loom_bo_is_displaced(to_loom_bo(va->gem.obj)))
			drm_gpuvm_bo_evict(va->vm_bo, true);
	vm->displaced = false;
	vm->hbm_frees = READ_ONCE(vm->ldev->hbm.frees);
}

/* Is the memory of all that is mapped what its owner left there? */
static int loom_rebind_check_lost(struct loom_vm *vm)
{
	int num_lost = atomic_read(&vm->ldev->num_lost);
	struct drm_gpuva *va;

	if (vm->num_lost == num_lost)
		return 0;
	smp_rmb();	/* pairs with loom_bo_lose(): the count before the objects */
	drm_gpuvm_for_each_va(va, &vm->base) {
		if (!va->gem.obj || !READ_ONCE(to_loom_bo(va->gem.obj)->lost))
			continue;
		WRITE_ONCE(vm->unusable, true);
		return -ECANCELED;
	}
	vm->num_lost = num_lost;
	return 0;
}

static int loom_rebind_fill_op(struct loom_bind_op *op, struct loom_vm *vm,
			       struct drm_gpuva *va)
{
	int ret;

	drm_gem_object_get(va->gem.obj);
	op->vm = vm;
	op->is_map = true;
	op->bo = to_loom_bo(va->gem.obj);
	op->bo_offset = va->gem.offset;
	op->map.va = va->va.addr;
	op->map.end = va->va.addr + va->va.range;
	op->map.readonly = to_loom_vma(va)->flags & DRM_LOOM_VM_MAP_READONLY;
	ret = loom_bind_op_note(op);
	return ret ?: loom_mmu_prepare_map(vm->mmu, &op->map);
}

static u32 loom_rebind_count(struct loom_vm *vm)
{
	struct drm_gpuva *va;
	u32 num = 0;

	drm_gpuvm_for_each_va(va, &vm->base)
		num += to_loom_vma(va)->stale;
	return num;
}

static int loom_rebind_fill(struct loom_bind *bind)
{
	struct drm_gpuva *va;
	int ret = 0;
	u32 i = 0;

	drm_gpuvm_for_each_va(va, &bind->vm->base) {
		if (!to_loom_vma(va)->stale)
			continue;
		ret = loom_rebind_fill_op(&bind->op[i++], bind->vm, va);
		if (ret)
			break;
	}
	return ret;
}

/* After the moves of all that is locked. */
static int loom_rebind_init_job(struct loom_bind *bind, struct drm_exec *exec)
{
	struct drm_gem_object *obj;
	int ret;

	ret = loom_bind_init_job(bind, bind->vm, 0);
	if (ret)
		return ret;
	loom_exec_for_each_locked(exec, obj) {
		ret = drm_sched_job_add_resv_dependencies(&bind->base, obj->resv,
							  DMA_RESV_USAGE_KERNEL);
		if (ret)
			return ret;
	}
	return loom_bind_reserve(exec);
}

static void loom_rebind_clear_stale(struct loom_vm *vm)
{
	struct drm_gpuva *va;

	drm_gpuvm_for_each_va(va, &vm->base)
		to_loom_vma(va)->stale = false;
	vm->stale = false;
}

/* Queue the job that maps again what is stale. */
static int loom_rebind_queue(struct loom_vm *vm, struct drm_exec *exec)
{
	struct loom_bind *bind;
	int ret;

	bind = loom_bind_create(vm, loom_rebind_count(vm));
	if (IS_ERR(bind))
		return PTR_ERR(bind);
	ret = loom_rebind_fill(bind);
	if (!ret)
		ret = loom_rebind_init_job(bind, exec);
	if (ret) {
		loom_bind_destroy(bind);
		return ret;
	}
	loom_rebind_clear_stale(vm);
	loom_bind_push(bind, exec, DMA_RESV_USAGE_KERNEL);
	return 0;
}

static int loom_rebind_locked(struct loom_vm *vm)
{
	struct drm_gpuvm_exec exec = {
		.vm = &vm->base,
		.flags = DRM_EXEC_INTERRUPTIBLE_WAIT,
		.num_fences = 1,
	};
	int ret;

	ret = drm_gpuvm_exec_lock(&exec);
	if (ret)
		return ret;
	loom_rebind_retry_displaced(vm);
	ret = loom_rebind_check_lost(vm);
	if (!ret)
		ret = drm_gpuvm_validate(&vm->base, &exec.exec);
	if (!ret && vm->stale)
		ret = loom_rebind_queue(vm, &exec.exec);
	drm_gpuvm_exec_unlock(&exec);
	return ret;
}

/**
 * loom_rebind() - make what the page tables say of moved objects true
 * @vm: not locked; inside drm_dev_enter()
 *
 * On return a job is queued that does it, for which later submits wait.
 *
 * Return: 0, -ECANCELED if contents of an object are lost, -ENOSPC, -ENOMEM,
 * -ERESTARTSYS.  After an error nothing is worse than before.
 */
int loom_rebind(struct loom_vm *vm)
{
	int ret;

	ret = mutex_lock_interruptible(&vm->lock);
	if (ret)
		return ret;
	ret = loom_rebind_locked(vm);
	mutex_unlock(&vm->lock);
	return ret;
}
