// SPDX-License-Identifier: MIT
/*
 * DOC: Queues, commands, completions, events, scheduling, reset
 *
 * Threads: `make check-tsan` runs these under ThreadSanitizer.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static uint32_t queue_reg(unsigned int q, uint32_t reg)
{
	return t_read32(card, LOOM_REG_QUEUE(q, reg));
}

static unsigned int irqs(unsigned int vector)
{
	loom_core_deliver(card->core);
	return atomic_load(&card->irqs[vector]);
}

static struct loom_event *event_at(unsigned int n)
{
	struct loom_event *e = t_sys_ptr(card, card->events);

	return &e[n % (1u << T_RING_LOG2)];
}

static void check_event(unsigned int n, unsigned int queue, uint32_t error)
{
	struct loom_event *e = event_at(n);

	ck_assert_uint_eq(e->seq, n + 1);
	ck_assert_uint_eq(e->type, LOOM_EVENT_QUEUE_ERROR);
	ck_assert_uint_eq(e->queue, queue);
	ck_assert_uint_eq(e->error, error);
	ck_assert_uint_eq(e->reserved, 0);
	ck_assert_uint_eq(e->reserved0, 0);
}

/* A command buffer in device memory; its address. */
static uint64_t put(const void *cmds, size_t bytes)
{
	uint64_t va = t_hbm_alloc(card, bytes);

	memcpy(t_ptr(card, va), cmds, bytes);
	return va;
}

static uint64_t put_nops(unsigned int count)
{
	uint64_t va = t_hbm_alloc(card, count * sizeof(struct loom_cmd_nop));
	struct loom_cmd_nop *nop = t_ptr(card, va);

	while (count--)
		*nop++ = t_nop();
	return va;
}

static void nap(void)
{
	nanosleep(&(struct timespec) { .tv_nsec = 200000 }, NULL);
}

/* Jobs -------------------------------------------------------------------- */

START_TEST(test_job_completes_with_record_and_interrupt)
{
	uint64_t va = put_nops(3);
	struct loom_completion c = t_submit(card, 0, va, 3 * 64);

	ck_assert_uint_eq(c.seq, card->next_seq);
	ck_assert_uint_eq(c.error, LOOM_ERR_NONE);
	ck_assert_uint_eq(c.start, 0);
	ck_assert_uint_eq(c.end, t_read64(card, LOOM_REG_TIME));
	ck_assert_uint_gt(c.end, c.start);
	ck_assert_uint_eq(irqs(1), 1);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_HEAD), 1);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_TAIL), 1);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_PROGRESS), 3);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE), LOOM_QUEUE_STATE_IDLE);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_JOBS), 1);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_COMMANDS), 3);
}
END_TEST

START_TEST(test_empty_command_buffer_completes)
{
	/* Nothing is fetched, so nothing need be mapped. */
	struct loom_completion c = t_submit(card, 0, 0x7000000, 0);

	ck_assert_uint_eq(c.error, LOOM_ERR_NONE);
	ck_assert_uint_ne(c.seq, 0);
}
END_TEST

START_TEST(test_no_interrupt_unless_asked_for)
{
	uint64_t va = put_nops(1);

	t_queue_push(card, 0, va, 64);
	t_entry(card, 0, 0)->flags = 0;
	t_doorbell(card, 0);
	t_run(card);
	ck_assert(t_is_done(card, 0, 0));
	ck_assert_uint_eq(irqs(1), 0);
}
END_TEST

START_TEST(test_ring_wraps_and_keeps_order)
{
	uint64_t va = put_nops(1), last = 0;
	struct loom_completion c;
	unsigned int i;

	for (i = 0; i < 100; i++) {
		c = t_submit(card, 0, va, 64);
		ck_assert_uint_eq(c.error, LOOM_ERR_NONE);
		ck_assert_uint_eq(c.seq, i + 1);
		ck_assert_uint_eq(c.start, last);
		last = c.end;
	}
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_HEAD), 100);
}
END_TEST

START_TEST(test_full_ring_runs_in_one_go)
{
	uint64_t va = put_nops(1);
	unsigned int i;

	for (i = 0; i < 1u << T_RING_LOG2; i++)
		t_queue_push(card, 0, va, 64);
	t_doorbell(card, 0);
	t_run(card);
	for (i = 0; i < 1u << T_RING_LOG2; i++)
		ck_assert_uint_eq(t_completion(card, 0, i)->error, 0);
}
END_TEST

START_TEST(test_completion_leaves_no_byte_unwritten)
{
	struct loom_completion *c = t_completion(card, 0, 0);
	uint64_t va = put_nops(1);

	t_queue_push(card, 0, va, 64);
	memset(c, 0xff, sizeof(*c));
	t_doorbell(card, 0);
	t_run(card);
	ck_assert_uint_eq(c->error, 0);
	ck_assert_uint_eq(c->cmd_index, 0);
	ck_assert_uint_eq(c->cmd_offset, 0);
	ck_assert_uint_eq(c->field, 0);
	ck_assert_uint_eq(c->fault_addr, 0);
	ck_assert_uint_eq(c->access, 0);
	ck_assert_uint_eq(c->opcode, 0);
	ck_assert_uint_eq(c->reserved, 0);
}
END_TEST

/** struct dma_log - what a hook saw */
struct dma_log {
	uint64_t addr;
	size_t len;
	bool is_write;
};

static struct dma_log dma_log[64];
static unsigned int dma_count;

static int log_dma(struct t_card *c, uint64_t addr, size_t len, bool is_write)
{
	(void)c;
	if (dma_count < 64)
		dma_log[dma_count++] = (struct dma_log) { addr, len, is_write };
	return 0;
}

/* Double fetch, and order of the completion's two writes. */
START_TEST(test_every_byte_from_the_host_is_read_once)
{
	uint64_t sys = t_sys_alloc(card, 2 * LOOM_PAGE_SIZE);
	uint64_t va = 0x40000000, compl = card->queue[0].compl;
	struct loom_cmd_nop *nop = t_sys_ptr(card, sys);
	unsigned int i;

	for (i = 0; i < 128; i++)
		nop[i] = t_nop();
	t_map(card, T_CTX, va, LOOM_KIND_SYSTEM, sys, 2 * LOOM_PAGE_SIZE, false);
	dma_count = 0;
	card->dma_hook = log_dma;
	ck_assert_uint_eq(t_submit(card, 0, va, 128 * 64).error, 0);
	card->dma_hook = NULL;
	ck_assert_uint_eq(dma_count, 5);
	ck_assert_uint_eq(dma_log[0].addr, card->queue[0].ring);
	ck_assert_uint_eq(dma_log[0].len, 64);
	ck_assert_uint_eq(dma_log[1].addr, sys);
	ck_assert_uint_eq(dma_log[1].len, LOOM_PAGE_SIZE);
	ck_assert_uint_eq(dma_log[2].addr, sys + LOOM_PAGE_SIZE);
	ck_assert(dma_log[3].is_write && dma_log[4].is_write);
	ck_assert_uint_eq(dma_log[3].addr, compl + 8);
	ck_assert_uint_eq(dma_log[3].len, 56);
	ck_assert_uint_eq(dma_log[4].addr, compl);
	ck_assert_uint_eq(dma_log[4].len, 8);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_PCIE_RD_BYTES), 64 + 128 * 64);
}
END_TEST

START_TEST(test_disabled_card_runs_nothing)
{
	uint64_t va = put_nops(1);

	t_write32(card, LOOM_REG_CTRL, 0);
	t_queue_push(card, 0, va, 64);
	t_doorbell(card, 0);
	ck_assert(!loom_core_run(card->core, 100));
	ck_assert(!t_is_done(card, 0, 0));
	t_write32(card, LOOM_REG_CTRL, LOOM_CTRL_ENABLE);
	t_run(card);
	ck_assert(t_is_done(card, 0, 0));
}
END_TEST

START_TEST(test_budget_stops_between_commands)
{
	uint64_t va = put_nops(10);

	t_queue_push(card, 0, va, 640);
	t_doorbell(card, 0);
	ck_assert(loom_core_run(card->core, 4));
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_PROGRESS), 4);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_RUNNING);
	ck_assert(!t_is_done(card, 0, 0));
	t_run(card);
	ck_assert(t_is_done(card, 0, 0));
}
END_TEST

/* Without worker threads a job must not keep the owner's thread. */
START_TEST(test_command_that_takes_too_long_fails)
{
	struct loom_cmd_copy cmd = t_fill_for_ever(t_hbm_alloc(card, 4096));
	uint64_t va = put(&cmd, sizeof(cmd));
	struct loom_completion c;
	clock_t start = clock();

	loom_core_set_patience(card->core, 40000000);
	c = t_submit(card, 0, va, sizeof(cmd));
	ck_assert_uint_eq(c.error, LOOM_ERR_INTERNAL);
	ck_assert_int_lt(clock() - start, CLOCKS_PER_SEC);
	t_queue_init(card, 0, T_CTX, 0);
	ck_assert_uint_eq(t_submit(card, 0, put_nops(3), 192).error, 0);
}
END_TEST

START_TEST(test_many_commands_let_the_owner_go_on_between_them)
{
	uint64_t a = t_hbm_alloc(card, 1 << 20), b = t_hbm_alloc(card, 1 << 20);
	struct loom_cmd_copy cmd[64];
	unsigned int i, runs = 1;
	uint64_t va;

	for (i = 0; i < 64; i++) {
		cmd[i] = t_copy_bytes(b, a, 1 << 20);
		cmd[i].dim[1] = 64;	/* a few milliseconds */
	}
	va = put(cmd, sizeof(cmd));
	/* All take longer than a quarter of it, none takes three quarters. */
	loom_core_set_patience(card->core, 400000000);
	t_queue_push(card, 0, va, sizeof(cmd));
	t_doorbell(card, 0);
	while (loom_core_run(card->core, ~0u))
		runs++;
	ck_assert_uint_gt(runs, 1);
	ck_assert_uint_eq(t_completion(card, 0, 0)->error, LOOM_ERR_NONE);
}
END_TEST

/* Doorbells --------------------------------------------------------------- */

START_TEST(test_doorbell_outside_the_ring_stops_the_queue)
{
	static const uint32_t tails[] = { 17, 1000, ~0u, 1u << 31 };

	loom_core_doorbell_write(card->core, 0, tails[_i], 4);
	t_run(card);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_ERROR);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_ERROR), LOOM_ERR_DOORBELL);
	check_event(0, 0, LOOM_ERR_DOORBELL);
	ck_assert_uint_eq(irqs(0), 1);
	ck_assert_uint_eq(irqs(1), 1);
}
END_TEST

START_TEST(test_doorbell_behind_the_last_one_is_ignored)
{
	uint64_t va = put_nops(1);

	t_queue_push(card, 0, va, 64);
	t_queue_push(card, 0, va, 64);
	t_doorbell(card, 0);
	loom_core_doorbell_write(card->core, 0, 1, 4);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_TAIL), 2);
	t_run(card);
	ck_assert(t_is_done(card, 0, 1));
}
END_TEST

START_TEST(test_doorbell_of_a_disabled_queue_is_ignored)
{
	t_write32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL), 0);
	loom_core_doorbell_write(card->core, 0, 1, 4);
	ck_assert_uint_eq(atomic_load(&card->log_lines), 1);
	ck_assert(!loom_core_run(card->core, 10));
}
END_TEST

START_TEST(test_bad_doorbell_ends_the_running_job)
{
	struct loom_cmd_event wait = t_event(LOOM_EVENT_OP_WAIT_GE, 1, 1);
	uint64_t va = put(&wait, sizeof(wait));

	ck_assert_uint_eq(t_submit(card, 0, va, 64).error, ~0u);
	loom_core_doorbell_write(card->core, 0, 500, 4);
	t_run(card);
	ck_assert_uint_eq(t_completion(card, 0, 0)->error, LOOM_ERR_DOORBELL);
	check_event(0, 0, LOOM_ERR_DOORBELL);
	ck_assert_uint_eq(event_at(1)->seq, 0);
}
END_TEST

/* Ring and completions that do not work ------------------------------------ */

