// SPDX-License-Identifier: MIT
/* Shared parts of the tests of libaccel over any device. */
#include <stdlib.h>

#include "api.h"

const char *t_spec(void)
{
	const char *spec = getenv("ACCEL_DEVICE");

	return spec ? spec : "sim:";
}

void t_open(struct t_api *t)
{
	t_ok(accel_device_open(t_spec(), &t->dev));
	t->q = t_queue(t);
	t->cb = t_cmdbuf(t);
}

void t_close(struct t_api *t)
{
	accel_cmdbuf_destroy(t->cb);
	accel_queue_destroy(t->q);
	accel_device_close(t->dev);
}

struct accel_queue *t_queue(struct t_api *t)
{
	struct accel_queue *q;

	t_ok(accel_queue_create(t->dev, NULL, &q));
	return q;
}

struct accel_cmdbuf *t_cmdbuf(struct t_api *t)
{
	struct accel_cmdbuf *cb;

	t_ok(accel_cmdbuf_create(t->dev, &cb));
	return cb;
}

struct accel_bo *t_bo(struct t_api *t, uint64_t size,
		      enum accel_placement placement)
{
	struct accel_bo *bo;

	t_ok(accel_bo_create(t->dev, size, placement, &bo));
	return bo;
}

void t_fill(struct accel_cmdbuf *cb, uint64_t va, uint32_t n, int32_t value)
{
	const struct loom_cmd_copy cmd = {
		.mode = LOOM_COPY_FILL,
		.dst_type = LOOM_TYPE_I32,
		.dim = { n, 1, 1, 1 },
		.dst = va,
		.dst_stride = { 4 },
		.fill = (uint32_t)value,
	};

	t_ok(accel_cmd_copy(cb, &cmd));
}

void t_copy(struct accel_cmdbuf *cb, uint64_t dst, uint64_t src, uint32_t n)
{
	const struct loom_cmd_copy cmd = {
		.mode = LOOM_COPY_COPY,
		.src_type = LOOM_TYPE_I32,
		.dst_type = LOOM_TYPE_I32,
		.dim = { n, 1, 1, 1 },
		.src = src,
		.dst = dst,
		.src_stride = { 4 },
		.dst_stride = { 4 },
	};

	t_ok(accel_cmd_copy(cb, &cmd));
}

struct loom_cmd_matmul t_matmul(uint64_t a, uint64_t b, uint64_t d, uint32_t m,
				uint32_t n, uint32_t k)
{
	return (struct loom_cmd_matmul){
		.a_type = LOOM_TYPE_BF16,
		.b_type = LOOM_TYPE_BF16,
		.d_type = LOOM_TYPE_F32,
		.alpha = accel_f32(1),
		.m = m, .n = n, .k = k,
		.batch = { 1, 1 },
		.a = a, .b = b, .d = d,
		.a_stride = { 2 * (int64_t)k, 2 },
		.b_stride = { 2 * (int64_t)n, 2 },
		.d_stride = { 4 * (int64_t)n, 4 },
	};
}

void t_raw(struct accel_cmdbuf *cb, uint32_t opcode, const void *cmd,
	   uint32_t size)
{
	uint64_t bytes[1024];
	struct loom_cmd *hdr = (struct loom_cmd *)bytes;

	ck_assert_uint_le(size, sizeof(bytes));
	memcpy(bytes, cmd, size);
	hdr->opcode = opcode;
	hdr->version = LOOM_ISA_VERSION;
	hdr->size64 = size / LOOM_CMD_ALIGN;
	t_ok(accel_cmd_raw(cb, bytes, size));
}

void t_run(struct t_api *t)
{
	uint64_t point;

	t_ok(accel_submit(t->q, t->cb, &point));
	t_ok(accel_wait(t->q, point, LONG));
	accel_cmdbuf_reset(t->cb);
}

int32_t t_get(struct accel_bo *bo, uint64_t index)
{
	int32_t value;

	t_ok(accel_bo_read(bo, index * sizeof(value), &value, sizeof(value)));
	return value;
}

int t_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
