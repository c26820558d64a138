// SPDX-License-Identifier: MIT
/*
 * DRM_IOCTL_LOOM_QUERY, and the driver's identity.
 */
#include <string.h>
#include <unistd.h>

#include "card.h"

static int query(int fd, uint32_t type, void *data, uint32_t *size)
{
	struct drm_loom_query args = {
		.type = type,
		.size = *size,
		.data = (uintptr_t)data,
	};
	int ret = t_ioctl(fd, DRM_IOCTL_LOOM_QUERY, &args);

	*size = args.size;
	return ret;
}

TEST(driver_is_loom)
{
	char name[16] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };

	EXPECT_OK(t_ioctl(t_open(), DRM_IOCTL_VERSION, &version));
	EXPECT(!strcmp(name, "loom"));
	EXPECT_EQ(version.version_major, 1);
}

TEST(query_without_buffer_returns_size)
{
	static const uint32_t sizes[] = {
		[DRM_LOOM_QUERY_DEVICE] = sizeof(struct drm_loom_device_info),
		[DRM_LOOM_QUERY_MEMORY] = sizeof(struct drm_loom_memory_info),
		[DRM_LOOM_QUERY_COUNTERS] = sizeof(struct drm_loom_counters),
	};
	int fd = t_open();

	for (uint32_t type = 0; type < 3; type++) {
		uint32_t size = 0;

		EXPECT_OK(query(fd, type, NULL, &size));
		EXPECT_EQ(size, sizes[type]);
	}
}

TEST(query_device_is_plausible)
{
	struct drm_loom_device_info info;
	uint32_t size = sizeof(info);

	EXPECT_OK(query(t_open(), DRM_LOOM_QUERY_DEVICE, &info, &size));
	EXPECT_EQ(info.hw_version >> 16, LOOM_HW_VERSION_MAJOR);
	EXPECT_EQ(info.isa_version, LOOM_ISA_VERSION);
	EXPECT(info.num_queues >= 1 && info.num_queues <= LOOM_MAX_QUEUES);
	EXPECT(info.hbm_size >= 16u << 20);
	EXPECT(info.clock_khz > 0);
	EXPECT(info.va_start < info.va_end);
	EXPECT(info.va_end <= 1ull << LOOM_VA_BITS);
}

TEST(query_shorter_buffer_gets_a_prefix)
{
	struct drm_loom_device_info whole, part;
	uint32_t size = sizeof(whole);
	int fd = t_open();

	EXPECT_OK(query(fd, DRM_LOOM_QUERY_DEVICE, &whole, &size));
	memset(&part, 0xa5, sizeof(part));
	size = 8;
	EXPECT_OK(query(fd, DRM_LOOM_QUERY_DEVICE, &part, &size));
	EXPECT(!memcmp(&part, &whole, 8));
	EXPECT_EQ(part.features, 0xa5a5a5a5u);
}

TEST(query_longer_buffer_is_zero_filled)
{
	uint8_t buf[512];
	uint32_t size = sizeof(buf);

	memset(buf, 0xa5, sizeof(buf));
	EXPECT_OK(query(t_open(), DRM_LOOM_QUERY_DEVICE, buf, &size));
	for (size_t i = sizeof(struct drm_loom_device_info); i < sizeof(buf); i++)
		EXPECT_EQ(buf[i], 0);
}

TEST(query_refuses_unknown_type)
{
	uint32_t size = 0;

	EXPECT_ERR(query(t_open(), 77, NULL, &size), EINVAL);
}

TEST(query_refuses_bad_pointer)
{
	uint32_t size = 8;

	EXPECT_ERR(query(t_open(), DRM_LOOM_QUERY_DEVICE, (void *)8, &size),
		   EFAULT);
}

static uint64_t hbm_used(int fd)
{
	struct drm_loom_memory_info info;
	uint32_t size = sizeof(info);

	EXPECT_OK(query(fd, DRM_LOOM_QUERY_MEMORY, &info, &size));
	return info.hbm_used;
}

TEST(memory_use_follows_buffer_objects)
{
	uint64_t before, with;
	int fd = t_open(), tries = 500;
	uint32_t bo;

	/* What programs before us had may be on its way out in between. */
	do {
		before = hbm_used(fd);
		bo = t_bo(fd, 8 << 20, DRM_LOOM_PLACE_HBM, 0);
		with = hbm_used(fd);
		t_gem_close(fd, bo);
		/* Memory is free when the card has finished with it. */
		for (; hbm_used(fd) > before && tries > 0; tries--)
			usleep(10000);
	} while (with - before != 8 << 20 && tries-- > 0);
	EXPECT_EQ(with - before, 8 << 20);
	EXPECT(hbm_used(fd) <= before);
}

TEST(counter_rows_sum_to_the_total)
{
	struct drm_loom_counters c;
	uint32_t size = sizeof(c);
	uint64_t sum = 0;
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 1000, 1)), 1);
	EXPECT_OK(query(ctx.fd, DRM_LOOM_QUERY_COUNTERS, &c, &size));
	EXPECT(c.count >= LOOM_PERF_COUNT);
	for (int i = LOOM_PERF_CYC_ARRAY; i <= LOOM_PERF_CYC_IDLE; i++)
		sum += c.value[i];
	EXPECT_EQ(sum, c.value[LOOM_PERF_CYC_TOTAL]);
	EXPECT(c.value[LOOM_PERF_JOBS] > 0);
}

TAP_MAIN()
