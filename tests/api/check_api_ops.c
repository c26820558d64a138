// SPDX-License-Identifier: MIT
/*
 * Every operation of accel_ops.h on the device $ACCEL_DEVICE ("sim:" without
 * it), against the same formula in double precision.
 */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <accel/accel_ops.h>
#include <loom/loom_regs.h>

#define MEMORY	(8u << 20)

static struct accel_device *dev;
static struct accel_queue *queue;
static struct accel_cmdbuf *cb;
static struct accel_bo *bo;
static uint8_t *memory;
static uint64_t used;
static uint32_t seed;

static void setup(void)
{
	const char *spec = getenv("ACCEL_DEVICE");
	void *map;

	ck_assert_int_eq(accel_device_open(spec ? spec : "sim:", &dev), 0);
	ck_assert_int_eq(accel_queue_create(dev, NULL, &queue), 0);
	ck_assert_int_eq(accel_cmdbuf_create(dev, &cb), 0);
	ck_assert_int_eq(accel_bo_create(dev, MEMORY, ACCEL_HBM, &bo), 0);
	ck_assert_int_eq(accel_bo_map(bo, &map), 0);
	memory = map;
	used = 0;
	seed = 1;
}

static void teardown(void)
{
	accel_bo_destroy(bo);
	accel_cmdbuf_destroy(cb);
	accel_queue_destroy(queue);
	accel_device_close(dev);
}

/* ----------------------------------------------------------------- helpers */

#define F32	LOOM_TYPE_F32
#define F16	LOOM_TYPE_F16
#define BF16	LOOM_TYPE_BF16
#define I32	LOOM_TYPE_I32
#define I64	LOOM_TYPE_I64

#define DIM(...)	((const uint32_t[4]){ __VA_ARGS__ })

/* Run what was recorded; @rc is the result of recording it. */
static void t_run(int rc)
{
	uint64_t point;

	if (!rc)
		rc = accel_submit(queue, cb, &point);
	if (!rc)
		rc = accel_wait(queue, point, -1);
	ck_assert_msg(!rc, "%s: %s", accel_last_error()->function,
		      accel_last_error()->message);
	accel_cmdbuf_reset(cb);
}

static struct accel_tensor t_new(uint32_t type, uint32_t d0, uint32_t d1,
				 uint32_t d2, uint32_t d3)
{
	struct accel_tensor t;

	t = accel_tensor_4d(accel_bo_va(bo) + used, type, d0, d1, d2, d3);
	ck_assert_uint_eq(t.type, type);
	used += (accel_tensor_bytes(&t) + 63) & ~63ull;
	ck_assert_uint_le(used, MEMORY);
	return t;
}

static uint8_t *t_ptr(const struct accel_tensor *t, const uint32_t i[4])
{
	int64_t offset = (int64_t)(t->va - accel_bo_va(bo));
	unsigned int d;

	for (d = 0; d < 4; d++)
		offset += i[d] * t->stride[d];
	return memory + offset;
}

static double from_half(uint16_t h)
{
	int exponent = h >> 10 & 31;
	double mantissa = h & 1023;
	double value = exponent ? ldexp(1024 + mantissa, exponent - 25) :
				  ldexp(mantissa, -24);

	return h & 0x8000 ? -value : value;
}

static double t_get(const struct accel_tensor *t, const uint32_t i[4])
{
	const uint8_t *p = t_ptr(t, i);
	uint64_t bits = 0;
	float f;

	memcpy(&bits, p, accel_type_size(t->type));
	switch (t->type) {
	case LOOM_TYPE_BF16:
		bits <<= 16;
		/* fall through */
	case LOOM_TYPE_F32:
		memcpy(&f, &bits, sizeof(f));
		return f;
	case LOOM_TYPE_F16:
		return from_half((uint16_t)bits);
	case LOOM_TYPE_I8:
		return (int8_t)bits;
	case LOOM_TYPE_I32:
		return (int32_t)bits;
	}
	return (double)(int64_t)bits;
}

/* @value must be exact in the type; of the floats only f32 and bf16. */
static void t_put(const struct accel_tensor *t, const uint32_t i[4],
		  double value)
{
	uint32_t bits = accel_f32((float)value);
	int64_t integer = (int64_t)value;

	if (t->type == F32)
		memcpy(t_ptr(t, i), &bits, 4);
	else if (t->type == BF16)
		memcpy(t_ptr(t, i), (uint8_t *)&bits + 2, 2);
	else
		memcpy(t_ptr(t, i), &integer, accel_type_size(t->type));
}

/* Odometer over the indices of @dim; false after the last. */
static bool t_next(uint32_t i[4], const uint32_t dim[4])
{
	unsigned int d;

	for (d = 0; d < 4; d++) {
		if (++i[d] < dim[d])
			return true;
		i[d] = 0;
	}
	return false;
}

/* Multiples of 1/16 in [-4, 4): exact in every float type that tests upload. */
static void t_random(const struct accel_tensor *t)
{
	uint32_t i[4] = { 0 };

	do {
		seed = seed * 1664525 + 1013904223;
		t_put(t, i, ((int)(seed >> 25) - 64) / 16.0);
	} while (t_next(i, t->dim));
}

static struct accel_tensor t_input(uint32_t type, uint32_t d0, uint32_t d1,
				   uint32_t d2, uint32_t d3)
{
	struct accel_tensor t = t_new(type, d0, d1, d2, d3);

	t_random(&t);
	return t;
}

static double tolerance_of(uint32_t type)
{
	switch (type) {
	case LOOM_TYPE_F32:
		return 2e-6;
	case LOOM_TYPE_F16:
		return 0x1p-10;
	case LOOM_TYPE_BF16:
		return 0x1p-7;
	}
	return 0;
}

