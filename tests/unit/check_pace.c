// SPDX-License-Identifier: MIT
/*
 * DOC: Paced time: completions at their modelled end, on a clock of ours
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "card.h"

#define JOB		840u	/* cycles for a ring entry to arrive */
#define DECODE		32u
#define SECOND		1400000000ull

static struct t_card *card;

static struct t_card *make_card(uint32_t timing)
{
	struct loom_core_config cfg;

	loom_core_config_default(&cfg);
	cfg.hbm_size = 64ull << 20;
	cfg.sram_size = 2ull << 20;
	cfg.timing = timing;
	return t_card_create(&cfg);
}

static void setup(void)
{
	card = make_card(LOOM_TIMING_EXACT);
}

static void teardown(void)
{
	t_card_destroy(card);
}

/* Commands ---------------------------------------------------------------- */

/** struct buffer - a command buffer being built in HBM */
struct buffer {
	uint64_t va;
	uint32_t size;
};

static struct buffer buffer_new(void)
{
	return (struct buffer) { t_hbm_alloc(card, 16384), 0 };
}

static void put(struct buffer *b, const void *cmd, size_t size)
{
	ck_assert_uint_le(b->size + size, 16384);
	memcpy((uint8_t *)t_ptr(card, b->va) + b->size, cmd, size);
	b->size += size;
}

static void put_copy(struct buffer *b, uint32_t bytes, uint16_t flags)
{
	struct loom_cmd_copy cmd = t_copy_bytes(t_hbm_alloc(card, bytes),
						t_hbm_alloc(card, bytes),
						bytes);

	cmd.hdr.flags = flags;
	put(b, &cmd, sizeof(cmd));
}

/* The array needs 510 cycles for it. */
static void put_matmul(struct buffer *b, uint32_t m, uint16_t flags)
{
	const uint32_t side = 128, size = 4 * side * (m + side);
	struct loom_cmd_matmul cmd = {
		.hdr = t_cmd(LOOM_OP_MATMUL, sizeof(cmd)),
		.a_type = LOOM_TYPE_BF16, .b_type = LOOM_TYPE_BF16,
		.d_type = LOOM_TYPE_F32, .alpha = 0x3f800000,
		.m = m, .n = side, .k = side, .batch = { 1, 1 },
		.a = t_hbm_alloc(card, size), .b = t_hbm_alloc(card, size),
		.d = t_hbm_alloc(card, size),
		.a_stride = { 2 * side, 2 }, .b_stride = { 2 * side, 2 },
		.d_stride = { 4 * side, 4 },
	};

	cmd.hdr.flags = flags;
	put(b, &cmd, sizeof(cmd));
}

static void put_event(struct buffer *b, uint32_t op, uint32_t event,
		      uint32_t value)
{
	struct loom_cmd_event cmd = t_event(op, event, value);

	put(b, &cmd, sizeof(cmd));
}

static uint32_t submit(unsigned int queue, const struct buffer *b)
{
	uint32_t index = t_queue_push(card, queue, b->va, b->size);

	t_doorbell(card, queue);
	return index;
}

static struct loom_completion finish(unsigned int queue, uint32_t index)
{
	unsigned int patience = 2000;
	uint64_t armed;

	while (!t_is_done(card, queue, index)) {
		armed = atomic_load(&card->armed);
		if (armed != UINT64_MAX)
			t_advance(card, armed);
		else if (patience--)
			usleep(1000);	/* a worker is behind its time */
		else
			break;
	}
	ck_assert(t_is_done(card, queue, index));
	return *t_completion(card, queue, index);
}

/* Rows sum to the total, and the total is the clock. */
static void check_rows(void)
{
	uint64_t sum = 0;
	unsigned int i;

	t_write32(card, LOOM_REG_PERF_CTRL, LOOM_PERF_CTRL_SNAPSHOT);
	for (i = LOOM_PERF_CYC_ARRAY; i <= LOOM_PERF_CYC_IDLE; i++)
		sum += t_read64(card, LOOM_REG_PERF(i));
	ck_assert_uint_eq(sum, t_read64(card, LOOM_REG_PERF(0)));
	ck_assert_uint_eq(sum, atomic_load(&card->now));
}

