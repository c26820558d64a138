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

#include "loom_core.h"

/** LOOM_TIME_MAX - the longest a single command can be said to take, cycles */
#define LOOM_TIME_MAX	(1ull << 48)

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

#endif
