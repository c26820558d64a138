// SPDX-License-Identifier: MIT
/*
 * DOC: Modelled time: cycles of the arrays and of jobs
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"
#include "core_internal.h"

static struct loom_core_config cfg;
static struct loom_window window;
static struct loom_units units;
static struct loom_charge total;

static void setup(void)
{
	loom_core_config_default(&cfg);
	memset(&window, 0, sizeof(window));
	memset(&units, 0, sizeof(units));
	memset(&total, 0, sizeof(total));
}

/* Arrays ------------------------------------------------------------------ */

/*
 * The array tile by tile: a tile may start when the one before has streamed its
 * rows and when its own weights are loaded, one row per cycle, into the shadow
 * that became free when the one before started.
 */
static uint64_t reference_array(uint64_t m, uint64_t tiles)
{
	uint64_t start = cfg.array_rows, loaded, streamed, t;

	for (t = 1; t < tiles; t++) {
		loaded = start + cfg.array_rows;
		streamed = start + m;
		start = loaded > streamed ? loaded : streamed;
	}
	return start + m + cfg.array_rows + cfg.array_cols - 2;
}

START_TEST(test_matmul_equals_tile_by_tile_simulation)
{
	uint64_t batch, m, n, k, strips, tiles;
	unsigned int i;

	srand(1);
	for (i = 0; i < 500; i++) {
		cfg.num_arrays = 1 + rand() % 8;
		cfg.array_rows = 8u << rand() % 6;
		cfg.array_cols = 8u << rand() % 6;
		batch = 1 + rand() % 5;
		m = 1 + rand() % 700;
		n = 1 + rand() % 3000;
		k = 1 + rand() % 3000;
		strips = batch * ((n - 1) / cfg.array_cols + 1);
		tiles = ((strips - 1) / cfg.num_arrays + 1) *
			((k - 1) / cfg.array_rows + 1);
		ck_assert_uint_eq(loom_time_matmul(&cfg, LOOM_TYPE_BF16, batch,
						   m, n, k),
				  reference_array(m, tiles));
	}
}
END_TEST

START_TEST(test_matmul_golden_numbers)
{
	static const struct { uint64_t batch, m, n, k, cycles; } gold[] = {
		{ 1, 1, 1, 1, 383 },
		{ 1, 128, 128, 128, 510 },
		{ 1, 1, 4096, 4096, 33023 },
		{ 1, 512, 4096, 4096, 131454 },
		{ 32, 128, 128, 64, 1406 },
		{ 0, 1, 1, 1, 0 }, { 1, 0, 1, 1, 0 }, { 1, 1, 0, 1, 0 },
		{ 1, 1, 1, 0, 0 },
	};
	uint64_t cycles;
	unsigned int i;

	for (i = 0; i < sizeof(gold) / sizeof(gold[0]); i++) {
		cycles = loom_time_matmul(&cfg, LOOM_TYPE_I8, gold[i].batch,
					  gold[i].m, gold[i].n, gold[i].k);
		ck_assert_uint_eq(cycles, gold[i].cycles);
		cycles = loom_time_matmul(&cfg, LOOM_TYPE_F32, gold[i].batch,
					  gold[i].m, gold[i].n, gold[i].k);
		ck_assert_uint_eq(cycles, 4 * gold[i].cycles);
	}
}
END_TEST

START_TEST(test_large_matmul_keeps_the_arrays_busy)
{
	uint64_t cycles = loom_time_matmul(&cfg, LOOM_TYPE_BF16, 1, 8192, 8192,
					   8192);
	uint64_t ideal = 8192ull * 8192 * 8192 / (4 * 128 * 128);

	ck_assert_uint_ge(cycles, ideal);
	ck_assert_uint_le(cycles, ideal + ideal / 100);
}
END_TEST

START_TEST(test_absurd_sizes_are_clamped)
{
	uint64_t max = ~0u;

	ck_assert_uint_eq(loom_time_matmul(&cfg, LOOM_TYPE_F32, ~0ull, max, max,
					   max), LOOM_TIME_MAX);
	ck_assert_uint_eq(loom_time_vector(&cfg, ~0ull, max, 256, 256),
			  LOOM_TIME_MAX);
	ck_assert_uint_eq(loom_time_vector(&cfg, ~0ull, ~0ull, ~0u, ~0u),
			  LOOM_TIME_MAX);
}
END_TEST

