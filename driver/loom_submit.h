/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * SUBMIT.
 */
#ifndef LOOM_SUBMIT_H
#define LOOM_SUBMIT_H

struct drm_device;
struct drm_file;

/* Jobs of one SUBMIT. */
#define LOOM_MAX_JOBS	64

int loom_submit_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif
