/* SPDX-License-Identifier: MIT */
/*
 * The two ends of a benchmark.  A bench program reads the name of a case from
 * stdin, takes a sample and answers with a line of JSON:
 *
 *	gemm/int8/512x512x512
 *	{"ops": 72, "seconds": 0.000276, "mmio": 0.014, "irqs": 0.014}
 *
 * "seconds" is the wall time of one of the operations; "mmio" and "irqs" count
 * what each took of a card in this process.  When a case is asked for again,
 * nothing but the operations runs, so that the other end, tests/bench/bench,
 * can tell from outside what they cost.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

/** struct bench_gemm - D = A x B, f32 of bf16 or int32 of int8 */
struct bench_gemm {
	uint32_t m, n, k;
	/** @bf16: bf16, otherwise int8 */
	bool bf16;
};

/** struct bench_ops - a program's side of it */
struct bench_ops {
	/** @begin: get a case ready; false: no such case */
	bool (*begin)(const char *name);
	/** @run: do it @reps times; seconds */
	double (*run)(unsigned int reps);
	/** @end: the case is over */
	void (*end)(void);
};

/** struct bench_counts - what a card in this process was asked and said */
struct bench_counts {
	uint64_t mmio, irqs;
};

extern struct bench_counts bench_counts;

/** bench_serve() - answer requests until stdin ends; exit status */
int bench_serve(const struct bench_ops *ops);

/** bench_now() - monotonic, in seconds */
double bench_now(void);

/** bench_gemm_parse() - "gemm/bf16/MxNxK" */
bool bench_gemm_parse(const char *name, struct bench_gemm *out);

/** bench_fill() - bytes that are finite numbers in every type */
void bench_fill(void *p, uint64_t bytes);

#endif
