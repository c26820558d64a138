// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Attributes in sysfs
 *
 * What a monitor wants to know about a card without opening it, in the directory
 * of the PCI function.  Documentation/ABI/testing/sysfs-driver-loom describes
 * each; a test compares it with this file.
 */
#include <linux/device.h>
#include <linux/pci.h>
#include <linux/sysfs.h>

#include <drm/drm_drv.h>

#include "loom_device.h"
#include "loom_pm.h"
#include "loom_sysfs.h"

static struct loom_device *loom_sysfs_device(struct device *dev)
{
	return pci_get_drvdata(to_pci_dev(dev));
}

/* A register of 64 bits, in decimal. */
static ssize_t loom_sysfs_read64(struct device *dev, u32 reg, char *buf)
{
	struct loom_device *ldev = loom_sysfs_device(dev);
	u64 value;
	int idx;

	if (loom_pm_get(ldev))
		return -ENODEV;
	if (!drm_dev_enter(&ldev->drm, &idx)) {
		loom_pm_put(ldev);
		return -ENODEV;
	}
	loom_device_hw_get(ldev);
	value = loom_read64(ldev, reg);
	loom_device_hw_put(ldev);
	drm_dev_exit(idx);
	loom_pm_put(ldev);
	return sysfs_emit(buf, "%llu\n", value);
}

#define LOOM_SYSFS_REG64(name, reg)					\
static ssize_t name##_show(struct device *dev,				\
			   struct device_attribute *attr, char *buf)	\
{									\
	return loom_sysfs_read64(dev, reg, buf);			\
}									\
static DEVICE_ATTR_RO(name)

#define LOOM_SYSFS_STAT(name)						\
static ssize_t name##_show(struct device *dev,				\
			   struct device_attribute *attr, char *buf)	\
{									\
	return sysfs_emit(buf, "%u\n",					\
		atomic_read(&loom_sysfs_device(dev)->stats.name));	\
}									\
static DEVICE_ATTR_RO(name)

/* Not serial_number: in 7.x the PCI core has an attribute of that name. */
static ssize_t unique_id_show(struct device *dev,
			      struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%016llx\n", loom_sysfs_device(dev)->hw.serial);
}
static DEVICE_ATTR_RO(unique_id);

static ssize_t hw_version_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	u32 version = loom_sysfs_device(dev)->hw.version;

	return sysfs_emit(buf, "%u.%u\n", version >> 16, version & 0xffff);
}
static DEVICE_ATTR_RO(hw_version);

LOOM_SYSFS_STAT(resets);
LOOM_SYSFS_STAT(queue_resets);
LOOM_SYSFS_STAT(lost_irqs);
LOOM_SYSFS_STAT(bad_completions);

static ssize_t wedged_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  loom_device_is_wedged(loom_sysfs_device(dev)));
}
static DEVICE_ATTR_RO(wedged);

static struct attribute *loom_sysfs_attrs[] = {
	&dev_attr_bad_completions.attr,
	&dev_attr_hw_version.attr,
	&dev_attr_lost_irqs.attr,
	&dev_attr_queue_resets.attr,
	&dev_attr_resets.attr,
	&dev_attr_unique_id.attr,
	&dev_attr_wedged.attr,
	NULL
};

static const struct attribute_group loom_sysfs_group = {
	.attrs = loom_sysfs_attrs,
};

LOOM_SYSFS_REG64(ce_count, LOOM_REG_RAS_CE_COUNT);
LOOM_SYSFS_REG64(ue_count, LOOM_REG_RAS_UE_COUNT);
LOOM_SYSFS_REG64(ce_last_offset, LOOM_REG_RAS_CE_ADDR);
LOOM_SYSFS_REG64(ue_last_offset, LOOM_REG_RAS_UE_ADDR);

static ssize_t retired_pages_show(struct device *dev,
				  struct device_attribute *attr, char *buf)
{
	struct loom_device *ldev = loom_sysfs_device(dev);

	return sysfs_emit(buf, "%u\n", loom_hbm_count_retired(&ldev->hbm));
}
static DEVICE_ATTR_RO(retired_pages);

static struct attribute *loom_sysfs_ras_attrs[] = {
	&dev_attr_ce_count.attr,
	&dev_attr_ce_last_offset.attr,
	&dev_attr_retired_pages.attr,
	&dev_attr_ue_count.attr,
	&dev_attr_ue_last_offset.attr,
	NULL
};

static const struct attribute_group loom_sysfs_ras_group = {
	.name = "ras",
	.attrs = loom_sysfs_ras_attrs,
};

int loom_sysfs_init(struct loom_device *ldev)
{
	int ret;

	ret = devm_device_add_group(ldev->drm.dev, &loom_sysfs_group);
	if (ret || !(ldev->hw.features & LOOM_FEATURE_RAS))
		return ret;
	return devm_device_add_group(ldev->drm.dev, &loom_sysfs_ras_group);
}
