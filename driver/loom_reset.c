// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Reset
 *
 * The ladder.  A job that fails or hangs costs its queue (loom_ring_stop.c).  A
 * queue that does not stop, a fatal event or a completion that makes no sense
 * costs a reset of the card: by its register, and if that does not answer by
 * FLR.  When neither helps, or LOOM_RESET_STREAK resets in a row did not get one
 * job done, the card is wedged.
 *
 * A reset, whoever does it (this file, the PCI core, suspend), is these steps:
 * nobody touches the hardware any more (reset_lock is written); rings are paused,
 * and the card gets LOOM_RESET_GRACE_MS to finish; jobs that have begun are noted;
 * the card is reset; contexts, events and rings are programmed again.  HBM keeps
 * its contents; SRAM and the contexts' events are zero afterwards.
 *
 * Nothing here allocates memory: fences depend on it.
 *
 * Locking: loom_device.reset_lock is read by who touches the hardware outside of
 * interrupts, in loom_device_hw_get(), and written during a reset.  It nests in
 * loom_ring.stop_lock and in any dma_resv; within it only spinlocks are taken.
 */
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/pci.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "loom_compat.h"
#include "loom_ctx.h"
#include "loom_event.h"
#include "loom_reset.h"
#include "loom_ring.h"
#include "loom_trace.h"

#define LOOM_RESET_GRACE_MS	1000
#define LOOM_RESET_STREAK	5
/* How long the PCI core may take to recover a slot. */
#define LOOM_RESET_PATIENCE	(10 * HZ)

/* Between these two nobody else touches the hardware, and fences depend on us. */
static void loom_reset_lock(struct loom_device *ldev)
{
	bool cookie = dma_fence_begin_signalling();

	down_write(&ldev->reset_lock);
	ldev->reset.cookie = cookie;
}

static void loom_reset_unlock(struct loom_device *ldev)
{
	bool cookie = ldev->reset.cookie;

	up_write(&ldev->reset_lock);
	dma_fence_end_signalling(cookie);
}

/* The steps --------------------------------------------------------------- */

/* Does the card answer, and would it finish anything? */
static bool loom_reset_is_alive(struct loom_device *ldev)
{
	u32 status = loom_read32(ldev, LOOM_REG_STATUS);

	return status != ~0u && !(status & LOOM_STATUS_FATAL);
}

static void loom_reset_drain(struct loom_device *ldev)
{
	unsigned long end = jiffies + msecs_to_jiffies(LOOM_RESET_GRACE_MS);

	while (!loom_ring_is_drained(ldev) && time_before(jiffies, end) &&
	       loom_reset_is_alive(ldev))
		usleep_range(200, 1000);
}

static void loom_reset_prepare(struct loom_device *ldev, bool alive)
{
	loom_ring_pre_reset(ldev);
	if (alive)
		loom_reset_drain(ldev);
	loom_ring_judge(ldev);
	loom_events_pre_reset(ldev);
}

/* The card is in its reset state and reachable. */
static void loom_reset_restore(struct loom_device *ldev)
{
	pci_set_master(to_pci_dev(ldev->drm.dev));
	loom_ctx_post_reset(ldev);
	loom_events_post_reset(ldev);
	loom_write32(ldev, LOOM_REG_CTRL, LOOM_CTRL_ENABLE);
	loom_ring_post_reset(ldev);
}

static void loom_reset_finish(struct loom_device *ldev, bool ok)
{
	WRITE_ONCE(ldev->reset.count, ldev->reset.count + 1);
	trace_loom_reset(ldev->drm.dev, ldev->reset.count, ok);
	if (ok)
		loom_reset_restore(ldev);
	else
		loom_device_wedge(ldev, "no reset helps");
}

/**
 * loom_reset_begin() - keep everybody from the card
 * @ldev: the card, not unplugged
 * @alive: it may be asked to finish its jobs
 *
 * loom_reset_end() must follow, in the same thread.
 */
