// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Copies by the card
 *
 * New objects are cleared, and objects moved between HBM and system memory, by
 * the card's copy engine: it is the only one that reaches HBM beyond the BAR.
 * For that the kernel keeps one ring and one context for itself.
 *
 * A copy is cut into jobs of at most LOOM_COPY_WINDOW bytes.  The context has
 * two windows, one to read and one to write; a job maps its piece there, writes
 * its one command and rings the doorbell.  The scheduler lets one job run at a
 * time, so a job finds windows and command unused.
 *
 * Jobs wait for the fences that are in the object's dma_resv.  Moves have one
 * fence context, which TTM needs to know the latest of them; clears have another,
 * so that they do not wait for a move that waits for somebody's job.
 *
 * A copy that fails leaves the object without its contents, or with somebody
 * else's: loom_bo_lose() is called before the copy's fence signals; from then on the
 * CPU cannot map the object, and what it is bound in is unusable.
 *
 * Locking: loom_copy.lock is taken with dma_resvs held; nothing is allocated
 * under it.
 */
#include <linux/io.h>
#include <linux/list.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>

#include <loom/loom_isa.h>

#include "loom_bo.h"
#include "loom_compat.h"
#include "loom_copy.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_extents.h"
#include "loom_fence.h"
#include "loom_file.h"
#include "loom_mmu.h"
#include "loom_ring.h"

#define LOOM_COPY_WINDOW	((u64)SZ_32M)
#define LOOM_COPY_READ_VA	(4ull << 30)
#define LOOM_COPY_WRITE_VA	(5ull << 30)
#define LOOM_COPY_CMD_VA	(6ull << 30)
/* Above user queues: everybody waits for copies. */
#define LOOM_COPY_PRIORITY	3

/**
 * enum loom_copy_entity - where jobs wait for their turn
 */
enum loom_copy_entity {
	/** @LOOM_COPY_CLEARS: clears */
	LOOM_COPY_CLEARS,
	/** @LOOM_COPY_MOVES: moves */
	LOOM_COPY_MOVES,
	/** @LOOM_COPY_ENTITIES: number of them */
	LOOM_COPY_ENTITIES,
};

/**
 * struct loom_copy - the kernel's own queue
 */
struct loom_copy {
	/** @ldev: the card */
	struct loom_device *ldev;
	/** @mmu: page tables of context LOOM_CTX_COPY */
	struct loom_mmu *mmu;
	/** @cmd: a page of HBM for the command */
	struct loom_bo *cmd;
	/** @client: statistics of the ring, nobody reads them */
	struct loom_client *client;
	/** @lock: jobs are armed and pushed in one order */
	struct mutex lock;
	/** @entities: by enum loom_copy_entity */
	struct drm_sched_entity entities[LOOM_COPY_ENTITIES];
	/** @num_entities: initialised ones */
	unsigned int num_entities;
};

/**
 * struct loom_copy_job - a clear or copy of at most LOOM_COPY_WINDOW bytes
 */
struct loom_copy_job {
	/** @base: base class */
	struct drm_sched_job base;
	/** @ldev: the card; the job is counted there */
	struct loom_device *ldev;
	/** @fence: for the card, owned until the job goes there */
	struct loom_fence *fence;
	/** @link: in the list of one copy until pushed */
	struct list_head link;
	/** @to: the write window */
	struct loom_mmu_map to;
	/** @from: the read window; without memory: clear */
	struct loom_mmu_map from;
};

static struct loom_copy_job *to_loom_copy_job(struct drm_sched_job *job)
{
	return container_of(job, struct loom_copy_job, base);
}

/* Running ----------------------------------------------------------------- */

