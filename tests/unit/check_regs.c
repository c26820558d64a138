// SPDX-License-Identifier: MIT
/*
 * DOC: The register file, configuration, interrupts
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"

static struct t_card *card;

static void setup(void)
{
	card = t_card_create(NULL);
}

static void teardown(void)
{
	t_card_destroy(card);
}

static unsigned int lines(void)
{
	return atomic_load(&card->log_lines);
}

static unsigned int irqs(unsigned int vector)
{
	loom_core_deliver(card->core);
	return atomic_load(&card->irqs[vector]);
}

START_TEST(test_identification_says_what_was_configured)
{
	ck_assert_uint_eq(t_read32(card, LOOM_REG_ID), LOOM_ID_MAGIC);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_HW_VERSION),
			  LOOM_HW_VERSION_MAJOR << 16 | LOOM_HW_VERSION_MINOR);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_ISA_VERSION), LOOM_ISA_VERSION);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_FEATURES),
			  LOOM_FEATURE_MATMUL | LOOM_FEATURE_VECTOR |
			  LOOM_FEATURE_RAS | LOOM_FEATURE_SENSORS |
			  LOOM_FEATURE_HBM_WINDOW |
			  LOOM_FEATURE_CTX_PERF);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_NUM_QUEUES), 64);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_NUM_CONTEXTS), 256);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_NUM_VECTORS), 33);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_NUM_ARRAYS), 4);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_ARRAY_ROWS), 128);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_ARRAY_COLS), 128);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_CLOCK_KHZ), 1400000);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_HBM_SIZE), 64 << 20);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_SRAM_SIZE), 2 << 20);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_HBM_MBPS), 16 * 102400);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_SERIAL), 1);
	ck_assert_uint_eq(lines(), 0);
}
END_TEST

START_TEST(test_64_bit_registers_take_halves)
{
	uint64_t reg = LOOM_REG_CTX_ROOT(5);

	t_write32(card, reg, 0x12345001);
	ck_assert_uint_eq(t_read64(card, reg), 0x12345001);
	t_write32(card, reg + 4, 0x7);
	ck_assert_uint_eq(t_read64(card, reg), 0x712345001);
	ck_assert_uint_eq(t_read32(card, reg), 0x12345001);
	ck_assert_uint_eq(t_read32(card, reg + 4), 7);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_HBM_SIZE), 64 << 20);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_HBM_SIZE + 4), 0);
}
END_TEST

START_TEST(test_bits_outside_the_mask_stay_zero)
{
	t_write64(card, LOOM_REG_CTX_ROOT(5), ~0ull);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_CTX_ROOT(5)),
			  LOOM_CTX_ROOT_VALID | LOOM_CTX_ROOT_ADDR);
	t_write64(card, LOOM_REG_EVENT_BASE, ~0ull);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_EVENT_BASE), ~63ull);
}
END_TEST

START_TEST(test_scratch_keeps_what_is_written)
{
	t_write32(card, LOOM_REG_SCRATCH, 0xdeadbeef);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_SCRATCH), 0xdeadbeef);
}
END_TEST

START_TEST(test_hole_reads_zero_and_is_logged)
{
	ck_assert_uint_eq(t_read32(card, 0x0f00), 0);
	ck_assert_uint_eq(lines(), 1);
	t_write32(card, 0x0f00, 1);
	ck_assert_uint_eq(lines(), 2);
}
END_TEST

START_TEST(test_read_only_register_ignores_writes_and_logs)
{
	t_write32(card, LOOM_REG_ID, 0);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_ID), LOOM_ID_MAGIC);
	ck_assert_uint_eq(lines(), 1);
}
END_TEST

START_TEST(test_wrong_size_or_alignment_is_refused)
{
	static const struct { uint64_t at; unsigned int size; } bad[] = {
		{ LOOM_REG_ID, 1 }, { LOOM_REG_ID, 2 }, { LOOM_REG_ID, 3 },
		{ LOOM_REG_ID, 8 }, { LOOM_REG_ID + 2, 4 },
		{ LOOM_REG_HBM_SIZE + 4, 8 }, { LOOM_REG_ID, 16 },
		{ LOOM_REG_ID, 0 }, { LOOM_REGS_SIZE, 4 }, { ~3ull, 4 },
		{ ~7ull, 8 }, { 1ull << 32 | LOOM_REG_CTX_ROOT(0), 8 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_uint_eq(loom_core_mmio_read(card->core, bad[i].at,
						      bad[i].size), 0);
		loom_core_mmio_write(card->core, bad[i].at, ~0ull, bad[i].size);
		ck_assert_uint_eq(lines(), 2 * i + 2);
	}
	ck_assert_uint_eq(t_read32(card, LOOM_REG_ID), LOOM_ID_MAGIC);
}
END_TEST

/* Every offset, several sizes, several values: nothing to crash over. */
START_TEST(test_sweep_of_all_accesses_does_no_harm)
{
	static const uint64_t values[] = { 0, 1, 0x5555555555555555, ~0ull };
	static const unsigned int sizes[] = { 1, 2, 4, 8 };
	uint64_t at;
	unsigned int i;

	for (at = 0; at < LOOM_BAR_REGS_SIZE; at++)
		for (i = 0; i < 4; i++) {
			loom_core_mmio_read(card->core, at, sizes[i]);
			loom_core_mmio_write(card->core, at,
					     values[(at + i) % 4], sizes[i]);
		}
	for (at = 0; at < 80 * LOOM_DOORBELL_STRIDE; at += 257)
		for (i = 0; i < 4; i++)
			loom_core_doorbell_write(card->core, at, values[i],
						 sizes[i]);
	t_run(card);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_ID), LOOM_ID_MAGIC);
}
END_TEST

