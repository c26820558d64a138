/* SPDX-License-Identifier: MIT */
/*
 * DOC: Closed forms that others use
 *
 * For comparison with the card, whose own model is qemu-device/core/timing.c.
 * Documentation/timing.rst has the formulas and how far each is from what it
 * was checked against.
 */
#ifndef LOOM_TIME_MODELS_H
#define LOOM_TIME_MODELS_H

#include <stdint.h>

#include "timing.h"

enum dataflow {
	DATAFLOW_WS,
	DATAFLOW_OS,
	DATAFLOW_IS,
	NUM_DATAFLOWS,
};

enum model {
	/** @MODEL_LOOM: with a shadow tile; weight stationary is the card */
	MODEL_LOOM,
	/** @MODEL_SCALESIM: SCALE-Sim v3 as coded, "Total Cycles" */
	MODEL_SCALESIM,
	/** @MODEL_ISPASS: folds that do not overlap, as in the ISPASS 2020 paper */
	MODEL_ISPASS,
	NUM_MODELS,
};

/**
 * model_array_cycles() - cycles of the arrays, without any memory
 * @cfg: the card; only its arrays count
 * @model: whose rules; all but MODEL_LOOM know one array and one pass
 * @flow: what stays in the cells
 * @g: the product
 *
 * Return: cycles, at most LOOM_TIME_MAX.
 */
uint64_t model_array_cycles(const struct loom_core_config *cfg,
			    enum model model, enum dataflow flow,
			    const struct loom_time_gemm *g);

/**
 * model_utilisation() - share of the cells that did useful work
 * @cfg: the card
 * @macs: useful multiply-accumulates
 * @cycles: in this time
 */
double model_utilisation(const struct loom_core_config *cfg, uint64_t macs,
			 uint64_t cycles);

/** model_peak_ops() - operations per second of all cells; a MAC is two */
double model_peak_ops(const struct loom_core_config *cfg);

/** model_roofline() - attainable operations/s at @intensity operations/byte */
double model_roofline(double peak, double bytes_per_second, double intensity);

/** struct model_hbm - timings of a channel, all in the same unit of time */
struct model_hbm {
	/** @rfc: a refresh */
	double rfc;
	/** @refi: from one refresh to the next */
	double refi;
	/** @faw: four activations take at least this */
	double faw;
	/** @rate: peak, bytes per unit of time */
	double rate;
};

/** model_hbm_efficiency() - share of the peak with @bytes per activation */
double model_hbm_efficiency(const struct model_hbm *hbm, double bytes);

#endif
