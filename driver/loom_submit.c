// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Submits
 *
 * A submit is a batch of jobs for one queue.  Everything that can fail comes
 * first: copying, checks, allocation, dependencies, locks.  Then the jobs are
 * armed, their fences published, and they are pushed, and nothing fails any more.
 *
 * The fence of the last job goes into the dma_resv of all objects mapped in the
 * VM, as a bookkeeping fence: it keeps memory from being reused, and nobody waits
 * for it implicitly.
 */
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_gpuvm.h>

#include <drm/loom_accel.h>
#include <loom/loom_isa.h>

#include "loom_compat.h"
#include "loom_device.h"
#include "loom_job.h"
#include "loom_queue.h"
#include "loom_rebind.h"
#include "loom_ring.h"
#include "loom_submit.h"
#include "loom_sync.h"
#include "loom_uobj.h"
#include "loom_vm.h"

/**
 * struct loom_submit - one SUBMIT
 */
struct loom_submit {
	/** @file: who submits */
	struct drm_file *file;
	/** @queue: where to, a reference */
	struct loom_queue *queue;
	/** @after_moves: the first job has something to wait for */
	bool after_moves;
	/** @syncs: sync operations of each job, behind @job */
	struct loom_sync_list *syncs;
	/** @num_jobs: number of @job and @syncs */
	u32 num_jobs;
	/** @job: the jobs, NULL before they are made and once pushed */
	struct loom_job *job[] __counted_by(num_jobs);
};

static int loom_submit_check_job(const struct drm_loom_job *ujob)
{
	if (ujob->flags & ~DRM_LOOM_JOB_REPEATABLE ||
	    !IS_ALIGNED(ujob->cmd_va, LOOM_CMD_ALIGN))
		return -EINVAL;
	if (!ujob->cmd_size || !IS_ALIGNED(ujob->cmd_size, LOOM_CMD_ALIGN) ||
	    ujob->cmd_size > LOOM_MAX_CMD_BYTES)
		return -EINVAL;
	if (ujob->cmd_va < LOOM_VA_START ||
	    ujob->cmd_va > LOOM_VA_END - ujob->cmd_size)
		return -EINVAL;
	return 0;
}

/* The job behind @i waits for nothing: that one tells the card of both. */
static void loom_submit_chain(struct loom_submit *submit, u32 i)
{
	struct loom_ring_work *work = &submit->job[i]->work;

	work->more = true;
	work->quiet = !loom_sync_list_has_signal(&submit->syncs[i]);
}

/* Sync operations before jobs: those are what a bad program gets wrong. */
static int loom_submit_make_job(struct loom_submit *submit, u32 i,
				const struct drm_loom_job *ujob)
{
	struct loom_job *job;
	int ret;

	ret = loom_submit_check_job(ujob);
	if (ret)
		return ret;
	ret = loom_sync_list_init(&submit->syncs[i], submit->file, &ujob->syncs);
	if (ret)
		return ret;
	job = loom_job_create(submit->queue, submit->file, ujob);
	if (IS_ERR(job))
		return PTR_ERR(job);
	submit->job[i] = job;
	ret = loom_sync_list_add_deps(&submit->syncs[i], submit->syncs, i,
				      submit->file, &job->base);
	if (!ret && i && xa_empty(&job->base.dependencies))
		loom_submit_chain(submit, i - 1);
	return ret;
}

static int loom_submit_make_jobs(struct loom_submit *submit,
				 const struct drm_loom_obj_array *jobs)
{
	struct drm_loom_job ujob;
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < submit->num_jobs; i++) {
		ret = loom_uobj_read(&ujob, sizeof(ujob), jobs, i);
		if (!ret)
			ret = loom_submit_make_job(submit, i, &ujob);
	}
	return ret;
}

/* Locks ------------------------------------------------------------------- */

/**
 * struct loom_submit_lock - the lock of a VM and of all its objects
 *
 * Objects of the VM's own have its dma_resv.  When there are no others, that is all
 * there is to lock, and it takes no struct drm_exec.
 */
struct loom_submit_lock {
	/** @resv: of the VM */
	struct dma_resv *resv;
	/** @has_shared: there are other objects, and @exec has all locks */
	bool has_shared;
	/** @exec: not initialised unless @has_shared */
	struct drm_gpuvm_exec exec;
};

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

static void loom_submit_unlock(struct loom_submit_lock *lock)
{
	if (lock->has_shared)
		drm_gpuvm_exec_unlock(&lock->exec);
	else
		dma_resv_unlock(lock->resv);
}

static void loom_submit_add_fence(struct loom_submit_lock *lock,
				  struct dma_fence *fence)
{
	if (lock->has_shared)
		drm_gpuvm_exec_resv_add_fence(&lock->exec, fence,
					      DMA_RESV_USAGE_BOOKKEEP,
					      DMA_RESV_USAGE_BOOKKEEP);
	else
		dma_resv_add_fence(lock->resv, fence, DMA_RESV_USAGE_BOOKKEEP);
}