void loom_reset_begin(struct loom_device *ldev, bool alive)
{
	loom_reset_lock(ldev);
	if (!loom_device_is_wedged(ldev))
		loom_reset_prepare(ldev, alive);
}

/**
 * loom_reset_end() - let everybody at the card again
 * @ldev: as in loom_reset_begin()
 * @ok: it is in its reset state; otherwise it is wedged here
 *
 * Return: 0, or -EIO if the card is wedged.
 */
int loom_reset_end(struct loom_device *ldev, bool ok)
{
	if (!loom_device_is_wedged(ldev))
		loom_reset_finish(ldev, ok);
	loom_reset_unlock(ldev);
	return loom_device_is_wedged(ldev) ? -EIO : 0;
}

/* The BAR of HBM ---------------------------------------------------------- */

/* HBM is about to vanish from its BAR: take all mappings, let faults wait. */
static void loom_reset_leave(struct loom_device *ldev)
{
	WRITE_ONCE(ldev->reset.away, true);
	unmap_mapping_range(ldev->ttm.dev_mapping, 0, 0, 1);
}

static void loom_reset_come_back(struct loom_device *ldev)
{
	WRITE_ONCE(ldev->reset.away, false);
}

/* For a page fault, without locks: wait until HBM is there. */
void loom_reset_gate(struct loom_device *ldev)
{
	if (!loom_reset_is_away(ldev))
		return;
	loom_device_hw_get(ldev);
	loom_device_hw_put(ldev);
}

/* Sleep, and slots that the PCI core recovers ----------------------------- */

/*
 * In between nobody may touch the hardware, but nobody holds reset_lock either:
 * the core may give up without telling us, or wake us in another thread.
 */

static bool loom_reset_is_closed(struct loom_device *ldev)
{
	return READ_ONCE(ldev->reset.frozen) || READ_ONCE(ldev->reset.asleep);
}

/* The hardware may be touched until loom_device_hw_put(). */
void loom_device_hw_get(struct loom_device *ldev)
{
	down_read(&ldev->reset_lock);
	while (unlikely(loom_reset_is_closed(ldev))) {
		up_read(&ldev->reset_lock);
		wait_event(ldev->reset.thawed, !loom_reset_is_closed(ldev));
		down_read(&ldev->reset_lock);
	}
}

/* After loom_reset_begin(): the card sleeps until loom_reset_wake(). */
void loom_reset_sleep(struct loom_device *ldev)
{
	loom_reset_leave(ldev);
	WRITE_ONCE(ldev->reset.asleep, true);
	loom_reset_unlock(ldev);
}

/* It can be programmed again; loom_reset_end() must follow. */
void loom_reset_wake(struct loom_device *ldev)
{
	loom_reset_lock(ldev);
	loom_reset_come_back(ldev);
	WRITE_ONCE(ldev->reset.asleep, false);
	wake_up_all(&ldev->reset.thawed);
}

/* The link is down: keep everybody from the card until loom_reset_thaw(). */
void loom_reset_freeze(struct loom_device *ldev)
{
	loom_reset_lock(ldev);
	if (!loom_device_is_wedged(ldev) && !ldev->reset.frozen) {
		loom_reset_prepare(ldev, false);
		loom_reset_leave(ldev);
		WRITE_ONCE(ldev->reset.frozen, true);
		queue_delayed_work(system_wq, &ldev->reset.give_up,
				   LOOM_RESET_PATIENCE);
	}
	loom_reset_unlock(ldev);
}

/* The link is up again, or will never be (@ok false: the card is wedged). */
void loom_reset_thaw(struct loom_device *ldev, bool ok)
{
	loom_reset_lock(ldev);
	if (ldev->reset.frozen) {
		loom_reset_come_back(ldev);
		WRITE_ONCE(ldev->reset.frozen, false);
		atomic_inc(&ldev->stats.resets);
		loom_reset_finish(ldev, ok && !loom_device_reset_hw(ldev));
	}
	loom_reset_unlock(ldev);
	wake_up_all(&ldev->reset.thawed);
}

