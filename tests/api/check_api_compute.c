// SPDX-License-Identifier: MIT
/* The three engines through the library, timestamps, counters. */
#include <math.h>
#include <stdlib.h>

#include "api.h"

/* Small whole numbers are exact in every type, so results are, too. */
static float small(unsigned int i)
{
	return (float)((int)(i * 7 % 13) - 6);
}

static uint16_t bf16(float f)
{
	return accel_f32(f) >> 16;
}

START_TEST(test_matmul_bf16_equals_the_cpu)
{
	enum { M = 33, N = 17, K = 130 };
	uint16_t a[M * K], b[K * N];
	float d[M * N], sum;
	struct loom_cmd_matmul mm;
	struct accel_bo *bo;
	struct t_api t;
	unsigned int i, j, k;

	for (i = 0; i < M * K; i++)
		a[i] = bf16(small(i));
	for (i = 0; i < K * N; i++)
		b[i] = bf16(small(3 * i + 1));
	t_open(&t);
	bo = t_bo(&t, 65536, ACCEL_HBM);
	t_ok(accel_bo_write(bo, 0, a, sizeof(a)));
	t_ok(accel_bo_write(bo, 16384, b, sizeof(b)));
	mm = t_matmul(accel_bo_va(bo), accel_bo_va(bo) + 16384,
		      accel_bo_va(bo) + 32768, M, N, K);
	t_ok(accel_cmd_matmul(t.cb, &mm));
	t_run(&t);
	t_ok(accel_bo_read(bo, 32768, d, sizeof(d)));
	for (i = 0; i < M; i++) {
		for (j = 0; j < N; j++) {
			for (sum = 0, k = 0; k < K; k++)
				sum += small(i * K + k) *
				       small(3 * (k * N + j) + 1);
			ck_assert_float_eq(d[i * N + j], sum);
		}
	}
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

static const char softmax[] =
	"; softmax of a row\n"
	".operand y x\n"
	".param scale\n"
	"loop\n"
	"  ld    v0, x\n"
	"  rmax  s0, v0\n"
	"end\n"
	"param s3, scale\n"
	"loop\n"
	"  ld    v0, x\n"
	"  sub   v0, v0, s0\n"
	"  exp   v0, v0\n"
	"  rsum  s1, v0\n"
	"  st    y, v0\n"
	"end\n"
	"imm     s2, 1.0\n"
	"div     s2, s2, s1\n"
	"mul     s2, s2, s3\n"
	"loop\n"
	"  ld    v0, y\n"
	"  mul   v0, v0, s2\n"
	"  st    y, v0\n"
	"end\n";

START_TEST(test_vector_program_runs_per_row)
{
	enum { COLS = 600, ROWS = 3 };
	const uint32_t dim[4] = { COLS, ROWS, 1, 1 };
	const uint32_t param = accel_f32(2);
	struct loom_vec_operand op[2];
	float x[COLS * ROWS], y[COLS * ROWS];
	struct accel_vprog *prog;
	struct accel_bo *bo;
	struct t_api t;
	unsigned int i, r;
	double sum;

	for (i = 0; i < COLS * ROWS; i++)
		x[i] = small(i) / 4;
	t_ok(accel_vprog_assemble(softmax, &prog));
	ck_assert_uint_eq(accel_vprog_num_operands(prog), 2);
	ck_assert_uint_eq(accel_vprog_num_params(prog), 1);
	t_open(&t);
	bo = t_bo(&t, 32768, ACCEL_HBM);
	t_ok(accel_bo_write(bo, 0, x, sizeof(x)));
	for (i = 0; i < 2; i++)
		op[i] = (struct loom_vec_operand){
			.addr = accel_bo_va(bo) + (i ? 0 : 16384),
			.type = LOOM_TYPE_F32,
			.stride = { 4, 4 * COLS },
		};
	t_err(-EINVAL, accel_cmd_vector(t.cb, prog, dim, op, 1, &param));
	t_err(-EINVAL, accel_cmd_vector(t.cb, prog, dim, op, 2, NULL));
	t_ok(accel_cmd_vector(t.cb, prog, dim, op, 2, &param));
	t_run(&t);
	t_ok(accel_bo_read(bo, 16384, y, sizeof(y)));
	for (r = 0; r < ROWS; r++) {
		for (sum = 0, i = 0; i < COLS; i++)
			sum += exp(x[r * COLS + i]);
		for (i = 0; i < COLS; i++)
			ck_assert_float_eq_tol(y[r * COLS + i],
					       2 * exp(x[r * COLS + i]) / sum,
					       1e-7);
	}
	accel_vprog_destroy(prog);
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_gather_and_scatter_move_rows)
{
	enum { ROWS = 5, COLS = 8 };
	struct loom_cmd_copy cmd = {
		.mode = LOOM_COPY_GATHER,
		.src_type = LOOM_TYPE_I32, .dst_type = LOOM_TYPE_I16,
		.index_type = LOOM_TYPE_I64,
		.dim = { COLS, ROWS, 1, 1 },
		.src_stride = { 4, 4 * COLS }, .dst_stride = { 2, 2 * COLS },
		.index_stride = { 8 }, .index_limit = ROWS,
	};
	const int64_t index[ROWS] = { 4, 2, 0, 1, 3 };
	int32_t src[ROWS * COLS];
	int16_t dst[ROWS * COLS];
	struct accel_bo *bo;
	struct t_api t;
	unsigned int i;

	for (i = 0; i < ROWS * COLS; i++)
		src[i] = i ? (int32_t)(i * 1000) : -100000;
	t_open(&t);
	bo = t_bo(&t, 8192, ACCEL_HOST);
	t_ok(accel_bo_write(bo, 0, src, sizeof(src)));
	t_ok(accel_bo_write(bo, 4096, index, sizeof(index)));
	cmd.src = accel_bo_va(bo);
	cmd.dst = accel_bo_va(bo) + 2048;
	cmd.index = accel_bo_va(bo) + 4096;
	t_ok(accel_cmd_copy(t.cb, &cmd));
	t_run(&t);
	t_ok(accel_bo_read(bo, 2048, dst, sizeof(dst)));
	for (i = 0; i < ROWS * COLS; i++) {
		int32_t want = src[index[i / COLS] * COLS + i % COLS];

		want = want < -32768 ? -32768 : want > 32767 ? 32767 : want;
		ck_assert_int_eq(dst[i], want);
	}
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_timestamps_grow_by_the_work_between)
{
	struct accel_queue_status st = { .size = sizeof(st) };
	uint64_t ts[3];
	struct accel_bo *bo;
	struct t_api t;
	uint64_t va;

	t_open(&t);
	bo = t_bo(&t, 2 << 20, ACCEL_HBM);
	va = accel_bo_va(bo);
	t_ok(accel_cmd_timestamp(t.cb, va));
	t_fill(t.cb, va + 4096, 1000, 1);
	t_ok(accel_cmd_timestamp(t.cb, va + 8));
	t_fill(t.cb, va + 4096, 500000, 1);
	t_ok(accel_cmd_timestamp(t.cb, va + 16));
	t_run(&t);
	t_ok(accel_bo_read(bo, 0, ts, sizeof(ts)));
	ck_assert_uint_lt(ts[0], ts[1]);
	ck_assert_uint_lt(ts[1] - ts[0], ts[2] - ts[1]);
	t_ok(accel_queue_status(t.q, &st));
	ck_assert_uint_le(st.last_start, ts[0]);
	ck_assert_uint_ge(st.last_end, ts[2]);
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_counters_account_for_all_time_and_work)
{
	enum { M = 64, N = 32, K = 128 };
	struct accel_counters a = { .size = sizeof(a) }, b = { .size = sizeof(b) };
	struct loom_cmd_matmul mm;
	struct accel_bo *bo;
	struct t_api t;
	uint64_t sum = 0;
	unsigned int i;

	t_open(&t);
	bo = t_bo(&t, 1 << 20, ACCEL_HBM);
	t_ok(accel_device_counters(t.dev, &a));
	mm = t_matmul(accel_bo_va(bo), accel_bo_va(bo) + (1 << 18),
		      accel_bo_va(bo) + (1 << 19), M, N, K);
	t_ok(accel_cmd_matmul(t.cb, &mm));
	t_fill(t.cb, accel_bo_va(bo), 10000, 0);
	t_run(&t);
	t_ok(accel_device_counters(t.dev, &b));
	ck_assert_uint_ge(b.count, LOOM_PERF_COUNT);
	for (i = LOOM_PERF_CYC_ARRAY; i <= LOOM_PERF_CYC_IDLE; i++) {
		ck_assert_uint_ge(b.value[i], a.value[i]);
		sum += b.value[i];
	}
	ck_assert_uint_eq(sum, b.value[LOOM_PERF_CYC_TOTAL]);
	ck_assert_uint_eq(b.value[LOOM_PERF_MACS] - a.value[LOOM_PERF_MACS],
			  M * N * K);
	ck_assert_uint_ge(b.value[LOOM_PERF_COMMANDS] -
			  a.value[LOOM_PERF_COMMANDS], 2);
	ck_assert_uint_ge(b.value[LOOM_PERF_HBM_WR_BYTES] -
			  a.value[LOOM_PERF_HBM_WR_BYTES], 40000);
	ck_assert_uint_gt(b.value[LOOM_PERF_CYC_ARRAY],
			  a.value[LOOM_PERF_CYC_ARRAY]);
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("api_compute");
	TCase *tc = tcase_create("compute");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, test_matmul_bf16_equals_the_cpu);
	tcase_add_test(tc, test_vector_program_runs_per_row);
	tcase_add_test(tc, test_gather_and_scatter_move_rows);
	tcase_add_test(tc, test_timestamps_grow_by_the_work_between);
	tcase_add_test(tc, test_counters_account_for_all_time_and_work);
	suite_add_tcase(s, tc);
	return t_main(s);
}
