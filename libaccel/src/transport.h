/* SPDX-License-Identifier: MIT */
/*
 * The two ways to reach a card: drm.c (/dev/accel) and sim.c (in this process)
 * behind one table.
 */
#ifndef ACCEL_TRANSPORT_H
#define ACCEL_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <accel/accel.h>

/** struct transport_job - one command buffer to run */
struct transport_job {
	uint64_t cmd_va;
	uint32_t cmd_size;
	/** @repeatable: it may run twice */
	bool repeatable;
};

/** struct queue_fate - how a queue fares */
struct queue_fate {
	struct accel_queue_status status;
	/** @timedout: it failed because a job made no progress */
	bool timedout;
};

/**
 * struct accel_transport - a way to reach a card
 *
 * Functions that return int give 0, or a negative errno after error_set().
 * Arguments have been checked.
 */
struct accel_transport {
	void (*close)(struct accel_device *dev);
	int (*memory)(struct accel_device *dev, struct accel_memory_info *out);
	int (*counters)(struct accel_device *dev, struct accel_counters *out);

	int (*usage)(struct accel_device *dev, struct accel_usage *out);

	/** @bo_create: back @bo (dev, size, placement, shared and va are set), bind it */
	int (*bo_create)(struct accel_bo *bo);
	void (*bo_destroy)(struct accel_bo *bo);
	/** @bo_map: set bo->map */
	int (*bo_map)(struct accel_bo *bo);
	/** @bo_label: @len bytes of @label */
	int (*bo_label)(struct accel_bo *bo, const char *label, uint32_t len);
	/** @bo_query: all but the placement, which is known */
	int (*bo_query)(struct accel_bo *bo, struct accel_bo_info *out);
	int (*bo_export)(struct accel_bo *bo, int *fd);
	/** @bo_import: back @bo (dev, size and va are set) by @fd, bind it */
	int (*bo_import)(struct accel_bo *bo, int fd);

	int (*queue_create)(struct accel_device *dev, uint32_t priority,
			    struct accel_queue **out);
	void (*queue_destroy)(struct accel_queue *q);
	/** @submit: @point is reached when the last of the jobs is over */
	int (*submit)(struct accel_queue *q, const struct transport_job *jobs,
		      unsigned int num_jobs, const struct accel_point *waits,
		      unsigned int num_waits, uint64_t point);
	/** @wait: 0 when the work is over, well or not; -ETIME without error_set() */
	int (*wait)(struct accel_queue *q, uint64_t point, int64_t timeout_ns);
	/** @fate: all but the text */
	int (*fate)(struct accel_queue *q, struct queue_fate *out);
	/** @times: the oldest from @first on; @count: in: room, out: entries */
	int (*times)(struct accel_queue *q, uint64_t first,
		     struct accel_job_time *times, unsigned int *count);
};

/* drm.c */
int drm_device_list(struct accel_device_entry *entries, unsigned int max);
int drm_device_open(const char *spec, struct accel_device **out);

/* sim.c: @spec is what follows "sim:" */
int sim_device_open(const char *spec, struct accel_device **out);

/** deadline_ns() - CLOCK_MONOTONIC after @timeout_ns; INT64_MAX for ever */
int64_t deadline_ns(int64_t timeout_ns);

#endif