START_TEST(test_guest_cannot_flood_the_log)
{
	unsigned int i;

	for (i = 0; i < 100000; i++)
		t_read32(card, 0x0f00);
	/* The sweep may cross a few seconds. */
	ck_assert_uint_le(lines(), 1000);
	ck_assert_uint_ge(lines(), 50);
}
END_TEST

START_TEST(test_small_card_has_no_registers_for_what_it_lacks)
{
	struct loom_core_config cfg;
	struct t_card *small;

	loom_core_config_default(&cfg);
	cfg.hbm_size = 16ull << 20;
	cfg.sram_size = 2ull << 20;
	cfg.num_queues = 1;
	cfg.num_contexts = 2;
	cfg.num_vectors = 2;
	small = t_card_create(&cfg);
	t_write64(small, LOOM_REG_CTX_ROOT(2), 1);
	ck_assert_uint_eq(t_read64(small, LOOM_REG_CTX_ROOT(2)), 0);
	t_write32(small, LOOM_REG_QUEUE(1, LOOM_QUEUE_CTX), 1);
	ck_assert_uint_eq(t_read32(small, LOOM_REG_QUEUE(1, LOOM_QUEUE_CTX)), 0);
	t_write32(small, LOOM_REG_TLB_INVALIDATE, 2);
	loom_core_doorbell_write(small->core, LOOM_DOORBELL_STRIDE, 1, 4);
	ck_assert_uint_eq(atomic_load(&small->log_lines), 6);
	t_card_destroy(small);
}
END_TEST

START_TEST(test_irq_test_raises_the_vector)
{
	t_write32(card, LOOM_REG_IRQ_TEST, 7);
	ck_assert_uint_eq(irqs(7), 1);
	ck_assert_uint_eq(irqs(7), 1);
	t_write32(card, LOOM_REG_IRQ_TEST, 33);
	t_write32(card, LOOM_REG_IRQ_TEST, ~0u);
	ck_assert_uint_eq(lines(), 2);
}
END_TEST

START_TEST(test_interrupts_wait_for_bus_mastering)
{
	loom_core_set_bus_master(card->core, false);
	t_write32(card, LOOM_REG_IRQ_TEST, 3);
	ck_assert_uint_eq(irqs(3), 0);
	loom_core_set_bus_master(card->core, true);
	ck_assert_uint_eq(irqs(3), 1);
}
END_TEST

START_TEST(test_queue_setup_is_locked_while_enabled)
{
	uint64_t r = LOOM_REG_QUEUE(0, 0);
	uint64_t base = t_read64(card, r + LOOM_QUEUE_RING_BASE);

	t_write64(card, r + LOOM_QUEUE_RING_BASE, 0x4000);
	t_write32(card, r + LOOM_QUEUE_CTX, 9);
	ck_assert_uint_eq(t_read64(card, r + LOOM_QUEUE_RING_BASE), base);
	ck_assert_uint_eq(t_read32(card, r + LOOM_QUEUE_CTX), T_CTX);
	ck_assert_uint_eq(lines(), 2);
	t_write32(card, r + LOOM_QUEUE_CTRL, 0);
	t_write64(card, r + LOOM_QUEUE_RING_BASE, 0x4000);
	ck_assert_uint_eq(t_read64(card, r + LOOM_QUEUE_RING_BASE), 0x4000);
}
END_TEST