static void set_base(uint32_t reg, uint64_t base)
{
	uint64_t r = LOOM_REG_QUEUE(0, 0);

	t_write32(card, r + LOOM_QUEUE_CTRL, 0);
	t_write64(card, r + reg, base);
	t_write32(card, r + LOOM_QUEUE_CTRL, LOOM_QUEUE_CTRL_ENABLE);
	card->queue[0].tail = 0;
}

START_TEST(test_ring_outside_ram_stops_the_queue)
{
	static const uint64_t bases[] = { 0, 0xfee00000, ~63ull,
					  T_SYS_BASE + T_SYS_SIZE };

	set_base(LOOM_QUEUE_RING_BASE, bases[_i]);
	loom_core_doorbell_write(card->core, 0, 1, 4);
	t_run(card);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_ERROR), LOOM_ERR_RING_DMA);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_HEAD), 0);
	check_event(0, 0, LOOM_ERR_RING_DMA);
	ck_assert_uint_eq(event_at(0)->addr, bases[_i]);
	ck_assert(!t_is_done(card, 0, 0));
	ck_assert_uint_eq(irqs(1), 1);
}
END_TEST

START_TEST(test_ring_is_unreadable_without_bus_mastering)
{
	loom_core_set_bus_master(card->core, false);
	t_queue_push(card, 0, put_nops(1), 64);
	t_doorbell(card, 0);
	t_run(card);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_ERROR), LOOM_ERR_RING_DMA);
	ck_assert_uint_eq(event_at(0)->seq, 0);
}
END_TEST

START_TEST(test_unwritable_completion_stops_the_queue)
{
	set_base(LOOM_QUEUE_COMPL_BASE, 0xfee00000);
	t_submit(card, 0, put_nops(1), 64);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_ERROR);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_ERROR), LOOM_ERR_COMPL_DMA);
	check_event(0, 0, LOOM_ERR_COMPL_DMA);
	ck_assert_uint_eq(event_at(0)->addr, 0xfee00000);
	ck_assert_uint_eq(event_at(0)->access, LOOM_ACCESS_WRITE);
}
END_TEST

static const struct { size_t at, size; uint64_t value; } bad_entry[] = {
#define BAD(m, v) { offsetof(struct loom_ring_entry, m), \
		    sizeof(((struct loom_ring_entry *)0)->m), v }
	BAD(type, 0), BAD(type, 2), BAD(type, ~0u),
	BAD(flags, 2), BAD(flags, 1u << 31),
	BAD(cmd_va, 0x100020), BAD(cmd_va, 1ull << 48), BAD(cmd_va, ~63ull),
	BAD(cmd_va, (1ull << 48) - 64),
	BAD(cmd_size, 32), BAD(cmd_size, LOOM_MAX_CMD_BYTES + 64),
	BAD(cmd_size, ~63u), BAD(reserved0, 1), BAD(seq, 0),
	BAD(reserved[0], 1), BAD(reserved[3], 1ull << 63),
};

START_TEST(test_malformed_ring_entry_stops_the_queue)
{
	struct loom_completion *c = t_completion(card, 0, 0);
	uint64_t va = put_nops(2), seq;

	t_queue_push(card, 0, va, 128);
	memcpy((char *)t_entry(card, 0, 0) + bad_entry[_i].at,
	       &bad_entry[_i].value, bad_entry[_i].size);
	seq = t_entry(card, 0, 0)->seq;
	t_doorbell(card, 0);
	t_run(card);
	ck_assert_uint_eq(c->error, LOOM_ERR_RING_ENTRY);
	ck_assert_uint_eq(c->field, bad_entry[_i].at);
	ck_assert_uint_eq(c->seq, seq);
	check_event(0, 0, LOOM_ERR_RING_ENTRY);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_COMMANDS), 0);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_FAULTS), 1);
}
END_TEST

/* Commands that do not work ------------------------------------------------ */

static const struct {
	size_t at, size;
	uint64_t value;
	uint32_t error;
} bad_head[] = {
#undef BAD
#define BAD(m, v, e) { offsetof(struct loom_cmd, m), \
		       sizeof(((struct loom_cmd *)0)->m), v, LOOM_ERR_##e }
	BAD(opcode, 0, CMD_OPCODE), BAD(opcode, 5, CMD_OPCODE),
	BAD(opcode, LOOM_OP_LINK, CMD_OPCODE), BAD(opcode, 0xff, CMD_OPCODE),
	BAD(version, 0, CMD_VERSION), BAD(version, 2, CMD_VERSION),
	BAD(size64, 0, CMD_SIZE), BAD(size64, 2, CMD_SIZE),
	BAD(size64, 0xffff, CMD_SIZE),
	BAD(flags, 2, CMD_RESERVED), BAD(flags, 1u << 31, CMD_RESERVED),
	BAD(wait_event, 64, EVENT), BAD(signal_event, 64, EVENT),
	BAD(wait_event, 0xffff, EVENT), BAD(signal_event, 0xffff, EVENT),
};

START_TEST(test_malformed_head_names_command_and_field)
{
	struct loom_cmd_nop cmds[3] = { t_nop(), t_nop(), t_nop() };
	struct loom_completion c;

	memcpy((char *)&cmds[1] + bad_head[_i].at, &bad_head[_i].value,
	       bad_head[_i].size);
	c = t_run_cmds(card, cmds, sizeof(cmds));
	ck_assert_uint_eq(c.error, bad_head[_i].error);
	ck_assert_uint_eq(c.cmd_index, 1);
	ck_assert_uint_eq(c.cmd_offset, 64);
	ck_assert_uint_eq(c.field, bad_head[_i].at);
	ck_assert_uint_eq(c.opcode, cmds[1].hdr.opcode);
	check_event(0, 0, bad_head[_i].error);
	ck_assert_uint_eq(event_at(0)->cmd_index, 1);
	ck_assert_uint_eq(event_at(0)->context, T_CTX);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_PROGRESS), 1);
}
END_TEST

START_TEST(test_command_beyond_the_buffer_is_refused)
{
	struct loom_cmd_copy copy = t_copy_bytes(0, 0, 0);
	struct loom_completion c = t_run_cmds(card, &copy, 128);

	ck_assert_uint_eq(c.error, LOOM_ERR_CMD_SIZE);
	ck_assert_uint_eq(c.field, offsetof(struct loom_cmd, size64));
}
END_TEST

