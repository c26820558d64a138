// SPDX-License-Identifier: MIT
/*
 * DOC: Faults on demand: the words for them, when they strike, what they do
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"

#define T_WHY	200	/* room for a sentence */

static struct t_card *card;
static struct loom_inject_spec last_owned;
static unsigned int owned;

static void setup(void)
{
	card = t_card_create(NULL);
	t_queue_init(card, 1, T_CTX, 1);
	owned = 0;
}

static void teardown(void)
{
	t_card_destroy(card);
}

/* What is wrong with a specification, or "". */
static const char *refusal(const char *text)
{
	static char buf[512];

	buf[0] = '\0';
	return loom_core_inject(card->core, text, buf, sizeof(buf)) ? buf : "";
}

static void arm(const char *text)
{
	ck_assert_str_eq(refusal(text), "");
}

static struct loom_inject_state state_of(unsigned int n)
{
	struct loom_inject_state state[LOOM_INJECT_MAX];

	ck_assert_uint_gt(loom_core_inject_state(card->core, state,
						 LOOM_INJECT_MAX), n);
	return state[n];
}

static uint32_t queue_reg(unsigned int q, uint32_t reg)
{
	return t_read32(card, LOOM_REG_QUEUE(q, reg));
}

static unsigned int irqs(unsigned int vector)
{
	loom_core_deliver(card->core);
	return atomic_load(&card->irqs[vector]);
}

static uint64_t put_nops(unsigned int count)
{
	uint64_t va = t_hbm_alloc(card, count * sizeof(struct loom_cmd_nop));
	struct loom_cmd_nop *nop = t_ptr(card, va);

	while (count--)
		*nop++ = t_nop();
	return va;
}

static uint32_t run_nops(unsigned int queue, unsigned int count)
{
	return t_submit(card, queue, put_nops(count), count * 64).error;
}

/* The other queue has noticed nothing, and the card does whatever it did. */
static void check_innocent(void)
{
	ck_assert_uint_eq(run_nops(1, 3), LOOM_ERR_NONE);
	ck_assert_uint_eq(queue_reg(1, LOOM_QUEUE_STATE), LOOM_QUEUE_STATE_IDLE);
}

/* Words ------------------------------------------------------------------- */

START_TEST(test_specification_is_read_as_written)
{
	struct loom_inject_spec spec;
	char buf[256];

	ck_assert_ptr_null(loom_inject_parse(
		"dma-error,after=3,count=0,chance=5,seed=0x10,queue=2,addr=0x1000",
		&spec, buf, sizeof(buf)));
	ck_assert_uint_eq(spec.kind, LOOM_INJECT_DMA_ERROR);
	ck_assert_uint_eq(spec.after, 3);
	ck_assert_uint_eq(spec.count, 0);
	ck_assert_uint_eq(spec.chance, 5);
	ck_assert_uint_eq(spec.seed, 16);
	ck_assert_uint_eq(spec.queue, 2);
	ck_assert_uint_eq(spec.addr, 0x1000);
	ck_assert_uint_eq(spec.vector, LOOM_INJECT_ANY);
	ck_assert_ptr_null(loom_inject_parse(
		"aer-fatal,status=0x10,header=1.2.FE000000.abcdef01",
		&spec, buf, sizeof(buf)));
	ck_assert_uint_eq(spec.status, 0x10);
	ck_assert_uint_eq(spec.has_header, 1);
	ck_assert_uint_eq(spec.header[0], 1);
	ck_assert_uint_eq(spec.header[2], 0xfe000000);
	ck_assert_uint_eq(spec.header[3], 0xabcdef01);
	ck_assert_ptr_null(loom_inject_parse("irq-late", &spec, buf,
					     sizeof(buf)));
	ck_assert_uint_eq(spec.delay_ms, 20);
	ck_assert_uint_eq(spec.count, 1);
}
END_TEST

START_TEST(test_every_kind_can_be_named)
{
	struct loom_inject_spec spec;
	char buf[256];
	uint32_t i;

	for (i = LOOM_INJECT_NONE + 1; i < LOOM_INJECT_KINDS; i++) {
		ck_assert_ptr_nonnull(loom_inject_name(i));
		ck_assert_ptr_null(loom_inject_parse(loom_inject_name(i), &spec,
						     buf, sizeof(buf)));
		ck_assert_uint_eq(spec.kind, i);
	}
	ck_assert_ptr_null(loom_inject_name(LOOM_INJECT_NONE));
	ck_assert_ptr_null(loom_inject_name(LOOM_INJECT_KINDS));
}
END_TEST

