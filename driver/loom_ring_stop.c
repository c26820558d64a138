// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Rings that stop
 *
 * One ring is stopped by resetting its hardware queue.  If the card does not
 * acknowledge that, the whole card is reset (loom_reset.c), and when that does not
 * help either it is wedged; only then, or when one of them worked, do the fences
 * of the ring's jobs signal, for until then the card may be at work on them.
 *
 * A reset of the whole card spares the other rings.  They are PAUSED: they go on
 * to take jobs and keep them from the card, which gets some time to finish what
 * it has.  After the reset each ring starts again at index 0 with the jobs that
 * are not over.  Only a job that the card had begun is not run a second time,
 * unless its owner said that it may be: its memory may be half written.  Such a
 * job ends with -EIO and its queue with DRM_LOOM_QUEUE_LOST.
 *
 * Nothing here allocates, or takes a lock under which memory is allocated: fences
 * depend on it.  Locks are those of loom_ring.c, and the card's reset_lock within
 * stop_lock.
 */
#include <linux/iopoll.h>

#include <drm/drm_drv.h>

#include "loom_coredump.h"
#include "loom_reset.h"
#include "loom_ring_priv.h"
#include "loom_vm.h"

/* The card leaves a queue within milliseconds, but the host may be busy. */
#define LOOM_RING_POLL_US	50
#define LOOM_RING_RESET_US	(2 * USEC_PER_SEC)
/* What a card that is not there reads as. */
#define LOOM_RING_NO_CARD	(~0u)

/* One ring ---------------------------------------------------------------- */

/* What the fences of jobs say that were cut off. */
static int loom_ring_stop_error(struct loom_ring *ring, enum loom_ring_stop why)
{
	if (loom_device_is_wedged(ring->ldev))
		return -EIO;
	return why == LOOM_RING_STOP_GONE ? -ENODEV : -ECANCELED;
}

/* The oldest job is the guilty one, unless its completion said so already. */
static void loom_ring_blame(struct loom_ring *ring, enum loom_ring_stop why,
			    u32 hw_error)
{
	lockdep_assert_held(&ring->lock);
	if (ring->done == ring->emitted)
		return;
	if (why == LOOM_RING_STOP_TIMEOUT) {
		ring->state.state |= DRM_LOOM_QUEUE_TIMEDOUT;
		ring->state.job = ring->done + 1;
		loom_ring_retire(ring, -ETIME);
	} else if (why == LOOM_RING_STOP_FAULT &&
		   !(ring->state.state & (DRM_LOOM_QUEUE_FAULTED |
					  DRM_LOOM_QUEUE_LOST))) {
		ring->state.state |= DRM_LOOM_QUEUE_FAULTED;
		ring->state.error = hw_error;
		ring->state.job = ring->done + 1;
		loom_ring_retire(ring, -EIO);
	}
}

/* The card has forgotten the ring: signal what is left. */
static void loom_ring_finish_stop(struct loom_ring *ring, enum loom_ring_stop why,
				  u32 hw_error)
{
	int error = loom_ring_stop_error(ring, why);
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	loom_ring_blame(ring, why, hw_error);
	while (ring->done != ring->emitted)
		loom_ring_retire(ring, error);
	ring->phase = LOOM_RING_STOPPED;
	spin_unlock_irqrestore(&ring->lock, flags);
}

/* Returns the LOOM_ERR_* that had stopped the queue; false in @acked on failure. */
static u32 loom_ring_reset_hw(struct loom_ring *ring, bool *acked)
{
	struct loom_device *ldev = ring->ldev;
	u32 error, state;
	int idx;

	*acked = true;
	if (loom_device_is_wedged(ldev) || !drm_dev_enter(&ldev->drm, &idx))
		return LOOM_ERR_NONE;
	loom_device_hw_get(ldev);
	error = loom_read32(ldev, loom_ring_reg(ring, LOOM_QUEUE_ERROR));
	loom_write32(ldev, loom_ring_reg(ring, LOOM_QUEUE_CTRL),
		     LOOM_QUEUE_CTRL_RESET);
	*acked = !readl_poll_timeout(ldev->regs +
				     loom_ring_reg(ring, LOOM_QUEUE_STATE),
				     state, state == LOOM_QUEUE_STATE_DISABLED ||
					    state == LOOM_RING_NO_CARD,
				     LOOM_RING_POLL_US, LOOM_RING_RESET_US);
	loom_device_hw_put(ldev);
	drm_dev_exit(idx);
	return error;
}

