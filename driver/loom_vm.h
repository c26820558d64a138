/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Address spaces.
 */
#ifndef LOOM_VM_H
#define LOOM_VM_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include <drm/drm_gpuvm.h>
#include <drm/gpu_scheduler.h>

struct drm_file;
struct loom_ctx;
struct loom_device;
struct loom_mmu;

/**
 * struct loom_vma - a mapping
 */
struct loom_vma {
	/** @base: base class; without object it maps SRAM */
	struct drm_gpuva base;
	/** @flags: DRM_LOOM_VM_MAP_* */
	u32 flags;
	/** @stale: its object has moved since it was written */
	bool stale;
	/** @next: in loom_bind_op.dead; then it has a reference to its object */
	struct loom_vma *next;
};

static inline struct loom_vma *to_loom_vma(struct drm_gpuva *va)
{
	return container_of(va, struct loom_vma, base);
}

/**
 * struct loom_vm - an address space
 */
struct loom_vm {
	/** @base: base class, the tree of mappings; holds one of its references */
	struct drm_gpuvm base;
	/** @ref: held by the handle, queues, bind jobs and running ioctls */
	struct kref ref;
	/** @ldev: the card, a reference */
	struct loom_device *ldev;
	/** @ctx: hardware context, owned */
	struct loom_ctx *ctx;
	/** @mmu: page tables, owned */
	struct loom_mmu *mmu;
	/** @lock: protects the tree, @last_bind, and the order of binds */
	struct mutex lock;
	/** @stale: some mapping may be; under the VM's dma_resv */
	bool stale;
	/** @displaced: some object is not in HBM for want of room; likewise */
	bool displaced;
	/** @hbm_frees: loom_hbm.frees when that was so; likewise */
	u32 hbm_frees;
	/** @num_lost: loom_device.num_lost when no object was lost; likewise */
	int num_lost;
	/** @binds: queue of asynchronous binds */
	struct drm_sched_entity binds;
	/** @last_bind: finished fence of the newest asynchronous bind, or NULL */
	struct dma_fence *last_bind;
	/** @unusable: an object in it is lost; set once */
	bool unusable;
	/** @closed: no handle any more; set once */
	bool closed;
	/** @release: ends the VM in process context */
	struct work_struct release;
};

static inline struct loom_vm *to_loom_vm(struct drm_gpuvm *gpuvm)
{
	return container_of(gpuvm, struct loom_vm, base);
}

struct loom_vm *loom_vm_lookup(struct drm_file *file, u32 id);
struct loom_vm *loom_vm_get(struct loom_vm *vm);
void loom_vm_put(struct loom_vm *vm);
void loom_vm_close(struct loom_vm *vm);

int loom_vm_ioctl_create(struct drm_device *drm, void *data,
			 struct drm_file *file);
int loom_vm_ioctl_destroy(struct drm_device *drm, void *data,
			  struct drm_file *file);
int loom_vm_ioctl_state(struct drm_device *drm, void *data,
			struct drm_file *file);

#endif
