// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: System memory
 *
 * Its pages are where the kernel found them (loom_tt.c), so there is no address to
 * manage: this manager only accounts.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include <drm/drm_managed.h>
#include <drm/ttm/ttm_placement.h>

#include "loom_device.h"
#include "loom_sysmem.h"

static int loom_sysmem_alloc(struct ttm_resource_manager *man,
			     struct ttm_buffer_object *tbo,
			     const struct ttm_place *place,
			     struct ttm_resource **res)
{
	struct ttm_resource *new;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	ttm_resource_init(tbo, place, new);
	if (ttm_resource_manager_usage(man) > man->size) {
		ttm_resource_fini(man, new);
		kfree(new);
		return -ENOSPC;
	}
	*res = new;
	return 0;
}

static void loom_sysmem_free(struct ttm_resource_manager *man,
			     struct ttm_resource *res)
{
	ttm_resource_fini(man, res);
	kfree(res);
}

static const struct ttm_resource_manager_func loom_sysmem_funcs = {
	.alloc = loom_sysmem_alloc,
	.free = loom_sysmem_free,
};

static void loom_sysmem_fini(struct drm_device *drm, void *data)
{
	struct loom_device *ldev = to_loom_device(drm);

	ttm_resource_manager_set_used(&ldev->sysmem, false);
	if (ttm_resource_manager_evict_all(&ldev->ttm, &ldev->sysmem))
		return;
	ttm_resource_manager_cleanup(&ldev->sysmem);
	ttm_set_driver_manager(&ldev->ttm, LOOM_PL_SYSMEM, NULL);
}

int loom_sysmem_init(struct loom_device *ldev)
{
	/* TTM swaps out above half of the memory: stay clear of that. */
	u64 size = (u64)totalram_pages() * PAGE_SIZE / 8 * 3;

	ldev->sysmem.use_tt = true;
	ldev->sysmem.func = &loom_sysmem_funcs;
	ttm_resource_manager_init(&ldev->sysmem, &ldev->ttm, size);
	ttm_set_driver_manager(&ldev->ttm, LOOM_PL_SYSMEM, &ldev->sysmem);
	ttm_resource_manager_set_used(&ldev->sysmem, true);
	return drmm_add_action_or_reset(&ldev->drm, loom_sysmem_fini, NULL);
}
