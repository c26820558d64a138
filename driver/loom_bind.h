/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Changes of address spaces.
 */
#ifndef LOOM_BIND_H
#define LOOM_BIND_H

#include <linux/dma-resv.h>

#include <drm/drm_gpuvm.h>
#include <drm/gpu_scheduler.h>

#include "loom_mmu.h"

struct drm_exec;
struct drm_file;
struct loom_bo;
struct loom_vm;
struct loom_vma;

/* Operations of one VM_BIND. */
#define LOOM_MAX_BINDS	1024

/* The new mapping, and what is left of old ones before and behind it. */
#define LOOM_BIND_VMAS	3

/**
 * struct loom_bind_op - one operation
 */
struct loom_bind_op {
	/** @vm: address space */
	struct loom_vm *vm;
	/** @map: range and memory, owned; memory is noted when it is prepared */
	struct loom_mmu_map map;
	/** @bo: object to map, a reference; NULL for SRAM */
	struct loom_bo *bo;
	/** @bo_offset: position in @bo or SRAM that the range begins at */
	u64 bo_offset;
	/** @vm_bo: the object in the VM, a reference until the bind is through */
	struct drm_gpuvm_bo *vm_bo;
	/** @vma: allocated for the tree, NULL once used */
	struct loom_vma *vma[LOOM_BIND_VMAS];
	/** @dead: taken out of the tree */
	struct loom_vma *dead;
	/** @is_map: else unmap */
	bool is_map;
	/** @flags: DRM_LOOM_VM_MAP_* */
	u32 flags;
};

/**
 * struct loom_bind - one VM_BIND
 */
struct loom_bind {
	/** @base: base class; initialised if @is_job */
	struct drm_sched_job base;
	/** @is_job: asynchronous */
	bool is_job;
	/** @vm: address space, a reference */
	struct loom_vm *vm;
	/** @num_ops: number of @op */
	u32 num_ops;
	/** @op: operations */
	struct loom_bind_op op[];
};

extern const struct drm_sched_backend_ops loom_bind_sched_ops;

int loom_bind_step_map(struct drm_gpuva_op *op, void *priv);
int loom_bind_step_remap(struct drm_gpuva_op *op, void *priv);
int loom_bind_step_unmap(struct drm_gpuva_op *op, void *priv);

/* Members of struct drm_gpuvm_ops. */
#define LOOM_BIND_GPUVM_STEPS			\
	.sm_step_map = loom_bind_step_map,	\
	.sm_step_remap = loom_bind_step_remap,	\
	.sm_step_unmap = loom_bind_step_unmap

struct loom_bind *loom_bind_create(struct loom_vm *vm, u32 num_ops);
void loom_bind_destroy(struct loom_bind *bind);
int loom_bind_op_note(struct loom_bind_op *op);
int loom_bind_init_job(struct loom_bind *bind, void *owner, u64 client);
int loom_bind_reserve(struct drm_exec *exec);
struct dma_fence *loom_bind_push(struct loom_bind *bind, struct drm_exec *exec,
				 enum dma_resv_usage usage);

int loom_bind_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif
