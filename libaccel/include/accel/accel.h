/* SPDX-License-Identifier: MIT */
/**
 * DOC: libaccel - devices, memory, queues, submission, waits
 *
 * A program opens a device, makes buffer objects, records commands into a
 * command buffer (accel_cmd.h, accel_ops.h), submits it to a queue and waits.
 * Documentation/first-program.rst is the tutorial.
 *
 * Conventions
 *   Functions return 0 or a negative errno; accel_last_error() then says what
 *   failed, with which argument, and what to do.  Handles are opaque.
 *   Destroyers accept NULL.  Every struct passed in starts with its size, set
 *   by the caller with sizeof; members that a caller does not know read as 0,
 *   and members that the library does not know must be 0 (-E2BIG).
 *
 * Threads
 *   A handle may be used by one thread at a time; different handles of one
 *   device by different threads at once.  accel_last_error() is per thread.
 *   The library starts no thread for a /dev/accel device and one for a "sim:"
 *   device, prints nothing (unless ACCEL_DEBUG is set) and never aborts.
 */
#ifndef ACCEL_H
#define ACCEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct accel_device;
struct accel_bo;
struct accel_queue;
struct accel_cmdbuf;

/* ------------------------------------------------------------------ errors */

/** struct accel_error - why the last call of this thread failed */
struct accel_error {
	/** @code: negative errno that was returned, 0 if none */
	int code;
	/** @function: library function that failed */
	const char *function;
	/** @message: what failed, with which argument; one line */
	const char *message;
	/** @hint: what to do about it; "" if nothing is known */
	const char *hint;
};

/** accel_last_error() - valid until the next failing call of this thread; never NULL */
const struct accel_error *accel_last_error(void);

/** accel_version() - "major.minor.patch" of the library */
const char *accel_version(void);

/* ----------------------------------------------------------------- devices */

/** struct accel_device_entry - a card that accel_device_list() found */
struct accel_device_entry {
	/** @node: "/dev/accel/accel0" */
	char node[64];
	/** @bus: PCI address, "0000:01:00.0" */
	char bus[32];
	/** @problem: "" if it can be opened, else why not and what to do */
	char problem[160];
};

/**
 * accel_device_list() - cards of the driver "loom" on this machine
 * @entries: array of @max entries to fill; may be NULL when @max is 0
 * @max: number of entries in the array
 *
 * Return: number of cards present (may exceed @max), or a negative errno.
 */
int accel_device_list(struct accel_device_entry *entries, unsigned int max);

/**
 * accel_device_open() - open a card
 * @spec: which one:
 *   NULL                   $ACCEL_DEVICE if set, else the first card
 *   "0"                    index in accel_device_list()
 *   "/dev/accel/accel0"    device node
 *   "0000:01:00.0"         PCI address
 *   "sim:"                 a card of this process, without VM, driver or root
 *   "sim:hbm=256M,arrays=2,rows=64,cols=64,clock-khz=...,workers=1"
 * @out: the device
 *
 * Return: 0; -ENODEV no such card or driver; -EACCES no permission; -EINVAL
 * bad @spec; -ENOMEM; -EPROTO driver or card too old or too new.
 */
int accel_device_open(const char *spec, struct accel_device **out);

/** accel_device_close() - all its other handles must have been destroyed */
void accel_device_close(struct accel_device *dev);

