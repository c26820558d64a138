// SPDX-License-Identifier: MIT
/*
 * The DRM core's ioctls that every node has: as IGT's core_getversion, core_getclient
 * and core_getstats do, which open /dev/dri.  core_auth has its opposite here.
 */
#include <string.h>
#include <unistd.h>

#include "card.h"

TEST(version_names_the_driver)
{
	char name[32] = "", date[32] = "", desc[64] = "";
	struct drm_version args = {
		.name = name, .name_len = sizeof(name),
		.date = date, .date_len = sizeof(date),
		.desc = desc, .desc_len = sizeof(desc),
	};

	EXPECT_OK(t_ioctl(t_open(), DRM_IOCTL_VERSION, &args));
	EXPECT_EQ(args.name_len, 4);
	EXPECT(!strcmp(name, "loom"));
	EXPECT_EQ(strlen(desc), args.desc_len);
	EXPECT_EQ(args.version_major, 1);
	EXPECT(args.version_minor >= 2);
}

TEST(version_tells_lengths_without_room)
{
	struct drm_version args = { 0 };

	EXPECT_OK(t_ioctl(t_open(), DRM_IOCTL_VERSION, &args));
	EXPECT_EQ(args.name_len, 4);
	EXPECT(args.desc_len > 0);
}

TEST(version_refuses_bad_pointer)
{
	struct drm_version args = { .name = (char *)8, .name_len = 4 };

	EXPECT_ERR(t_ioctl(t_open(), DRM_IOCTL_VERSION, &args), EFAULT);
}

TEST(client_is_the_caller)
{
	struct drm_client args = { .idx = 0 };

	EXPECT_OK(t_ioctl(t_open(), DRM_IOCTL_GET_CLIENT, &args));
	EXPECT_EQ(args.pid, (unsigned long)getpid());	/* the uid is told to nobody */
}

TEST(client_of_others_is_not_told)
{
	struct drm_client args = { .idx = 1 };

	t_open();
	EXPECT_ERR(t_ioctl(t_open(), DRM_IOCTL_GET_CLIENT, &args), EINVAL);
}

TEST(stats_are_none)
{
	struct drm_stats args;

	memset(&args, 0xff, sizeof(args));
	EXPECT_OK(t_ioctl(t_open(), DRM_IOCTL_GET_STATS, &args));
	EXPECT_EQ(args.count, 0);
}

TEST(capabilities_are_those_of_an_accelerator)
{
	struct drm_get_cap args = { .capability = DRM_CAP_SYNCOBJ_TIMELINE };
	int fd = t_open();

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_GET_CAP, &args));
	EXPECT_EQ(args.value, 1);
	args.capability = DRM_CAP_PRIME;
	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_GET_CAP, &args));
	EXPECT_EQ(args.value, DRM_PRIME_CAP_IMPORT | DRM_PRIME_CAP_EXPORT);
	args.capability = DRM_CAP_DUMB_BUFFER;
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_GET_CAP, &args), EOPNOTSUPP);
}

/* Those of a display's master, and global names: an accelerator has neither. */
TEST(ioctls_of_displays_are_refused)
{
	struct drm_unique unique = { 0 };
	struct drm_auth auth = { 0 };
	struct drm_gem_flink flink = { 0 };
	int fd = t_open();

	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_GET_UNIQUE, &unique), EACCES);
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_GET_MAGIC, &auth), EACCES);
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_AUTH_MAGIC, &auth), EACCES);
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_SET_MASTER, NULL), EACCES);
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_GEM_FLINK, &flink), EACCES);
}

TAP_MAIN()
