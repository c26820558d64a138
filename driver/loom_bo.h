/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Buffer objects.
 */
#ifndef LOOM_BO_H
#define LOOM_BO_H

#include <drm/drm_gem.h>
#include <drm/ttm/ttm_bo.h>

struct dma_resv;
struct drm_file;
struct loom_device;
struct sg_table;

/**
 * struct loom_bo - a piece of HBM or system memory
 */
struct loom_bo {
	/** @ttm: base class */
	struct ttm_buffer_object ttm;
	/** @placement: DRM_LOOM_PLACE_* it was created for */
	u32 placement;
	/** @vm_root: owner of the dma_resv shared with a VM, or NULL; a reference */
	struct drm_gem_object *vm_root;
	/** @resident: DRM_LOOM_PLACE_* of where it is; read without the dma_resv too */
	u32 resident;
	/** @label: what its owner calls it, owned, or NULL; under the dma_resv */
	char *label;
	/** @cpu: the CPU wants to map it: HBM behind the BAR will not do */
	bool cpu;
	/** @lost: a clear or move failed, contents are gone; never cleared */
	bool lost;
};

static inline struct loom_bo *ttm_to_loom_bo(struct ttm_buffer_object *tbo)
{
	return container_of(tbo, struct loom_bo, ttm);
}

static inline struct loom_bo *to_loom_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct loom_bo, ttm.base);
}

static inline struct drm_gem_object *loom_bo_gem(struct loom_bo *bo)
{
	return &bo->ttm.base;
}

struct loom_bo *loom_bo_create_kernel(struct loom_device *ldev, u64 size);
struct loom_bo *loom_bo_create_imported(struct loom_device *ldev, u64 size,
					struct sg_table *sg,
					struct dma_resv *resv);
struct loom_bo *loom_bo_get_of(struct ttm_buffer_object *tbo);
void loom_bo_put(struct loom_bo *bo);
int loom_bo_validate(struct loom_bo *bo);
void loom_bo_lose(struct loom_bo *bo);
void loom_bo_has_moved(struct loom_bo *bo, struct ttm_resource *res);
bool loom_bo_is_displaced(const struct loom_bo *bo);

int loom_bo_ioctl_create(struct drm_device *drm, void *data,
			 struct drm_file *file);
int loom_bo_ioctl_mmap_offset(struct drm_device *drm, void *data,
			      struct drm_file *file);
int loom_bo_ioctl_info(struct drm_device *drm, void *data,
		       struct drm_file *file);
int loom_bo_ioctl_set_label(struct drm_device *drm, void *data,
			    struct drm_file *file);

#endif
