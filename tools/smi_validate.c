// SPDX-License-Identifier: MIT
/*
 * accel-smi validate: every engine computes something small, and the result is
 * compared with the CPU's.  Values are small whole numbers, which all types hold
 * exactly, so results must be equal to the bit.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <accel/accel_cmd.h>

#include "smi.h"

#define TIMEOUT_NS	INT64_C(60000000000)
#define BUFFER_SIZE	(1u << 20)
#define COPY_WORDS	(BUFFER_SIZE / 4)

#define GEMM_M		72
#define GEMM_N		40
#define GEMM_K		160

#define VEC_COLS	1000
#define VEC_ROWS	4

/** struct bench - a card and what the checks need on it */
struct bench {
	struct accel_device *dev;
	struct accel_queue *q;
	struct accel_cmdbuf *cb;
	/** @bo: inputs twice, then the result, in HBM */
	struct accel_bo *bo[3];
	/** @host: system memory */
	struct accel_bo *host;
	uint32_t clock_khz;
	/** @detail: what a check has to say of itself */
	char detail[160];
};

static void *mem(struct accel_bo *bo)
{
	void *p = NULL;

	return accel_bo_map(bo, &p) ? NULL : p;
}

/* A whole number from -6 to 6. */
static int small(uint32_t i)
{
	return (int)(i * 7 % 13) - 6;
}

/* Run what is recorded; the modelled time goes to @ns. */
static int run(struct bench *b, double *ns)
{
	struct accel_queue_status st = { .size = sizeof(st) };
	uint64_t point;
	int rc;

	rc = accel_submit(b->q, b->cb, &point);
	if (!rc)
		rc = accel_wait(b->q, point, TIMEOUT_NS);
	if (!rc)
		rc = accel_queue_status(b->q, &st);
	accel_cmdbuf_reset(b->cb);
	*ns = 1e6 * (double)(st.last_end - st.last_start) / b->clock_khz;
	return rc;
}

/* The result differs from what it should be. */
static int differs(struct bench *b, uint32_t index, double got, double want)
{
	snprintf(b->detail, sizeof(b->detail),
		 "element %u is %g, should be %g", index, got, want);
	return 1;
}

/* -------------------------------------------------------------------- checks */

/* System memory to HBM, within HBM, and back. */
static int check_copy(struct bench *b)
{
	struct loom_cmd_copy cmd = {
		.mode = LOOM_COPY_COPY,
		.src_type = LOOM_TYPE_I32, .dst_type = LOOM_TYPE_I32,
		.dim = { COPY_WORDS, 1, 1, 1 },
		.src_stride = { 4 }, .dst_stride = { 4 },
	};
	struct accel_bo *way[] = { b->host, b->bo[0], b->bo[1], b->host };
	uint32_t *p = mem(b->host), i;
	double ns = 0;
	int rc = 0;

	if (!p)
		return -1;
	for (i = 0; i < COPY_WORDS; i++)
		p[i] = i * 2654435761u;
	for (i = 0; i < 3 && !rc; i++) {
		cmd.src = accel_bo_va(way[i]);
		cmd.dst = accel_bo_va(way[i + 1]);
		rc = accel_cmd_copy(b->cb, &cmd);
		if (i == 1 && !rc)
			rc = run(b, &ns);
		if (i == 1)
			memset(p, 0, BUFFER_SIZE);
	}
	if (!rc)
		rc = run(b, &ns);
	if (rc)
		return -1;
	for (i = 0; i < COPY_WORDS; i++)
		if (p[i] != i * 2654435761u)
			return differs(b, i, p[i], i * 2654435761u);
	snprintf(b->detail, sizeof(b->detail), "1 MiB back over PCIe: %.1f us",
		 ns / 1000);
	return 0;
}

static int check_fill(struct bench *b)
{
	const struct loom_cmd_copy cmd = {
		.mode = LOOM_COPY_FILL, .dst_type = LOOM_TYPE_I32,
		.dim = { COPY_WORDS - 1, 1, 1, 1 },
		.dst = accel_bo_va(b->bo[0]), .dst_stride = { 4 },
		.fill = 0x12345678,
	};
	uint32_t *p = mem(b->bo[0]), i, want;
	double ns;

	if (!p)
		return -1;
	p[COPY_WORDS - 1] = 7;
	if (accel_cmd_copy(b->cb, &cmd) || run(b, &ns))
		return -1;
	for (i = 0; i < COPY_WORDS; i++) {
		want = i < COPY_WORDS - 1 ? 0x12345678 : 7;
		if (p[i] != want)
			return differs(b, i, p[i], want);
	}
	snprintf(b->detail, sizeof(b->detail), "1 MiB of HBM: %.1f us",
		 ns / 1000);
	return 0;
}

/* One element of an input, by type. */
static void put(void *p, uint32_t type, uint32_t i, int value)
{
	uint32_t bits = accel_f32((float)value);

	if (type == LOOM_TYPE_I8)
		((int8_t *)p)[i] = (int8_t)value;
	else if (type == LOOM_TYPE_BF16)
		((uint16_t *)p)[i] = (uint16_t)(bits >> 16);
	else
		((uint32_t *)p)[i] = bits;
}

static int gemm_compare(struct bench *b, bool integer)
{
	const void *d = mem(b->bo[2]);
	uint32_t i, j, k;
	double got;
	int want;

	for (i = 0; i < GEMM_M; i++) {
		for (j = 0; j < GEMM_N; j++) {
			want = 0;
			for (k = 0; k < GEMM_K; k++)
				want += small(i * GEMM_K + k) *
					small(3 * (k * GEMM_N + j) + 1);
			got = integer ? ((const int32_t *)d)[i * GEMM_N + j] :
					((const float *)d)[i * GEMM_N + j];
			if (got != want)
				return differs(b, i * GEMM_N + j, got, want);
		}
	}
	return 0;
}

static int check_gemm(struct bench *b, uint32_t type)
{
	bool integer = type == LOOM_TYPE_I8;
	int64_t size = accel_type_size(type);
	const struct loom_cmd_matmul cmd = {
		.a_type = type, .b_type = type,
		.d_type = integer ? LOOM_TYPE_I32 : LOOM_TYPE_F32,
		.alpha = accel_f32(1),
		.m = GEMM_M, .n = GEMM_N, .k = GEMM_K, .batch = { 1, 1 },
		.a = accel_bo_va(b->bo[0]), .b = accel_bo_va(b->bo[1]),
		.d = accel_bo_va(b->bo[2]),
		.a_stride = { GEMM_K * size, size },
		.b_stride = { GEMM_N * size, size },
		.d_stride = { GEMM_N * 4, 4 },
	};
	void *pa = mem(b->bo[0]), *pb = mem(b->bo[1]);
	uint32_t i;
	double ns;
	int rc;

	if (!pa || !pb || !mem(b->bo[2]))
		return -1;
	for (i = 0; i < GEMM_M * GEMM_K; i++)
		put(pa, type, i, small(i));
	for (i = 0; i < GEMM_K * GEMM_N; i++)
		put(pb, type, i, small(3 * i + 1));
	if (accel_cmd_matmul(b->cb, &cmd) || run(b, &ns))
		return -1;
	rc = gemm_compare(b, integer);
	if (!rc)
		snprintf(b->detail, sizeof(b->detail),
			 "%dx%dx%d: %.1f us, %.1f G multiply-adds/s", GEMM_M,
			 GEMM_N, GEMM_K, ns / 1000,
			 (double)GEMM_M * GEMM_N * GEMM_K / ns);
	return rc;
}

static int check_gemm_i8(struct bench *b)
{
	return check_gemm(b, LOOM_TYPE_I8);
}

static int check_gemm_bf16(struct bench *b)
{
	return check_gemm(b, LOOM_TYPE_BF16);
}

static int check_gemm_f32(struct bench *b)
{
	return check_gemm(b, LOOM_TYPE_F32);
}

/* y = max(x * scale + lane, 0); sum = the row's sum of y */
static const char vector_source[] =
	".operand y x sum\n"
	".param scale\n"
	"param s0, scale\n"
	"loop\n"
	"  ld    v0, x\n"
	"  lane  v1\n"
	"  i2f   v1, v1\n"
	"  fma   v0, v0, s0, v1\n"
	"  max   v0, v0, s1\n"
	"  rsum  s2, v0\n"
	"  st    y, v0\n"
	"end\n"
	"st      sum, s2\n";

