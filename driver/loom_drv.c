// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: The driver
 *
 * loom.ko drives the Loom accelerator card as /dev/accel/accelN.  The interface
 * is uapi/drm/loom_accel.h, explained in Documentation/uapi.rst; the hardware is
 * uapi/loom/loom_regs.h.
 */
#include <linux/compat.h>
#include <linux/module.h>
#include <linux/pci.h>

#include <drm/drm_accel.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>

#include <drm/loom_accel.h>

#include "loom_bind.h"
#include "loom_bo.h"
#include "loom_compat.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_fdinfo.h"
#include "loom_file.h"
#include "loom_pcierr.h"
#include "loom_pm.h"
#include "loom_prime.h"
#include "loom_query.h"
#include "loom_queue.h"
#include "loom_sched.h"
#include "loom_submit.h"
#include "loom_vm.h"

struct workqueue_struct *loom_release_wq;

#define LOOM_IOCTL(name, func) DRM_IOCTL_DEF_DRV(LOOM_##name, func, 0)

static const struct drm_ioctl_desc loom_ioctls[] = {
	LOOM_IOCTL(QUERY, loom_query_ioctl),
	LOOM_IOCTL(BO_CREATE, loom_bo_ioctl_create),
	LOOM_IOCTL(BO_MMAP_OFFSET, loom_bo_ioctl_mmap_offset),
	LOOM_IOCTL(BO_INFO, loom_bo_ioctl_info),
	LOOM_IOCTL(VM_CREATE, loom_vm_ioctl_create),
	LOOM_IOCTL(VM_DESTROY, loom_vm_ioctl_destroy),
	LOOM_IOCTL(VM_BIND, loom_bind_ioctl),
	LOOM_IOCTL(QUEUE_CREATE, loom_queue_ioctl_create),
	LOOM_IOCTL(QUEUE_DESTROY, loom_queue_ioctl_destroy),
	LOOM_IOCTL(QUEUE_STATE, loom_queue_ioctl_state),
	LOOM_IOCTL(SUBMIT, loom_submit_ioctl),
	LOOM_IOCTL(QUEUE_TIMES, loom_queue_ioctl_times),
	LOOM_IOCTL(BO_SET_LABEL, loom_bo_ioctl_set_label),
	LOOM_IOCTL(VM_STATE, loom_vm_ioctl_state),
};

static bool loom_drv_is_own_ioctl(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);

	return nr >= DRM_COMMAND_BASE && nr < DRM_COMMAND_END;
}

/* Some work without the card, so one that is gone need not be awake. */
static long loom_drv_own_ioctl(struct loom_device *ldev, struct file *filp,
			       unsigned int cmd, unsigned long arg)
{
	bool awake = !loom_pm_get(ldev);
	long ret = -EIO;

	if (!loom_device_is_wedged(ldev) &&
	    (awake || drm_dev_is_unplugged(&ldev->drm)))
		ret = drm_ioctl(filp, cmd, arg);
	if (awake)
		loom_pm_put(ldev);
	return ret;
}

/*
 * Of the core's ioctls those of a render node, and two that do no harm.  The others
 * are for a display and its master, of which an accelerator's files have none, and
 * the core does not always look.
 */
static bool loom_drv_is_core_ioctl(unsigned int cmd)
{
	unsigned int nr = DRM_IOCTL_NR(cmd);
	unsigned int flags = 0;

	if (nr == DRM_IOCTL_NR(DRM_IOCTL_GET_CLIENT) ||
	    nr == DRM_IOCTL_NR(DRM_IOCTL_GET_STATS))
		return true;
	return drm_ioctl_flags(nr, &flags) && flags & DRM_RENDER_ALLOW;
}

/* A wedged card fails all of the driver's ioctls; the core's still clean up. */
static long loom_drv_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct drm_file *file = filp->private_data;

	if (loom_drv_is_own_ioctl(cmd))
		return loom_drv_own_ioctl(to_loom_device(file->minor->dev), filp,
					  cmd, arg);
	return loom_drv_is_core_ioctl(cmd) ? drm_ioctl(filp, cmd, arg) : -EACCES;
}