START_TEST(test_reserved_bytes_must_be_zero)
{
	struct loom_cmd_timestamp ts = t_timestamp(t_hbm_alloc(card, 8));
	struct loom_cmd_event ev = t_event(LOOM_EVENT_OP_SET, 1, 1);
	struct loom_cmd_nop nop = t_nop();
	struct loom_completion c;

	nop.reserved[11] = 1u << 24;
	c = t_run_cmds(card, &nop, sizeof(nop));
	ck_assert_uint_eq(c.error, LOOM_ERR_CMD_RESERVED);
	ck_assert_uint_eq(c.field, 63);
	ev.reserved[0] = 1;
	c = t_run_cmds(card, &ev, sizeof(ev));
	ck_assert_uint_eq(c.error, LOOM_ERR_CMD_RESERVED);
	ck_assert_uint_eq(c.field, 28);
	ts.reserved[0] = 1;
	c = t_run_cmds(card, &ts, sizeof(ts));
	ck_assert_uint_eq(c.error, LOOM_ERR_CMD_RESERVED);
	ck_assert_uint_eq(c.field, 24);
}
END_TEST

START_TEST(test_bad_event_command_is_refused)
{
	struct loom_cmd_event ev = t_event(3, 1, 1);
	struct loom_completion c = t_run_cmds(card, &ev, sizeof(ev));

	ck_assert_uint_eq(c.error, LOOM_ERR_CMD_FIELD);
	ck_assert_uint_eq(c.field, offsetof(struct loom_cmd_event, op));
	ev = t_event(LOOM_EVENT_OP_SET, 64, 1);
	c = t_run_cmds(card, &ev, sizeof(ev));
	ck_assert_uint_eq(c.error, LOOM_ERR_EVENT);
	ck_assert_uint_eq(c.field, offsetof(struct loom_cmd_event, event));
}
END_TEST

START_TEST(test_timestamp_is_modelled_time)
{
	uint64_t va = t_hbm_alloc(card, 16), *stamp = t_ptr(card, va);
	struct loom_cmd_timestamp ts[2] = {
		t_timestamp(va), t_timestamp(va + 8),
	};
	struct loom_completion c = t_run_cmds(card, ts, sizeof(ts));

	ck_assert_uint_eq(c.error, 0);
	ck_assert_uint_gt(stamp[0], c.start);
	ck_assert_uint_gt(stamp[1], stamp[0]);
	ck_assert_uint_le(stamp[1], c.end);
	ts[0].addr += 4;
	c = t_run_cmds(card, ts, sizeof(ts));
	ck_assert_uint_eq(c.error, LOOM_ERR_CMD_ALIGN);
	ck_assert_uint_eq(c.field, offsetof(struct loom_cmd_timestamp, addr));
}
END_TEST

START_TEST(test_commands_before_an_unmapped_page_still_run)
{
	uint64_t va = put_nops(64);
	struct loom_completion c = t_submit(card, 0, va, 2 * LOOM_PAGE_SIZE);

	ck_assert_uint_eq(c.error, LOOM_ERR_CMD_FETCH);
	ck_assert_uint_eq(c.fault_addr, va + LOOM_PAGE_SIZE);
	ck_assert_uint_eq(c.cmd_index, 64);
	ck_assert_uint_eq(c.cmd_offset, LOOM_PAGE_SIZE);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_PROGRESS), 64);
}
END_TEST

START_TEST(test_command_across_pages_is_fetched_whole)
{
	uint64_t va = t_hbm_alloc(card, 2 * LOOM_PAGE_SIZE);
	uint64_t dst = t_hbm_alloc(card, 64), src = t_hbm_alloc(card, 64);
	struct loom_cmd_copy copy = t_copy_bytes(dst, src, 64);
	struct loom_cmd_nop nop = t_nop();
	unsigned int i;

	for (i = 0; i < 63; i++)
		memcpy(t_ptr(card, va + i * 64), &nop, 64);
	memcpy(t_ptr(card, va + 63 * 64), &copy, sizeof(copy));
	memset(t_ptr(card, src), 0x3c, 64);
	ck_assert_uint_eq(t_submit(card, 0, va, 66 * 64).error, 0);
	ck_assert_mem_eq(t_ptr(card, dst), t_ptr(card, src), 64);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_PROGRESS), 64);
}
END_TEST

START_TEST(test_failed_queue_stays_down_and_others_go_on)
{
	struct loom_cmd_nop bad = { .hdr = { .opcode = 0 } };
	uint64_t va = put_nops(1), bad_va = put(&bad, sizeof(bad));

	t_queue_init(card, 1, T_CTX, 1);
	t_queue_push(card, 0, bad_va, 64);
	t_queue_push(card, 0, va, 64);
	t_doorbell(card, 0);
	t_run(card);
	ck_assert_uint_eq(t_completion(card, 0, 0)->error, LOOM_ERR_CMD_OPCODE);
	ck_assert(!t_is_done(card, 0, 1));
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_HEAD), 1);
	ck_assert_uint_eq(t_submit(card, 1, va, 64).error, 0);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_ERROR);
	t_queue_init(card, 0, T_CTX, 1);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_ERROR), 0);
	ck_assert_uint_eq(t_submit(card, 0, va, 64).error, 0);
}
END_TEST

/* Event ring -------------------------------------------------------------- */

static void fail_queue(unsigned int q)
{
	t_queue_init(card, q, T_CTX, 0);
	t_submit(card, q, 0x7000000, 64);
}

START_TEST(test_full_event_ring_marks_what_was_lost)
{
	unsigned int i;

	for (i = 0; i < 20; i++)
		fail_queue(1);
	for (i = 0; i < 16; i++)
		check_event(i, 1, LOOM_ERR_CMD_FETCH);
	t_write32(card, LOOM_REG_EVENT_HEAD, 16);
	fail_queue(2);
	check_event(16, 2, LOOM_ERR_CMD_FETCH);
	ck_assert_uint_eq(event_at(16)->flags, LOOM_EVENT_F_LOST);
	fail_queue(3);
	check_event(17, 3, LOOM_ERR_CMD_FETCH);
	ck_assert_uint_eq(event_at(17)->flags, 0);
}
END_TEST

START_TEST(test_event_head_in_front_of_the_ring_means_full)
{
	t_write32(card, LOOM_REG_EVENT_HEAD, 5);
	fail_queue(1);
	ck_assert_uint_eq(event_at(0)->seq, 0);
	t_write32(card, LOOM_REG_EVENT_HEAD, 0);
	fail_queue(1);
	ck_assert_uint_eq(event_at(0)->flags, LOOM_EVENT_F_LOST);
}
END_TEST

START_TEST(test_event_ring_outside_ram_loses_events)
{
	t_write64(card, LOOM_REG_EVENT_BASE, 0xfee00000);
	fail_queue(1);
	ck_assert_uint_eq(irqs(0), 0);
	ck_assert_uint_eq(queue_reg(1, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_ERROR);
}
END_TEST

START_TEST(test_event_ring_that_is_off_stays_silent)
{
	static const uint32_t sizes[] = { 0, 11, ~0u };

	t_write32(card, LOOM_REG_EVENT_SIZE_LOG2, sizes[_i]);
	fail_queue(1);
	ck_assert_uint_eq(event_at(0)->seq, 0);
	ck_assert_uint_eq(irqs(0), 0);
}
END_TEST

/* Events of contexts ------------------------------------------------------- */

START_TEST(test_event_wait_blocks_only_its_queue)
{
	struct loom_cmd_event wait = t_event(LOOM_EVENT_OP_WAIT_GE, 3, 2);
	struct loom_cmd_event add = t_event(LOOM_EVENT_OP_ADD, 3, 1);
	uint64_t wait_va = put(&wait, 64), add_va = put(&add, 64);

	t_queue_init(card, 1, T_CTX, 1);
	ck_assert_uint_eq(t_submit(card, 0, wait_va, 64).error, ~0u);
	ck_assert(!loom_core_run(card->core, 100));
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_RUNNING);
	ck_assert_uint_eq(t_submit(card, 1, add_va, 64).error, 0);
	ck_assert(!t_is_done(card, 0, 0));
	ck_assert_uint_eq(t_submit(card, 1, add_va, 64).error, 0);
	ck_assert(t_is_done(card, 0, 0));
	ck_assert_uint_eq(t_completion(card, 0, 0)->error, 0);
}
END_TEST

START_TEST(test_head_waits_and_signals)
{
	struct loom_cmd_nop wait = t_nop(), signal = t_nop();
	uint64_t wait_va, signal_va;

	wait.hdr.wait_event = 9;
	signal.hdr.signal_event = 9;
	wait_va = put(&wait, 64);
	signal_va = put(&signal, 64);
	t_queue_init(card, 1, T_CTX, 1);
	ck_assert_uint_eq(t_submit(card, 0, wait_va, 64).error, ~0u);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_PROGRESS), 0);
	ck_assert_uint_eq(t_submit(card, 1, signal_va, 64).error, 0);
	ck_assert(t_is_done(card, 0, 0));
}
END_TEST

START_TEST(test_contexts_do_not_share_events)
{
	struct loom_cmd_event wait = t_event(LOOM_EVENT_OP_WAIT_GE, 3, 1);
	struct loom_cmd_event set = t_event(LOOM_EVENT_OP_SET, 3, 1);
	uint64_t set_va = put(&set, 64);

	t_map(card, 2, set_va, LOOM_KIND_HBM, set_va, LOOM_PAGE_SIZE, false);
	t_queue_init(card, 1, 2, 1);
	ck_assert_uint_eq(t_submit(card, 0, put(&wait, 64), 64).error, ~0u);
	ck_assert_uint_eq(t_submit(card, 1, set_va, 64).error, 0);
	ck_assert(!t_is_done(card, 0, 0));
}
END_TEST

START_TEST(test_writing_the_root_zeroes_events)
{
	struct loom_cmd_event set = t_event(LOOM_EVENT_OP_SET, 3, 1);
	struct loom_cmd_event wait = t_event(LOOM_EVENT_OP_WAIT_GE, 3, 1);

	ck_assert_uint_eq(t_run_cmds(card, &set, 64).error, 0);
	ck_assert_uint_eq(t_run_cmds(card, &wait, 64).error, 0);
	t_write64(card, LOOM_REG_CTX_ROOT(T_CTX),
		  card->root[T_CTX] | LOOM_CTX_ROOT_VALID);
	ck_assert_uint_eq(t_run_cmds(card, &wait, 64).error, ~0u);
}
END_TEST

START_TEST(test_reset_frees_a_waiting_queue)
{
	struct loom_cmd_event wait = t_event(LOOM_EVENT_OP_WAIT_GE, 1, 1);
	struct loom_cmd_event set = t_event(LOOM_EVENT_OP_SET, 1, 1);

	ck_assert_uint_eq(t_submit(card, 0, put(&wait, 64), 64).error, ~0u);
	t_write32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL),
		  LOOM_QUEUE_CTRL_RESET);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_DISABLED);
	t_queue_init(card, 1, T_CTX, 1);
	ck_assert_uint_eq(t_submit(card, 1, put(&set, 64), 64).error, 0);
	ck_assert_uint_eq(t_completion(card, 0, 0)->error, ~0u);
	t_queue_init(card, 0, T_CTX, 1);
	ck_assert_uint_eq(t_submit(card, 0, put_nops(1), 64).error, 0);
}
END_TEST

/* Scheduling -------------------------------------------------------------- */

START_TEST(test_higher_priority_goes_first)
{
	uint64_t va = put_nops(1);
	unsigned int q, i;

	for (q = 1; q <= 3; q++) {
		t_queue_init(card, q, T_CTX, q - 1);
		for (i = 0; i < 3; i++)
			t_queue_push(card, q, va, 64);
		t_doorbell(card, q);
	}
	t_run(card);
	for (q = 1; q < 3; q++)
		ck_assert_uint_ge(t_completion(card, q, 0)->start,
				  t_completion(card, q + 1, 2)->end);
}
END_TEST

START_TEST(test_equal_priorities_take_turns)
{
	uint64_t va = put_nops(1);
	unsigned int q, i;

	for (q = 1; q <= 3; q++) {
		t_queue_init(card, q, T_CTX, 2);
		for (i = 0; i < 4; i++)
			t_queue_push(card, q, va, 64);
		t_doorbell(card, q);
	}
	t_run(card);
	for (i = 0; i < 3; i++)
		for (q = 1; q <= 3; q++)
			ck_assert_uint_ge(t_completion(card, q, i + 1)->start,
				t_completion(card, q % 3 + 1, i)->end);
}
END_TEST

START_TEST(test_higher_priority_cuts_in_between_commands)
{
	uint64_t va = put_nops(100);

	t_queue_init(card, 1, T_CTX, 3);
	t_queue_push(card, 0, va, 100 * 64);
	t_doorbell(card, 0);
	loom_core_run(card->core, 10);
	ck_assert_uint_eq(t_submit(card, 1, va, 64).error, 0);
	ck_assert(t_is_done(card, 0, 0));
	ck_assert_uint_lt(t_completion(card, 1, 0)->end,
			  t_completion(card, 0, 0)->end);
	ck_assert_uint_gt(t_completion(card, 1, 0)->start,
			  t_completion(card, 0, 0)->start);
}
END_TEST

START_TEST(test_low_priority_does_not_starve)
{
	uint64_t va = put_nops(4096);
	unsigned int i;

	t_queue_init(card, 1, T_CTX, 3);
	t_queue_init(card, 2, T_CTX, 0);
	for (i = 0; i < 16; i++)
		t_queue_push(card, 1, va, 4096 * 64);
	t_queue_push(card, 2, va, 64);
	t_doorbell(card, 1);
	t_doorbell(card, 2);
	/* The bound of queue.c, a few commands for the ends of jobs. */
	loom_core_run(card->core, 16 * 32 + 16);
	ck_assert_uint_ge(queue_reg(2, LOOM_QUEUE_PROGRESS), 1);
	ck_assert_uint_ge(queue_reg(1, LOOM_QUEUE_PROGRESS), 400);
}
END_TEST

/* Reset ------------------------------------------------------------------- */

START_TEST(test_reset_drops_what_is_queued)
{
	uint64_t va = put_nops(100);

	t_queue_push(card, 0, va, 6400);
	t_queue_push(card, 0, va, 6400);
	t_doorbell(card, 0);
	loom_core_run(card->core, 10);
	t_write32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL),
		  LOOM_QUEUE_CTRL_RESET);
	ck_assert(!loom_core_run(card->core, 1000));
	ck_assert(!t_is_done(card, 0, 0) && !t_is_done(card, 0, 1));
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_HEAD), 0);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_TAIL), 0);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_PROGRESS), 0);
	ck_assert_uint_eq(irqs(1), 0);
}
END_TEST

/* A fill that never ends is under way when this returns. */
static uint64_t start_endless_fill(void)
{
	uint64_t dst = t_hbm_alloc(card, LOOM_PAGE_SIZE);
	struct loom_cmd_copy fill = t_fill_for_ever(dst);
	unsigned long long dirty = atomic_load(&card->dirty_bytes);

	t_workers_start(card, 2);
	t_queue_push(card, 0, put(&fill, sizeof(fill)), sizeof(fill));
	t_doorbell(card, 0);
	while (atomic_load(&card->dirty_bytes) == dirty)
		nap();
	return dst;
}

static void check_untouched(uint64_t dst)
{
	uint8_t *p = t_ptr(card, dst);
	unsigned int i;

	memset(p, 0, LOOM_PAGE_SIZE);
	for (i = 0; i < 10; i++)
		nap();
	for (i = 0; i < LOOM_PAGE_SIZE; i++)
		ck_assert_uint_eq(p[i], 0);
	ck_assert(!t_is_done(card, 0, 0));
}

START_TEST(test_queue_reset_aborts_a_running_command)
{
	uint64_t dst = start_endless_fill();

	t_write32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL),
		  LOOM_QUEUE_CTRL_RESET);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_DISABLED);
	check_untouched(dst);
	ck_assert_uint_eq(irqs(1), 0);
}
END_TEST

START_TEST(test_disabling_a_queue_leaves_nothing_running)
{
	uint64_t dst = start_endless_fill();

	t_write32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL), 0);
	check_untouched(dst);
}
END_TEST

START_TEST(test_device_reset_aborts_a_running_command)
{
	uint64_t dst = start_endless_fill();

	loom_core_reset(card->core);
	check_untouched(dst);
	ck_assert_uint_eq(irqs(1), 0);
}
END_TEST

START_TEST(test_stop_aborts_a_running_command)
{
	uint64_t dst = start_endless_fill();

	t_workers_stop(card);
	check_untouched(dst);
}
END_TEST

START_TEST(test_bad_doorbell_aborts_a_running_command)
{
	start_endless_fill();
	loom_core_doorbell_write(card->core, 0, 100, 4);
	while (!t_is_done(card, 0, 0))
		nap();
	ck_assert_uint_eq(t_completion(card, 0, 0)->error, LOOM_ERR_DOORBELL);
}
END_TEST

START_TEST(test_unmapping_memory_in_use_faults_the_command)
{
	uint64_t dst = start_endless_fill();
	uint8_t *p = t_ptr(card, dst);
	unsigned int i;

	t_unmap(card, T_CTX, dst, LOOM_PAGE_SIZE);
	t_invalidate(card, T_CTX);
	/* From here on the page may belong to somebody else. */
	memset(p, 0, LOOM_PAGE_SIZE);
	while (!t_is_done(card, 0, 0))
		nap();
	for (i = 0; i < LOOM_PAGE_SIZE; i++)
		ck_assert_uint_eq(p[i], 0);
	ck_assert_uint_eq(t_completion(card, 0, 0)->error,
			  LOOM_ERR_FAULT_UNMAPPED);
	ck_assert_uint_eq(t_completion(card, 0, 0)->fault_addr, dst);
}
END_TEST