static const struct {
	const char *text;
	const char *says;
} wrong[] = {
	{ "", "" },
	{ "hangs", "there is no fault 'hangs'; there are ecc-corrected" },
	{ "hang,", "fault hang has no ''" },
	{ "hang,after", "fault hang has no 'after'" },
	{ "hang,after=", "after is ''; it must be a number" },
	{ "hang,after=-1", "after is '-1'" },
	{ "hang,after=1x", "after is '1x'" },
	{ "hang,after=99999999999999999999", "after is '9999" },
	{ "hang,chance=0", "chance is '0'; it must be a number from 1" },
	{ "hang,addr=1", "fault hang has no 'addr='; it takes after" },
	{ "hang,queue=64", "queue is '64'; it must be a number from 0 to 63" },
	{ "hang,nonsense=1", "fault hang has no 'nonsense='" },
	{ "poison,addr=0x4000000", "beyond the 64 MiB of HBM" },
	{ "aer-fatal,header=1.2.3", "header '1.2.3' is not four" },
	{ "aer-fatal,header=1.2.3.4.5", "is not four" },
	{ "aer-fatal,header=123456789.2.3.4", "is not four" },
	{ "hang;;hang", "there is no fault ''" },
	{ "irq-lost,vector=33", "vector is '33'" },
};

START_TEST(test_wrong_specification_is_explained)
{
	struct loom_inject_state state;

	ck_assert_ptr_nonnull(strstr(refusal(wrong[_i].text), wrong[_i].says));
	ck_assert_uint_eq(loom_core_inject_state(card->core, &state, 1), 0);
}
END_TEST

START_TEST(test_long_nonsense_is_refused)
{
	char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_str_ne(refusal(text), "");
	memcpy(text, "hang,", 5);
	ck_assert_str_ne(refusal(text), "");
	text[150] = '\0';
	ck_assert_ptr_nonnull(strstr(refusal(text), "too long"));
}
END_TEST

START_TEST(test_queue_that_the_card_lacks_is_refused)
{
	struct loom_core_config cfg;

	t_card_destroy(card);
	loom_core_config_default(&cfg);
	cfg.hbm_size = 64 << 20;
	cfg.sram_size = 2 << 20;
	cfg.num_queues = 2;
	cfg.num_vectors = 3;
	card = t_card_create(&cfg);
	ck_assert_ptr_nonnull(strstr(refusal("hang,queue=2"), "no queue 2"));
	ck_assert_ptr_nonnull(strstr(refusal("irq-lost,vector=3"),
				     "no vector 3"));
}
END_TEST

START_TEST(test_list_is_armed_whole_or_not_at_all)
{
	struct loom_inject_state state[4];

	ck_assert_str_ne(refusal("hang;irq-lost;nothing"), "");
	ck_assert_uint_eq(loom_core_inject_state(card->core, state, 4), 0);
	arm("hang,queue=3;irq-lost,count=2");
	ck_assert_uint_eq(loom_core_inject_state(card->core, state, 4), 2);
	ck_assert_uint_eq(state[1].spec.kind, LOOM_INJECT_IRQ_LOST);
	loom_core_inject_clear(card->core);
	ck_assert_uint_eq(loom_core_inject_state(card->core, state, 4), 0);
}
END_TEST

START_TEST(test_spent_faults_make_room_and_others_do_not)
{
	unsigned int i;

	arm("hang,queue=0");
	ck_assert_uint_eq(t_submit(card, 0, put_nops(1), 64).error, ~0u);
	for (i = 1; i < LOOM_INJECT_MAX; i++)
		arm("hang,queue=9");
	arm("hang,queue=9");
	ck_assert_ptr_nonnull(strstr(refusal("hang,queue=9"), "clear some"));
}
END_TEST

START_TEST(test_list_without_room_for_all_arms_none)
{
	struct loom_inject_state state[LOOM_INJECT_MAX];
	uint64_t page;
	unsigned int i;

	for (i = 1; i < LOOM_INJECT_MAX; i++)
		arm("hang,queue=9");
	ck_assert_ptr_nonnull(strstr(refusal("poison,addr=0;hang,queue=8"),
				     "no room for 2 more"));
	ck_assert_uint_eq(loom_core_poison(card->core, &page, 1), 0);
	ck_assert_uint_eq(loom_core_inject_state(card->core, state,
						 LOOM_INJECT_MAX),
			  LOOM_INJECT_MAX - 1);
	arm("poison,addr=0");
	ck_assert_uint_eq(loom_core_poison(card->core, &page, 1), 1);
}
END_TEST