/*
 * Tile by tile again: the sums of a tile may start when the one before has
 * streamed its K steps and the accumulators behind it have drained, a row per
 * cycle.
 */
static uint64_t reference_outputs(uint64_t k, uint64_t tiles)
{
	uint64_t start = 0, drained, streamed, t;

	for (t = 1; t < tiles; t++) {
		drained = start + cfg.array_rows;
		streamed = start + k;
		start = drained > streamed ? drained : streamed;
	}
	/* Skew in, sum, and the last rows leave one by one. */
	return start + k + (cfg.array_rows - 1) + (cfg.array_cols - 1) +
	       cfg.array_rows;
}

START_TEST(test_output_stationary_equals_tile_by_tile_simulation)
{
	uint64_t batch, m, n, k, tiles;
	unsigned int i;

	srand(2);
	cfg.dataflow = LOOM_DATAFLOW_OS;
	for (i = 0; i < 500; i++) {
		cfg.num_arrays = 1 + rand() % 8;
		cfg.array_rows = 8u << rand() % 6;
		cfg.array_cols = 8u << rand() % 6;
		batch = 1 + rand() % 5;
		m = 1 + rand() % 3000;
		n = 1 + rand() % 3000;
		k = 1 + rand() % 700;
		tiles = batch * ((m - 1) / cfg.array_rows + 1) *
			((n - 1) / cfg.array_cols + 1);
		tiles = (tiles - 1) / cfg.num_arrays + 1;
		ck_assert_uint_eq(loom_time_matmul(&cfg, LOOM_TYPE_BF16, batch,
						   m, n, k),
				  reference_outputs(k, tiles));
		ck_assert_uint_eq(loom_time_matmul(&cfg, LOOM_TYPE_F32, batch,
						   m, n, k),
				  4 * reference_outputs(k, tiles));
	}
	ck_assert_uint_eq(loom_time_matmul(&cfg, LOOM_TYPE_BF16, 1, 0, 1, 1),
			  0);
	ck_assert_uint_eq(loom_time_matmul(&cfg, LOOM_TYPE_F32, ~0ull, ~0u,
					   ~0u, ~0u), LOOM_TIME_MAX);
}
END_TEST

START_TEST(test_vector_golden_numbers)
{
	/* Rows, lanes, instructions in and outside of loops; 1024 lanes. */
	ck_assert_uint_eq(loom_time_vector(&cfg, 1, 1024, 5, 0), 5);
	ck_assert_uint_eq(loom_time_vector(&cfg, 1, 1025, 5, 0), 10);
	ck_assert_uint_eq(loom_time_vector(&cfg, 10, 4096, 3, 2), 140);
	ck_assert_uint_eq(loom_time_vector(&cfg, 16, 64, 3, 0), 3);
	ck_assert_uint_eq(loom_time_vector(&cfg, 17, 64, 3, 0), 6);
	ck_assert_uint_eq(loom_time_vector(&cfg, 8, 1, 0, 7), 56);
	ck_assert_uint_eq(loom_time_vector(&cfg, 0, 64, 3, 1), 0);
	ck_assert_uint_eq(loom_time_vector(&cfg, 4, 0, 3, 1), 0);
}
END_TEST

/* Jobs -------------------------------------------------------------------- */

static void add(const struct loom_charge *c)
{
	unsigned int i;
	uint64_t sum = 0;

	for (i = LOOM_PERF_CYC_TOTAL; i <= LOOM_PERF_CYC_IDLE; i++) {
		total.row[i] += c->row[i];
		sum += i ? c->row[i] : 0;
	}
	ck_assert_uint_eq(sum, c->row[LOOM_PERF_CYC_TOTAL]);
}

/* Cycles by which a command moves the end of its job. */
static uint64_t step(const struct loom_cost *cost, bool relaxed, bool barrier)
{
	struct loom_step s = {
		.cost = cost, .relaxed = relaxed, .barrier = barrier,
	};
	uint64_t edge = window.end;
	struct loom_charge c;
	struct loom_span span;

	loom_time_step(&cfg, &window, &units, &s, &span);
	ck_assert_uint_le(span.begin, span.issued);
	ck_assert_uint_le(span.issued, span.start);
	ck_assert_uint_le(span.start, span.computed);
	ck_assert_uint_le(span.computed, span.end);
	loom_time_charge(&span, edge, &c);
	ck_assert_uint_eq(c.row[LOOM_PERF_CYC_IDLE], 0);
	add(&c);
	return c.row[LOOM_PERF_CYC_TOTAL];
}