START_TEST(test_queue_with_bad_setup_does_not_start)
{
	static const struct { uint64_t reg; uint32_t value; } bad[] = {
		{ LOOM_QUEUE_RING_SIZE_LOG2, 0 },
		{ LOOM_QUEUE_RING_SIZE_LOG2, LOOM_MAX_RING_LOG2 + 1 },
		{ LOOM_QUEUE_RING_SIZE_LOG2, ~0u },
		{ LOOM_QUEUE_CTX, 256 }, { LOOM_QUEUE_VECTOR, 33 },
		{ LOOM_QUEUE_PRIORITY, 4 },
	};
	uint64_t r = LOOM_REG_QUEUE(2, 0);
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		t_queue_init(card, 2, T_CTX, 0);
		t_write32(card, r + LOOM_QUEUE_CTRL, 0);
		t_write32(card, r + bad[i].reg, bad[i].value);
		t_write32(card, r + LOOM_QUEUE_CTRL, LOOM_QUEUE_CTRL_ENABLE);
		ck_assert_uint_eq(t_read32(card, r + LOOM_QUEUE_STATE),
				  LOOM_QUEUE_STATE_ERROR);
		ck_assert_uint_eq(t_read32(card, r + LOOM_QUEUE_ERROR),
				  LOOM_ERR_QUEUE_CONFIG);
		t_queue_push(card, 2, 0, 0);
		t_doorbell(card, 2);
		t_run(card);
		ck_assert(!t_is_done(card, 2, 0));
	}
}
END_TEST

START_TEST(test_soft_reset_forgets_everything_but_time)
{
	struct loom_cmd_nop nop = t_nop();
	uint64_t time;

	ck_assert_uint_eq(t_run_cmds(card, &nop, sizeof(nop)).error, 0);
	time = t_read64(card, LOOM_REG_TIME);
	ck_assert_uint_gt(time, 0);
	t_write32(card, LOOM_REG_SCRATCH, 5);
	t_write32(card, LOOM_REG_IRQ_TEST, 9);
	t_write32(card, LOOM_REG_CTRL, LOOM_CTRL_RESET);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_CTRL), 0);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_STATUS), LOOM_STATUS_READY);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_SCRATCH), 0);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_EVENT_BASE), 0);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_CTX_ROOT(T_CTX)), 0);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_STATE)),
			  LOOM_QUEUE_STATE_DISABLED);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_RING_BASE)),
			  0);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_TIME), time);
	ck_assert_uint_eq(irqs(9), 0);
}
END_TEST

START_TEST(test_perf_counters_are_latched_and_reset)
{
	struct loom_cmd_nop nop = t_nop();
	unsigned int i;

	t_run_cmds(card, &nop, sizeof(nop));
	ck_assert_uint_eq(t_read64(card, LOOM_REG_PERF(LOOM_PERF_JOBS)), 0);
	t_write32(card, LOOM_REG_PERF_CTRL, LOOM_PERF_CTRL_SNAPSHOT);
	for (i = 0; i < LOOM_PERF_COUNT; i++)
		ck_assert_uint_eq(t_read64(card, LOOM_REG_PERF(i)),
				  t_perf(card, i));
	ck_assert_uint_eq(t_read64(card, LOOM_REG_PERF(LOOM_PERF_JOBS)), 1);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_PERF(LOOM_PERF_COMMANDS)), 1);
	t_write32(card, LOOM_REG_PERF_CTRL, LOOM_PERF_CTRL_RESET);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_JOBS), 0);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_CYC_TOTAL), 0);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_PERF(LOOM_PERF_JOBS)), 1);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_COUNT), 0);
}
END_TEST

