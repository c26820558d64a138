// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: The card
 *
 * Brings the parts up in order and takes them down in reverse.
 *
 * Three ends are possible.  Unplugged: the driver was unbound or the card
 * pulled; drm_dev_enter() fails, all fences signal -ENODEV, files stay open
 * until their owners close them.  Wedged: the card does not acknowledge a
 * reset; it is kept from DMA, all fences signal -EIO and so do all ioctls.
 * Released: the last file is closed; drmm actions free the rest.
 */
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/module.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <loom/loom_isa.h>

#include "loom_copy.h"
#include "loom_coredump.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_debugfs.h"
#include "loom_event.h"
#include "loom_hwmon.h"
#include "loom_irq.h"
#include "loom_pm.h"
#include "loom_ras.h"
#include "loom_reset.h"
#include "loom_ring.h"
#include "loom_sysfs.h"
#include "loom_ttm.h"
#include "loom_watchdog.h"

/* A reset waits for the engines to leave what they are at. */
#define LOOM_RESET_POLL_US	100
#define LOOM_RESET_TIMEOUT_US	(5 * USEC_PER_SEC)
/* Bus addresses in page table entries end here. */
#define LOOM_DMA_BITS		52

#ifdef __BIG_ENDIAN
#error "Loom's rings and page tables are little-endian"
#endif

static int loom_device_init_pci(struct loom_device *ldev, struct pci_dev *pdev)
{
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(LOOM_DMA_BITS));
	if (ret)
		return ret;
	/* The card works by pages and takes them one by one. */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	ldev->regs = pcim_iomap_region(pdev, LOOM_BAR_REGS, "loom-regs");
	if (IS_ERR(ldev->regs))
		return PTR_ERR(ldev->regs);
	ldev->doorbells = pcim_iomap_region(pdev, LOOM_BAR_DOORBELL, "loom-doorbells");
	if (IS_ERR(ldev->doorbells))
		return PTR_ERR(ldev->doorbells);
	return 0;
}

static int loom_device_identify(struct loom_device *ldev)
{
	u32 id = loom_read32(ldev, LOOM_REG_ID);
	u32 version = loom_read32(ldev, LOOM_REG_HW_VERSION);

	if (id != LOOM_ID_MAGIC) {
		drm_err(&ldev->drm, "identification is %#x, not %#x\n", id,
			LOOM_ID_MAGIC);
		return -ENODEV;
	}
	if (version >> 16 != LOOM_HW_VERSION_MAJOR) {
		drm_err(&ldev->drm, "hardware version %u.%u, this driver knows %u.x\n",
			version >> 16, version & 0xffff, LOOM_HW_VERSION_MAJOR);
		return -ENODEV;
	}
	return 0;
}

static void loom_device_read_hw(struct loom_device *ldev)
{
	struct loom_hw *hw = &ldev->hw;

	hw->version = loom_read32(ldev, LOOM_REG_HW_VERSION);
	hw->isa_version = loom_read32(ldev, LOOM_REG_ISA_VERSION);
	hw->features = loom_read32(ldev, LOOM_REG_FEATURES);
	hw->num_queues = loom_read32(ldev, LOOM_REG_NUM_QUEUES);
	hw->num_contexts = loom_read32(ldev, LOOM_REG_NUM_CONTEXTS);
	hw->num_vectors = loom_read32(ldev, LOOM_REG_NUM_VECTORS);
	hw->num_arrays = loom_read32(ldev, LOOM_REG_NUM_ARRAYS);
	hw->array_rows = loom_read32(ldev, LOOM_REG_ARRAY_ROWS);
	hw->array_cols = loom_read32(ldev, LOOM_REG_ARRAY_COLS);
	hw->clock_khz = loom_read32(ldev, LOOM_REG_CLOCK_KHZ);
	hw->vector_lanes = loom_read32(ldev, LOOM_REG_VECTOR_LANES);
	hw->hbm_mbps = loom_read32(ldev, LOOM_REG_HBM_MBPS);
	hw->pcie_mbps = loom_read32(ldev, LOOM_REG_PCIE_MBPS);
	hw->hbm_channels = loom_read32(ldev, LOOM_REG_HBM_CHANNELS);
	hw->hbm_size = loom_read64(ldev, LOOM_REG_HBM_SIZE);
	hw->sram_size = loom_read64(ldev, LOOM_REG_SRAM_SIZE);
	hw->serial = loom_read64(ldev, LOOM_REG_SERIAL);
}