/** struct accel_device_info - constants of a card */
struct accel_device_info {
	/** @size: sizeof(struct accel_device_info) */
	uint32_t size;
	/** @is_sim: 1 for "sim:" */
	uint32_t is_sim;
	/** @name: node, or "sim:" */
	char name[64];
	/** @serial: serial number */
	uint64_t serial;
	/** @hbm_size: bytes */
	uint64_t hbm_size;
	/** @sram_size: bytes */
	uint64_t sram_size;
	/** @num_arrays: systolic arrays */
	uint32_t num_arrays;
	/** @array_rows: cells along K; also the K tile of the numerics */
	uint32_t array_rows;
	/** @array_cols: cells along N */
	uint32_t array_cols;
	/** @clock_khz: device clock: cycles per millisecond of modelled time */
	uint32_t clock_khz;
	/** @vector_lanes: 32-bit lanes per cycle */
	uint32_t vector_lanes;
	/** @hbm_mbps: peak bandwidth, 10^6 bytes/s */
	uint32_t hbm_mbps;
	/** @pcie_mbps: peak bandwidth of a direction, 10^6 bytes/s */
	uint32_t pcie_mbps;
	/** @hbm_channels: channels */
	uint32_t hbm_channels;
	/** @num_queues: hardware queues */
	uint32_t num_queues;
	/** @max_cmd_bytes: largest command buffer */
	uint32_t max_cmd_bytes;
	/** @hw_version: major << 16 | minor */
	uint32_t hw_version;
	/** @isa_version: version of the command set */
	uint32_t isa_version;
};

int accel_device_query(struct accel_device *dev, struct accel_device_info *info);

/** struct accel_memory_info - use of memory at this moment, all clients */
struct accel_memory_info {
	/** @size: sizeof(struct accel_memory_info) */
	uint32_t size;
	/** @pad: 0 */
	uint32_t pad;
	/** @hbm_total: bytes */
	uint64_t hbm_total;
	/** @hbm_used: bytes */
	uint64_t hbm_used;
	/** @system_used: bytes of system memory in buffer objects */
	uint64_t system_used;
};

int accel_device_memory(struct accel_device *dev, struct accel_memory_info *info);

#define ACCEL_MAX_COUNTERS 32

/** struct accel_counters - a snapshot of the performance counters */
struct accel_counters {
	/** @size: sizeof(struct accel_counters) */
	uint32_t size;
	/** @count: out: number of counters */
	uint32_t count;
	/** @value: indexed by LOOM_PERF_* (loom/loom_regs.h) */
	uint64_t value[ACCEL_MAX_COUNTERS];
};

int accel_device_counters(struct accel_device *dev, struct accel_counters *out);

/** struct accel_usage - what the card did for this device handle */
struct accel_usage {
	/** @size: sizeof(struct accel_usage) */
	uint32_t size;
	/** @pad: 0 */
	uint32_t pad;
	/** @jobs: jobs that the card finished */
	uint64_t jobs;
	/** @failed: those of them that ended in an error */
	uint64_t failed;
	/** @cycles: modelled cycles that they took, each from its start to its end */
	uint64_t cycles;
};

/** accel_device_usage() - needs no privilege, unlike accel_device_counters() */
int accel_device_usage(struct accel_device *dev, struct accel_usage *out);

/* ------------------------------------------------------------------ memory */

enum accel_placement {
	/** @ACCEL_HBM: on the card */
	ACCEL_HBM = 1,
	/** @ACCEL_HOST: system memory, reached over PCIe */
	ACCEL_HOST = 2,
};

/**
 * accel_bo_create() - make a zeroed buffer object, bound at an address of its own
 * @dev: the device
 * @size: bytes, rounded up to a page
 * @placement: enum accel_placement
 * @out: the object
 *
 * Return: 0; -EINVAL; -ENOSPC not enough HBM; -ENOMEM.
 */
int accel_bo_create(struct accel_device *dev, uint64_t size,
		    enum accel_placement placement, struct accel_bo **out);

/**
 * accel_bo_create_shared() - the same, for accel_bo_export()
 *
 * Submits cost a little more with every shared object that exists.  "sim:" has
 * nobody to share with: there it is accel_bo_create().
 */
int accel_bo_create_shared(struct accel_device *dev, uint64_t size,
			   enum accel_placement placement,
			   struct accel_bo **out);

/** accel_bo_destroy() - unbind and free; submitted work that uses it must be over */
void accel_bo_destroy(struct accel_bo *bo);

/** accel_bo_va() - device virtual address; constant */
uint64_t accel_bo_va(const struct accel_bo *bo);

/** accel_bo_size() - bytes, after rounding */
uint64_t accel_bo_size(const struct accel_bo *bo);

/** accel_bo_map() - CPU pointer to the object, valid until it is destroyed */
int accel_bo_map(struct accel_bo *bo, void **out);

