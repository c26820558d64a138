// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Queues
 *
 * A queue lends its client a ring.  Its end is not abrupt for the scheduler:
 * closing stops the ring, so jobs on the card end now, and jobs that still wait
 * for their turn end with -ECANCELED when it comes.  The last of them drops the
 * queue, and a work item gives the ring back.  So no entity with jobs is ever
 * killed, which would cost them their error code.
 *
 * Locking: loom_queue.submit_lock is taken before any dma_resv.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>

#include <drm/loom_accel.h>

#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_file.h"
#include "loom_queue.h"
#include "loom_ring.h"
#include "loom_vm.h"

/* The end ----------------------------------------------------------------- */

static void loom_queue_release(struct work_struct *work)
{
	struct loom_queue *queue = container_of(work, struct loom_queue, release);

	drm_sched_entity_fini(&queue->entity);
	loom_ring_put(queue->ring, true);
	mutex_destroy(&queue->submit_lock);
	loom_vm_put(queue->vm);
	kfree(queue);
}

static void loom_queue_last_put(struct kref *ref)
{
	struct loom_queue *queue = container_of(ref, struct loom_queue, ref);

	queue_work(loom_release_wq, &queue->release);
}

struct loom_queue *loom_queue_get(struct loom_queue *queue)
{
	kref_get(&queue->ref);
	return queue;
}

void loom_queue_put(struct loom_queue *queue)
{
	kref_put(&queue->ref, loom_queue_last_put);
}

/* The handle is gone.  Stops the queue and drops the handle's reference. */
void loom_queue_close(struct loom_queue *queue)
{
	loom_ring_stop(queue->ring, LOOM_RING_STOP_CANCEL);
	loom_slots_leave(&queue->ldev->ring_slots);
	loom_queue_put(queue);
}

/* Stop all queues of @lfile that run in @vm. */
void loom_queue_ban_all(struct loom_file *lfile, struct loom_vm *vm)
{
	struct loom_queue *queue;
	unsigned long i;

	xa_lock(&lfile->queues);
	xa_for_each(&lfile->queues, i, queue) {
		if (queue->vm != vm)
			continue;
		loom_queue_get(queue);
		xa_unlock(&lfile->queues);
		loom_ring_stop(queue->ring, LOOM_RING_STOP_CANCEL);
		loom_queue_put(queue);
		xa_lock(&lfile->queues);
	}
	xa_unlock(&lfile->queues);
}

/* The beginning ----------------------------------------------------------- */

static int loom_queue_init(struct loom_queue *queue, struct loom_vm *vm,
			   u32 priority, struct loom_client *client)
{
	struct drm_gpu_scheduler *sched;
	int ret;

	queue->ring = loom_ring_get(vm->ldev);
	if (IS_ERR(queue->ring))
		return PTR_ERR(queue->ring);
	sched = loom_ring_sched(queue->ring);
	ret = drm_sched_entity_init(&queue->entity, DRM_SCHED_PRIORITY_KERNEL,
				    &sched, 1, NULL);
	if (!ret)
		ret = loom_ring_start(queue->ring, vm->ctx->id, priority,
				      client, vm);
	if (ret)
		loom_ring_put(queue->ring, false);
	return ret;
}

static struct loom_queue *loom_queue_create(struct loom_vm *vm, u32 priority,
					    struct loom_client *client)
{
	struct loom_queue *queue;
	int ret;

	queue = kzalloc(sizeof(*queue), GFP_KERNEL_ACCOUNT);
	if (!queue)
		return ERR_PTR(-ENOMEM);
	ret = loom_queue_init(queue, vm, priority, client);
	if (ret) {
		kfree(queue);
		return ERR_PTR(ret);
	}
	kref_init(&queue->ref);
	mutex_init(&queue->submit_lock);
	INIT_WORK(&queue->release, loom_queue_release);
	queue->ldev = vm->ldev;
	queue->vm = loom_vm_get(vm);
	return queue;
}