/* One queue --------------------------------------------------------------- */

START_TEST(test_a_job_completes_at_its_modelled_end)
{
	struct buffer b = buffer_new();
	struct loom_completion c;
	uint32_t index;
	uint64_t end;

	ck_assert_uint_ne(t_read32(card, LOOM_REG_FEATURES) &
			  LOOM_FEATURE_PACED, 0);
	put_copy(&b, 1 << 20, 0);
	t_advance(card, 5000);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_TIME), 5000);
	index = submit(0, &b);
	t_run(card);
	ck_assert(!t_is_done(card, 0, index));
	c = finish(0, index);
	end = atomic_load(&card->now);
	ck_assert_uint_eq(c.error, 0);
	ck_assert_uint_eq(c.start, 5000);
	ck_assert_uint_eq(c.end, end);
	/* 2 MiB through HBM, of 16 channels of 102.4 GB/s at 92 %. */
	ck_assert_uint_ge(end, 5000 + JOB + DECODE + 1947);
	ck_assert_uint_le(end, 5000 + JOB + DECODE + 1950);
	ck_assert_uint_eq(card->irqs[1], 1);
	check_rows();
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_CYC_IDLE), 5000);
}
END_TEST

START_TEST(test_not_a_cycle_early)
{
	struct buffer b = buffer_new();
	uint32_t index;
	uint64_t end;

	put_copy(&b, 4096, 0);
	index = submit(0, &b);
	end = finish(0, index).end;
	index = submit(0, &b);
	t_advance(card, 2 * end - 1);
	t_run(card);
	ck_assert(!t_is_done(card, 0, index));
	ck_assert_uint_eq(t_read32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_HEAD)),
			  1);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_STATE)),
			  LOOM_QUEUE_STATE_RUNNING);
	ck_assert_uint_eq(card->irqs[1], 1);
	t_advance(card, 2 * end);
	ck_assert(t_is_done(card, 0, index));
	ck_assert_uint_eq(card->irqs[1], 2);
}
END_TEST

/* The same commands take as long as in free mode, one after the other. */
START_TEST(test_a_job_is_as_long_as_in_free_mode)
{
	struct t_card *exact = card;
	uint64_t length[2];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct loom_completion c;
		struct buffer b;
		uint32_t index;

		card = i ? exact : make_card(LOOM_TIMING_FREE);
		b = buffer_new();
		put_copy(&b, 100000, 0);
		put_matmul(&b, 128, LOOM_CMD_F_RELAXED);
		put_copy(&b, 100000, LOOM_CMD_F_RELAXED);
		put_matmul(&b, 256, LOOM_CMD_F_RELAXED);
		put_copy(&b, 5, 0);
		index = submit(0, &b);
		t_run(card);
		c = finish(0, index);
		length[i] = c.end - c.start;
		if (!i)
			t_card_destroy(card);
	}
	ck_assert_uint_eq(length[0], length[1]);
}
END_TEST

START_TEST(test_jobs_of_a_queue_follow_each_other)
{
	struct buffer b = buffer_new();
	struct loom_completion c[3];
	unsigned int i;

	put_copy(&b, 1 << 20, 0);
	for (i = 0; i < 3; i++)
		t_queue_push(card, 0, b.va, b.size);
	t_advance(card, 100);
	t_doorbell(card, 0);
	for (i = 0; i < 3; i++)
		c[i] = finish(0, i);
	ck_assert_uint_eq(c[0].start, 100);
	ck_assert_uint_eq(c[1].start, c[0].end);
	ck_assert_uint_eq(c[2].start, c[1].end);
	check_rows();
}
END_TEST

START_TEST(test_a_timestamp_is_modelled)
{
	struct buffer b = buffer_new();
	uint64_t at = t_hbm_alloc(card, 8), *p = t_ptr(card, at);
	struct loom_cmd_timestamp cmd = t_timestamp(at);
	struct loom_completion c;

	put_copy(&b, 1 << 20, 0);
	put(&b, &cmd, sizeof(cmd));
	put_copy(&b, 1 << 20, 0);
	t_advance(card, 1000);
	c = finish(0, submit(0, &b));
	ck_assert_uint_gt(*p, c.start + 1900);
	ck_assert_uint_lt(*p, c.end - 1900);
}
END_TEST

