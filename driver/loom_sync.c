// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Synchronisation
 *
 * Fences come in and go out as syncobjs, binary or timeline.  A wait takes the
 * fence that is there at the ioctl; a syncobj or point without one is -EINVAL,
 * so that no job ever depends on something that may never happen.
 *
 * Everything a signal needs is found and allocated before the job is armed.
 */
#include <linux/dma-fence-chain.h>
#include <linux/slab.h>

#include <drm/drm_syncobj.h>
#include <drm/gpu_scheduler.h>

#include <drm/loom_accel.h>

#include "loom_sync.h"
#include "loom_uobj.h"

#define LOOM_MAX_SYNCS	64
#define LOOM_SYNC_FLAGS	(DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE)

static bool loom_sync_is_signal(const struct loom_sync *sync)
{
	return sync->flags & DRM_LOOM_SYNC_SIGNAL;
}

static int loom_sync_check(const struct drm_loom_sync_op *op)
{
	bool timeline = op->flags & DRM_LOOM_SYNC_TIMELINE;

	if (op->flags & ~LOOM_SYNC_FLAGS)
		return -EINVAL;
	return timeline == !!op->value ? 0 : -EINVAL;
}

static int loom_sync_init_signal(struct loom_sync *sync, struct drm_file *file)
{
	sync->syncobj = drm_syncobj_find(file, sync->handle);
	if (!sync->syncobj)
		return -ENOENT;
	if (sync->flags & DRM_LOOM_SYNC_TIMELINE) {
		sync->chain = dma_fence_chain_alloc();
		if (!sync->chain)
			return -ENOMEM;
	}
	return 0;
}

static int loom_sync_set(struct loom_sync *sync, struct drm_file *file,
			 const struct drm_loom_sync_op *op)
{
	int ret;

	ret = loom_sync_check(op);
	if (ret)
		return ret;
	sync->flags = op->flags;
	sync->handle = op->handle;
	sync->point = op->value;
	return loom_sync_is_signal(sync) ? loom_sync_init_signal(sync, file) : 0;
}

/* @sync is zero. */
static int loom_sync_init(struct loom_sync *sync, struct drm_file *file,
			  const struct drm_loom_obj_array *array, u32 i)
{
	struct drm_loom_sync_op op;
	int ret;

	ret = loom_uobj_read(&op, sizeof(op), array, i);
	return ret ?: loom_sync_set(sync, file, &op);
}

static void loom_sync_fini(struct loom_sync *sync)
{
	dma_fence_chain_free(sync->chain);
	if (sync->syncobj)
		drm_syncobj_put(sync->syncobj);
}

void loom_sync_list_fini(struct loom_sync_list *list)
{
	u32 i;

	for (i = 0; i < list->count; i++)
		loom_sync_fini(&list->sync[i]);
	if (list->sync != &list->one)
		kvfree(list->sync);
	list->sync = NULL;
	list->count = 0;
}