static int vector_compare(struct bench *b)
{
	const float *y = mem(b->bo[1]), *sum = mem(b->bo[2]);
	uint32_t r, i, at;
	int want, total;

	for (r = 0; r < VEC_ROWS; r++) {
		for (total = 0, i = 0; i < VEC_COLS; i++) {
			at = r * VEC_COLS + i;
			want = small(at) * 3 + (int)i;
			want = want > 0 ? want : 0;
			total += want;
			if (y[at] != (float)want)
				return differs(b, at, y[at], want);
		}
		if (sum[r] != (float)total)
			return differs(b, r, sum[r], total);
	}
	return 0;
}

static int check_vector(struct bench *b)
{
	const uint32_t dim[4] = { VEC_COLS, VEC_ROWS, 1, 1 };
	const uint32_t scale = accel_f32(3);
	const struct loom_vec_operand op[3] = {
		{ .addr = accel_bo_va(b->bo[1]), .type = LOOM_TYPE_F32,
		  .stride = { 4, 4 * VEC_COLS } },
		{ .addr = accel_bo_va(b->bo[0]), .type = LOOM_TYPE_F32,
		  .stride = { 4, 4 * VEC_COLS } },
		{ .addr = accel_bo_va(b->bo[2]), .type = LOOM_TYPE_F32,
		  .stride = { 0, 4 } },
	};
	struct accel_vprog *prog;
	void *x = mem(b->bo[0]);
	uint32_t i;
	double ns;
	int rc;

	if (!x || !mem(b->bo[1]) || !mem(b->bo[2]))
		return -1;
	for (i = 0; i < VEC_COLS * VEC_ROWS; i++)
		put(x, LOOM_TYPE_F32, i, small(i));
	if (accel_vprog_assemble(vector_source, &prog))
		return -1;
	rc = accel_cmd_vector(b->cb, prog, dim, op, 3, &scale);
	accel_vprog_destroy(prog);
	if (rc || run(b, &ns))
		return -1;
	rc = vector_compare(b);
	if (!rc)
		snprintf(b->detail, sizeof(b->detail),
			 "%d rows of %d lanes: %.1f us", VEC_ROWS, VEC_COLS,
			 ns / 1000);
	return rc;
}

/* --------------------------------------------------------------------- order */

static const struct {
	const char *name;
	/* 0; 1: wrong result, see detail; -1: a call failed */
	int (*fn)(struct bench *b);
} checks[] = {
	{ "fill", check_fill },
	{ "copy", check_copy },
	{ "matmul i8", check_gemm_i8 },
	{ "matmul bf16", check_gemm_bf16 },
	{ "matmul f32", check_gemm_f32 },
	{ "vector program", check_vector },
};

static int bench_open(struct bench *b, const char *spec)
{
	struct accel_device_info info = { .size = sizeof(info) };
	unsigned int i;
	int rc;

	rc = accel_device_open(spec, &b->dev);
	if (!rc)
		rc = accel_device_query(b->dev, &info);
	if (!rc)
		rc = accel_queue_create(b->dev, NULL, &b->q);
	if (!rc)
		rc = accel_cmdbuf_create(b->dev, &b->cb);
	for (i = 0; i < 3 && !rc; i++)
		rc = accel_bo_create(b->dev, BUFFER_SIZE, ACCEL_HBM, &b->bo[i]);
	if (!rc)
		rc = accel_bo_create(b->dev, BUFFER_SIZE, ACCEL_HOST, &b->host);
	b->clock_khz = info.clock_khz;
	if (!rc)
		printf("accel-smi %s: validating %s\n", accel_version(),
		       info.name);
	return rc;
}

static void bench_close(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		accel_bo_destroy(b->bo[i]);
	accel_bo_destroy(b->host);
	accel_cmdbuf_destroy(b->cb);
	accel_queue_destroy(b->q);
	accel_device_close(b->dev);
}

int smi_validate(const struct smi_options *opt)
{
	const unsigned int num = sizeof(checks) / sizeof(checks[0]);
	struct bench b = { 0 };
	unsigned int i, failed = 0;
	int rc;

	if (bench_open(&b, opt->spec)) {
		rc = smi_error("opening the card");
		bench_close(&b);
		return rc;
	}
	for (i = 0; i < num; i++) {
		rc = checks[i].fn(&b);
		failed += rc != 0;
		printf("  %-16s%-8s%s\n", checks[i].name, rc ? "FAILED" : "ok",
		       rc < 0 ? accel_last_error()->message : b.detail);
	}
	bench_close(&b);
	printf("%u of %u checks passed\n", num - failed, num);
	return failed ? SMI_FAILED : SMI_OK;
}