/* Get the card off the ring, whatever that takes. */
static u32 loom_ring_take_down(struct loom_ring *ring)
{
	unsigned int seen = loom_reset_count(ring->ldev);
	bool acked;
	u32 error;

	error = loom_ring_reset_hw(ring, &acked);
	if (!acked)
		loom_reset_device(ring->ldev, seen, "a queue does not stop");
	return error;
}

/* Is the job that @watch saw still the oldest? */
static bool loom_ring_is_stuck(struct loom_ring *ring,
			       const struct loom_ring_watch *watch)
{
	return ring->lease == watch->lease && ring->done + 1 == watch->head &&
	       ring->done != ring->emitted;
}

/* False if there is nothing to stop. */
static bool loom_ring_begin_stop(struct loom_ring *ring,
				 const struct loom_ring_watch *watch)
{
	unsigned long flags;
	bool needed;

	spin_lock_irqsave(&ring->lock, flags);
	loom_ring_consume(ring);
	needed = ring->phase == LOOM_RING_RUNNING ||
		 ring->phase == LOOM_RING_PAUSED ||
		 ring->phase == LOOM_RING_FAILED;
	if (watch && !loom_ring_is_stuck(ring, watch))
		needed = false;
	if (needed)
		loom_ring_ban(ring, 0);
	spin_unlock_irqrestore(&ring->lock, flags);
	return needed;
}

/* What is left of the failure ---------------------------------------------- */

static void loom_ring_dump_jobs(struct loom_ring *ring,
				struct loom_coredump_ring *dump)
{
	unsigned int i, slot;

	for (i = 0; i < LOOM_COREDUMP_JOBS; i++) {
		slot = loom_ring_slot(ring, dump->job + i);
		dump->entries[i] = ring->entries[slot];
		dump->compl[i] = ring->compl[slot];
	}
}

static void loom_ring_dump_state(struct loom_ring *ring,
				 struct loom_coredump_ring *dump)
{
	unsigned long flags;

	dump->id = ring->id;
	dump->ctx = ring->ctx;
	dump->priority = ring->priority;
	spin_lock_irqsave(&ring->lock, flags);
	dump->state = ring->state;
	dump->job = ring->state.job ?: ring->done + 1;
	dump->emitted = ring->emitted;
	dump->done = ring->done;
	dump->what = loom_ring_job(ring, dump->job)->what;
	loom_ring_dump_jobs(ring, dump);
	spin_unlock_irqrestore(&ring->lock, flags);
	/* A ring that is being stopped is lent, and its borrower keeps the VM. */
	if (ring->vm)
		dump->vm = loom_vm_get(ring->vm);
}

static void loom_ring_dump_hw(struct loom_ring *ring,
			      struct loom_coredump_ring *dump)
{
	unsigned int i;

	for (i = 0; i < LOOM_COREDUMP_REGS; i++)
		dump->regs[i] = loom_ring_read(ring, i * sizeof(u32));
}

/*
 * What a dump says had happened, or NULL if it is not worth one.  A ring that failed
 * may be stopped for another reason: a program that sees its job fail and ends is
 * faster than loom_ring_recover_work() at times.
 */
static const char *loom_ring_failure(struct loom_ring *ring, enum loom_ring_stop why)
{
	if (why == LOOM_RING_STOP_TIMEOUT)
		return "no progress";
	if (why == LOOM_RING_STOP_FAULT || ring->state.state & DRM_LOOM_QUEUE_FAULTED)
		return "fault";
	return NULL;
}