static void t_near(const struct accel_tensor *t, const uint32_t i[4],
		   double want)
{
	double have = t_get(t, i), bound = tolerance_of(t->type);

	bound *= fmax(1, fabs(want));
	ck_assert_msg(fabs(have - want) <= bound,
		      "(%u, %u, %u, %u) is %.9g, expected %.9g", i[0], i[1],
		      i[2], i[3], have, want);
}

/* The element of a source that repeats. */
static double t_rep(const struct accel_tensor *t, const uint32_t i[4])
{
	return t_get(t, DIM(i[0] % t->dim[0], i[1] % t->dim[1],
			    i[2] % t->dim[2], i[3] % t->dim[3]));
}

/* The last call was refused; the message has all of the words. */
static void t_refused(int rc, const char *a, const char *b)
{
	const char *message = accel_last_error()->message;

	ck_assert_int_eq(rc, -22);
	ck_assert_msg(strstr(message, a) && strstr(message, b),
		      "\"%s\" names neither \"%s\" nor \"%s\"", message, a, b);
	ck_assert_uint_eq(accel_cmdbuf_size(cb), 0);
}

/* ----------------------------------------------------------------- tensors */

START_TEST(test_tensor_strides_are_contiguous)
{
	struct accel_tensor t = accel_tensor_4d(64, F16, 5, 4, 3, 2);

	ck_assert_int_eq(t.stride[0], 2);
	ck_assert_int_eq(t.stride[1], 10);
	ck_assert_int_eq(t.stride[2], 40);
	ck_assert_int_eq(t.stride[3], 120);
	ck_assert_uint_eq(accel_tensor_bytes(&t), 240);
	ck_assert_uint_eq(accel_tensor_count(&t), 120);
	ck_assert(accel_tensor_is_contiguous(&t));
}
END_TEST

START_TEST(test_tensor_view_of_view_adds_offsets)
{
	struct accel_tensor t = accel_tensor_2d(0, F32, 10, 10);
	struct accel_tensor v = accel_tensor_view(&t, DIM(2, 3, 0, 0),
						  DIM(4, 5, 1, 1));
	struct accel_tensor w = accel_tensor_rows(&v, 1, 2);

	ck_assert_uint_eq(v.va, 4 * (3 * 10 + 2));
	ck_assert_uint_eq(w.va, 4 * (4 * 10 + 2));
	ck_assert_uint_eq(w.dim[1], 2);
	ck_assert(!accel_tensor_is_contiguous(&v));
}
END_TEST

START_TEST(test_tensor_beyond_its_source_is_none)
{
	struct accel_tensor t = accel_tensor_2d(0, F32, 10, 10), v;

	v = accel_tensor_columns(&t, 5, 6);
	ck_assert_uint_eq(v.type, LOOM_TYPE_NONE);
	v = accel_tensor_reshape(&t, 99, 1, 1, 1);
	ck_assert_uint_eq(v.type, LOOM_TYPE_NONE);
	v = accel_tensor_broadcast(&t, DIM(20, 10, 1, 1));
	ck_assert_uint_eq(v.type, LOOM_TYPE_NONE);
	v = accel_tensor_permute(&t, (const unsigned int[]){ 0, 0, 2, 3 });
	ck_assert_uint_eq(v.type, LOOM_TYPE_NONE);
	v = accel_tensor_2d(0, LOOM_TYPE_Q8_0, 33, 1);
	ck_assert_uint_eq(v.type, LOOM_TYPE_NONE);
}
END_TEST

START_TEST(test_tensor_of_blocks_has_rows_of_blocks)
{
	struct accel_tensor t = accel_tensor_2d(0, LOOM_TYPE_Q4_0, 64, 3);

	ck_assert_int_eq(t.stride[0], 0);
	ck_assert_int_eq(t.stride[1], 36);
	ck_assert_uint_eq(accel_tensor_bytes(&t), 108);
}
END_TEST

/* ----------------------------------------------------------------- copying */

START_TEST(test_copy_transposes_and_converts)
{
	struct accel_tensor src = t_input(F32, 7, 5, 3, 2);
	struct accel_tensor dst = t_new(BF16, 5, 7, 3, 2);
	struct accel_tensor t = accel_tensor_transpose(&src);
	uint32_t i[4] = { 0 };

	t_run(accel_op_copy(cb, &dst, &t));
	do {
		ck_assert(t_get(&dst, i) == t_get(&t, i));
	} while (t_next(i, dst.dim));
}
END_TEST

START_TEST(test_copy_stretches_extents_of_one)
{
	struct accel_tensor src = t_input(F32, 1, 5, 1, 2);
	struct accel_tensor dst = t_new(I32, 3, 5, 4, 2);
	uint32_t i[4] = { 0 };

	t_run(accel_op_copy(cb, &dst, &src));
	do {
		ck_assert(t_get(&dst, i) == nearbyint(t_rep(&src, i)));
	} while (t_next(i, dst.dim));
}
END_TEST

/* Three floats, then integers. */
static const uint32_t fill_types[] = { F32, F16, BF16, LOOM_TYPE_I8, I32, I64 };

START_TEST(test_fill_rounds_to_the_type)
{
	struct accel_tensor all = t_new(fill_types[_i], 9, 4, 1, 1);
	struct accel_tensor t = accel_tensor_columns(&all, 1, 7);
	uint32_t i[4] = { 0 };
	double want = _i < 3 ? -2.75 : -3;

	t_run(accel_op_fill(cb, &t, -2.75f));
	do {
		ck_assert(t_get(&t, i) == want);
	} while (t_next(i, t.dim));
	t_run(accel_op_fill(cb, &t, 0));
	ck_assert(t_get(&t, DIM(6, 3)) == 0);
	ck_assert(t_get(&all, DIM(0, 1)) == 0);
}
END_TEST