START_TEST(test_an_error_comes_at_its_time)
{
	struct buffer b = buffer_new();
	struct loom_completion c;
	struct loom_cmd_nop bad = t_nop();

	bad.hdr.opcode = 0xee;
	put_copy(&b, 1 << 20, 0);
	put(&b, &bad, sizeof(bad));
	t_advance(card, 1000);
	c = finish(0, submit(0, &b));
	ck_assert_uint_eq(c.error, LOOM_ERR_CMD_OPCODE);
	ck_assert_uint_eq(c.cmd_index, 1);
	ck_assert_uint_gt(c.end, 1000 + JOB + 1900);
	ck_assert_uint_eq(card->irqs[1], 1);
	ck_assert_uint_eq(card->irqs[0], 1);
	/* The queue can be used again. */
	t_queue_init(card, 0, T_CTX, 1);
	b.size -= sizeof(bad);
	ck_assert_uint_eq(finish(0, submit(0, &b)).error, 0);
	check_rows();
}
END_TEST

/* Several queues ---------------------------------------------------------- */

static void more_queues(unsigned int count)
{
	unsigned int i;

	for (i = 1; i < count; i++)
		t_queue_init(card, i, T_CTX, i % 4);
}

START_TEST(test_queues_overlap_on_different_engines)
{
	struct buffer copy = buffer_new(), matmul = buffer_new();
	struct loom_completion c[2];
	uint64_t alone;

	more_queues(2);
	/* 100,000 rows at a cycle each; 2 MiB of copies need 3,900. */
	put_matmul(&matmul, 20000, 0);
	put_copy(&copy, 1 << 20, 0);
	put_copy(&copy, 1 << 20, 0);
	c[0] = finish(0, submit(0, &matmul));
	alone = c[0].end - c[0].start;
	submit(0, &matmul);
	submit(1, &copy);
	c[1] = finish(1, 0);
	c[0] = finish(0, 1);
	ck_assert_uint_lt(c[1].end, c[0].end);
	/* They share HBM, so both slow down, but far from one after the other. */
	ck_assert_uint_lt(c[0].end - c[0].start, alone + 8000);
	check_rows();
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_CYC_IDLE), 0);
}
END_TEST

START_TEST(test_queues_take_turns_at_an_engine)
{
	struct buffer b[2];
	struct loom_completion c[2];
	uint64_t alone;
	unsigned int i;

	more_queues(2);
	for (i = 0; i < 2; i++) {
		b[i] = buffer_new();
		put_matmul(&b[i], 4096, 0);
	}
	c[0] = finish(0, submit(0, &b[0]));
	alone = c[0].end - c[0].start;
	/* The higher number first: the doorbell decides, 1 cycle ahead. */
	submit(1, &b[1]);
	t_advance(card, atomic_load(&card->now) + 1);
	submit(0, &b[0]);
	c[1] = finish(1, 0);
	c[0] = finish(0, 1);
	ck_assert_uint_eq(c[1].end - c[1].start, alone);
	ck_assert_uint_ge(c[0].end, c[1].end + 4096);
	check_rows();
	/* Each context has its jobs' time; they waited for each other. */
	t_write32(card, LOOM_REG_PERF_SELECT, T_CTX + 1);
	t_write32(card, LOOM_REG_PERF_CTRL, LOOM_PERF_CTRL_SNAPSHOT);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_PERF(0)),
			  2 * alone + c[0].end - c[0].start);
	ck_assert_uint_gt(t_read64(card, LOOM_REG_PERF(LOOM_PERF_CYC_IDLE)),
			  4000);
}
END_TEST

START_TEST(test_a_wait_ends_when_the_signal_is_modelled)
{
	struct buffer waits = buffer_new(), signals = buffer_new();
	struct loom_completion w, s;

	more_queues(2);
	put_event(&waits, LOOM_EVENT_OP_WAIT_GE, 3, 7);
	put_copy(&signals, 1 << 20, 0);
	put_event(&signals, LOOM_EVENT_OP_SET, 3, 7);
	put_copy(&signals, 1 << 20, 0);
	submit(0, &waits);
	t_advance(card, 100000);
	check_rows();
	ck_assert(!t_is_done(card, 0, 0));
	submit(1, &signals);
	w = finish(0, 0);
	s = finish(1, 0);
	ck_assert_uint_eq(w.start, 0);
	ck_assert_uint_gt(w.end, s.start + 1900);
	ck_assert_uint_lt(w.end, s.end - 1900);
	check_rows();
}
END_TEST

