// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Rings
 *
 * A ring is a hardware queue: entries and completion records in system memory,
 * a doorbell, an interrupt.  It belongs to the card and is lent to one user
 * queue at a time.  Its drm_gpu_scheduler has as many credits as the ring has
 * entries, so a job that reaches the card always finds a free one.  Ring 0 is
 * never lent: it is the kernel's own, see loom_copy.c.
 *
 * A job is over when its completion record carries its number; no register is
 * read to find out.  Its fence then signals in the interrupt handler.
 *
 * States.  OFF -> (start) RUNNING -> (a fault, or anybody's stop) FAILED, where
 * nothing is accepted from or for the card -> (the card acknowledged the reset,
 * all fences are signalled) STOPPED -> (put) OFF.  After a fault the guilty job's
 * fence signals at once with -EIO, those behind it when the ring is STOPPED, for
 * the card may still be at work on them until then.
 *
 * Recovery must get along without memory allocation and without any lock under
 * which memory is allocated: fences depend on it.
 *
 * Locking, from the outside in:
 *
 *   loom_ring.stop_lock	one stop at a time; slept on in loom_ring_stop()
 *     loom_ring.lock		everything else; taken in interrupts
 */
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>

#include <drm/loom_accel.h>

#include "loom_copy.h"
#include "loom_device.h"
#include "loom_fence.h"
#include "loom_file.h"
#include "loom_irq.h"
#include "loom_job.h"
#include "loom_ring.h"
#include "loom_sched.h"
#include "loom_watchdog.h"

#define LOOM_RING_LOG2		8
#define LOOM_RING_SIZE		(1u << LOOM_RING_LOG2)

/* The card leaves a queue within milliseconds, but the host may be busy. */
#define LOOM_RING_POLL_US	50
#define LOOM_RING_RESET_US	(2 * USEC_PER_SEC)
/* What a card that is not there reads as. */
#define LOOM_RING_NO_CARD	(~0u)

/**
 * enum loom_ring_phase - life of a ring, see above
 */
enum loom_ring_phase {
	/** @LOOM_RING_OFF: not lent */
	LOOM_RING_OFF,
	/** @LOOM_RING_RUNNING: takes jobs */
	LOOM_RING_RUNNING,
	/** @LOOM_RING_FAILED: on its way to STOPPED */
	LOOM_RING_FAILED,
	/** @LOOM_RING_STOPPED: the card has nothing to do with it any more */
	LOOM_RING_STOPPED,
};

/**
 * struct loom_ring - a hardware queue
 */
struct loom_ring {
	/** @ldev: the card */
	struct loom_device *ldev;
	/** @id: its number */
	unsigned int id;
	/** @sched: gives it jobs; lives as long as the card */
	struct drm_gpu_scheduler *sched;
	/** @fence_context: of the jobs' fences */
	u64 fence_context;
	/** @entries: ring entries, devm-managed, made at first use */
	struct loom_ring_entry *entries;
	/** @entries_dma: the card's address of @entries */
	dma_addr_t entries_dma;
	/** @compl: completion records, behind @entries */
	struct loom_completion *compl;
	/** @recover: stops the ring after a fault */
	struct work_struct recover;
	/** @stop_lock: held while the ring is being stopped or lent */
	struct mutex stop_lock;
	/** @lock: protects all that follows */
	spinlock_t lock;
	/** @phase: state */
	enum loom_ring_phase phase;
	/** @lease: counts how often the ring was lent */
	u64 lease;
	/** @ctx: hardware context its jobs run in */
	unsigned int ctx;
	/** @priority: of the hardware, 0..3 */
	u32 priority;
	/** @base: number of the last job before the card started at index 0 */
	u64 base;
	/** @emitted: number of the newest job given to the card, from 1 */
	u64 emitted;
	/** @done: number of the newest job that is over */
	u64 done;
	/** @fences: of the jobs done + 1..emitted, by number; references */
	struct loom_fence *fences[LOOM_RING_SIZE];
	/** @client: whose statistics to add to, a reference */
	struct loom_client *client;
	/** @state: what QUEUE_STATE answers */
	struct drm_loom_queue_state state;
};

/* Where the fence of a job is. */
static unsigned int loom_ring_slot(u64 number)
{
	return (number - 1) % LOOM_RING_SIZE;
}

/* The card's index of a job: it counts from where it was last started. */
static u32 loom_ring_index(const struct loom_ring *ring, u64 number)
{
	return number - 1 - ring->base;
}

static u32 loom_ring_reg(const struct loom_ring *ring, u32 reg)
{
	return LOOM_REG_QUEUE(ring->id, reg);
}

struct drm_gpu_scheduler *loom_ring_sched(struct loom_ring *ring)
{
	return ring->sched;
}

/* Jobs that end ----------------------------------------------------------- */

/* The oldest job is over. */
static void loom_ring_retire(struct loom_ring *ring, int error)
{
	u64 number = ++ring->done;
	struct loom_fence **slot = &ring->fences[loom_ring_slot(number)];
	struct loom_fence *fence = *slot;

	lockdep_assert_held(&ring->lock);
	*slot = NULL;
	ring->state.jobs_done++;
	loom_fence_signal(fence, error);
}

/* No jobs from here on. */
static void loom_ring_ban(struct loom_ring *ring, u32 reason)
{
	lockdep_assert_held(&ring->lock);
	ring->phase = LOOM_RING_FAILED;
	ring->state.state |= DRM_LOOM_QUEUE_BANNED | reason;
}

static void loom_ring_record_fault(struct loom_ring *ring,
				   const struct loom_completion *c)
{
	struct drm_loom_queue_state *state = &ring->state;

	loom_ring_ban(ring, DRM_LOOM_QUEUE_FAULTED);
	state->error = c->error;
	state->opcode = c->opcode;
	state->cmd_index = c->cmd_index;
	state->cmd_offset = c->cmd_offset;
	state->field = c->field;
	state->access = c->access;
	state->fault_addr = c->fault_addr;
	state->job = c->seq;
	queue_work(ring->ldev->reset_wq, &ring->recover);
}

static void loom_ring_complete(struct loom_ring *ring,
			       const struct loom_completion *c)
{
	ring->state.last_start = c->start;
	ring->state.last_end = c->end;
	atomic64_add(c->end - c->start, &ring->client->cycles);
	if (c->error)
		loom_ring_record_fault(ring, c);
	loom_ring_retire(ring, c->error ? -EIO : 0);
}

/* Take in all that the card has completed. */
static void loom_ring_consume(struct loom_ring *ring)
{
	struct loom_completion *c;

	lockdep_assert_held(&ring->lock);
	while (ring->phase == LOOM_RING_RUNNING && ring->done != ring->emitted) {
		c = &ring->compl[loom_ring_index(ring, ring->done + 1) %
				 LOOM_RING_SIZE];
		if (READ_ONCE(c->seq) != ring->done + 1)
			break;
		dma_rmb();	/* the number before the rest */
		loom_ring_complete(ring, c);
	}
}

/* The card raised the ring's vector. */
void loom_ring_irq(struct loom_ring *ring)
{
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	loom_ring_consume(ring);
	spin_unlock_irqrestore(&ring->lock, flags);
}

/* Jobs that begin --------------------------------------------------------- */

static void loom_ring_write_entry(struct loom_ring *ring, u64 cmd_va,
				  u32 cmd_size)
{
	u32 index = loom_ring_index(ring, ring->emitted);

	ring->entries[index % LOOM_RING_SIZE] = (struct loom_ring_entry) {
		.type = LOOM_RING_EXEC,
		.flags = LOOM_RING_F_IRQ,
		.cmd_va = cmd_va,
		.cmd_size = cmd_size,
		.seq = ring->emitted,
	};
	/* Entry, page tables and data before the doorbell. */
	wmb();
	writel(index + 1, ring->ldev->doorbells + ring->id * LOOM_DOORBELL_STRIDE);
}

/**
 * loom_ring_emit() - give a job to the card
 * @ring: the ring, with a credit for this job; inside drm_dev_enter()
 * @cmd_va: command buffer
 * @cmd_size: its size
 * @fence: not initialised; on success it has one reference more, the caller's
 *
 * Return: 0, or -ECANCELED if the ring takes no jobs any more.
 */
int loom_ring_emit(struct loom_ring *ring, u64 cmd_va, u32 cmd_size,
		   struct loom_fence *fence)
{
	unsigned long flags;
	int ret = -ECANCELED;

	spin_lock_irqsave(&ring->lock, flags);
	if (ring->phase == LOOM_RING_RUNNING) {
		ring->emitted++;
		loom_fence_init(fence, ring->fence_context, ring->emitted);
		dma_fence_get(&fence->base);
		ring->fences[loom_ring_slot(ring->emitted)] = fence;
		loom_ring_write_entry(ring, cmd_va, cmd_size);
		ret = 0;
	}
	spin_unlock_irqrestore(&ring->lock, flags);
	if (!ret)
		loom_watchdog_kick(ring->ldev);
	return ret;
}

/* A job of this ring is over without having seen the card. */
void loom_ring_skip(struct loom_ring *ring)
{
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	ring->state.jobs_done++;
	spin_unlock_irqrestore(&ring->lock, flags);
}

bool loom_ring_is_banned(struct loom_ring *ring)
{
	return READ_ONCE(ring->phase) != LOOM_RING_RUNNING;
}

void loom_ring_state(struct loom_ring *ring, struct drm_loom_queue_state *state)
{
	unsigned long flags;
	u32 id = state->id;

	spin_lock_irqsave(&ring->lock, flags);
	*state = ring->state;
	spin_unlock_irqrestore(&ring->lock, flags);
	state->id = id;
}

/* Watching ---------------------------------------------------------------- */

/**
 * loom_ring_watch() - look at a ring that should be working
 * @ring: the ring, inside drm_dev_enter()
 * @watch: filled in
 *
 * Return: true if completions were found that no interrupt had told of.
 */
bool loom_ring_watch(struct loom_ring *ring, struct loom_ring_watch *watch)
{
	unsigned long flags;
	u64 done;

	spin_lock_irqsave(&ring->lock, flags);
	done = ring->done;
	loom_ring_consume(ring);
	done = ring->done - done;
	*watch = (struct loom_ring_watch) { .lease = ring->lease };
	if (ring->phase == LOOM_RING_RUNNING && ring->done != ring->emitted)
		watch->head = ring->done + 1;
	spin_unlock_irqrestore(&ring->lock, flags);
	if (watch->head)
		watch->progress = loom_read32(ring->ldev,
				loom_ring_reg(ring, LOOM_QUEUE_PROGRESS));
	return done;
}

/* Stopping ---------------------------------------------------------------- */

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
		   !(ring->state.state & DRM_LOOM_QUEUE_FAULTED)) {
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

/* Returns the LOOM_ERR_* that had stopped the queue. */
static u32 loom_ring_reset_hw(struct loom_ring *ring)
{
	struct loom_device *ldev = ring->ldev;
	u32 error, state;
	int idx;

	if (loom_device_is_wedged(ldev) || !drm_dev_enter(&ldev->drm, &idx))
		return LOOM_ERR_NONE;
	error = loom_read32(ldev, loom_ring_reg(ring, LOOM_QUEUE_ERROR));
	loom_write32(ldev, loom_ring_reg(ring, LOOM_QUEUE_CTRL),
		     LOOM_QUEUE_CTRL_RESET);
	if (readl_poll_timeout(ldev->regs + loom_ring_reg(ring, LOOM_QUEUE_STATE),
			       state, state == LOOM_QUEUE_STATE_DISABLED ||
				      state == LOOM_RING_NO_CARD,
			       LOOM_RING_POLL_US, LOOM_RING_RESET_US))
		loom_device_wedge(ldev, "a queue does not stop");
	drm_dev_exit(idx);
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
		 ring->phase == LOOM_RING_FAILED;
	if (watch && !loom_ring_is_stuck(ring, watch))
		needed = false;
	if (needed)
		loom_ring_ban(ring, 0);
	spin_unlock_irqrestore(&ring->lock, flags);
	return needed;
}

static void loom_ring_stop_if(struct loom_ring *ring, enum loom_ring_stop why,
			      const struct loom_ring_watch *watch)
{
	bool cookie;

	cookie = dma_fence_begin_signalling();
	mutex_lock(&ring->stop_lock);
	if (loom_ring_begin_stop(ring, watch))
		loom_ring_finish_stop(ring, why, loom_ring_reset_hw(ring));
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
	failed = loom_read32(ldev, loom_ring_reg(ring, LOOM_QUEUE_STATE)) ==
		 LOOM_QUEUE_STATE_ERROR;
	drm_dev_exit(idx);
	return failed;
}

static void loom_ring_recover_work(struct work_struct *work)
{
	struct loom_ring *ring = container_of(work, struct loom_ring, recover);

	if (loom_ring_has_failed(ring))
		loom_ring_stop(ring, LOOM_RING_STOP_FAULT);
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

/* Lending ----------------------------------------------------------------- */

/* Take a free ring.  -ENOSPC, -ERESTARTSYS. */
struct loom_ring *loom_ring_get(struct loom_device *ldev)
{
	int id = loom_slots_get(&ldev->ring_slots);

	return id < 0 ? ERR_PTR(id) : ldev->rings[id];
}

/* Give back a ring that is stopped, or was never started. */
void loom_ring_put(struct loom_ring *ring, bool leaving)
{
	struct loom_client *client;
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	ring->phase = LOOM_RING_OFF;
	client = ring->client;
	ring->client = NULL;
	spin_unlock_irqrestore(&ring->lock, flags);
	if (client)
		loom_client_put(client);
	loom_slots_put(&ring->ldev->ring_slots, ring->id, leaving);
}

/* Of the device's life, not the queue's: the card may be unbound under a queue. */
static int loom_ring_alloc_memory(struct loom_ring *ring)
{
	size_t size = LOOM_RING_SIZE * sizeof(*ring->entries);

	if (ring->entries)
		return 0;
	ring->entries = dmam_alloc_coherent(ring->ldev->drm.dev, 2 * size,
					    &ring->entries_dma, GFP_KERNEL);
	if (!ring->entries)
		return -ENOMEM;
	ring->compl = (void *)ring->entries + size;
	return 0;
}

static void loom_ring_clear(struct loom_ring *ring)
{
	unsigned long flags;

	lockdep_assert_held(&ring->stop_lock);
	spin_lock_irqsave(&ring->lock, flags);
	ring->lease++;
	memset(ring->compl, 0, LOOM_RING_SIZE * sizeof(*ring->compl));
	ring->base = 0;
	ring->emitted = 0;
	ring->done = 0;
	ring->state = (struct drm_loom_queue_state) { };
	ring->phase = LOOM_RING_RUNNING;
	spin_unlock_irqrestore(&ring->lock, flags);
}

static void loom_ring_start_hw(struct loom_ring *ring)
{
	struct loom_device *ldev = ring->ldev;
	u64 compl = ring->entries_dma + LOOM_RING_SIZE * sizeof(*ring->entries);

	loom_write64(ldev, loom_ring_reg(ring, LOOM_QUEUE_RING_BASE),
		     ring->entries_dma);
	loom_write32(ldev, loom_ring_reg(ring, LOOM_QUEUE_RING_SIZE_LOG2),
		     LOOM_RING_LOG2);
	loom_write32(ldev, loom_ring_reg(ring, LOOM_QUEUE_CTX), ring->ctx);
	loom_write64(ldev, loom_ring_reg(ring, LOOM_QUEUE_COMPL_BASE), compl);
	loom_write32(ldev, loom_ring_reg(ring, LOOM_QUEUE_VECTOR),
		     loom_irq_vector(ldev, ring->id));
	loom_write32(ldev, loom_ring_reg(ring, LOOM_QUEUE_PRIORITY),
		     ring->priority);
	loom_write32(ldev, loom_ring_reg(ring, LOOM_QUEUE_CTRL),
		     LOOM_QUEUE_CTRL_ENABLE);
}

/**
 * loom_ring_start() - let the card take jobs from a ring
 * @ring: the ring, off; inside drm_dev_enter()
 * @ctx: hardware context
 * @priority: of the hardware, 0..3
 * @client: whose jobs these will be
 *
 * Return: 0 or -ENOMEM.
 */
int loom_ring_start(struct loom_ring *ring, unsigned int ctx, u32 priority,
		    struct loom_client *client)
{
	int ret;

	/* Not under stop_lock, which recovery takes. */
	ret = loom_ring_alloc_memory(ring);
	if (ret)
		return ret;
	mutex_lock(&ring->stop_lock);
	ring->ctx = ctx;
	ring->priority = priority;
	ring->client = loom_client_get(client);
	loom_ring_clear(ring);
	loom_ring_start_hw(ring);
	mutex_unlock(&ring->stop_lock);
	return 0;
}

/* Take a ring that was stopped into service again.  Inside drm_dev_enter(). */
void loom_ring_restart(struct loom_ring *ring)
{
	mutex_lock(&ring->stop_lock);
	if (ring->phase == LOOM_RING_STOPPED) {
		loom_ring_clear(ring);
		loom_ring_start_hw(ring);
	}
	mutex_unlock(&ring->stop_lock);
}

/* Reset of the card ------------------------------------------------------- */

/**
 * loom_ring_post_reset() - the card has forgotten the ring
 * @ring: the ring, without jobs on the card; inside drm_dev_enter()
 *
 * The card starts at index 0 again, job numbers go on.
 */
void loom_ring_post_reset(struct loom_ring *ring)
{
	unsigned long flags;
	bool running;

	mutex_lock(&ring->stop_lock);
	spin_lock_irqsave(&ring->lock, flags);
	running = ring->phase == LOOM_RING_RUNNING;
	WARN_ON_ONCE(running && ring->done != ring->emitted);
	ring->base = ring->emitted;
	spin_unlock_irqrestore(&ring->lock, flags);
	if (running)
		loom_ring_start_hw(ring);
	mutex_unlock(&ring->stop_lock);
}

/* The card's life --------------------------------------------------------- */

static int loom_ring_init_base(struct loom_ring *ring, struct loom_device *ldev,
			       unsigned int id)
{
	ring->ldev = ldev;
	ring->id = id;
	ring->fence_context = dma_fence_context_alloc(1);
	INIT_WORK(&ring->recover, loom_ring_recover_work);
	spin_lock_init(&ring->lock);
	return drmm_mutex_init(&ldev->drm, &ring->stop_lock);
}

static int loom_ring_init(struct loom_device *ldev, unsigned int id)
{
	struct loom_ring *ring;
	int ret;

	ring = drmm_kzalloc(&ldev->drm, sizeof(*ring), GFP_KERNEL);
	if (!ring)
		return -ENOMEM;
	ret = loom_ring_init_base(ring, ldev, id);
	if (ret)
		return ret;
	ldev->rings[id] = ring;
	if (id == LOOM_RING_COPY)
		ring->sched = loom_sched_create(ldev, &loom_copy_sched_ops, 1,
						"copy", id);
	else
		ring->sched = loom_sched_create(ldev, &loom_job_sched_ops,
						LOOM_RING_SIZE, "queue", id);
	return PTR_ERR_OR_ZERO(ring->sched);
}

int loom_ring_init_all(struct loom_device *ldev)
{
	unsigned int i;
	int ret;

	ldev->rings = drmm_kcalloc(&ldev->drm, ldev->hw.num_queues,
				   sizeof(*ldev->rings), GFP_KERNEL);
	if (!ldev->rings)
		return -ENOMEM;
	loom_slots_init(&ldev->ring_slots, LOOM_RING_COPY + 1,
			ldev->hw.num_queues);
	for (i = 0; i < ldev->hw.num_queues; i++) {
		ret = loom_ring_init(ldev, i);
		if (ret)
			return ret;
	}
	return 0;
}