static void loom_copy_write_command(struct loom_copy *copy,
				    const struct loom_copy_job *job)
{
	struct loom_hbm *hbm = &copy->ldev->hbm;
	bool clear = !job->from.memory;
	struct loom_cmd_copy cmd = {
		.hdr.opcode = LOOM_OP_COPY,
		.hdr.version = LOOM_ISA_VERSION,
		.hdr.size64 = sizeof(cmd) / LOOM_CMD_ALIGN,
		.mode = clear ? LOOM_COPY_FILL : LOOM_COPY_COPY,
		.src_type = clear ? LOOM_TYPE_NONE : LOOM_TYPE_I32,
		.dst_type = LOOM_TYPE_I32,
		.dim = { (job->to.end - job->to.va) / sizeof(u32), 1, 1, 1 },
		.dst = LOOM_COPY_WRITE_VA,
		.dst_stride = { sizeof(u32) },
	};

	if (!clear) {
		cmd.src = LOOM_COPY_READ_VA;
		cmd.src_stride[0] = sizeof(u32);
	}
	memcpy_toio(hbm->cpu + loom_hbm_offset(hbm, copy->cmd->ttm.resource, 0),
		    &cmd, sizeof(cmd));
}

/* The ring stops at the first error; the kernel's goes on with the next job. */
static void loom_copy_revive(struct loom_ring *ring)
{
	loom_ring_stop(ring, LOOM_RING_STOP_FAULT);
	loom_ring_restart(ring);
}

/* Neither a clear nor a move reads what it writes. */
static const struct loom_ring_work loom_copy_work = {
	.cmd_va = LOOM_COPY_CMD_VA,
	.cmd_size = sizeof(struct loom_cmd_copy),
	.repeatable = true,
};

/* The window and the command for the card; the ring is empty. */
static void loom_copy_write(struct loom_copy_job *job)
{
	struct loom_device *ldev = job->ldev;

	loom_device_hw_get(ldev);
	loom_mmu_write_map(ldev->copy->mmu, &job->to);
	if (job->from.memory)
		loom_mmu_write_map(ldev->copy->mmu, &job->from);
	loom_ctx_invalidate(ldev->ctxs[LOOM_CTX_COPY]);
	loom_copy_write_command(ldev->copy, job);
	loom_device_hw_put(ldev);
}

static struct dma_fence *loom_copy_emit(struct loom_copy_job *job)
{
	struct loom_device *ldev = job->ldev;
	struct loom_ring *ring = ldev->rings[LOOM_RING_COPY];
	struct loom_fence *fence = job->fence;
	int ret;

	if (loom_device_is_wedged(ldev))
		return ERR_PTR(-EIO);
	if (loom_ring_is_banned(ring))
		loom_copy_revive(ring);
	loom_copy_write(job);
	ret = loom_ring_emit(ring, &loom_copy_work, fence);
	if (ret)
		return ERR_PTR(ret);
	job->fence = NULL;
	return &fence->base;
}

static struct dma_fence *loom_copy_run(struct drm_sched_job *sched_job)
{
	struct loom_copy_job *job = to_loom_copy_job(sched_job);
	struct dma_fence *fence = ERR_PTR(-ENODEV);
	bool cookie;
	int idx;

	cookie = dma_fence_begin_signalling();
	if (drm_dev_enter(&job->ldev->drm, &idx)) {
		fence = loom_copy_emit(job);
		drm_dev_exit(idx);
	}
	if (IS_ERR(fence))
		loom_bo_lose(job->fence->bo);
	dma_fence_end_signalling(cookie);
	return fence;
}

static void loom_copy_job_destroy(struct loom_copy_job *job)
{
	struct loom_device *ldev = job->ldev;

	drm_sched_job_cleanup(&job->base);
	loom_fence_free(job->fence);
	loom_extents_free(job->to.memory);
	loom_extents_free(job->from.memory);
	kfree(job);
	loom_device_job_put(ldev);
}

static void loom_copy_free(struct drm_sched_job *sched_job)
{
	loom_copy_job_destroy(to_loom_copy_job(sched_job));
}

const struct drm_sched_backend_ops loom_copy_sched_ops = {
	.run_job = loom_copy_run,
	.free_job = loom_copy_free,
};

/* Making ------------------------------------------------------------------ */

static struct loom_copy_job *loom_copy_job_alloc(struct loom_bo *bo,
						 enum loom_copy_entity entity)
{
	struct loom_device *ldev = to_loom_device(bo->ttm.base.dev);
	struct loom_copy_job *job;
	int ret = -ENOMEM;