/* Whoever waits for an event in the head and in the command passes both. */
START_TEST(test_two_waits_of_a_command)
{
	struct loom_cmd_event cmd = t_event(LOOM_EVENT_OP_WAIT_GE, 5, 2);
	struct buffer waits = buffer_new(), signals = buffer_new();

	more_queues(2);
	cmd.hdr.wait_event = 4;
	put(&waits, &cmd, sizeof(cmd));
	put_event(&signals, LOOM_EVENT_OP_ADD, 4, 1);
	put_event(&signals, LOOM_EVENT_OP_ADD, 5, 1);
	submit(0, &waits);
	finish(1, submit(1, &signals));
	t_advance(card, 100000);
	ck_assert(!t_is_done(card, 0, 0));
	finish(1, submit(1, &signals));
	ck_assert_uint_eq(finish(0, 0).error, 0);
}
END_TEST

/* Counters ---------------------------------------------------------------- */

START_TEST(test_rows_sum_to_the_clock_at_every_moment)
{
	struct buffer b[3];
	unsigned int i, q;

	more_queues(3);
	srand(_i);
	for (q = 0; q < 3; q++) {
		b[q] = buffer_new();
		for (i = 0; i < 5; i++)
			if (rand() % 2)
				put_copy(&b[q], 1 + rand() % 300000,
					 rand() % 2 * LOOM_CMD_F_RELAXED);
			else
				put_matmul(&b[q], 1 + rand() % 300,
					   rand() % 2 * LOOM_CMD_F_RELAXED);
	}
	for (i = 0; i < 400; i++) {
		if (rand() % 20 == 0) {
			q = rand() % 3;
			if (card->queue[q].tail -
			    t_read32(card, LOOM_REG_QUEUE(q, LOOM_QUEUE_HEAD)) <
			    1u << T_RING_LOG2)
				submit(q, &b[q]);
		}
		t_advance(card, atomic_load(&card->now) + rand() % 2000);
		check_rows();
	}
	t_write32(card, LOOM_REG_PERF_CTRL, LOOM_PERF_CTRL_RESET);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_CYC_TOTAL), 0);
	t_advance(card, atomic_load(&card->now) + 10000000);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_CYC_TOTAL), 10000000);
}
END_TEST

/* The same again ---------------------------------------------------------- */

/** struct outcome - everything that a guest could see of a run */
struct outcome {
	struct loom_completion c[4][8];
	uint64_t stamp[4][8];
	uint64_t perf[LOOM_PERF_COUNT];
};

/* Makes workers slow, each time otherwise. */
static int stumble(struct t_card *slow, uint64_t addr, size_t len,
		   bool is_write)
{
	static atomic_uint calls;
	unsigned int n = atomic_fetch_add(&calls, 1) * 2654435761u;

	(void)slow;
	(void)addr;
	(void)len;
	(void)is_write;
	if (n % 5 == 0)
		usleep(n % 300);
	return 0;
}

/* Job @j of queue @q: other work every time, and events to and fro. */
static void fill(struct buffer *b, unsigned int q, unsigned int j,
		 uint64_t stamp)
{
	struct loom_cmd_timestamp cmd = t_timestamp(stamp);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		uint16_t flags = (q + i + j) % 3 ? LOOM_CMD_F_RELAXED : 0;

		if ((q + i) % 2)
			put_copy(b, 1 + (q * 7919 + j * 104729) % 100000,
				 flags);
		else
			put_matmul(b, 1 + (q * 31 + j * 17) % 100, flags);
	}
	put(b, &cmd, sizeof(cmd));
	/* Everyone waits for the queue before it, a job earlier. */
	put_event(b, LOOM_EVENT_OP_ADD, 1 + q, 1);
	if (j)
		put_event(b, LOOM_EVENT_OP_WAIT_GE, 1 + (q + 3) % 4, j);
	put_copy(b, 1000 * (1 + q), 0);
}

