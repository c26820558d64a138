// SPDX-License-Identifier: MIT
/*
 * What one thread of the host does without a card: memcpy and plain loops,
 * which bench.mk compiles with -O3 and -ffast-math, here for AVX-512 or AVX2
 * where the host has it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define CLONES	__attribute__((target_clones("arch=x86-64-v4", \
					     "arch=x86-64-v3", "default")))

static struct {
	char op[16];
	struct bench_gemm gemm;
	/** @n: elements, or bytes to copy */
	size_t n;
	void *dst, *a, *b;
} r;

CLONES static void add(float *restrict d, const float *restrict x,
		       const float *restrict y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		d[i] = x[i] + y[i];
}

CLONES static void exponential(float *restrict d, const float *restrict x,
			       size_t n)
{
	for (size_t i = 0; i < n; i++)
		d[i] = expf(x[i]);
}

CLONES static float sum(const float *x, size_t n)
{
	float s = 0;

	for (size_t i = 0; i < n; i++)
		s += x[i];
	return s;
}

/* The textbook's, with the loops in the order that vectorises. */
CLONES static void gemm_int8(const struct bench_gemm *g, int32_t *restrict d,
			     const int8_t *restrict a, const int8_t *restrict b)
{
	memset(d, 0, 4ull * g->m * g->n);
	for (size_t i = 0; i < g->m; i++)
		for (size_t k = 0; k < g->k; k++)
			for (size_t j = 0; j < g->n; j++)
				d[i * g->n + j] += a[i * g->k + k] *
						   b[k * g->n + j];
}

static inline float from_bf16(uint16_t bits)
{
	uint32_t word = (uint32_t)bits << 16;
	float f;

	memcpy(&f, &word, sizeof(f));
	return f;
}

CLONES static void gemm_bf16(const struct bench_gemm *g, float *restrict d,
			     const uint16_t *restrict a,
			     const uint16_t *restrict b)
{
	memset(d, 0, 4ull * g->m * g->n);
	for (size_t i = 0; i < g->m; i++)
		for (size_t k = 0; k < g->k; k++)
			for (size_t j = 0; j < g->n; j++)
				d[i * g->n + j] += from_bf16(a[i * g->k + k]) *
						   from_bf16(b[k * g->n + j]);
}

static void *make(size_t bytes)
{
	void *p = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);

	if (!p)
		exit(1);
	bench_fill(p, bytes);
	return p;
}

static bool begin(const char *name)
{
	const struct bench_gemm *g = &r.gemm;
	unsigned int n;

	if (bench_gemm_parse(name, &r.gemm)) {
		strcpy(r.op, g->bf16 ? "bf16" : "int8");
		r.dst = make(4ull * g->m * g->n);
		r.a = make(2ull * g->m * g->k);
		r.b = make(2ull * g->k * g->n);
		return true;
	}
	if (sscanf(name, "vector/%15[^/]/%u", r.op, &n) == 2)
		r.n = n;
	else if (sscanf(name, "copy/%15[^/]/%u", r.op, &n) == 2)
		r.n = 1024ull * n;
	else
		return false;
	r.dst = make(4 * r.n);
	r.a = make(4 * r.n);
	r.b = make(4 * r.n);
	return true;
}

static void run_once(void)
{
	if (!strcmp(r.op, "int8"))
		gemm_int8(&r.gemm, r.dst, r.a, r.b);
	else if (!strcmp(r.op, "bf16"))
		gemm_bf16(&r.gemm, r.dst, r.a, r.b);
	else if (!strcmp(r.op, "add"))
		add(r.dst, r.a, r.b, r.n);
	else if (!strcmp(r.op, "exp"))
		exponential(r.dst, r.a, r.n);
	else if (!strcmp(r.op, "sum"))
		*(float *)r.dst = sum(r.a, r.n);
	else
		memcpy(r.dst, r.a, r.n);
}

static double run(unsigned int reps)
{
	double start = bench_now();

	for (unsigned int i = 0; i < reps; i++) {
		run_once();
		/* What was computed is used. */
		__asm__ volatile("" : : "r"(r.dst) : "memory");
	}
	return bench_now() - start;
}

static void end(void)
{
	free(r.dst);
	free(r.a);
	free(r.b);
}

int main(void)
{
	static const struct bench_ops ops = { begin, run, end };

	return bench_serve(&ops);
}