START_TEST(test_invalidation_does_not_disturb_memory_in_use)
{
	uint64_t other = t_hbm_alloc(card, LOOM_PAGE_SIZE);
	uint64_t dst = start_endless_fill();
	unsigned int i;

	t_unmap(card, T_CTX, other, LOOM_PAGE_SIZE);
	for (i = 0; i < 100; i++)
		t_invalidate(card, T_CTX);
	ck_assert_uint_eq(queue_reg(0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_RUNNING);
	t_write32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL), 0);
	check_untouched(dst);
}
END_TEST

/* Callbacks that call back -------------------------------------------------- */

static unsigned int reentry;

/* What the guest's DMA could do to us if the owner let it reach registers. */
static int reenter(struct t_card *c, uint64_t addr, size_t len, bool is_write)
{
	static const struct { uint64_t reg; uint32_t value; } writes[] = {
		{ LOOM_REG_TLB_INVALIDATE, T_CTX },
		{ LOOM_REG_CTX_ROOT(T_CTX), 0 },
		{ LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL), LOOM_QUEUE_CTRL_RESET },
		{ LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL),
		  LOOM_QUEUE_CTRL_RESET | LOOM_QUEUE_CTRL_ENABLE },
		{ LOOM_REG_CTRL, LOOM_CTRL_RESET },
		{ LOOM_REG_CTRL, LOOM_CTRL_RESET | LOOM_CTRL_ENABLE },
		{ LOOM_REG_EVENT_BASE, 0 },
		{ LOOM_REG_IRQ_TEST, 2 },
	};

	(void)addr;
	(void)len;
	(void)is_write;
	t_write32(c, writes[reentry].reg, writes[reentry].value);
	loom_core_doorbell_write(c->core, 0, 77, 4);
	return 0;
}

START_TEST(test_dma_that_reaches_registers_does_no_harm)
{
	uint64_t va = put_nops(1);

	reentry = _i;
	card->dma_hook = reenter;
	t_queue_push(card, 0, va, 64);
	t_doorbell(card, 0);
	t_run(card);
	card->dma_hook = NULL;
	t_write32(card, LOOM_REG_CTRL, LOOM_CTRL_RESET);
	t_write64(card, LOOM_REG_CTX_ROOT(T_CTX),
		  card->root[T_CTX] | LOOM_CTX_ROOT_VALID);
	t_write32(card, LOOM_REG_CTRL, LOOM_CTRL_ENABLE);
	t_queue_init(card, 0, T_CTX, 0);
	ck_assert_uint_eq(t_submit(card, 0, va, 64).error, 0);
}
END_TEST

/* Threads ----------------------------------------------------------------- */

#define STRESS_QUEUES	6
#define STRESS_ROUNDS	300

static uint64_t stress_cmds(unsigned int q, uint32_t *bytes)
{
	uint64_t a = t_hbm_alloc(card, 65536), b = t_hbm_alloc(card, 65536);
	struct {
		struct loom_cmd_copy copy[4];
		struct loom_cmd_nop nop;
		struct loom_cmd_timestamp ts;
	} cmds = {
		.copy = {
			t_copy_bytes(b, a, 65536), t_copy_bytes(b, a, 65536),
			t_copy_bytes(b, a, 4096), t_copy_bytes(b, a, 1),
		},
		.nop = t_nop(),
		.ts = t_timestamp(b),
	};

	cmds.nop.hdr.signal_event = 1 + q;
	*bytes = sizeof(cmds);
	return put(&cmds, sizeof(cmds));
}

static void stress_round(unsigned int round, const uint64_t *va, uint32_t bytes)
{
	unsigned int q, i;

	for (q = 0; q < STRESS_QUEUES; q++) {
		for (i = 0; i < 1u + rand() % 8; i++)
			t_queue_push(card, q, va[q], bytes);
		t_doorbell(card, q);
	}
	if (round % 3 == 0)
		t_invalidate(card, T_CTX);
	if (round % 5 == 0)
		nap();
	for (q = 0; q < STRESS_QUEUES; q++) {
		if (rand() % 2)
			while (!t_is_done(card, q, card->queue[q].tail - 1))
				nap();
		t_queue_init(card, q, T_CTX, rand() % 4);
	}
	loom_core_deliver(card->core);
}

START_TEST(test_resets_at_random_points_under_load)
{
	uint64_t va[STRESS_QUEUES], sum = 0;
	uint32_t bytes = 0;
	unsigned int q, i;

	srand(1);
	for (q = 0; q < STRESS_QUEUES; q++) {
		va[q] = stress_cmds(q, &bytes);
		t_queue_init(card, q, T_CTX, q % 4);
	}
	t_workers_start(card, 3);
	for (i = 0; i < STRESS_ROUNDS; i++)
		stress_round(i, va, bytes);
	t_workers_stop(card);
	for (i = LOOM_PERF_CYC_ARRAY; i <= LOOM_PERF_CYC_IDLE; i++)
		sum += t_perf(card, i);
	ck_assert_uint_eq(sum, t_perf(card, LOOM_PERF_CYC_TOTAL));
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_FAULTS), 0);
	ck_assert_uint_ge(t_perf(card, LOOM_PERF_JOBS), STRESS_ROUNDS);
}
END_TEST

START_TEST(test_device_resets_under_load)
{
	uint64_t va[STRESS_QUEUES];
	uint32_t bytes = 0;
	unsigned int q, i;

	for (q = 0; q < STRESS_QUEUES; q++)
		va[q] = stress_cmds(q, &bytes);
	t_workers_start(card, 3);
	for (i = 0; i < 50; i++) {
		for (q = 0; q < STRESS_QUEUES; q++) {
			t_queue_init(card, q, T_CTX, q % 4);
			t_queue_push(card, q, va[q], bytes);
			t_doorbell(card, q);
		}
		if (i % 2)
			nap();
		loom_core_reset(card->core);
		t_write64(card, LOOM_REG_CTX_ROOT(T_CTX),
			  card->root[T_CTX] | LOOM_CTX_ROOT_VALID);
		t_write32(card, LOOM_REG_CTRL, LOOM_CTRL_ENABLE);
	}
	t_workers_stop(card);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_FAULTS), 0);
}
END_TEST

