// SPDX-License-Identifier: MIT
/*
 * What loom-time says of a product is what the counters of a card say after
 * computing it: the same jobs over "sim:", through libaccel, compared exactly.
 */
#include <inttypes.h>
#include <string.h>

#include <accel/accel_ops.h>

#include "loom_time.h"
#include "tap.h"

#define MAX_GEMMS	4

/** struct job - products of one submission, and the card they run on */
struct job {
	/** @spec: "key=value,..." for sim: and for setup_set() alike */
	const char *spec;
	const char *type;
	const char *out_type;
	/** @system: operands in system memory */
	bool system;
	struct gemm gemm[MAX_GEMMS];
};

/** struct bench - a job being run */
struct bench {
	struct accel_device *dev;
	struct accel_queue *queue;
	struct accel_cmdbuf *cb;
	struct accel_bo *bo;
	struct setup setup;
};

#define ACCEL_OK(call)							\
	do {								\
		if (call)						\
			tap_fail(__FILE__, __LINE__, "%s: %s", #call,	\
				 accel_last_error()->message);		\
	} while (0)

static void make_setup(struct setup *s, const struct job *job)
{
	char text[256], err[TIME_TEXT], *rest = text, *key, *value;

	setup_init(s);
	s->type = type_find(job->type);
	s->out_type = type_find(job->out_type);
	s->system = job->system;
	snprintf(text, sizeof(text), "%s", job->spec);
	while ((key = strsep(&rest, ","))) {
		value = strchr(key, '=');
		*value++ = '\0';
		if (setup_set(s, key, value, err))
			tap_fail(__FILE__, __LINE__, "%s", err);
	}
	if (setup_check(s, err))
		tap_fail(__FILE__, __LINE__, "%s", err);
}

static size_t count_of(const struct job *job)
{
	size_t count = 0;

	while (count < MAX_GEMMS && job->gemm[count].m)
		count++;
	return count;
}

static void open_bench(struct bench *b, const struct job *job)
{
	const uint64_t bytes = 32 << 20;
	char spec[256];

	make_setup(&b->setup, job);
	snprintf(spec, sizeof(spec), "sim:hbm=64M,workers=1,%s", job->spec);
	ACCEL_OK(accel_device_open(spec, &b->dev));
	ACCEL_OK(accel_queue_create(b->dev, NULL, &b->queue));
	ACCEL_OK(accel_cmdbuf_create(b->dev, &b->cb));
	ACCEL_OK(accel_bo_create(b->dev, bytes,
				 job->system ? ACCEL_HOST : ACCEL_HBM, &b->bo));
}

static void close_bench(struct bench *b)
{
	accel_cmdbuf_destroy(b->cb);
	accel_bo_destroy(b->bo);
	accel_queue_destroy(b->queue);
	accel_device_close(b->dev);
}

static void record(struct bench *b, const struct gemm *g)
{
	const struct setup *s = &b->setup;
	uint64_t va = accel_bo_va(b->bo);
	struct accel_tensor a, x, d;

	a = accel_tensor_2d(va, (int)s->type->type, g->k, g->m);
	x = accel_tensor_2d(va + (8 << 20), (int)s->type->type, g->n, g->k);
	d = accel_tensor_2d(va + (16 << 20), (int)s->out_type->type, g->n,
			    g->m);
	ACCEL_OK(accel_op_matmul(b->cb, &d, &a, &x, NULL, 1));
}

static void compare(const struct accel_counters *before,
		    const struct accel_counters *after, unsigned int counter,
		    uint64_t expected, const char *name)
{
	uint64_t value = after->value[counter] - before->value[counter];

	if (value != expected)
		tap_fail(__FILE__, __LINE__,
			 "%s: the card says %" PRIu64 ", loom-time %" PRIu64,
			 name, value, expected);
}

static void compare_all(const struct accel_counters *x,
			const struct accel_counters *y, const struct times *t)
{
	compare(x, y, LOOM_PERF_CYC_TOTAL, t->cycles, "cycles");
	compare(x, y, LOOM_PERF_CYC_ARRAY, t->array, "array");
	compare(x, y, LOOM_PERF_CYC_VECTOR, 0, "vector");
	compare(x, y, LOOM_PERF_CYC_COPY, 0, "copy");
	compare(x, y, LOOM_PERF_CYC_HBM, t->stall_hbm, "stall_hbm");
	compare(x, y, LOOM_PERF_CYC_PCIE, t->stall_pcie, "stall_pcie");
	compare(x, y, LOOM_PERF_CYC_FRONT, t->front, "front");
	compare(x, y, LOOM_PERF_CYC_IDLE, 0, "idle");
	compare(x, y, LOOM_PERF_HBM_RD_BYTES, t->hbm_rd, "bytes_hbm_read");
	compare(x, y, LOOM_PERF_HBM_WR_BYTES, t->hbm_wr, "bytes_hbm_write");
	compare(x, y, LOOM_PERF_PCIE_RD_BYTES, t->pcie_rd, "bytes_pcie_read");
	compare(x, y, LOOM_PERF_PCIE_WR_BYTES, t->pcie_wr, "bytes_pcie_write");
	compare(x, y, LOOM_PERF_MACS, t->macs, "macs");
}

