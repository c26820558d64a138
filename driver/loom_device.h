/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The card: what its parts share.
 */
#ifndef LOOM_DEVICE_H
#define LOOM_DEVICE_H

#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/io.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <drm/drm_device.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_resource.h>

#include <loom/loom_regs.h>

#include "loom_hbm.h"
#include "loom_slots.h"
#include "loom_tt.h"

struct loom_copy;
struct loom_coredump;
struct loom_ctx;
struct loom_events;
struct loom_irq;
struct loom_ras;
struct loom_ring;
struct loom_watchdog_ring;

/* Device virtual addresses that user space may map; null pointers fault. */
#define LOOM_VA_START		0x10000ull
#define LOOM_VA_END		(1ull << LOOM_VA_BITS)

/**
 * struct loom_hw - the identification block, read once
 */
struct loom_hw {
	/** @version: LOOM_REG_HW_VERSION */
	u32 version;
	/** @isa_version: LOOM_REG_ISA_VERSION */
	u32 isa_version;
	/** @features: LOOM_FEATURE_* */
	u32 features;
	/** @num_queues: hardware queues */
	u32 num_queues;
	/** @num_contexts: hardware contexts, 0 is the kernel's */
	u32 num_contexts;
	/** @num_vectors: MSI-X vectors the card has */
	u32 num_vectors;
	/** @num_arrays: systolic arrays */
	u32 num_arrays;
	/** @array_rows: cells along K */
	u32 array_rows;
	/** @array_cols: cells along N */
	u32 array_cols;
	/** @clock_khz: device clock */
	u32 clock_khz;
	/** @vector_lanes: 32-bit lanes per cycle */
	u32 vector_lanes;
	/** @hbm_mbps: peak of HBM */
	u32 hbm_mbps;
	/** @pcie_mbps: peak of the link, per direction */
	u32 pcie_mbps;
	/** @hbm_channels: HBM channels */
	u32 hbm_channels;
	/** @hbm_size: bytes, also those beyond the BAR */
	u64 hbm_size;
	/** @sram_size: bytes */
	u64 sram_size;
	/** @serial: serial number */
	u64 serial;
};

/**
 * struct loom_stats - how often the card misbehaved
 */
struct loom_stats {
	/** @resets: resets of the whole card that the driver made */
	atomic_t resets;
	/** @queue_resets: queues stopped because a job made no progress */
	atomic_t queue_resets;
	/** @lost_irqs: completions whose interrupt never came */
	atomic_t lost_irqs;
	/** @bad_completions: completion records with a wrong number */
	atomic_t bad_completions;
};

/**
 * struct loom_reset_state - resets of the whole card, see loom_reset.c
 */
struct loom_reset_state {
	/** @count: resets, also those by others; written with reset_lock */
	unsigned int count;
	/** @streak: own resets since a job went well */
	unsigned int streak;
	/** @cookie: of dma_fence_begin_signalling(), of who has written reset_lock */
	bool cookie;
	/** @work: does a reset */
	struct work_struct work;
	/** @why: what @work says */
	const char *why;
	/** @wedged_work: tells user space of the end */
	struct work_struct wedged_work;
	/** @away: HBM does not answer the CPU; written with reset_lock */
	bool away;
	/** @asleep: it is in D3, or the PCI core resets it; written with reset_lock */
	bool asleep;
	/** @frozen: the PCI core is recovering the slot; written with reset_lock */
	bool frozen;
	/** @thawed: woken when @frozen or @asleep ends */
	wait_queue_head_t thawed;
	/** @give_up: ends @frozen if the PCI core does not */
	struct delayed_work give_up;
};

/**
 * struct loom_device - one card
 *
 * What belongs to the hardware (mappings, interrupts, rings) is devm-managed
 * and goes when the driver is unbound; code that touches it is inside
 * drm_dev_enter().  The rest is drmm-managed and stays until the last file is
 * closed.
 */
struct loom_device {
	/** @drm: base class */
	struct drm_device drm;
	/** @regs: LOOM_BAR_REGS; only inside drm_dev_enter() */
	void __iomem *regs;
	/** @doorbells: LOOM_BAR_DOORBELL; only inside drm_dev_enter() */
	void __iomem *doorbells;
	/** @hw: constants of the card */
	struct loom_hw hw;