/* The rest of the driver divides by and indexes with these. */
static int loom_device_check_hw(struct loom_device *ldev)
{
	const struct loom_hw *hw = &ldev->hw;

	if (hw->num_queues < 2 || hw->num_queues > LOOM_MAX_QUEUES ||
	    hw->num_contexts < 2 || hw->num_contexts > LOOM_MAX_CONTEXTS ||
	    !hw->num_vectors || !hw->clock_khz || !hw->hbm_size) {
		drm_err(&ldev->drm, "%u queues, %u contexts, %u vectors, %u kHz, %llu bytes HBM: not a card this driver knows\n",
			hw->num_queues, hw->num_contexts, hw->num_vectors,
			hw->clock_khz, hw->hbm_size);
		return -ENODEV;
	}
	return 0;
}

/* 0, or -ETIMEDOUT if the card does not get ready again. */
int loom_device_reset_hw(struct loom_device *ldev)
{
	u32 status;

	loom_write32(ldev, LOOM_REG_CTRL, LOOM_CTRL_RESET);
	return readl_poll_timeout(ldev->regs + LOOM_REG_STATUS, status,
				  status & LOOM_STATUS_READY,
				  LOOM_RESET_POLL_US, LOOM_RESET_TIMEOUT_US);
}

static void loom_device_disable_hw(void *data)
{
	struct loom_device *ldev = data;

	loom_write32(ldev, LOOM_REG_CTRL, 0);
	pci_clear_master(to_pci_dev(ldev->drm.dev));
}

static int loom_device_init_hw(struct loom_device *ldev)
{
	int ret;

	ret = loom_device_identify(ldev);
	if (ret)
		return ret;
	ret = loom_device_reset_hw(ldev);
	if (ret) {
		drm_err(&ldev->drm, "the card does not come out of reset\n");
		return ret;
	}
	loom_device_read_hw(ldev);
	ret = loom_device_check_hw(ldev);
	if (ret)
		return ret;
	/* Not before the reset: who knows what the card was at. */
	pci_set_master(to_pci_dev(ldev->drm.dev));
	return devm_add_action_or_reset(ldev->drm.dev, loom_device_disable_hw,
					ldev);
}

static void loom_device_destroy_wq(struct drm_device *drm, void *wq)
{
	destroy_workqueue(wq);
}

static int loom_device_init_wqs(struct loom_device *ldev)
{
	int ret;

	ldev->sched_wq = alloc_workqueue("loom-sched",
					 WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!ldev->sched_wq)
		return -ENOMEM;
	ret = drmm_add_action_or_reset(&ldev->drm, loom_device_destroy_wq,
				       ldev->sched_wq);
	if (ret)
		return ret;
	ldev->reset_wq = alloc_ordered_workqueue("loom-reset", WQ_MEM_RECLAIM);
	if (!ldev->reset_wq)
		return -ENOMEM;
	return drmm_add_action_or_reset(&ldev->drm, loom_device_destroy_wq,
					ldev->reset_wq);
}

static int loom_device_init_base(struct loom_device *ldev)
{
	atomic_set(&ldev->num_jobs, 0);
	atomic_set(&ldev->awake, 0);
	init_waitqueue_head(&ldev->jobs_gone);
	atomic_set(&ldev->wedged, 0);
	loom_reset_init(ldev);
	return drmm_mutex_init(&ldev->drm, &ldev->perf_lock);
}

