// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Jobs
 *
 * A job belongs to the submit that makes it until it is armed, then to the
 * scheduler, which frees it after its finished fence has signalled.  It keeps
 * its queue, and so its VM, and is counted, so that the driver is not unbound
 * under it.
 *
 * These are the jobs that have to wait, for fences or for their turn.  Others go to
 * the card in their submit, see loom_submit.c.
 */
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include "loom_compat.h"
#include "loom_device.h"
#include "loom_fence.h"
#include "loom_job.h"
#include "loom_queue.h"
#include "loom_ring.h"
#include "loom_vm.h"

static struct loom_job *to_loom_job(struct drm_sched_job *job)
{
	return container_of(job, struct loom_job, base);
}

static struct dma_fence *loom_job_emit(struct loom_job *job)
{
	struct loom_fence *fence = job->fence;
	struct loom_queue *queue = job->queue;
	int idx, ret;

	/* One of them failed: what the job would work on is not its client's. */
	if (job->after_moves &&
	    job->num_lost != atomic_read(&queue->ldev->num_lost))
		return ERR_PTR(-EIO);
	if (!drm_dev_enter(&queue->ldev->drm, &idx))
		return ERR_PTR(-ENODEV);
	ret = loom_ring_emit(queue->ring, &job->work, fence);
	drm_dev_exit(idx);
	if (ret)
		return ERR_PTR(ret);
	job->fence = NULL;
	return &fence->base;
}

static struct dma_fence *loom_job_run(struct drm_sched_job *sched_job)
{
	struct loom_job *job = to_loom_job(sched_job);
	struct dma_fence *fence;
	bool cookie;

	cookie = dma_fence_begin_signalling();
	fence = loom_job_emit(job);
	if (IS_ERR(fence))
		loom_ring_skip(job->queue->ring);
	/* Whoever sees that none waits comes behind it on the ring. */
	atomic_fetch_dec_release(&job->queue->waiting);
	dma_fence_end_signalling(cookie);
	return fence;
}

static void loom_job_free(struct drm_sched_job *sched_job)
{
	loom_job_destroy(to_loom_job(sched_job));
}

/* No .timedout_job: see loom_watchdog.c. */
const struct drm_sched_backend_ops loom_job_sched_ops = {
	.run_job = loom_job_run,
	.free_job = loom_job_free,
};

/**
 * loom_job_create() - make a job for the scheduler
 * @queue: where it will run; its VM is locked, with nothing lost
 * @file: who submits it
 * @fence: for the card, the job's on success
 *
 * The caller fills in @work and @after_moves before it pushes the job.
 *
 * Return: the job or -ENOMEM.
 */
struct loom_job *loom_job_create(struct loom_queue *queue, struct drm_file *file,
				 struct loom_fence *fence)
{
	struct loom_job *job;
	int ret;

	/* The scheduler zeroes its part, the rest is below. */
	job = kmalloc(sizeof(*job), GFP_KERNEL_ACCOUNT);
	if (!job)
		return ERR_PTR(-ENOMEM);
	ret = loom_sched_job_init(&job->base, &queue->entity, 1, file,
				  file->client_id);
	if (ret) {
		kfree(job);
		return ERR_PTR(ret);
	}
	job->queue = loom_queue_get(queue);
	job->fence = fence;
	job->num_lost = queue->vm->num_lost;
	loom_device_job_get(queue->ldev);
	return job;
}

/* A job that was never armed, or is over. */
void loom_job_destroy(struct loom_job *job)
{
	struct loom_device *ldev = job->queue->ldev;

	drm_sched_job_cleanup(&job->base);
	loom_fence_free(job->fence);
	loom_queue_put(job->queue);
	kfree(job);
	loom_device_job_put(ldev);
}