START_TEST(test_results_do_not_depend_on_the_number_of_workers)
{
	uint64_t perf[2][LOOM_PERF_COUNT], va[STRESS_QUEUES];
	unsigned int run, q, i;
	uint32_t bytes = 0;

	for (run = 0; run < 2; run++) {
		for (q = 0; q < STRESS_QUEUES; q++) {
			va[q] = stress_cmds(q, &bytes);
			t_queue_init(card, q, T_CTX, q % 4);
			for (i = 0; i < 10; i++)
				t_queue_push(card, q, va[q], bytes);
		}
		t_workers_start(card, run ? 4 : 1);
		for (q = 0; q < STRESS_QUEUES; q++)
			t_doorbell(card, q);
		for (q = 0; q < STRESS_QUEUES; q++)
			while (!t_is_done(card, q, 9))
				nap();
		t_workers_stop(card);
		for (i = 0; i < LOOM_PERF_COUNT; i++)
			perf[run][i] = t_perf(card, i);
		teardown();
		setup();
	}
	ck_assert_mem_eq(perf[0], perf[1], sizeof(perf[0]));
	ck_assert_uint_eq(perf[0][LOOM_PERF_JOBS], 10 * STRESS_QUEUES);
}
END_TEST

#define COUNT(a) (sizeof(a) / sizeof(a[0]))

static TCase *tcase(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(s, tc);
	return tc;
}

static void add_jobs(TCase *tc)
{
	tcase_add_test(tc, test_job_completes_with_record_and_interrupt);
	tcase_add_test(tc, test_empty_command_buffer_completes);
	tcase_add_test(tc, test_no_interrupt_unless_asked_for);
	tcase_add_test(tc, test_ring_wraps_and_keeps_order);
	tcase_add_test(tc, test_full_ring_runs_in_one_go);
	tcase_add_test(tc, test_completion_leaves_no_byte_unwritten);
	tcase_add_test(tc, test_every_byte_from_the_host_is_read_once);
	tcase_add_test(tc, test_disabled_card_runs_nothing);
	tcase_add_test(tc, test_budget_stops_between_commands);
	tcase_add_test(tc, test_command_that_takes_too_long_fails);
	tcase_add_test(tc, test_many_commands_let_the_owner_go_on_between_them);
}

static void add_hostile(TCase *tc)
{
	tcase_add_loop_test(tc, test_doorbell_outside_the_ring_stops_the_queue,
			    0, 4);
	tcase_add_test(tc, test_doorbell_behind_the_last_one_is_ignored);
	tcase_add_test(tc, test_doorbell_of_a_disabled_queue_is_ignored);
	tcase_add_test(tc, test_bad_doorbell_ends_the_running_job);
	tcase_add_loop_test(tc, test_ring_outside_ram_stops_the_queue, 0, 4);
	tcase_add_test(tc, test_ring_is_unreadable_without_bus_mastering);
	tcase_add_test(tc, test_unwritable_completion_stops_the_queue);
	tcase_add_loop_test(tc, test_malformed_ring_entry_stops_the_queue, 0,
			    COUNT(bad_entry));
	tcase_add_loop_test(tc, test_malformed_head_names_command_and_field, 0,
			    COUNT(bad_head));
	tcase_add_test(tc, test_command_beyond_the_buffer_is_refused);
	tcase_add_test(tc, test_reserved_bytes_must_be_zero);
	tcase_add_test(tc, test_bad_event_command_is_refused);
	tcase_add_test(tc, test_timestamp_is_modelled_time);
	tcase_add_test(tc, test_commands_before_an_unmapped_page_still_run);
	tcase_add_test(tc, test_command_across_pages_is_fetched_whole);
	tcase_add_test(tc, test_failed_queue_stays_down_and_others_go_on);
	tcase_add_loop_test(tc, test_dma_that_reaches_registers_does_no_harm,
			    0, 8);
}

static void add_events(TCase *tc)
{
	tcase_add_test(tc, test_full_event_ring_marks_what_was_lost);
	tcase_add_test(tc, test_event_head_in_front_of_the_ring_means_full);
	tcase_add_test(tc, test_event_ring_outside_ram_loses_events);
	tcase_add_loop_test(tc, test_event_ring_that_is_off_stays_silent, 0, 3);
	tcase_add_test(tc, test_event_wait_blocks_only_its_queue);
	tcase_add_test(tc, test_head_waits_and_signals);
	tcase_add_test(tc, test_contexts_do_not_share_events);
	tcase_add_test(tc, test_writing_the_root_zeroes_events);
	tcase_add_test(tc, test_reset_frees_a_waiting_queue);
}

static void add_scheduling(TCase *tc)
{
	tcase_add_test(tc, test_higher_priority_goes_first);
	tcase_add_test(tc, test_equal_priorities_take_turns);
	tcase_add_test(tc, test_higher_priority_cuts_in_between_commands);
	tcase_add_test(tc, test_low_priority_does_not_starve);
}

static void add_threads(TCase *tc)
{
	tcase_add_test(tc, test_reset_drops_what_is_queued);
	tcase_add_test(tc, test_queue_reset_aborts_a_running_command);
	tcase_add_test(tc, test_disabling_a_queue_leaves_nothing_running);
	tcase_add_test(tc, test_device_reset_aborts_a_running_command);
	tcase_add_test(tc, test_stop_aborts_a_running_command);
	tcase_add_test(tc, test_bad_doorbell_aborts_a_running_command);
	tcase_add_test(tc, test_unmapping_memory_in_use_faults_the_command);
	tcase_add_test(tc, test_invalidation_does_not_disturb_memory_in_use);
	tcase_add_test(tc, test_resets_at_random_points_under_load);
	tcase_add_test(tc, test_device_resets_under_load);
	tcase_add_test(tc, test_results_do_not_depend_on_the_number_of_workers);
}

int main(void)
{
	Suite *s = suite_create("queue");
	SRunner *sr;
	int failed;

	add_jobs(tcase(s, "jobs"));
	add_hostile(tcase(s, "hostile"));
	add_events(tcase(s, "events"));
	add_scheduling(tcase(s, "scheduling"));
	add_threads(tcase(s, "threads"));
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
