// SPDX-License-Identifier: MIT
/*
 * DOC: A list of products as one job
 *
 * One MATMUL each, none relaxed, all in one job with the commands in system
 * memory, as libaccel submits them.  The cycles are those of the functions the
 * card itself calls.
 */
#include <stdlib.h>

#include "loom_time.h"

static void from_rows(struct times *t, const uint64_t row[LOOM_TIME_ROWS])
{
	t->cycles = row[LOOM_PERF_CYC_TOTAL];
	t->array = row[LOOM_PERF_CYC_ARRAY];
	t->stall_hbm = row[LOOM_PERF_CYC_HBM];
	t->stall_pcie = row[LOOM_PERF_CYC_PCIE];
	t->front = row[LOOM_PERF_CYC_FRONT];
}

/* The model with memories and a front end. */
static void times_of_card(const struct setup *s, const struct loom_cost *cost,
			  struct times *t)
{
	const uint64_t fetch = sizeof(struct loom_cmd_matmul);
	uint64_t row[LOOM_TIME_ROWS];

	loom_time_command(&s->cfg, cost, fetch, row);
	from_rows(t, row);
	t->hbm_rd = cost->hbm_rd;
	t->hbm_wr = cost->hbm_wr;
	t->pcie_rd = cost->pcie_rd + fetch;
	t->pcie_wr = cost->pcie_wr;
}

void times_of(const struct setup *s, const struct gemm *g, struct times *t)
{
	struct loom_time_gemm gemm = {
		.m = g->m, .n = g->n, .k = g->k,
		.a_type = s->type->type,
		.in_size = s->type->size,
		.out_size = s->out_type->size,
		.system = s->system,
	};
	struct loom_cost cost;

	loom_time_gemm_cost(&s->cfg, &gemm, &cost);
	*t = (struct times) { .macs = cost.macs };
	/* For the card itself this is the number that stands there. */
	cost.array_cycles = model_array_cycles(&s->cfg, s->model, s->flow,
					       &gemm);
	if (s->model == MODEL_LOOM)
		times_of_card(s, &cost, t);
	else
		t->cycles = t->array = cost.array_cycles;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void add(struct times *to, const struct times *t)
{
	to->cycles = sum(to->cycles, t->cycles);
	to->array = sum(to->array, t->array);
	to->stall_hbm = sum(to->stall_hbm, t->stall_hbm);
	to->stall_pcie = sum(to->stall_pcie, t->stall_pcie);
	to->front = sum(to->front, t->front);
	to->hbm_rd = sum(to->hbm_rd, t->hbm_rd);
	to->hbm_wr = sum(to->hbm_wr, t->hbm_wr);
	to->pcie_rd = sum(to->pcie_rd, t->pcie_rd);
	to->pcie_wr = sum(to->pcie_wr, t->pcie_wr);
	to->macs = sum(to->macs, t->macs);
}

int report_make(struct report *r, const struct setup *s,
		const struct gemm_list *list)
{
	uint64_t row[LOOM_TIME_ROWS];
	size_t i;

	*r = (struct report) { .setup = s, .list = list };
	r->layer = calloc(list->count, sizeof(*r->layer));
	if (!r->layer)
		return -1;
	if (s->model == MODEL_LOOM) {
		loom_time_job_start(&s->cfg, row);
		from_rows(&r->job, row);
		r->job.pcie_rd = sizeof(struct loom_ring_entry);
		r->job.pcie_wr = sizeof(struct loom_completion);
	}
	add(&r->total, &r->job);
	for (i = 0; i < list->count; i++) {
		times_of(s, &list->gemm[i], &r->layer[i]);
		add(&r->total, &r->layer[i]);
	}
	return 0;
}

void report_free(struct report *r)
{
	free(r->layer);
	r->layer = NULL;
}
