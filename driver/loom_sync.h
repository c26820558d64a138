/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Syncobjs of submits and binds.
 */
#ifndef LOOM_SYNC_H
#define LOOM_SYNC_H

#include <linux/types.h>

struct dma_fence;
struct dma_fence_chain;
struct drm_file;
struct drm_loom_obj_array;
struct drm_sched_job;
struct drm_syncobj;

/**
 * struct loom_sync - one operation
 */
struct loom_sync {
	/** @flags: DRM_LOOM_SYNC_* */
	u32 flags;
	/** @handle: of the syncobj */
	u32 handle;
	/** @point: of a timeline, else 0 */
	u64 point;
	/** @syncobj: to signal; a reference */
	struct drm_syncobj *syncobj;
	/** @chain: link for a timeline's point, NULL once used */
	struct dma_fence_chain *chain;
};

/**
 * struct loom_sync_list - sync operations of one job
 */
struct loom_sync_list {
	/** @count: number of @sync */
	u32 count;
	/** @sync: the operations: @one, or memory of their own */
	struct loom_sync *sync;
	/** @one: most lists have one */
	struct loom_sync one;
};

int loom_sync_list_init(struct loom_sync_list *list, struct drm_file *file,
			const struct drm_loom_obj_array *array);
void loom_sync_list_fini(struct loom_sync_list *list);
int loom_sync_list_add_deps(const struct loom_sync_list *list,
			    const struct loom_sync_list *earlier, u32 num_earlier,
			    struct drm_file *file, struct drm_sched_job *job);
bool loom_sync_list_is_ready(const struct loom_sync_list *list,
			     const struct loom_sync_list *earlier, u32 num_earlier,
			     struct drm_file *file);
bool loom_sync_list_has_signal(const struct loom_sync_list *list);
void loom_sync_list_signal(struct loom_sync_list *list, struct dma_fence *fence);

#endif
