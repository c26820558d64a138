// SPDX-License-Identifier: MIT
/*
 * Two queues that depend on each other: one fills a buffer, the other sums it
 * when the point of the first is reached, over and over.
 *
 *	copy queue:     fill 1      fill 2      fill 3
 *	                     \    /      \    /      \
 *	compute queue:       sum 1        sum 2       sum 3
 */
#include <stdio.h>
#include <stdlib.h>

#include <accel/accel_ops.h>

#define N	4096
#define ROUNDS	4

struct lane {
	struct accel_queue *queue;
	struct accel_cmdbuf *cb[ROUNDS];
	struct accel_point last;
};

static void check(int rc)
{
	const struct accel_error *e = accel_last_error();

	if (!rc)
		return;
	fprintf(stderr, "two_queues: %s: %s\n", e->function, e->message);
	exit(1);
}

static void lane_create(struct lane *l, struct accel_device *dev)
{
	int i;

	check(accel_queue_create(dev, NULL, &l->queue));
	for (i = 0; i < ROUNDS; i++)
		check(accel_cmdbuf_create(dev, &l->cb[i]));
}

/* Everything submitted has been waited for. */
static void lane_destroy(struct lane *l)
{
	int i;

	for (i = 0; i < ROUNDS; i++)
		accel_cmdbuf_destroy(l->cb[i]);
	accel_queue_destroy(l->queue);
}

/* Submit round @i of @l; it starts when @other has come to its last point. */
static void lane_submit(struct lane *l, int i, const struct lane *other)
{
	const struct accel_submit_info info = {
		.size = sizeof(info),
		.num_cmdbufs = 1,
		.cmdbufs = &l->cb[i],
		.waits = &other->last,
		.num_waits = other->last.queue ? 1 : 0,
	};

	l->last.queue = l->queue;
	check(accel_submit_ex(l->queue, &info, &l->last.value));
}

static void record(struct lane *copy, struct lane *compute, uint64_t va)
{
	struct accel_tensor data = accel_tensor_1d(va, LOOM_TYPE_F32, N);
	struct accel_tensor sum;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		sum = accel_tensor_1d(va + (N + i) * sizeof(float),
				      LOOM_TYPE_F32, 1);
		check(accel_op_fill(copy->cb[i], &data, i + 1));
		check(accel_op_sum(compute->cb[i], &sum, &data, 0));
	}
}

static int print(const float *sum)
{
	int i, wrong = 0;

	for (i = 0; i < ROUNDS; i++) {
		printf("round %d: sum %g\n", i + 1, sum[i]);
		wrong |= sum[i] != (float)(N * (i + 1));
	}
	return wrong;
}

int main(void)
{
	struct lane copy = { 0 }, compute = { 0 };
	struct accel_device *dev;
	struct accel_bo *bo;
	void *map;
	int i, rc;

	check(accel_device_open(NULL, &dev));
	check(accel_bo_create(dev, (N + ROUNDS) * sizeof(float), ACCEL_HBM, &bo));
	check(accel_bo_map(bo, &map));
	lane_create(&copy, dev);
	lane_create(&compute, dev);
	record(&copy, &compute, accel_bo_va(bo));
	for (i = 0; i < ROUNDS; i++) {
		lane_submit(&copy, i, &compute);
		lane_submit(&compute, i, &copy);
	}
	check(accel_wait(compute.queue, compute.last.value, -1));
	rc = print((const float *)map + N);
	lane_destroy(&compute);
	lane_destroy(&copy);
	accel_bo_destroy(bo);
	accel_device_close(dev);
	return rc;
}
