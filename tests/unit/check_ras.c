// SPDX-License-Identifier: MIT
/*
 * DOC: Memory errors, sensors and the HBM window
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"

#define PAGE	((uint64_t)LOOM_PAGE_SIZE)

static struct t_card *card;

static void setup(void)
{
	card = t_card_create(NULL);
	t_queue_init(card, 1, T_CTX, 1);
}

static void teardown(void)
{
	t_card_destroy(card);
}

__attribute__((format(printf, 1, 2)))
static void arm(const char *fmt, ...)
{
	char text[200], buf[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ck_assert_ptr_null(loom_core_inject(card->core, text, buf,
					    sizeof(buf)));
}

static struct loom_event *event_at(unsigned int n)
{
	struct loom_event *e = t_sys_ptr(card, card->events);

	return &e[n % (1u << T_RING_LOG2)];
}

static struct loom_completion copy(uint64_t dst, uint64_t src, uint32_t bytes)
{
	struct loom_cmd_copy cmd = t_copy_bytes(dst, src, bytes);

	return t_run_cmds(card, &cmd, sizeof(cmd));
}

static uint64_t ue_count(void)
{
	return t_read64(card, LOOM_REG_RAS_UE_COUNT);
}

static void scrub(uint64_t page)
{
	t_write64(card, LOOM_REG_RAS_SCRUB, page);
}

/* Errors ------------------------------------------------------------------ */

START_TEST(test_corrected_error_is_counted_and_told)
{
	uint64_t src = t_hbm_alloc(card, PAGE), dst = t_hbm_alloc(card, PAGE);

	memset(t_ptr(card, src), 7, PAGE);
	arm("ecc-corrected,addr=0x%llx", (unsigned long long)src + 72);
	ck_assert_uint_eq(copy(dst, src, PAGE).error, LOOM_ERR_NONE);
	ck_assert_mem_eq(t_ptr(card, src), t_ptr(card, dst), PAGE);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_RAS_CE_COUNT), 1);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_RAS_CE_ADDR), src + 72);
	ck_assert_uint_eq(event_at(0)->type, LOOM_EVENT_ECC_CORRECTED);
	ck_assert_uint_eq(event_at(0)->addr, src + 72);
	ck_assert_uint_eq(ue_count(), 0);
}
END_TEST

START_TEST(test_uncorrected_error_ends_the_command_and_poisons)
{
	uint64_t src = t_hbm_alloc(card, 4 * PAGE);
	uint64_t dst = t_hbm_alloc(card, 4 * PAGE), bad = src + 2 * PAGE, page;
	struct loom_completion c;

	arm("ecc-uncorrected,addr=0x%llx", (unsigned long long)bad + 8);
	c = copy(dst, src, 4 * PAGE);
	ck_assert_uint_eq(c.error, LOOM_ERR_HBM_ECC);
	ck_assert_uint_eq(c.fault_addr, bad);
	ck_assert_uint_eq(c.access, LOOM_ACCESS_READ);
	ck_assert_uint_eq(ue_count(), 1);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_RAS_UE_ADDR), bad);
	ck_assert_uint_eq(event_at(0)->type, LOOM_EVENT_ECC_UNCORRECTED);
	ck_assert_uint_eq(event_at(0)->addr, bad);
	ck_assert_uint_eq(event_at(0)->queue, 0);
	ck_assert_uint_eq(event_at(0)->context, T_CTX);
	ck_assert_uint_eq(event_at(1)->type, LOOM_EVENT_QUEUE_ERROR);
	ck_assert_uint_eq(event_at(1)->error, LOOM_ERR_HBM_ECC);
	ck_assert_uint_eq(loom_core_poison(card->core, &page, 1), 1);
	ck_assert_uint_eq(page, bad);
	/* The pages around it are as good as before. */
	ck_assert_uint_eq(copy(dst, src, 2 * PAGE).error, LOOM_ERR_NONE);
	ck_assert_uint_eq(copy(dst, src + 3 * PAGE, PAGE).error, LOOM_ERR_NONE);
	ck_assert_uint_eq(copy(dst, bad + PAGE - 1, 1).error, LOOM_ERR_HBM_ECC);
	ck_assert_uint_eq(ue_count(), 2);
}
END_TEST

START_TEST(test_patrol_finds_a_page_for_nobody)
{
	uint64_t src = t_hbm_alloc(card, PAGE), dst = t_hbm_alloc(card, PAGE);

	arm("poison,addr=0x%llx", (unsigned long long)src + 100);
	ck_assert_uint_eq(event_at(0)->type, LOOM_EVENT_ECC_UNCORRECTED);
	ck_assert_uint_eq(event_at(0)->queue, ~0u);
	ck_assert_uint_eq(event_at(0)->context, ~0u);
	ck_assert_uint_eq(event_at(0)->addr, src);
	ck_assert_uint_eq(ue_count(), 1);
	ck_assert_uint_eq(copy(dst, src, PAGE).error, LOOM_ERR_HBM_ECC);
}
END_TEST