START_TEST(test_get_rows_gathers_by_index)
{
	struct accel_tensor src = t_input(F32, 6, 10, 2, 1);
	struct accel_tensor dst = t_new(BF16, 6, 4, 2, 1);
	struct accel_tensor index = t_new(_i ? I64 : I32, 4, 2, 1, 1);
	uint32_t i[4] = { 0 }, row;

	do {
		t_put(&index, i, (i[0] * 7 + i[1] * 3) % 10);
	} while (t_next(i, index.dim));
	t_run(accel_op_get_rows(cb, &dst, &src, &index));
	do {
		row = (uint32_t)t_get(&index, DIM(i[1], i[2]));
		ck_assert(t_get(&dst, i) == t_get(&src, DIM(i[0], row, i[2])));
	} while (t_next(i, dst.dim));
}
END_TEST

START_TEST(test_set_rows_scatters_by_index)
{
	struct accel_tensor src = t_input(F32, 6, 4, 2, 1);
	struct accel_tensor dst = t_input(F16, 6, 10, 2, 1);
	struct accel_tensor index = t_new(I64, 4, 1, 1, 1);
	uint32_t i[4] = { 0 }, row;

	for (row = 0; row < 4; row++)
		t_put(&index, DIM(row), row * 3 % 10);
	t_run(accel_op_set_rows(cb, &dst, &src, &index));
	do {
		row = (uint32_t)t_get(&index, DIM(i[1]));
		ck_assert(t_get(&dst, DIM(i[0], row, i[2])) == t_get(&src, i));
	} while (t_next(i, src.dim));
}
END_TEST

START_TEST(test_get_rows_index_beyond_the_table_fails_the_job)
{
	struct accel_tensor src = t_input(F32, 6, 10, 1, 1);
	struct accel_tensor dst = t_new(F32, 6, 1, 1, 1);
	struct accel_tensor index = t_new(I32, 1, 1, 1, 1);
	struct accel_queue_status status = { .size = sizeof(status) };
	uint64_t point;

	t_put(&index, DIM(0), 10);
	ck_assert_int_eq(accel_op_get_rows(cb, &dst, &src, &index), 0);
	ck_assert_int_eq(accel_submit(queue, cb, &point), 0);
	ck_assert_int_eq(accel_wait(queue, point, -1), -5);
	ck_assert_int_eq(accel_queue_status(queue, &status), 0);
	ck_assert_uint_eq(status.error, LOOM_ERR_INDEX);
}
END_TEST

/* ------------------------------------------------------------------ matmul */

static double dot(const struct accel_tensor *a, const struct accel_tensor *b,
		  const uint32_t i[4])
{
	double sum = 0;
	uint32_t k;

	for (k = 0; k < a->dim[0]; k++)
		sum += t_rep(a, DIM(k, i[1], i[2], i[3])) *
		       t_rep(b, DIM(i[0], k, i[2], i[3]));
	return sum;
}

static void check_product(const struct accel_tensor *d,
			  const struct accel_tensor *a,
			  const struct accel_tensor *b,
			  const struct accel_tensor *c, double alpha)
{
	uint32_t i[4] = { 0 };

	do {
		t_near(d, i, alpha * dot(a, b, i) + (c ? t_rep(c, i) : 0));
	} while (t_next(i, d->dim));
}

static const uint32_t product_types[] = { F32, BF16 };

START_TEST(test_matmul_adds_a_bias_row)
{
	uint32_t type = product_types[_i];
	struct accel_tensor a = t_input(type, 150, 6, 1, 1);
	struct accel_tensor b = t_input(type, 9, 150, 1, 1);
	struct accel_tensor c = t_input(F32, 9, 1, 1, 1);
	struct accel_tensor d = t_new(F32, 9, 6, 1, 1);

	t_run(accel_op_matmul(cb, &d, &a, &b, &c, 0.5f));
	check_product(&d, &a, &b, &c, 0.5);
}
END_TEST

START_TEST(test_matmul_of_transposed_views)
{
	struct accel_tensor a0 = t_input(BF16, 8, 40, 1, 1);
	struct accel_tensor b0 = t_input(BF16, 40, 11, 1, 1);
	struct accel_tensor a = accel_tensor_transpose(&a0);
	struct accel_tensor b = accel_tensor_transpose(&b0);
	struct accel_tensor d = t_new(BF16, 11, 7, 1, 1);

	a = accel_tensor_rows(&a, 1, 7);
	t_run(accel_op_matmul(cb, &d, &a, &b, NULL, 1));
	check_product(&d, &a, &b, NULL, 1);
}
END_TEST

START_TEST(test_matmul_batches_broadcast)
{
	struct accel_tensor a = t_input(F32, 5, 4, 1, 2);
	struct accel_tensor b = t_input(F32, 3, 5, 6, 1);
	struct accel_tensor d = t_new(F32, 3, 4, 6, 2);

	t_run(accel_op_matmul(cb, &d, &a, &b, NULL, 1));
	check_product(&d, &a, &b, NULL, 1);
}
END_TEST

START_TEST(test_matmul_of_integers_is_exact)
{
	struct accel_tensor a = t_input(LOOM_TYPE_I8, 300, 4, 1, 1);
	struct accel_tensor b = t_input(LOOM_TYPE_I8, 3, 300, 1, 1);
	struct accel_tensor d = t_new(I32, 3, 4, 1, 1);

	t_run(accel_op_matmul(cb, &d, &a, &b, NULL, 1));
	check_product(&d, &a, &b, NULL, 1);
}
END_TEST

/* A column of blocks whose scale is 1/2: quants as given. */
static void put_q8_0(const struct accel_tensor *t, uint32_t column)
{
	uint8_t *block = memory + (t->va - accel_bo_va(bo)) +
			 column * t->stride[1];
	unsigned int i;

	for (i = 0; i < t->dim[0]; i++) {
		uint8_t *p = block + i / 32 * 34;

		p[0] = 0x00;
		p[1] = 0x38;
		p[2 + i % 32] = (uint8_t)(i * 5 + column * 11);
	}
}