static const struct loom_cost nothing;
/* A card of 1 byte per cycle of HBM and PCIe, nearly. */
static void slow_memory(void)
{
	cfg.clock_khz = 1000000;
	cfg.hbm_channels = 1;
	cfg.hbm_channel_mbps = 1000;
	cfg.pcie_mbps = 1000;
}

START_TEST(test_job_starts_with_the_ring_fetch)
{
	struct loom_charge c;
	struct loom_span span;

	loom_time_job(&cfg, 0, &window, &span);
	loom_time_charge(&span, 0, &c);
	add(&c);
	ck_assert_uint_eq(total.row[LOOM_PERF_CYC_FRONT], 840);
	ck_assert_uint_eq(window.end, 840);
	ck_assert_uint_eq(step(&nothing, false, false), 32);
	ck_assert_uint_eq(window.end, 872);
}
END_TEST

START_TEST(test_compute_hides_memory)
{
	struct loom_cost cost = { .array_cycles = 10000, .hbm_rd = 900 };

	slow_memory();
	ck_assert_uint_eq(step(&cost, false, false), 32 + 10000);
	ck_assert_uint_eq(total.row[LOOM_PERF_CYC_ARRAY], 10000);
	ck_assert_uint_eq(total.row[LOOM_PERF_CYC_HBM], 0);
}
END_TEST

START_TEST(test_excess_goes_to_the_slower_memory)
{
	struct loom_cost cost = {
		.vector_cycles = 100, .hbm_rd = 920, .hbm_wr = 920,
		.pcie_rd = 900, .pcie_wr = 450,
	};

	slow_memory();
	ck_assert_uint_eq(step(&cost, false, false), 32 + 2000);
	ck_assert_uint_eq(total.row[LOOM_PERF_CYC_VECTOR], 100);
	ck_assert_uint_eq(total.row[LOOM_PERF_CYC_HBM], 1900);
	cost.pcie_wr = 2700;
	ck_assert_uint_eq(step(&cost, false, false), 32 + 3000);
	ck_assert_uint_eq(total.row[LOOM_PERF_CYC_PCIE], 2900);
	ck_assert_uint_eq(total.row[LOOM_PERF_CYC_FRONT], 64);
}
END_TEST

START_TEST(test_copy_engine_moves_1_kib_per_cycle)
{
	struct loom_cost cost = { .copy_bytes = 1 << 20 };

	ck_assert_uint_eq(step(&cost, false, false), 32 + 1024);
	cost.copy_bytes++;
	ck_assert_uint_eq(step(&cost, false, false), 32 + 1025);
	ck_assert_uint_eq(total.row[LOOM_PERF_CYC_COPY], 2049);
}
END_TEST

START_TEST(test_relaxed_commands_overlap_other_engines)
{
	struct loom_cost array = { .array_cycles = 1000 };
	struct loom_cost copy = { .copy_bytes = 500 << 10 };

	ck_assert_uint_eq(step(&array, false, false), 1032);
	/* Hidden behind the array, but in turn with its own engine. */
	ck_assert_uint_eq(step(&copy, true, false), 0);
	ck_assert_uint_eq(step(&copy, true, false), 32);
	ck_assert_uint_eq(total.row[LOOM_PERF_CYC_COPY], 32);
	/* Without the flag it waits for all. */
	ck_assert_uint_eq(step(&copy, false, false), 532);
}
END_TEST

START_TEST(test_fence_ends_overlap)
{
	struct loom_cost array = { .array_cycles = 1000 };
	struct loom_cost copy = { .copy_bytes = 500 << 10 };

	step(&array, false, false);
	step(&nothing, false, true);
	ck_assert_uint_eq(step(&copy, true, false), 532);
}
END_TEST

START_TEST(test_overlap_does_not_multiply_bandwidth)
{
	struct loom_cost a = { .array_cycles = 10, .hbm_rd = 920000 };
	struct loom_cost b = { .vector_cycles = 10, .hbm_rd = 920000 };

	slow_memory();
	step(&a, true, false);
	step(&b, true, false);
	ck_assert_uint_ge(window.end, 2000000);
	ck_assert_uint_eq(total.row[LOOM_PERF_CYC_TOTAL], window.end);
}
END_TEST

static struct loom_cost random_cost(void)
{
	struct loom_cost c = { 0 };

