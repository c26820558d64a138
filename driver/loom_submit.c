// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Submits
 *
 * A submit is a batch of jobs for one queue.  Everything that can fail comes
 * first: copying, checks, allocation, dependencies, locks.  Then the jobs go where
 * they have to, their fences are published, and nothing fails any more.
 *
 * The scheduler is there to wait, for fences and for a turn.  A batch that waits for
 * neither goes to the card at once: to wake the scheduler's worker costs as much as
 * all the rest of a submit, and a second one is woken when the job is over.  It may
 * when all jobs of its queue before it are on the ring (loom_queue.waiting) and the
 * ring has room.  What remains of such a job are its entry on the ring, which is
 * counted like a job, and its fence, which leaves the driver.
 *
 * The fence of the last job goes into the dma_resv of all objects mapped in the
 * VM, as a bookkeeping fence: it keeps memory from being reused, and nobody waits
 * for it implicitly.
 */
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include <drm/loom_accel.h>
#include <loom/loom_isa.h>

#include "loom_device.h"
#include "loom_fence.h"
#include "loom_job.h"
#include "loom_queue.h"
#include "loom_ring.h"
#include "loom_submit.h"
#include "loom_submit_lock.h"
#include "loom_sync.h"
#include "loom_uobj.h"
#include "loom_vm.h"

/**
 * struct loom_submit_job - a job of a submit
 */
struct loom_submit_job {
	/** @work: what the card is told */
	struct loom_ring_work work;
	/** @fence: for the card, NULL once it or @job has it */
	struct loom_fence *fence;
	/** @job: for the scheduler; NULL without need, and once pushed */
	struct loom_job *job;
};

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
	/** @num_jobs: number of @job and @syncs */
	u32 num_jobs;
	/** @job: the jobs: @one_job, or memory of their own */
	struct loom_submit_job *job;
	/** @syncs: sync operations of each, likewise */
	struct loom_sync_list *syncs;
	/** @one_job: most submits have one */
	struct loom_submit_job one_job;
	/** @one_syncs: its operations */
	struct loom_sync_list one_syncs;
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

/* Sync operations first: those are what a bad program gets wrong. */
static int loom_submit_make_job(struct loom_submit *submit, u32 i,
				const struct drm_loom_job *ujob)
{
	struct loom_submit_job *job = &submit->job[i];
	int ret;

	ret = loom_submit_check_job(ujob);
	if (ret)
		return ret;
	ret = loom_sync_list_init(&submit->syncs[i], submit->file, &ujob->syncs);
	if (ret)
		return ret;
	job->fence = loom_fence_alloc();
	if (!job->fence)
		return -ENOMEM;
	job->work = (struct loom_ring_work) {
		.cmd_va = ujob->cmd_va,
		.cmd_size = ujob->cmd_size,
		.repeatable = ujob->flags & DRM_LOOM_JOB_REPEATABLE,
	};
	return 0;
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

/* To the card or to the scheduler ------------------------------------------ */

/* The job behind @i waits for nothing: that one tells the card of both. */
static void loom_submit_chain(struct loom_submit *submit, u32 i)
{
	struct loom_ring_work *work = &submit->job[i].work;

	work->more = true;
	work->quiet = !loom_sync_list_has_signal(&submit->syncs[i]);
}

/* Can the card have all of them at once? */
static bool loom_submit_is_ready(struct loom_submit *submit,
				 struct loom_submit_lock *lock)
{
	struct loom_queue *queue = submit->queue;
	u32 i;

	if (atomic_read_acquire(&queue->waiting) ||
	    !loom_ring_has_room(queue->ring, submit->num_jobs))
		return false;
	for (i = 0; i < submit->num_jobs; i++)
		if (!loom_sync_list_is_ready(&submit->syncs[i], submit->syncs, i,
					     submit->file))
			return false;
	/* Of a move that failed the scheduler's jobs know what to do. */
	return loom_submit_moves_are_over(lock) &&
	       queue->vm->num_lost == atomic_read(&queue->ldev->num_lost);
}

static int loom_submit_schedule_job(struct loom_submit *submit, u32 i)
{
	struct loom_submit_job *job = &submit->job[i];
	int ret;

	job->job = loom_job_create(submit->queue, submit->file, job->fence);
	if (IS_ERR(job->job)) {
		ret = PTR_ERR(job->job);
		job->job = NULL;
		return ret;
	}
	job->fence = NULL;
	ret = loom_sync_list_add_deps(&submit->syncs[i], submit->syncs, i,
				      submit->file, &job->job->base);
	if (!ret && i && xa_empty(&job->job->base.dependencies))
		loom_submit_chain(submit, i - 1);
	return ret;
}

/* Moves of objects come before the batch; its later jobs follow its first. */
static int loom_submit_add_moves(struct loom_submit *submit,
				 struct loom_submit_lock *lock)
{
	struct drm_sched_job *job = &submit->job[0].job->base;
	int ret;

	ret = loom_submit_wait_moves(lock, job);
	submit->after_moves = !xa_empty(&job->dependencies);
	return ret;
}

/* What the scheduler needs of the jobs. */
static int loom_submit_schedule(struct loom_submit *submit,
				struct loom_submit_lock *lock)
{
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < submit->num_jobs; i++)
		ret = loom_submit_schedule_job(submit, i);
	return ret ?: loom_submit_add_moves(submit, lock);
}

/* @done is the fence of job @i. */
static void loom_submit_publish(struct loom_submit *submit, u32 i,
				struct loom_submit_lock *lock, struct dma_fence *done)
{
	if (i == submit->num_jobs - 1)
		loom_submit_add_fence(lock, done);
	loom_sync_list_signal(&submit->syncs[i], done);
}