START_TEST(test_poison_without_address_follows_its_seed)
{
	uint64_t page[2];

	arm("poison,seed=5");
	arm("poison,seed=5");
	ck_assert_uint_eq(loom_core_poison(card->core, page, 2), 1);
	ck_assert_uint_eq(page[0] % PAGE, 0);
	ck_assert_uint_lt(page[0], card->cfg.hbm_size);
	arm("poison,seed=6");
	ck_assert_uint_eq(loom_core_poison(card->core, page, 2), 2);
	ck_assert_uint_lt(page[0], page[1]);
}
END_TEST

START_TEST(test_writing_does_not_heal_and_scrubbing_does)
{
	uint64_t src = t_hbm_alloc(card, PAGE), dst = t_hbm_alloc(card, PAGE);
	unsigned char zero[LOOM_PAGE_SIZE] = { 0 };
	unsigned long long dirty;

	arm("poison,addr=0x%llx", (unsigned long long)src);
	ck_assert_uint_eq(copy(src, dst, PAGE).error, LOOM_ERR_NONE);
	ck_assert_uint_eq(copy(dst, src, PAGE).error, LOOM_ERR_HBM_ECC);
	memset(t_ptr(card, src), 9, PAGE);
	dirty = atomic_load(&card->dirty_bytes);
	scrub(src + 5);
	ck_assert_uint_eq(atomic_load(&card->dirty_bytes), dirty + PAGE);
	ck_assert_mem_eq(t_ptr(card, src), zero, PAGE);
	ck_assert_uint_eq(copy(dst, src, PAGE).error, LOOM_ERR_NONE);
	ck_assert_uint_eq(loom_core_poison(card->core, &src, 1), 0);
}
END_TEST

START_TEST(test_scrub_beyond_hbm_is_refused)
{
	unsigned int lines = atomic_load(&card->log_lines);

	scrub(card->cfg.hbm_size);
	scrub(~0ull);
	ck_assert_uint_eq(atomic_load(&card->log_lines), lines + 2);
}
END_TEST

START_TEST(test_poison_and_counters_outlive_resets)
{
	uint64_t src = t_hbm_alloc(card, PAGE), page;

	arm("poison,addr=0x%llx", (unsigned long long)src);
	loom_core_reset(card->core);
	ck_assert_uint_eq(loom_core_poison(card->core, &page, 1), 1);
	ck_assert_uint_eq(page, src);
	ck_assert_uint_eq(ue_count(), 1);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_RAS_UE_ADDR), src);
}
END_TEST

START_TEST(test_poisoned_commands_are_not_run)
{
	uint64_t va = t_hbm_alloc(card, PAGE);
	struct loom_completion c;

	*(struct loom_cmd_nop *)t_ptr(card, va) = t_nop();
	arm("poison,addr=0x%llx", (unsigned long long)va);
	c = t_submit(card, 0, va, 64);
	ck_assert_uint_eq(c.error, LOOM_ERR_HBM_ECC);
	ck_assert_uint_eq(c.fault_addr, va);
}
END_TEST

START_TEST(test_poisoned_page_table_ends_the_walk)
{
	uint64_t src = t_hbm_alloc(card, PAGE), dst = t_hbm_alloc(card, PAGE);
	uint64_t va = 0x123400000000, table;
	struct loom_completion c;
	int level = _i;

	t_map(card, T_CTX, va, LOOM_KIND_HBM, src, PAGE, true);
	table = level == LOOM_PT_LEVELS - 1 ? card->root[T_CTX] :
		*t_pte(card, T_CTX, va, level + 1) & LOOM_PTE_ADDR;
	if (level == LOOM_PT_LEVELS - 1)
		return;
	arm("poison,addr=0x%llx", (unsigned long long)table);
	c = copy(dst, va, PAGE);
	ck_assert_uint_eq(c.error, LOOM_ERR_HBM_ECC);
	ck_assert_uint_eq(c.fault_addr, va);
	ck_assert_uint_eq(event_at(1)->addr, table);
	ck_assert_uint_eq(event_at(1)->queue, 0);
	ck_assert_uint_eq(copy(dst, src, PAGE).error, LOOM_ERR_NONE);
}
END_TEST

START_TEST(test_poisoned_root_stops_every_walk)
{
	uint64_t src = t_hbm_alloc(card, PAGE), dst = t_hbm_alloc(card, PAGE);

	t_invalidate(card, T_CTX);
	arm("poison,addr=0x%llx", (unsigned long long)card->root[T_CTX]);
	ck_assert_uint_eq(copy(dst, src, PAGE).error, LOOM_ERR_HBM_ECC);
}
END_TEST