	/** @ttm: memory of buffer objects, see loom_ttm.c */
	struct ttm_device ttm;
	/** @hbm: manager of HBM */
	struct loom_hbm hbm;
	/** @sysmem: accounts for system memory, see loom_sysmem.c */
	struct ttm_resource_manager sysmem;
	/** @tts: pages of objects in system memory */
	struct loom_tts tts;

	/** @copy: clears and moves buffer objects, see loom_copy.c */
	struct loom_copy *copy;
	/** @ras: memory errors, see loom_ras.c */
	struct loom_ras *ras;
	/** @num_lost: clears and moves that failed */
	atomic_t num_lost;

	/** @sched_wq: runs the schedulers' work; unordered */
	struct workqueue_struct *sched_wq;
	/** @reset_wq: ordered; recovery of rings and the watchdog */
	struct workqueue_struct *reset_wq;
	/** @rings: hardware queues, hw.num_queues of them */
	struct loom_ring **rings;
	/** @ring_slots: which of @rings are taken */
	struct loom_slots ring_slots;
	/** @ctxs: hardware contexts, hw.num_contexts of them */
	struct loom_ctx **ctxs;
	/** @ctx_slots: which of @ctxs are taken */
	struct loom_slots ctx_slots;
	/** @irq: MSI-X vectors */
	struct loom_irq *irq;
	/** @events: event ring */
	struct loom_events *events;
	/** @watchdog: looks after rings with jobs; on @reset_wq */
	struct delayed_work watchdog;
	/** @watched: what @watchdog saw of each of @rings */
	struct loom_watchdog_ring *watched;

	/** @awake: how many need the card awake, see loom_pm.c */
	atomic_t awake;
	/** @num_jobs: scheduler jobs that exist; unbinding waits for 0 */
	atomic_t num_jobs;
	/** @jobs_gone: woken when @num_jobs falls to 0 */
	wait_queue_head_t jobs_gone;

	/** @reset_lock: see loom_reset.c */
	struct rw_semaphore reset_lock;
	/** @reset: resets of the whole card */
	struct loom_reset_state reset;
	/** @stats: how often the card misbehaved */
	struct loom_stats stats;
	/** @coredump: the dump being written, see loom_coredump.c */
	struct loom_coredump *coredump;

	/** @perf_lock: from the snapshot of the counters to the last read */
	struct mutex perf_lock;
	/** @wedged: the card does not answer; set once, never cleared */
	atomic_t wedged;
};

static inline struct loom_device *to_loom_device(struct drm_device *drm)
{
	return container_of(drm, struct loom_device, drm);
}

static inline struct loom_device *ttm_to_loom_device(struct ttm_device *ttm)
{
	return container_of(ttm, struct loom_device, ttm);
}

static inline u32 loom_read32(struct loom_device *ldev, u32 reg)
{
	return readl(ldev->regs + reg);
}

static inline void loom_write32(struct loom_device *ldev, u32 reg, u32 value)
{
	writel(value, ldev->regs + reg);
}

static inline u64 loom_read64(struct loom_device *ldev, u32 reg)
{
	return readq(ldev->regs + reg);
}

static inline void loom_write64(struct loom_device *ldev, u32 reg, u64 value)
{
	writeq(value, ldev->regs + reg);
}

static inline bool loom_device_is_wedged(struct loom_device *ldev)
{
	return atomic_read(&ldev->wedged);
}

/*
 * The hardware may be touched between these two, which must be inside
 * drm_dev_enter().  In between one may not allocate memory nor take a lock that
 * is held while somebody does.
 */
void loom_device_hw_get(struct loom_device *ldev);

static inline void loom_device_hw_put(struct loom_device *ldev)
{
	up_read(&ldev->reset_lock);
}

int loom_device_reset_hw(struct loom_device *ldev);
int loom_device_init(struct loom_device *ldev, struct pci_dev *pdev);
void loom_device_unplug(struct loom_device *ldev);
void loom_device_wedge(struct loom_device *ldev, const char *why);

void loom_device_job_get(struct loom_device *ldev);
void loom_device_job_put(struct loom_device *ldev);

#endif
