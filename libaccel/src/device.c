// SPDX-License-Identifier: MIT
/* Finding and opening cards; their constants, memory and counters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int device_init(struct accel_device *dev, const struct accel_transport *ops,
		uint64_t va_start, uint64_t va_end)
{
	dev->ops = ops;
	if (range_init(&dev->va, va_start, va_end))
		return error_set(-ENOMEM, NULL, "out of memory");
	pthread_mutex_init(&dev->lock, NULL);
	pthread_mutex_init(&dev->share_lock, NULL);
	return 0;
}

void device_fini(struct accel_device *dev)
{
	pthread_mutex_destroy(&dev->share_lock);
	pthread_mutex_destroy(&dev->lock);
	range_fini(&dev->va);
}

int accel_device_list(struct accel_device_entry *entries, unsigned int max)
{
	API_ENTER();
	if (max && !entries)
		return error_set(-EINVAL, NULL, "@entries is NULL");
	return drm_device_list(entries, max);
}

int accel_device_open(const char *spec, struct accel_device **out)
{
	static const char sim[] = "sim:";

	API_ENTER();
	if (!out)
		return error_set(-EINVAL, NULL, "@out is NULL");
	if (!spec)
		spec = getenv("ACCEL_DEVICE");
	if (spec && !strncmp(spec, sim, strlen(sim)))
		return sim_device_open(spec + strlen(sim), out);
	return drm_device_open(spec && *spec ? spec : NULL, out);
}

void accel_device_close(struct accel_device *dev)
{
	if (dev)
		dev->ops->close(dev);
}

int accel_device_query(struct accel_device *dev, struct accel_device_info *info)
{
	API_ENTER();
	if (!dev)
		return error_set(-EINVAL, NULL, "the device is NULL");
	return struct_out(info, &dev->info, sizeof(dev->info));
}

int accel_device_memory(struct accel_device *dev, struct accel_memory_info *info)
{
	struct accel_memory_info mem = { 0 };
	int rc;

	API_ENTER();
	if (!dev)
		return error_set(-EINVAL, NULL, "the device is NULL");
	rc = dev->ops->memory(dev, &mem);
	return rc ? rc : struct_out(info, &mem, sizeof(mem));
}

int accel_device_counters(struct accel_device *dev, struct accel_counters *out)
{
	struct accel_counters counters = { 0 };
	int rc;

	API_ENTER();
	if (!dev)
		return error_set(-EINVAL, NULL, "the device is NULL");
	rc = dev->ops->counters(dev, &counters);
	return rc ? rc : struct_out(out, &counters, sizeof(counters));
}

int accel_device_usage(struct accel_device *dev, struct accel_usage *out)
{
	struct accel_usage usage = { 0 };
	int rc;

	API_ENTER();
	if (!dev)
		return error_set(-EINVAL, NULL, "the device is NULL");
	rc = dev->ops->usage(dev, &usage);
	return rc ? rc : struct_out(out, &usage, sizeof(usage));
}
