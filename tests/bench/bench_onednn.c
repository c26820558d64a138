// SPDX-License-Identifier: MIT
/*
 * Matrix products by oneDNN, with B packed beforehand in the form that oneDNN
 * likes best.  OMP_NUM_THREADS=1 keeps it to one thread.
 *
 * oneDNN has no bf16 for hosts without AVX-512; there its f32 stands in.
 *
 *	bench_onednn TYPE	says what the yardstick of a type is
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <oneapi/dnnl/dnnl.h>

#include "bench.h"

enum { SRC, WEIGHTS, DST, NUM };

static struct {
	dnnl_engine_t engine;
	dnnl_stream_t stream;
	dnnl_primitive_t matmul;
	dnnl_memory_t mem[NUM];
	dnnl_exec_arg_t args[NUM];
} o;

static void check(dnnl_status_t status)
{
	if (status == dnnl_success)
		return;
	fprintf(stderr, "bench_onednn: oneDNN status %d\n", status);
	exit(1);
}

/* Version 3 made the descriptors opaque. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t desc_t;
typedef const_dnnl_memory_desc_t const_desc_t;
#define DESC(d)	(d)

static desc_t make_desc(const dnnl_dims_t dims, dnnl_data_type_t type,
			dnnl_format_tag_t tag)
{
	desc_t d;

	check(dnnl_memory_desc_create_with_tag(&d, 2, dims, type, tag));
	return d;
}

static void free_desc(desc_t d)
{
	check(dnnl_memory_desc_destroy(d));
}

static dnnl_status_t make_matmul(const desc_t d[NUM], dnnl_primitive_desc_t *pd)
{
	return dnnl_matmul_primitive_desc_create(pd, o.engine, d[SRC],
						 d[WEIGHTS], NULL, d[DST],
						 NULL);
}
#else
typedef dnnl_memory_desc_t desc_t;
typedef const dnnl_memory_desc_t *const_desc_t;
#define DESC(d)	(&(d))

static desc_t make_desc(const dnnl_dims_t dims, dnnl_data_type_t type,
			dnnl_format_tag_t tag)
{
	desc_t d;

	check(dnnl_memory_desc_init_by_tag(&d, 2, dims, type, tag));
	return d;
}

static void free_desc(desc_t d)
{
	(void)d;
}

static dnnl_status_t make_matmul(const desc_t d[NUM], dnnl_primitive_desc_t *pd)
{
	dnnl_matmul_desc_t op;

	check(dnnl_matmul_desc_init(&op, &d[SRC], &d[WEIGHTS], NULL, &d[DST]));
	return dnnl_primitive_desc_create(pd, &op, NULL, o.engine, NULL);
}
#endif

static dnnl_memory_t make_memory(const_desc_t d, uint64_t bytes)
{
	dnnl_memory_t mem;
	void *p;

	check(dnnl_memory_create(&mem, d, o.engine, DNNL_MEMORY_ALLOCATE));
	check(dnnl_memory_get_data_handle(mem, &p));
	bench_fill(p, bytes);
	return mem;
}

/* The layout @pd wants, filled from a plain one. */
static dnnl_memory_t pack_weights(dnnl_primitive_desc_t pd, desc_t plain,
				  uint64_t bytes)
{
	const_desc_t packed = dnnl_primitive_desc_query_md(
		pd, dnnl_query_weights_md, 0);
	dnnl_memory_t from = make_memory(DESC(plain), bytes);
	dnnl_primitive_desc_t reorder_pd;
	dnnl_primitive_t reorder;
	dnnl_memory_t to;

	check(dnnl_memory_create(&to, packed, o.engine, DNNL_MEMORY_ALLOCATE));
	check(dnnl_reorder_primitive_desc_create(&reorder_pd, DESC(plain),
						 o.engine, packed, o.engine,
						 NULL));
	check(dnnl_primitive_create(&reorder, reorder_pd));
	const dnnl_exec_arg_t args[] = {
		{ DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to },
	};
	check(dnnl_primitive_execute(reorder, o.stream, 2, args));
	check(dnnl_stream_wait(o.stream));
	dnnl_primitive_destroy(reorder);
	dnnl_primitive_desc_destroy(reorder_pd);
	dnnl_memory_destroy(from);
	return to;
}