/* Saved and loaded again, it goes on as if nothing had been. */
static void reload(void)
{
	char why[200];
	size_t len;
	void *state;

	ck_assert(loom_core_pause(card->core, 10000));
	state = loom_core_save(card->core, &len);
	ck_assert_ptr_nonnull(state);
	atomic_store(&card->armed, UINT64_MAX);
	ck_assert_ptr_null(loom_core_load(card->core, state, len, why,
					  sizeof(why)));
	free(state);
	loom_core_resume(card->core);
}

static void run_all(unsigned int workers, bool slow, bool reloads,
		    struct outcome *o)
{
	struct buffer b[4][8];
	uint64_t stamps;
	unsigned int q, j, i;

	card = make_card(LOOM_TIMING_EXACT);
	more_queues(4);
	stamps = t_hbm_alloc(card, sizeof(o->stamp));
	for (q = 0; q < 4; q++)
		for (j = 0; j < 8; j++) {
			b[q][j] = buffer_new();
			fill(&b[q][j], q, j, stamps + 8 * (8 * q + j));
		}
	if (slow)
		card->dma_hook = stumble;
	if (workers)
		t_workers_start(card, workers);
	for (j = 0; j < 8; j++)
		for (q = 0; q < 4; q++) {
			submit(q, &b[q][j]);
			if (reloads)
				reload();
			t_advance(card, atomic_load(&card->now) + 700 * q);
		}
	for (i = 0; i < 100; i++) {
		if (reloads)
			reload();
		t_advance(card, atomic_load(&card->now) + 150);
	}
	for (q = 0; q < 4; q++)
		for (j = 0; j < 8; j++)
			o->c[q][j] = finish(q, j);
	for (i = 0; i < LOOM_PERF_COUNT; i++)
		o->perf[i] = t_perf(card, i);
	memcpy(o->stamp, t_ptr(card, stamps), sizeof(o->stamp));
	check_rows();
	t_card_destroy(card);
}

START_TEST(test_times_are_the_same_with_any_workers)
{
	static struct outcome first, other;
	unsigned int i;

	t_card_destroy(card);
	run_all(0, false, false, &first);
	for (i = 1; i < 8; i++) {
		run_all(i % 5, i % 2, false, &other);
		ck_assert_mem_eq(&first, &other, sizeof(first));
	}
	card = NULL;
}
END_TEST

START_TEST(test_times_are_the_same_on_a_card_that_moves)
{
	static struct outcome first, other;
	unsigned int i;

	t_card_destroy(card);
	run_all(0, false, false, &first);
	for (i = 0; i < 3; i++) {
		run_all(i, false, true, &other);
		ck_assert_mem_eq(&first, &other, sizeof(first));
	}
	card = NULL;
}
END_TEST

/* Slow and hanging hosts -------------------------------------------------- */

START_TEST(test_a_late_job_has_its_modelled_times)
{
	struct loom_completion early, late;
	struct buffer b;

	b = buffer_new();
	put_copy(&b, 1 << 20, 0);
	early = finish(0, submit(0, &b));
	t_card_destroy(card);

	card = make_card(LOOM_TIMING_PACED);
	b = buffer_new();
	put_copy(&b, 1 << 20, 0);
	submit(0, &b);
	/* Nobody did the work, so nothing can be said of that time yet. */
	t_advance(card, 50000);
	ck_assert(!t_is_done(card, 0, 0));
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_CYC_TOTAL), JOB);
	while (!t_is_done(card, 0, 0)) {
		t_run(card);
		t_advance(card, 50000);
	}
	late = *t_completion(card, 0, 0);
	ck_assert_uint_eq(late.start, early.start);
	ck_assert_uint_eq(late.end, early.end);
	check_rows();
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_CYC_IDLE), 50000 - late.end);
}
END_TEST

