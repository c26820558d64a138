// SPDX-License-Identifier: MIT
/*
 * A vector program of one's own: y = 1 / (1 + x^2), and the sum of each row in
 * the same pass.  The command buffer is shown before it runs.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <accel/accel_cmd.h>

#define ROWS	3
#define LANES	100

static const char source[] =
	".operand x y sum\n"
	".param   one\n"
	"param s0, one\n"
	"loop                     ; all lanes of a row\n"
	"  ld   v0, x\n"
	"  fma  v0, v0, v0, s0    ; x * x + 1\n"
	"  div  v0, s0, v0\n"
	"  st   y, v0\n"
	"  rsum s1, v0            ; there after END\n"
	"end\n"
	"st    sum, s1            ; once per row\n";

static void check(int rc)
{
	const struct accel_error *e = accel_last_error();

	if (rc >= 0)
		return;
	fprintf(stderr, "custom_program: %s: %s\n", e->function, e->message);
	exit(1);
}

static void print(void *opaque, const char *line)
{
	(void)opaque;
	puts(line);
}

static void record(struct accel_cmdbuf *cb, const struct accel_vprog *prog,
		   uint64_t va)
{
	const int64_t row = LANES * sizeof(float);
	const struct loom_vec_operand operands[] = {
		{ .addr = va, .type = LOOM_TYPE_F32, .stride = { 4, row } },
		{ .addr = va + ROWS * row, .type = LOOM_TYPE_F32,
		  .stride = { 4, row } },
		{ .addr = va + 2 * ROWS * row, .type = LOOM_TYPE_F32,
		  .stride = { 0, 4 } },
	};
	const uint32_t dim[4] = { LANES, ROWS, 1, 1 };
	const uint32_t params[] = { accel_f32(1.0f) };

	check(accel_cmd_vector(cb, prog, dim, operands, 3, params));
	check(accel_disasm(accel_cmdbuf_data(cb), accel_cmdbuf_size(cb), print,
			   NULL));
}

/* Print what the card gave for each row next to the host's sum. */
static int compare(const float *x)
{
	const float *sum = x + 2 * ROWS * LANES;
	double want;
	int r, i, wrong = 0;

	for (r = 0; r < ROWS; r++) {
		for (want = 0, i = 0; i < LANES; i++)
			want += 1 / (1 + (double)x[r * LANES + i] *
					 x[r * LANES + i]);
		printf("row %d: sum %.5f, expected %.5f\n", r, sum[r], want);
		wrong |= fabs(sum[r] - want) > 1e-4;
	}
	return wrong;
}

int main(void)
{
	struct accel_device *dev;
	struct accel_queue *queue;
	struct accel_bo *bo;
	struct accel_cmdbuf *cb;
	struct accel_vprog *prog;
	uint64_t point;
	void *map;
	float *x;
	int i, rc;

	check(accel_device_open(NULL, &dev));
	check(accel_queue_create(dev, NULL, &queue));
	check(accel_bo_create(dev, (2 * ROWS * LANES + ROWS) * sizeof(float),
			      ACCEL_HBM, &bo));
	check(accel_bo_map(bo, &map));
	x = map;
	for (i = 0; i < ROWS * LANES; i++)
		x[i] = (float)i / LANES;
	check(accel_vprog_assemble(source, &prog));
	check(accel_cmdbuf_create(dev, &cb));
	record(cb, prog, accel_bo_va(bo));
	check(accel_submit(queue, cb, &point));
	check(accel_wait(queue, point, -1));
	rc = compare(x);
	accel_cmdbuf_destroy(cb);
	accel_vprog_destroy(prog);
	accel_bo_destroy(bo);
	accel_queue_destroy(queue);
	accel_device_close(dev);
	return rc;
}