/* Has oneDNN a product of two bf16 for this host? */
static bool has_bf16(void)
{
	const dnnl_dims_t dims = { 16, 16 };
	const desc_t in = make_desc(dims, dnnl_bf16, dnnl_ab);
	const desc_t out = make_desc(dims, dnnl_f32, dnnl_ab);
	const desc_t descs[NUM] = { in, in, out };
	dnnl_primitive_desc_t pd;
	dnnl_status_t status = make_matmul(descs, &pd);

	free_desc(in);
	free_desc(out);
	if (status == dnnl_unimplemented)
		return false;
	check(status);
	dnnl_primitive_desc_destroy(pd);
	return true;
}

static dnnl_data_type_t float_type(void)
{
	return has_bf16() ? dnnl_bf16 : dnnl_f32;
}

static void prepare(const struct bench_gemm *g)
{
	const dnnl_data_type_t in = g->bf16 ? float_type() : dnnl_s8;
	const dnnl_data_type_t out = g->bf16 ? dnnl_f32 : dnnl_s32;
	const uint64_t size = dnnl_data_type_size(in);
	const dnnl_dims_t a = { g->m, g->k }, b = { g->k, g->n };
	const dnnl_dims_t d = { g->m, g->n };
	const desc_t descs[NUM] = {
		make_desc(a, in, dnnl_ab), make_desc(b, in, dnnl_format_tag_any),
		make_desc(d, out, dnnl_ab),
	};
	const desc_t plain = make_desc(b, in, dnnl_ab);
	dnnl_primitive_desc_t pd;

	check(make_matmul(descs, &pd));
	check(dnnl_primitive_create(&o.matmul, pd));
	o.mem[SRC] = make_memory(DESC(descs[SRC]), size * g->m * g->k);
	o.mem[WEIGHTS] = pack_weights(pd, plain, size * g->k * g->n);
	o.mem[DST] = make_memory(DESC(descs[DST]), 4ull * g->m * g->n);
	dnnl_primitive_desc_destroy(pd);
	for (int i = 0; i < NUM; i++)
		free_desc(descs[i]);
	free_desc(plain);
}

static bool begin(const char *name)
{
	const int arg[NUM] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST };
	struct bench_gemm gemm;

	if (!bench_gemm_parse(name, &gemm))
		return false;
	prepare(&gemm);
	for (int i = 0; i < NUM; i++)
		o.args[i] = (dnnl_exec_arg_t){ arg[i], o.mem[i] };
	return true;
}

static double run(unsigned int reps)
{
	double start = bench_now();

	for (unsigned int i = 0; i < reps; i++)
		check(dnnl_primitive_execute(o.matmul, o.stream, NUM, o.args));
	check(dnnl_stream_wait(o.stream));
	return bench_now() - start;
}

static void end(void)
{
	dnnl_primitive_destroy(o.matmul);
	for (int i = 0; i < NUM; i++)
		dnnl_memory_destroy(o.mem[i]);
}

int main(int argc, char **argv)
{
	static const struct bench_ops ops = { begin, run, end };
	const dnnl_version_t *v = dnnl_version();

	check(dnnl_engine_create(&o.engine, dnnl_cpu, 0));
	if (argc > 1) {
		printf("oneDNN %d.%d.%d%s, packed B\n", v->major, v->minor,
		       v->patch,
		       !strcmp(argv[1], "bf16") && !has_bf16() ? " f32" : "");
		return 0;
	}
	check(dnnl_stream_create(&o.stream, o.engine,
				 dnnl_stream_default_flags));
	return bench_serve(&ops);
}