/* Make @job wait for moves of whatever is locked. */
static int loom_submit_wait_moves(struct loom_submit_lock *lock,
				  struct drm_sched_job *job)
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

/* Lock the VM and all its objects, with what the page table says of them true. */
static int loom_submit_lock(struct loom_submit_lock *lock, struct loom_vm *vm)
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

/* Pushing ----------------------------------------------------------------- */

/* Moves of objects come before the batch; its later jobs follow its first. */
static int loom_submit_add_moves(struct loom_submit *submit,
				 struct loom_submit_lock *lock)
{
	struct drm_sched_job *job = &submit->job[0]->base;
	int ret;

	ret = loom_submit_wait_moves(lock, job);
	submit->after_moves = !xa_empty(&job->dependencies);
	return ret;
}

static void loom_submit_push_job(struct loom_submit *submit, u32 i,
				 struct loom_submit_lock *lock)
{
	struct drm_sched_job *job = &submit->job[i]->base;
	struct dma_fence *done;

	submit->job[i]->after_moves = submit->after_moves;
	drm_sched_job_arm(job);
	done = &job->s_fence->finished;
	if (i == submit->num_jobs - 1)
		loom_submit_add_fence(lock, done);
	loom_sync_list_signal(&submit->syncs[i], done);
	/* The scheduler's from here on. */
	submit->job[i] = NULL;
	drm_sched_entity_push_job(job);
}

/* A fence that somebody can see must signal, so nothing here may wait for one. */
static void loom_submit_push_jobs(struct loom_submit *submit,
				  struct loom_submit_lock *lock)
{
	bool cookie;
	u32 i;

	/* What the caller wrote through write-combined mappings goes first. */
	wmb();
	cookie = dma_fence_begin_signalling();
	for (i = 0; i < submit->num_jobs; i++)
		loom_submit_push_job(submit, i, lock);
	dma_fence_end_signalling(cookie);
}

static int loom_submit_push(struct loom_submit *submit)
{
	struct loom_submit_lock lock;
	int ret;

	ret = loom_submit_lock(&lock, submit->queue->vm);
	if (ret)
		return ret;
	ret = loom_submit_add_moves(submit, &lock);
	if (!ret)
		loom_submit_push_jobs(submit, &lock);
	loom_submit_unlock(&lock);
	return ret;
}

static int loom_submit_locked(struct loom_submit *submit)
{
	if (loom_ring_is_banned(submit->queue->ring) ||
	    READ_ONCE(submit->queue->vm->unusable))
		return -ECANCELED;
	return loom_submit_push(submit);
}

static int loom_submit_run(struct loom_submit *submit,
			   const struct drm_loom_obj_array *jobs)
{
	struct loom_queue *queue = submit->queue;
	int ret;

	ret = loom_submit_make_jobs(submit, jobs);
	if (ret)
		return ret;
	ret = mutex_lock_interruptible(&queue->submit_lock);
	if (ret)
		return ret;
	ret = loom_submit_locked(submit);
	mutex_unlock(&queue->submit_lock);
	return ret;
}

static void loom_submit_destroy(struct loom_submit *submit)
{
	u32 i;

	for (i = 0; i < submit->num_jobs; i++) {
		if (submit->job[i])
			loom_job_destroy(submit->job[i]);
		loom_sync_list_fini(&submit->syncs[i]);
	}
	loom_queue_put(submit->queue);
	kfree(submit);
}

/* Gone at the end of the ioctl, and so not accounted. */
static struct loom_submit *loom_submit_alloc(u32 num_jobs)
{
	struct loom_submit *submit;

	submit = kzalloc(struct_size(submit, job, num_jobs) +
			 num_jobs * sizeof(*submit->syncs), GFP_KERNEL);
	if (submit) {
		submit->num_jobs = num_jobs;
		submit->syncs = (void *)submit + struct_size(submit, job, num_jobs);
	}
	return submit;
}

static struct loom_submit *loom_submit_create(struct drm_file *file,
					      const struct drm_loom_submit *args)
{
	struct loom_submit *submit;
	int ret;

	ret = loom_uobj_check(&args->jobs, sizeof(struct drm_loom_job), 1,
			      LOOM_MAX_JOBS);
	if (ret)
		return ERR_PTR(ret);
	submit = loom_submit_alloc(args->jobs.count);
	if (!submit)
		return ERR_PTR(-ENOMEM);
	submit->file = file;
	submit->queue = loom_queue_lookup(file, args->queue_id);
	if (!submit->queue) {
		kfree(submit);
		return ERR_PTR(-ENOENT);
	}
	return submit;
}

int loom_submit_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	const struct drm_loom_submit *args = data;
	struct loom_submit *submit;
	int idx, ret;

	if (args->flags)
		return -EINVAL;
	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	submit = loom_submit_create(file, args);
	ret = PTR_ERR_OR_ZERO(submit);
	if (!ret) {
		ret = loom_submit_run(submit, &args->jobs);
		loom_submit_destroy(submit);
	}
	drm_dev_exit(idx);
	return ret;
}
