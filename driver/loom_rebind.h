/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Mapping objects again that have moved.
 */
#ifndef LOOM_REBIND_H
#define LOOM_REBIND_H

#include <linux/types.h>

struct drm_exec;
struct drm_gpuvm_bo;
struct loom_vm;

bool loom_rebind_is_needed(struct loom_vm *vm);
bool loom_rebind_is_useful(struct loom_vm *vm);
int loom_rebind(struct loom_vm *vm);
int loom_rebind_validate(struct drm_gpuvm_bo *vm_bo, struct drm_exec *exec);

#endif
