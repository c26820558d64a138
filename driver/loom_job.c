// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Jobs
 *
 * A job belongs to the submit that makes it until it is armed, then to the
 * scheduler, which frees it after its finished fence has signalled.  It keeps
 * its queue, and so its VM, and is counted, so that the driver is not unbound
 * under it.
 */
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include <drm/loom_accel.h>

#include "loom_compat.h"
#include "loom_device.h"
#include "loom_fence.h"
#include "loom_job.h"
#include "loom_queue.h"
#include "loom_ring.h"

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
 * loom_job_create() - make a job, all it will ever need included
 * @queue: where it will run
 * @file: who submits it
 * @ujob: checked
 *
 * Return: the job or -ENOMEM.
 */
struct loom_job *loom_job_create(struct loom_queue *queue, struct drm_file *file,
				 const struct drm_loom_job *ujob)
{
	struct loom_job *job;
	int ret = -ENOMEM;

	/* The scheduler zeroes its part, the rest is below. */
	job = kmalloc(sizeof(*job), GFP_KERNEL_ACCOUNT);
	if (!job)
		return ERR_PTR(-ENOMEM);
	job->fence = loom_fence_alloc();
	if (!job->fence)
		goto err_free_job;
	ret = loom_sched_job_init(&job->base, &queue->entity, 1, file,
				  file->client_id);
	if (ret)
		goto err_free_fence;
	job->queue = loom_queue_get(queue);
	job->work = (struct loom_ring_work) {
		.cmd_va = ujob->cmd_va,
		.cmd_size = ujob->cmd_size,
		.repeatable = ujob->flags & DRM_LOOM_JOB_REPEATABLE,
	};
	job->after_moves = false;
	job->num_lost = atomic_read(&queue->ldev->num_lost);
	loom_device_job_get(queue->ldev);
	return job;

err_free_fence:
	loom_fence_free(job->fence);
err_free_job:
	kfree(job);
	return ERR_PTR(ret);
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