START_TEST(test_poison_beside_what_is_read_is_not_met)
{
	uint64_t src = t_hbm_alloc(card, 3 * PAGE);
	uint64_t dst = t_hbm_alloc(card, 3 * PAGE);
	struct loom_cmd_copy cmd = t_copy_bytes(dst, src, 64);

	/* Two rows, a page apart, with a poisoned page in between. */
	cmd.dim[1] = 2;
	cmd.src_stride[1] = 2 * PAGE;
	cmd.dst_stride[1] = 2 * PAGE;
	arm("poison,addr=0x%llx", (unsigned long long)(src + PAGE));
	ck_assert_uint_eq(t_run_cmds(card, &cmd, sizeof(cmd)).error, 0);
	ck_assert_uint_eq(ue_count(), 1);
}
END_TEST

START_TEST(test_more_poison_than_fits_is_bounded)
{
	uint64_t page[1100], i;

	for (i = 0; i < 1100; i++)
		arm("poison,addr=0x%llx", (unsigned long long)(1099 - i) * PAGE);
	ck_assert_uint_eq(loom_core_poison(card->core, page, 1100), 1024);
	for (i = 1; i < 1024; i++)
		ck_assert_uint_lt(page[i - 1], page[i]);
}
END_TEST

/* Sensors ----------------------------------------------------------------- */

static struct loom_core_config sensor_config(void)
{
	struct loom_core_config cfg;

	loom_core_config_default(&cfg);
	cfg.hbm_size = 64 << 20;
	cfg.sram_size = 2 << 20;
	return cfg;
}

static void rebuild(const struct loom_core_config *cfg)
{
	t_card_destroy(card);
	card = t_card_create(cfg);
}

START_TEST(test_idle_card_draws_its_static_power)
{
	ck_assert_uint_eq(t_read32(card, LOOM_REG_SENSOR_POWER), 60000);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_SENSOR_TEMP), 35000 + 9000);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_SENSOR_TEMP_CRIT), 105000);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_SENSOR_ENERGY), 0);
}
END_TEST

/* What a copy costs by the definition, against what the card says. */
START_TEST(test_energy_of_a_copy_is_its_bytes_and_its_time)
{
	struct loom_core_config cfg = sensor_config();
	uint64_t src, dst, t0, t1, hbm, expected;

	cfg.hbm_byte_fj = 1000000;
	rebuild(&cfg);
	src = t_hbm_alloc(card, 1 << 20);
	dst = t_hbm_alloc(card, 1 << 20);
	t0 = t_read64(card, LOOM_REG_TIME);
	ck_assert_uint_eq(copy(dst, src, 1 << 20).error, 0);
	t1 = t_read64(card, LOOM_REG_TIME);
	hbm = 2 << 20;
	/* 60 W in cycles of 1.4 GHz, and 1 nJ a byte; in microjoules */
	expected = (t1 - t0) * 60 / 1400 + hbm / 1000;
	ck_assert_uint_ge(t_read64(card, LOOM_REG_SENSOR_ENERGY), expected);
	ck_assert_uint_le(t_read64(card, LOOM_REG_SENSOR_ENERGY), expected + 2);
	ck_assert_uint_gt(t_read32(card, LOOM_REG_SENSOR_POWER), 61000);
}
END_TEST

/* Enough copies to fill the window of power: some modelled milliseconds. */
static void work(unsigned int copies)
{
	uint64_t src = t_hbm_alloc(card, 4 << 20);
	uint64_t dst = t_hbm_alloc(card, 4 << 20);

	while (copies--)
		ck_assert_uint_eq(copy(dst, src, 4 << 20).error, 0);
}

START_TEST(test_power_under_load_is_energy_by_time)
{
	uint64_t e0, t0, mean, power;

	work(200);
	e0 = t_read64(card, LOOM_REG_SENSOR_ENERGY);
	t0 = t_read64(card, LOOM_REG_TIME);
	work(200);
	/* uJ by cycles of 1.4 GHz, in mW */
	mean = (t_read64(card, LOOM_REG_SENSOR_ENERGY) - e0) * 1400000 /
	       (t_read64(card, LOOM_REG_TIME) - t0);
	power = t_read32(card, LOOM_REG_SENSOR_POWER);
	ck_assert_uint_gt(mean, 60000);
	ck_assert_uint_gt(power, mean * 98 / 100);
	ck_assert_uint_lt(power, mean * 102 / 100);
}
END_TEST

