// SPDX-License-Identifier: MIT
/*
 * DOC: Queues: rings, scheduling, completions, reset
 *
 * Life of a job: doorbell, ring entry fetched and checked, commands
 * (loom_exec_step()), HEAD moves, completion record, interrupt.  HEAD moves
 * before the record is written, so who sees the record may fill the slot again.
 *
 * Scheduling.  A worker takes one queue, runs one slice of it and looks again.
 * The queue is the one of the highest priority, and within a priority the one
 * that has waited longest.  One slice in LOOM_FAIR_SLICE goes to the queue that
 * has waited longest of all priorities.  A slice ends with its job, when the
 * queue blocks, before the next command if a higher priority became ready, and
 * after LOOM_SLICE_COMMANDS if anything else is ready.  It gets at least one
 * command done.  So a ready queue gets a command done at the latest after
 * LOOM_FAIR_SLICE * LOOM_SLICE_COMMANDS of others per queue that waits longer.
 *
 * Reset.  The abort flag makes the worker leave at the next command or poll of
 * an engine; whoever resets waits for it.  After that nothing of the queue's
 * is written any more: the worker looks at the flag before it writes.
 *
 * The worker inside a queue reads its registers without the lock, because they
 * change only while nobody is inside, and writes them with it.
 */
#include <stdio.h>

#include "core_internal.h"

#define LOOM_FAIR_SLICE		16
#define LOOM_SLICE_COMMANDS	32

bool loom_queue_can_run(const struct loom_queue *q)
{
	if (q->busy || q->resetting || q->state == LOOM_QUEUE_STATE_DISABLED)
		return false;
	if (q->failing)
		return true;
	if (q->pace)
		return false;
	return q->state != LOOM_QUEUE_STATE_ERROR && !q->blocked &&
	       (q->exec.active || q->head != q->tail);
}

static bool queue_dropped(const struct loom_queue *q)
{
	return atomic_load(&q->exec.abort) == LOOM_ABORT_DROP;
}

/* Bring the ready bit up to date; true if it was set now. */
static bool queue_refresh(struct loom_core *core, struct loom_queue *q)
{
	uint64_t *ready = &core->ready[q->priority % LOOM_PRIORITIES];
	uint64_t bit = 1ull << q->index, before = *ready;

	*ready = loom_queue_can_run(q) ? before | bit : before & ~bit;
	return *ready & ~before;
}

void loom_queue_update(struct loom_core *core, struct loom_queue *q)
{
	if (queue_refresh(core, q))
		pthread_cond_signal(&core->work);
}

void loom_queue_wake(struct loom_core *core, struct loom_queue *q)
{
	queue_refresh(core, q);
	if (loom_queue_can_run(q))
		pthread_cond_signal(&core->work);
}

bool loom_queue_is_mine(const struct loom_queue *q)
{
	return q->busy && pthread_equal(q->owner, pthread_self());
}

uint32_t loom_queue_state(const struct loom_queue *q)
{
	if (q->state == LOOM_QUEUE_STATE_IDLE &&
	    (q->busy || q->exec.active || q->head != q->tail))
		return LOOM_QUEUE_STATE_RUNNING;
	return q->state;
}

bool loom_queue_has_started(const struct loom_queue *q)
{
	return q->exec.active && (q->exec.index || q->busy);
}

/* Reports ----------------------------------------------------------------- */

static void queue_log(struct loom_core *core, const struct loom_queue *q,
		      const struct loom_fault *fault)
{
	const struct loom_exec *ex = &q->exec;
	char where[64];

	if (fault->addr)
		snprintf(where, sizeof(where), "%s of 0x%llx",
			 fault->access == LOOM_ACCESS_WRITE ? "write" : "read",
			 (unsigned long long)fault->addr);
	else
		snprintf(where, sizeof(where), "field %u", fault->field);
	loom_log(core, LOOM_LOG_GUEST,
		 "queue %u: %s: %s, command %u (opcode 0x%02x, offset 0x%x)",
		 q->index, loom_strerror(fault->error), where, ex->index,
		 ex->opcode, ex->offset);
}