START_TEST(test_matmul_takes_transposed_blocks)
{
	struct accel_tensor a = t_input(F32, 64, 3, 1, 1);
	struct accel_tensor w = t_new(LOOM_TYPE_Q8_0, 64, 4, 1, 1);
	struct accel_tensor b = accel_tensor_transpose(&w);
	struct accel_tensor d = t_new(F32, 4, 3, 1, 1);
	uint32_t i[4] = { 0 }, k;
	double want;

	for (k = 0; k < 4; k++)
		put_q8_0(&w, k);
	t_run(accel_op_matmul(cb, &d, &a, &b, NULL, 1));
	do {
		for (want = 0, k = 0; k < 64; k++)
			want += t_get(&a, DIM(k, i[1])) * 0.5 *
				(int8_t)(k * 5 + i[0] * 11);
		t_near(&d, i, want);
	} while (t_next(i, d.dim));
}
END_TEST

START_TEST(test_matmul_multiplies_blocks_by_blocks)
{
	struct accel_tensor a = t_new(LOOM_TYPE_Q8_0, 64, 3, 1, 1);
	struct accel_tensor w = t_new(LOOM_TYPE_Q8_0, 64, 4, 1, 1);
	struct accel_tensor b = accel_tensor_transpose(&w);
	struct accel_tensor d = t_new(F32, 4, 3, 1, 1);
	struct accel_tensor at = accel_tensor_transpose(&a);
	uint32_t i[4] = { 0 }, k;
	double want;

	for (k = 0; k < 4; k++)
		put_q8_0(&w, k);
	for (k = 0; k < 3; k++)
		put_q8_0(&a, k);
	t_run(accel_op_matmul(cb, &d, &a, &b, NULL, 1));
	do {
		for (want = 0, k = 0; k < 64; k++)
			want += 0.25 * (int8_t)(k * 5 + i[1] * 11) *
				(int8_t)(k * 5 + i[0] * 11);
		t_near(&d, i, want);
	} while (t_next(i, d.dim));
	at.dim[0] = 64;
	at.dim[1] = 3;
	t_refused(accel_op_matmul(cb, &d, &at, &b, NULL, 1), "q8_0",
		  "along k");
}
END_TEST

/* ------------------------------------------------------------ element-wise */

typedef int map1_fn(struct accel_cmdbuf *, const struct accel_tensor *,
		    const struct accel_tensor *);
typedef int map2_fn(struct accel_cmdbuf *, const struct accel_tensor *,
		    const struct accel_tensor *, const struct accel_tensor *);

static double ref_sqr(double x) { return x * x; }
static double ref_neg(double x) { return -x; }
static double ref_relu(double x) { return x > 0 ? x : 0; }
static double ref_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double ref_silu(double x) { return x / (1 + exp(-x)); }

