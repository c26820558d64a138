/* SPDX-License-Identifier: MIT */
/*
 * DOC: Loom user-space interface
 *
 * /dev/accel/accelN of the driver "loom".
 *
 * Rules
 *   - Structs are naturally aligned, padded explicitly, a multiple of 8 bytes
 *     and the same for 32- and 64-bit programs.  Fields marked MBZ must be
 *     zero; unknown flags are refused.  Both give -EINVAL.
 *   - Structs only grow at the end; a minor version of the driver says so
 *     (history in driver/loom_drv.c).  Zero means what it meant before.
 *   - Arrays of objects are struct drm_loom_obj_array, so their elements can
 *     grow too.
 *   - Handles are per file, start at 1, and are looked up as the caller's own:
 *     another's handle is -ENOENT.
 *   - Nothing is synchronised implicitly: fences go in and out as syncobjs,
 *     waits are the core's DRM_IOCTL_SYNCOBJ_WAIT and TIMELINE_WAIT.
 *   - All ioctls may be restarted after EINTR.
 *
 * Errors shared by all: -ENODEV the card is gone, -EIO it is wedged, -EINVAL a
 * field is wrong, -EFAULT a pointer is, -ENOENT no such handle, -ENOMEM out of
 * system memory, -ENOSPC out of HBM (or of queues, contexts, VA space).
 */
#ifndef _LOOM_ACCEL_H_
#define _LOOM_ACCEL_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

#define DRM_LOOM_QUERY			0x00
#define DRM_LOOM_BO_CREATE		0x01
#define DRM_LOOM_BO_MMAP_OFFSET		0x02
#define DRM_LOOM_BO_INFO		0x03
#define DRM_LOOM_VM_CREATE		0x04
#define DRM_LOOM_VM_DESTROY		0x05
#define DRM_LOOM_VM_BIND		0x06
#define DRM_LOOM_QUEUE_CREATE		0x07
#define DRM_LOOM_QUEUE_DESTROY		0x08
#define DRM_LOOM_QUEUE_STATE		0x09
#define DRM_LOOM_SUBMIT			0x0a
#define DRM_LOOM_BO_SET_LABEL		0x0b
#define DRM_LOOM_VM_STATE		0x0c
#define DRM_LOOM_QUEUE_TIMES		0x0d

#define DRM_IOCTL_LOOM_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_QUERY, struct drm_loom_query)
#define DRM_IOCTL_LOOM_BO_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_BO_CREATE, struct drm_loom_bo_create)
#define DRM_IOCTL_LOOM_BO_MMAP_OFFSET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_BO_MMAP_OFFSET, struct drm_loom_bo_mmap_offset)
#define DRM_IOCTL_LOOM_BO_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_BO_INFO, struct drm_loom_bo_info)
#define DRM_IOCTL_LOOM_VM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_VM_CREATE, struct drm_loom_vm_create)
#define DRM_IOCTL_LOOM_VM_DESTROY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_VM_DESTROY, struct drm_loom_vm_destroy)
#define DRM_IOCTL_LOOM_VM_BIND \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_VM_BIND, struct drm_loom_vm_bind)
#define DRM_IOCTL_LOOM_QUEUE_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_QUEUE_CREATE, struct drm_loom_queue_create)
#define DRM_IOCTL_LOOM_QUEUE_DESTROY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_QUEUE_DESTROY, struct drm_loom_queue_destroy)
#define DRM_IOCTL_LOOM_QUEUE_STATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_QUEUE_STATE, struct drm_loom_queue_state)
#define DRM_IOCTL_LOOM_QUEUE_TIMES \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_QUEUE_TIMES, struct drm_loom_queue_times)
#define DRM_IOCTL_LOOM_SUBMIT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_SUBMIT, struct drm_loom_submit)
#define DRM_IOCTL_LOOM_BO_SET_LABEL \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_BO_SET_LABEL, struct drm_loom_bo_set_label)
#define DRM_IOCTL_LOOM_VM_STATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_VM_STATE, struct drm_loom_vm_state)

/**
 * struct drm_loom_obj_array - array of objects that may grow
 */
struct drm_loom_obj_array {
	/** @stride: size of one object as the caller knows it; unknown tails must be zero */
	__u32 stride;
	/** @count: number of objects */
	__u32 count;
	/** @array: user pointer to the first */
	__u64 array;
};

/**
 * struct drm_loom_sync_op - wait for or signal a syncobj
 */
