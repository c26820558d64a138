// SPDX-License-Identifier: MIT
/*
 * DOC: What the card tells: events and interrupts
 *
 * The event ring is written by whichever worker finds something to write, one
 * at a time (loom_event_ring.writing), so that records appear in order without
 * the lock being held over DMA.  Everything here is protected by the core's
 * lock, but for the pending interrupts, which are one atomic word.
 */
#include <string.h>

#include "core_internal.h"

/* Event ring -------------------------------------------------------------- */

void loom_event_ring_setup(struct loom_core *core)
{
	struct loom_event_ring *r = &core->events;

	r->head = 0;
	r->next = 0;
	r->lost = false;
	r->num_pending = 0;
	r->generation++;
}

static bool ring_is_off(const struct loom_event_ring *r)
{
	return !r->base || r->size_log2 < 1 ||
	       r->size_log2 > LOOM_MAX_RING_LOG2;
}

void loom_event_post(struct loom_core *core, const struct loom_event *event)
{
	struct loom_event_ring *r = &core->events;

	if (ring_is_off(r))
		return;
	if (r->num_pending == LOOM_MAX_QUEUES) {
		r->lost = true;
		return;
	}
	r->pending[r->num_pending] = *event;
	r->pending[r->num_pending].time = loom_pace_now(core);
	r->num_pending++;
}

/* Take the oldest event that fits in the ring; false if there is none. */
static bool ring_take(struct loom_event_ring *r, struct loom_event *event,
		      uint64_t *addr)
{
	while (r->num_pending && !ring_is_off(r)) {
		*event = r->pending[0];
		r->num_pending--;
		memmove(&r->pending[0], &r->pending[1],
			r->num_pending * sizeof(r->pending[0]));
		/* A head in front of us is nonsense and counts as full. */
		if (r->next - r->head >= 1u << r->size_log2) {
			r->lost = true;
			continue;
		}
		event->seq = (uint64_t)r->next + 1;
		event->flags = r->lost ? LOOM_EVENT_F_LOST : 0;
		*addr = r->base + sizeof(*event) *
			(r->next % (1u << r->size_log2));
		return true;
	}
	return false;
}

/* All but seq, then seq: who sees it may read the rest. */
int loom_record_write(struct loom_core *core, unsigned int queue, uint64_t addr,
		      const void *record, size_t len)
{
	const uint8_t *p = record;
	size_t head = sizeof(uint64_t);

	if (loom_dma_write(core, queue, addr + head, p + head, len - head))
		return -1;
	atomic_thread_fence(memory_order_seq_cst);
	return loom_dma_write(core, queue, addr, p, head);
}

static void ring_written(struct loom_core *core, unsigned int generation,
			 bool ok)
{
	struct loom_event_ring *r = &core->events;

	if (r->generation != generation)
		return;
	r->lost = !ok;
	if (!ok)
		return;
	r->next++;
	loom_irq_raise(core, 0);
}

void loom_event_flush(struct loom_core *core)
{
	struct loom_event_ring *r = &core->events;
	struct loom_event event;
	unsigned int generation;
	uint64_t addr;
	bool ok;

	loom_lock(core);
	if (r->writing)
		goto unlock;
	r->writing = true;
	while (ring_take(r, &event, &addr)) {
		generation = r->generation;
		loom_unlock(core);
		ok = !loom_record_write(core, LOOM_NO_QUEUE, addr, &event,
					sizeof(event));
		loom_lock(core);
		ring_written(core, generation, ok);
	}
	r->writing = false;
unlock:
	loom_unlock(core);
}

/* Interrupts -------------------------------------------------------------- */

void loom_irq_raise(struct loom_core *core, unsigned int vector)
{
	enum loom_inject_kind kind = LOOM_INJECT_NONE;

	if (vector >= core->cfg.num_vectors)
		return;
	if (loom_troubled(core, LOOM_HOOK_IRQ))
		kind = loom_inject_irq(core, vector);
	if (kind != LOOM_INJECT_IRQ_LOST && kind != LOOM_INJECT_IRQ_LATE)
		atomic_fetch_or(&core->irqs, 1ull << vector);
	core->notify = true;
}

void loom_core_raise(struct loom_core *core, unsigned int vector)
{
	if (vector >= core->cfg.num_vectors)
		return;
	atomic_fetch_or(&core->irqs, 1ull << vector);
	core->ops.notify(core->opaque);
}

void loom_core_deliver(struct loom_core *core)
{
	unsigned long long irqs;

	/* They stay pending until the card may write to the host. */
	if (!atomic_load(&core->bus_master))
		return;
	irqs = atomic_exchange(&core->irqs, 0);
	while (irqs) {
		core->ops.irq(core->opaque, __builtin_ctzll(irqs));
		irqs &= irqs - 1;
	}
	if (atomic_load(&core->inject.later))
		loom_inject_deliver(core);
}

/* Events of contexts ------------------------------------------------------ */

/* Wake a queue that waits; @when is the modelled cycle, for the pacer. */
static void event_wake(struct loom_core *core, struct loom_queue *q,
		       uint64_t when)
{
	q->blocked = false;
	if (loom_is_paced(core)) {
		q->exec.window.barrier = loom_max(q->exec.window.barrier, when);
		q->pace = LOOM_PACE_GATE;
	}
	loom_queue_update(core, q);
}

void loom_ctx_event_set(struct loom_core *core, struct loom_context *ctx,
			unsigned int event, uint32_t value, uint64_t when)
{
	struct loom_queue *q;
	unsigned int i;

	ctx->event[event] = value;
	ctx->event_at[event] = when;
	for (i = 0; i < core->cfg.num_queues; i++) {
		q = &core->queue[i];
		if (q->blocked && q->exec.ctx == ctx &&
		    q->wait_event == event && value >= q->wait_value)
			event_wake(core, q, when);
	}
}

bool loom_ctx_event_wait(struct loom_core *core, struct loom_queue *q,
			 unsigned int event, uint32_t value)
{
	struct loom_exec *ex = &q->exec;

	if (loom_is_paced(core)) {
		if (ex->gates_seen++ < ex->gates_passed)
			return true;
	} else if (ex->ctx->event[event] >= value) {
		return true;
	}
	q->wait_event = event;
	q->wait_value = value;
	if (loom_is_paced(core))
		loom_pace_park(q, LOOM_PACE_GATE);
	else
		q->blocked = true;
	return false;
}
