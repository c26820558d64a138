// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The functions here have the names of those of the driver that the code under
 * test calls.  HBM, registers and doorbells are system memory.
 */
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "loom_copy.h"
#include "loom_fake.h"
#include "loom_file.h"
#include "loom_irq.h"
#include "loom_job.h"
#include "loom_reset.h"
#include "loom_ring_priv.h"
#include "loom_sched.h"
#include "loom_watchdog.h"

struct fake_calls fake_calls;

const struct drm_sched_backend_ops loom_copy_sched_ops = { };
const struct drm_sched_backend_ops loom_job_sched_ops = { };

/* Objects ----------------------------------------------------------------- */

/* An object of @size bytes below @end in HBM, or NULL and @error. */
struct loom_bo *fake_bo_create(struct loom_device *ldev, u64 size, u64 end,
			       int *error)
{
	struct ttm_resource_manager *man = &ldev->hbm.manager;
	const struct ttm_place place = {
		.lpfn = end >> PAGE_SHIFT,
		.mem_type = LOOM_PL_HBM,
	};
	struct loom_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL);

	*error = -ENOMEM;
	if (!bo)
		return NULL;
	bo->ttm.bdev = &ldev->ttm;
	bo->ttm.base.size = size;
	*error = man->func->alloc(man, &bo->ttm, &place, &bo->ttm.resource);
	if (*error) {
		kfree(bo);
		return NULL;
	}
	return bo;
}

void fake_bo_destroy(struct loom_bo *bo)
{
	struct ttm_resource_manager *man;

	if (!bo)
		return;
	man = ttm_manager_type(bo->ttm.bdev, LOOM_PL_HBM);
	man->func->free(man, bo->ttm.resource);
	kfree(bo);
}

struct loom_bo *loom_bo_create_kernel(struct loom_device *ldev, u64 size)
{
	struct loom_bo *bo;
	int error;

	if (fake_calls.no_memory)
		return ERR_PTR(-ENOSPC);
	bo = fake_bo_create(ldev, size, 0, &error);
	if (!bo)
		return ERR_PTR(error);
	loom_hbm_clear(&ldev->hbm, bo->ttm.resource);
	return bo;
}

void loom_bo_put(struct loom_bo *bo)
{
	fake_bo_destroy(bo);
}

struct loom_bo *loom_bo_get_of(struct ttm_buffer_object *tbo)
{
	return ttm_to_loom_bo(tbo);
}

void loom_bo_lose(struct loom_bo *bo)
{
	bo->lost = true;
}

/* The rest of the driver -------------------------------------------------- */

void loom_device_hw_get(struct loom_device *ldev)
{
	down_read(&ldev->reset_lock);
}

void loom_device_job_put(struct loom_device *ldev)
{
	fake_calls.job_puts++;
}

unsigned int loom_irq_vector(struct loom_device *ldev, unsigned int queue)
{
	return queue + 1;
}

void loom_reset_schedule(struct loom_device *ldev, const char *why)
{
	fake_calls.resets++;
}

void loom_watchdog_kick(struct loom_device *ldev)
{
	fake_calls.kicks++;
}

struct loom_client *loom_client_get(struct loom_client *client)
{
	kref_get(&client->ref);
	return client;
}

static void fake_client_release(struct kref *ref)
{
	kfree(container_of(ref, struct loom_client, ref));
}

void loom_client_put(struct loom_client *client)
{
	kref_put(&client->ref, fake_client_release);
}

static void fake_recover(struct work_struct *work)
{
	fake_calls.recovers++;
}

void loom_ring_init_stop(struct loom_ring *ring)
{
	INIT_WORK(&ring->recover, fake_recover);
}

struct drm_gpu_scheduler *
loom_sched_create(struct loom_device *ldev, const struct drm_sched_backend_ops *ops,
		  u32 credits, const char *what, unsigned int id)
{
	return ERR_PTR(-EOPNOTSUPP);
}

/* The card ---------------------------------------------------------------- */

static void fake_hbm_init(struct loom_device *ldev)
{
	struct loom_hbm *hbm = &ldev->hbm;

	mutex_init(&hbm->lock);
	INIT_LIST_HEAD(&hbm->resources);
	INIT_LIST_HEAD(&hbm->retired);
	INIT_LIST_HEAD(&hbm->retiring);
	hbm->visible = FAKE_HBM_SIZE;
	fake_hbm_set_funcs(hbm);
	ttm_resource_manager_init(&hbm->manager, &ldev->ttm, FAKE_HBM_SIZE);
	ttm_set_driver_manager(&ldev->ttm, LOOM_PL_HBM, &hbm->manager);
}

static void __iomem *fake_bar(size_t size)
{
	void *memory = vzalloc(size);

	return (void __iomem __force *)memory;
}

static int fake_card_init(struct loom_device *ldev)
{
	ldev->hbm.cpu = fake_bar(FAKE_HBM_SIZE);
	ldev->regs = fake_bar(SZ_1M);
	ldev->doorbells = fake_bar(SZ_1M);
	ldev->reset_wq = alloc_ordered_workqueue("loom_kunit", 0);
	if (!ldev->hbm.cpu || !ldev->regs || !ldev->doorbells || !ldev->reset_wq)
		return -ENOMEM;
	spin_lock_init(&ldev->ttm.lru_lock);
	init_rwsem(&ldev->reset_lock);
	return gpu_buddy_init(&ldev->hbm.mm, FAKE_HBM_SIZE, PAGE_SIZE);
}

static void fake_card_free(struct loom_device *ldev)
{
	if (ldev->reset_wq)
		destroy_workqueue(ldev->reset_wq);
	vfree((void __force *)ldev->doorbells);
	vfree((void __force *)ldev->regs);
	vfree((void __force *)ldev->hbm.cpu);
	kvfree(ldev);
}

/* NULL without memory. */
struct loom_device *fake_card_create(void)
{
	struct loom_device *ldev = kvzalloc(sizeof(*ldev), GFP_KERNEL);

	fake_calls = (struct fake_calls) { };
	if (!ldev)
		return NULL;
	if (fake_card_init(ldev)) {
		fake_card_free(ldev);
		return NULL;
	}
	fake_hbm_init(ldev);
	return ldev;
}

/* The allocator warns of memory that was not freed. */
void fake_card_destroy(struct loom_device *ldev)
{
	if (!ldev)
		return;
	gpu_buddy_fini(&ldev->hbm.mm);
	fake_card_free(ldev);
}
