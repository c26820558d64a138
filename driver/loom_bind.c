// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Binds
 *
 * The tree of mappings changes in the ioctl, the page table when the bind runs:
 * in the ioctl too if it is synchronous, else in a job of the VM's bind queue.
 * All that can fail is done before the tree changes, so a bind happens wholly
 * or not at all:
 *
 *   1. check the operations, look up objects, allocate what the tree may need
 *   2. lock the VM's dma_resv and those of all objects concerned
 *   3. make the page tables that will be needed (loom_mmu_prepare_*())
 *   4. change the tree
 *   5. write the page table and make the card forget what it cached, or leave
 *      that to a job
 *
 * A synchronous bind first waits for the asynchronous ones before it.
 *
 * An object that moves afterwards is mapped again by loom_rebind.c.
 *
 * When memory may be reused: an object that is unmapped by a job gets the
 * job's fence, so TTM keeps its memory until the card has forgotten it.
 * Invalidation is a barrier: after it the card does not use old translations.
 */
#include <linux/dma-resv.h>
#include <linux/mm.h>

#include <drm/drm_drv.h>
#include <drm/drm_exec.h>
#include <drm/drm_file.h>

#include <drm/loom_accel.h>

#include "loom_bind.h"
#include "loom_bo.h"
#include "loom_compat.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_extents.h"
#include "loom_mmu.h"
#include "loom_sync.h"
#include "loom_trace.h"
#include "loom_uobj.h"
#include "loom_vm.h"

#define LOOM_BIND_MAP_FLAGS	(DRM_LOOM_VM_MAP_READONLY | DRM_LOOM_VM_MAP_SRAM)

static struct loom_bind *to_loom_bind(struct drm_sched_job *job)
{
	return container_of(job, struct loom_bind, base);
}

/* Making and freeing ------------------------------------------------------ */

static void loom_bind_free_dead(struct loom_bind_op *op)
{
	struct loom_vma *vma;

	while ((vma = op->dead)) {
		op->dead = vma->next;
		drm_gem_object_put(vma->base.gem.obj);
		kfree(vma);
	}
}

static void loom_bind_op_fini(struct loom_bind_op *op)
{
	unsigned int i;

	loom_bind_free_dead(op);
	for (i = 0; i < LOOM_BIND_VMAS; i++)
		kfree(op->vma[i]);
	loom_extents_free(op->map.memory);
	loom_bo_put(op->bo);
}

void loom_bind_destroy(struct loom_bind *bind)
{
	struct loom_device *ldev = bind->vm->ldev;
	bool is_job = bind->is_job;
	u32 i;

	if (is_job)
		drm_sched_job_cleanup(&bind->base);
	for (i = 0; i < bind->num_ops; i++)
		loom_bind_op_fini(&bind->op[i]);
	loom_vm_put(bind->vm);
	kvfree(bind);
	if (is_job)
		loom_device_job_put(ldev);
}

struct loom_bind *loom_bind_create(struct loom_vm *vm, u32 num_ops)
{
	struct loom_bind *bind;

	bind = kvzalloc(struct_size(bind, op, num_ops), GFP_KERNEL_ACCOUNT);
	if (!bind)
		return ERR_PTR(-ENOMEM);
	bind->vm = loom_vm_get(vm);
	bind->num_ops = num_ops;
	return bind;
}

static int loom_bind_op_alloc(struct loom_bind_op *op)
{
	unsigned int i;

	for (i = 0; i < LOOM_BIND_VMAS; i++) {
		op->vma[i] = kzalloc(sizeof(*op->vma[i]), GFP_KERNEL_ACCOUNT);
		if (!op->vma[i])
			return -ENOMEM;
	}
	return 0;
}

/* Checking ---------------------------------------------------------------- */

