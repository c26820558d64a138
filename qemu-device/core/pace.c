// SPDX-License-Identifier: MIT
/*
 * DOC: Paced time: jobs complete at their modelled end
 *
 * Workers compute as in free mode, one command of a queue ahead of the model:
 * whoever has run a command, wants to wait for an event, or is at the end of
 * its job parks the queue (loom_pace_park()).  The model goes on in
 * loom_core_tick(), which the owner calls when its clock has reached the cycle
 * that loom_pace_arm() asked for.
 *
 * Order.  What is parked becomes due when the front end can take it: a command
 * or a wait when those before it in its job allow, a completion when the job's
 * last command is over.  The tick takes what is due in the order of time, and
 * of queues within a cycle.  Commands of all queues take turns at the engines
 * and memories in this order, each as soon as its turn comes.  Events are set
 * when a command is counted, and looked at in the same order.  So where
 * everything ends depends on when doorbells rang and on nothing else.
 *
 * That needs the cost of every command that is due before the next one can be
 * counted.  If its worker is not done, the tick waits for it (LOOM_TIMING_EXACT:
 * the owner's clock stands still), or ends and is called again (PACED: what is
 * late completes late, with the modelled times it should have had).  A queue
 * that keeps the others waiting for more than a second is left out until it is
 * parked again, and starts anew from then: a hang must not spread.  For the same
 * reason one tick waits no longer than WAIT_MS for all of them, and without
 * workers runs no longer than the owner's patience.
 *
 * Counters.  Charges reach from the card's clock to the pacer's edge, which is
 * ahead of it while commands are under way.  loom_pace_settle() moves what has
 * passed to the counters, and gaps to CYC_IDLE.
 *
 * Everything is protected by the core's lock.  A parked queue that is not busy
 * belongs to the tick.
 */
#include <string.h>
#include <time.h>

#include "core_internal.h"

/* Left out of the order when it is so late. */
#define LATE_SECONDS	1
/* How long one tick waits for workers, however many are late. */
#define WAIT_MS		1500

/** struct tick - one call of loom_core_tick() */
struct tick {
	/** @run: there are no workers; do what they would */
	bool run;
	/** @now: the owner's clock */
	uint64_t now;
	/** @start: loom_exec_time() at its start */
	uint64_t start;
	/** @until: when it has waited long enough; CLOCK_MONOTONIC */
	struct timespec until;
};

static const uint64_t never = UINT64_MAX;

static uint64_t late_cycles(const struct loom_core *core)
{
	return LATE_SECONDS * 1000ull * core->cfg.clock_khz;
}

uint64_t loom_pace_now(struct loom_core *core)
{
	return loom_is_paced(core) ? core->ops.now(core->opaque) : core->clock;
}

/* A worker has to get it parked before the model can go on. */
static bool is_running(const struct loom_core *core, const struct loom_queue *q)
{
	if (q->resetting || q->failing || q->late ||
	    q->state != LOOM_QUEUE_STATE_IDLE)
		return false;
	if (q->busy)
		return q->begun;
	return q->begun && !q->pace && !q->blocked &&
	       (core->ctrl & LOOM_CTRL_ENABLE) && !core->paused &&
	       !(core->status & LOOM_STATUS_FATAL);
}

/* The tick may take it. */
static bool is_parked(const struct loom_queue *q)
{
	return q->pace && !q->busy && !q->resetting && !q->failing &&
	       !(q->exec.core->status & LOOM_STATUS_FATAL);
}

/* When what it is parked for is due; for a running one, at the earliest. */
static uint64_t due(const struct loom_queue *q)
{
	const struct loom_exec *ex = &q->exec;

	switch (q->pace) {
	case LOOM_PACE_STEP:
		return loom_time_ready(&ex->window, ex->step.relaxed);
	case LOOM_PACE_GATE:
		return loom_time_ready(&ex->window, ex->relaxed);
	case LOOM_PACE_END:
		return ex->window.end;
	case LOOM_PACE_NONE:
		break;
	}
	return loom_time_ready(&ex->window, true);
}

/* The first that is due, of those that run or of those that are parked. */
static struct loom_queue *first(struct loom_core *core, bool running)
{
	struct loom_queue *q, *best = NULL;
	unsigned int i;

	for (i = 0; i < core->cfg.num_queues; i++) {
		q = &core->queue[i];
		if (running ? is_running(core, q) : is_parked(q))
			if (!best || due(q) < due(best))
				best = q;
	}
	return best;
}

/* Clock and counters ------------------------------------------------------- */

void loom_pace_charge(struct loom_core *core, const struct loom_charge *charge)
{
	unsigned int i;

	for (i = LOOM_PERF_CYC_ARRAY; i <= LOOM_PERF_CYC_IDLE; i++)
		core->pacer.row[i] += charge->row[i];
	core->pacer.edge += charge->row[LOOM_PERF_CYC_TOTAL];
}

