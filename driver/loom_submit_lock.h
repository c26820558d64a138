/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What a submit holds in place.
 */
#ifndef LOOM_SUBMIT_LOCK_H
#define LOOM_SUBMIT_LOCK_H

#include <linux/types.h>

#include <drm/drm_gpuvm.h>

struct dma_fence;
struct dma_resv;
struct drm_sched_job;
struct loom_vm;

/**
 * struct loom_submit_lock - the lock of a VM and of all its objects
 *
 * Objects of the VM's own have its dma_resv.  When there are no others, that is all
 * there is to lock, and it takes no struct drm_exec.
 */
struct loom_submit_lock {
	/** @resv: of the VM */
	struct dma_resv *resv;
	/** @has_shared: there are other objects, and @exec has all locks */
	bool has_shared;
	/** @exec: not initialised unless @has_shared */
	struct drm_gpuvm_exec exec;
};

int loom_submit_lock(struct loom_submit_lock *lock, struct loom_vm *vm);
void loom_submit_unlock(struct loom_submit_lock *lock);

bool loom_submit_moves_are_over(struct loom_submit_lock *lock);
int loom_submit_wait_moves(struct loom_submit_lock *lock, struct drm_sched_job *job);
void loom_submit_add_fence(struct loom_submit_lock *lock, struct dma_fence *fence);

#endif