static int loom_sync_list_fill(struct loom_sync_list *list, struct drm_file *file,
			       const struct drm_loom_obj_array *array)
{
	int ret;
	u32 i;

	if (array->count == 1)
		list->sync = &list->one;
	else
		list->sync = kvcalloc(array->count, sizeof(*list->sync), GFP_KERNEL);
	if (!list->sync)
		return -ENOMEM;
	list->count = array->count;
	for (i = 0; i < list->count; i++) {
		ret = loom_sync_init(&list->sync[i], file, array, i);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * loom_sync_list_init() - take sync operations from user space
 * @list: not initialised; stays where it is
 * @file: where its syncobjs are
 * @array: array of struct drm_loom_sync_op
 *
 * Return: 0 or an error; then @list is empty.
 */
int loom_sync_list_init(struct loom_sync_list *list, struct drm_file *file,
			const struct drm_loom_obj_array *array)
{
	int ret;

	*list = (struct loom_sync_list) { };
	ret = loom_uobj_check(array, sizeof(struct drm_loom_sync_op), 0,
			      LOOM_MAX_SYNCS);
	if (!ret && array->count)
		ret = loom_sync_list_fill(list, file, array);
	if (ret)
		loom_sync_list_fini(list);
	return ret;
}

/* Will @list signal what @wait waits for? */
static bool loom_sync_list_covers(const struct loom_sync_list *list,
				  const struct loom_sync *wait)
{
	u32 i;

	for (i = 0; i < list->count; i++) {
		const struct loom_sync *sync = &list->sync[i];

		if (loom_sync_is_signal(sync) && sync->handle == wait->handle &&
		    !sync->point == !wait->point && sync->point >= wait->point)
			return true;
	}
	return false;
}

static bool loom_sync_is_covered(const struct loom_sync_list *earlier,
				 u32 num_earlier, const struct loom_sync *wait)
{
	u32 i;

	for (i = 0; i < num_earlier; i++)
		if (loom_sync_list_covers(&earlier[i], wait))
			return true;
	return false;
}

static int loom_sync_add_dep(const struct loom_sync *sync, struct drm_file *file,
			     struct drm_sched_job *job)
{
	struct dma_fence *fence;
	int ret;

	ret = drm_syncobj_find_fence(file, sync->handle, sync->point, 0, &fence);
	if (ret)
		return ret;
	return drm_sched_job_add_dependency(job, fence);
}

/**
 * loom_sync_list_add_deps() - make a job wait for what its operations say
 * @list: operations of @job
 * @earlier: operations of the jobs before it in the same queue and batch,
 *	whose fences do not exist yet; the queue's order does for them
 * @num_earlier: number of @earlier
 * @file: where the syncobjs are
 * @job: the job, not armed
 *
 * Return: 0, -ENOENT for an unknown syncobj, -EINVAL for one without fence,
 * or -ENOMEM.
 */
int loom_sync_list_add_deps(const struct loom_sync_list *list,
			    const struct loom_sync_list *earlier, u32 num_earlier,
			    struct drm_file *file, struct drm_sched_job *job)
{
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < list->count; i++) {
		const struct loom_sync *sync = &list->sync[i];

		if (!loom_sync_is_signal(sync) &&
		    !loom_sync_is_covered(earlier, num_earlier, sync))
			ret = loom_sync_add_dep(sync, file, job);
	}
	return ret;
}

static bool loom_sync_is_over(const struct loom_sync *sync, struct drm_file *file)
{
	struct dma_fence *fence;
	bool over;

	if (drm_syncobj_find_fence(file, sync->handle, sync->point, 0, &fence))
		return false;
	over = dma_fence_is_signaled(fence);
	dma_fence_put(fence);
	return over;
}

/* Would loom_sync_list_add_deps() succeed, and add nothing to wait for? */
bool loom_sync_list_is_ready(const struct loom_sync_list *list,
			     const struct loom_sync_list *earlier, u32 num_earlier,
			     struct drm_file *file)
{
	u32 i;

	for (i = 0; i < list->count; i++) {
		const struct loom_sync *sync = &list->sync[i];

		if (!loom_sync_is_signal(sync) &&
		    !loom_sync_is_covered(earlier, num_earlier, sync) &&
		    !loom_sync_is_over(sync, file))
			return false;
	}
	return true;
}

bool loom_sync_list_has_signal(const struct loom_sync_list *list)
{
	u32 i;

	for (i = 0; i < list->count; i++)
		if (loom_sync_is_signal(&list->sync[i]))
			return true;
	return false;
}

/* Put @fence where the signal operations say.  Cannot fail; once only. */
void loom_sync_list_signal(struct loom_sync_list *list, struct dma_fence *fence)
{
	u32 i;

	for (i = 0; i < list->count; i++) {
		struct loom_sync *sync = &list->sync[i];

		if (!loom_sync_is_signal(sync))
			continue;
		if (!sync->chain) {
			drm_syncobj_replace_fence(sync->syncobj, fence);
			continue;
		}
		drm_syncobj_add_point(sync->syncobj, sync->chain, fence,
				      sync->point);
		sync->chain = NULL;
	}
}
