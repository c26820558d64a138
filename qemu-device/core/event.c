// SPDX-License-Identifier: MIT
/*
 * DOC: What the card tells: events, interrupts, counters
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
	r->pending[r->num_pending].time = core->clock;
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

void loom_ctx_event_set(struct loom_core *core, struct loom_context *ctx,
			unsigned int event, uint32_t value)
{
	struct loom_queue *q;
	unsigned int i;

	ctx->event[event] = value;
	for (i = 0; i < core->cfg.num_queues; i++) {
		q = &core->queue[i];
		if (!q->blocked || q->exec.ctx != ctx ||
		    q->wait_event != event || value < q->wait_value)
			continue;
		q->blocked = false;
		loom_queue_update(core, q);
	}
}

bool loom_ctx_event_wait(struct loom_core *core, struct loom_queue *q,
			 unsigned int event, uint32_t value)
{
	(void)core;
	if (q->exec.ctx->event[event] >= value)
		return true;
	q->wait_event = event;
	q->wait_value = value;
	q->blocked = true;
	return false;
}

/* Counters ---------------------------------------------------------------- */

void loom_perf_charge(struct loom_core *core, const struct loom_charge *charge)
{
	unsigned int i;

	for (i = LOOM_PERF_CYC_TOTAL; i <= LOOM_PERF_CYC_IDLE; i++)
		core->perf[i] += charge->row[i];
	core->clock += charge->row[LOOM_PERF_CYC_TOTAL];
}

void loom_perf_step(struct loom_core *core, const struct loom_step *step)
{
	const struct loom_cost *c = step->cost;

	core->perf[LOOM_PERF_HBM_RD_BYTES] += c->hbm_rd + step->fetch_hbm;
	core->perf[LOOM_PERF_HBM_WR_BYTES] += c->hbm_wr;
	core->perf[LOOM_PERF_PCIE_RD_BYTES] += c->pcie_rd + step->fetch_pcie;
	core->perf[LOOM_PERF_PCIE_WR_BYTES] += c->pcie_wr;
	core->perf[LOOM_PERF_MACS] += c->macs;
	core->perf[LOOM_PERF_VECTOR_OPS] += c->vector_ops;
	core->perf[LOOM_PERF_COMMANDS]++;
}

uint64_t loom_core_perf(struct loom_core *core, unsigned int counter)
{
	uint64_t value = 0;

	loom_lock(core);
	if (counter < LOOM_PERF_COUNT)
		value = core->perf[counter];
	loom_unlock(core);
	return value;
}