/* What people and daemons look at. */
static int loom_device_init_monitors(struct loom_device *ldev)
{
	int ret;

	ret = loom_sysfs_init(ldev);
	if (ret)
		return ret;
	return loom_hwmon_init(ldev);
}

/**
 * loom_device_init() - bring a card up, all but the registration
 * @ldev: zeroed, its drm_device is initialised
 * @pdev: the PCI function
 *
 * Return: 0 or an error; devm and drmm undo what was done.
 */
int loom_device_init(struct loom_device *ldev, struct pci_dev *pdev)
{
	int ret;

	ret = loom_device_init_base(ldev);
	if (ret)
		return ret;
	ret = loom_device_init_pci(ldev, pdev);
	if (ret)
		return ret;
	ret = loom_device_init_hw(ldev);
	if (ret)
		return ret;
	ret = loom_device_init_wqs(ldev);
	if (ret)
		return ret;
	ret = loom_ttm_init(ldev);
	if (ret)
		return ret;
	ret = loom_ctx_init_all(ldev);
	if (ret)
		return ret;
	ret = loom_coredump_init(ldev);
	if (ret)
		return ret;
	ret = loom_ring_init_all(ldev);
	if (ret)
		return ret;
	ret = loom_watchdog_init(ldev);
	if (ret)
		return ret;
	ret = loom_ras_init(ldev);
	if (ret)
		return ret;
	ret = loom_events_init(ldev);
	if (ret)
		return ret;
	ret = loom_irq_init(ldev);
	if (ret)
		return ret;
	ret = loom_copy_init(ldev);
	if (ret)
		return ret;
	loom_write32(ldev, LOOM_REG_CTRL, LOOM_CTRL_ENABLE);
	loom_debugfs_init(ldev);
	return loom_device_init_monitors(ldev);
}

/**
 * loom_device_unplug() - the card is going away, or has gone
 * @ldev: the card, unregistered here
 *
 * On return no code of ours touches the hardware and no job exists.  Jobs that
 * still wait for fences of others are waited for.
 */
void loom_device_unplug(struct loom_device *ldev)
{
	unsigned int i;

	loom_reset_thaw(ldev, false);
	drm_dev_unplug(&ldev->drm);
	/* If the card was pulled these go nowhere. */
	if (loom_device_reset_hw(ldev))
		drm_dbg(&ldev->drm, "the card does not answer any more\n");
	pci_clear_master(to_pci_dev(ldev->drm.dev));
	for (i = 0; i < ldev->hw.num_queues; i++)
		loom_ring_stop(ldev->rings[i], LOOM_RING_STOP_GONE);
	wait_event(ldev->jobs_gone, !atomic_read(&ldev->num_jobs));
	cancel_delayed_work_sync(&ldev->watchdog);
	loom_reset_unplug(ldev);
	for (i = 0; i < ldev->hw.num_queues; i++)
		loom_ring_flush(ldev->rings[i]);
	loom_coredump_unplug(ldev);
	loom_ras_unplug(ldev);
	loom_tt_unplug(ldev);
}

/**
 * loom_device_wedge() - give the card up
 * @ldev: the card
 * @why: what it did, for the log
 *
 * In the fence signalling path: nothing here allocates.
 */
void loom_device_wedge(struct loom_device *ldev, const char *why)
{
	if (atomic_xchg(&ldev->wedged, 1))
		return;
	drm_err(&ldev->drm, "%s: the card is wedged, unbind and bind the driver\n",
		why);
	pci_clear_master(to_pci_dev(ldev->drm.dev));
	loom_ring_recover_all(ldev);
	queue_work(system_wq, &ldev->reset.wedged_work);
}

void loom_device_job_get(struct loom_device *ldev)
{
	/* Whoever makes a job has the card awake already. */
	loom_pm_keep(ldev);
	atomic_inc(&ldev->num_jobs);
}

void loom_device_job_put(struct loom_device *ldev)
{
	loom_pm_put(ldev);
	if (atomic_dec_and_test(&ldev->num_jobs))
		wake_up_all(&ldev->jobs_gone);
}