START_TEST(test_temperature_rises_to_its_limit_and_not_beyond)
{
	struct loom_core_config cfg = sensor_config();
	uint32_t before, temp = 0, limit;
	unsigned int i;

	cfg.thermal_tau_us = 100;
	rebuild(&cfg);
	before = t_read32(card, LOOM_REG_SENSOR_TEMP);
	for (i = 0; i < 40; i++) {
		work(20);
		ck_assert_uint_ge(t_read32(card, LOOM_REG_SENSOR_TEMP) + 20,
				  temp);
		temp = t_read32(card, LOOM_REG_SENSOR_TEMP);
		card->hbm_next = T_HBM_FIRST + (8 << 20);
	}
	limit = 35000 + t_read32(card, LOOM_REG_SENSOR_POWER) * 150ull / 1000;
	ck_assert_uint_gt(temp, before + 1000);
	ck_assert_uint_gt(temp, limit - 500);
	ck_assert_uint_lt(temp, limit + 500);
}
END_TEST

START_TEST(test_overheating_warns_once_then_trips)
{
	struct loom_core_config cfg = sensor_config();
	struct loom_cmd_copy cmd;
	uint64_t src, dst;
	unsigned int i;

	cfg.thermal_tau_us = 2000;
	cfg.hbm_byte_fj = 1000000;
	rebuild(&cfg);
	src = t_hbm_alloc(card, 1 << 20);
	dst = t_hbm_alloc(card, 1 << 20);
	cmd = t_copy_bytes(dst, src, 1 << 20);
	for (i = 0; i < 100000; i++)
		if (t_run_cmds(card, &cmd, sizeof(cmd)).error)
			break;
	ck_assert(t_read32(card, LOOM_REG_STATUS) & LOOM_STATUS_FATAL);
	ck_assert_uint_eq(event_at(0)->type, LOOM_EVENT_THERMAL);
	ck_assert_uint_ge(event_at(0)->addr, 100000);
	ck_assert_uint_lt(event_at(0)->addr, 105000);
	ck_assert_uint_eq(event_at(1)->type, LOOM_EVENT_DEVICE_FATAL);
	ck_assert_uint_eq(event_at(1)->error, LOOM_ERR_THERMAL);
}
END_TEST

/* Window ------------------------------------------------------------------ */

START_TEST(test_window_is_a_multiple_of_the_bar)
{
	ck_assert_uint_eq(loom_core_hbm_window(card->core), 0);
	t_write64(card, LOOM_REG_HBM_WINDOW, 32 << 20);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_HBM_WINDOW), 0);
	loom_core_set_hbm_bar(card->core, 16 << 20);
	t_write64(card, LOOM_REG_HBM_WINDOW, (32 << 20) + 4096);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_HBM_WINDOW), 32 << 20);
	t_write64(card, LOOM_REG_HBM_WINDOW, 64 << 20);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_HBM_WINDOW), 32 << 20);
	loom_core_set_hbm_bar(card->core, 64 << 20);
	ck_assert_uint_eq(loom_core_hbm_window(card->core), 0);
	loom_core_set_hbm_bar(card->core, 16 << 20);
	t_write64(card, LOOM_REG_HBM_WINDOW, 48 << 20);
	loom_core_reset(card->core);
	ck_assert_uint_eq(loom_core_hbm_window(card->core), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ras");
	TCase *tc = tcase_create("core");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_corrected_error_is_counted_and_told);
	tcase_add_test(tc, test_uncorrected_error_ends_the_command_and_poisons);
	tcase_add_test(tc, test_patrol_finds_a_page_for_nobody);
	tcase_add_test(tc, test_poison_without_address_follows_its_seed);
	tcase_add_test(tc, test_writing_does_not_heal_and_scrubbing_does);
	tcase_add_test(tc, test_scrub_beyond_hbm_is_refused);
	tcase_add_test(tc, test_poison_and_counters_outlive_resets);
	tcase_add_test(tc, test_poisoned_commands_are_not_run);
	tcase_add_loop_test(tc, test_poisoned_page_table_ends_the_walk, 0,
			    LOOM_PT_LEVELS - 1);
	tcase_add_test(tc, test_poisoned_root_stops_every_walk);
	tcase_add_test(tc, test_poison_beside_what_is_read_is_not_met);
	tcase_add_test(tc, test_more_poison_than_fits_is_bounded);
	tcase_add_test(tc, test_idle_card_draws_its_static_power);
	tcase_add_test(tc, test_energy_of_a_copy_is_its_bytes_and_its_time);
	tcase_add_test(tc, test_power_under_load_is_energy_by_time);
	tcase_add_test(tc, test_temperature_rises_to_its_limit_and_not_beyond);
	tcase_add_test(tc, test_overheating_warns_once_then_trips);
	tcase_add_test(tc, test_window_is_a_multiple_of_the_bar);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
