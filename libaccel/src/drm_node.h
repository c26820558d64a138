/* SPDX-License-Identifier: MIT */
/* The /dev/accel transport: finding nodes (drm_list.c) and using them (drm.c). */
#ifndef ACCEL_DRM_NODE_H
#define ACCEL_DRM_NODE_H

#include "internal.h"

/* The driver's version that the library was written for. */
#define DRM_DRIVER_NAME		"loom"
#define DRM_DRIVER_MAJOR	1

/** struct drm_paths - where to look; tests look elsewhere */
struct drm_paths {
	/** @sysfs: "/sys/class/accel" */
	const char *sysfs;
	/** @dev: "/dev/accel" */
	const char *dev;
};

extern const struct drm_paths drm_paths;

/** drm_list() - accel_device_list() of other paths */
int drm_list(const struct drm_paths *paths, struct accel_device_entry *entries,
	     unsigned int max);

/** drm_find() - the node that @spec means, after error_set() if none */
int drm_find(const struct drm_paths *paths, const char *spec, char *node,
	     size_t len);

/** drm_node_error() - why open() of a node failed with @err */
int drm_node_error(const char *node, int err);

#endif