struct drm_loom_sync_op {
#define DRM_LOOM_SYNC_WAIT		0
#define DRM_LOOM_SYNC_SIGNAL		(1u << 0)
#define DRM_LOOM_SYNC_TIMELINE		(1u << 1)
	/** @flags: DRM_LOOM_SYNC_WAIT or _SIGNAL, and _TIMELINE for a timeline point */
	__u32 flags;
	/** @handle: syncobj */
	__u32 handle;
	/** @value: point of a timeline, not 0; MBZ for a binary syncobj */
	__u64 value;
};

/* ---------------------------------------------------------------- query */

#define DRM_LOOM_QUERY_DEVICE		0	/* struct drm_loom_device_info */
#define DRM_LOOM_QUERY_MEMORY		1	/* struct drm_loom_memory_info */
/* struct drm_loom_counters; it shows what others do: -EACCES without CAP_PERFMON */
#define DRM_LOOM_QUERY_COUNTERS		2
#define DRM_LOOM_QUERY_CLIENT		3	/* struct drm_loom_client_info; of the caller's file only */

/**
 * struct drm_loom_query - ask about the device
 *
 * With @data 0 only @size is returned.  Otherwise at most @size bytes are
 * written; a longer buffer is filled with zeros.
 */
struct drm_loom_query {
	/** @type: DRM_LOOM_QUERY_* */
	__u32 type;
	/** @size: in: size of the buffer; out: size of the driver's struct */
	__u32 size;
	/** @data: user pointer to the struct, or 0 */
	__u64 data;
};

/**
 * struct drm_loom_device_info - constants of the card
 */
struct drm_loom_device_info {
	/** @hw_version: LOOM_REG_HW_VERSION */
	__u32 hw_version;
	/** @isa_version: LOOM_REG_ISA_VERSION */
	__u32 isa_version;
	/** @features: LOOM_FEATURE_* */
	__u32 features;
	/** @num_queues: hardware queues; one is the kernel's */
	__u32 num_queues;
	/** @num_contexts: hardware contexts (one per VM; one is the kernel's) */
	__u32 num_contexts;
	/** @num_arrays: systolic arrays */
	__u32 num_arrays;
	/** @array_rows: cells along K */
	__u32 array_rows;
	/** @array_cols: cells along N */
	__u32 array_cols;
	/** @clock_khz: device clock, the unit of modelled time */
	__u32 clock_khz;
	/** @vector_lanes: 32-bit lanes per cycle */
	__u32 vector_lanes;
	/** @hbm_mbps: peak, 10^6 bytes/s */
	__u32 hbm_mbps;
	/** @pcie_mbps: peak per direction, 10^6 bytes/s */
	__u32 pcie_mbps;
	/** @hbm_channels: HBM channels */
	__u32 hbm_channels;
	/** @max_cmd_bytes: largest command buffer */
	__u32 max_cmd_bytes;
	/** @hbm_size: bytes */
	__u64 hbm_size;
	/** @sram_size: bytes */
	__u64 sram_size;
	/** @va_start: first usable device virtual address */
	__u64 va_start;
	/** @va_end: first address beyond the usable ones */
	__u64 va_end;
	/** @serial: serial number */
	__u64 serial;
	/** @max_jobs: jobs of one SUBMIT */
	__u32 max_jobs;
	/** @max_binds: operations of one VM_BIND */
	__u32 max_binds;
};

/**
 * struct drm_loom_memory_info - use of the card's memory at this moment
 */
struct drm_loom_memory_info {
	/** @hbm_total: bytes that buffer objects can use */
	__u64 hbm_total;
	/** @hbm_used: bytes in use by all clients */
	__u64 hbm_used;
	/** @hbm_visible: bytes the CPU can map */
	__u64 hbm_visible;
	/** @system_used: bytes of system memory in buffer objects */
	__u64 system_used;
};

/**
 * struct drm_loom_counters - performance counters, one snapshot
 */
struct drm_loom_counters {
	/** @count: number of counters that follow */
	__u32 count;
	/** @clock_khz: cycles per millisecond */
	__u32 clock_khz;
	/** @value: indexed by LOOM_PERF_* of loom_regs.h */
	__u64 value[32];
};

/**
 * struct drm_loom_client_info - what the card did for this file
 */
struct drm_loom_client_info {
	/** @jobs: jobs that the card finished */
	__u64 jobs;
	/** @failed: those of them that ended in an error */
	__u64 failed;
	/** @cycles: modelled cycles that they took, from start to end */
	__u64 cycles;
	/** @now: modelled time, to relate job times to */
	__u64 now;
};

/* ---------------------------------------------------------- buffer objects */

