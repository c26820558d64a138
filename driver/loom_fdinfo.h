/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What /proc/<pid>/fdinfo tells of a client.
 */
#ifndef LOOM_FDINFO_H
#define LOOM_FDINFO_H

struct drm_file;
struct drm_printer;

void loom_fdinfo_show(struct drm_printer *p, struct drm_file *file);

#endif
