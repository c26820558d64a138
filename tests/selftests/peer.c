// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <drm.h>

#include "card.h"
#include "peer.h"

static int is_vgem(int fd)
{
	char name[16] = "";
	struct drm_version v = { .name = name, .name_len = sizeof(name) - 1 };

	return !ioctl(fd, DRM_IOCTL_VERSION, &v) && !strcmp(name, "vgem");
}

int t_open_vgem(void)
{
	char path[64];

	if (system("modprobe -q vgem"))
		tap_skip("this kernel has no module vgem");
	for (int tries = 0; tries < 50; tries++, usleep(100000)) {
		for (int i = 0; i < 16; i++) {
			int fd;

			snprintf(path, sizeof(path), "/dev/dri/card%d", i);
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd >= 0 && is_vgem(fd))
				return fd;
			if (fd >= 0)
				close(fd);
		}
	}
	tap_skip("vgem is loaded but there is no /dev/dri/card* of it");
}

int t_export(int fd, uint32_t handle)
{
	struct drm_prime_handle args = {
		.handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR,
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args));
	return args.fd;
}

uint32_t t_import(int fd, int dma_buf)
{
	struct drm_prime_handle args = { .fd = dma_buf };

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args));
	return args.handle;
}
