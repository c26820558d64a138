// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: fdinfo
 *
 * Keys as in the kernel's Documentation/gpu/drm-usage-stats.rst.  Engine time is
 * modelled time, of jobs that are over.  Memory is in KiB, per region: "hbm" and
 * "memory", which is the system's.  An object counts as total and shared in the
 * region it was made for, as resident and active in the one where it is.
 */
#include <linux/dma-resv.h>
#include <linux/math64.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>

#include <drm/loom_accel.h>

#include "loom_bo.h"
#include "loom_device.h"
#include "loom_fdinfo.h"
#include "loom_file.h"

/**
 * struct loom_fdinfo_region - memory of one kind, in bytes
 */
struct loom_fdinfo_region {
	/** @total: of all objects with a handle */
	u64 total;
	/** @shared: of those that others have too */
	u64 shared;
	/** @resident: of those that have memory */
	u64 resident;
	/** @active: of those that jobs may be using */
	u64 active;
};

/**
 * struct loom_fdinfo_memory - memory of one client
 */
struct loom_fdinfo_memory {
	/** @hbm: of the card */
	struct loom_fdinfo_region hbm;
	/** @system: of the host */
	struct loom_fdinfo_region system;
};

static struct loom_fdinfo_region *
loom_fdinfo_region(struct loom_fdinfo_memory *memory, u32 placement)
{
	return placement == DRM_LOOM_PLACE_HBM ? &memory->hbm : &memory->system;
}

static void loom_fdinfo_add(struct loom_fdinfo_memory *memory,
			    struct loom_bo *bo)
{
	struct drm_gem_object *obj = loom_bo_gem(bo);
	struct loom_fdinfo_region *home, *now;

	home = loom_fdinfo_region(memory, bo->placement);
	now = loom_fdinfo_region(memory, READ_ONCE(bo->resident));
	home->total += obj->size;
	if (drm_gem_object_is_shared_for_memory_stats(obj))
		home->shared += obj->size;
	now->resident += obj->size;
	if (!dma_resv_test_signaled(obj->resv, DMA_RESV_USAGE_BOOKKEEP))
		now->active += obj->size;
}

static void loom_fdinfo_print(struct drm_printer *p, const char *name,
			      const struct loom_fdinfo_region *region)
{
	drm_printf(p, "drm-total-%s:\t%llu KiB\n", name, region->total >> 10);
	drm_printf(p, "drm-shared-%s:\t%llu KiB\n", name, region->shared >> 10);
	drm_printf(p, "drm-resident-%s:\t%llu KiB\n", name,
		   region->resident >> 10);
	drm_printf(p, "drm-active-%s:\t%llu KiB\n", name, region->active >> 10);
}

static void loom_fdinfo_show_memory(struct drm_printer *p, struct drm_file *file)
{
	struct loom_fdinfo_memory memory = { };
	struct drm_gem_object *obj;
	int id;

	spin_lock(&file->table_lock);
	idr_for_each_entry(&file->object_idr, obj, id)
		loom_fdinfo_add(&memory, to_loom_bo(obj));
	spin_unlock(&file->table_lock);
	loom_fdinfo_print(p, "hbm", &memory.hbm);
	loom_fdinfo_print(p, "memory", &memory.system);
}

static void loom_fdinfo_show_engine(struct drm_printer *p, struct drm_file *file)
{
	struct loom_device *ldev = to_loom_device(file->minor->dev);
	u64 cycles = atomic64_read(&to_loom_file(file)->client->cycles);
	u32 khz = ldev->hw.clock_khz;

	drm_printf(p, "drm-engine-compute:\t%llu ns\n",
		   mul_u64_u64_div_u64(cycles, NSEC_PER_MSEC, khz));
	drm_printf(p, "drm-cycles-compute:\t%llu\n", cycles);
	drm_printf(p, "drm-maxfreq-compute:\t%u KHz\n", khz);
}

void loom_fdinfo_show(struct drm_printer *p, struct drm_file *file)
{
	loom_fdinfo_show_engine(p, file);
	loom_fdinfo_show_memory(p, file);
}