	job = kzalloc(sizeof(*job), GFP_KERNEL);
	if (!job)
		return ERR_PTR(-ENOMEM);
	job->fence = loom_fence_alloc();
	if (!job->fence)
		goto err_free_job;
	job->fence->bo = bo;
	ret = loom_sched_job_init(&job->base, &ldev->copy->entities[entity], 1,
				  ldev, 0);
	if (ret)
		goto err_free_fence;
	job->ldev = ldev;
	loom_device_job_get(ldev);
	return job;

err_free_fence:
	loom_fence_free(job->fence);
err_free_job:
	kfree(job);
	return ERR_PTR(ret);
}

static int loom_copy_map(struct loom_mmu_map *map, struct loom_bo *bo,
			 struct ttm_resource *res, u64 va, u64 offset, u64 size)
{
	struct loom_extents *memory;

	memory = loom_extents_of(to_loom_device(bo->ttm.base.dev), res,
				 bo->ttm.ttm, offset, size);
	if (IS_ERR(memory))
		return PTR_ERR(memory);
	*map = (struct loom_mmu_map) {
		.va = va, .end = va + size, .memory = memory,
	};
	return 0;
}

/* Add the job for the window at @offset to @jobs. */
static int loom_copy_add_job(struct list_head *jobs, struct loom_bo *bo,
			     struct ttm_resource *to, struct ttm_resource *from,
			     u64 offset)
{
	u64 size = min(bo->ttm.base.size - offset, LOOM_COPY_WINDOW);
	struct loom_copy_job *job;
	int ret;

	job = loom_copy_job_alloc(bo, from ? LOOM_COPY_MOVES : LOOM_COPY_CLEARS);
	if (IS_ERR(job))
		return PTR_ERR(job);
	list_add_tail(&job->link, jobs);
	ret = loom_copy_map(&job->to, bo, to, LOOM_COPY_WRITE_VA, offset, size);
	if (!ret && from)
		ret = loom_copy_map(&job->from, bo, from, LOOM_COPY_READ_VA,
				    offset, size);
	return ret;
}

static struct dma_fence *loom_copy_push(struct loom_copy *copy,
					struct list_head *jobs)
{
	struct loom_copy_job *job, *next;
	struct dma_fence *done = NULL;
	bool cookie;

	/* What was written through write-combined mappings goes first. */
	wmb();
	mutex_lock(&copy->lock);
	cookie = dma_fence_begin_signalling();
	list_for_each_entry_safe(job, next, jobs, link) {
		drm_sched_job_arm(&job->base);
		dma_fence_put(done);
		done = dma_fence_get(&job->base.s_fence->finished);
		drm_sched_entity_push_job(&job->base);
	}
	dma_fence_end_signalling(cookie);
	mutex_unlock(&copy->lock);
	return done;
}

/* @usage: which of the object's fences to wait for. */
static struct dma_fence *loom_copy(struct loom_bo *bo, struct ttm_resource *to,
				   struct ttm_resource *from,
				   enum dma_resv_usage usage)
{
	struct loom_device *ldev = to_loom_device(bo->ttm.base.dev);
	struct loom_copy_job *job, *next;
	LIST_HEAD(jobs);
	u64 offset;
	int ret = 0;

	dma_resv_assert_held(bo->ttm.base.resv);
	for (offset = 0; !ret && offset < bo->ttm.base.size;
	     offset += LOOM_COPY_WINDOW)
		ret = loom_copy_add_job(&jobs, bo, to, from, offset);
	if (!ret) {
		job = list_first_entry(&jobs, struct loom_copy_job, link);
		ret = drm_sched_job_add_resv_dependencies(&job->base,
							  bo->ttm.base.resv,
							  usage);
	}
	if (!ret)
		return loom_copy_push(ldev->copy, &jobs);
	list_for_each_entry_safe(job, next, &jobs, link)
		loom_copy_job_destroy(job);
	return ERR_PTR(ret);
}

/**
 * loom_copy_clear() - fill an object in HBM with zeros
 * @bo: nobody has seen it yet; locked
 *
 * Return: a fence, a reference, or -ENOMEM.
 */
struct dma_fence *loom_copy_clear(struct loom_bo *bo)
{
	return loom_copy(bo, bo->ttm.resource, NULL, DMA_RESV_USAGE_KERNEL);
}

/**
 * loom_copy_move() - copy an object's contents to where it will be
 * @bo: in HBM or in mapped system memory; locked
 * @to: likewise
 *
 * Return: a fence, a reference, or -ENOMEM.
 */