/* Handles ----------------------------------------------------------------- */

/* The queue with handle @id, or NULL; the caller puts it. */
struct loom_queue *loom_queue_lookup(struct drm_file *file, u32 id)
{
	struct loom_file *lfile = to_loom_file(file);
	struct loom_queue *queue;

	xa_lock(&lfile->queues);
	queue = xa_load(&lfile->queues, id);
	if (queue)
		loom_queue_get(queue);
	xa_unlock(&lfile->queues);
	return queue;
}

static int loom_queue_create_handle(struct loom_vm *vm, struct drm_file *file,
				    struct drm_loom_queue_create *args)
{
	struct loom_file *lfile = to_loom_file(file);
	struct loom_queue *queue;
	int ret;

	queue = loom_queue_create(vm, args->priority, lfile->client);
	if (IS_ERR(queue))
		return PTR_ERR(queue);
	ret = loom_file_add(&lfile->queues, queue, &args->id);
	if (ret) {
		loom_queue_close(queue);
		return ret;
	}
	/* VM_DESTROY in another thread did not see this queue, or sees it now. */
	if (READ_ONCE(vm->closed))
		loom_queue_ban_all(lfile, vm);
	return 0;
}

static int loom_queue_check_priority(u32 priority)
{
	if (priority > DRM_LOOM_PRIORITY_HIGH)
		return -EINVAL;
	if (priority == DRM_LOOM_PRIORITY_HIGH && !capable(CAP_SYS_NICE))
		return -EACCES;
	return 0;
}

int loom_queue_ioctl_create(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct drm_loom_queue_create *args = data;
	struct loom_vm *vm;
	int idx, ret;

	if (args->flags)
		return -EINVAL;
	ret = loom_queue_check_priority(args->priority);
	if (ret)
		return ret;
	vm = loom_vm_lookup(file, args->vm_id);
	if (!vm)
		return -ENOENT;
	ret = -ENODEV;
	if (drm_dev_enter(drm, &idx)) {
		ret = loom_queue_create_handle(vm, file, args);
		drm_dev_exit(idx);
	}
	loom_vm_put(vm);
	return ret;
}

int loom_queue_ioctl_destroy(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	struct drm_loom_queue_destroy *args = data;
	struct loom_queue *queue;

	if (args->pad)
		return -EINVAL;
	queue = xa_erase(&to_loom_file(file)->queues, args->id);
	if (!queue)
		return -ENOENT;
	loom_queue_close(queue);
	return 0;
}

int loom_queue_ioctl_state(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_loom_queue_state *args = data;
	struct loom_queue *queue;

	queue = loom_queue_lookup(file, args->id);
	if (!queue)
		return -ENOENT;
	loom_ring_state(queue->ring, args);
	loom_queue_put(queue);
	return 0;
}

static int loom_queue_copy_times(struct loom_queue *queue,
				 struct drm_loom_queue_times *args)
{
	struct drm_loom_job_time *times;
	size_t bytes;
	int ret = 0;

	times = kvcalloc(args->count, sizeof(*times), GFP_KERNEL_ACCOUNT);
	if (!times)
		return -ENOMEM;
	args->count = loom_ring_times(queue->ring, args->first, times,
				      args->count);
	bytes = args->count * sizeof(*times);
	if (copy_to_user(u64_to_user_ptr(args->times), times, bytes))
		ret = -EFAULT;
	kvfree(times);
	return ret;
}

int loom_queue_ioctl_times(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_loom_queue_times *args = data;
	struct loom_queue *queue;
	int ret;

	if (!args->count || args->count > LOOM_RING_TIMES)
		return -EINVAL;
	queue = loom_queue_lookup(file, args->id);
	if (!queue)
		return -ENOENT;
	ret = loom_queue_copy_times(queue, args);
	loom_queue_put(queue);
	return ret;
}