START_TEST(test_a_hang_does_not_stop_other_queues)
{
	struct loom_cmd_copy endless;
	struct buffer hang, good;
	unsigned int i;

	t_card_destroy(card);
	card = make_card(_i ? LOOM_TIMING_EXACT : LOOM_TIMING_PACED);
	t_workers_start(card, 2);
	t_queue_init(card, 1, T_CTX, 1);
	hang = buffer_new();
	good = buffer_new();
	endless = t_fill_for_ever(t_hbm_alloc(card, LOOM_PAGE_SIZE));
	put(&hang, &endless, sizeof(endless));
	put_copy(&good, 4096, 0);
	submit(0, &hang);
	submit(1, &good);
	for (i = 0; i < 400 && !t_is_done(card, 1, 0); i++) {
		t_advance(card, atomic_load(&card->now) + SECOND / 100);
		usleep(1000);
	}
	ck_assert(t_is_done(card, 1, 0));
	ck_assert_uint_eq(t_completion(card, 1, 0)->error, 0);
	/* And from now on at once. */
	for (i = 1; i < 10; i++) {
		submit(1, &good);
		ck_assert_uint_eq(finish(1, i).error, 0);
	}
	check_rows();
	/* The hanging one can be reset and used again. */
	t_queue_init(card, 0, T_CTX, 1);
	ck_assert_uint_eq(finish(0, submit(0, &good)).error, 0);
	check_rows();
}
END_TEST

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Queues 0 to @count - 1 hang, the next one has work of a moment. */
static void make_hangs(unsigned int count, struct buffer *good)
{
	struct loom_cmd_copy endless;
	struct buffer hang = buffer_new();
	unsigned int i;

	endless = t_fill_for_ever(t_hbm_alloc(card, LOOM_PAGE_SIZE));
	put(&hang, &endless, sizeof(endless));
	*good = buffer_new();
	put_copy(good, 4096, 0);
	for (i = 0; i <= count; i++) {
		if (i)
			t_queue_init(card, i, T_CTX, 1);
		submit(i, i < count ? &hang : good);
	}
}

START_TEST(test_many_hangs_do_not_hold_the_owner)
{
	struct buffer good;
	double start;

	t_workers_start(card, 7);
	make_hangs(6, &good);
	/* One tick, which has to do with all of them. */
	start = seconds();
	t_advance(card, SECOND / 100);
	ck_assert(seconds() - start < 2);
	ck_assert_uint_eq(finish(6, 0).error, 0);
	check_rows();
}
END_TEST

START_TEST(test_hangs_without_workers_fail_one_by_one)
{
	struct buffer good;
	double start, worst = 0;
	unsigned int i, ticks = 0;

	loom_core_set_patience(card->core, 200000000);
	make_hangs(3, &good);
	while (!t_is_done(card, 3, 0) || !t_is_done(card, 2, 0)) {
		ck_assert_uint_le(++ticks, 100);
		start = seconds();
		loom_core_tick(card->core, true);
		if (seconds() - start > worst)
			worst = seconds() - start;
		loom_core_deliver(card->core);
		atomic_store(&card->now, SECOND / 100);
	}
	/* Twice the patience on a machine that does other things as well. */
	ck_assert(worst < 0.4 * 4);
	ck_assert_uint_ge(ticks, 3);
	for (i = 0; i < 3; i++)
		ck_assert_uint_eq(t_completion(card, i, 0)->error,
				  LOOM_ERR_INTERNAL);
	ck_assert_uint_eq(t_completion(card, 3, 0)->error, 0);
}
END_TEST

/* Resets ------------------------------------------------------------------ */

/* Queue 0 has a completion due in the future, queue 1 as well. */
static void make_pending(struct buffer *b)
{
	*b = buffer_new();
	more_queues(2);
	put_copy(b, 1 << 20, 0);
	submit(0, b);
	submit(1, b);
	t_advance(card, 2000);
	ck_assert(!t_is_done(card, 0, 0));
	ck_assert(!t_is_done(card, 1, 0));
}

START_TEST(test_a_queue_reset_drops_its_completion_only)
{
	struct buffer b;

	make_pending(&b);
	t_write32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL),
		  LOOM_QUEUE_CTRL_RESET);
	t_advance(card, 100000);
	ck_assert(!t_is_done(card, 0, 0));
	ck_assert_uint_eq(card->irqs[1], 0);
	ck_assert(t_is_done(card, 1, 0));
	check_rows();
	t_queue_init(card, 0, T_CTX, 1);
	ck_assert_uint_eq(finish(0, submit(0, &b)).error, 0);
	check_rows();
}
END_TEST

