// SPDX-License-Identifier: MIT
/*
 * A graph whose intermediate results fit into what is left of the card's memory,
 * but not a quarter more of them: it must be computed all the same.  Prints a line
 * and returns 1 if not.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ggml.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"

/* ARGSORT keeps two copies of keys and indices: 16 bytes per element. */
enum { N = 65536, ROWS = 24, SCRATCH = 16 * N * ROWS, SPARE = SCRATCH / 8 };

static size_t free_memory(void)
{
	size_t free, total;

	ggml_backend_dev_memory(ggml_backend_dev_by_name("LOOM0"), &free, &total);
	return free;
}

int main(void)
{
	struct ggml_init_params params = {
		.mem_size = 16 * ggml_tensor_overhead() + ggml_graph_overhead(),
		.no_alloc = true,
	};
	struct ggml_context *ctx = ggml_init(params);
	struct ggml_tensor *x = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, N, ROWS);
	struct ggml_tensor *order = ggml_argsort(ctx, x, GGML_SORT_ORDER_ASC);
	struct ggml_cgraph *graph = ggml_new_graph(ctx);
	static float values[N * ROWS];
	static int32_t got[N * ROWS];
	ggml_backend_t card;

	ggml_backend_load_all();
	card = ggml_backend_init_by_name("LOOM0", NULL);
	if (!card) {
		printf("# there is no LOOM0\n");
		return 1;
	}
	ggml_build_forward_expand(graph, order);
	if (!ggml_backend_alloc_ctx_tensors(ctx, card))
		return 1;
	for (int i = 0; i < N * ROWS; i++)
		values[i] = (float)(N - i % N);
	ggml_backend_tensor_set(x, values, 0, sizeof(values));
	if (!ggml_backend_alloc_buffer(card, free_memory() - SCRATCH - SPARE))
		return 1;
	if (ggml_backend_graph_compute(card, graph) != GGML_STATUS_SUCCESS) {
		printf("# %zu bytes are free, %d wanted\n", free_memory(), SCRATCH);
		return 1;
	}
	ggml_backend_tensor_get(order, got, 0, sizeof(got));
	for (int i = 0; i < N * ROWS; i++) {
		if (got[i] == N - 1 - i % N)
			continue;
		printf("# element %d is %d\n", i, got[i]);
		return 1;
	}
	return 0;
}