static void loom_reset_give_up_work(struct work_struct *work)
{
	struct loom_device *ldev = container_of(to_delayed_work(work),
						struct loom_device, reset.give_up);

	loom_reset_thaw(ldev, false);
}

/* Our own resets ---------------------------------------------------------- */

static int loom_reset_flr(struct loom_device *ldev)
{
	struct pci_dev *pdev = to_pci_dev(ldev->drm.dev);
	int ret;

	loom_reset_leave(ldev);
	pci_save_state(pdev);
	ret = pcie_reset_flr(pdev, PCI_RESET_DO_RESET);
	/*
	 * Takes the mutex of the card's MSI-X descriptors.  Memory is allocated under
	 * it, but only in the probe, which lockdep cannot tell.
	 */
	lockdep_off();
	pci_restore_state(pdev);
	lockdep_on();
	loom_reset_come_back(ldev);
	return ret ?: loom_device_reset_hw(ldev);
}

static bool loom_reset_try(struct loom_device *ldev)
{
	if (++ldev->reset.streak > LOOM_RESET_STREAK)
		return false;
	if (!loom_device_reset_hw(ldev))
		return true;
	drm_err(&ldev->drm, "the card does not come out of reset, trying FLR\n");
	return !loom_reset_flr(ldev);
}

static void loom_reset_locked(struct loom_device *ldev, const char *why)
{
	lockdep_assert_held_write(&ldev->reset_lock);
	drm_warn(&ldev->drm, "%s: resetting the card\n", why);
	atomic_inc(&ldev->stats.resets);
	loom_reset_prepare(ldev, loom_reset_is_alive(ldev));
	loom_reset_finish(ldev, loom_reset_try(ldev));
}

/**
 * loom_reset_device() - reset the card now
 * @ldev: the card
 * @seen: loom_reset_count() before the caller saw that it must be
 * @why: for the log
 *
 * On return the card works or is wedged, or has been unplugged.
 */
void loom_reset_device(struct loom_device *ldev, unsigned int seen,
		       const char *why)
{
	int idx;

	if (!drm_dev_enter(&ldev->drm, &idx))
		return;
	loom_reset_lock(ldev);
	/* Somebody else's reset may have done for this one. */
	if (loom_reset_count(ldev) == seen && !loom_device_is_wedged(ldev) &&
	    !loom_reset_is_closed(ldev))
		loom_reset_locked(ldev, why);
	loom_reset_unlock(ldev);
	drm_dev_exit(idx);
}

static void loom_reset_work(struct work_struct *work)
{
	struct loom_device *ldev = container_of(work, struct loom_device,
						reset.work);

	loom_reset_device(ldev, loom_reset_count(ldev), ldev->reset.why);
}

/* Reset the card soon; from any context. */
void loom_reset_schedule(struct loom_device *ldev, const char *why)
{
	ldev->reset.why = why;
	queue_work(ldev->reset_wq, &ldev->reset.work);
}

/* Life -------------------------------------------------------------------- */

static void loom_reset_wedged_work(struct work_struct *work)
{
	struct loom_device *ldev = container_of(work, struct loom_device,
						reset.wedged_work);

	loom_wedged_event(&ldev->drm);
}

void loom_reset_init(struct loom_device *ldev)
{
	init_rwsem(&ldev->reset_lock);
	INIT_WORK(&ldev->reset.work, loom_reset_work);
	INIT_WORK(&ldev->reset.wedged_work, loom_reset_wedged_work);
	INIT_DELAYED_WORK(&ldev->reset.give_up, loom_reset_give_up_work);
	init_waitqueue_head(&ldev->reset.thawed);
}

/* No reset begins or runs any more. */
void loom_reset_unplug(struct loom_device *ldev)
{
	cancel_delayed_work_sync(&ldev->reset.give_up);
	cancel_work_sync(&ldev->reset.work);
	cancel_work_sync(&ldev->reset.wedged_work);
}
