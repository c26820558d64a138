/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * DOC: Differences between kernels
 *
 * Everything that differs between the supported kernels is here and nowhere
 * else.  LOOM_HAVE_* come from probe.sh, which greps the headers.  The rest of
 * the driver is written for the newest interface; older kernels get it here.
 */
#ifndef LOOM_COMPAT_H
#define LOOM_COMPAT_H

#include "loom_config.h"

#include <linux/kobject.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_exec.h>
#include <drm/drm_file.h>
#include <drm/drm_gpuvm.h>
#include <drm/drm_print.h>
#include <drm/gpu_scheduler.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>

#ifdef LOOM_HAVE_GPU_BUDDY
#include <linux/gpu_buddy.h>
#else
#include <drm/drm_buddy.h>
#define gpu_buddy			drm_buddy
#define gpu_buddy_block			drm_buddy_block
#define gpu_buddy_init			drm_buddy_init
#define gpu_buddy_fini			drm_buddy_fini
#define gpu_buddy_alloc_blocks		drm_buddy_alloc_blocks
#define gpu_buddy_free_list		drm_buddy_free_list
#define gpu_buddy_block_offset		drm_buddy_block_offset
#define gpu_buddy_block_size		drm_buddy_block_size
#define GPU_BUDDY_RANGE_ALLOCATION	DRM_BUDDY_RANGE_ALLOCATION
#define GPU_BUDDY_TOPDOWN_ALLOCATION	DRM_BUDDY_TOPDOWN_ALLOCATION
#define GPU_BUDDY_CONTIGUOUS_ALLOCATION	DRM_BUDDY_CONTIGUOUS_ALLOCATION
#endif

#ifndef LOOM_HAVE_SCHED_INIT_ARGS
struct drm_sched_init_args {
	const struct drm_sched_backend_ops *ops;
	struct workqueue_struct *submit_wq;
	struct workqueue_struct *timeout_wq;
	u32 num_rqs;
	u32 credit_limit;
	unsigned int hang_limit;
	long timeout;
	atomic_t *score;
	const char *name;
	struct device *dev;
};
#endif

static inline int loom_sched_init(struct drm_gpu_scheduler *sched,
				  const struct drm_sched_init_args *args)
{
#ifdef LOOM_HAVE_SCHED_INIT_ARGS
	return drm_sched_init(sched, args);
#else
	return drm_sched_init(sched, args->ops, args->submit_wq, args->num_rqs,
			      args->credit_limit, args->hang_limit,
			      args->timeout, args->timeout_wq, args->score,
			      args->name, args->dev);
#endif
}

static inline int loom_sched_job_init(struct drm_sched_job *job,
				      struct drm_sched_entity *entity,
				      u32 credits, void *owner, u64 client_id)
{
#ifdef LOOM_HAVE_SCHED_JOB_CLIENT_ID
	return drm_sched_job_init(job, entity, credits, owner, client_id);
#else
	return drm_sched_job_init(job, entity, credits, owner);
#endif
}

static inline int loom_gpuvm_sm_map(struct drm_gpuvm *vm, void *priv, u64 addr,
				    u64 range, struct drm_gem_object *obj,
				    u64 offset)
{
#ifdef LOOM_HAVE_GPUVM_MAP_REQ
	const struct drm_gpuvm_map_req req = {
		.map.va.addr = addr,
		.map.va.range = range,
		.map.gem.obj = obj,
		.map.gem.offset = offset,
	};

	return drm_gpuvm_sm_map(vm, priv, &req);
#else
	return drm_gpuvm_sm_map(vm, priv, addr, range, obj, offset);
#endif
}

#ifdef LOOM_HAVE_GPUVM_OBTAIN_LOCKED
#define loom_gpuvm_bo_obtain	drm_gpuvm_bo_obtain_locked
#else
#define loom_gpuvm_bo_obtain	drm_gpuvm_bo_obtain
#endif

#ifdef LOOM_HAVE_GEM_GPUVA_FEATURE
#define LOOM_DRIVER_GEM_GPUVA	DRIVER_GEM_GPUVA
#else
#define LOOM_DRIVER_GEM_GPUVA	0
#endif

#ifdef LOOM_HAVE_EXEC_NO_INDEX
#define loom_exec_for_each_locked(exec, obj) \
	drm_exec_for_each_locked_object(exec, obj)
#else
#define loom_exec_for_each_locked(exec, obj)				\
	for (unsigned long __index = 0;					\
	     ((obj) = drm_exec_obj(exec, __index)); __index++)
#endif

static inline int loom_ttm_device_init(struct ttm_device *bdev,
				       const struct ttm_device_funcs *funcs,
				       struct device *dev,
				       struct address_space *mapping,
				       struct drm_vma_offset_manager *vma)
{
#ifdef LOOM_HAVE_TTM_ALLOC_FLAGS
	return ttm_device_init(bdev, funcs, dev, mapping, vma, 0);
#else
	return ttm_device_init(bdev, funcs, dev, mapping, vma, false, false);
#endif
}

/* Tell user space that the card is lost until the driver is bound anew. */
static inline void loom_wedged_event(struct drm_device *drm)
{
#ifdef LOOM_HAVE_WEDGED_EVENT
	drm_dev_wedged_event(drm, DRM_WEDGE_RECOVERY_REBIND, NULL);
#else
	char *env[] = { "WEDGED=rebind", NULL };

	kobject_uevent_env(&drm->accel->kdev->kobj, KOBJ_CHANGE, env);
#endif
}

/* What a GEM object's .free callback calls. */
#ifdef LOOM_HAVE_TTM_BO_FINI
#define loom_ttm_bo_fini	ttm_bo_fini
#else
#define loom_ttm_bo_fini	ttm_bo_put
#endif

/* The name of a symbol namespace was a token once and is a string now. */
#ifdef LOOM_HAVE_STRING_NAMESPACE
#define LOOM_IMPORT_DMA_BUF	MODULE_IMPORT_NS("DMA_BUF")
#else
#define LOOM_IMPORT_DMA_BUF	MODULE_IMPORT_NS(DMA_BUF)
#endif

#endif
