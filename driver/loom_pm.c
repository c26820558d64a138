// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Power management
 *
 * A card that nobody uses goes to sleep (D3hot) after LOOM_PM_DELAY_MS, and so
 * does every card when the system is suspended.  It keeps HBM and forgets the rest:
 * coming back is a reset of the card (loom_reset.c), which programs contexts,
 * events and rings again.  SRAM and the contexts' events are zero afterwards.
 *
 * The card is kept awake, by loom_pm_get(), over each of the driver's ioctls and
 * each page fault, and by each job from its submit to its end.  So it sleeps only
 * without jobs, but for system suspend: that gives jobs a second to end, and those
 * that do not are treated as in any reset.
 *
 * Asleep, all CPU mappings are gone; the next touch is a fault and wakes the card.
 * Whoever else reaches for the hardware meanwhile, in loom_device_hw_get(), waits.
 */
#include <linux/pci.h>
#include <linux/pm_runtime.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include "loom_device.h"
#include "loom_pm.h"
#include "loom_reset.h"

#define LOOM_PM_DELAY_MS	2000

static int loom_pm_sleep(struct device *dev)
{
	struct loom_device *ldev = pci_get_drvdata(to_pci_dev(dev));

	loom_reset_begin(ldev, true);
	loom_reset_sleep(ldev);
	return 0;
}

/* On failure the card is wedged, and says so itself. */
static int loom_pm_wake(struct device *dev)
{
	struct loom_device *ldev = pci_get_drvdata(to_pci_dev(dev));

	loom_reset_wake(ldev);
	loom_reset_end(ldev, !loom_device_reset_hw(ldev));
	return 0;
}

const struct dev_pm_ops loom_pm_ops = {
	SYSTEM_SLEEP_PM_OPS(loom_pm_sleep, loom_pm_wake)
	RUNTIME_PM_OPS(loom_pm_sleep, loom_pm_wake, NULL)
};

/*
 * All who need the card share one reference of the PM core: whoever is the first
 * brings it, and whoever is the last drops it.
 */
static void loom_pm_bring(struct loom_device *ldev)
{
	if (atomic_inc_return(&ldev->awake) > 1)
		pm_runtime_put_noidle(ldev->drm.dev);
}

/**
 * loom_pm_get() - have the card awake
 * @ldev: the card
 *
 * May sleep, and wait for the card.  Not in the fence signalling path.
 *
 * Return: 0, or an error if it does not wake or is gone.
 */
int loom_pm_get(struct loom_device *ldev)
{
	int ret;

	if (atomic_inc_not_zero(&ldev->awake))
		return 0;
	ret = pm_runtime_resume_and_get(ldev->drm.dev);
	if (!ret)
		loom_pm_bring(ldev);
	return ret;
}

/* Keep a card awake that is.  From any context. */
void loom_pm_keep(struct loom_device *ldev)
{
	if (atomic_inc_not_zero(&ldev->awake))
		return;
	pm_runtime_get_noresume(ldev->drm.dev);
	loom_pm_bring(ldev);
}

/* From any context. */
void loom_pm_put(struct loom_device *ldev)
{
	if (!atomic_dec_and_test(&ldev->awake))
		return;
	pm_runtime_mark_last_busy(ldev->drm.dev);
	pm_runtime_put_autosuspend(ldev->drm.dev);
}

/* The card is registered: from here on it may sleep. */
void loom_pm_init(struct loom_device *ldev)
{
	struct device *dev = ldev->drm.dev;

	pm_runtime_set_autosuspend_delay(dev, LOOM_PM_DELAY_MS);
	pm_runtime_use_autosuspend(dev);
	pm_runtime_mark_last_busy(dev);
	pm_runtime_allow(dev);
	/* Drops the reference that the PCI core took for the probe. */
	pm_runtime_put_autosuspend(dev);
}

/* The PCI core has woken the card for the end. */
void loom_pm_unplug(struct loom_device *ldev)
{
	struct device *dev = ldev->drm.dev;

	pm_runtime_get_noresume(dev);
	pm_runtime_forbid(dev);
	pm_runtime_dont_use_autosuspend(dev);
}
