// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: The watchdog
 *
 * Fences must signal in reasonable time, so a job that makes no progress is
 * taken off the card.  Progress is a retired command.  A job that makes
 * progress may take LOOM_WATCHDOG_STRETCH times as long, and no longer.
 *
 * This is not drm_sched's timeout, because on some kernels each new job of a
 * queue sets that one back, so who keeps submitting could keep a hung job alive;
 * and because only a look at all queues tells the guilty from those that wait for
 * it: the queue that has stood still longest is stopped, and all others get a
 * new period.
 *
 * In passing it picks up completions whose interrupt got lost: those that two looks
 * see, LOOM_WATCHDOG_SOON apart.
 */
#include <linux/dma-fence.h>
#include <linux/jiffies.h>
#include <linux/module.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "loom_device.h"
#include "loom_ring.h"
#include "loom_watchdog.h"

static uint loom_job_timeout_ms = 10000;
module_param_named(job_timeout_ms, loom_job_timeout_ms, uint, 0644);
MODULE_PARM_DESC(job_timeout_ms,
		 "Time without progress after which a job is given up (100..600000, default 10000)");

#define LOOM_WATCHDOG_MIN_MS	100u
#define LOOM_WATCHDOG_MAX_MS	600000u
#define LOOM_WATCHDOG_STRETCH	30
/*
 * When to look at a completion again that was found without interrupt.  On a busy
 * host a virtual interrupt takes its time.
 */
#define LOOM_WATCHDOG_SOON	(HZ / 5)
/* How often to look within one period. */
#define LOOM_WATCHDOG_LOOKS	8

/**
 * struct loom_watchdog_ring - what was seen of a ring last time
 *
 * The work item's alone.
 */
struct loom_watchdog_ring {
	/** @seen: the ring */
	struct loom_ring_watch seen;
	/** @began: when its oldest job became the oldest, in jiffies */
	unsigned long began;
	/** @moved: when it last made progress, in jiffies */
	unsigned long moved;
};

static unsigned long loom_watchdog_period(void)
{
	return msecs_to_jiffies(clamp(READ_ONCE(loom_job_timeout_ms),
				      LOOM_WATCHDOG_MIN_MS, LOOM_WATCHDOG_MAX_MS));
}

/* The first look at a job comes after one tick, so none is judged by old news. */
static unsigned long loom_watchdog_tick(void)
{
	return clamp(loom_watchdog_period() / LOOM_WATCHDOG_LOOKS, 1ul, (unsigned long)HZ);
}

/* Have the watchdog look soon, unless it will anyway. */
void loom_watchdog_kick(struct loom_device *ldev)
{
	queue_delayed_work(ldev->reset_wq, &ldev->watchdog, loom_watchdog_tick());
}

/* Compare with what was seen last time; true if there is a job. */
static bool loom_watchdog_look(struct loom_device *ldev, unsigned int i,
			       struct loom_watchdog_ring *wr)
{
	struct loom_ring_watch now = wr->seen;

	loom_ring_watch(ldev->rings[i], &now);
	if (now.lease != wr->seen.lease || now.head != wr->seen.head) {
		wr->began = jiffies;
		wr->moved = jiffies;
	} else if (now.progress != wr->seen.progress) {
		wr->moved = jiffies;
	}
	wr->seen = now;
	return now.head;
}

static bool loom_watchdog_is_late(const struct loom_watchdog_ring *wr)
{
	unsigned long period = loom_watchdog_period();

	return wr->seen.head &&
	       (time_after(jiffies, wr->moved + period) ||
		time_after(jiffies, wr->began + period * LOOM_WATCHDOG_STRETCH));
}

/* Number of the ring to stop, or -1. */
static int loom_watchdog_choose(struct loom_device *ldev,
				const struct loom_watchdog_ring *ring)
{
	int worst = -1;
	unsigned int i;

	for (i = 0; i < ldev->hw.num_queues; i++)
		if (loom_watchdog_is_late(&ring[i]) &&
		    (worst < 0 || time_before(ring[i].moved, ring[worst].moved)))
			worst = i;
	return worst;
}

static void loom_watchdog_bite(struct loom_device *ldev,
			       struct loom_watchdog_ring *ring, int victim)
{
	unsigned int i;

	drm_warn(&ldev->drm, "queue %d: job %llu makes no progress\n", victim,
		 ring[victim].seen.head);
	atomic_inc(&ldev->stats.queue_resets);
	loom_ring_timeout(ldev->rings[victim], &ring[victim].seen);
	for (i = 0; i < ldev->hw.num_queues; i++)
		ring[i].moved = jiffies;
}

static void loom_watchdog_work(struct work_struct *work)
{
	struct loom_device *ldev = container_of(to_delayed_work(work),
						struct loom_device, watchdog);
	struct loom_watchdog_ring *ring = ldev->watched;
	bool cookie, busy = false, soon = false;
	unsigned int i;
	int victim, idx;

	/* Unplugging stops all rings itself. */
	if (!drm_dev_enter(&ldev->drm, &idx))
		return;
	cookie = dma_fence_begin_signalling();
	for (i = 0; i < ldev->hw.num_queues; i++) {
		busy |= loom_watchdog_look(ldev, i, &ring[i]);
		soon |= ring[i].seen.unseen;
	}
	victim = loom_watchdog_choose(ldev, ring);
	if (victim >= 0)
		loom_watchdog_bite(ldev, ring, victim);
	dma_fence_end_signalling(cookie);
	drm_dev_exit(idx);
	if (soon)
		mod_delayed_work(ldev->reset_wq, &ldev->watchdog,
				 LOOM_WATCHDOG_SOON);
	else if (busy)
		loom_watchdog_kick(ldev);
}

int loom_watchdog_init(struct loom_device *ldev)
{
	INIT_DELAYED_WORK(&ldev->watchdog, loom_watchdog_work);
	ldev->watched = drmm_kcalloc(&ldev->drm, ldev->hw.num_queues,
				     sizeof(*ldev->watched), GFP_KERNEL);
	return ldev->watched ? 0 : -ENOMEM;
}