static double ref_gelu(double x)
{
	return x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double ref_gelu_erf(double x)
{
	return x / 2 * (1 + erf(x / sqrt(2)));
}

static const struct {
	const char *name;
	map1_fn *op;
	double (*ref)(double);
	/* positive: the function is for positive arguments only */
	bool positive;
} map1_ops[] = {
	{ "neg", accel_op_neg, ref_neg, false },
	{ "sqr", accel_op_sqr, ref_sqr, false },
	{ "sqrt", accel_op_sqrt, sqrt, true },
	{ "exp", accel_op_exp, exp, false },
	{ "log", accel_op_log, log, true },
	{ "relu", accel_op_relu, ref_relu, false },
	{ "sigmoid", accel_op_sigmoid, ref_sigmoid, false },
	{ "tanh", accel_op_tanh, tanh, false },
	{ "silu", accel_op_silu, ref_silu, false },
	{ "gelu", accel_op_gelu, ref_gelu, false },
	{ "gelu_erf", accel_op_gelu_erf, ref_gelu_erf, false },
};

#define NUM_MAP1 (int)(sizeof(map1_ops) / sizeof(map1_ops[0]))

START_TEST(test_map_of_one_source)
{
	struct accel_tensor src = t_input(F32, 37, 5, 2, 3);
	struct accel_tensor dst = t_new(F32, 37, 5, 2, 3);
	struct accel_tensor half = t_new(F16, 37, 5, 2, 3);
	uint32_t i[4] = { 0 };
	double want;

	if (map1_ops[_i].positive) {
		t_run(accel_op_sqr(cb, &src, &src));
		t_run(accel_op_scale(cb, &src, &src, 1, 0.0625f));
	}
	t_run(map1_ops[_i].op(cb, &dst, &src));
	t_run(map1_ops[_i].op(cb, &half, &src));
	do {
		want = map1_ops[_i].ref(t_get(&src, i));
		t_near(&dst, i, want);
		t_near(&half, i, want);
	} while (t_next(i, dst.dim));
}
END_TEST

static double ref_add(double a, double b) { return a + b; }
static double ref_sub(double a, double b) { return a - b; }
static double ref_mul(double a, double b) { return a * b; }
static double ref_div(double a, double b) { return a / b; }
static double ref_swiglu(double a, double b) { return ref_silu(a) * b; }
static double ref_geglu(double a, double b) { return ref_gelu(a) * b; }

static double ref_relu_backward(double dy, double y)
{
	return y > 0 ? dy : 0;
}

static const struct {
	const char *name;
	map2_fn *op;
	double (*ref)(double, double);
} map2_ops[] = {
	{ "add", accel_op_add, ref_add },
	{ "sub", accel_op_sub, ref_sub },
	{ "mul", accel_op_mul, ref_mul },
	{ "div", accel_op_div, ref_div },
	{ "swiglu", accel_op_swiglu, ref_swiglu },
	{ "geglu", accel_op_geglu, ref_geglu },
	{ "relu_backward", accel_op_relu_backward, ref_relu_backward },
};

#define NUM_MAP2 (int)(sizeof(map2_ops) / sizeof(map2_ops[0]))

static void check_map2(int op, const struct accel_tensor *dst,
		       const struct accel_tensor *a,
		       const struct accel_tensor *b)
{
	uint32_t i[4] = { 0 };
	double x, y;

	t_run(map2_ops[op].op(cb, dst, a, b));
	do {
		x = t_rep(a, i);
		y = t_rep(b, i);
		if (map2_ops[op].op != accel_op_div || y != 0)
			t_near(dst, i, map2_ops[op].ref(x, y));
	} while (t_next(i, dst->dim));
}

START_TEST(test_map_of_two_contiguous_sources)
{
	struct accel_tensor a = t_input(F32, 33, 4, 3, 2);
	struct accel_tensor b = t_input(BF16, 33, 4, 3, 2);
	struct accel_tensor dst = t_new(F32, 33, 4, 3, 2);

	check_map2(_i, &dst, &a, &b);
}
END_TEST

START_TEST(test_map_of_two_sources_repeats_the_smaller)
{
	struct accel_tensor a = t_input(F32, 12, 4, 3, 2);
	struct accel_tensor b = t_input(F32, 6, 1, 3, 1);
	struct accel_tensor dst = t_new(F32, 12, 4, 3, 2);

	check_map2(_i, &dst, &a, &b);
	b = t_input(F32, 1, 2, 1, 2);
	check_map2(_i, &dst, &a, &b);
}
END_TEST

START_TEST(test_map_of_strided_views_leaves_the_rest)
{
	struct accel_tensor a0 = t_input(F32, 9, 20, 1, 1);
	struct accel_tensor b = t_input(F32, 16, 7, 1, 1);
	struct accel_tensor all = t_input(F32, 20, 9, 1, 1);
	struct accel_tensor dst = accel_tensor_view(&all, DIM(3, 1, 0, 0),
						    DIM(16, 7, 1, 1));
	struct accel_tensor a = accel_tensor_transpose(&a0);
	double before = t_get(&all, DIM(2, 1));
	double after = t_get(&all, DIM(19, 7));

	a = accel_tensor_view(&a, DIM(2, 2, 0, 0), DIM(16, 7, 1, 1));
	check_map2(_i, &dst, &a, &b);
	ck_assert(t_get(&all, DIM(2, 1)) == before);
	ck_assert(t_get(&all, DIM(19, 7)) == after);
}
END_TEST

START_TEST(test_map_in_place)
{
	struct accel_tensor a = t_input(F32, 50, 3, 1, 1);
	double want = t_get(&a, DIM(49, 2)) * 2 - 1;

	t_run(accel_op_scale(cb, &a, &a, 2, -1));
	ck_assert(t_get(&a, DIM(49, 2)) == want);
}
END_TEST

START_TEST(test_scale_and_clamp)
{
	struct accel_tensor src = t_input(F32, 50, 3, 1, 1);
	struct accel_tensor dst = t_new(F32, 50, 3, 1, 1);
	uint32_t i[4] = { 0 };

	t_run(accel_op_scale(cb, &dst, &src, 0.3f, 7));
	do {
		t_near(&dst, i, (double)0.3f * t_get(&src, i) + 7);
	} while (t_next(i, dst.dim));
	t_run(accel_op_clamp(cb, &dst, &src, -1.5f, 2));
	do {
		t_near(&dst, i, fmin(fmax(t_get(&src, i), -1.5), 2));
	} while (t_next(i, dst.dim));
}
END_TEST

START_TEST(test_relu_keeps_nan)
{
	struct accel_tensor t = t_input(F32, 4, 1, 1, 1);

	t_put(&t, DIM(1), NAN);
	t_run(accel_op_relu(cb, &t, &t));
	ck_assert(isnan(t_get(&t, DIM(1))));
}
END_TEST

/* -------------------------------------------------------------------- rows */

static double mean(const struct accel_tensor *t, const uint32_t i[4],
		   double shift, int power)
{
	double sum = 0;
	uint32_t k;

	for (k = 0; k < t->dim[0]; k++)
		sum += pow(t_get(t, DIM(k, i[1], i[2], i[3])) - shift, power);
	return sum / t->dim[0];
}

START_TEST(test_rms_norm)
{
	struct accel_tensor src = t_input(F32, 67, 4, 3, 1);
	struct accel_tensor dst = t_new(F32, 67, 4, 3, 1);
	struct accel_tensor weight = t_input(F32, 67, 1, 1, 1);
	uint32_t i[4] = { 0 };
	double want;

	t_run(accel_op_rms_norm(cb, &dst, &src, _i ? &weight : NULL, 1e-5f));
	do {
		want = t_get(&src, i) / sqrt(mean(&src, i, 0, 2) + 1e-5);
		t_near(&dst, i, _i ? want * t_rep(&weight, i) : want);
	} while (t_next(i, dst.dim));
}
END_TEST

START_TEST(test_norm)
{
	struct accel_tensor src = t_input(F32, 67, 4, 3, 1);
	struct accel_tensor dst = t_new(F32, 67, 4, 3, 1);
	struct accel_tensor weight = t_input(F32, 67, 1, 1, 1);
	struct accel_tensor bias = t_input(F32, 67, 1, 1, 1);
	uint32_t i[4] = { 0 };
	double want, m;

	t_run(accel_op_norm(cb, &dst, &src, _i & 1 ? &weight : NULL,
			    _i & 2 ? &bias : NULL, 1e-5f));
	do {
		m = mean(&src, i, 0, 1);
		want = (t_get(&src, i) - m) / sqrt(mean(&src, i, m, 2) + 1e-5);
		if (_i & 1)
			want *= t_rep(&weight, i);
		if (_i & 2)
			want += t_rep(&bias, i);
		t_near(&dst, i, want);
	} while (t_next(i, dst.dim));
}
END_TEST

static double ref_softmax(const struct accel_tensor *src,
			  const struct accel_tensor *mask, double scale,
			  const uint32_t i[4])
{
	double sum = 0, own = 0, x;
	uint32_t k;

	for (k = 0; k < src->dim[0]; k++) {
		const uint32_t *at = DIM(k, i[1], i[2], i[3]);

		x = t_get(src, at) * scale + (mask ? t_rep(mask, at) : 0);
		sum += exp(x);
		if (k == i[0])
			own = exp(x);
	}
	return own / sum;
}

START_TEST(test_softmax)
{
	struct accel_tensor src = t_input(F32, 45, 4, 3, 2);
	struct accel_tensor dst = t_new(_i & 2 ? F16 : F32, 45, 4, 3, 2);
	struct accel_tensor mask = t_input(F32, 45, 4, 1, 1);
	const struct accel_tensor *m = _i & 1 ? &mask : NULL;
	uint32_t i[4] = { 0 };

	t_put(&mask, DIM(3, 2), -INFINITY);
	t_run(accel_op_softmax(cb, &dst, &src, m, 0.75f));
	do {
		t_near(&dst, i, ref_softmax(&src, m, 0.75, i));
	} while (t_next(i, dst.dim));
}
END_TEST

START_TEST(test_softmax_in_place_of_large_values)
{
	struct accel_tensor t = t_new(F32, 3, 1, 1, 1);

	t_put(&t, DIM(0), 1000);
	t_put(&t, DIM(1), 1000);
	t_put(&t, DIM(2), -1000);
	t_run(accel_op_softmax(cb, &t, &t, NULL, 1));
	ck_assert(t_get(&t, DIM(0)) == 0.5);
	ck_assert(t_get(&t, DIM(2)) == 0);
}
END_TEST

START_TEST(test_sum_over_each_dimension)
{
	struct accel_tensor src = t_input(F32, 35, 6, 3, 2), dst;
	uint32_t dim[4], i[4] = { 0 }, at[4], k;
	double want;

	memcpy(dim, src.dim, sizeof(dim));
	dim[_i] = 1;
	dst = t_new(F32, dim[0], dim[1], dim[2], dim[3]);
	t_run(accel_op_sum(cb, &dst, &src, (unsigned int)_i));
	do {
		memcpy(at, i, sizeof(at));
		for (want = 0, k = 0; k < src.dim[_i]; k++) {
			at[_i] = k;
			want += t_get(&src, at);
		}
		t_near(&dst, i, want);
	} while (t_next(i, dim));
}
END_TEST

START_TEST(test_argmax_gives_the_first_of_equals)
{
	struct accel_tensor src = t_input(F32, 300, 5, 1, 1);
	struct accel_tensor dst = t_new(_i ? I64 : I32, 1, 5, 1, 1);
	uint32_t row;

	for (row = 0; row < 5; row++) {
		t_put(&src, DIM(20 + row * 60, row), 9);
		t_put(&src, DIM(290, row), 9);
	}
	t_run(accel_op_argmax(cb, &dst, &src));
	for (row = 0; row < 5; row++)
		ck_assert(t_get(&dst, DIM(0, row)) == 20 + row * 60);
}
END_TEST

/* -------------------------------------------------------------------- rope */

/* What @src becomes at @i: the pair of the element and its angle. */
static double ref_rope(const struct accel_tensor *src,
		       const struct accel_tensor *divisor,
		       const struct accel_rope_desc *d, double position,
		       const uint32_t i[4])
{
	uint32_t n = d->num_dims, pair, a, b;
	double theta, x0, x1;

	if (i[0] >= n)
		return t_get(src, i);
	pair = d->neox ? i[0] % (n / 2) : i[0] / 2;
	a = d->neox ? pair : 2 * pair;
	b = d->neox ? pair + n / 2 : 2 * pair + 1;
	theta = position * d->scale * pow(d->base, -2.0 * pair / n);
	if (divisor)
		theta /= t_get(divisor, DIM(pair));
	x0 = t_get(src, DIM(a, i[1], i[2], i[3])) * d->magnitude;
	x1 = t_get(src, DIM(b, i[1], i[2], i[3])) * d->magnitude;
	return i[0] == a ? x0 * cos(theta) - x1 * sin(theta) :
			   x0 * sin(theta) + x1 * cos(theta);
}

START_TEST(test_rope)
{
	struct accel_tensor src = t_input(F32, 24, 3, 5, 1);
	struct accel_tensor dst = t_new(F32, 24, 3, 5, 1);
	struct accel_tensor position = t_new(I32, 5, 1, 1, 1);
	struct accel_tensor divisor = t_new(F32, 8, 1, 1, 1);
	const struct accel_rope_desc desc = {
		.size = sizeof(desc),
		.num_dims = 16,
		.neox = _i & 1,
		.base = 10000,
		.scale = 0.5f,
		.magnitude = 1.25f,
	};
	const struct accel_tensor *div = _i & 2 ? &divisor : NULL;
	uint32_t i[4] = { 0 };

	for (i[0] = 0; i[0] < 5; i[0]++)
		t_put(&position, i, i[0] * 3);
	for (i[0] = 0; i[0] < 8; i[0]++)
		t_put(&divisor, i, 1 + i[0]);
	i[0] = 0;
	t_run(accel_op_rope(cb, &dst, &src, &position, div, &desc));
	do {
		t_near(&dst, i, ref_rope(&src, div, &desc, i[2] * 3, i));
	} while (t_next(i, dst.dim));
}
END_TEST

/* ---------------------------------------------------------------- training */

START_TEST(test_cross_entropy)
{
	struct accel_tensor logits = t_input(F32, 10, 33, 1, 1);
	struct accel_tensor loss = t_new(F32, 1, 33, 1, 1);
	struct accel_tensor dlogits = t_new(F32, 10, 33, 1, 1);
	struct accel_tensor label = t_new(I32, 1, 33, 1, 1);
	uint32_t i[4] = { 0 }, own;
	double p, scale = 0.25;

	for (i[1] = 0; i[1] < 33; i[1]++)
		t_put(&label, i, i[1] * 7 % 10);
	t_put(&label, DIM(0, 5), -1);
	i[1] = 0;
	t_run(accel_op_cross_entropy(cb, &loss, _i ? &dlogits : NULL, &logits,
				     &label, 0.25f));
	do {
		own = i[1] == 5 ? 99 : i[1] * 7 % 10;
		p = ref_softmax(&logits, NULL, 1, i);
		if (i[0] == own)
			t_near(&loss, DIM(0, i[1]), -log(p) * scale);
		if (_i)
			t_near(&dlogits, i, own == 99 ? 0 :
			       (p - (i[0] == own)) * scale);
	} while (t_next(i, logits.dim));
	ck_assert(t_get(&loss, DIM(0, 5)) == 0);
}
END_TEST

struct adamw_ref {
	double w, m, v;
};

static void ref_adamw(struct adamw_ref *r, double g,
		      const struct accel_adamw_desc *d)
{
	double c1 = 1 - pow(d->beta1, d->step);
	double c2 = 1 - pow(d->beta2, d->step);

	r->m += (1 - (double)d->beta1) * (g - r->m);
	r->v += (1 - (double)d->beta2) * (g * g - r->v);
	r->w *= 1 - (double)d->lr * d->weight_decay;
	r->w -= d->lr * (r->m / c1) / (sqrt(r->v / c2) + d->eps);
}

START_TEST(test_adamw_patched_for_many_steps)
{
	struct accel_tensor w = t_input(F32, 100, 3, 1, 1);
	struct accel_tensor m = t_new(F32, 100, 3, 1, 1);
	struct accel_tensor v = t_new(F32, 100, 3, 1, 1);
	struct accel_tensor g = t_input(F32, 100, 3, 1, 1);
	struct accel_tensor copy = t_new(BF16, 100, 3, 1, 1);
	struct accel_adamw_desc desc = {
		.size = sizeof(desc), .step = 1, .lr = 0.01f, .beta1 = 0.9f,
		.beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 0.1f,
	};
	struct adamw_ref ref = { .w = t_get(&w, DIM(42, 1)) };
	double grad = t_get(&g, DIM(42, 1));
	uint64_t point;

	ck_assert_int_eq(accel_cmd_nop(cb), 0);
	ck_assert_int_eq(accel_op_adamw(cb, &w, &m, &v, &g,
					_i ? &copy : NULL, &desc), 0);
	for (; desc.step <= 20; desc.step++, desc.lr *= 0.9f) {
		ck_assert_int_eq(accel_op_adamw_patch(cb, 64, &desc), 0);
		ck_assert_int_eq(accel_submit(queue, cb, &point), 0);
		ck_assert_int_eq(accel_wait(queue, point, -1), 0);
		ref_adamw(&ref, grad, &desc);
		t_near(&w, DIM(42, 1), ref.w);
		t_near(&m, DIM(42, 1), ref.m);
		t_near(&v, DIM(42, 1), ref.v);
		if (_i)
			t_near(&copy, DIM(42, 1), ref.w);
	}
}
END_TEST

START_TEST(test_adamw_patch_wants_an_adamw)
{
	struct accel_tensor a = t_input(F32, 10, 1, 1, 1);
	struct accel_adamw_desc desc = {
		.size = sizeof(desc), .step = 1, .lr = 0.01f,
	};

	ck_assert_int_eq(accel_op_add(cb, &a, &a, &a), 0);
	ck_assert_int_eq(accel_op_adamw_patch(cb, 0, &desc), -22);
	ck_assert_int_eq(accel_op_adamw_patch(cb, 1 << 20, &desc), -22);
	accel_cmdbuf_reset(cb);
	t_refused(accel_op_adamw_patch(cb, 0, &desc), "adamw", "offset 0");
	desc.step = 0;
	t_refused(accel_op_adamw(cb, &a, &a, &a, &a, NULL, &desc), "adamw",
		  "step");
}
END_TEST

/* ------------------------------------------------------------------ errors */

START_TEST(test_mismatch_names_operation_and_extents)
{
	struct accel_tensor a = t_new(F32, 3, 4, 1, 1);
	struct accel_tensor b = t_new(F32, 5, 4, 1, 1);
	struct accel_tensor i = t_new(I32, 9, 1, 1, 1);

	t_refused(accel_op_add(cb, &b, &b, &a), "add: b", "[3, 4, 1, 1]");
	t_refused(accel_op_copy(cb, &b, &a), "copy: src", "[3, 4, 1, 1]");
	t_refused(accel_op_matmul(cb, &a, &a, &b, NULL, 1), "matmul",
		  "[5, 4, 1, 1]");
	t_refused(accel_op_softmax(cb, &a, &b, NULL, 1), "softmax: dst",
		  "[5, 4, 1, 1]");
	t_refused(accel_op_get_rows(cb, &a, &a, &i), "get_rows: index",
		  "[9, 1, 1, 1]");
	t_refused(accel_op_sum(cb, &a, &b, 1), "sum: dst", "[5, 1, 1, 1]");
	t_refused(accel_op_sum(cb, &a, &b, 4), "sum", "dimension 4");
	t_refused(accel_op_argmax(cb, &a, &b), "argmax", "dst");
}
END_TEST

START_TEST(test_bad_tensors_are_named)
{
	struct accel_tensor a = t_new(F32, 3, 4, 1, 1);
	struct accel_tensor row = t_new(F32, 3, 1, 1, 1);
	struct accel_tensor none = accel_tensor_columns(&a, 2, 2);
	struct accel_tensor wide = accel_tensor_broadcast(&row, a.dim);

	t_refused(accel_op_add(cb, &a, &none, &a), "add: a", "type");
	t_refused(accel_op_add(cb, &a, &a, NULL), "add: b", "NULL");
	t_refused(accel_op_add(cb, NULL, &a, &a), "add", "NULL");
	t_refused(accel_op_add(cb, &wide, &a, &a), "add: dst", "stride 0");
	t_refused(accel_op_argmax(cb, &row, &a), "argmax", "dst");
}
END_TEST

START_TEST(test_rope_refuses_odd_extents_and_positions)
{
	struct accel_tensor x = t_new(F32, 8, 2, 5, 1);
	struct accel_tensor position = t_new(I32, 5, 1, 1, 1);
	struct accel_rope_desc desc = {
		.size = sizeof(desc), .num_dims = 7, .base = 10000, .scale = 1,
		.magnitude = 1,
	};

	t_refused(accel_op_rope(cb, &x, &x, &position, NULL, &desc), "rope",
		  "num_dims 7");
	desc.num_dims = 8;
	position.dim[0] = 4;
	t_refused(accel_op_rope(cb, &x, &x, &position, NULL, &desc),
		  "rope: position", "[4, 1, 1, 1]");
}
END_TEST

/* ----------------------------------------------------------------- threads */

static void *first_use(void *opaque)
{
	struct accel_tensor *t = opaque;
	struct accel_cmdbuf *own;
	int rc;

	rc = accel_cmdbuf_create(dev, &own);
	if (!rc)
		rc = accel_op_softmax(own, t, t, NULL, 1);
	accel_cmdbuf_destroy(own);
	return rc ? opaque : NULL;
}

START_TEST(test_first_use_by_many_threads)
{
	struct accel_tensor t = t_new(F32, 8, 8, 1, 1);
	pthread_t threads[8];
	void *failed;
	int i;

	for (i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, first_use,
						&t), 0);
	for (i = 0; i < 8; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

/* ------------------------------------------------------------------- suite */

static TCase *new_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return tc;
}

static void add_tensor_tests(Suite *suite)
{
	TCase *tc = new_case(suite, "tensor");

	tcase_add_test(tc, test_tensor_strides_are_contiguous);
	tcase_add_test(tc, test_tensor_view_of_view_adds_offsets);
	tcase_add_test(tc, test_tensor_beyond_its_source_is_none);
	tcase_add_test(tc, test_tensor_of_blocks_has_rows_of_blocks);
}

static void add_move_tests(Suite *suite)
{
	TCase *tc = new_case(suite, "move");

	tcase_add_test(tc, test_copy_transposes_and_converts);
	tcase_add_test(tc, test_copy_stretches_extents_of_one);
	tcase_add_loop_test(tc, test_fill_rounds_to_the_type, 0,
			    sizeof(fill_types) / sizeof(fill_types[0]));
	tcase_add_loop_test(tc, test_get_rows_gathers_by_index, 0, 2);
	tcase_add_test(tc, test_set_rows_scatters_by_index);
	tcase_add_test(tc, test_get_rows_index_beyond_the_table_fails_the_job);
}

static void add_matmul_tests(Suite *suite)
{
	TCase *tc = new_case(suite, "matmul");

	tcase_add_loop_test(tc, test_matmul_adds_a_bias_row, 0, 2);
	tcase_add_test(tc, test_matmul_of_transposed_views);
	tcase_add_test(tc, test_matmul_batches_broadcast);
	tcase_add_test(tc, test_matmul_of_integers_is_exact);
	tcase_add_test(tc, test_matmul_takes_transposed_blocks);
	tcase_add_test(tc, test_matmul_multiplies_blocks_by_blocks);
}

static void add_map_tests(Suite *suite)
{
	TCase *tc = new_case(suite, "map");

	tcase_add_loop_test(tc, test_map_of_one_source, 0, NUM_MAP1);
	tcase_add_loop_test(tc, test_map_of_two_contiguous_sources, 0,
			    NUM_MAP2);
	tcase_add_loop_test(tc, test_map_of_two_sources_repeats_the_smaller, 0,
			    NUM_MAP2);
	tcase_add_loop_test(tc, test_map_of_strided_views_leaves_the_rest, 0,
			    NUM_MAP2);
	tcase_add_test(tc, test_map_in_place);
	tcase_add_test(tc, test_scale_and_clamp);
	tcase_add_test(tc, test_relu_keeps_nan);
}

static void add_row_tests(Suite *suite)
{
	TCase *tc = new_case(suite, "rows");

	tcase_add_loop_test(tc, test_rms_norm, 0, 2);
	tcase_add_loop_test(tc, test_norm, 0, 4);
	tcase_add_loop_test(tc, test_softmax, 0, 4);
	tcase_add_test(tc, test_softmax_in_place_of_large_values);
	tcase_add_loop_test(tc, test_sum_over_each_dimension, 0, 4);
	tcase_add_loop_test(tc, test_argmax_gives_the_first_of_equals, 0, 2);
	tcase_add_loop_test(tc, test_rope, 0, 4);
}

static void add_train_tests(Suite *suite)
{
	TCase *tc = new_case(suite, "train");

	tcase_add_loop_test(tc, test_cross_entropy, 0, 2);
	tcase_add_loop_test(tc, test_adamw_patched_for_many_steps, 0, 2);
	tcase_add_test(tc, test_adamw_patch_wants_an_adamw);
}

static void add_error_tests(Suite *suite)
{
	TCase *tc = new_case(suite, "errors");

	tcase_add_test(tc, test_mismatch_names_operation_and_extents);
	tcase_add_test(tc, test_bad_tensors_are_named);
	tcase_add_test(tc, test_rope_refuses_odd_extents_and_positions);
	tcase_add_test(tc, test_first_use_by_many_threads);
}

int main(void)
{
	Suite *suite = suite_create("ops");
	SRunner *runner;
	int failed;

	add_tensor_tests(suite);
	add_move_tests(suite);
	add_matmul_tests(suite);
	add_map_tests(suite);
	add_row_tests(suite);
	add_train_tests(suite);
	add_error_tests(suite);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