#ifdef CONFIG_COMPAT
static long loom_drv_compat_ioctl(struct file *filp, unsigned int cmd,
				  unsigned long arg)
{
	/* Our structs are the same for 32-bit programs, some of the core's are not. */
	if (loom_drv_is_own_ioctl(cmd))
		return loom_drv_ioctl(filp, cmd, (unsigned long)compat_ptr(arg));
	return loom_drv_is_core_ioctl(cmd) ? drm_compat_ioctl(filp, cmd, arg) : -EACCES;
}
#else
#define loom_drv_compat_ioctl	NULL
#endif

static const struct file_operations loom_fops = {
	.owner = THIS_MODULE,
	.open = accel_open,
	.release = drm_release,
	.unlocked_ioctl = loom_drv_ioctl,
	.compat_ioctl = loom_drv_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = drm_gem_mmap,
	.show_fdinfo = drm_show_fdinfo,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

/*
 * Versions of the interface:
 *
 * 1.0	the first
 * 1.1	dma-buf import and export; BO_SET_LABEL, VM_STATE; flags and label in BO_INFO
 * 1.2	resets of the card: JOB_REPEATABLE, QUEUE_LOST, queue_state.resets;
 *	QUEUE_TIMES, QUERY_CLIENT
 */
static const struct drm_driver loom_driver = {
	.driver_features = DRIVER_COMPUTE_ACCEL | DRIVER_GEM | DRIVER_SYNCOBJ |
			   DRIVER_SYNCOBJ_TIMELINE | LOOM_DRIVER_GEM_GPUVA,
	.open = loom_file_open,
	.postclose = loom_file_close,
	.gem_prime_import_sg_table = loom_prime_import,
	.show_fdinfo = loom_fdinfo_show,
	.ioctls = loom_ioctls,
	.num_ioctls = ARRAY_SIZE(loom_ioctls),
	.fops = &loom_fops,
	.name = "loom",
	.desc = "Loom accelerator card",
	.major = 1,
	.minor = 2,
};

static int loom_drv_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct loom_device *ldev;
	int ret;

	ldev = devm_drm_dev_alloc(&pdev->dev, &loom_driver, struct loom_device, drm);
	if (IS_ERR(ldev))
		return PTR_ERR(ldev);
	pci_set_drvdata(pdev, ldev);
	ret = loom_device_init(ldev, pdev);
	if (ret)
		return ret;
	ret = drm_dev_register(&ldev->drm, 0);
	if (!ret)
		loom_pm_init(ldev);
	return ret;
}

static void loom_drv_remove(struct pci_dev *pdev)
{
	struct loom_device *ldev = pci_get_drvdata(pdev);

	loom_pm_unplug(ldev);
	loom_device_unplug(ldev);
}

static void loom_drv_shutdown(struct pci_dev *pdev)
{
	/* No DMA into whatever runs next. */
	pci_clear_master(pdev);
}

static const struct pci_device_id loom_pci_ids[] = {
	{ PCI_DEVICE(LOOM_PCI_VENDOR_ID, LOOM_PCI_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, loom_pci_ids);

static struct pci_driver loom_pci_driver = {
	.name = "loom",
	.id_table = loom_pci_ids,
	.probe = loom_drv_probe,
	.remove = loom_drv_remove,
	.shutdown = loom_drv_shutdown,
	.err_handler = &loom_pcierr_handlers,
	.driver.pm = pm_ptr(&loom_pm_ops),
};

static int __init loom_drv_init(void)
{
	int ret;

	loom_release_wq = alloc_workqueue("loom-release", WQ_UNBOUND, 0);
	if (!loom_release_wq)
		return -ENOMEM;
	ret = pci_register_driver(&loom_pci_driver);
	if (ret) {
		destroy_workqueue(loom_release_wq);
		loom_sched_exit();
	}
	return ret;
}

static void __exit loom_drv_exit(void)
{
	pci_unregister_driver(&loom_pci_driver);
	destroy_workqueue(loom_release_wq);
	loom_sched_exit();
}

module_init(loom_drv_init);
module_exit(loom_drv_exit);

MODULE_AUTHOR("The Loom authors");
MODULE_DESCRIPTION("Loom accelerator card");
MODULE_LICENSE("Dual MIT/GPL");