/* Up to where the model is complete. */
static uint64_t horizon(struct loom_core *core)
{
	uint64_t now = loom_pace_now(core);
	struct loom_queue *q;

	q = first(core, true);
	if (q)
		now = loom_min(now, due(q));
	q = first(core, false);
	return q ? loom_min(now, due(q)) : now;
}

void loom_pace_settle(struct loom_core *core)
{
	struct loom_pacer *p = &core->pacer;
	uint64_t to, left, n;
	int i;

	if (!loom_is_paced(core))
		return;
	to = horizon(core);
	if (to <= core->clock)
		return;
	left = to - core->clock;
	core->perf[LOOM_PERF_CYC_TOTAL] += left;
	for (i = LOOM_PERF_CYC_IDLE; i > LOOM_PERF_CYC_TOTAL; i--) {
		n = loom_min(left, p->row[i]);
		p->row[i] -= n;
		core->perf[i] += n;
		left -= n;
	}
	/* Nothing was charged behind the edge. */
	core->perf[LOOM_PERF_CYC_IDLE] += left;
	loom_sensors_step(core, to - core->clock, NULL);
	core->clock = to;
	p->edge = loom_max(p->edge, to);
}

/* When something is due, or what keeps it from that is too late. */
static uint64_t next_tick(struct loom_core *core)
{
	struct loom_queue *runs = first(core, true);
	struct loom_queue *parked = first(core, false);
	uint64_t when = parked ? due(parked) : never;

	if (core->stopped || core->paused)
		return never;
	if (!runs || due(runs) > when)
		return when;
	if (core->cfg.timing == LOOM_TIMING_EXACT)
		return due(runs);
	return due(runs) + late_cycles(core);
}

void loom_pace_arm(struct loom_core *core)
{
	if (loom_is_paced(core))
		core->ops.arm(core->opaque, next_tick(core));
}

/* Queues ------------------------------------------------------------------- */

void loom_pace_begin(struct loom_core *core, struct loom_queue *q,
		     uint64_t start)
{
	if (!loom_is_paced(core) || q->begun)
		return;
	q->begun = true;
	loom_exec_fetch(&q->exec, start);
}

void loom_pace_park(struct loom_queue *q, enum loom_pace what)
{
	struct loom_window *w = &q->exec.window;
	uint64_t now;

	q->pace = what;
	if (!q->late)
		return;
	/* The others went on without it. */
	now = loom_pace_now(q->exec.core);
	w->front = loom_max(w->front, now);
	w->end = loom_max(w->end, now);
	q->late = false;
}

/* The event that it waits for may have been set, and when. */
static void pass_gate(struct loom_queue *q)
{
	struct loom_exec *ex = &q->exec;
	uint64_t set = ex->ctx->event_at[q->wait_event];

	q->pace = LOOM_PACE_NONE;
	if (ex->ctx->event[q->wait_event] < q->wait_value) {
		q->blocked = true;
		return;
	}
	ex->window.barrier = loom_max(ex->window.barrier, set);
	ex->gates_passed++;
}

/* Tell the owner what was counted; releases the lock meanwhile. */
static void send_trace(struct loom_core *core, struct loom_queue *q)
{
	if (!core->ops.trace_command || !q->exec.trace_pending)
		return;
	q->busy = true;
	q->owner = pthread_self();
	q->exec.trace_pending = false;
	loom_unlock(core);
	loom_trace_send(&q->exec);
	loom_lock(core);
	loom_queue_leave(core, q);
}

static void complete(struct loom_core *core, struct loom_queue *q)
{
	loom_queue_complete(core, q);
	q->begun = false;
	if (q->state == LOOM_QUEUE_STATE_IDLE && q->head != q->tail)
		loom_pace_begin(core, q, q->exec.window.end);
}

/* What @q is parked for is due. */
static void proceed(struct loom_core *core, struct loom_queue *q)
{
	send_trace(core, q);
	/* It may have been reset meanwhile. */
	if (!is_parked(q))
		return;
	switch (q->pace) {
	case LOOM_PACE_STEP:
		loom_exec_account(&q->exec);
		q->pace = LOOM_PACE_NONE;
		send_trace(core, q);
		break;
	case LOOM_PACE_GATE:
		pass_gate(q);
		break;
	case LOOM_PACE_END:
		complete(core, q);
		break;
	case LOOM_PACE_NONE:
		break;
	}
	loom_queue_wake(core, q);
}

/* Tick --------------------------------------------------------------------- */