/* When -------------------------------------------------------------------- */

START_TEST(test_strikes_after_n_and_count_times)
{
	unsigned int i;

	arm("wrong-seq,after=3,count=2,queue=0");
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(t_submit(card, 0, put_nops(1), 64).seq !=
				 card->next_seq, i == 3 || i == 4);
	ck_assert_uint_eq(state_of(0).fired, 2);
	ck_assert_uint_eq(state_of(0).last_seen, 5);
	ck_assert_uint_eq(state_of(0).last_queue, 0);
}
END_TEST

/* Which of 64 jobs get a wrong number: bit per job. */
static uint64_t struck_jobs(const char *text)
{
	uint64_t bits = 0;
	unsigned int i;

	teardown();
	setup();
	arm(text);
	for (i = 0; i < 64; i++)
		if (t_submit(card, 0, put_nops(1), 64).seq != card->next_seq)
			bits |= 1ull << i;
	return bits;
}

START_TEST(test_same_seed_strikes_at_the_same_places)
{
	uint64_t a = struck_jobs("wrong-seq,count=0,chance=4,seed=7");
	uint64_t b = struck_jobs("wrong-seq,count=0,chance=4,seed=8");

	ck_assert_uint_eq(a, struck_jobs("wrong-seq,count=0,chance=4,seed=7"));
	ck_assert_uint_ne(a, b);
	ck_assert_int_gt(__builtin_popcountll(a), 6);
	ck_assert_int_lt(__builtin_popcountll(a), 30);
}
END_TEST

START_TEST(test_first_armed_strikes_first_and_the_next_after_it)
{
	arm("hang,queue=0;ecc-corrected,queue=3;hang,queue=0,after=1");
	ck_assert_uint_eq(t_submit(card, 0, put_nops(1), 64).error, ~0u);
	ck_assert_uint_eq(state_of(0).fired, 1);
	ck_assert_uint_eq(state_of(2).seen, 1);
	t_queue_init(card, 0, T_CTX, 1);
	ck_assert_uint_eq(t_submit(card, 0, put_nops(1), 64).error, ~0u);
	ck_assert_uint_eq(state_of(2).fired, 1);
}
END_TEST

START_TEST(test_resets_leave_faults_armed)
{
	arm("irq-lost,after=100");
	loom_core_reset(card->core);
	t_write32(card, LOOM_REG_CTRL, LOOM_CTRL_RESET);
	ck_assert_uint_eq(state_of(0).fired, 0);
}
END_TEST

/* What -------------------------------------------------------------------- */

START_TEST(test_hang_stops_one_queue_until_it_is_reset)
{
	arm("hang,queue=0,after=2");
	ck_assert_uint_eq(t_submit(card, 0, put_nops(5), 5 * 64).error, ~0u);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_RUNNING);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_PROGRESS), 2);
	check_innocent();
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_PROGRESS), 2);
	t_queue_init(card, 0, T_CTX, 1);
	ck_assert_uint_eq(run_nops(0, 5), LOOM_ERR_NONE);
}
END_TEST

START_TEST(test_command_that_waited_counts_once)
{
	struct loom_cmd_event cmds[2] = {
		t_event(LOOM_EVENT_OP_WAIT_GE, 3, 1),
		t_event(LOOM_EVENT_OP_SET, 4, 1),
	};
	struct loom_cmd_event signal = t_event(LOOM_EVENT_OP_SET, 3, 1);
	uint64_t va = t_hbm_alloc(card, sizeof(cmds));
	uint64_t other = t_hbm_alloc(card, sizeof(signal));

	memcpy(t_ptr(card, va), cmds, sizeof(cmds));
	memcpy(t_ptr(card, other), &signal, sizeof(signal));
	arm("hang,queue=0,after=100");
	t_queue_push(card, 0, va, sizeof(cmds));
	t_doorbell(card, 0);
	t_run(card);
	ck_assert_uint_eq(state_of(0).seen, 1);
	ck_assert_uint_eq(t_submit(card, 1, other, sizeof(signal)).error, 0);
	t_run(card);
	ck_assert(t_is_done(card, 0, 0));
	ck_assert_uint_eq(state_of(0).seen, 2);
}
END_TEST

