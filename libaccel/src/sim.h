/* SPDX-License-Identifier: MIT */
/*
 * The "sim:" transport: a card of this process and a small driver for it.
 *
 * sim.c        options, threads, interrupts, system memory as the card sees it
 * sim_trace.c  $ACCEL_TRACE
 * sim_mem.c    HBM, page tables, buffer objects
 * sim_queue.c  queues, jobs, waits
 *
 * Locks, outermost first: sim.lock; the core's own; sim.dma_lock and
 * sim.wake_lock, which are leaves.  The core calls back only into the leaves,
 * so sim.lock may be held while calling it.
 */
#ifndef ACCEL_SIM_H
#define ACCEL_SIM_H

#include "internal.h"

/* The only context that is used: a device has one client. */
#define SIM_CTX		1

struct sim_queue;

/** struct sim_range - memory of this process that the card may reach */
struct sim_range {
	uint64_t bus;
	uint64_t size;
	uint8_t *mem;
};

struct sim {
	struct accel_device dev;
	struct loom_core *core;
	/** @trace: the file of $ACCEL_TRACE, or NULL; locks itself */
	struct loom_trace_file *trace;
	uint8_t *hbm;
	pthread_t *workers;
	unsigned int num_workers;
	/** @job_timeout_ns: after so long without progress a job is given up */
	int64_t job_timeout_ns;

	/** @lock: guards what follows, up to @dma_lock */
	pthread_mutex_t lock;
	struct range_alloc hbm_free;
	struct range_alloc bus_free;
	/** @root: the page table's root, an HBM offset */
	uint64_t root;
	uint64_t system_used;
	struct sim_queue *queue[LOOM_MAX_QUEUES];
	/** @usage: of all queues, those that are gone included */
	struct accel_usage usage;
	/** @progress: sum of what all queues have done, for the watchdog */
	uint64_t progress;
	/** @progress_at: when @progress last changed, CLOCK_MONOTONIC */
	int64_t progress_at;

	/** @dma_lock: guards @ranges; held for reading while memory is copied */
	pthread_rwlock_t dma_lock;
	/** @ranges: sorted by bus address */
	struct sim_range *ranges;
	size_t num_ranges;
	size_t max_ranges;

	/** @irq_pending: loom_core_deliver() is due */
	atomic_bool irq_pending;
	/** @wake_lock: guards @wake_count */
	pthread_mutex_t wake_lock;
	/** @wake: signalled when @wake_count grows */
	pthread_cond_t wake;
	uint64_t wake_count;
};

static inline struct sim *to_sim(struct accel_device *dev)
{
	return container_of(dev, struct sim, dev);
}

/* sim.c */
void sim_write32(struct sim *sim, uint64_t reg, uint32_t value);
void sim_write64(struct sim *sim, uint64_t reg, uint64_t value);
uint32_t sim_read32(struct sim *sim, uint64_t reg);
uint64_t sim_read64(struct sim *sim, uint64_t reg);

/* Give memory a bus address, page aligned.  sim.lock is held. */
int sim_range_add(struct sim *sim, void *mem, uint64_t size, uint64_t *bus);
/* Returns after the last access of the card. */
void sim_range_del(struct sim *sim, uint64_t bus);

void sim_wake(struct sim *sim);
/* Serve pending interrupts.  sim.lock is not held. */
void sim_service(struct sim *sim);

/* sim_trace.c */
int sim_trace_open(struct sim *sim, uint32_t clock_khz);
void sim_trace_close(struct sim *sim);
/* Of the core's operations; @opaque is the sim. */
void sim_trace_job(void *opaque, unsigned int queue, uint64_t seq,
		   uint32_t error, uint64_t start, uint64_t end);
void sim_trace_command(void *opaque, const struct loom_core_trace *t);

/* sim_mem.c */
int sim_mem_init(struct sim *sim);
int sim_bo_create(struct accel_bo *bo);
void sim_bo_destroy(struct accel_bo *bo);
int sim_bo_map(struct accel_bo *bo);
int sim_bo_label(struct accel_bo *bo, const char *label, uint32_t len);
int sim_bo_query(struct accel_bo *bo, struct accel_bo_info *out);
int sim_bo_export(struct accel_bo *bo, int *fd);
int sim_bo_import(struct accel_bo *bo, int fd);

/* sim_queue.c */
int sim_queue_create(struct accel_device *dev, uint32_t priority,
		     struct accel_queue **out);
void sim_queue_destroy(struct accel_queue *q);
int sim_queue_submit(struct accel_queue *q, const struct transport_job *jobs,
		     unsigned int num_jobs, const struct accel_point *waits,
		     unsigned int num_waits, uint64_t point);
int sim_queue_wait(struct accel_queue *q, uint64_t point, int64_t timeout_ns);
int sim_queue_fate(struct accel_queue *q, struct queue_fate *out);
int sim_queue_times(struct accel_queue *q, uint64_t first,
		    struct accel_job_time *times, unsigned int *count);
/* Look at the completions of all queues and feed them.  sim.lock is held. */
void sim_queues_update(struct sim *sim);

#endif
