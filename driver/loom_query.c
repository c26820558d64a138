// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Queries
 */
#include <linux/capability.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include <drm/loom_accel.h>
#include <loom/loom_isa.h>

#include "loom_bind.h"
#include "loom_device.h"
#include "loom_file.h"
#include "loom_query.h"
#include "loom_submit.h"
#include "loom_uobj.h"

/**
 * union loom_query_answer - room for any answer
 */
union loom_query_answer {
	/** @device: to DRM_LOOM_QUERY_DEVICE */
	struct drm_loom_device_info device;
	/** @memory: to DRM_LOOM_QUERY_MEMORY */
	struct drm_loom_memory_info memory;
	/** @counters: to DRM_LOOM_QUERY_COUNTERS */
	struct drm_loom_counters counters;
	/** @client: to DRM_LOOM_QUERY_CLIENT */
	struct drm_loom_client_info client;
};

static int loom_query_device(struct loom_device *ldev,
			     struct drm_loom_device_info *info)
{
	const struct loom_hw *hw = &ldev->hw;

	*info = (struct drm_loom_device_info) {
		.hw_version = hw->version,
		.isa_version = hw->isa_version,
		.features = hw->features,
		.num_queues = hw->num_queues,
		.num_contexts = hw->num_contexts,
		.num_arrays = hw->num_arrays,
		.array_rows = hw->array_rows,
		.array_cols = hw->array_cols,
		.clock_khz = hw->clock_khz,
		.vector_lanes = hw->vector_lanes,
		.hbm_mbps = hw->hbm_mbps,
		.pcie_mbps = hw->pcie_mbps,
		.hbm_channels = hw->hbm_channels,
		.max_cmd_bytes = LOOM_MAX_CMD_BYTES,
		.hbm_size = hw->hbm_size,
		.sram_size = hw->sram_size,
		.va_start = LOOM_VA_START,
		.va_end = LOOM_VA_END,
		.serial = hw->serial,
		.max_jobs = LOOM_MAX_JOBS,
		.max_binds = LOOM_MAX_BINDS,
	};
	return 0;
}

static int loom_query_memory(struct loom_device *ldev,
			     struct drm_loom_memory_info *info)
{
	u64 total = ldev->hbm.manager.size;

	*info = (struct drm_loom_memory_info) {
		.hbm_total = total,
		.hbm_used = total - loom_hbm_avail(&ldev->hbm),
		.hbm_visible = ldev->hbm.visible,
		.system_used = ttm_resource_manager_usage(&ldev->sysmem),
	};
	return 0;
}

static void loom_query_read_counters(struct loom_device *ldev,
				     struct drm_loom_counters *info)
{
	unsigned int i;

	mutex_lock(&ldev->perf_lock);
	loom_device_hw_get(ldev);
	loom_write32(ldev, LOOM_REG_PERF_CTRL, LOOM_PERF_CTRL_SNAPSHOT);
	for (i = 0; i < LOOM_PERF_COUNT; i++)
		info->value[i] = loom_read64(ldev, LOOM_REG_PERF(i));
	loom_device_hw_put(ldev);
	mutex_unlock(&ldev->perf_lock);
}

static int loom_query_counters(struct loom_device *ldev,
			       struct drm_loom_counters *info)
{
	int idx;

	BUILD_BUG_ON(ARRAY_SIZE(info->value) < LOOM_PERF_COUNT);
	/* They tell of all clients. */
	if (!perfmon_capable())
		return -EACCES;
	if (!drm_dev_enter(&ldev->drm, &idx))
		return -ENODEV;
	*info = (struct drm_loom_counters) {
		.count = LOOM_PERF_COUNT,
		.clock_khz = ldev->hw.clock_khz,
	};
	loom_query_read_counters(ldev, info);
	drm_dev_exit(idx);
	return 0;
}

static int loom_query_client(struct loom_device *ldev, struct drm_file *file,
			     struct drm_loom_client_info *info)
{
	struct loom_client *client = to_loom_file(file)->client;
	int idx;

	if (!drm_dev_enter(&ldev->drm, &idx))
		return -ENODEV;
	loom_device_hw_get(ldev);
	*info = (struct drm_loom_client_info) {
		.jobs = atomic64_read(&client->jobs),
		.failed = atomic64_read(&client->failed),
		.cycles = atomic64_read(&client->cycles),
		.now = loom_read64(ldev, LOOM_REG_TIME),
	};
	loom_device_hw_put(ldev);
	drm_dev_exit(idx);
	return 0;
}

static int loom_query_size(u32 type)
{
	switch (type) {
	case DRM_LOOM_QUERY_DEVICE:
		return sizeof(struct drm_loom_device_info);
	case DRM_LOOM_QUERY_MEMORY:
		return sizeof(struct drm_loom_memory_info);
	case DRM_LOOM_QUERY_COUNTERS:
		return sizeof(struct drm_loom_counters);
	case DRM_LOOM_QUERY_CLIENT:
		return sizeof(struct drm_loom_client_info);
	default:
		return -EINVAL;
	}
}

static int loom_query_fill(struct loom_device *ldev, struct drm_file *file,
			   u32 type, union loom_query_answer *answer)
{
	switch (type) {
	case DRM_LOOM_QUERY_DEVICE:
		return loom_query_device(ldev, &answer->device);
	case DRM_LOOM_QUERY_MEMORY:
		return loom_query_memory(ldev, &answer->memory);
	case DRM_LOOM_QUERY_CLIENT:
		return loom_query_client(ldev, file, &answer->client);
	default:
		return loom_query_counters(ldev, &answer->counters);
	}
}

int loom_query_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_loom_query *args = data;
	union loom_query_answer answer;
	int size, ret;

	size = loom_query_size(args->type);
	if (size < 0)
		return size;
	if (args->data) {
		ret = loom_query_fill(to_loom_device(drm), file, args->type,
				      &answer);
		if (ret)
			return ret;
		ret = loom_uobj_put(args->data, args->size, &answer, size);
		if (ret)
			return ret;
	}
	args->size = size;
	return 0;
}