START_TEST(test_stuck_reset_leaves_the_queue_running)
{
	arm("hang,queue=0;reset-stuck,queue=0");
	t_submit(card, 0, put_nops(1), 64);
	t_write32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL),
		  LOOM_QUEUE_CTRL_RESET);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_RUNNING);
	check_innocent();
	t_write32(card, LOOM_REG_CTRL, LOOM_CTRL_RESET);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_DISABLED);
}
END_TEST

START_TEST(test_lost_interrupt_loses_nothing_else)
{
	arm("irq-lost,queue=0");
	ck_assert_uint_eq(run_nops(0, 1), LOOM_ERR_NONE);
	ck_assert_uint_eq(irqs(1), 0);
	check_innocent();
	ck_assert_uint_eq(irqs(2), 1);
	ck_assert_uint_eq(run_nops(0, 1), LOOM_ERR_NONE);
	ck_assert_uint_eq(irqs(1), 1);
}
END_TEST

START_TEST(test_duplicated_interrupt_comes_twice)
{
	arm("irq-duplicate,vector=1");
	ck_assert_uint_eq(run_nops(0, 1), LOOM_ERR_NONE);
	ck_assert_uint_eq(irqs(1), 2);
	ck_assert_uint_eq(run_nops(0, 1), LOOM_ERR_NONE);
	ck_assert_uint_eq(irqs(1), 3);
	check_innocent();
	ck_assert_uint_eq(irqs(2), 1);
}
END_TEST

START_TEST(test_late_interrupt_is_forgotten_by_a_reset)
{
	struct loom_completion *c;

	arm("irq-late,vector=1");
	t_queue_push(card, 0, put_nops(1), 64);
	t_doorbell(card, 0);
	while (loom_core_run(card->core, 100))
		;
	c = t_completion(card, 0, 0);
	ck_assert_uint_ne(c->seq, 0);
	loom_core_reset(card->core);
	ck_assert_uint_eq(irqs(1), 0);
}
END_TEST

START_TEST(test_wrong_number_is_never_zero_and_never_right)
{
	unsigned int i;

	arm("wrong-seq,count=0");
	for (i = 0; i < 50; i++) {
		struct loom_completion c;

		c = t_submit(card, 0, put_nops(1), 64);
		ck_assert_uint_ne(c.seq, 0);
		ck_assert_uint_ne(c.seq, card->next_seq);
		ck_assert_uint_eq(c.error, LOOM_ERR_NONE);
	}
	loom_core_inject_clear(card->core);
	check_innocent();
}
END_TEST

START_TEST(test_stuck_doorbell_wakes_with_the_next)
{
	arm("stuck-doorbell,queue=0");
	ck_assert_uint_eq(t_submit(card, 0, put_nops(1), 64).error, ~0u);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_TAIL), 0);
	check_innocent();
	ck_assert_uint_eq(run_nops(0, 1), LOOM_ERR_NONE);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_HEAD), 2);
}
END_TEST

START_TEST(test_dma_error_of_the_ring_stops_its_queue)
{
	arm("dma-error,queue=0");
	t_submit(card, 0, put_nops(1), 64);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_ERROR), LOOM_ERR_RING_DMA);
	check_innocent();
	t_queue_init(card, 0, T_CTX, 1);
	ck_assert_uint_eq(run_nops(0, 1), LOOM_ERR_NONE);
}
END_TEST

START_TEST(test_dma_error_at_an_address_names_it)
{
	uint64_t bus = t_sys_alloc(card, 4096), hbm = t_hbm_alloc(card, 4096);
	uint64_t va = 0x700000000000;
	struct loom_cmd_copy copy = t_copy_bytes(hbm, va, 4096);
	struct loom_completion c;
	char text[80];

	t_map(card, T_CTX, va, LOOM_KIND_SYSTEM, bus, 4096, true);
	snprintf(text, sizeof(text), "dma-error,addr=0x%llx",
		 (unsigned long long)bus + 100);
	arm(text);
	check_innocent();
	c = t_run_cmds(card, &copy, sizeof(copy));
	ck_assert_uint_eq(c.error, LOOM_ERR_DMA);
	ck_assert_uint_eq(c.fault_addr, va);
	ck_assert_uint_eq(t_run_cmds(card, &copy, sizeof(copy)).error, 0);
}
END_TEST

