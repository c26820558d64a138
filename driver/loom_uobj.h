/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Copying what user space passes by pointer.
 */
#ifndef LOOM_UOBJ_H
#define LOOM_UOBJ_H

#include <linux/types.h>

struct drm_loom_obj_array;

int loom_uobj_check(const struct drm_loom_obj_array *array, size_t size,
		    u32 min, u32 max);
int loom_uobj_read(void *object, size_t size,
		   const struct drm_loom_obj_array *array, u32 i);
void *loom_uobj_get(const struct drm_loom_obj_array *array, size_t size,
		    u32 min, u32 max);
int loom_uobj_put(u64 user, u32 user_size, const void *object, u32 size);

#endif
