// SPDX-License-Identifier: MIT
/*
 * A matrix product in bf16 with f32 results: convert on the card, multiply,
 * read the modelled time, compare with the host.
 *
 *	gemm [size]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <accel/accel_ops.h>

struct gemm {
	struct accel_device *dev;
	struct accel_queue *queue;
	struct accel_bo *bo;
	struct accel_cmdbuf *cb;
	/* a and b in f32, as uploaded; a16 and b16 for the arrays; d = a b */
	struct accel_tensor a, b, a16, b16, d;
	float *host;
	uint32_t n;
};

static void check(int rc)
{
	const struct accel_error *e = accel_last_error();

	if (!rc)
		return;
	fprintf(stderr, "gemm: %s: %s\n", e->function, e->message);
	exit(1);
}

static void prepare(struct gemm *g)
{
	uint64_t count = (uint64_t)g->n * g->n, va;
	void *map;

	check(accel_device_open(NULL, &g->dev));
	check(accel_queue_create(g->dev, NULL, &g->queue));
	check(accel_cmdbuf_create(g->dev, &g->cb));
	check(accel_bo_create(g->dev, count * 16, ACCEL_HBM, &g->bo));
	check(accel_bo_map(g->bo, &map));
	g->host = map;
	va = accel_bo_va(g->bo);
	g->a = accel_tensor_2d(va, LOOM_TYPE_F32, g->n, g->n);
	g->b = accel_tensor_2d(va + count * 4, LOOM_TYPE_F32, g->n, g->n);
	g->d = accel_tensor_2d(va + count * 8, LOOM_TYPE_F32, g->n, g->n);
	g->a16 = accel_tensor_2d(va + count * 12, LOOM_TYPE_BF16, g->n, g->n);
	g->b16 = accel_tensor_2d(va + count * 14, LOOM_TYPE_BF16, g->n, g->n);
	/* Multiples of 1/8 up to 1 are exact in bf16. */
	for (uint64_t i = 0; i < 2 * count; i++)
		g->host[i] = (float)((int)(i * 7 % 17) - 8) / 8;
}

static void record(struct gemm *g)
{
	check(accel_op_copy(g->cb, &g->a16, &g->a));
	check(accel_op_copy(g->cb, &g->b16, &g->b));
	check(accel_op_matmul(g->cb, &g->d, &g->a16, &g->b16, NULL, 1));
}

static void run(struct gemm *g)
{
	struct accel_device_info info = { .size = sizeof(info) };
	struct accel_queue_status status = { .size = sizeof(status) };
	double ms, flop = 2.0 * g->n * g->n * g->n;
	uint64_t point;

	check(accel_submit(g->queue, g->cb, &point));
	check(accel_wait(g->queue, point, -1));
	check(accel_device_query(g->dev, &info));
	check(accel_queue_status(g->queue, &status));
	ms = (double)(status.last_end - status.last_start) / info.clock_khz;
	printf("%u x %u x %u: %.3f ms modelled, %.2f TFLOP/s\n", g->n, g->n,
	       g->n, ms, flop / ms * 1e-9);
}

/* The largest difference over a sample of the elements. */
static double error(const struct gemm *g)
{
	uint64_t count = (uint64_t)g->n * g->n, i, k;
	const float *a = g->host, *b = a + count, *d = b + count;
	double sum, worst = 0;

	for (i = 0; i < count; i += 101) {
		for (sum = 0, k = 0; k < g->n; k++)
			sum += (double)a[i / g->n * g->n + k] *
			       b[k * g->n + i % g->n];
		worst = fmax(worst, fabs(sum - d[i]));
	}
	return worst;
}

int main(int argc, char **argv)
{
	struct gemm g = { .n = argc > 1 ? (uint32_t)atoi(argv[1]) : 256 };
	double worst;

	prepare(&g);
	record(&g);
	run(&g);
	worst = error(&g);
	printf("largest error %g\n", worst);
	accel_cmdbuf_destroy(g.cb);
	accel_bo_destroy(g.bo);
	accel_queue_destroy(g.queue);
	accel_device_close(g.dev);
	return worst > 1e-3;
}