START_TEST(test_a_card_reset_drops_all_completions)
{
	struct buffer b;

	make_pending(&b);
	loom_core_reset(card->core);
	t_advance(card, 100000);
	ck_assert(!t_is_done(card, 0, 0));
	ck_assert(!t_is_done(card, 1, 0));
	ck_assert_uint_eq(card->irqs[1] + card->irqs[2], 0);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_TIME), 100000);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_CYC_TOTAL), 100000);
}
END_TEST

START_TEST(test_nothing_completes_on_a_card_that_tripped)
{
	struct buffer b;
	char why[256];

	make_pending(&b);
	ck_assert_ptr_null(loom_core_inject(card->core, "thermal-trip", why,
					    sizeof(why)));
	ck_assert(t_read32(card, LOOM_REG_STATUS) & LOOM_STATUS_FATAL);
	t_advance(card, 100000);
	ck_assert(!t_is_done(card, 0, 0));
	ck_assert(!t_is_done(card, 1, 0));
	check_rows();
}
END_TEST

START_TEST(test_a_card_can_be_stopped_with_completions_pending)
{
	struct buffer b;

	make_pending(&b);
	loom_core_stop(card->core);
	t_advance(card, 100000);
	ck_assert(!t_is_done(card, 0, 0));
}
END_TEST

START_TEST(test_bus_master_off_makes_the_completion_fail)
{
	struct buffer b;

	make_pending(&b);
	loom_core_set_bus_master(card->core, false);
	t_advance(card, 100000);
	ck_assert(!t_is_done(card, 0, 0));
	ck_assert_uint_eq(t_read32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_ERROR)),
			  LOOM_ERR_COMPL_DMA);
}
END_TEST

START_TEST(test_a_bad_doorbell_ends_a_parked_job)
{
	struct buffer b;

	make_pending(&b);
	loom_core_doorbell_write(card->core, 0, 1000, 4);
	t_run(card);
	t_advance(card, 100000);
	ck_assert_uint_eq(t_completion(card, 0, 0)->error, LOOM_ERR_DOORBELL);
	ck_assert_uint_eq(t_completion(card, 1, 0)->error, 0);
	ck_assert(t_is_done(card, 1, 0));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("pace");
	TCase *tc = tcase_create("core");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_a_job_completes_at_its_modelled_end);
	tcase_add_test(tc, test_not_a_cycle_early);
	tcase_add_test(tc, test_a_job_is_as_long_as_in_free_mode);
	tcase_add_test(tc, test_jobs_of_a_queue_follow_each_other);
	tcase_add_test(tc, test_a_timestamp_is_modelled);
	tcase_add_test(tc, test_an_error_comes_at_its_time);
	tcase_add_test(tc, test_queues_overlap_on_different_engines);
	tcase_add_test(tc, test_queues_take_turns_at_an_engine);
	tcase_add_test(tc, test_a_wait_ends_when_the_signal_is_modelled);
	tcase_add_test(tc, test_two_waits_of_a_command);
	tcase_add_loop_test(tc, test_rows_sum_to_the_clock_at_every_moment, 0,
			    5);
	tcase_add_test(tc, test_times_are_the_same_with_any_workers);
	tcase_add_test(tc, test_times_are_the_same_on_a_card_that_moves);
	tcase_add_test(tc, test_a_late_job_has_its_modelled_times);
	tcase_add_loop_test(tc, test_a_hang_does_not_stop_other_queues, 0, 2);
	tcase_add_test(tc, test_many_hangs_do_not_hold_the_owner);
	tcase_add_test(tc, test_hangs_without_workers_fail_one_by_one);
	tcase_add_test(tc, test_a_queue_reset_drops_its_completion_only);
	tcase_add_test(tc, test_a_card_reset_drops_all_completions);
	tcase_add_test(tc, test_nothing_completes_on_a_card_that_tripped);
	tcase_add_test(tc, test_a_card_can_be_stopped_with_completions_pending);
	tcase_add_test(tc, test_bus_master_off_makes_the_completion_fail);
	tcase_add_test(tc, test_a_bad_doorbell_ends_a_parked_job);
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