/* The queue stops: state, event, interrupt.  Not locked. */
static void queue_stop(struct loom_core *core, struct loom_queue *q,
		       const struct loom_fault *fault)
{
	struct loom_event event = {
		.type = LOOM_EVENT_QUEUE_ERROR,
		.queue = q->index,
		.error = fault->error,
		.context = q->ctx,
		.access = fault->access,
		.addr = fault->addr,
		.cmd_index = q->exec.index,
	};

	loom_lock(core);
	if (!queue_dropped(q)) {
		q->state = LOOM_QUEUE_STATE_ERROR;
		q->error = fault->error;
		queue_log(core, q, fault);
		loom_event_post(core, &event);
		loom_irq_raise(core, q->vector);
	}
	loom_unlock(core);
	loom_event_flush(core);
}

/* Take the job off the queue and describe it; false if it was dropped. */
static bool job_retire(struct loom_core *core, struct loom_queue *q,
		       struct loom_completion *c, uint64_t *addr)
{
	struct loom_exec *ex = &q->exec;
	const struct loom_fault *f = &ex->fault;
	bool dropped;

	loom_lock(core);
	dropped = queue_dropped(q);
	if (!dropped) {
		if (q->failing)
			ex->fault = (struct loom_fault) { .error = q->error };
		*c = (struct loom_completion) {
			.seq = ex->entry.seq, .start = ex->start,
			.end = loom_time_of_job(ex),
		};
		*addr = q->compl_base + sizeof(*c) *
			(q->head % (1u << q->ring_size_log2));
		q->head++;
		ex->active = false;
		loom_perf_add(core, ex->ctx, LOOM_PERF_JOBS, 1);
		loom_perf_add(core, ex->ctx, LOOM_PERF_PCIE_WR_BYTES,
			      sizeof(*c));
	}
	if (!dropped && f->error) {
		c->error = f->error;
		c->cmd_index = ex->index;
		c->cmd_offset = ex->offset;
		c->field = f->field;
		c->fault_addr = f->addr;
		c->access = f->access;
		c->opcode = ex->opcode;
		q->state = LOOM_QUEUE_STATE_ERROR;
		q->error = f->error;
		q->failing = false;
		loom_perf_add(core, ex->ctx, LOOM_PERF_FAULTS, 1);
	}
	loom_unlock(core);
	return !dropped;
}

/* The job of @q is over, for the reason in its fault. */
static void job_end(struct loom_core *core, struct loom_queue *q)
{
	struct loom_exec *ex = &q->exec;
	struct loom_completion c;
	uint64_t addr;

	if (!job_retire(core, q, &c, &addr))
		return;
	if (loom_troubled(core, LOOM_HOOK_COMPLETION))
		loom_inject_completion(core, q->index, &c);
	if (loom_record_write(core, q->index, addr, &c, sizeof(c))) {
		ex->fault = (struct loom_fault) {
			.error = LOOM_ERR_COMPL_DMA, .addr = addr,
			.access = LOOM_ACCESS_WRITE,
		};
	}
	if (ex->fault.error) {
		queue_stop(core, q, &ex->fault);
	} else if (ex->entry.flags & LOOM_RING_F_IRQ) {
		loom_lock(core);
		if (!queue_dropped(q))
			loom_irq_raise(core, q->vector);
		loom_unlock(core);
	}
	if (core->ops.trace_job)
		core->ops.trace_job(core->opaque, q->index, ex->entry.seq,
				    ex->fault.error, c.start, c.end);
}

/* The job is over; the card says so now, or at its modelled end. */
static void job_over(struct loom_core *core, struct loom_queue *q)
{
	if (!loom_is_paced(core)) {
		job_end(core, q);
		return;
	}
	loom_lock(core);
	loom_pace_park(q, LOOM_PACE_END);
	loom_unlock(core);
}

/* Jobs -------------------------------------------------------------------- */

int loom_ring_entry_check(const struct loom_ring_entry *e)
{
	unsigned int i;

	if (e->type != LOOM_RING_EXEC)
		return offsetof(struct loom_ring_entry, type);
	if (e->flags & ~LOOM_RING_F_IRQ)
		return offsetof(struct loom_ring_entry, flags);
	if (e->cmd_size % LOOM_CMD_ALIGN || e->cmd_size > LOOM_MAX_CMD_BYTES)
		return offsetof(struct loom_ring_entry, cmd_size);
	if (e->cmd_va % LOOM_CMD_ALIGN ||
	    !loom_range_ok(e->cmd_va, e->cmd_size, 1ull << LOOM_VA_BITS))
		return offsetof(struct loom_ring_entry, cmd_va);
	if (e->reserved0)
		return offsetof(struct loom_ring_entry, reserved0);
	if (!e->seq)
		return offsetof(struct loom_ring_entry, seq);
	for (i = 0; i < sizeof(e->reserved) / sizeof(e->reserved[0]); i++)
		if (e->reserved[i])
			return offsetof(struct loom_ring_entry, reserved) +
			       i * sizeof(e->reserved[0]);
	return -1;
}