#define DRM_LOOM_PLACE_HBM		(1u << 0)
#define DRM_LOOM_PLACE_SYSTEM		(1u << 1)

/**
 * struct drm_loom_bo_create - make a buffer object, zeroed
 *
 * Released with DRM_IOCTL_GEM_CLOSE; it lives while mapped or bound.
 * Errors: -EINVAL size 0 or not page aligned, placement; -E2BIG larger than the
 * memory; -ENOSPC, -ENOMEM.
 */
struct drm_loom_bo_create {
	/** @size: bytes, a multiple of 4096 */
	__u64 size;
	/** @placement: one DRM_LOOM_PLACE_* */
	__u32 placement;
	/** @flags: MBZ */
	__u32 flags;
	/** @vm_id: 0, or the only VM it will be bound in (cheaper submits, no export) */
	__u32 vm_id;
	/** @handle: out: GEM handle */
	__u32 handle;
};

/** struct drm_loom_bo_mmap_offset - where to mmap() a buffer object */
struct drm_loom_bo_mmap_offset {
	/** @handle: GEM handle */
	__u32 handle;
	/** @flags: MBZ */
	__u32 flags;
	/** @offset: out: offset for mmap() of the device */
	__u64 offset;
};

#define DRM_LOOM_BO_PINNED		(1u << 0)	/* a device is attached, it stays in system memory */
#define DRM_LOOM_BO_IMPORTED		(1u << 1)	/* its memory is another driver's */
#define DRM_LOOM_BO_LOST		(1u << 2)	/* contents lost: a clear or move failed, or memory did */

/**
 * struct drm_loom_bo_info - facts of a buffer object
 *
 * From version 1.1 on also @flags and the label.
 */
struct drm_loom_bo_info {
	/** @handle: GEM handle */
	__u32 handle;
	/** @placement: out: where it was created for, DRM_LOOM_PLACE_* */
	__u32 placement;
	/** @size: out: bytes */
	__u64 size;
	/** @resident: out: where it is now, DRM_LOOM_PLACE_* */
	__u32 resident;
	/** @flags: out: DRM_LOOM_BO_* */
	__u32 flags;
	/** @label: user pointer to room for the label, or 0 */
	__u64 label;
	/** @label_size: in: bytes of room; out: length of the label, 0 for none */
	__u32 label_size;
	/** @pad: MBZ */
	__u32 pad;
};

/* Longest label, in bytes. */
#define DRM_LOOM_MAX_LABEL		63

/**
 * struct drm_loom_bo_set_label - name a buffer object, for people
 *
 * Since version 1.1.  Errors: -EINVAL a zero byte in the label; -E2BIG too long.
 */
struct drm_loom_bo_set_label {
	/** @handle: GEM handle */
	__u32 handle;
	/** @size: length in bytes, 0 to take the label away, up to DRM_LOOM_MAX_LABEL */
	__u32 size;
	/** @label: user pointer to the bytes, no zero at the end; MBZ when @size is 0 */
	__u64 label;
};

/* ------------------------------------------------------ address spaces */

/** struct drm_loom_vm_create - make an address space (a hardware context); -ENOSPC when all are taken */
struct drm_loom_vm_create {
	/** @flags: MBZ */
	__u32 flags;
	/** @id: out: VM */
	__u32 id;
};

/** struct drm_loom_vm_destroy - forget an address space; its queues are banned */
struct drm_loom_vm_destroy {
	/** @id: VM */
	__u32 id;
	/** @pad: MBZ */
	__u32 pad;
};

#define DRM_LOOM_VM_UNUSABLE		(1u << 0)	/* contents of an object in it are lost */

/**
 * struct drm_loom_vm_state - how an address space fares
 *
 * Since version 1.1.  Binds and submits of an unusable VM are -ECANCELED; make a
 * new one.
 */
struct drm_loom_vm_state {
	/** @id: VM */
	__u32 id;
	/** @state: out: DRM_LOOM_VM_*, 0 for well */
	__u32 state;
	/** @mapped: out: bytes of its address space that are mapped */
	__u64 mapped;
	/** @displaced: out: those of them for HBM that are in system memory */
	__u64 displaced;
};

#define DRM_LOOM_VM_BIND_MAP		0
#define DRM_LOOM_VM_BIND_UNMAP		1

#define DRM_LOOM_VM_MAP_READONLY	(1u << 0)
/*
 * Map on-chip SRAM instead of a buffer object: handle MBZ, bo_offset is in SRAM.
 * It belongs to nobody: all that map it see each other's data.
 */
#define DRM_LOOM_VM_MAP_SRAM		(1u << 1)

