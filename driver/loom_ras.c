// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Memory errors
 *
 * The card corrects single errors of HBM by itself and counts them.  A page it
 * cannot correct is retired: the object that has it is lost (loom_bo.lost), its
 * CPU mappings go, and the page is never given out again (loom_hbm_retire()).
 * A page of the driver's own objects, which are page tables, costs the card.
 *
 * The list lives as long as the driver is bound: the card has no memory of it.
 *
 * Locking: loom_ras.lock protects the queue between interrupt and work item.
 */
#include <linux/bitops.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "loom_bo.h"
#include "loom_device.h"
#include "loom_ras.h"

/* Pages between interrupt and work item; more at once are counted only. */
#define LOOM_RAS_QUEUE	64u

/**
 * struct loom_ras - pages that have failed
 */
struct loom_ras {
	/** @ldev: the card */
	struct loom_device *ldev;
	/** @work: retires what is in @page */
	struct work_struct work;
	/** @lock: protects all that follows; taken in interrupts */
	spinlock_t lock;
	/** @page: HBM offsets to retire */
	u64 page[LOOM_RAS_QUEUE];
	/** @num: number of @page */
	unsigned int num;
	/** @dropped: pages for which there was no room in @page */
	unsigned int dropped;
};

/* Retiring ---------------------------------------------------------------- */

/* The object is not to be used any more, and says so. */
static void loom_ras_lose_owner(struct loom_device *ldev, u64 page,
				struct loom_bo *bo)
{
	if (bo->ttm.type == ttm_bo_type_kernel) {
		loom_device_wedge(ldev, "page table memory failed");
		return;
	}
	loom_bo_lose(bo);
	/* The next touch finds it lost. */
	drm_vma_node_unmap(&bo->ttm.base.vma_node, ldev->ttm.dev_mapping);
}

static void loom_ras_retire(struct loom_device *ldev, u64 page)
{
	struct loom_bo *bo = NULL;
	int ret;

	ret = loom_hbm_retire(&ldev->hbm, page, &bo);
	if (ret == -EEXIST)
		return;
	drm_warn(&ldev->drm, "HBM page %#llx failed and is retired%s\n", page,
		 bo ? ", an object is lost" : "");
	if (ret)
		drm_err(&ldev->drm, "HBM page %#llx: cannot be retired: %d\n",
			page, ret);
	if (bo)
		loom_ras_lose_owner(ldev, page, bo);
	loom_bo_put(bo);
}

static bool loom_ras_take(struct loom_ras *ras, u64 *page)
{
	bool any;

	spin_lock_irq(&ras->lock);
	any = ras->num;
	if (any)
		*page = ras->page[--ras->num];
	spin_unlock_irq(&ras->lock);
	return any;
}

static void loom_ras_work(struct work_struct *work)
{
	struct loom_ras *ras = container_of(work, struct loom_ras, work);
	u64 page;
	int idx;

	while (loom_ras_take(ras, &page)) {
		if (!drm_dev_enter(&ras->ldev->drm, &idx))
			return;
		loom_ras_retire(ras->ldev, page);
		drm_dev_exit(idx);
	}
}

/**
 * loom_ras_page_failed() - the card cannot read a page of HBM any more
 * @ldev: the card
 * @addr: HBM offset in the page
 *
 * From any context.
 */
void loom_ras_page_failed(struct loom_device *ldev, u64 addr)
{
	struct loom_ras *ras = ldev->ras;
	unsigned long flags;

	spin_lock_irqsave(&ras->lock, flags);
	if (ras->num < LOOM_RAS_QUEUE)
		ras->page[ras->num++] = addr & PAGE_MASK;
	else
		ras->dropped++;
	spin_unlock_irqrestore(&ras->lock, flags);
	queue_work(system_unbound_wq, &ras->work);
}

/* debugfs ----------------------------------------------------------------- */

static int loom_ras_show(struct seq_file *m, void *unused)
{
	struct drm_debugfs_entry *entry = m->private;
	struct loom_device *ldev = to_loom_device(entry->dev);
	struct drm_printer p = drm_seq_file_printer(m);

	drm_printf(&p, "dropped: %u\n", READ_ONCE(ldev->ras->dropped));
	loom_hbm_show_retired(&ldev->hbm, &p);
	return 0;
}

static const struct drm_debugfs_info loom_ras_files[] = {
	{ "retired_pages", loom_ras_show, 0, NULL },
};

/* The card's life --------------------------------------------------------- */

/* Before the events. */
int loom_ras_init(struct loom_device *ldev)
{
	struct loom_ras *ras;

	ras = drmm_kzalloc(&ldev->drm, sizeof(*ras), GFP_KERNEL);
	if (!ras)
		return -ENOMEM;
	ras->ldev = ldev;
	spin_lock_init(&ras->lock);
	INIT_WORK(&ras->work, loom_ras_work);
	ldev->ras = ras;
	drm_debugfs_add_files(&ldev->drm, loom_ras_files,
			      ARRAY_SIZE(loom_ras_files));
	return 0;
}

/* No interrupt comes any more, or none counts. */
void loom_ras_unplug(struct loom_device *ldev)
{
	cancel_work_sync(&ldev->ras->work);
}