/** accel_bo_write() - copy from @data; -ERANGE beyond the end */
int accel_bo_write(struct accel_bo *bo, uint64_t offset, const void *data,
		   uint64_t len);
/** accel_bo_read() - copy to @data; -ERANGE beyond the end */
int accel_bo_read(struct accel_bo *bo, uint64_t offset, void *data,
		  uint64_t len);

/* ----------------------------------------------------------------- sharing */

#define ACCEL_MAX_LABEL 63

/**
 * accel_bo_set_label() - name an object, for people
 * @bo: the object
 * @label: at most ACCEL_MAX_LABEL bytes; NULL or "" takes it away
 *
 * The hint at a page fault and the driver's lists of objects show it.
 *
 * Return: 0; -EINVAL @bo is NULL; -E2BIG too long.
 */
int accel_bo_set_label(struct accel_bo *bo, const char *label);

/* accel_bo_info.flags */
#define ACCEL_BO_PINNED		(1u << 0)	/* another device uses it: it stays in system memory */
#define ACCEL_BO_IMPORTED	(1u << 1)	/* its memory is another driver's or device's */
#define ACCEL_BO_LOST		(1u << 2)	/* its contents are lost */

/** struct accel_bo_info - facts of an object at this moment */
struct accel_bo_info {
	/** @size: sizeof(struct accel_bo_info) */
	uint32_t size;
	/** @placement: enum accel_placement that it was made for */
	uint32_t placement;
	/** @resident: enum accel_placement where it is: HBM may be short */
	uint32_t resident;
	/** @flags: ACCEL_BO_* */
	uint32_t flags;
	/** @label: "" if it has none */
	char label[ACCEL_MAX_LABEL + 1];
};

int accel_bo_query(struct accel_bo *bo, struct accel_bo_info *info);

/**
 * accel_bo_export() - a dma-buf of an object, for another device or process
 * @bo: from accel_bo_create_shared(), or imported
 * @fd: out: file descriptor, close-on-exec; the caller closes it
 *
 * The memory lives as long as anybody holds it.  A device that attaches to it
 * makes it move to system memory and stay there.
 *
 * Return: 0; -EINVAL not made to be shared; -EOPNOTSUPP "sim:".
 */
int accel_bo_export(struct accel_bo *bo, int *fd);

/**
 * accel_bo_import() - use the memory behind a dma-buf
 * @dev: the device
 * @fd: dma-buf, of this driver or another; stays the caller's
 * @out: an object bound at an address of its own
 *
 * Return: 0; -EBADF or -EINVAL @fd is no dma-buf, or one that the card cannot reach;
 * -EEXIST this device has an object of that memory already; -EOPNOTSUPP "sim:".
 */
int accel_bo_import(struct accel_device *dev, int fd, struct accel_bo **out);

/* ------------------------------------------------------------------ queues */

enum accel_priority {
	ACCEL_PRIORITY_LOW,
	ACCEL_PRIORITY_NORMAL,
	/** @ACCEL_PRIORITY_HIGH: needs CAP_SYS_NICE */
	ACCEL_PRIORITY_HIGH,
};

/** struct accel_queue_desc - options of a queue; NULL means normal priority */
struct accel_queue_desc {
	/** @size: sizeof(struct accel_queue_desc) */
	uint32_t size;
	/** @priority: enum accel_priority */
	uint32_t priority;
};

int accel_queue_create(struct accel_device *dev,
		       const struct accel_queue_desc *desc,
		       struct accel_queue **out);
/** accel_queue_destroy() - unfinished work is cancelled */
void accel_queue_destroy(struct accel_queue *q);

/** struct accel_point - "that queue has come this far" */
struct accel_point {
	/** @queue: a queue of the same device */
	struct accel_queue *queue;
	/** @value: what accel_submit() gave */
	uint64_t value;
};

/*
 * accel_submit_info.flags: the command buffers read nothing that they write, so they may run
 * again from their start when the card had to be reset because of somebody else's.  Without
 * it such work is lost (-EIO).
 */
#define ACCEL_SUBMIT_REPEATABLE	(1u << 0)

