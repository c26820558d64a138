/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Jobs: command buffers on their way through the scheduler.
 */
#ifndef LOOM_JOB_H
#define LOOM_JOB_H

#include <drm/gpu_scheduler.h>

#include "loom_ring.h"

struct drm_file;
struct loom_fence;
struct loom_queue;

/**
 * struct loom_job - one command buffer to run
 */
struct loom_job {
	/** @base: base class */
	struct drm_sched_job base;
	/** @queue: where it runs, a reference */
	struct loom_queue *queue;
	/** @fence: for the card, owned until the job goes there */
	struct loom_fence *fence;
	/** @work: what the card is told */
	struct loom_ring_work work;
	/** @after_moves: clears or moves of objects may come before it */
	bool after_moves;
	/** @num_lost: loom_device.num_lost when no object of its VM was lost */
	int num_lost;
};

extern const struct drm_sched_backend_ops loom_job_sched_ops;

struct loom_job *loom_job_create(struct loom_queue *queue, struct drm_file *file,
				 struct loom_fence *fence);
void loom_job_destroy(struct loom_job *job);

#endif