	switch (rand() % 4) {
	case 0:
		c.array_cycles = rand() % 5000;
		break;
	case 1:
		c.vector_cycles = rand() % 5000;
		break;
	case 2:
		c.copy_bytes = rand() % 5000000;
		break;
	}
	c.hbm_rd = rand() % 3000000;
	c.hbm_wr = rand() % 3000000;
	c.pcie_rd = rand() % 2 ? rand() % 90000 : 0;
	c.pcie_wr = rand() % 2 ? rand() % 90000 : 0;
	return c;
}

START_TEST(test_rows_sum_to_the_total_always)
{
	struct loom_cost cost;
	unsigned int i;

	srand(_i);
	for (i = 0; i < 20000; i++) {
		cost = random_cost();
		step(&cost, rand() % 2, rand() % 16 == 0);
		ck_assert_uint_eq(total.row[LOOM_PERF_CYC_TOTAL], window.end);
		ck_assert_uint_le(window.front, window.end);
		ck_assert_uint_le(window.barrier, window.end);
	}
}
END_TEST

START_TEST(test_overflowing_cost_is_clamped)
{
	struct loom_cost cost;

	memset(&cost, 0xff, sizeof(cost));
	ck_assert_uint_le(step(&cost, false, false), 2 * LOOM_TIME_MAX);
	ck_assert_uint_ge(window.end, LOOM_TIME_MAX);
}
END_TEST

/* Cards ------------------------------------------------------------------- */

static uint64_t run_card(unsigned int budget, uint64_t *perf)
{
	struct t_card *card = t_card_create(NULL);
	uint64_t a = t_hbm_alloc(card, 1 << 20), b = t_hbm_alloc(card, 1 << 20);
	struct loom_cmd_copy cmds[8];
	struct loom_completion c;
	uint64_t va, end;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		cmds[i] = t_copy_bytes(i % 2 ? a : b, i % 2 ? b : a, 1 << 20);
		cmds[i].hdr.flags = i % 3 ? LOOM_CMD_F_RELAXED : 0;
	}
	va = t_hbm_alloc(card, sizeof(cmds));
	memcpy(t_ptr(card, va), cmds, sizeof(cmds));
	t_queue_push(card, 0, va, sizeof(cmds));
	t_doorbell(card, 0);
	while (loom_core_run(card->core, budget))
		;
	c = *t_completion(card, 0, 0);
	ck_assert_uint_eq(c.error, 0);
	for (i = 0; i < LOOM_PERF_COUNT; i++)
		perf[i] = t_perf(card, i);
	end = c.end;
	t_card_destroy(card);
	return end;
}

START_TEST(test_time_does_not_depend_on_how_the_card_is_driven)
{
	uint64_t perf[2][LOOM_PERF_COUNT];
	uint64_t end = run_card(1000, perf[0]);

	ck_assert_uint_eq(run_card(1, perf[1]), end);
	ck_assert_mem_eq(perf[0], perf[1], sizeof(perf[0]));
	ck_assert_uint_eq(perf[0][LOOM_PERF_CYC_TOTAL], end);
	ck_assert_uint_eq(perf[0][LOOM_PERF_CYC_IDLE], 0);
	ck_assert_uint_eq(perf[0][LOOM_PERF_COMMANDS], 8);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("timing");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_matmul_equals_tile_by_tile_simulation);
	tcase_add_test(tc, test_output_stationary_equals_tile_by_tile_simulation);
	tcase_add_test(tc, test_matmul_golden_numbers);
	tcase_add_test(tc, test_large_matmul_keeps_the_arrays_busy);
	tcase_add_test(tc, test_absurd_sizes_are_clamped);
	tcase_add_test(tc, test_vector_golden_numbers);
	tcase_add_test(tc, test_job_starts_with_the_ring_fetch);
	tcase_add_test(tc, test_compute_hides_memory);
	tcase_add_test(tc, test_excess_goes_to_the_slower_memory);
	tcase_add_test(tc, test_copy_engine_moves_1_kib_per_cycle);
	tcase_add_test(tc, test_relaxed_commands_overlap_other_engines);
	tcase_add_test(tc, test_fence_ends_overlap);
	tcase_add_test(tc, test_overlap_does_not_multiply_bandwidth);
	tcase_add_loop_test(tc, test_rows_sum_to_the_total_always, 0, 5);
	tcase_add_test(tc, test_overflowing_cost_is_clamped);
	tcase_add_test(tc, test_time_does_not_depend_on_how_the_card_is_driven);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