START_TEST(test_thermal_trip_stops_all_until_reset)
{
	struct loom_event *e = t_sys_ptr(card, card->events);

	arm("thermal-trip");
	ck_assert_uint_eq(t_read32(card, LOOM_REG_STATUS),
			  LOOM_STATUS_READY | LOOM_STATUS_FATAL);
	ck_assert_uint_eq(e[0].type, LOOM_EVENT_THERMAL);
	ck_assert_uint_eq(e[1].type, LOOM_EVENT_DEVICE_FATAL);
	ck_assert_uint_eq(e[1].error, LOOM_ERR_THERMAL);
	ck_assert_uint_ge(t_read32(card, LOOM_REG_SENSOR_TEMP),
			  t_read32(card, LOOM_REG_SENSOR_TEMP_CRIT));
	ck_assert_uint_eq(run_nops(0, 1), ~0u);
	t_write32(card, LOOM_REG_CTRL, LOOM_CTRL_RESET);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_STATUS), LOOM_STATUS_READY);
	ck_assert_uint_lt(t_read32(card, LOOM_REG_SENSOR_TEMP), 60000);
}
END_TEST

START_TEST(test_thermal_trip_amid_a_job_leaves_it_unfinished)
{
	arm("thermal-trip,after=2");
	ck_assert_uint_eq(t_submit(card, 0, put_nops(5), 5 * 64).error, ~0u);
	ck_assert_uint_lt(queue_reg(0, LOOM_QUEUE_PROGRESS), 5);
	ck_assert(t_read32(card, LOOM_REG_STATUS) & LOOM_STATUS_FATAL);
}
END_TEST

/* The owner's faults -------------------------------------------------------- */

static int no_dma(void *opaque, uint64_t addr, void *buf, size_t len)
{
	(void)opaque;
	(void)addr;
	(void)buf;
	(void)len;
	return -1;
}

static int no_dma_write(void *opaque, uint64_t addr, const void *buf,
			size_t len)
{
	(void)opaque;
	(void)addr;
	(void)buf;
	(void)len;
	return -1;
}

static void no_irq(void *opaque, unsigned int vector)
{
	(void)opaque;
	(void)vector;
}

static void no_notify(void *opaque)
{
	(void)opaque;
}

static void on_inject(void *opaque, const struct loom_inject_spec *spec)
{
	(void)opaque;
	last_owned = *spec;
	owned++;
}

START_TEST(test_faults_of_the_bus_go_to_the_owner)
{
	static const struct loom_core_ops ops = {
		.dma_read = no_dma, .dma_write = no_dma_write, .irq = no_irq,
		.notify = no_notify, .inject = on_inject,
	};
	struct loom_core *core;
	char buf[256];

	core = loom_core_create(&card->cfg, &ops, NULL, card->hbm);
	ck_assert_ptr_null(loom_core_inject(core, "surprise-removal", buf,
					    sizeof(buf)));
	ck_assert_uint_eq(owned, 1);
	ck_assert_uint_eq(last_owned.kind, LOOM_INJECT_REMOVAL);
	ck_assert_ptr_null(loom_core_inject(core, "aer-fatal,status=4,after=1",
					    buf, sizeof(buf)));
	ck_assert_uint_eq(owned, 1);
	loom_core_stop(core);
	loom_core_destroy(core);
}
END_TEST

START_TEST(test_fault_of_the_bus_strikes_at_its_command)
{
	arm("aer-correctable,after=3,queue=0");
	ck_assert_uint_eq(run_nops(0, 3), LOOM_ERR_NONE);
	ck_assert_uint_eq(state_of(0).fired, 0);
	ck_assert_uint_eq(run_nops(0, 1), LOOM_ERR_NONE);
	ck_assert_uint_eq(state_of(0).fired, 1);
}
END_TEST

START_TEST(test_function_reset_is_struck_once)
{
	struct loom_inject_spec spec;

	ck_assert(!loom_core_inject_flr(card->core, &spec));
	arm("flr-timeout,delay=77,after=1");
	ck_assert(!loom_core_inject_flr(card->core, &spec));
	ck_assert(loom_core_inject_flr(card->core, &spec));
	ck_assert_uint_eq(spec.delay_ms, 77);
	ck_assert(!loom_core_inject_flr(card->core, &spec));
}
END_TEST

/* Saved ------------------------------------------------------------------- */

static void *save(size_t *len)
{
	void *data;

	ck_assert(loom_core_pause(card->core, 10000));
	data = loom_core_save(card->core, len);
	ck_assert_ptr_nonnull(data);
	return data;
}

