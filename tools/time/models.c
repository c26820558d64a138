// SPDX-License-Identifier: MIT
/* DOC: Closed forms that others use; see models.h */
#include "models.h"

typedef unsigned __int128 u128;

static uint64_t clamp(u128 cycles)
{
	return cycles < LOOM_TIME_MAX ? (uint64_t)cycles : LOOM_TIME_MAX;
}

static uint64_t div_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

/*
 * SCALE-Sim's view of a product: what lies along the rows and the columns of
 * the array, and what is streamed through it in time.
 */
struct mapping {
	uint64_t rows;
	uint64_t cols;
	uint64_t time;
};

static struct mapping map(enum dataflow flow, const struct loom_time_gemm *g)
{
	if (flow == DATAFLOW_WS)
		return (struct mapping) { g->k, g->n, g->m };
	if (flow == DATAFLOW_IS)
		return (struct mapping) { g->k, g->m, g->n };
	return (struct mapping) { g->m, g->n, g->k };
}

static uint64_t folds(const struct loom_core_config *cfg,
		      const struct mapping *s)
{
	return clamp((u128)div_up(s->rows, cfg->array_rows) *
		     div_up(s->cols, cfg->array_cols));
}

/*
 * Every fold is filled, streamed and drained by itself.  SCALE-Sim names the
 * last cycle, hence its - 1, and lets results of the output stationary form
 * leave before the lower rows have them, hence its missing R.
 */
static uint64_t unoverlapped(const struct loom_core_config *cfg,
			     enum model model, enum dataflow flow,
			     const struct loom_time_gemm *g)
{
	struct mapping s = map(flow, g);
	uint64_t rows = cfg->array_rows;
	bool scalesim = model == MODEL_SCALESIM;
	u128 fold = (u128)2 * rows + cfg->array_cols + s.time - 2;

	if (scalesim && flow == DATAFLOW_OS)
		fold -= rows;
	return clamp(folds(cfg, &s) * fold - scalesim);
}

uint64_t model_array_cycles(const struct loom_core_config *cfg,
			    enum model model, enum dataflow flow,
			    const struct loom_time_gemm *g)
{
	struct loom_core_config card = *cfg;

	if (model != MODEL_LOOM)
		return unoverlapped(cfg, model, flow, g);
	card.dataflow = flow == DATAFLOW_OS ? LOOM_DATAFLOW_OS :
					      LOOM_DATAFLOW_WS;
	/* Input stationary is weight stationary with A and B exchanged. */
	if (flow == DATAFLOW_IS)
		return loom_time_matmul(&card, g->a_type, 1, g->n, g->m, g->k);
	return loom_time_matmul(&card, g->a_type, 1, g->m, g->n, g->k);
}

static double cells(const struct loom_core_config *cfg)
{
	return (double)cfg->num_arrays * cfg->array_rows * cfg->array_cols;
}

double model_utilisation(const struct loom_core_config *cfg, uint64_t macs,
			 uint64_t cycles)
{
	return cycles ? (double)macs / cells(cfg) / (double)cycles : 0;
}

double model_peak_ops(const struct loom_core_config *cfg)
{
	return 2 * cells(cfg) * cfg->clock_khz * 1e3;
}

double model_roofline(double peak, double bytes_per_second, double intensity)
{
	double memory = bytes_per_second * intensity;

	return memory < peak ? memory : peak;
}

double model_hbm_efficiency(const struct model_hbm *hbm, double bytes)
{
	double rows = 4 * bytes / (hbm->faw * hbm->rate);

	return (1 - hbm->rfc / hbm->refi) * (rows < 1 ? rows : 1);
}