struct dma_fence *loom_copy_move(struct loom_bo *bo, struct ttm_resource *to)
{
	return loom_copy(bo, to, bo->ttm.resource, DMA_RESV_USAGE_BOOKKEEP);
}

/* The card's life --------------------------------------------------------- */

static int loom_copy_map_command(struct loom_copy *copy)
{
	struct loom_mmu_map map;
	int ret;

	ret = loom_copy_map(&map, copy->cmd, copy->cmd->ttm.resource,
			    LOOM_COPY_CMD_VA, 0, LOOM_PAGE_SIZE);
	if (ret)
		return ret;
	map.readonly = true;
	ret = loom_mmu_prepare_map(copy->mmu, &map);
	if (!ret)
		loom_mmu_write_map(copy->mmu, &map);
	loom_extents_free(map.memory);
	return ret;
}

static int loom_copy_init_tables(struct loom_copy *copy)
{
	int ret;

	ret = loom_mmu_prepare_window(copy->mmu, LOOM_COPY_READ_VA,
				      LOOM_COPY_READ_VA + LOOM_COPY_WINDOW);
	if (!ret)
		ret = loom_mmu_prepare_window(copy->mmu, LOOM_COPY_WRITE_VA,
					      LOOM_COPY_WRITE_VA + LOOM_COPY_WINDOW);
	return ret ?: loom_copy_map_command(copy);
}

static int loom_copy_init_entities(struct loom_copy *copy)
{
	struct drm_gpu_scheduler *sched;
	int ret;

	sched = loom_ring_sched(copy->ldev->rings[LOOM_RING_COPY]);
	while (copy->num_entities < LOOM_COPY_ENTITIES) {
		ret = drm_sched_entity_init(&copy->entities[copy->num_entities],
					    DRM_SCHED_PRIORITY_KERNEL, &sched, 1,
					    NULL);
		if (ret)
			return ret;
		copy->num_entities++;
	}
	return 0;
}

static void loom_copy_fini(struct drm_device *drm, void *data)
{
	struct loom_copy *copy = data;

	while (copy->num_entities)
		drm_sched_entity_fini(&copy->entities[--copy->num_entities]);
	loom_ring_put(copy->ldev->rings[LOOM_RING_COPY], false);
	if (copy->client)
		loom_client_put(copy->client);
	loom_bo_put(copy->cmd);
	if (copy->mmu)
		loom_mmu_destroy(copy->mmu);
}

static int loom_copy_init_memory(struct loom_copy *copy)
{
	int ret;

	copy->mmu = loom_mmu_create(copy->ldev);
	if (IS_ERR(copy->mmu)) {
		ret = PTR_ERR(copy->mmu);
		copy->mmu = NULL;
		return ret;
	}
	copy->cmd = loom_bo_create_kernel(copy->ldev, LOOM_PAGE_SIZE);
	if (IS_ERR(copy->cmd)) {
		ret = PTR_ERR(copy->cmd);
		copy->cmd = NULL;
		return ret;
	}
	return loom_copy_init_tables(copy);
}

/* After rings and interrupts. */
int loom_copy_init(struct loom_device *ldev)
{
	struct loom_copy *copy;
	int ret;

	copy = drmm_kzalloc(&ldev->drm, sizeof(*copy), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	copy->ldev = ldev;
	ret = drmm_mutex_init(&ldev->drm, &copy->lock);
	if (ret)
		return ret;
	ret = drmm_add_action_or_reset(&ldev->drm, loom_copy_fini, copy);
	if (ret)
		return ret;
	copy->client = loom_client_create();
	if (!copy->client)
		return -ENOMEM;
	ret = loom_copy_init_memory(copy);
	if (ret)
		return ret;
	ret = loom_copy_init_entities(copy);
	if (ret)
		return ret;
	ldev->copy = copy;
	loom_ctx_set_root(ldev->ctxs[LOOM_CTX_COPY], loom_mmu_root(copy->mmu));
	return loom_ring_start(ldev->rings[LOOM_RING_COPY], LOOM_CTX_COPY,
			       LOOM_COPY_PRIORITY, copy->client, NULL);
}
