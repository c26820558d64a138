/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Sharing buffer objects with other devices.
 */
#ifndef LOOM_PRIME_H
#define LOOM_PRIME_H

struct dma_buf;
struct dma_buf_attachment;
struct drm_device;
struct drm_gem_object;
struct sg_table;
struct vm_area_struct;

struct dma_buf *loom_prime_export(struct drm_gem_object *obj, int flags);
int loom_prime_pin(struct drm_gem_object *obj);
void loom_prime_unpin(struct drm_gem_object *obj);
struct sg_table *loom_prime_get_sg_table(struct drm_gem_object *obj);
int loom_prime_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma);

struct drm_gem_object *loom_prime_import(struct drm_device *drm,
					 struct dma_buf_attachment *attach,
					 struct sg_table *sg);

#endif