static struct timespec after_ms(unsigned int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000l;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Have the work of @q done, by us or by its worker. */
static void join(struct loom_core *core, struct loom_queue *q,
		 const struct tick *t)
{
	struct timespec until;

	if (t->run && loom_queue_can_run(q)) {
		loom_queue_slice(core, q);
		return;
	}
	until = after_ms(LATE_SECONDS * 1000);
	if (is_before(&t->until, &until))
		until = t->until;
	while (is_running(core, q))
		if (!loom_quiet_wait_until(core, &until))
			q->late = is_running(core, q);
}

/* @q runs and is due; false: come again when it is parked. */
static bool wait_for(struct loom_core *core, struct loom_queue *q,
		     const struct tick *t)
{
	if (core->cfg.timing == LOOM_TIMING_EXACT) {
		join(core, q, t);
		return true;
	}
	q->late = t->now - due(q) >= late_cycles(core);
	return q->late;
}

/* One step of the model; false: nothing is due, or it is for another tick. */
static bool advance(struct loom_core *core, const struct tick *t)
{
	struct loom_queue *runs = first(core, true);
	struct loom_queue *parked = first(core, false);

	if (core->stopped || core->paused ||
	    (t->run && loom_out_of_patience(core, t->start)))
		return false;
	if (runs && due(runs) <= t->now &&
	    (!parked || due(runs) <= due(parked)))
		return wait_for(core, runs, t);
	if (!parked || due(parked) > t->now)
		return false;
	proceed(core, parked);
	return true;
}

void loom_core_tick(struct loom_core *core, bool run)
{
	struct tick t = { .run = run, .start = loom_exec_time(),
			  .until = after_ms(WAIT_MS) };
	bool events;

	loom_lock(core);
	if (loom_is_paced(core) && !core->pacer.ticking) {
		core->pacer.ticking = true;
		t.now = loom_pace_now(core);
		while (advance(core, &t)) {
			/* in the order of modelled time */
		}
		core->pacer.ticking = false;
		loom_pace_settle(core);
		loom_pace_arm(core);
	}
	events = core->events.num_pending;
	loom_unlock(core);
	if (events)
		loom_event_flush(core);
}

/* Saved state -------------------------------------------------------------- */

void loom_pace_queue_state(struct loom_archive *a, struct loom_queue *q)
{
	const struct loom_exec *ex = &q->exec;
	uint32_t pace = q->pace;

	loom_state_u32(a, &pace);
	loom_state_bool(a, &q->begun);
	loom_state_bool(a, &q->late);
	loom_state_u32(a, &q->exec.gates_passed);
	loom_state_bool(a, &q->exec.relaxed);
	loom_state_bytes(a, &q->exec.fault, sizeof(q->exec.fault));
	if (a->load)
		q->pace = pace <= LOOM_PACE_END ? (enum loom_pace)pace :
						  LOOM_PACE_NONE;
	loom_state_require(a, loom_is_paced(a->core) ||
			   !(pace || q->begun || q->late || ex->gates_passed),
			   "queue %u is paced", q->index);
	loom_state_require(a, pace <= LOOM_PACE_END &&
			   (!pace || (ex->active && q->begun && !q->blocked)),
			   "queue %u is parked for %u", q->index, pace);
	loom_state_require(a, pace != LOOM_PACE_GATE ||
			   q->wait_event < LOOM_NUM_EVENTS,
			   "queue %u waits for event %u", q->index,
			   q->wait_event);
	loom_state_require(a, ex->gates_passed <= 2 &&
			   ex->fault.error < LOOM_ERR_COUNT,
			   "queue %u: a job like no other", q->index);
}

void loom_pace_step_state(struct loom_archive *a, struct loom_exec *ex)
{
	struct loom_effect *e = &ex->effect;

	loom_state_bytes(a, &ex->cost, sizeof(ex->cost));
	loom_state_u64(a, &ex->step.fetch_hbm);
	loom_state_u64(a, &ex->step.fetch_pcie);
	loom_state_bool(a, &ex->step.relaxed);
	loom_state_bool(a, &ex->step.barrier);
	loom_state_u32(a, &ex->size);
	loom_state_u32(a, &ex->signal_event);
	loom_state_bool(a, &e->any);
	loom_state_u32(a, &e->op);
	loom_state_u32(a, &e->event);
	loom_state_u32(a, &e->value);
	ex->step.cost = &ex->cost;
	loom_state_require(a, ex->size && ex->size % LOOM_CMD_ALIGN == 0 &&
			   ex->size <= ex->buf_at + ex->buf_len - ex->offset,
			   "a command of %u bytes", ex->size);
	loom_state_require(a, ex->step.fetch_hbm <= ex->size &&
			   ex->step.fetch_pcie <= ex->size,
			   "a command that came from elsewhere");
	loom_state_require(a, ex->signal_event < LOOM_NUM_EVENTS &&
			   e->event < LOOM_NUM_EVENTS,
			   "a command that signals event %u", e->event);
}

void loom_pacer_state(struct loom_archive *a)
{
	struct loom_pacer *p = &a->core->pacer;
	uint64_t sum = 0;
	unsigned int i;

	loom_units_state(a, &p->units);
	loom_state_time(a, &p->edge);
	loom_state_require(a, p->edge == 0 || p->edge >= a->core->clock,
			   "charges end before the clock");
	for (i = LOOM_PERF_CYC_ARRAY; i <= LOOM_PERF_CYC_IDLE; i++) {
		loom_state_time(a, &p->row[i]);
		sum += p->row[i];
	}
	loom_state_require(a, !loom_is_paced(a->core) ||
			   sum == p->edge - a->core->clock,
			   "charges of 0x%llx cycles", (unsigned long long)sum);
}