/**
 * struct drm_loom_vm_bind_op - one change of an address space
 *
 * MAP replaces what was mapped in the range.  UNMAP of holes is no error.
 */
struct drm_loom_vm_bind_op {
	/** @op: DRM_LOOM_VM_BIND_MAP or _UNMAP */
	__u32 op;
	/** @flags: DRM_LOOM_VM_MAP_*; MBZ for UNMAP */
	__u32 flags;
	/** @handle: GEM handle; MBZ for UNMAP */
	__u32 handle;
	/** @pad: MBZ */
	__u32 pad;
	/** @bo_offset: offset in the object, page aligned; MBZ for UNMAP */
	__u64 bo_offset;
	/** @va: device virtual address, page aligned */
	__u64 va;
	/** @size: bytes, page aligned, not 0 */
	__u64 size;
};

#define DRM_LOOM_VM_BIND_ASYNC		(1u << 0)

/**
 * struct drm_loom_vm_bind - change an address space
 *
 * All operations are checked before the first takes effect.  Without ASYNC
 * they are in effect on return and @syncs must be empty.  With it they are
 * done in order, after the waits in @syncs and all earlier asynchronous binds
 * of this VM, and the signals in @syncs follow.
 */
struct drm_loom_vm_bind {
	/** @vm_id: VM */
	__u32 vm_id;
	/** @flags: DRM_LOOM_VM_BIND_ASYNC */
	__u32 flags;
	/** @ops: array of struct drm_loom_vm_bind_op, 1..max_binds */
	struct drm_loom_obj_array ops;
	/** @syncs: array of struct drm_loom_sync_op */
	struct drm_loom_obj_array syncs;
};

/* ---------------------------------------------------------------- queues */

#define DRM_LOOM_PRIORITY_LOW		0
#define DRM_LOOM_PRIORITY_NORMAL	1
#define DRM_LOOM_PRIORITY_HIGH		2	/* needs CAP_SYS_NICE, else -EACCES */

/** struct drm_loom_queue_create - take a hardware queue; -ENOSPC when all are taken */
struct drm_loom_queue_create {
	/** @vm_id: VM its commands run in */
	__u32 vm_id;
	/** @priority: DRM_LOOM_PRIORITY_* */
	__u32 priority;
	/** @flags: MBZ */
	__u32 flags;
	/** @id: out: queue */
	__u32 id;
};

/** struct drm_loom_queue_destroy - drop a queue; its unfinished jobs end with -ECANCELED */
struct drm_loom_queue_destroy {
	/** @id: queue */
	__u32 id;
	/** @pad: MBZ */
	__u32 pad;
};

#define DRM_LOOM_QUEUE_BANNED		(1u << 0)	/* submits give -ECANCELED */
#define DRM_LOOM_QUEUE_FAULTED		(1u << 1)	/* the fields below tell why */
#define DRM_LOOM_QUEUE_TIMEDOUT		(1u << 2)	/* a job made no progress */
#define DRM_LOOM_QUEUE_LOST		(1u << 3)	/* a job was lost in a reset of the card */

/**
 * struct drm_loom_queue_state - is the queue well, and if not, why
 *
 * The fault fields are those of struct loom_completion of the guilty job.
 */
struct drm_loom_queue_state {
	/** @id: queue */
	__u32 id;
	/** @state: out: DRM_LOOM_QUEUE_* flags, 0 for well */
	__u32 state;
	/** @error: out: LOOM_ERR_* */
	__u32 error;
	/** @opcode: out: opcode of the command at fault */
	__u32 opcode;
	/** @cmd_index: out: its index in the command buffer */
	__u32 cmd_index;
	/** @cmd_offset: out: its byte offset in the command buffer */
	__u32 cmd_offset;
	/** @field: out: byte offset within the command of the field at fault */
	__u32 field;
	/** @access: out: LOOM_ACCESS_* */
	__u32 access;
	/** @fault_addr: out: address that faulted, or 0 */
	__u64 fault_addr;
	/** @job: out: number of the guilty job among the queue's jobs, from 1 */
	__u64 job;
	/** @jobs_done: out: jobs of this queue that are over */
	__u64 jobs_done;
	/** @last_start: out: modelled cycle at which the last finished job began */
	__u64 last_start;
	/** @last_end: out: modelled cycle at which it was over */
	__u64 last_end;
	/** @resets: out: resets of the card that the queue lived through; each zeroes SRAM and events */
	__u32 resets;
	/** @pad: out: 0 */
	__u32 pad;
};

/**
 * struct drm_loom_job_time - when the card ran a job
 */
