// SPDX-License-Identifier: MIT
/*
 * fdinfo: what tools such as nvtop read of a client.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"
#include "peer.h"

static void read_fdinfo(int fd, char *buf, size_t len)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	EXPECT(f != NULL);
	len = fread(buf, 1, len - 1, f);
	buf[len] = 0;
	fclose(f);
}

static unsigned long long value_of(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	if (!p)
		tap_fail(__FILE__, __LINE__, "no key %s in:\n%s", key, text);
	return strtoull(p + strlen(key), NULL, 0);
}

TEST(fdinfo_names_driver_and_client)
{
	char buf[4096];
	int fd = t_open();

	read_fdinfo(fd, buf, sizeof(buf));
	EXPECT(strstr(buf, "drm-driver:\tloom") != NULL);
	EXPECT(strstr(buf, "drm-client-id:") != NULL);
	EXPECT(strstr(buf, "drm-pdev:") != NULL);
}

TEST(fdinfo_counts_memory_of_this_client)
{
	char buf[4096];
	int fd = t_open();

	t_bo(fd, 4 << 20, DRM_LOOM_PLACE_HBM, 0);
	read_fdinfo(fd, buf, sizeof(buf));
	EXPECT_EQ(value_of(buf, "drm-total-hbm:"), 4096);	/* KiB */
}

TEST(fdinfo_tells_regions_apart)
{
	char buf[4096];
	int fd = t_open();

	t_bo(fd, 4 << 20, DRM_LOOM_PLACE_HBM, 0);
	t_bo(fd, 2 << 20, DRM_LOOM_PLACE_SYSTEM, 0);
	read_fdinfo(fd, buf, sizeof(buf));
	EXPECT_EQ(value_of(buf, "drm-total-hbm:"), 4096);
	EXPECT_EQ(value_of(buf, "drm-total-memory:"), 2048);
	EXPECT_EQ(value_of(buf, "drm-resident-hbm:"), 4096);
	EXPECT_EQ(value_of(buf, "drm-resident-memory:"), 2048);
	EXPECT_EQ(value_of(buf, "drm-shared-hbm:"), 0);
}

TEST(fdinfo_counts_what_others_have_too_as_shared)
{
	char buf[4096];
	int fd = t_open(), other = t_open();

	t_import(other, t_export(fd, t_bo(fd, 4 << 20, DRM_LOOM_PLACE_HBM, 0)));
	read_fdinfo(fd, buf, sizeof(buf));
	EXPECT_EQ(value_of(buf, "drm-shared-hbm:"), 4096);
	read_fdinfo(other, buf, sizeof(buf));
	EXPECT_EQ(value_of(buf, "drm-shared-hbm:"), 4096);
}

/* A wait that cannot end keeps a job, and with it the VM's memory, active. */
TEST(fdinfo_counts_what_jobs_use_as_active)
{
	struct t_ctx ctx;
	char buf[4096];
	uint32_t size;

	t_ctx_init(&ctx);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 16, 1)), 1);
	read_fdinfo(ctx.fd, buf, sizeof(buf));
	EXPECT_EQ(value_of(buf, "drm-active-hbm:"), 0);
	size = t_cmd_event(&ctx, 0, LOOM_EVENT_OP_WAIT_GE, 0, 1);
	EXPECT_OK(t_submit(ctx.fd, ctx.queue, T_CMD_VA, size, 0));
	read_fdinfo(ctx.fd, buf, sizeof(buf));
	EXPECT_EQ(value_of(buf, "drm-active-hbm:"), T_HBM_SIZE >> 10);
}

TEST(fdinfo_counts_engine_time)
{
	unsigned long long before, after;
	struct t_ctx ctx;
	char buf[4096];

	t_ctx_init(&ctx);
	read_fdinfo(ctx.fd, buf, sizeof(buf));
	before = value_of(buf, "drm-engine-compute:");
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 1 << 18, 1)), 1);
	read_fdinfo(ctx.fd, buf, sizeof(buf));
	after = value_of(buf, "drm-engine-compute:");
	EXPECT(after > before);
}

TAP_MAIN()