/* With stop_lock held, after loom_ring_begin_stop(), before anything is taken down. */
static void loom_ring_dump(struct loom_ring *ring, enum loom_ring_stop why)
{
	const char *failure = loom_ring_failure(ring, why);
	struct loom_device *ldev = ring->ldev;
	struct loom_coredump_ring *dump;
	int idx;

	if (!failure)
		return;
	if (loom_device_is_wedged(ldev) || !drm_dev_enter(&ldev->drm, &idx))
		return;
	dump = loom_coredump_begin(ldev);
	if (dump) {
		loom_ring_dump_state(ring, dump);
		loom_device_hw_get(ldev);
		loom_ring_dump_hw(ring, dump);
		loom_coredump_end(ldev, failure);
		loom_device_hw_put(ldev);
	}
	drm_dev_exit(idx);
}

/* Stopping ---------------------------------------------------------------- */

static void loom_ring_stop_if(struct loom_ring *ring, enum loom_ring_stop why,
			      const struct loom_ring_watch *watch)
{
	bool cookie;

	cookie = dma_fence_begin_signalling();
	mutex_lock(&ring->stop_lock);
	if (loom_ring_begin_stop(ring, watch)) {
		loom_ring_dump(ring, why);
		loom_ring_finish_stop(ring, why, loom_ring_take_down(ring));
	}
	mutex_unlock(&ring->stop_lock);
	dma_fence_end_signalling(cookie);
}

/**
 * loom_ring_stop() - take a ring from the card
 * @ring: the ring
 * @why: what for, which decides the errors of its jobs
 *
 * On return all its jobs that had gone to the card are over.  Nothing happens
 * to a ring that is stopped or not lent.
 */
void loom_ring_stop(struct loom_ring *ring, enum loom_ring_stop why)
{
	loom_ring_stop_if(ring, why, NULL);
}

/* The same for a ring whose job, seen in @watch, takes too long. */
void loom_ring_timeout(struct loom_ring *ring,
		       const struct loom_ring_watch *watch)
{
	loom_ring_stop_if(ring, LOOM_RING_STOP_TIMEOUT, watch);
}

/* The ring's job broke the card: reset that, and blame the job. */
void loom_ring_fatal(struct loom_ring *ring, u32 hw_error)
{
	unsigned int seen = loom_reset_count(ring->ldev);
	bool cookie, guilty;

	cookie = dma_fence_begin_signalling();
	mutex_lock(&ring->stop_lock);
	guilty = loom_ring_begin_stop(ring, NULL);
	if (guilty)
		loom_ring_dump(ring, LOOM_RING_STOP_FAULT);
	loom_reset_device(ring->ldev, seen, "fatal error");
	if (guilty)
		loom_ring_finish_stop(ring, LOOM_RING_STOP_FAULT, hw_error);
	mutex_unlock(&ring->stop_lock);
	dma_fence_end_signalling(cookie);
}

/* Recovery ---------------------------------------------------------------- */

/* Has the card stopped it?  A call may be late, the ring lent to another. */
static bool loom_ring_has_failed(struct loom_ring *ring)
{
	struct loom_device *ldev = ring->ldev;
	bool failed;
	int idx;

	if (loom_device_is_wedged(ldev) ||
	    READ_ONCE(ring->phase) == LOOM_RING_FAILED)
		return true;
	if (!drm_dev_enter(&ldev->drm, &idx))
		return false;
	loom_device_hw_get(ldev);
	failed = loom_read32(ldev, loom_ring_reg(ring, LOOM_QUEUE_STATE)) ==
		 LOOM_QUEUE_STATE_ERROR;
	loom_device_hw_put(ldev);
	drm_dev_exit(idx);
	return failed;
}

static void loom_ring_recover_work(struct work_struct *work)
{
	struct loom_ring *ring = container_of(work, struct loom_ring, recover);
	bool cookie;

	cookie = dma_fence_begin_signalling();
	if (loom_ring_has_failed(ring))
		loom_ring_stop(ring, LOOM_RING_STOP_FAULT);
	dma_fence_end_signalling(cookie);
}

/* Have a ring that the card stopped taken down soon. */
void loom_ring_recover(struct loom_ring *ring)
{
	queue_work(ring->ldev->reset_wq, &ring->recover);
}

