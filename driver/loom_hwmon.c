// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Sensors
 *
 * The card's sensors as a hwmon device: temperature with its trip point, power and
 * energy.  There is no fan.
 */
#include <linux/hwmon.h>

#include <drm/drm_drv.h>

#include "loom_device.h"
#include "loom_hwmon.h"
#include "loom_pm.h"

static umode_t loom_hwmon_is_visible(const void *data,
				     enum hwmon_sensor_types type, u32 attr,
				     int channel)
{
	return 0444;
}

static long loom_hwmon_temp(struct loom_device *ldev, u32 attr)
{
	return loom_read32(ldev, attr == hwmon_temp_crit ?
			   LOOM_REG_SENSOR_TEMP_CRIT : LOOM_REG_SENSOR_TEMP);
}

static int loom_hwmon_read_hw(struct loom_device *ldev,
			      enum hwmon_sensor_types type, u32 attr, long *value)
{
	switch (type) {
	case hwmon_temp:
		*value = loom_hwmon_temp(ldev, attr);
		return 0;
	case hwmon_power:
		/* hwmon wants microwatts. */
		*value = 1000l * loom_read32(ldev, LOOM_REG_SENSOR_POWER);
		return 0;
	case hwmon_energy:
		*value = loom_read64(ldev, LOOM_REG_SENSOR_ENERGY);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int loom_hwmon_read(struct device *dev, enum hwmon_sensor_types type,
			   u32 attr, int channel, long *value)
{
	struct loom_device *ldev = dev_get_drvdata(dev);
	int ret = -ENODEV;
	int idx;

	if (loom_pm_get(ldev))
		return -ENODEV;
	if (drm_dev_enter(&ldev->drm, &idx)) {
		loom_device_hw_get(ldev);
		ret = loom_hwmon_read_hw(ldev, type, attr, value);
		loom_device_hw_put(ldev);
		drm_dev_exit(idx);
	}
	loom_pm_put(ldev);
	return ret;
}

static int loom_hwmon_read_string(struct device *dev,
				  enum hwmon_sensor_types type, u32 attr,
				  int channel, const char **str)
{
	*str = type == hwmon_temp ? "chip" : "card";
	return 0;
}

static const struct hwmon_ops loom_hwmon_ops = {
	.is_visible = loom_hwmon_is_visible,
	.read = loom_hwmon_read,
	.read_string = loom_hwmon_read_string,
};

static const struct hwmon_channel_info * const loom_hwmon_channels[] = {
	HWMON_CHANNEL_INFO(temp, HWMON_T_INPUT | HWMON_T_CRIT | HWMON_T_LABEL),
	HWMON_CHANNEL_INFO(power, HWMON_P_INPUT | HWMON_P_LABEL),
	HWMON_CHANNEL_INFO(energy, HWMON_E_INPUT | HWMON_E_LABEL),
	NULL
};

static const struct hwmon_chip_info loom_hwmon_chip = {
	.ops = &loom_hwmon_ops,
	.info = loom_hwmon_channels,
};

int loom_hwmon_init(struct loom_device *ldev)
{
	struct device *hwmon;

	if (!(ldev->hw.features & LOOM_FEATURE_SENSORS))
		return 0;
	hwmon = devm_hwmon_device_register_with_info(ldev->drm.dev, "loom", ldev,
						     &loom_hwmon_chip, NULL);
	return PTR_ERR_OR_ZERO(hwmon);
}
