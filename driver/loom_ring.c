// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Rings
 *
 * A ring is a hardware queue: entries and completion records in system memory,
 * a doorbell, an interrupt.  It belongs to the card and is lent to one user
 * queue at a time.  Its drm_gpu_scheduler has credits for half of the entries, and
 * loom_ring_has_room() grants what comes without the scheduler the other half, so a
 * job that reaches the card always finds a free one.  Ring 0 is never lent: it is
 * the kernel's own, see loom_copy.c.
 *
 * A job is over when its completion record carries its number; no register is
 * read to find out.  Its fence then signals in the interrupt handler.
 *
 * States.  OFF -> (start) RUNNING -> (a fault, or anybody's stop) FAILED, where
 * nothing is accepted from or for the card -> (the card acknowledged the reset,
 * all fences are signalled) STOPPED -> (put) OFF.  After a fault the guilty job's
 * fence signals at once with -EIO, those behind it when the ring is STOPPED, for
 * the card may still be at work on them until then.  While the card is reset or
 * asleep its RUNNING rings are PAUSED, see loom_ring_stop.c.
 *
 * Numbers.  A queue's jobs are numbered from 1.  The card counts entries from 0
 * and starts again when the ring is restarted: job n is at index n - 1 - base.
 *
 * A batch.  A job with work.more leaves the doorbell to the job behind it, which
 * the scheduler runs next and which waits for nothing; one with work.quiet asks
 * for no interrupt.  So a batch costs one write and one interrupt.
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

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "loom_copy.h"
#include "loom_fence.h"
#include "loom_file.h"
#include "loom_irq.h"
#include "loom_job.h"
#include "loom_reset.h"
#include "loom_ring_priv.h"
#include "loom_sched.h"
#include "loom_trace.h"
#include "loom_watchdog.h"

struct drm_gpu_scheduler *loom_ring_sched(struct loom_ring *ring)
{
	return ring->sched;
}

/* Jobs that end ----------------------------------------------------------- */

/* The oldest job is over. */
void loom_ring_retire(struct loom_ring *ring, int error)
{
	struct loom_ring_job *job = loom_ring_job(ring, ++ring->done);
	struct loom_fence *fence = job->fence;

	lockdep_assert_held(&ring->lock);
	job->fence = NULL;
	ring->state.jobs_done++;
	trace_loom_job_done(ring->ldev->drm.dev, ring->id, ring->done,
			    job->start, job->end, error);
	loom_fence_signal(fence, error);
	if (job->what.direct)
		loom_device_job_put(ring->ldev);
}

/* No jobs from here on. */
void loom_ring_ban(struct loom_ring *ring, u32 reason)
{
	lockdep_assert_held(&ring->lock);
	ring->phase = LOOM_RING_FAILED;
	ring->state.state |= DRM_LOOM_QUEUE_BANNED | reason;
	trace_loom_queue_stop(ring->ldev->drm.dev, ring->id, ring->state.state);
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
	struct loom_ring_job *job = loom_ring_job(ring, ring->done + 1);

	job->start = c->start;
	job->end = c->end;
	ring->state.last_start = c->start;
	ring->state.last_end = c->end;
	atomic64_add(c->end - c->start, &ring->client->cycles);
	atomic64_inc(&ring->client->jobs);
	if (c->error) {
		atomic64_inc(&ring->client->failed);
		loom_ring_record_fault(ring, c);
	} else {
		loom_reset_forgive(ring->ldev);
	}
	loom_ring_retire(ring, c->error ? -EIO : 0);
}

/*
 * A record carries a number that cannot be there: the card has lost count, so
 * nobody knows what became of the job.
 */
static void loom_ring_lost_count(struct loom_ring *ring, u64 seq)
{
	struct loom_device *ldev = ring->ldev;

	drm_err(&ldev->drm, "queue %u: completion of job %llu where %llu was due\n",
		ring->id, seq, ring->done + 1);
	loom_ring_ban(ring, DRM_LOOM_QUEUE_LOST);
	ring->state.job = ring->done + 1;
	atomic_inc(&ldev->stats.bad_completions);
	loom_ring_retire(ring, -EIO);
	loom_reset_schedule(ldev, "wrong completion");
	queue_work(ldev->reset_wq, &ring->recover);
}

static bool loom_ring_is_live(const struct loom_ring *ring)
{
	return ring->phase == LOOM_RING_RUNNING ||
	       ring->phase == LOOM_RING_PAUSED;
}

/* Take in all that the card has completed. */
void loom_ring_consume(struct loom_ring *ring)
{
	struct loom_completion *c;
	u64 seq;

	lockdep_assert_held(&ring->lock);
	while (loom_ring_is_live(ring) && ring->done != ring->emitted) {
		c = &ring->compl[loom_ring_slot(ring, ring->done + 1)];
		seq = READ_ONCE(c->seq);
		if (seq != ring->done + 1) {
			if (unlikely(!loom_ring_seq_is_stale(seq, ring->done + 1)))
				loom_ring_lost_count(ring, seq);
			break;
		}
		dma_rmb();	/* the number before the rest */
		loom_ring_complete(ring, c);
	}
}

/* The card raised the ring's vector. */
void loom_ring_irq(struct loom_ring *ring)
{
	unsigned long flags;

	/* Most rings on a vector have nothing going; a stale look does no harm. */
	if (READ_ONCE(ring->done) == READ_ONCE(ring->emitted))
		return;
	spin_lock_irqsave(&ring->lock, flags);
	loom_ring_consume(ring);
	spin_unlock_irqrestore(&ring->lock, flags);
}

/* Jobs that begin --------------------------------------------------------- */

void loom_ring_write_entry(struct loom_ring *ring, u64 number)
{
	const struct loom_ring_work *work = &loom_ring_job(ring, number)->what;

	ring->entries[loom_ring_slot(ring, number)] = (struct loom_ring_entry) {
		.type = LOOM_RING_EXEC,
		.flags = work->quiet ? 0 : LOOM_RING_F_IRQ,
		.cmd_va = work->cmd_va,
		.cmd_size = work->cmd_size,
		.seq = number,
	};
}

/* Tell the card of all entries written. */
void loom_ring_ring_doorbell(struct loom_ring *ring)
{
	lockdep_assert_held(&ring->lock);
	ring->rung = ring->emitted;
	/* Entry, page tables and data before the doorbell. */
	wmb();
	writel(loom_ring_tail(ring->emitted, ring->base),
	       ring->ldev->doorbells + ring->id * LOOM_DOORBELL_STRIDE);
}

static void loom_ring_accept(struct loom_ring *ring,
			     const struct loom_ring_work *work,
			     struct loom_fence *fence)
{
	struct loom_ring_job *job = loom_ring_job(ring, ring->emitted + 1);

	loom_fence_init(fence, ring->fence_context, ring->emitted + 1);
	dma_fence_get(&fence->base);
	job->what = *work;
	job->fence = fence;
	job->start = 0;
	job->end = 0;
	loom_ring_write_entry(ring, ring->emitted + 1);
	WRITE_ONCE(ring->emitted, ring->emitted + 1);
	trace_loom_job_emit(ring->ldev->drm.dev, ring->id, ring->emitted,
			    work->cmd_va, work->cmd_size, work->more);
	if (ring->phase == LOOM_RING_RUNNING && !work->more)
		loom_ring_ring_doorbell(ring);
}

/**
 * loom_ring_emit() - give a job to the card
 * @ring: the ring, with a credit for this job; inside drm_dev_enter()
 * @work: the job
 * @fence: not initialised; on success it has one reference more, the caller's
 *
 * Return: 0, or -ECANCELED if the ring takes no jobs any more.
 */
int loom_ring_emit(struct loom_ring *ring, const struct loom_ring_work *work,
		   struct loom_fence *fence)
{
	unsigned long flags;
	int ret = -ECANCELED;

	spin_lock_irqsave(&ring->lock, flags);
	if (loom_ring_is_live(ring)) {
		loom_ring_accept(ring, work, fence);
		ret = 0;
	}
	spin_unlock_irqrestore(&ring->lock, flags);
	if (!ret)
		loom_watchdog_kick(ring->ldev);
	return ret;
}

/* May @count more jobs come without the scheduler?  Only their one source asks. */
bool loom_ring_has_room(struct loom_ring *ring, u32 count)
{
	u64 on_card = READ_ONCE(ring->emitted) - READ_ONCE(ring->done);

	return on_card + count <= LOOM_RING_DIRECT;
}

/* A job of this ring is over without having seen the card. */
void loom_ring_skip(struct loom_ring *ring)
{
	unsigned long flags;
	int idx;

	spin_lock_irqsave(&ring->lock, flags);
	ring->state.jobs_done++;
	/* Those before it in a batch have left the doorbell to it. */
	if (ring->phase == LOOM_RING_RUNNING && ring->rung != ring->emitted &&
	    drm_dev_enter(&ring->ldev->drm, &idx)) {
		loom_ring_ring_doorbell(ring);
		drm_dev_exit(idx);
	}
	spin_unlock_irqrestore(&ring->lock, flags);
}

bool loom_ring_is_banned(struct loom_ring *ring)
{
	enum loom_ring_phase phase = READ_ONCE(ring->phase);

	return phase != LOOM_RING_RUNNING && phase != LOOM_RING_PAUSED;
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

/**
 * loom_ring_times() - when jobs that are over ran
 * @ring: the ring
 * @first: number of the first job of interest
 * @times: filled in
 * @room: number of @times
 *
 * Return: number of entries filled in.
 */
u32 loom_ring_times(struct loom_ring *ring, u64 first,
		    struct drm_loom_job_time *times, u32 room)
{
	unsigned long flags;
	u64 number;
	u32 count = 0;

	spin_lock_irqsave(&ring->lock, flags);
	number = max(loom_ring_oldest(ring->emitted), first);
	for (; number <= ring->done && count < room; number++) {
		const struct loom_ring_job *job = loom_ring_job(ring, number);

		if (job->end)
			times[count++] = (struct drm_loom_job_time) {
				.job = number,
				.start = job->start,
				.end = job->end,
			};
	}
	spin_unlock_irqrestore(&ring->lock, flags);
	return count;
}

/* One line for people. */
void loom_ring_print(struct loom_ring *ring, struct drm_printer *p)
{
	static const char * const phase[] = {
		[LOOM_RING_OFF] = "off",
		[LOOM_RING_RUNNING] = "running",
		[LOOM_RING_PAUSED] = "paused",
		[LOOM_RING_FAILED] = "failed",
		[LOOM_RING_STOPPED] = "stopped",
	};
	u64 emitted, rung, done;
	unsigned long flags;
	unsigned int now;

	spin_lock_irqsave(&ring->lock, flags);
	now = ring->phase;
	emitted = ring->emitted;
	rung = ring->rung;
	done = ring->done;
	spin_unlock_irqrestore(&ring->lock, flags);
	if (now != LOOM_RING_OFF)
		drm_printf(p, "queue %u: %s, context %u, priority %u, %llu jobs, %llu on the card, %llu done\n",
			   ring->id, phase[now], ring->ctx, ring->priority,
			   emitted, rung, done);
}

/* Watching ---------------------------------------------------------------- */

/* Records are there which an interrupt should have told of by now. */
static bool loom_ring_has_unseen(struct loom_ring *ring)
{
	const struct loom_completion *c;
	u64 number;

	for (number = ring->done + 1; number <= ring->emitted; number++) {
		c = &ring->compl[loom_ring_slot(ring, number)];
		if (READ_ONCE(c->seq) != number)
			return false;
		if (!loom_ring_job(ring, number)->what.quiet)
			return true;
	}
	/* The job that was to end a batch never came. */
	return true;
}

/**
 * loom_ring_watch() - look at a ring that should be working
 * @ring: the ring, inside drm_dev_enter()
 * @watch: what was seen last time; filled in anew
 *
 * An interrupt may be on its way, so completions count as unseen only when the
 * look before saw the same.  Then they are taken in.
 */
void loom_ring_watch(struct loom_ring *ring, struct loom_ring_watch *watch)
{
	struct loom_ring_watch now = { };
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	now.lease = ring->lease;
	if (ring->phase == LOOM_RING_RUNNING && ring->done != ring->emitted) {
		now.head = ring->done + 1;
		now.unseen = loom_ring_has_unseen(ring);
	}
	if (now.unseen && watch->unseen && watch->head == now.head &&
	    watch->lease == now.lease) {
		atomic_inc(&ring->ldev->stats.lost_irqs);
		drm_warn_once(&ring->ldev->drm, "queue %u: job %llu is over, its interrupt never came\n",
			      ring->id, now.head);
		loom_ring_consume(ring);
	}
	spin_unlock_irqrestore(&ring->lock, flags);
	if (now.head)	/* of a card in reset it is noise, which does no harm */
		now.progress = loom_ring_read(ring, LOOM_QUEUE_PROGRESS);
	*watch = now;
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
	memset(ring->jobs, 0, sizeof(ring->jobs));
	ring->base = 0;
	ring->emitted = 0;
	ring->rung = 0;
	ring->done = 0;
	ring->state = (struct drm_loom_queue_state) { };
	ring->phase = LOOM_RING_RUNNING;
	spin_unlock_irqrestore(&ring->lock, flags);
}

void loom_ring_start_hw(struct loom_ring *ring)
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
 * @vm: address space of @ctx, which the caller keeps until loom_ring_put(), or NULL
 *
 * Return: 0 or -ENOMEM.
 */
int loom_ring_start(struct loom_ring *ring, unsigned int ctx, u32 priority,
		    struct loom_client *client, struct loom_vm *vm)
{
	int ret;

	/* Not under stop_lock, which recovery takes. */
	ret = loom_ring_alloc_memory(ring);
	if (ret)
		return ret;
	mutex_lock(&ring->stop_lock);
	loom_device_hw_get(ring->ldev);
	ring->ctx = ctx;
	ring->priority = priority;
	ring->client = loom_client_get(client);
	ring->vm = vm;
	loom_ring_clear(ring);
	loom_ring_start_hw(ring);
	loom_device_hw_put(ring->ldev);
	mutex_unlock(&ring->stop_lock);
	return 0;
}

/* Take a ring that was stopped into service again.  Inside drm_dev_enter(). */
void loom_ring_restart(struct loom_ring *ring)
{
	mutex_lock(&ring->stop_lock);
	loom_device_hw_get(ring->ldev);
	if (ring->phase == LOOM_RING_STOPPED) {
		loom_ring_clear(ring);
		loom_ring_start_hw(ring);
	}
	loom_device_hw_put(ring->ldev);
	mutex_unlock(&ring->stop_lock);
}

/* The card's life --------------------------------------------------------- */

static int loom_ring_init_base(struct loom_ring *ring, struct loom_device *ldev,
			       unsigned int id)
{
	ring->ldev = ldev;
	ring->id = id;
	ring->fence_context = dma_fence_context_alloc(1);
	loom_ring_init_stop(ring);
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
						LOOM_RING_SIZE - LOOM_RING_DIRECT,
						"queue", id);
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
