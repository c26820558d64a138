// SPDX-License-Identifier: MIT
/*
 * Weights that the card packs to q8_0 beside the original: the copy must follow
 * when they are set, by either way, when a graph writes to them, and when other
 * weights come to stand at the same address.  Prints a line and returns 1 if not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggml.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"

enum { K = 256, N = 4800, M = 3, TYPE = GGML_TYPE_Q5_1 };

static ggml_backend_t card;
/** struct product - y = w x, with w in a buffer of weights */
static struct product {
	struct ggml_context *weights, *rest;
	ggml_backend_buffer_t weights_buffer, rest_buffer;
	struct ggml_tensor *w, *x, *y, *values;
	struct ggml_cgraph *graph;
} p;
/* What is in w now, unpacked, and in x */
static float want_w[K * N], x[K * M];
static uint8_t packed[K * N];

static float uniform(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (float)(int32_t)(state >> 32) / 0x1p31f;
}

static struct ggml_context *context(void)
{
	struct ggml_init_params params = {
		.mem_size = 16 * ggml_tensor_overhead() + 2 * ggml_graph_overhead(),
		.no_alloc = true,
	};

	return ggml_init(params);
}

static void open_weights(void)
{
	p.weights = context();
	p.w = ggml_new_tensor_2d(p.weights, TYPE, K, N);
	p.weights_buffer = ggml_backend_alloc_ctx_tensors(p.weights, card);
	ggml_backend_buffer_set_usage(p.weights_buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
}

/* @writes: the graph also packs values to w, first. */
static void open_rest(bool writes)
{
	p.rest = context();
	p.x = ggml_new_tensor_2d(p.rest, GGML_TYPE_F32, K, M);
	p.values = ggml_new_tensor_2d(p.rest, GGML_TYPE_F32, K, N);
	p.graph = ggml_new_graph(p.rest);
	if (writes)
		ggml_build_forward_expand(p.graph, ggml_cpy(p.rest, p.values, p.w));
	p.y = ggml_mul_mat(p.rest, p.w, p.x);
	ggml_build_forward_expand(p.graph, p.y);
	p.rest_buffer = ggml_backend_alloc_ctx_tensors(p.rest, card);
	for (int i = 0; i < K * M; i++)
		x[i] = uniform();
	ggml_backend_tensor_set(p.x, x, 0, sizeof(x));
}

static void close_weights(void)
{
	ggml_backend_buffer_free(p.weights_buffer);
	ggml_free(p.weights);
}

static void close_rest(void)
{
	ggml_backend_buffer_free(p.rest_buffer);
	ggml_free(p.rest);
}

/* Other weights, in values, packed and as they are after that. */
static void choose(float *values)
{
	for (int i = 0; i < K * N; i++)
		values[i] = uniform();
	ggml_quantize_chunk(TYPE, values, packed, 0, N, K, NULL);
	ggml_get_type_traits(TYPE)->to_float(packed, want_w, K * N);
}

/* Compute; the result must be that of want_w, but for roundings to 8 bits. */
static int check(const char *when)
{
	static float y[N * M];
	double error = 0, all = 0;

	if (ggml_backend_graph_compute(card, p.graph) != GGML_STATUS_SUCCESS)
		return 1;
	ggml_backend_tensor_get(p.y, y, 0, sizeof(y));
	for (int i = 0; i < N * M; i++) {
		double want = 0;

		for (int k = 0; k < K; k++)
			want += (double)want_w[i % N * K + k] * x[i / N * K + k];
		error += (want - y[i]) * (want - y[i]);
		all += want * want;
	}
	if (error < 1e-3 * all)
		return 0;
	printf("# %s: %g of the result is wrong\n", when, error / all);
	return 1;
}

static size_t free_memory(void)
{
	size_t free, total;

	ggml_backend_dev_memory(ggml_backend_dev_by_name("LOOM0"), &free, &total);
	return free;
}

static float values[K * N];

/* Memory of the buffers comes back, and that of the copy. */
static int check_closing(void)
{
	size_t size = ggml_backend_buffer_get_size(p.weights_buffer) +
		      ggml_backend_buffer_get_size(p.rest_buffer) +
		      ggml_row_size(GGML_TYPE_Q8_0, K) * N;
	size_t before = free_memory();

	close_rest();
	close_weights();
	if (free_memory() - before >= size)
		return 0;
	printf("# %zu bytes came back, not %zu\n", free_memory() - before, size);
	return 1;
}

static int check_setting(void)
{
	size_t size = ggml_row_size(TYPE, K) * N;
	int bad;

	open_weights();
	open_rest(false);
	choose(values);
	ggml_backend_tensor_set(p.w, packed, 0, size);
	bad = check("at first");
	bad |= check("again");
	choose(values);
	ggml_backend_tensor_set(p.w, packed, 0, size);
	bad |= check("set");
	choose(values);
	ggml_backend_tensor_set_async(card, p.w, packed, 0, size);
	bad |= check("set asynchronously");
	return bad | check_closing();
}

static int check_writing(void)
{
	int bad = 0;

	open_weights();
	open_rest(true);
	for (int i = 0; i < 2; i++) {
		choose(values);
		ggml_backend_tensor_set(p.values, values, 0, sizeof(values));
		bad |= check("written by the graph");
	}
	close_rest();
	close_weights();
	return bad;
}

int main(void)
{
	int bad;

	ggml_backend_load_all();
	card = ggml_backend_init_by_name("LOOM0", NULL);
	if (!card) {
		printf("# there is no LOOM0\n");
		return 1;
	}
	bad = check_setting();
	/* Other weights stand where those stood. */
	bad |= check_setting();
	bad |= check_writing();
	ggml_backend_free(card);
	return bad;
}
