// SPDX-License-Identifier: MIT
/* The first program: c = a + b.  Documentation/first-program.rst explains it. */
#include <stdio.h>
#include <stdlib.h>
#include <accel/accel_ops.h>

#define N 1000

static void check(int rc)
{
	if (!rc)
		return;
	fprintf(stderr, "%s; %s\n", accel_last_error()->message, accel_last_error()->hint);
	exit(1);
}

int main(void)
{
	struct accel_device *dev;
	struct accel_queue *queue;
	struct accel_bo *bo;
	struct accel_cmdbuf *cb;
	struct accel_tensor a, b, c;
	uint64_t point;
	void *map;

	check(accel_device_open(NULL, &dev));
	check(accel_queue_create(dev, NULL, &queue));
	check(accel_bo_create(dev, 3 * N * sizeof(float), ACCEL_HBM, &bo));
	check(accel_bo_map(bo, &map));
	float *x = map;
	for (int i = 0; i < 2 * N; i++)
		x[i] = i < N ? (float)i : 0.5f;
	a = accel_tensor_1d(accel_bo_va(bo), LOOM_TYPE_F32, N);
	b = accel_tensor_1d(a.va + N * sizeof(float), LOOM_TYPE_F32, N);
	c = accel_tensor_1d(b.va + N * sizeof(float), LOOM_TYPE_F32, N);
	check(accel_cmdbuf_create(dev, &cb));
	check(accel_op_add(cb, &c, &a, &b));
	check(accel_submit(queue, cb, &point));
	check(accel_wait(queue, point, -1));
	printf("%g + %g = %g\n", x[N - 1], x[2 * N - 1], x[3 * N - 1]);
	accel_cmdbuf_destroy(cb);
	accel_bo_destroy(bo);
	accel_queue_destroy(queue);
	accel_device_close(dev);
	return 0;
}