void loom_ring_recover_all(struct loom_device *ldev)
{
	unsigned int i;

	for (i = 0; i < ldev->hw.num_queues; i++)
		loom_ring_recover(ldev->rings[i]);
}

/* Recovery of the past is over; none may begin. */
void loom_ring_flush(struct loom_ring *ring)
{
	cancel_work_sync(&ring->recover);
}

void loom_ring_init_stop(struct loom_ring *ring)
{
	INIT_WORK(&ring->recover, loom_ring_recover_work);
}

/* All rings, around a reset of the card ----------------------------------- */

static void loom_ring_pause(struct loom_ring *ring)
{
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	if (ring->phase == LOOM_RING_RUNNING)
		ring->phase = LOOM_RING_PAUSED;
	ring->begun = 0;
	spin_unlock_irqrestore(&ring->lock, flags);
}

/* Keep new jobs from the card.  The caller has written reset_lock. */
void loom_ring_pre_reset(struct loom_device *ldev)
{
	unsigned int i;

	for (i = 0; i < ldev->hw.num_queues; i++)
		loom_ring_pause(ldev->rings[i]);
}

/* Is what the card was told of over?  No interrupt is needed to find out. */
bool loom_ring_is_drained(struct loom_device *ldev)
{
	bool drained = true;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < ldev->hw.num_queues; i++) {
		struct loom_ring *ring = ldev->rings[i];

		spin_lock_irqsave(&ring->lock, flags);
		loom_ring_consume(ring);
		if (ring->phase == LOOM_RING_PAUSED && ring->done < ring->rung)
			drained = false;
		spin_unlock_irqrestore(&ring->lock, flags);
	}
	return drained;
}

/* Find out which jobs have begun, while the card can tell. */
void loom_ring_judge(struct loom_device *ldev)
{
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < ldev->hw.num_queues; i++) {
		struct loom_ring *ring = ldev->rings[i];

		spin_lock_irqsave(&ring->lock, flags);
		if (ring->phase == LOOM_RING_PAUSED && ring->done < ring->rung &&
		    loom_read32(ldev, loom_ring_reg(ring, LOOM_QUEUE_STARTED)))
			ring->begun = ring->done + 1;
		spin_unlock_irqrestore(&ring->lock, flags);
	}
}

/* The card had begun the oldest job, and it must not run twice. */
static bool loom_ring_has_lost(struct loom_ring *ring)
{
	return ring->done < ring->rung && ring->begun == ring->done + 1 &&
	       !loom_ring_job(ring, ring->begun)->what.repeatable;
}

static void loom_ring_give_up(struct loom_ring *ring)
{
	loom_ring_ban(ring, DRM_LOOM_QUEUE_LOST);
	ring->state.job = ring->done + 1;
	loom_ring_retire(ring, -EIO);
	while (ring->done != ring->emitted)
		loom_ring_retire(ring, -ECANCELED);
	ring->phase = LOOM_RING_STOPPED;
}

static void loom_ring_replay(struct loom_ring *ring)
{
	u64 number;

	ring->state.resets++;
	ring->base = ring->done;
	memset(ring->compl, 0, LOOM_RING_SIZE * sizeof(*ring->compl));
	loom_ring_start_hw(ring);
	for (number = ring->done + 1; number <= ring->emitted; number++)
		loom_ring_write_entry(ring, number);
	ring->phase = LOOM_RING_RUNNING;
	if (ring->done != ring->emitted)
		loom_ring_ring_doorbell(ring);
}

static void loom_ring_resume(struct loom_ring *ring)
{
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	/* What was over before the reset is over. */
	loom_ring_consume(ring);
	if (ring->phase == LOOM_RING_PAUSED) {
		if (loom_ring_has_lost(ring))
			loom_ring_give_up(ring);
		else
			loom_ring_replay(ring);
	}
	spin_unlock_irqrestore(&ring->lock, flags);
}

/* The card has been reset, its contexts are restored. */
void loom_ring_post_reset(struct loom_device *ldev)
{
	unsigned int i;

	for (i = 0; i < ldev->hw.num_queues; i++)
		loom_ring_resume(ldev->rings[i]);
}
