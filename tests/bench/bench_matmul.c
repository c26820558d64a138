// SPDX-License-Identifier: MIT
/*
 * How fast the model computes matrix products on this host.
 *
 *	bench_matmul [TYPE [M N K [LEVEL]]]
 *
 * One command at a time runs on one thread; the best of 20 counts, in 10^9
 * operations (two per multiply-accumulate) per second of thread CPU time.
 * Neither memory nor the queues are part of what is measured but for one job.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "card.h"
#include "matmul.h"

#define RUNS	20

struct type {
	const char *name;
	uint8_t a, b, d;
};

static const struct type types[] = {
	{ "i8", LOOM_TYPE_I8, LOOM_TYPE_I8, LOOM_TYPE_I32 },
	{ "bf16", LOOM_TYPE_BF16, LOOM_TYPE_BF16, LOOM_TYPE_F32 },
	{ "f8e4m3", LOOM_TYPE_F8E4M3, LOOM_TYPE_F8E4M3, LOOM_TYPE_BF16 },
	{ "f8e5m2", LOOM_TYPE_F8E5M2, LOOM_TYPE_F8E5M2, LOOM_TYPE_BF16 },
	{ "f16", LOOM_TYPE_F16, LOOM_TYPE_F16, LOOM_TYPE_F32 },
	{ "f32", LOOM_TYPE_F32, LOOM_TYPE_F32, LOOM_TYPE_F32 },
	{ "q8_0", LOOM_TYPE_F32, LOOM_TYPE_Q8_0, LOOM_TYPE_F32 },
	{ "q4_0", LOOM_TYPE_F32, LOOM_TYPE_Q4_0, LOOM_TYPE_F32 },
	{ "q8_0xq8_0", LOOM_TYPE_Q8_0, LOOM_TYPE_Q8_0, LOOM_TYPE_F32 },
	{ "q8_0xq4_0", LOOM_TYPE_Q8_0, LOOM_TYPE_Q4_0, LOOM_TYPE_F32 },
};

static const uint32_t shapes[][3] = {
	{ 128, 128, 128 }, { 512, 512, 512 }, { 2048, 2048, 2048 },
	{ 1, 2048, 2048 }, { 8, 2048, 2048 }, { 32, 2048, 2048 },
};

/* Stands in for matmul_best.c. */
static const struct loom_matmul_kernels *kernels;

const struct loom_matmul_kernels *loom_matmul_best(void)
{
	return kernels;
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Bytes of a matrix element times 32, so that blocks count too. */
static uint64_t bytes32(uint8_t type)
{
	if (type == LOOM_TYPE_Q8_0)
		return 34;
	if (type == LOOM_TYPE_Q4_0)
		return 18;
	return 32 * loom_type_size(type);
}

static uint64_t alloc_random(struct t_card *card, uint8_t type, uint64_t count)
{
	uint64_t bytes = count * bytes32(type) / 32;
	uint64_t va = t_hbm_alloc(card, bytes);
	uint8_t *p = t_ptr(card, va);

	/* Small bytes keep every float type clear of infinities. */
	for (uint64_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(i * 37 >> 3) & 0x3f;
	return va;
}

static struct loom_cmd_matmul make_cmd(struct t_card *card,
				       const struct type *t,
				       const uint32_t shape[3], bool transposed)
{
	struct loom_cmd_matmul cmd = {
		.hdr = t_cmd(LOOM_OP_MATMUL, sizeof(cmd)),
		.a_type = t->a,
		.b_type = t->b,
		.d_type = t->d,
		.alpha = 0x3f800000,
		.m = shape[0],
		.n = shape[1],
		.k = shape[2],
		.batch = { 1, 1 },
	};
	int64_t size = loom_type_size(t->b);

	cmd.a = alloc_random(card, t->a, (uint64_t)cmd.m * cmd.k);
	cmd.b = alloc_random(card, t->b, (uint64_t)cmd.n * cmd.k);
	cmd.d = alloc_random(card, t->d, (uint64_t)cmd.m * cmd.n);
	cmd.a_stride[0] = (int64_t)(cmd.k * bytes32(t->a) / 32);
	cmd.a_stride[1] = loom_type_size(t->a);
	cmd.b_stride[0] = transposed ? size : size * cmd.n;
	cmd.b_stride[1] = transposed ? size * cmd.k : size;
	if (!size) {
		cmd.b_stride[0] = 0;
		cmd.b_stride[1] = (int64_t)(cmd.k * bytes32(t->b) / 32);
	}
	cmd.d_stride[0] = (int64_t)cmd.n * loom_type_size(t->d);
	cmd.d_stride[1] = loom_type_size(t->d);
	return cmd;
}

static double best_time(struct t_card *card, const struct loom_cmd_matmul *cmd)
{
	double best = 1e9;

	for (int i = 0; i < RUNS; i++) {
		double start = cpu_seconds();
		struct loom_completion c = t_run_cmds(card, cmd, sizeof(*cmd));
		double time = cpu_seconds() - start;

		if (c.error) {
			printf("error %u field %u\n", c.error, c.field);
			exit(1);
		}
		best = time < best ? time : best;
	}
	return best;
}

static void run(const struct type *t, const uint32_t shape[3])
{
	struct loom_core_config cfg;

	loom_core_config_default(&cfg);
	cfg.hbm_size = 256ull << 20;
	for (int transposed = 0; transposed < 2; transposed++) {
		struct t_card *card = t_card_create(&cfg);
		struct loom_cmd_matmul cmd = make_cmd(card, t, shape,
						      transposed);
		double time = best_time(card, &cmd);

		printf("%-8s %-9s %5u x %5u x %5u %-3s %9.1f us %8.1f GOP/s\n",
		       kernels->name, t->name, shape[0], shape[1], shape[2],
		       transposed ? "B^T" : "B", 1e6 * time,
		       2e-9 * shape[0] * shape[1] * shape[2] / time);
		fflush(stdout);
		t_card_destroy(card);
	}
}

int main(int argc, char **argv)
{
	const size_t num_types = sizeof(types) / sizeof(types[0]);
	const size_t num_shapes = sizeof(shapes) / sizeof(shapes[0]);
	uint32_t shape[3];

	for (int level = LOOM_MATMUL_LEVELS - 1; level >= 0; level--) {
		kernels = loom_matmul_kernels((enum loom_matmul_level)level);
		if (!kernels || (argc > 5 ? strcmp(argv[5], kernels->name) :
				 level == LOOM_MATMUL_PORTABLE))
			continue;
		for (size_t i = 0; i < num_types; i++) {
			if (argc > 1 && strcmp(argv[1], types[i].name))
				continue;
			for (int j = 0; j < 3 && argc > 4; j++)
				shape[j] = (uint32_t)atoi(argv[2 + j]);
			if (argc > 4)
				run(&types[i], shape);
			for (size_t j = 0; j < num_shapes && argc <= 4; j++)
				run(&types[i], shapes[j]);
		}
	}
	return 0;
}