static void check_job(const struct job *job)
{
	struct accel_counters x = { .size = sizeof(x) }, y = x;
	struct gemm_list list = { .count = count_of(job) };
	struct gemm gemm[MAX_GEMMS];
	struct bench b;
	struct report r;
	uint64_t point;
	size_t i;

	memcpy(gemm, job->gemm, sizeof(gemm));
	list.gemm = gemm;
	open_bench(&b, job);
	for (i = 0; i < list.count; i++)
		record(&b, &gemm[i]);
	ACCEL_OK(accel_device_counters(b.dev, &x));
	ACCEL_OK(accel_submit(b.queue, b.cb, &point));
	ACCEL_OK(accel_wait(b.queue, point, -1));
	ACCEL_OK(accel_device_counters(b.dev, &y));
	EXPECT(!report_make(&r, &b.setup, &list));
	compare_all(&x, &y, &r.total);
	tap_note("%s %s: %zu products, %" PRIu64 " cycles, %" PRIu64 " of HBM, %" PRIu64 " of PCIe",
		 job->spec, job->type, list.count, r.total.cycles,
		 r.total.stall_hbm, r.total.stall_pcie);
	report_free(&r);
	close_bench(&b);
}

TEST(one_product_of_every_type_costs_what_the_card_counts)
{
	static const char *const types[][2] = {
		{ "i8", "i32" }, { "f8e4m3", "bf16" }, { "f8e5m2", "f32" },
		{ "bf16", "f32" }, { "bf16", "bf16" }, { "f16", "f16" },
		{ "f32", "f32" },
	};
	struct job job = {
		.spec = "arrays=2", .gemm = { { "g", 100, 300, 200 } },
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		job.type = types[i][0];
		job.out_type = types[i][1];
		check_job(&job);
	}
}

TEST(odd_shapes_cost_what_the_card_counts)
{
	static const struct gemm gemm[] = {
		{ "one", 1, 1, 1 }, { "row", 1, 700, 900 },
		{ "column", 700, 1, 900 }, { "outer", 300, 301, 1 },
		{ "edge", 129, 129, 129 }, { "tile", 128, 128, 128 },
		{ "tall", 1000, 17, 33 },
	};
	struct job job = {
		.spec = "arrays=4", .type = "bf16", .out_type = "f32",
	};
	size_t i;

	for (i = 0; i < sizeof(gemm) / sizeof(gemm[0]); i++) {
		job.gemm[0] = gemm[i];
		check_job(&job);
	}
}

TEST(other_cards_cost_what_they_count)
{
	static const char *const specs[] = {
		"arrays=1,rows=8,cols=8", "arrays=3,rows=64,cols=256",
		"arrays=64,rows=512,cols=512", "clock-khz=999999",
		"hbm-channels=1,hbm-channel-mbps=1000,clock-khz=700000",
		"pcie-mbps=1", "hbm-channels=3,hbm-channel-mbps=33333",
		"dataflow=os", "arrays=3,rows=64,cols=256,dataflow=os",
	};
	struct job job = {
		.type = "bf16", .out_type = "f32",
		.gemm = { { "g", 90, 300, 200 } },
	};
	size_t i;

	for (i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		job.spec = specs[i];
		check_job(&job);
	}
}

TEST(operands_larger_than_sram_are_read_as_often_as_the_card_does)
{
	static const struct job jobs[] = {
		{ "sram=2M", "bf16", "f32", false, { { "", 16, 17, 60000 } } },
		{ "sram=2M", "i8", "i32", false, { { "", 33, 32, 130000 } } },
		{ "sram=2M,hbm-channels=1,hbm-channel-mbps=5000", "f32", "f32",
		  false, { { "", 16, 16, 40000 } } },
		/* Exactly a half of SRAM, and two bytes more. */
		{ "sram=2M", "bf16", "f32", false, { { "", 16, 16, 32768 } } },
		{ "sram=2M", "bf16", "f32", false, { { "", 16, 16, 32769 } } },
	};
	size_t i;

	for (i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		check_job(&jobs[i]);
}

TEST(operands_in_system_memory_wait_for_pcie_as_on_the_card)
{
	static const struct job jobs[] = {
		{ "arrays=4", "bf16", "f32", true, { { "", 200, 300, 400 } } },
		{ "pcie-mbps=500", "i8", "i32", true, { { "", 9, 8, 7 } } },
		{ "sram=2M", "bf16", "f32", true, { { "", 16, 17, 60000 } } },
	};
	size_t i;

	for (i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		check_job(&jobs[i]);
}

TEST(a_list_costs_what_the_card_counts_for_the_job)
{
	static const struct job job = {
		"arrays=2,rows=32,cols=64,hbm-channels=2,hbm-channel-mbps=9000",
		"bf16", "f32", false,
		{ { "a", 64, 256, 784 }, { "b", 64, 128, 256 },
		  { "c", 64, 10, 128 }, { "d", 1, 1, 1 } },
	};

	check_job(&job);
}

TAP_MAIN()
