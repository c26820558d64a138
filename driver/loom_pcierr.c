// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Resets and errors that come from the PCI core
 *
 * "echo 1 > reset" in sysfs and secondary bus resets go through reset_prepare and
 * reset_done; an uncorrectable error of the link goes through error_detected,
 * slot_reset and resume.  Both are the two halves of loom_reset.c with somebody
 * else's reset in the middle.
 *
 * Between the halves HBM cannot be reached through its BAR.  So user space's
 * mappings are taken away, and their faults wait.
 */
#include <linux/pci.h>

#include <drm/drm_print.h>

#include "loom_device.h"
#include "loom_pcierr.h"
#include "loom_reset.h"

/*
 * In between the PCI core takes locks under which others allocate memory, so the
 * card is closed meanwhile as in its sleep, without reset_lock.
 */
static void loom_pcierr_reset_prepare(struct pci_dev *pdev)
{
	struct loom_device *ldev = pci_get_drvdata(pdev);

	loom_reset_begin(ldev, true);
	loom_reset_sleep(ldev);
}

/* Whatever reset the card, its registers are at their defaults now. */
static void loom_pcierr_reset_done(struct pci_dev *pdev)
{
	struct loom_device *ldev = pci_get_drvdata(pdev);

	atomic_inc(&ldev->stats.resets);
	loom_reset_wake(ldev);
	if (!loom_reset_end(ldev, !loom_device_reset_hw(ldev)))
		drm_info(&ldev->drm, "back after a reset\n");
}

static pci_ers_result_t loom_pcierr_detected(struct pci_dev *pdev,
					     pci_channel_state_t state)
{
	struct loom_device *ldev = pci_get_drvdata(pdev);

	if (state == pci_channel_io_normal)
		return PCI_ERS_RESULT_CAN_RECOVER;
	drm_err(&ldev->drm, "the PCIe link failed\n");
	loom_reset_freeze(ldev);
	if (state == pci_channel_io_perm_failure) {
		loom_reset_thaw(ldev, false);
		return PCI_ERS_RESULT_DISCONNECT;
	}
	return PCI_ERS_RESULT_NEED_RESET;
}

static pci_ers_result_t loom_pcierr_mmio_enabled(struct pci_dev *pdev)
{
	return PCI_ERS_RESULT_RECOVERED;
}

static pci_ers_result_t loom_pcierr_slot_reset(struct pci_dev *pdev)
{
	pci_restore_state(pdev);
	pci_save_state(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static void loom_pcierr_resume(struct pci_dev *pdev)
{
	struct loom_device *ldev = pci_get_drvdata(pdev);

	loom_reset_thaw(ldev, true);
}

const struct pci_error_handlers loom_pcierr_handlers = {
	.error_detected = loom_pcierr_detected,
	.mmio_enabled = loom_pcierr_mmio_enabled,
	.slot_reset = loom_pcierr_slot_reset,
	.resume = loom_pcierr_resume,
	.reset_prepare = loom_pcierr_reset_prepare,
	.reset_done = loom_pcierr_reset_done,
};