START_TEST(test_cards_do_not_share_anything)
{
	struct t_card *other = t_card_create(NULL);
	struct loom_cmd_nop nop = t_nop();

	t_write32(other, LOOM_REG_SCRATCH, 1);
	t_run_cmds(other, &nop, sizeof(nop));
	ck_assert_uint_eq(t_read32(card, LOOM_REG_SCRATCH), 0);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_TIME), 0);
	t_card_destroy(other);
}
END_TEST

static const struct { size_t at; uint64_t value; size_t size; const char *says; }
bad_config[] = {
#define BAD(m, v, text) { offsetof(struct loom_core_config, m), v, \
	sizeof(((struct loom_core_config *)0)->m), text }
	BAD(hbm_size, 1 << 20, "hbm_size is 1048576; it must be a multiple of 2 MiB from 16777216 to 68719476736"),
	BAD(hbm_size, (64 << 20) + 4096, "hbm_size is 67112960"),
	BAD(sram_size, 0, "sram_size is 0"),
	BAD(num_arrays, 0, "num_arrays is 0; it must be a number from 1 to 64"),
	BAD(array_rows, 96, "array_rows is 96; it must be a power of two from 8 to 512"),
	BAD(array_cols, 1024, "array_cols is 1024"),
	BAD(clock_khz, 1, "clock_khz is 1"),
	BAD(vector_lanes, 8, "vector_lanes is 8"),
	BAD(hbm_channels, 0, "hbm_channels is 0"),
	BAD(hbm_channel_mbps, 0, "hbm_channel_mbps is 0"),
	BAD(pcie_mbps, 0, "pcie_mbps is 0"),
	BAD(num_queues, 65, "num_queues is 65"),
	BAD(num_contexts, 257, "num_contexts is 257"),
	BAD(num_vectors, 34, "num_vectors is 34"),
};

START_TEST(test_config_check_names_member_value_and_range)
{
	struct loom_core_config cfg;
	const char *why;
	char buf[160];

	loom_core_config_default(&cfg);
	ck_assert_ptr_null(loom_core_config_check(&cfg, buf, sizeof(buf)));
	memcpy((char *)&cfg + bad_config[_i].at, &bad_config[_i].value,
	       bad_config[_i].size);
	why = loom_core_config_check(&cfg, buf, sizeof(buf));
	ck_assert_ptr_nonnull(why);
	ck_assert_msg(!strncmp(why, bad_config[_i].says,
			       strlen(bad_config[_i].says)), "%s", why);
}
END_TEST

START_TEST(test_every_error_has_words)
{
	unsigned int i;

	for (i = 0; i < LOOM_ERR_COUNT; i++) {
		ck_assert_ptr_nonnull(loom_strerror(i));
		ck_assert_str_ne(loom_strerror(i), "unknown error");
	}
	ck_assert_str_eq(loom_strerror(LOOM_ERR_COUNT), "unknown error");
	ck_assert_str_eq(loom_strerror(~0u), "unknown error");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("regs");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_identification_says_what_was_configured);
	tcase_add_test(tc, test_64_bit_registers_take_halves);
	tcase_add_test(tc, test_bits_outside_the_mask_stay_zero);
	tcase_add_test(tc, test_scratch_keeps_what_is_written);
	tcase_add_test(tc, test_hole_reads_zero_and_is_logged);
	tcase_add_test(tc, test_read_only_register_ignores_writes_and_logs);
	tcase_add_test(tc, test_wrong_size_or_alignment_is_refused);
	tcase_add_test(tc, test_sweep_of_all_accesses_does_no_harm);
	tcase_add_test(tc, test_guest_cannot_flood_the_log);
	tcase_add_test(tc, test_small_card_has_no_registers_for_what_it_lacks);
	tcase_add_test(tc, test_irq_test_raises_the_vector);
	tcase_add_test(tc, test_interrupts_wait_for_bus_mastering);
	tcase_add_test(tc, test_queue_setup_is_locked_while_enabled);
	tcase_add_test(tc, test_queue_with_bad_setup_does_not_start);
	tcase_add_test(tc, test_soft_reset_forgets_everything_but_time);
	tcase_add_test(tc, test_perf_counters_are_latched_and_reset);
	tcase_add_test(tc, test_cards_do_not_share_anything);
	tcase_add_loop_test(tc, test_config_check_names_member_value_and_range,
			    0, sizeof(bad_config) / sizeof(bad_config[0]));
	tcase_add_test(tc, test_every_error_has_words);
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