/* Fetch the next ring entry; false if there is no job to run after all. */
static bool job_begin(struct loom_core *core, struct loom_queue *q)
{
	struct loom_exec *ex = &q->exec;
	struct loom_ring_entry entry;
	uint64_t addr = q->ring_base + sizeof(entry) *
			(q->head % (1u << q->ring_size_log2));
	int field;

	if (loom_dma_read(core, q->index, addr, &entry, sizeof(entry))) {
		ex->index = 0;
		ex->offset = 0;
		ex->opcode = 0;
		queue_stop(core, q, &(struct loom_fault) {
			.error = LOOM_ERR_RING_DMA, .addr = addr,
		});
		return false;
	}
	ex->entry = entry;
	loom_exec_begin(ex);
	field = loom_ring_entry_check(&entry);
	if (field >= 0) {
		loom_fail(ex, LOOM_ERR_RING_ENTRY, field);
		job_over(core, q);
		return false;
	}
	return true;
}

/* All queues that could run. */
static uint64_t ready_all(const struct loom_core *core)
{
	uint64_t all = 0;
	unsigned int p;

	if (core->stopped || core->paused || !(core->ctrl & LOOM_CTRL_ENABLE) ||
	    (core->status & LOOM_STATUS_FATAL))
		return 0;
	for (p = 0; p < LOOM_PRIORITIES; p++)
		all |= core->ready[p];
	return all;
}

/* After a command: go on with this queue? */
static bool slice_goes_on(struct loom_core *core, struct loom_queue *q,
			  unsigned int done)
{
	bool go_on;
	unsigned int p;

	loom_lock(core);
	go_on = !core->stopped && !core->paused &&
		(core->ctrl & LOOM_CTRL_ENABLE) &&
		!(core->status & LOOM_STATUS_FATAL) && !q->failing &&
		!queue_dropped(q);
	for (p = q->priority + 1; p < LOOM_PRIORITIES; p++)
		go_on = go_on && !core->ready[p];
	if (done >= LOOM_SLICE_COMMANDS && ready_all(core))
		go_on = false;
	if (q->exec.last_start && loom_exec_time() > q->exec.last_start)
		go_on = false;
	loom_unlock(core);
	return go_on;
}

/* A queue that was stopped from outside: tell the host. */
static void slice_failing(struct loom_core *core, struct loom_queue *q)
{
	struct loom_fault fault = { .error = q->error };

	loom_lock(core);
	q->pace = LOOM_PACE_NONE;
	q->failing = q->exec.active;
	loom_unlock(core);
	if (q->exec.active)
		job_end(core, q);
	else
		queue_stop(core, q, &fault);
}

/* Returns the commands done, at least 1. */
static unsigned int slice(struct loom_core *core, struct loom_queue *q,
			  bool failing, unsigned int budget)
{
	unsigned int done = 0;

	if (failing) {
		slice_failing(core, q);
		return 1;
	}
	if (!q->exec.active && !job_begin(core, q))
		return 1;
	do {
		switch (loom_exec_step(&q->exec)) {
		case LOOM_STEP_RETIRED:
			done++;
			break;
		case LOOM_STEP_BLOCKED:
			return done + 1;
		case LOOM_STEP_END:
		case LOOM_STEP_FAILED:
			job_over(core, q);
			return done + 1;
		}
	} while (done < budget && slice_goes_on(core, q, done));
	return done;
}

/* Scheduling -------------------------------------------------------------- */

static struct loom_queue *pick_oldest(struct loom_core *core, uint64_t ready)
{
	struct loom_queue *q, *best = NULL;

	for (; ready; ready &= ready - 1) {
		q = &core->queue[__builtin_ctzll(ready)];
		if (!best || q->served < best->served)
			best = q;
	}
	return best;
}