static int loom_bind_check_op(struct loom_vm *vm,
			      const struct drm_loom_vm_bind_op *uop)
{
	if (uop->pad || !uop->size ||
	    !PAGE_ALIGNED(uop->va | uop->size | uop->bo_offset))
		return -EINVAL;
	if (!drm_gpuvm_range_valid(&vm->base, uop->va, uop->size))
		return -EINVAL;
	switch (uop->op) {
	case DRM_LOOM_VM_BIND_MAP:
		return uop->flags & ~LOOM_BIND_MAP_FLAGS ? -EINVAL : 0;
	case DRM_LOOM_VM_BIND_UNMAP:
		return uop->flags || uop->handle || uop->bo_offset ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

static bool loom_bind_inside(const struct drm_loom_vm_bind_op *uop, u64 size)
{
	return uop->size <= size && uop->bo_offset <= size - uop->size;
}

static int loom_bind_op_find_bo(struct loom_bind_op *op, struct drm_file *file,
				const struct drm_loom_vm_bind_op *uop)
{
	struct drm_gem_object *obj;

	if (uop->flags & DRM_LOOM_VM_MAP_SRAM) {
		u64 size = op->vm->ldev->hw.sram_size;

		return uop->handle || !loom_bind_inside(uop, size) ? -EINVAL : 0;
	}
	obj = drm_gem_object_lookup(file, uop->handle);
	if (!obj)
		return -ENOENT;
	op->bo = to_loom_bo(obj);
	if (op->bo->vm_root &&
	    op->bo->vm_root != drm_gpuvm_resv_obj(&op->vm->base))
		return -EINVAL;
	return loom_bind_inside(uop, obj->size) ? 0 : -EINVAL;
}

static int loom_bind_op_init(struct loom_bind_op *op, struct loom_vm *vm,
			     struct drm_file *file,
			     const struct drm_loom_vm_bind_op *uop)
{
	int ret;

	ret = loom_bind_check_op(vm, uop);
	if (ret)
		return ret;
	op->vm = vm;
	op->is_map = uop->op == DRM_LOOM_VM_BIND_MAP;
	op->flags = uop->flags;
	op->map.va = uop->va;
	op->map.end = uop->va + uop->size;
	op->bo_offset = uop->bo_offset;
	op->map.readonly = uop->flags & DRM_LOOM_VM_MAP_READONLY;
	if (op->is_map)
		ret = loom_bind_op_find_bo(op, file, uop);
	return ret ?: loom_bind_op_alloc(op);
}

static struct loom_bind *loom_bind_parse(struct loom_vm *vm,
					 struct drm_file *file,
					 const struct drm_loom_obj_array *ops)
{
	struct drm_loom_vm_bind_op *uop;
	struct loom_bind *bind;
	int ret = 0;
	u32 i;

	uop = loom_uobj_get(ops, sizeof(*uop), 1, LOOM_MAX_BINDS);
	if (IS_ERR(uop))
		return ERR_CAST(uop);
	bind = loom_bind_create(vm, ops->count);
	if (IS_ERR(bind))
		goto out_free_uop;
	for (i = 0; !ret && i < ops->count; i++)
		ret = loom_bind_op_init(&bind->op[i], vm, file, &uop[i]);
	if (ret) {
		loom_bind_destroy(bind);
		bind = ERR_PTR(ret);
	}
out_free_uop:
	kvfree(uop);
	return bind;
}

/* Locking ----------------------------------------------------------------- */

static int loom_bind_lock_range(struct loom_bind_op *op, struct drm_exec *exec)
{
	struct drm_gpuva *va;
	int ret;

	drm_gpuvm_for_each_va_range(va, &op->vm->base, op->map.va, op->map.end) {
		if (!va->gem.obj)
			continue;
		ret = drm_exec_prepare_obj(exec, va->gem.obj, 1);
		if (ret)
			return ret;
	}
	return 0;
}

static int loom_bind_lock_all(struct loom_bind *bind, struct drm_exec *exec)
{
	int ret;
	u32 i;

	ret = drm_gpuvm_prepare_vm(&bind->vm->base, exec, 1);
	for (i = 0; !ret && i < bind->num_ops; i++) {
		struct loom_bind_op *op = &bind->op[i];

		if (op->bo)
			ret = drm_exec_prepare_obj(exec, loom_bo_gem(op->bo), 1);
		if (!ret)
			ret = loom_bind_lock_range(op, exec);
	}
	return ret;
}

/* Each locked object has room for one fence.  On failure nothing is locked. */
static int loom_bind_lock(struct loom_bind *bind, struct drm_exec *exec)
{
	int ret = 0;

	drm_exec_init(exec, DRM_EXEC_INTERRUPTIBLE_WAIT |
			    DRM_EXEC_IGNORE_DUPLICATES, 0);
	drm_exec_until_all_locked(exec) {
		ret = loom_bind_lock_all(bind, exec);
		drm_exec_retry_on_contention(exec);
		if (ret)
			break;
	}
	if (ret)
		drm_exec_fini(exec);
	return ret;
}

/* Preparing --------------------------------------------------------------- */

/* Note where the memory is; its object is locked. */
int loom_bind_op_note(struct loom_bind_op *op)
{
	u64 size = op->map.end - op->map.va;
	struct loom_extents *memory;

	if (op->bo)
		memory = loom_extents_of(op->vm->ldev, op->bo->ttm.resource,
					 op->bo->ttm.ttm, op->bo_offset, size);
	else
		memory = loom_extents_of_sram(op->bo_offset, size);
	if (IS_ERR(memory))
		return PTR_ERR(memory);
	op->map.memory = memory;
	return 0;
}

static int loom_bind_op_add_bo(struct loom_bind_op *op)
{
	struct drm_gpuvm_bo *vm_bo;
	int ret;

	ret = loom_bo_validate(op->bo);
	if (ret)
		return ret;
	vm_bo = loom_gpuvm_bo_obtain(&op->vm->base, loom_bo_gem(op->bo));
	if (IS_ERR(vm_bo))
		return PTR_ERR(vm_bo);
	op->vm_bo = vm_bo;
	drm_gpuvm_bo_extobj_add(vm_bo);
	return 0;
}

static int loom_bind_op_prepare(struct loom_bind_op *op)
{
	int ret = 0;

	if (!op->is_map)
		return loom_mmu_prepare_unmap(op->vm->mmu, op->map.va,
					      op->map.end);
	if (op->bo)
		ret = loom_bind_op_add_bo(op);
	if (!ret)
		ret = loom_bind_op_note(op);
	if (!ret)
		ret = loom_mmu_prepare_map(op->vm->mmu, &op->map);
	return ret;
}

/* Locked: undoes loom_bind_prepare(), or gives its references to the tree. */
static void loom_bind_put_vm_bos(struct loom_bind *bind)
{
	u32 i;

	for (i = 0; i < bind->num_ops; i++) {
		if (bind->op[i].vm_bo)
			drm_gpuvm_bo_put(bind->op[i].vm_bo);
		bind->op[i].vm_bo = NULL;
	}
}

/* Moves that preparing started have used the room for fences there was. */
int loom_bind_reserve(struct drm_exec *exec)
{
	struct drm_gem_object *obj;
	int ret = 0;

	loom_exec_for_each_locked(exec, obj) {
		ret = dma_resv_reserve_fences(obj->resv, 1);
		if (ret)
			break;
	}
	return ret;
}

static int loom_bind_prepare(struct loom_bind *bind, struct drm_exec *exec)
{
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < bind->num_ops; i++)
		ret = loom_bind_op_prepare(&bind->op[i]);
	if (!ret)
		ret = loom_bind_reserve(exec);
	if (ret)
		loom_bind_put_vm_bos(bind);
	return ret;
}

/* The tree ---------------------------------------------------------------- */

static struct loom_vma *loom_bind_op_take_vma(struct loom_bind_op *op, u32 flags,
					      bool stale)
{
	struct loom_vma *vma = NULL;
	unsigned int i;

	for (i = 0; !vma && i < LOOM_BIND_VMAS; i++)
		swap(vma, op->vma[i]);
	vma->flags = flags;
	vma->stale = stale;
	return vma;
}

int loom_bind_step_map(struct drm_gpuva_op *gop, void *priv)
{
	struct loom_bind_op *op = priv;
	struct loom_vma *vma = loom_bind_op_take_vma(op, op->flags, false);

	drm_gpuva_map(&op->vm->base, &vma->base, &gop->map);
	drm_gpuva_link(&vma->base, op->vm_bo);
	return 0;
}

/*
 * Its object may go with it, but not before all locks are released: lockdep knows the
 * locks of a transaction by the first of them, and that may be the object's.
 */
static void loom_bind_op_bury(struct loom_bind_op *op, struct drm_gpuva *va)
{
	struct loom_vma *vma = to_loom_vma(va);

	if (va->gem.obj)
		drm_gem_object_get(va->gem.obj);
	drm_gpuva_unlink(va);
	vma->next = op->dead;
	op->dead = vma;
}

int loom_bind_step_unmap(struct drm_gpuva_op *gop, void *priv)
{
	drm_gpuva_unmap(&gop->unmap);
	loom_bind_op_bury(priv, gop->unmap.va);
	return 0;
}

int loom_bind_step_remap(struct drm_gpuva_op *gop, void *priv)
{
	struct drm_gpuva *va = gop->remap.unmap->va;
	struct loom_vma *old = to_loom_vma(va);
	struct drm_gpuva *prev = NULL, *next = NULL;
	struct loom_bind_op *op = priv;

	if (gop->remap.prev)
		prev = &loom_bind_op_take_vma(op, old->flags, old->stale)->base;
	if (gop->remap.next)
		next = &loom_bind_op_take_vma(op, old->flags, old->stale)->base;
	drm_gpuva_remap(prev, next, &gop->remap);
	if (prev)
		drm_gpuva_link(prev, va->vm_bo);
	if (next)
		drm_gpuva_link(next, va->vm_bo);
	loom_bind_op_bury(op, va);
	return 0;
}

static int loom_bind_op_commit(struct loom_bind_op *op)
{
	u64 size = op->map.end - op->map.va;
	struct drm_gem_object *obj = NULL;

	trace_loom_vm_bind(op->vm->ldev->drm.dev, op->vm->ctx->id, op->is_map,
			   op->map.va, op->map.end);
	if (!op->is_map)
		return drm_gpuvm_sm_unmap(&op->vm->base, op, op->map.va, size);
	if (op->bo)
		obj = loom_bo_gem(op->bo);
	return loom_gpuvm_sm_map(&op->vm->base, op, op->map.va, size, obj,
				 op->bo_offset);
}

/* Cannot fail: ranges are checked and the steps only use what they were given. */
static void loom_bind_commit(struct loom_bind *bind)
{
	u32 i;

	for (i = 0; i < bind->num_ops; i++)
		WARN_ON_ONCE(loom_bind_op_commit(&bind->op[i]));
	loom_bind_put_vm_bos(bind);
}

/* The page table ---------------------------------------------------------- */

/* Only inside drm_dev_enter(). */
static void loom_bind_write(struct loom_bind *bind)
{
	struct loom_mmu *mmu = bind->vm->mmu;
	u32 i;

	loom_device_hw_get(bind->vm->ldev);
	for (i = 0; i < bind->num_ops; i++) {
		const struct loom_bind_op *op = &bind->op[i];

		if (op->is_map)
			loom_mmu_write_map(mmu, &op->map);
		else
			loom_mmu_write_unmap(mmu, op->map.va, op->map.end);
	}
	loom_ctx_invalidate(bind->vm->ctx);
	loom_device_hw_put(bind->vm->ldev);
}

static struct dma_fence *loom_bind_run_job(struct drm_sched_job *job)
{
	struct loom_bind *bind = to_loom_bind(job);
	struct dma_fence *ret = NULL;
	bool cookie;
	int idx;

	cookie = dma_fence_begin_signalling();
	if (drm_dev_enter(&bind->vm->ldev->drm, &idx)) {
		loom_bind_write(bind);
		drm_dev_exit(idx);
	} else {
		ret = ERR_PTR(-ENODEV);
	}
	dma_fence_end_signalling(cookie);
	return ret;
}

static void loom_bind_free_job(struct drm_sched_job *job)
{
	loom_bind_destroy(to_loom_bind(job));
}

const struct drm_sched_backend_ops loom_bind_sched_ops = {
	.run_job = loom_bind_run_job,
	.free_job = loom_bind_free_job,
};

/* Synchronous ------------------------------------------------------------- */

static int loom_bind_apply(struct loom_bind *bind)
{
	struct drm_exec exec;
	int ret;

	ret = loom_bind_lock(bind, &exec);
	if (ret)
		return ret;
	ret = loom_bind_prepare(bind, &exec);
	if (!ret) {
		loom_bind_commit(bind);
		loom_bind_write(bind);
	}
	drm_exec_fini(&exec);
	return ret;
}

static int loom_bind_sync_locked(struct loom_bind *bind)
{
	struct loom_vm *vm = bind->vm;
	int idx, ret;

	/* Interrupted here nothing has happened: the ioctl may be restarted. */
	if (vm->last_bind) {
		ret = dma_fence_wait(vm->last_bind, true);
		if (ret)
			return ret;
	}
	if (!drm_dev_enter(&vm->ldev->drm, &idx))
		return -ENODEV;
	ret = loom_bind_apply(bind);
	drm_dev_exit(idx);
	return ret;
}

static int loom_bind_sync(struct loom_bind *bind)
{
	int ret;

	ret = mutex_lock_interruptible(&bind->vm->lock);
	if (!ret) {
		ret = loom_bind_sync_locked(bind);
		mutex_unlock(&bind->vm->lock);
	}
	loom_bind_destroy(bind);
	return ret;
}

/* Asynchronous ------------------------------------------------------------ */

/**
 * loom_bind_push() - arm a bind's job and give it to the scheduler; cannot fail
 * @bind: prepared
 * @exec: all objects concerned are locked, with room for a fence
 * @usage: of its fence in the VM's dma_resv
 *
 * Return: the job's fence, good as long as the VM is locked.
 */
struct dma_fence *loom_bind_push(struct loom_bind *bind, struct drm_exec *exec,
				 enum dma_resv_usage usage)
{
	struct loom_vm *vm = bind->vm;
	struct dma_fence *done;
	bool cookie;

	cookie = dma_fence_begin_signalling();
	drm_sched_job_arm(&bind->base);
	done = &bind->base.s_fence->finished;
	drm_gpuvm_resv_add_fence(&vm->base, exec, done, usage,
				 DMA_RESV_USAGE_BOOKKEEP);
	dma_fence_put(vm->last_bind);
	vm->last_bind = dma_fence_get(done);
	drm_sched_entity_push_job(&bind->base);
	dma_fence_end_signalling(cookie);
	return done;
}

static int loom_bind_queue_locked(struct loom_bind *bind,
				  struct loom_sync_list *syncs)
{
	struct drm_exec exec;
	int ret;

	ret = loom_bind_lock(bind, &exec);
	if (ret)
		return ret;
	ret = loom_bind_prepare(bind, &exec);
	if (!ret) {
		struct dma_fence *done;

		loom_bind_commit(bind);
		done = loom_bind_push(bind, &exec, DMA_RESV_USAGE_BOOKKEEP);
		loom_sync_list_signal(syncs, done);
	}
	drm_exec_fini(&exec);
	return ret;
}

static int loom_bind_queue(struct loom_bind *bind, struct loom_sync_list *syncs)
{
	struct loom_vm *vm = bind->vm;
	int idx, ret;

	if (!drm_dev_enter(&vm->ldev->drm, &idx))
		return -ENODEV;
	ret = mutex_lock_interruptible(&vm->lock);
	if (!ret) {
		ret = loom_bind_queue_locked(bind, syncs);
		mutex_unlock(&vm->lock);
	}
	drm_dev_exit(idx);
	return ret;
}

/* Make @bind a job.  @owner and @client are for the scheduler's statistics. */
int loom_bind_init_job(struct loom_bind *bind, void *owner, u64 client)
{
	int ret;

	ret = loom_sched_job_init(&bind->base, &bind->vm->binds, 1, owner, client);
	if (ret)
		return ret;
	bind->is_job = true;
	loom_device_job_get(bind->vm->ldev);
	return 0;
}

static int loom_bind_async(struct loom_bind *bind, struct drm_file *file,
			   const struct drm_loom_obj_array *usyncs)
{
	struct loom_sync_list syncs;
	int ret;

	ret = loom_sync_list_init(&syncs, file, usyncs);
	if (ret)
		goto err_destroy_bind;
	ret = loom_bind_init_job(bind, file, file->client_id);
	if (ret)
		goto err_fini_syncs;
	ret = loom_sync_list_add_deps(&syncs, NULL, 0, file, &bind->base);
	if (ret)
		goto err_fini_syncs;
	ret = loom_bind_queue(bind, &syncs);
	if (ret)
		goto err_fini_syncs;
	loom_sync_list_fini(&syncs);
	return 0;

err_fini_syncs:
	loom_sync_list_fini(&syncs);
err_destroy_bind:
	loom_bind_destroy(bind);
	return ret;
}

static int loom_bind_vm(struct loom_vm *vm, struct drm_file *file,
			const struct drm_loom_vm_bind *args)
{
	struct loom_bind *bind;

	bind = loom_bind_parse(vm, file, &args->ops);
	if (IS_ERR(bind))
		return PTR_ERR(bind);
	if (args->flags & DRM_LOOM_VM_BIND_ASYNC)
		return loom_bind_async(bind, file, &args->syncs);
	return loom_bind_sync(bind);
}

int loom_bind_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_loom_vm_bind *args = data;
	struct loom_vm *vm;
	int ret;

	if (args->flags & ~DRM_LOOM_VM_BIND_ASYNC)
		return -EINVAL;
	if (!(args->flags & DRM_LOOM_VM_BIND_ASYNC) && args->syncs.count)
		return -EINVAL;
	vm = loom_vm_lookup(file, args->vm_id);
	if (!vm)
		return -ENOENT;
	ret = READ_ONCE(vm->unusable) ? -ECANCELED : loom_bind_vm(vm, file, args);
	loom_vm_put(vm);
	return ret;
}