/** struct accel_submit_info - options of accel_submit_ex() */
struct accel_submit_info {
	/** @size: sizeof(struct accel_submit_info) */
	uint32_t size;
	/** @num_cmdbufs: 1..64; they run in order */
	uint32_t num_cmdbufs;
	/** @cmdbufs: command buffers */
	struct accel_cmdbuf *const *cmdbufs;
	/** @waits: points that must be reached first; may be NULL */
	const struct accel_point *waits;
	/** @num_waits: number of @waits, 0..64 */
	uint32_t num_waits;
	/** @flags: ACCEL_SUBMIT_* */
	uint32_t flags;
};

/**
 * accel_submit() - run a command buffer; returns at once
 * @q: queue
 * @cb: commands; must not be changed or destroyed before the point is reached
 * @point: out: point of the queue's timeline that is reached when it is done; may be NULL
 *
 * Return: 0; -EINVAL empty buffer; -ECANCELED the queue has failed before
 * (accel_queue_status() tells how).
 */
int accel_submit(struct accel_queue *q, struct accel_cmdbuf *cb,
		 uint64_t *point);
int accel_submit_ex(struct accel_queue *q, const struct accel_submit_info *info,
		    uint64_t *point);

/**
 * accel_wait() - wait until a point is reached
 * @q: queue
 * @point: from accel_submit()
 * @timeout_ns: relative; negative waits for ever, 0 polls
 *
 * Return: 0; -ETIME time is up (not an error of the queue); -EIO the work
 * failed (accel_last_error() explains: command index, field, reason);
 * -ETIMEDOUT the card made no progress and the queue was reset; -ECANCELED
 * work before it failed.
 */
int accel_wait(struct accel_queue *q, uint64_t point, int64_t timeout_ns);

/** struct accel_queue_status - is a queue well, and if not, why */
struct accel_queue_status {
	/** @size: sizeof(struct accel_queue_status) */
	uint32_t size;
	/** @failed: 0: well; 1: further submits are refused */
	uint32_t failed;
	/** @error: LOOM_ERR_* of the card */
	uint32_t error;
	/** @opcode: opcode of the command at fault */
	uint32_t opcode;
	/** @cmd_index: its index in the command buffer */
	uint32_t cmd_index;
	/** @cmd_offset: its byte offset in the command buffer */
	uint32_t cmd_offset;
	/** @field: byte offset of the field at fault in the command */
	uint32_t field;
	/** @access: LOOM_ACCESS_* */
	uint32_t access;
	/** @fault_addr: address at fault, or 0 */
	uint64_t fault_addr;
	/** @job: number of the failed job, from 1 */
	uint64_t job;
	/** @jobs_done: jobs that are over */
	uint64_t jobs_done;
	/** @last_start: modelled cycle at which the last finished job began */
	uint64_t last_start;
	/** @last_end: modelled cycle at which it was over */
	uint64_t last_end;
	/** @text: one line for people, e.g. "command 2 (MATMUL), field b_type: data type not supported there" */
	char text[192];
};

int accel_queue_status(struct accel_queue *q, struct accel_queue_status *out);

/** struct accel_job_time - when the card ran a job */
struct accel_job_time {
	/** @job: its number among the queue's jobs, from 1: one command buffer each */
	uint64_t job;
	/** @start: modelled cycle at which it began */
	uint64_t start;
	/** @end: modelled cycle at which it was over */
	uint64_t end;
};

#define ACCEL_MAX_JOB_TIMES 256

/**
 * accel_queue_times() - when the last jobs of a queue ran
 * @q: queue
 * @first: number of the first job of interest, from 1; earlier ones are left out
 * @times: room for @max entries, the oldest job first
 * @max: entries of @times, 1..ACCEL_MAX_JOB_TIMES
 *
 * The last ACCEL_MAX_JOB_TIMES jobs that are over are remembered.  The point that
 * accel_submit() gives is the number of its job.
 *
 * Return: number of entries written, or a negative errno.
 */
int accel_queue_times(struct accel_queue *q, uint64_t first,
		      struct accel_job_time *times, unsigned int max);

#ifdef __cplusplus
}
#endif
#endif