static struct loom_queue *pick(struct loom_core *core)
{
	uint64_t ready = ready_all(core);
	int p = LOOM_PRIORITIES - 1;

	if (!ready)
		return NULL;
	if (++core->picks % LOOM_FAIR_SLICE == 0)
		return pick_oldest(core, ready);
	while (!core->ready[p])
		p--;
	return pick_oldest(core, core->ready[p]);
}

static void queue_clear(struct loom_queue *q)
{
	q->state = LOOM_QUEUE_STATE_DISABLED;
	q->head = 0;
	q->tail = 0;
	q->error = LOOM_ERR_NONE;
	q->progress = 0;
	q->failing = false;
	q->blocked = false;
	q->pace = LOOM_PACE_NONE;
	q->begun = false;
	q->late = false;
	q->exec.active = false;
	atomic_store(&q->exec.abort, LOOM_ABORT_NONE);
}

void loom_queue_forget(struct loom_queue *q)
{
	q->ring_base = 0;
	q->compl_base = 0;
	q->ring_size_log2 = 0;
	q->ctx = 0;
	q->vector = 0;
	q->priority = 0;
}

/* The worker is out of the queue. */
void loom_queue_leave(struct loom_core *core, struct loom_queue *q)
{
	q->busy = false;
	if (queue_dropped(q))
		queue_clear(q);
	else if (!q->failing)
		atomic_store(&q->exec.abort, LOOM_ABORT_NONE);
	queue_refresh(core, q);
	/* When times must be exact, when to tick depends on no worker. */
	if (core->cfg.timing == LOOM_TIMING_PACED)
		loom_pace_arm(core);
	loom_quiet_wake(core);
	/* This worker comes back for one of them. */
	if (ready_all(core) & (ready_all(core) - 1))
		pthread_cond_signal(&core->work);
}

/* One slice of @q.  Locked, but not while the slice runs. */
static unsigned int queue_run(struct loom_core *core, struct loom_queue *q,
			      unsigned int budget)
{
	bool failing = q->failing;
	unsigned int done;

	q->busy = true;
	q->owner = pthread_self();
	q->served = core->picks;
	queue_refresh(core, q);
	loom_unlock(core);
	done = slice(core, q, failing, budget);
	loom_lock(core);
	loom_queue_leave(core, q);
	return done;
}

/* What a thread that has other things to do starts now must end in time. */
static void limit(const struct loom_core *core, struct loom_queue *q,
		  uint64_t start)
{
	q->exec.last_start = core->patience ? start + core->patience / 4 : 0;
	q->exec.deadline = core->patience ? start + core->patience : 0;
}

void loom_queue_slice(struct loom_core *core, struct loom_queue *q)
{
	limit(core, q, loom_exec_time());
	queue_run(core, q, 1);
}

void loom_queue_complete(struct loom_core *core, struct loom_queue *q)
{
	q->busy = true;
	q->owner = pthread_self();
	loom_unlock(core);
	job_end(core, q);
	loom_lock(core);
	q->pace = LOOM_PACE_NONE;
	loom_queue_leave(core, q);
}

bool loom_core_work(struct loom_core *core)
{
	struct loom_queue *q = NULL;
	bool go_on;

	loom_lock(core);
	while (!core->stopped && !(q = pick(core)))
		pthread_cond_wait(&core->work, &core->lock);
	if (q)
		queue_run(core, q, ~0u);
	go_on = !core->stopped;
	loom_unlock(core);
	return go_on;
}

void loom_core_set_patience(struct loom_core *core, uint64_t ns)
{
	core->patience = ns;
}

bool loom_out_of_patience(const struct loom_core *core, uint64_t start)
{
	return core->patience && loom_exec_time() - start > core->patience / 4;
}

bool loom_core_run(struct loom_core *core, unsigned int budget)
{
	uint64_t start = loom_exec_time();
	struct loom_queue *q;
	unsigned int done;
	bool more;

	loom_lock(core);
	while (budget && !loom_out_of_patience(core, start) &&
	       (q = pick(core))) {
		limit(core, q, start);
		done = queue_run(core, q, budget);
		budget -= loom_min(done, budget);
	}
	more = ready_all(core);
	loom_unlock(core);
	return more;
}

