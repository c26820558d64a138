/* SPDX-License-Identifier: MIT */
/*
 * An ioctl of the kernel's drm.h since 6.6, which libdrm's headers may not have.
 */
#ifndef TESTS_SYNCOBJ_EVENTFD_H
#define TESTS_SYNCOBJ_EVENTFD_H

#include <stdint.h>

#include <drm.h>

struct syncobj_eventfd {
	uint32_t handle;
	uint32_t flags;
	uint64_t point;
	int32_t fd;
	uint32_t pad;
};

#define SYNCOBJ_EVENTFD	DRM_IOWR(0xCF, struct syncobj_eventfd)

#endif
