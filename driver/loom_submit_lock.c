// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Locks of a submit
 *
 * From the look whether a VM's objects are where its page table says, until the fence
 * of the last job is in their dma_resvs, nobody may move them: all are locked.  Most
 * have the dma_resv of their VM, which then is all there is to lock.
 *
 * Locking: the dma_resvs, inside loom_queue.submit_lock.  loom_rebind() runs without.
 */
#include <linux/dma-resv.h>

#include <drm/gpu_scheduler.h>

#include "loom_compat.h"
#include "loom_rebind.h"
#include "loom_submit_lock.h"
#include "loom_vm.h"

static int loom_submit_lock_shared(struct loom_submit_lock *lock,
				   struct loom_vm *vm)
{
	lock->has_shared = true;
	lock->exec = (struct drm_gpuvm_exec) {
		.vm = &vm->base,
		.flags = DRM_EXEC_INTERRUPTIBLE_WAIT,
		.num_fences = 1,
	};
	return drm_gpuvm_exec_lock(&lock->exec);
}

/* Objects are added to @vm, and walked, with its lock held. */
static int loom_submit_lock_objects(struct loom_submit_lock *lock,
				    struct loom_vm *vm)
{
	int ret;

	lock->resv = drm_gpuvm_resv(&vm->base);
	lock->has_shared = false;
	ret = dma_resv_lock_interruptible(lock->resv, NULL);
	if (ret)
		return ret;
	if (list_empty(&vm->base.extobj.list)) {
		ret = dma_resv_reserve_fences(lock->resv, 1);
		if (ret)
			dma_resv_unlock(lock->resv);
		return ret;
	}
	dma_resv_unlock(lock->resv);
	return loom_submit_lock_shared(lock, vm);
}

void loom_submit_unlock(struct loom_submit_lock *lock)
{
	if (lock->has_shared)
		drm_gpuvm_exec_unlock(&lock->exec);
	else
		dma_resv_unlock(lock->resv);
}

/* Its memory must not be reused before @fence has signalled. */
void loom_submit_add_fence(struct loom_submit_lock *lock, struct dma_fence *fence)
{
	if (lock->has_shared)
		drm_gpuvm_exec_resv_add_fence(&lock->exec, fence,
					      DMA_RESV_USAGE_BOOKKEEP,
					      DMA_RESV_USAGE_BOOKKEEP);
	else
		dma_resv_add_fence(lock->resv, fence, DMA_RESV_USAGE_BOOKKEEP);
}

/* Make @job wait for moves of whatever is locked. */
int loom_submit_wait_moves(struct loom_submit_lock *lock, struct drm_sched_job *job)
{
	struct drm_gem_object *obj;
	int ret;

	if (!lock->has_shared)
		return drm_sched_job_add_resv_dependencies(job, lock->resv,
							   DMA_RESV_USAGE_KERNEL);
	loom_exec_for_each_locked(&lock->exec.exec, obj) {
		ret = drm_sched_job_add_resv_dependencies(job, obj->resv,
							  DMA_RESV_USAGE_KERNEL);
		if (ret)
			return ret;
	}
	return 0;
}

static bool loom_submit_resv_is_still(struct dma_resv *resv)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_for_each_fence(&cursor, resv, DMA_RESV_USAGE_KERNEL, fence)
		if (!dma_fence_is_signaled(fence))
			return false;
	return true;
}

/* Is nothing that is locked on the move? */
bool loom_submit_moves_are_over(struct loom_submit_lock *lock)
{
	struct drm_gem_object *obj;

	if (!lock->has_shared)
		return loom_submit_resv_is_still(lock->resv);
	loom_exec_for_each_locked(&lock->exec.exec, obj)
		if (!loom_submit_resv_is_still(obj->resv))
			return false;
	return true;
}

/**
 * loom_submit_lock() - lock a VM and all its objects
 * @lock: for loom_submit_unlock(); not initialised
 * @vm: the VM, not locked; inside drm_dev_enter()
 *
 * What the page table says of them is true then, and there is room for one fence.
 *
 * Return: 0, -EINTR, -ERESTARTSYS, -ENOMEM, or what loom_rebind() returns.
 */
int loom_submit_lock(struct loom_submit_lock *lock, struct loom_vm *vm)
{
	bool useful = loom_rebind_is_useful(vm);
	int ret;

	for (;;) {
		ret = loom_submit_lock_objects(lock, vm);
		if (ret || (!useful && !loom_rebind_is_needed(vm)))
			return ret;
		loom_submit_unlock(lock);
		useful = false;
		ret = loom_rebind(vm);
		if (ret)
			return ret;
	}
}