void loom_core_stop(struct loom_core *core)
{
	unsigned int i;

	loom_lock(core);
	core->stopped = true;
	for (i = 0; i < core->cfg.num_queues; i++)
		atomic_store(&core->queue[i].exec.abort, LOOM_ABORT_DROP);
	pthread_cond_broadcast(&core->work);
	loom_unlock(core);
}

/* Control ----------------------------------------------------------------- */

/* Stop a queue from outside; its worker, or the next one, reports it. */
static void queue_kill(struct loom_core *core, struct loom_queue *q,
		       uint32_t error)
{
	unsigned int none = LOOM_ABORT_NONE;

	q->state = LOOM_QUEUE_STATE_ERROR;
	q->error = error;
	q->failing = true;
	atomic_compare_exchange_strong(&q->exec.abort, &none, LOOM_ABORT_STOP);
	loom_queue_update(core, q);
}

void loom_queue_doorbell(struct loom_core *core, struct loom_queue *q,
			 uint32_t tail)
{
	if (q->state != LOOM_QUEUE_STATE_IDLE) {
		loom_log(core, LOOM_LOG_GUEST,
			 "queue %u: doorbell while %s", q->index,
			 q->state ? "in error" : "disabled");
		return;
	}
	if (loom_troubled(core, LOOM_HOOK_DOORBELL) &&
	    loom_inject_doorbell(core, q->index))
		return;
	if (tail - q->head > 1u << q->ring_size_log2) {
		queue_kill(core, q, LOOM_ERR_DOORBELL);
		return;
	}
	/* Writes of two CPUs may arrive in the other order. */
	if (tail - q->head < q->tail - q->head) {
		loom_log(core, LOOM_LOG_GUEST,
			 "queue %u: doorbell %u is behind %u", q->index, tail,
			 q->tail);
		return;
	}
	if (q->tail != tail)
		loom_pace_begin(core, q, loom_pace_now(core));
	q->tail = tail;
	loom_queue_update(core, q);
	loom_pace_arm(core);
}

const char *loom_queue_config_error(const struct loom_core *core,
				    const struct loom_queue *q)
{
	if (q->ring_size_log2 < 1 || q->ring_size_log2 > LOOM_MAX_RING_LOG2)
		return "ring size";
	if (q->ctx >= core->cfg.num_contexts)
		return "context";
	if (q->vector >= core->cfg.num_vectors)
		return "vector";
	if (q->priority >= LOOM_PRIORITIES)
		return "priority";
	return NULL;
}

void loom_queue_enable(struct loom_core *core, struct loom_queue *q)
{
	const char *bad = loom_queue_config_error(core, q);

	if (q->busy || q->resetting || core->stopped) {
		loom_log(core, LOOM_LOG_GUEST, "queue %u: enabled during reset",
			 q->index);
		return;
	}
	queue_clear(q);
	if (bad) {
		loom_log(core, LOOM_LOG_GUEST, "queue %u: %s out of range",
			 q->index, bad);
		q->state = LOOM_QUEUE_STATE_ERROR;
		q->error = LOOM_ERR_QUEUE_CONFIG;
		return;
	}
	q->exec.ctx = &core->ctx[q->ctx];
	loom_mmu_switch(&q->exec);
	q->exec.window = (struct loom_window) { 0 };
	q->state = LOOM_QUEUE_STATE_IDLE;
}

static void reset_begin(struct loom_core *core, struct loom_queue *q)
{
	q->resetting++;
	atomic_store(&q->exec.abort, LOOM_ABORT_DROP);
	q->state = LOOM_QUEUE_STATE_DISABLED;
	queue_refresh(core, q);
}

static void reset_finish(struct loom_core *core, struct loom_queue *q)
{
	while (q->busy && !loom_queue_is_mine(q))
		loom_quiet_wait(core);
	q->resetting--;
	/* From a callback of its own worker: that clears it when it leaves. */
	if (!q->busy)
		queue_clear(q);
	queue_refresh(core, q);
}

void loom_queue_reset(struct loom_core *core, struct loom_queue *q)
{
	reset_begin(core, q);
	reset_finish(core, q);
}

void loom_queue_reset_all(struct loom_core *core)
{
	unsigned int i;

	for (i = 0; i < core->cfg.num_queues; i++)
		reset_begin(core, &core->queue[i]);
	for (i = 0; i < core->cfg.num_queues; i++)
		reset_finish(core, &core->queue[i]);
}