static void loom_submit_push_job(struct loom_submit *submit, u32 i,
				 struct loom_submit_lock *lock)
{
	struct loom_job *job = submit->job[i].job;

	job->after_moves = submit->after_moves;
	job->work = submit->job[i].work;
	drm_sched_job_arm(&job->base);
	loom_submit_publish(submit, i, lock, &job->base.s_fence->finished);
	/* The scheduler's from here on. */
	submit->job[i].job = NULL;
	atomic_inc(&submit->queue->waiting);
	drm_sched_entity_push_job(&job->base);
}

/* A fence that has signalled with an error if the ring takes no jobs any more. */
static void loom_submit_emit_job(struct loom_submit *submit, u32 i,
				 struct loom_submit_lock *lock)
{
	struct loom_submit_job *job = &submit->job[i];
	struct loom_queue *queue = submit->queue;
	struct loom_fence *fence = job->fence;
	int ret;

	job->fence = NULL;
	job->work.direct = true;
	loom_device_job_get(queue->ldev);
	ret = loom_ring_emit(queue->ring, &job->work, fence);
	if (ret) {
		loom_device_job_put(queue->ldev);
		loom_ring_skip(queue->ring);
		loom_fence_fail(fence, ret);
	}
	loom_submit_publish(submit, i, lock, &fence->base);
	dma_fence_put(&fence->base);
}

static void loom_submit_emit(struct loom_submit *submit, struct loom_submit_lock *lock)
{
	u32 i;

	for (i = 1; i < submit->num_jobs; i++)
		loom_submit_chain(submit, i - 1);
	for (i = 0; i < submit->num_jobs; i++)
		loom_submit_emit_job(submit, i, lock);
}

static void loom_submit_push(struct loom_submit *submit, struct loom_submit_lock *lock)
{
	u32 i;

	for (i = 0; i < submit->num_jobs; i++)
		loom_submit_push_job(submit, i, lock);
}

/* A fence that somebody can see must signal, so nothing here may wait for one. */
static void loom_submit_go(struct loom_submit *submit, struct loom_submit_lock *lock,
			   bool ready)
{
	bool cookie;

	/* What the caller wrote through write-combined mappings goes first. */
	wmb();
	cookie = dma_fence_begin_signalling();
	if (ready)
		loom_submit_emit(submit, lock);
	else
		loom_submit_push(submit, lock);
	dma_fence_end_signalling(cookie);
}

static int loom_submit_ordered(struct loom_submit *submit)
{
	struct loom_submit_lock lock;
	bool ready;
	int ret;

	ret = loom_submit_lock(&lock, submit->queue->vm);
	if (ret)
		return ret;
	ready = loom_submit_is_ready(submit, &lock);
	if (!ready)
		ret = loom_submit_schedule(submit, &lock);
	if (!ret)
		loom_submit_go(submit, &lock, ready);
	loom_submit_unlock(&lock);
	return ret;
}

static int loom_submit_locked(struct loom_submit *submit)
{
	if (loom_ring_is_banned(submit->queue->ring) ||
	    READ_ONCE(submit->queue->vm->unusable))
		return -ECANCELED;
	return loom_submit_ordered(submit);
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

static int loom_submit_alloc(struct loom_submit *submit)
{
	size_t jobs = array_size(submit->num_jobs, sizeof(*submit->job));

	if (submit->num_jobs == 1) {
		submit->job = &submit->one_job;
		submit->syncs = &submit->one_syncs;
		return 0;
	}
	/* Gone at the end of the ioctl, and so not accounted. */
	submit->job = kzalloc(jobs + submit->num_jobs * sizeof(*submit->syncs),
			      GFP_KERNEL);
	if (!submit->job)
		return -ENOMEM;
	submit->syncs = (void *)submit->job + jobs;
	return 0;
}

static int loom_submit_init(struct loom_submit *submit,
			    const struct drm_loom_submit *args)
{
	int ret;

	ret = loom_uobj_check(&args->jobs, sizeof(struct drm_loom_job), 1,
			      LOOM_MAX_JOBS);
	if (ret)
		return ret;
	submit->num_jobs = args->jobs.count;
	submit->queue = loom_queue_lookup(submit->file, args->queue_id);
	if (!submit->queue)
		return -ENOENT;
	ret = loom_submit_alloc(submit);
	if (ret)
		loom_queue_put(submit->queue);
	return ret;
}

static void loom_submit_fini_job(struct loom_submit *submit, u32 i)
{
	struct loom_submit_job *job = &submit->job[i];

	if (job->job)
		loom_job_destroy(job->job);
	if (job->fence)
		loom_fence_free(job->fence);
	loom_sync_list_fini(&submit->syncs[i]);
}

static void loom_submit_fini(struct loom_submit *submit)
{
	u32 i;

	for (i = 0; i < submit->num_jobs; i++)
		loom_submit_fini_job(submit, i);
	if (submit->job != &submit->one_job)
		kfree(submit->job);
	loom_queue_put(submit->queue);
}

int loom_submit_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	const struct drm_loom_submit *args = data;
	struct loom_submit submit = { .file = file };
	int idx, ret;

	if (args->flags)
		return -EINVAL;
	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	ret = loom_submit_init(&submit, args);
	if (!ret) {
		ret = loom_submit_run(&submit, &args->jobs);
		loom_submit_fini(&submit);
	}
	drm_dev_exit(idx);
	return ret;
}
