// SPDX-License-Identifier: MIT
/* What the bench programs share: requests, samples, the clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

/*
 * A sample is long enough to hide the cost of a submission, which in the VM,
 * with everything around it, is some milliseconds.
 */
#define SAMPLE_SECONDS	160e-3
#define MAX_REPS	8192

struct bench_counts bench_counts;

double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool bench_gemm_parse(const char *name, struct bench_gemm *out)
{
	char type[8];

	if (sscanf(name, "gemm/%7[^/]/%ux%ux%u", type, &out->m, &out->n,
		   &out->k) != 4)
		return false;
	out->bf16 = !strcmp(type, "bf16");
	return out->bf16 || !strcmp(type, "int8");
}

void bench_fill(void *p, uint64_t bytes)
{
	uint8_t page[4096], *dst = p;
	uint64_t i, n;

	for (i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)(i * 37 >> 3) & 0x3f;
	for (i = 0; i < bytes; i += n) {
		n = bytes - i < sizeof(page) ? bytes - i : sizeof(page);
		memcpy(dst + i, page, n);
	}
}

static double best_of_three(const struct bench_ops *ops, unsigned int reps)
{
	double seconds, best = 1e9;

	for (int i = 0; i < 3; i++) {
		seconds = ops->run(reps);
		best = seconds < best ? seconds : best;
	}
	return best;
}

/* BENCH_SAMPLE_MS is for tries. */
static double sample_seconds(void)
{
	const char *ms = getenv("BENCH_SAMPLE_MS");

	return ms ? 1e-3 * atof(ms) : SAMPLE_SECONDS;
}

/* How many operations make a sample, found with ever longer ones. */
static unsigned int choose_reps(const struct bench_ops *ops)
{
	unsigned int reps = 1;
	double scale;

	ops->run(1);
	do {
		scale = sample_seconds() / best_of_three(ops, reps);
		reps = scale * reps > MAX_REPS ? MAX_REPS :
		       scale > 8 ? 8 * reps :
		       scale > 1 ? (unsigned int)(scale * reps) : reps;
	} while (scale > 2 && reps < MAX_REPS);
	return reps;
}

static void answer(const struct bench_ops *ops, unsigned int reps)
{
	struct bench_counts before = bench_counts;
	double seconds = ops->run(reps), n = reps;

	printf("{\"ops\": %u, \"seconds\": %.9g, \"mmio\": %.4g, "
	       "\"irqs\": %.4g}\n", reps, seconds / n,
	       (double)(bench_counts.mmio - before.mmio) / n,
	       (double)(bench_counts.irqs - before.irqs) / n);
}

static bool change_case(const struct bench_ops *ops, char *current,
			const char *name)
{
	if (*current)
		ops->end();
	*current = '\0';
	if (*name && !ops->begin(name)) {
		fprintf(stderr, "bench: no case %s\n", name);
		return false;
	}
	strcpy(current, name);
	return true;
}

int bench_serve(const struct bench_ops *ops)
{
	char line[128], name[64], current[64] = "";
	unsigned int reps = 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin) &&
	       sscanf(line, "%63s", name) == 1) {
		if (strcmp(name, current)) {
			if (!change_case(ops, current, name))
				return 1;
			reps = choose_reps(ops);
			ops->run(reps);
		}
		answer(ops, reps);
	}
	change_case(ops, current, "");
	return 0;
}
