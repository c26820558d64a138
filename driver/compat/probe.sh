#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# probe.sh INCLUDE - print what the kernel headers below INCLUDE offer
#
# Looks for declarations and never at a version number: stable 6.12.y changed
# several of these interfaces in point releases.

include=$1

echo "/* Written by driver/compat/probe.sh */"

# have NAME HEADER PATTERN
have() {
	[ -f "$include/$2" ] && grep -Eq "$3" "$include/$2" &&
		echo "#define LOOM_HAVE_$1 1"
}

have EXEC_NO_INDEX         drm/drm_exec.h        'define drm_exec_for_each_locked_object\(exec, obj\)'
have GEM_GPUVA_FEATURE     drm/drm_drv.h         'DRIVER_GEM_GPUVA'
have GPU_BUDDY             linux/gpu_buddy.h     'gpu_buddy_init'
have GPUVM_MAP_REQ         drm/drm_gpuvm.h       'struct drm_gpuvm_map_req'
have GPUVM_OBTAIN_LOCKED   drm/drm_gpuvm.h       'drm_gpuvm_bo_obtain_locked'
have SCHED_INIT_ARGS       drm/gpu_scheduler.h   'struct drm_sched_init_args'
have SCHED_JOB_CLIENT_ID   drm/gpu_scheduler.h   'u64 drm_client_id\);'
have STRING_NAMESPACE      linux/module.h        'define MODULE_IMPORT_NS\(ns\)[[:space:]]+MODULE_INFO\(import_ns, ns\)'
have TTM_ALLOC_FLAGS       drm/ttm/ttm_device.h  'unsigned int alloc_flags\);'
have TTM_BO_FINI           drm/ttm/ttm_bo.h      'void ttm_bo_fini'
have WEDGED_EVENT          drm/drm_drv.h         'struct drm_wedge_task_info'
exit 0
