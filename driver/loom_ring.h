/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Hardware queues.
 */
#ifndef LOOM_RING_H
#define LOOM_RING_H

#include <linux/types.h>

struct drm_gpu_scheduler;
struct drm_loom_job_time;
struct drm_loom_queue_state;
struct drm_printer;
struct loom_client;
struct loom_device;
struct loom_fence;
struct loom_ring;
struct loom_vm;

/* The ring that the kernel keeps for itself, see loom_copy.c. */
#define LOOM_RING_COPY	0

/**
 * enum loom_ring_stop - why a ring is stopped
 */
enum loom_ring_stop {
	/** @LOOM_RING_STOP_CANCEL: its owner wants no more of it */
	LOOM_RING_STOP_CANCEL,
	/** @LOOM_RING_STOP_FAULT: the card stopped it */
	LOOM_RING_STOP_FAULT,
	/** @LOOM_RING_STOP_TIMEOUT: its job makes no progress */
	LOOM_RING_STOP_TIMEOUT,
	/** @LOOM_RING_STOP_GONE: the card is going away */
	LOOM_RING_STOP_GONE,
};

/**
 * struct loom_ring_work - what a ring runs
 */
struct loom_ring_work {
	/** @cmd_va: device virtual address of the commands */
	u64 cmd_va;
	/** @cmd_size: their size in bytes */
	u32 cmd_size;
	/** @repeatable: it may run again from its start */
	bool repeatable : 1;
	/** @quiet: nobody waits for it before the job behind it: no interrupt */
	bool quiet : 1;
	/** @more: the next job follows at once and will ring the doorbell */
	bool more : 1;
	/** @direct: it came without the scheduler; loom_device_job_put() at its end */
	bool direct : 1;
};

/**
 * struct loom_ring_watch - a ring as the watchdog sees it
 */
struct loom_ring_watch {
	/** @lease: tells one user of the ring from the next */
	u64 lease;
	/** @head: number of the oldest job on the card, 0 for none */
	u64 head;
	/** @progress: commands the card has retired */
	u32 progress;
	/** @unseen: completions that the card wrote and no interrupt told of */
	bool unseen;
};

/* Jobs whose times a ring remembers: as many as it has entries. */
#define LOOM_RING_TIMES		256

int loom_ring_init_all(struct loom_device *ldev);
void loom_ring_recover_all(struct loom_device *ldev);
void loom_ring_pre_reset(struct loom_device *ldev);
bool loom_ring_is_drained(struct loom_device *ldev);
void loom_ring_judge(struct loom_device *ldev);
void loom_ring_post_reset(struct loom_device *ldev);

struct loom_ring *loom_ring_get(struct loom_device *ldev);
void loom_ring_put(struct loom_ring *ring, bool leaving);
int loom_ring_start(struct loom_ring *ring, unsigned int ctx, u32 priority,
		    struct loom_client *client, struct loom_vm *vm);
void loom_ring_restart(struct loom_ring *ring);
void loom_ring_stop(struct loom_ring *ring, enum loom_ring_stop why);
void loom_ring_fatal(struct loom_ring *ring, u32 hw_error);
void loom_ring_timeout(struct loom_ring *ring,
		       const struct loom_ring_watch *watch);
void loom_ring_flush(struct loom_ring *ring);

struct drm_gpu_scheduler *loom_ring_sched(struct loom_ring *ring);
int loom_ring_emit(struct loom_ring *ring, const struct loom_ring_work *work,
		   struct loom_fence *fence);
bool loom_ring_has_room(struct loom_ring *ring, u32 count);
void loom_ring_skip(struct loom_ring *ring);
bool loom_ring_is_banned(struct loom_ring *ring);
u32 loom_ring_times(struct loom_ring *ring, u64 first,
		    struct drm_loom_job_time *times, u32 room);
void loom_ring_print(struct loom_ring *ring, struct drm_printer *p);
void loom_ring_state(struct loom_ring *ring, struct drm_loom_queue_state *state);

void loom_ring_irq(struct loom_ring *ring);
void loom_ring_recover(struct loom_ring *ring);
void loom_ring_watch(struct loom_ring *ring, struct loom_ring_watch *watch);

#endif
