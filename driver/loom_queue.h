/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * User queues.
 */
#ifndef LOOM_QUEUE_H
#define LOOM_QUEUE_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include <drm/gpu_scheduler.h>

struct drm_file;
struct loom_device;
struct loom_file;
struct loom_ring;
struct loom_vm;

/**
 * struct loom_queue - a hardware queue lent to a client
 */
struct loom_queue {
	/** @ref: held by the handle, jobs and running ioctls */
	struct kref ref;
	/** @ldev: the card; kept by @vm */
	struct loom_device *ldev;
	/** @vm: address space of its jobs, a reference */
	struct loom_vm *vm;
	/** @ring: the hardware queue, owned */
	struct loom_ring *ring;
	/** @entity: jobs wait here for their turn */
	struct drm_sched_entity entity;
	/** @waiting: jobs that the scheduler has and the ring does not have yet */
	atomic_t waiting;
	/** @submit_lock: jobs are armed and pushed in one order */
	struct mutex submit_lock;
	/** @release: ends the queue in process context */
	struct work_struct release;
};

struct loom_queue *loom_queue_lookup(struct drm_file *file, u32 id);
struct loom_queue *loom_queue_get(struct loom_queue *queue);
void loom_queue_put(struct loom_queue *queue);
void loom_queue_close(struct loom_queue *queue);
void loom_queue_ban_all(struct loom_file *lfile, struct loom_vm *vm);

int loom_queue_ioctl_create(struct drm_device *drm, void *data,
			    struct drm_file *file);
int loom_queue_ioctl_destroy(struct drm_device *drm, void *data,
			     struct drm_file *file);
int loom_queue_ioctl_state(struct drm_device *drm, void *data,
			   struct drm_file *file);
int loom_queue_ioctl_times(struct drm_device *drm, void *data,
			   struct drm_file *file);

#endif
