/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Dumps of what went wrong.
 */
#ifndef LOOM_COREDUMP_H
#define LOOM_COREDUMP_H

#include <linux/types.h>

#include <drm/loom_accel.h>
#include <loom/loom_regs.h>

#include "loom_ring.h"

struct loom_device;
struct loom_vm;

/* Ring entries and completion records around the guilty job. */
#define LOOM_COREDUMP_JOBS	16
/* Registers of a queue, 32 bits each. */
#define LOOM_COREDUMP_REGS	(LOOM_QUEUE_STARTED / sizeof(u32) + 1)

/**
 * struct loom_coredump_ring - a ring at the moment it failed
 */
struct loom_coredump_ring {
	/** @id: of the hardware queue */
	unsigned int id;
	/** @ctx: its context */
	unsigned int ctx;
	/** @priority: of the hardware */
	u32 priority;
	/** @job: number of the guilty job */
	u64 job;
	/** @emitted: number of the newest job */
	u64 emitted;
	/** @done: number of the newest job that was over */
	u64 done;
	/** @what: the guilty job */
	struct loom_ring_work what;
	/** @state: what QUEUE_STATE would say */
	struct drm_loom_queue_state state;
	/** @regs: registers of the queue */
	u32 regs[LOOM_COREDUMP_REGS];
	/** @entries: of the jobs from @job on */
	struct loom_ring_entry entries[LOOM_COREDUMP_JOBS];
	/** @compl: their completion records */
	struct loom_completion compl[LOOM_COREDUMP_JOBS];
	/** @vm: address space of the jobs, a reference, or NULL */
	struct loom_vm *vm;
};

struct loom_coredump_ring *loom_coredump_begin(struct loom_device *ldev);
void loom_coredump_end(struct loom_device *ldev, const char *why);

int loom_coredump_init(struct loom_device *ldev);
void loom_coredump_unplug(struct loom_device *ldev);

#endif