struct drm_loom_job_time {
	/** @job: out: number of the job among the queue's jobs, from 1 */
	__u64 job;
	/** @start: out: modelled cycle at which it began */
	__u64 start;
	/** @end: out: modelled cycle at which it was over */
	__u64 end;
};

/**
 * struct drm_loom_queue_times - when the last jobs of a queue ran
 *
 * The driver remembers the last 256 jobs of a queue that are over.  Jobs that never
 * saw the card have no time and are left out.
 */
struct drm_loom_queue_times {
	/** @id: queue */
	__u32 id;
	/** @count: in: room in @times, at most 256; out: entries written */
	__u32 count;
	/** @first: number of the first job of interest; earlier ones are left out */
	__u64 first;
	/** @times: user pointer to struct drm_loom_job_time, the oldest first */
	__u64 times;
};

/*
 * The job may run again from its start when the card was reset under it: it reads
 * nothing that it writes.  Without this such a job ends with -EIO.
 */
#define DRM_LOOM_JOB_REPEATABLE		(1u << 0)

/**
 * struct drm_loom_job - one command buffer to run
 */
struct drm_loom_job {
	/** @cmd_va: device virtual address of the command buffer, 64-byte aligned */
	__u64 cmd_va;
	/** @cmd_size: bytes, a multiple of 64, 64..max_cmd_bytes */
	__u32 cmd_size;
	/** @flags: DRM_LOOM_JOB_* */
	__u32 flags;
	/** @syncs: array of struct drm_loom_sync_op; the waits come before the job */
	struct drm_loom_obj_array syncs;
};

/**
 * struct drm_loom_submit - run jobs on a queue, in order
 *
 * All jobs are checked before the first is queued.  A job that fails bans its
 * queue: it ends with -EIO (error of the card) or -ETIME (no progress), later
 * ones with -ECANCELED; the error is that of the fence in its signalled
 * syncobj, and QUEUE_STATE tells more.
 * Errors: -ECANCELED the queue is banned or its VM unusable.
 */
struct drm_loom_submit {
	/** @queue_id: queue */
	__u32 queue_id;
	/** @flags: MBZ */
	__u32 flags;
	/** @jobs: array of struct drm_loom_job, 1..max_jobs */
	struct drm_loom_obj_array jobs;
};

#if defined(__cplusplus)
}
#endif

#if !defined(__cplusplus) && (defined(__STDC_VERSION__) || defined(__KERNEL__))
_Static_assert(sizeof(struct drm_loom_obj_array) == 16, "obj_array");
_Static_assert(sizeof(struct drm_loom_sync_op) == 16, "sync_op");
_Static_assert(sizeof(struct drm_loom_query) == 16, "query");
_Static_assert(sizeof(struct drm_loom_device_info) == 104, "device_info");
_Static_assert(sizeof(struct drm_loom_memory_info) == 32, "memory_info");
_Static_assert(sizeof(struct drm_loom_counters) == 264, "counters");
_Static_assert(sizeof(struct drm_loom_client_info) == 32, "client_info");
_Static_assert(sizeof(struct drm_loom_bo_create) == 24, "bo_create");
_Static_assert(sizeof(struct drm_loom_bo_mmap_offset) == 16, "bo_mmap_offset");
_Static_assert(sizeof(struct drm_loom_bo_info) == 40, "bo_info");
_Static_assert(sizeof(struct drm_loom_bo_set_label) == 16, "bo_set_label");
_Static_assert(sizeof(struct drm_loom_vm_create) == 8, "vm_create");
_Static_assert(sizeof(struct drm_loom_vm_destroy) == 8, "vm_destroy");
_Static_assert(sizeof(struct drm_loom_vm_state) == 24, "vm_state");
_Static_assert(sizeof(struct drm_loom_vm_bind_op) == 40, "vm_bind_op");
_Static_assert(sizeof(struct drm_loom_vm_bind) == 40, "vm_bind");
_Static_assert(sizeof(struct drm_loom_queue_create) == 16, "queue_create");
_Static_assert(sizeof(struct drm_loom_queue_destroy) == 8, "queue_destroy");
_Static_assert(sizeof(struct drm_loom_queue_state) == 80, "queue_state");
_Static_assert(sizeof(struct drm_loom_job_time) == 24, "job_time");
_Static_assert(sizeof(struct drm_loom_queue_times) == 24, "queue_times");
_Static_assert(sizeof(struct drm_loom_job) == 32, "job");
_Static_assert(sizeof(struct drm_loom_submit) == 24, "submit");
#endif

#endif
