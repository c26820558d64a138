/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * HBM as a TTM memory type.
 */
#ifndef LOOM_HBM_H
#define LOOM_HBM_H

#include <linux/mutex.h>

#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "loom_compat.h"

struct drm_printer;
struct loom_bo;
struct loom_device;

#define LOOM_PL_HBM	TTM_PL_VRAM

/**
 * struct loom_hbm - the memory manager of HBM
 */
struct loom_hbm {
	/** @manager: base class; its size is what buffer objects can use */
	struct ttm_resource_manager manager;
	/** @lock: protects @mm, @resources and the lists of retired pages */
	struct mutex lock;
	/** @resources: list of loom_hbm_resource, all there are */
	struct list_head resources;
	/** @retired: list of loom_hbm_retired, never given out */
	struct list_head retired;
	/** @retiring: the same, as long as somebody has them */
	struct list_head retiring;
	/** @mm: the allocator; offset 0 is the start of HBM */
	struct gpu_buddy mm;
	/** @visible: bytes, from the start, that the BAR shows */
	u64 visible;
	/** @frees: counts how often memory was freed; read without @lock */
	u32 frees;
	/** @io_start: bus address of the BAR */
	resource_size_t io_start;
	/** @cpu: the visible part, write-combined; only inside drm_dev_enter() */
	void __iomem *cpu;
};

/**
 * struct loom_hbm_resource - where a buffer object is in HBM
 */
struct loom_hbm_resource {
	/** @base: base class */
	struct ttm_resource base;
	/** @link: in loom_hbm.resources */
	struct list_head link;
	/** @blocks: list of gpu_buddy_block, in the order of the object */
	struct list_head blocks;
};

static inline struct loom_hbm_resource *
to_loom_hbm_resource(struct ttm_resource *res)
{
	return container_of(res, struct loom_hbm_resource, base);
}

int loom_hbm_init(struct loom_device *ldev);
int loom_hbm_retire(struct loom_hbm *hbm, u64 page, struct loom_bo **owner);
unsigned int loom_hbm_count_retired(struct loom_hbm *hbm);
void loom_hbm_show_retired(struct loom_hbm *hbm, struct drm_printer *p);
bool loom_hbm_is_visible(struct loom_hbm *hbm, struct ttm_resource *res);
u64 loom_hbm_avail(struct loom_hbm *hbm);
u64 loom_hbm_offset(struct loom_hbm *hbm, struct ttm_resource *res, u64 pos);
void loom_hbm_clear(struct loom_hbm *hbm, struct ttm_resource *res);

#endif
