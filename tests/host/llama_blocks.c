// SPDX-License-Identifier: MIT
/*
 * Block formats of ggml on the card, to the bit: what it packs is what ggml's
 * reference packs, what it unpacks is what ggml unpacks.  Prints a line and
 * returns 1 if not.  test-llama.sh builds it with ggml's own headers.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggml.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"

enum { N = 1024, ROWS = 96, COUNT = N * ROWS, KINDS = 9 };

static const enum ggml_type packed[] = {
	GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1,
};
static const enum ggml_type unpacked[] = {
	GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1,
	GGML_TYPE_Q8_0, GGML_TYPE_Q2_K, GGML_TYPE_Q3_K, GGML_TYPE_Q4_K,
	GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, GGML_TYPE_IQ4_NL, GGML_TYPE_MXFP4,
};
static ggml_backend_t card;

static uint32_t rnd(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 32);
}

static float uniform(void)
{
	return (float)(int32_t)rnd() / 0x1p31f;
}

/* Blocks of many kinds: ties, zeros, one value, one sign, tiny and mixed ones. */
static float value(int kind)
{
	switch (kind) {
	case 0: return ldexpf(uniform(), (int)(rnd() % 20) - 10);
	case 1: return 0;
	case 2: return 3.25f;
	case 3: return (float)(rnd() % 9) - 4;
	case 4: return uniform() * 1e-6f;
	case 5: return fabsf(uniform()) + 5;
	case 6: return -fabsf(uniform()) * 100 - 5;
	case 7: return (float)(rnd() % 64) / 32 + (float)(rnd() % 2) * 1e-3f;
	default: return uniform();
	}
}

/* A copy between types, on the card. */
static void copy(enum ggml_type from, enum ggml_type to, const void *in, void *out)
{
	struct ggml_init_params params = {
		.mem_size = 16 * ggml_tensor_overhead() + ggml_graph_overhead(),
		.no_alloc = true,
	};
	struct ggml_context *ctx = ggml_init(params);
	struct ggml_tensor *a = ggml_new_tensor_2d(ctx, from, N, ROWS);
	struct ggml_tensor *b = ggml_new_tensor_2d(ctx, to, N, ROWS);
	struct ggml_tensor *node = ggml_cpy(ctx, a, b);
	struct ggml_cgraph *graph = ggml_new_graph(ctx);
	ggml_backend_buffer_t buffer;

	ggml_build_forward_expand(graph, node);
	buffer = ggml_backend_alloc_ctx_tensors(ctx, card);
	if (!buffer || !ggml_backend_supports_op(card, node)) {
		printf("# %s to %s is refused\n", ggml_type_name(from), ggml_type_name(to));
		exit(1);
	}
	ggml_backend_tensor_set(a, in, 0, ggml_nbytes(a));
	if (ggml_backend_graph_compute(card, graph) != GGML_STATUS_SUCCESS)
		exit(1);
	ggml_backend_tensor_get(b, out, 0, ggml_nbytes(b));
	ggml_backend_buffer_free(buffer);
	ggml_free(ctx);
}

static int check_packing(enum ggml_type type)
{
	static float x[COUNT];
	static uint8_t want[4 * COUNT], got[4 * COUNT];
	size_t size = ggml_row_size(type, N) * ROWS, block = ggml_type_size(type);

	for (int i = 0; i < COUNT; i++)
		x[i] = value(i / 32 % KINDS);
	ggml_quantize_chunk(type, x, want, 0, ROWS, N, NULL);
	copy(GGML_TYPE_F32, type, x, got);
	for (size_t i = 0; i < size; i++) {
		if (want[i] == got[i])
			continue;
		printf("# packing %s: byte %zu of a block of kind %zu is %#x, not %#x\n",
		       ggml_type_name(type), i % block, i / block % KINDS, got[i], want[i]);
		return 1;
	}
	return 0;
}

/* Any bytes are a block; all 256 scales of mxfp4 take their turn. */
static int check_unpacking(enum ggml_type type)
{
	static uint8_t in[4 * COUNT];
	static float want[COUNT], got[COUNT];
	size_t size = ggml_row_size(type, N) * ROWS, block = ggml_type_size(type);

	for (size_t i = 0; i < size; i++)
		in[i] = (uint8_t)rnd();
	if (type == GGML_TYPE_MXFP4)
		for (size_t i = 0; i < size / block; i++)
			in[i * block] = (uint8_t)i;
	ggml_get_type_traits(type)->to_float(in, want, COUNT);
	copy(type, GGML_TYPE_F32, in, got);
	for (int i = 0; i < COUNT; i++) {
		if (!memcmp(&want[i], &got[i], 4) || (isnan(want[i]) && isnan(got[i])))
			continue;
		printf("# unpacking %s: element %d is %a, not %a\n",
		       ggml_type_name(type), i, got[i], want[i]);
		return 1;
	}
	return 0;
}

int main(void)
{
	int bad = 0;

	ggml_backend_load_all();
	card = ggml_backend_init_by_name("LOOM0", NULL);
	if (!card) {
		printf("# there is no LOOM0\n");
		return 1;
	}
	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++)
		bad |= check_packing(packed[i]);
	for (size_t i = 0; i < sizeof(unpacked) / sizeof(unpacked[0]); i++)
		bad |= check_unpacking(unpacked[i]);
	ggml_backend_free(card);
	return bad;
}
