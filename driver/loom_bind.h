/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Changes of address spaces.
 */
#ifndef LOOM_BIND_H
#define LOOM_BIND_H

#include <drm/drm_gpuvm.h>
#include <drm/gpu_scheduler.h>

struct drm_file;

/* Operations of one VM_BIND. */
#define LOOM_MAX_BINDS	1024

extern const struct drm_sched_backend_ops loom_bind_sched_ops;

int loom_bind_step_map(struct drm_gpuva_op *op, void *priv);
int loom_bind_step_remap(struct drm_gpuva_op *op, void *priv);
int loom_bind_step_unmap(struct drm_gpuva_op *op, void *priv);

/* Members of struct drm_gpuvm_ops. */
#define LOOM_BIND_GPUVM_STEPS			\
	.sm_step_map = loom_bind_step_map,	\
	.sm_step_remap = loom_bind_step_remap,	\
	.sm_step_unmap = loom_bind_step_unmap

int loom_bind_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif
