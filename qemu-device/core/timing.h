/* SPDX-License-Identifier: MIT */
/*
 * DOC: Modelled time
 *
 * Integer arithmetic only, and pure functions of the card's parameters and of
 * what a command asks for: the same commands cost the same cycles on every
 * host.  All results are clamped to LOOM_TIME_MAX, so sums of them do not wrap.
 */
#ifndef LOOM_TIMING_H
#define LOOM_TIMING_H

#include <stdint.h>

#include "engine.h"

/** LOOM_TIME_MAX - the longest a single command can be said to take, cycles */
#define LOOM_TIME_MAX	(1ull << 48)
/** LOOM_TIME_F32_PASSES - passes of F32 operands through the cells */
#define LOOM_TIME_F32_PASSES	4
/** LOOM_TIME_ROWS - LOOM_PERF_CYC_TOTAL..LOOM_PERF_CYC_IDLE */
#define LOOM_TIME_ROWS	(LOOM_PERF_CYC_IDLE + 1)

/**
 * loom_time_matmul() - array cycles of @batch products of m x k by k x n
 * @cfg: the card
 * @a_type: LOOM_TYPE_* of A; F32 runs at a quarter of the rate
 * @batch: number of independent products
 * @m: rows of A and D
 * @n: columns of B and D
 * @k: length of the sums
 *
 * Return: cycles until the last result leaves the arrays, 0 without work.
 */
uint64_t loom_time_matmul(const struct loom_core_config *cfg, uint32_t a_type,
			  uint64_t batch, uint64_t m, uint64_t n, uint64_t k);

/**
 * loom_time_vector() - vector engine cycles of a program
 * @cfg: the card
 * @rows: rows of the index space
 * @lanes: lanes per row
 * @insns_in_loop: instructions between LOOP and END, all loops together
 * @insns_outside: instructions that run once per row
 *
 * Return: cycles, 0 without work.
 */
uint64_t loom_time_vector(const struct loom_core_config *cfg, uint64_t rows,
			  uint64_t lanes, uint32_t insns_in_loop,
			  uint32_t insns_outside);

/*
 * The rest is for those who ask the model without running a card: the same
 * functions, one command at a time.
 */

/** loom_time_hbm() - cycles that HBM takes to serve @bytes */
uint64_t loom_time_hbm(const struct loom_core_config *cfg, uint64_t bytes);

/** loom_time_pcie() - cycles that one direction of PCIe takes for @bytes */
uint64_t loom_time_pcie(const struct loom_core_config *cfg, uint64_t bytes);

/**
 * loom_time_gemm_passes() - how often the larger of A and B is read
 * @cfg: the card
 * @a_bytes: size of A
 * @b_bytes: size of B
 *
 * The smaller one stays in half of SRAM while the other passes by, as often as
 * there are such halves.
 */
uint64_t loom_time_gemm_passes(const struct loom_core_config *cfg,
			       uint64_t a_bytes, uint64_t b_bytes);

/** struct loom_time_gemm - a MATMUL with contiguous operands, without C */
struct loom_time_gemm {
	/** @m: rows of A and D */
	uint64_t m;
	/** @n: columns of B and D */
	uint64_t n;
	/** @k: length of the sums */
	uint64_t k;
	/** @a_type: LOOM_TYPE_* of A */
	uint32_t a_type;
	/** @in_size: bytes of an element of A and of B */
	uint32_t in_size;
	/** @out_size: bytes of an element of D */
	uint32_t out_size;
	/** @system: the operands are in system memory, not in HBM */
	bool system;
};

/** loom_time_gemm_cost() - what the matrix engine reports for @g */
void loom_time_gemm_cost(const struct loom_core_config *cfg,
			 const struct loom_time_gemm *g,
			 struct loom_cost *cost);

/**
 * loom_time_command() - the charges of a command that overlaps no other
 * @cfg: the card
 * @cost: what its engine reported
 * @fetch: bytes of the command itself, in system memory
 * @row: cycles by LOOM_PERF_CYC_*; all but the total sum to the total
 */
void loom_time_command(const struct loom_core_config *cfg,
		       const struct loom_cost *cost, uint64_t fetch,
		       uint64_t row[LOOM_TIME_ROWS]);

/** loom_time_job_start() - the charges of a job before its first command */
void loom_time_job_start(const struct loom_core_config *cfg,
			 uint64_t row[LOOM_TIME_ROWS]);

#endif