START_TEST(test_saved_card_fails_where_the_first_would_have)
{
	struct loom_inject_state before, after;
	char why[T_WHY];
	uint64_t page;
	void *data;
	size_t len;

	arm("hang,queue=0,after=4,seed=3");
	arm("poison,addr=0x800000;irq-late,vector=5,delay=7");
	ck_assert_uint_eq(run_nops(0, 3), LOOM_ERR_NONE);
	t_write64(card, LOOM_REG_HBM_WINDOW, 0);
	before = state_of(0);
	data = save(&len);
	teardown();
	setup();
	ck_assert_ptr_null(loom_core_load(card->core, data, len, why,
					  sizeof(why)));
	after = state_of(0);
	ck_assert_uint_eq(before.seen, 3);
	ck_assert_mem_eq(&before.spec, &after.spec, sizeof(before.spec));
	ck_assert_uint_eq(after.seen, before.seen);
	ck_assert_uint_eq(after.fired, before.fired);
	ck_assert_uint_eq(state_of(2).spec.delay_ms, 7);
	ck_assert_uint_eq(loom_core_poison(card->core, &page, 1), 1);
	ck_assert_uint_eq(page, 0x800000);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_RAS_UE_COUNT), 1);
	free(data);
}
END_TEST

START_TEST(test_hung_queue_is_saved_hung)
{
	char why[T_WHY];
	void *data;
	size_t len;

	arm("hang,queue=0");
	t_submit(card, 0, put_nops(1), 64);
	data = save(&len);
	ck_assert_ptr_null(loom_core_load(card->core, data, len, why,
					  sizeof(why)));
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_RUNNING);
	free(data);
}
END_TEST

/* Every byte of the state at its worst: refused or loaded, never worse. */
START_TEST(test_spoilt_state_does_no_harm)
{
	char why[T_WHY];
	unsigned char *data, *copy;
	size_t len, i;

	arm("poison,addr=0x800000;irq-late,vector=5;hang,queue=0,after=9");
	data = save(&len);
	copy = malloc(len);
	/* The sections of faults and sensors are the last ones. */
	for (i = len > 2000 ? len - 2000 : 0; i < len; i++) {
		memcpy(copy, data, len);
		copy[i] ^= 0xff;
		loom_core_load(card->core, copy, len, why, sizeof(why));
		t_read32(card, LOOM_REG_SENSOR_POWER);
	}
	free(copy);
	free(data);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("inject");
	TCase *tc = tcase_create("core");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_specification_is_read_as_written);
	tcase_add_test(tc, test_every_kind_can_be_named);
	tcase_add_loop_test(tc, test_wrong_specification_is_explained, 1,
			    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, test_long_nonsense_is_refused);
	tcase_add_test(tc, test_queue_that_the_card_lacks_is_refused);
	tcase_add_test(tc, test_list_is_armed_whole_or_not_at_all);
	tcase_add_test(tc, test_spent_faults_make_room_and_others_do_not);
	tcase_add_test(tc, test_list_without_room_for_all_arms_none);
	tcase_add_test(tc, test_strikes_after_n_and_count_times);
	tcase_add_test(tc, test_same_seed_strikes_at_the_same_places);
	tcase_add_test(tc, test_first_armed_strikes_first_and_the_next_after_it);
	tcase_add_test(tc, test_resets_leave_faults_armed);
	tcase_add_test(tc, test_hang_stops_one_queue_until_it_is_reset);
	tcase_add_test(tc, test_command_that_waited_counts_once);
	tcase_add_test(tc, test_stuck_reset_leaves_the_queue_running);
	tcase_add_test(tc, test_lost_interrupt_loses_nothing_else);
	tcase_add_test(tc, test_duplicated_interrupt_comes_twice);
	tcase_add_test(tc, test_late_interrupt_is_forgotten_by_a_reset);
	tcase_add_test(tc, test_wrong_number_is_never_zero_and_never_right);
	tcase_add_test(tc, test_stuck_doorbell_wakes_with_the_next);
	tcase_add_test(tc, test_dma_error_of_the_ring_stops_its_queue);
	tcase_add_test(tc, test_dma_error_at_an_address_names_it);
	tcase_add_test(tc, test_thermal_trip_stops_all_until_reset);
	tcase_add_test(tc, test_thermal_trip_amid_a_job_leaves_it_unfinished);
	tcase_add_test(tc, test_faults_of_the_bus_go_to_the_owner);
	tcase_add_test(tc, test_fault_of_the_bus_strikes_at_its_command);
	tcase_add_test(tc, test_function_reset_is_struck_once);
	tcase_add_test(tc, test_saved_card_fails_where_the_first_would_have);
	tcase_add_test(tc, test_hung_queue_is_saved_hung);
	tcase_add_test(tc, test_spoilt_state_does_no_harm);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
