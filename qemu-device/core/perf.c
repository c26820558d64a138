// SPDX-License-Identifier: MIT
/*
 * DOC: Performance counters, and the trace of what was counted
 *
 * The card counts, and so does every context what its own jobs took.  All of it
 * is protected by the core's lock.
 */
#include <string.h>

#include "core_internal.h"

void loom_perf_add(struct loom_core *core, struct loom_context *ctx,
		   unsigned int counter, uint64_t n)
{
	core->perf[counter] += n;
	ctx->perf[counter] += n;
}

static void add_rows(uint64_t *perf, const struct loom_charge *charge)
{
	unsigned int i;

	for (i = LOOM_PERF_CYC_TOTAL; i <= LOOM_PERF_CYC_IDLE; i++)
		perf[i] += charge->row[i];
}

/*
 * The context is charged for what its job got longer, the card for what it got
 * busy longer: the same, unless other queues overlap.
 */
void loom_perf_span(struct loom_exec *ex, const struct loom_span *span,
		    uint64_t edge)
{
	struct loom_core *core = ex->core;
	struct loom_core_trace *t = &ex->trace;
	struct loom_charge charge;
	uint64_t shift = 0;

	loom_time_charge(span, edge, &charge);
	add_rows(ex->ctx->perf, &charge);
	if (loom_is_paced(core)) {
		loom_time_charge(span, core->pacer.edge, &charge);
		t->charged = core->pacer.edge;
		loom_pace_charge(core, &charge);
	} else {
		t->charged = core->clock;
		add_rows(core->perf, &charge);
		core->clock += charge.row[LOOM_PERF_CYC_TOTAL];
		shift = core->clock - ex->window.end;
	}
	t->begin = span->begin + shift;
	t->issued = span->issued + shift;
	t->start = span->start + shift;
	t->computed = span->computed + shift;
	t->end = span->end + shift;
	t->engine = LOOM_PERF_CYC_ARRAY + span->engine;
	t->wait = span->wait;
	memcpy(t->row, charge.row, sizeof(t->row));
}

void loom_perf_step(struct loom_core *core, struct loom_context *ctx,
		    const struct loom_step *step)
{
	const struct loom_cost *c = step->cost;

	loom_perf_add(core, ctx, LOOM_PERF_HBM_RD_BYTES,
		      c->hbm_rd + step->fetch_hbm);
	loom_perf_add(core, ctx, LOOM_PERF_HBM_WR_BYTES, c->hbm_wr);
	loom_perf_add(core, ctx, LOOM_PERF_PCIE_RD_BYTES,
		      c->pcie_rd + step->fetch_pcie);
	loom_perf_add(core, ctx, LOOM_PERF_PCIE_WR_BYTES, c->pcie_wr);
	loom_perf_add(core, ctx, LOOM_PERF_MACS, c->macs);
	loom_perf_add(core, ctx, LOOM_PERF_VECTOR_OPS, c->vector_ops);
	loom_perf_add(core, ctx, LOOM_PERF_COMMANDS, 1);
}

/* Trace ------------------------------------------------------------------- */

_Static_assert(sizeof(((struct loom_core_trace *)0)->row) ==
	       sizeof(uint64_t) * LOOM_TIME_ROWS, "rows of a trace");

void loom_trace_fetch(struct loom_exec *ex)
{
	struct loom_core_trace *t = &ex->trace;

	t->queue = ex->queue->index;
	t->context = ex->queue->ctx;
	t->fetch = true;
	t->opcode = 0;
	t->index = 0;
	t->seq = 0;
	t->hbm_rd = 0;
	t->hbm_wr = 0;
	t->pcie_rd = sizeof(ex->entry);
	t->pcie_wr = 0;
	t->macs = 0;
	t->vector_ops = 0;
	ex->trace_pending = true;
}

void loom_trace_step(struct loom_exec *ex)
{
	const struct loom_cost *c = ex->step.cost;
	struct loom_core_trace *t = &ex->trace;

	t->queue = ex->queue->index;
	t->context = ex->queue->ctx;
	t->fetch = false;
	t->opcode = ex->opcode;
	t->index = ex->index;
	t->seq = ex->entry.seq;
	t->hbm_rd = c->hbm_rd + ex->step.fetch_hbm;
	t->hbm_wr = c->hbm_wr;
	t->pcie_rd = c->pcie_rd + ex->step.fetch_pcie;
	t->pcie_wr = c->pcie_wr;
	t->macs = c->macs;
	t->vector_ops = c->vector_ops;
	ex->trace_pending = true;
}

void loom_trace_send(const struct loom_exec *ex)
{
	struct loom_core *core = ex->core;

	if (core->ops.trace_command)
		core->ops.trace_command(core->opaque, &ex->trace);
}

/* Registers --------------------------------------------------------------- */

void loom_perf_select(struct loom_core *core, uint64_t what)
{
	if (what > core->cfg.num_contexts)
		loom_log(core, LOOM_LOG_GUEST, "PERF_SELECT: no context %llu",
			 (unsigned long long)what - 1);
	else
		core->perf_select = what;
}

void loom_perf_ctrl(struct loom_core *core, uint64_t value)
{
	uint64_t *perf = core->perf_select ?
			 core->ctx[core->perf_select - 1].perf : core->perf;
	unsigned int i;

	loom_pace_settle(core);
	for (i = 0; i < LOOM_PERF_COUNT; i++) {
		if (value & LOOM_PERF_CTRL_SNAPSHOT)
			core->latched[i] = perf[i];
		if (value & LOOM_PERF_CTRL_RESET)
			perf[i] = 0;
	}
}

uint64_t loom_core_perf(struct loom_core *core, unsigned int counter)
{
	uint64_t value = 0;

	loom_lock(core);
	loom_pace_settle(core);
	if (counter < LOOM_PERF_COUNT)
		value = core->perf[counter];
	loom_unlock(core);
	return value;
}
