// SPDX-License-Identifier: MIT
/*
 * DOC: Saving and loading a card; pausing it
 *
 * The bar: a card whose work was moved to another card again and again, at random
 * moments, ends with the same bits as one that was left alone.  What the queues
 * compute is not idempotent (D = A x B + D, in-place copies), so a command that
 * is lost, done twice or begun twice shows.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "card.h"
#include "numerics.h"

#define QUEUES		4u
#define JOBS		6u
#define COMMANDS	24u
#define N		16u		/* matrices are N by N floats */
#define DATA_SIZE	(4u * N * N)
#define SRAM_VA		0x40000000ull

static struct loom_core_config small;

static void setup(void)
{
	loom_core_config_default(&small);
	small.hbm_size = 16ull << 20;
	small.sram_size = 2ull << 20;
	small.num_queues = 8;
	small.num_contexts = 4;
	small.num_vectors = 9;
}

static uint32_t queue_reg(struct t_card *card, unsigned int q, uint32_t reg)
{
	return t_read32(card, LOOM_REG_QUEUE(q, reg));
}

/* Moving ------------------------------------------------------------------ */

/** struct saved - a saved state */
struct saved {
	void *data;
	size_t len;
};

static struct saved save(struct t_card *card)
{
	struct saved s = { NULL, 0 };

	s.data = loom_core_save(card->core, &s.len);
	ck_assert_ptr_nonnull(s.data);
	ck_assert_uint_le(s.len, loom_core_state_max(&card->cfg));
	return s;
}

static void load(struct t_card *card, struct saved s)
{
	char why[256];
	const char *error = loom_core_load(card->core, s.data, s.len, why,
					   sizeof(why));

	ck_assert_msg(!error, "refused: %s", error);
}

/* What the test knows of its card, and the memory around it. */
static void copy_surroundings(struct t_card *to, const struct t_card *from)
{
	memcpy(to->hbm, from->hbm, from->cfg.hbm_size);
	memcpy(to->sys, from->sys, T_SYS_SIZE);
	memcpy(to->queue, from->queue, sizeof(to->queue));
	memcpy(to->root, from->root, sizeof(to->root));
	to->hbm_next = from->hbm_next;
	to->table_next = from->table_next;
	to->sys_next = from->sys_next;
	to->next_seq = from->next_seq;
}

/* Everything of @from, which is paused or has no workers, goes to @to. */
static void move(struct t_card *to, struct t_card *from)
{
	struct saved s = save(from), again;

	copy_surroundings(to, from);
	load(to, s);
	again = save(to);
	ck_assert_uint_eq(again.len, s.len);
	ck_assert(!memcmp(again.data, s.data, s.len));
	free(again.data);
	free(s.data);
}

/* Work -------------------------------------------------------------------- */

/* D = A x B + D: not to be done twice. */
static struct loom_cmd_matmul accumulate(uint64_t a, uint64_t d)
{
	static const float one = 1;
	struct loom_cmd_matmul cmd = {
		.hdr = t_cmd(LOOM_OP_MATMUL, sizeof(cmd)),
		.a_type = LOOM_TYPE_F32, .b_type = LOOM_TYPE_F32,
		.c_type = LOOM_TYPE_F32, .d_type = LOOM_TYPE_F32,
		.m = N, .n = N, .k = N, .batch = { 1, 1 },
		.a = a, .b = a, .c = d, .d = d,
		.a_stride = { 4 * N, 4 }, .b_stride = { 4 * N, 4 },
		.c_stride = { 4 * N, 4 }, .d_stride = { 4 * N, 4 },
	};

	memcpy(&cmd.alpha, &one, sizeof(one));
	return cmd;
}

static uint64_t put(uint8_t *buf, const void *cmd, size_t len)
{
	memcpy(buf, cmd, len);
	return len;
}

/* One random command on the memory of a queue: two matrices at @data. */
static size_t random_command(uint64_t *seed, uint8_t *buf, unsigned int queue,
			     uint64_t data)
{
	uint64_t sram = SRAM_VA + queue * 2ull * LOOM_PAGE_SIZE;
	struct loom_cmd_matmul matmul = accumulate(data, data + DATA_SIZE);
	struct loom_cmd_copy copy;
	struct loom_cmd_event event;
	struct loom_cmd_nop nop = t_nop();

	switch (t_random(seed) % 7) {
	case 0:
	case 1:
		return put(buf, &matmul, sizeof(matmul));
	case 2:		/* shifts the second matrix by a row */
		copy = t_copy_bytes(data + DATA_SIZE + 4 * N, data + DATA_SIZE,
				    DATA_SIZE - 4 * N);
		return put(buf, &copy, sizeof(copy));
	case 3:
		copy = t_copy_bytes(sram, data + DATA_SIZE, DATA_SIZE);
		return put(buf, &copy, sizeof(copy));
	case 4:
		copy = t_copy_bytes(data + DATA_SIZE + 4, sram, DATA_SIZE - 4);
		return put(buf, &copy, sizeof(copy));
	case 5:
		event = t_event(LOOM_EVENT_OP_ADD, 1 + queue, 1);
		return put(buf, &event, sizeof(event));
	default:
		nop.hdr.flags = LOOM_CMD_F_RELAXED;
		return put(buf, &nop, sizeof(nop));
	}
}

/*
 * Commands of a job: queue q begins job j when its predecessor has finished it
 * (event 10 + q counts jobs), so that some queue is blocked most of the time.
 */
static size_t random_job(uint64_t *seed, uint8_t *buf, unsigned int queue,
			 unsigned int job, uint64_t data)
{
	unsigned int before = queue ? queue - 1 : QUEUES - 1, i;
	struct loom_cmd_event wait, done;
	size_t len = 0;

	wait = t_event(LOOM_EVENT_OP_WAIT_GE, 10 + before, queue ? job + 1 : job);
	done = t_event(LOOM_EVENT_OP_ADD, 10 + queue, 1);
	len += put(buf, &wait, sizeof(wait));
	for (i = 0; i < COMMANDS; i++)
		len += random_command(seed, buf + len, queue, data);
	len += put(buf + len, &done, sizeof(done));
	return len;
}

/* A card with work on QUEUES queues, all in one context. */
static struct t_card *card_with_work(uint64_t seed)
{
	struct t_card *card = t_card_create(&small);
	uint64_t data, cmds;
	unsigned int q, job, i;
	float *p;

	t_map(card, T_CTX, SRAM_VA, LOOM_KIND_SRAM, 0, small.sram_size, true);
	for (q = 0; q < QUEUES; q++) {
		t_queue_init(card, q, T_CTX, q % 3);
		data = t_hbm_alloc(card, 2 * DATA_SIZE);
		p = t_ptr(card, data);
		for (i = 0; i < 2 * N * N; i++)
			p[i] = (float)(int)(t_random(&seed) % 17 - 8) / 64;
		for (job = 0; job < JOBS; job++) {
			cmds = t_hbm_alloc(card, COMMANDS * 256 + 256);
			t_queue_push(card, q, cmds,
				     random_job(&seed, t_ptr(card, cmds), q,
						job, data));
		}
	}
	for (q = 0; q < QUEUES; q++)
		t_doorbell(card, q);
	return card;
}

static bool is_done(struct t_card *card)
{
	unsigned int q;

	for (q = 0; q < QUEUES; q++)
		if (!t_is_done(card, q, JOBS - 1))
			return false;
	return true;
}

static void check_no_errors(struct t_card *card)
{
	unsigned int q, job;

	for (q = 0; q < QUEUES; q++)
		for (job = 0; job < JOBS; job++)
			ck_assert_uint_eq(t_completion(card, q, job)->error, 0);
}

static void check_same_results(struct t_card *card, struct t_card *other)
{
	ck_assert_uint_eq(card->hbm_next, other->hbm_next);
	ck_assert(!memcmp(card->hbm + T_HBM_FIRST, other->hbm + T_HBM_FIRST,
			  card->hbm_next - T_HBM_FIRST));
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_COMMANDS),
			  t_perf(other, LOOM_PERF_COMMANDS));
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_MACS),
			  t_perf(other, LOOM_PERF_MACS));
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_CYC_TOTAL),
			  t_perf(other, LOOM_PERF_CYC_TOTAL));
}

/* Round trips ------------------------------------------------------------- */

/* Without workers even the order is the same: everything must be. */
START_TEST(test_moved_at_random_steps_it_ends_the_same)
{
	uint64_t seed = 1000u + (unsigned)_i, step = seed;
	struct t_card *alone = card_with_work(seed);
	struct t_card *here = card_with_work(seed);
	struct t_card *there = t_card_create(&small), *swap;
	struct saved a, b;
	unsigned int budget, moves = 0;

	while (!is_done(alone) || !is_done(here)) {
		budget = 1 + t_random(&step) % 9;
		loom_core_run(alone->core, budget);
		loom_core_run(here->core, budget);
		if (t_random(&step) % 4)
			continue;
		move(there, here);
		swap = here;
		here = there;
		there = swap;
		moves++;
	}
	check_no_errors(here);
	check_same_results(here, alone);
	ck_assert(!memcmp(here->sys, alone->sys, T_SYS_SIZE));
	a = save(here);
	b = save(alone);
	ck_assert_uint_eq(a.len, b.len);
	ck_assert(!memcmp(a.data, b.data, a.len));
	ck_assert_uint_gt(moves, 10);
	free(a.data);
	free(b.data);
	t_card_destroy(alone);
	t_card_destroy(here);
	t_card_destroy(there);
}
END_TEST

static void nap(uint64_t ns)
{
	nanosleep(&(struct timespec) { .tv_nsec = (long)ns }, NULL);
}

static void run_with_moves(struct t_card **here, struct t_card **there,
			   uint64_t *seed, unsigned int *moves)
{
	struct t_card *swap;

	while (!is_done(*here)) {
		nap(t_random(seed) % 100000);
		ck_assert(loom_core_pause((*here)->core, 10000));
		move(*there, *here);
		swap = *here;
		*here = *there;
		*there = swap;
		++*moves;
		loom_core_resume((*here)->core);
	}
}

START_TEST(test_moved_under_workers_it_ends_the_same)
{
	uint64_t seed = 2000u + (unsigned)_i, step = seed;
	struct t_card *alone = card_with_work(seed);
	struct t_card *here = card_with_work(seed);
	struct t_card *there = t_card_create(&small);
	unsigned int moves = 0;

	while (!is_done(alone))
		t_run(alone);
	loom_core_pause(here->core, 0);
	loom_core_pause(there->core, 0);
	t_workers_start(here, 1 + (unsigned)_i % 3);
	t_workers_start(there, 1 + (unsigned)_i % 2);
	loom_core_resume(here->core);
	run_with_moves(&here, &there, &step, &moves);
	t_workers_stop(here);
	check_no_errors(here);
	check_same_results(here, alone);
	ck_assert_uint_ge(moves, 1);
	t_card_destroy(alone);
	t_card_destroy(here);
	t_card_destroy(there);
}
END_TEST

/* What is remembered ------------------------------------------------------ */

static void check_same_registers(struct t_card *a, struct t_card *b)
{
	uint64_t reg;

	for (reg = 0; reg < LOOM_REGS_SIZE; reg += 4)
		ck_assert_msg(t_read32(a, reg) == t_read32(b, reg),
			      "register 0x%llx", (unsigned long long)reg);
}

/* Moves a card and compares; returns the new one, destroys the old one. */
static struct t_card *moved(struct t_card *card)
{
	struct t_card *to = t_card_create(&small);

	move(to, card);
	check_same_registers(to, card);
	t_card_destroy(card);
	return to;
}

START_TEST(test_registers_are_remembered)
{
	struct t_card *card = t_card_create(&small);
	unsigned int i;

	t_write32(card, LOOM_REG_SCRATCH, 77);
	t_write64(card, LOOM_REG_CTX_ROOT(3), 0x5000 | LOOM_CTX_ROOT_VALID);
	t_queue_init(card, 5, 2, 3);
	for (i = 0; i < 20; i++) {
		struct loom_cmd_nop nop = t_nop();

		t_run_cmds(card, &nop, sizeof(nop));
	}
	t_write32(card, LOOM_REG_PERF_CTRL, LOOM_PERF_CTRL_SNAPSHOT);
	card = moved(card);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_SCRATCH), 77);
	ck_assert_uint_eq(t_read64(card, LOOM_REG_PERF(LOOM_PERF_JOBS)), 20);
	t_card_destroy(card);
}
END_TEST

/* Whatever a guest writes to a queue that is not enabled can be saved. */
START_TEST(test_queue_with_nonsense_in_it_is_remembered)
{
	struct t_card *card = t_card_create(&small);
	uint32_t reg;

	for (reg = 0; reg < LOOM_QUEUE_CTRL; reg += 4) {
		t_write32(card, LOOM_REG_QUEUE(2, reg), ~0u);
		t_write32(card, LOOM_REG_QUEUE(3, reg), ~0u);
	}
	t_write32(card, LOOM_REG_QUEUE(3, LOOM_QUEUE_CTRL),
		  LOOM_QUEUE_CTRL_ENABLE);
	t_write32(card, LOOM_REG_EVENT_SIZE_LOG2, ~0u);
	card = moved(card);
	ck_assert_uint_eq(queue_reg(card, 3, LOOM_QUEUE_ERROR),
			  LOOM_ERR_QUEUE_CONFIG);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_failed_queue_stays_failed)
{
	struct t_card *card = t_card_create(&small);
	uint64_t nowhere = 0x70000000;

	ck_assert_uint_eq(t_submit(card, 0, nowhere, 64).error,
			  LOOM_ERR_CMD_FETCH);
	t_queue_push(card, 0, nowhere, 64);
	card = moved(card);
	ck_assert_uint_eq(queue_reg(card, 0, LOOM_QUEUE_STATE),
			  LOOM_QUEUE_STATE_ERROR);
	ck_assert_uint_eq(queue_reg(card, 0, LOOM_QUEUE_ERROR),
			  LOOM_ERR_CMD_FETCH);
	t_doorbell(card, 0);
	t_run(card);
	ck_assert(!t_is_done(card, 0, 1));
	t_card_destroy(card);
}
END_TEST

/* A queue that was stopped, and whose host has not been told yet. */
START_TEST(test_queue_stopped_from_outside_is_reported_there)
{
	struct t_card *card = t_card_create(&small);
	struct loom_cmd_event wait = t_event(LOOM_EVENT_OP_WAIT_GE, 1, 1);
	struct loom_event *event;
	struct loom_completion *c;

	t_queue_init(card, 1, T_CTX, 0);
	t_run_cmds(card, &wait, sizeof(wait));	/* queue 0: with a job */
	loom_core_doorbell_write(card->core, 0, 999, 4);
	loom_core_doorbell_write(card->core, LOOM_DOORBELL_STRIDE, 999, 4);
	card = moved(card);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_FAULTS), 0);
	t_run(card);
	c = t_completion(card, 0, 0);
	event = t_sys_ptr(card, card->events);
	ck_assert_uint_eq(c->error, LOOM_ERR_DOORBELL);
	ck_assert_uint_eq(c->opcode, LOOM_OP_EVENT);
	ck_assert_uint_eq(event[0].seq, 1);
	ck_assert_uint_eq(event[1].seq, 2);
	ck_assert_uint_eq(event[0].queue + event[1].queue, 1);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_blocked_queue_goes_on_when_its_event_comes)
{
	struct t_card *card = t_card_create(&small);
	struct loom_cmd_event wait = t_event(LOOM_EVENT_OP_WAIT_GE, 7, 3);
	struct loom_cmd_event set = t_event(LOOM_EVENT_OP_SET, 7, 3);
	uint64_t cmds = t_hbm_alloc(card, sizeof(set));

	t_run_cmds(card, &wait, sizeof(wait));
	t_queue_init(card, 1, T_CTX, 0);
	card = moved(card);
	t_run(card);
	ck_assert(!t_is_done(card, 0, 0));
	memcpy(t_ptr(card, cmds), &set, sizeof(set));
	ck_assert_uint_eq(t_submit(card, 1, cmds, sizeof(set)).error, 0);
	ck_assert(t_is_done(card, 0, 0));
	t_card_destroy(card);
}
END_TEST

/* Commands are read once: what was fetched is part of the job. */
START_TEST(test_job_keeps_the_commands_it_fetched)
{
	struct t_card *card = t_card_create(&small);
	uint64_t cmds = t_hbm_alloc(card, 4 * 64);
	struct loom_cmd_nop *nop = t_ptr(card, cmds);
	unsigned int i;

	for (i = 0; i < 4; i++)
		nop[i] = t_nop();
	t_queue_push(card, 0, cmds, 4 * 64);
	t_doorbell(card, 0);
	loom_core_run(card->core, 1);
	memset(t_ptr(card, cmds), 0xff, 4 * 64);
	card = moved(card);
	t_run(card);
	ck_assert(t_is_done(card, 0, 0));
	ck_assert_uint_eq(t_completion(card, 0, 0)->error, LOOM_ERR_NONE);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_pending_interrupts_arrive_there)
{
	struct t_card *card = t_card_create(&small);

	loom_core_set_bus_master(card->core, false);
	t_write32(card, LOOM_REG_IRQ_TEST, 0);
	t_write32(card, LOOM_REG_IRQ_TEST, 8);
	card = moved(card);
	loom_core_deliver(card->core);
	ck_assert_uint_eq(card->irqs[0], 1);
	ck_assert_uint_eq(card->irqs[8], 1);
	ck_assert_uint_eq(card->irqs[1], 0);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_sram_is_remembered)
{
	struct t_card *card = t_card_create(&small);
	uint64_t data = t_hbm_alloc(card, LOOM_PAGE_SIZE);
	uint64_t end = SRAM_VA + small.sram_size - LOOM_PAGE_SIZE;
	struct loom_cmd_copy copy;

	t_map(card, T_CTX, SRAM_VA, LOOM_KIND_SRAM, 0, small.sram_size, true);
	memset(t_ptr(card, data), 0x5a, LOOM_PAGE_SIZE);
	copy = t_copy_bytes(end, data, LOOM_PAGE_SIZE);
	t_run_cmds(card, &copy, sizeof(copy));
	copy = t_copy_bytes(SRAM_VA + 5000, data, 1);
	t_run_cmds(card, &copy, sizeof(copy));
	card = moved(card);
	copy = t_copy_bytes(data + 1, SRAM_VA + 5000, LOOM_PAGE_SIZE - 1);
	t_run_cmds(card, &copy, sizeof(copy));
	ck_assert_uint_eq(((uint8_t *)t_ptr(card, data))[1], 0x5a);
	ck_assert_uint_eq(((uint8_t *)t_ptr(card, data))[2], 0);
	copy = t_copy_bytes(data, end, LOOM_PAGE_SIZE);
	t_run_cmds(card, &copy, sizeof(copy));
	ck_assert_uint_eq(((uint8_t *)t_ptr(card, data))[4095], 0x5a);
	t_card_destroy(card);
}
END_TEST

/* Refusals ---------------------------------------------------------------- */

static void check_refused(struct t_card *card, struct saved s, const char *word)
{
	char why[256] = "";
	const char *error = loom_core_load(card->core, s.data, s.len, why,
					   sizeof(why));

	ck_assert_msg(error, "accepted; should be refused for '%s'", word);
	ck_assert_msg(strstr(error, word), "'%s' does not say '%s'", error,
		      word);
}

static const struct {
	const char *name;
	size_t offset;
	uint32_t value;
} others[] = {
#define OTHER(member, v) { #member, offsetof(struct loom_core_config, member), v }
	OTHER(hbm_size, 32 << 20), OTHER(sram_size, 4 << 20), OTHER(serial, 9),
	OTHER(num_arrays, 3), OTHER(array_rows, 64), OTHER(array_cols, 64),
	OTHER(clock_khz, 1000), OTHER(vector_lanes, 99), OTHER(hbm_channels, 3),
	OTHER(hbm_channel_mbps, 77), OTHER(pcie_mbps, 5), OTHER(num_queues, 7),
	OTHER(num_contexts, 3), OTHER(num_vectors, 8),
};

START_TEST(test_another_configuration_is_refused_by_name)
{
	struct loom_core_config other = small;
	struct t_card *card = t_card_create(&small), *to;
	struct saved s = save(card);

	memcpy((char *)&other + others[_i].offset, &others[_i].value,
	       sizeof(others[_i].value));
	to = t_card_create(&other);
	check_refused(to, s, others[_i].name);
	free(s.data);
	t_card_destroy(card);
	t_card_destroy(to);
}
END_TEST

/* After a refusal: as new. */
static void check_as_new(struct t_card *card)
{
	struct loom_core_ops none = { 0 };
	struct loom_core *fresh;
	uint64_t reg;

	fresh = loom_core_create(&card->cfg, &none, NULL, card->hbm);
	for (reg = 0; reg < LOOM_REGS_SIZE; reg += 4)
		ck_assert_msg(t_read32(card, reg) ==
			      loom_core_mmio_read(fresh, reg, 4),
			      "register 0x%llx", (unsigned long long)reg);
	loom_core_destroy(fresh);
}

static struct saved state_of_a_busy_card(void)
{
	struct t_card *card = card_with_work(3);
	struct saved s;

	loom_core_run(card->core, 40);
	s = save(card);
	t_card_destroy(card);
	return s;
}

START_TEST(test_every_truncation_is_refused)
{
	struct t_card *card = t_card_create(&small);
	struct saved s = state_of_a_busy_card();
	size_t len = s.len, step;

	for (s.len = 0; s.len < len; s.len += step) {
		check_refused(card, s, "section");
		/* The bulk is events and SRAM: in larger steps. */
		step = s.len < 256 || s.len > len - 32 ? 1 : 397;
		if (s.len % 5 == 0)
			check_as_new(card);
	}
	s.len = len;
	load(card, s);
	free(s.data);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_trailing_bytes_and_other_formats_are_refused)
{
	struct t_card *card = t_card_create(&small);
	struct saved s = save(card);
	uint8_t *p = s.data = realloc(s.data, s.len + 1);

	p[s.len] = 0;
	s.len++;
	check_refused(card, s, "follow");
	s.len--;
	p[4]++;
	check_refused(card, s, "version");
	p[4]--;
	p[0]++;
	check_refused(card, s, "not the state");
	p[0]--;
	p[8]++;
	check_refused(card, s, "missing");
	check_as_new(card);
	free(s.data);
	t_card_destroy(card);
}
END_TEST

/* The only place in @s that holds @value. */
static uint8_t *find_time(struct saved s, uint64_t value)
{
	uint8_t *p = s.data, *found = NULL;
	size_t i;

	for (i = 0; i + sizeof(value) <= s.len; i++) {
		if (memcmp(p + i, &value, sizeof(value)))
			continue;
		ck_assert_ptr_null(found);
		found = p + i;
	}
	ck_assert_ptr_nonnull(found);
	return found;
}

/* Jobs end after they start: times are exact in traces and completions. */
START_TEST(test_job_that_starts_after_now_is_refused)
{
	struct t_card *card = t_card_create(&small);
	struct loom_cmd_nop nop[2] = { t_nop(), t_nop() };
	uint64_t cmds = t_hbm_alloc(card, sizeof(nop)), time;
	struct saved s;
	uint8_t *start;

	t_run_cmds(card, &nop, sizeof(nop));
	memcpy(t_ptr(card, cmds), nop, sizeof(nop));
	t_queue_push(card, 0, cmds, sizeof(nop));
	t_doorbell(card, 0);
	loom_core_run(card->core, 1);
	time = t_read64(card, LOOM_REG_TIME);
	s = save(card);
	t_run(card);
	start = find_time(s, t_completion(card, 0, 1)->start);
	time++;
	memcpy(start, &time, sizeof(time));
	check_refused(card, s, "after now");
	time--;
	memcpy(start, &time, sizeof(time));
	load(card, s);
	free(s.data);
	t_card_destroy(card);
}
END_TEST

/* Damage: refused or not, nothing breaks, and a reset gives a good card. */
START_TEST(test_damaged_state_does_no_harm)
{
	struct t_card *card = t_card_create(&small);
	struct saved good = state_of_a_busy_card(), bad = { NULL, good.len };
	uint64_t seed = 7;
	unsigned int round, refused = 0, i;
	char why[256];

	bad.data = malloc(good.len);
	for (round = 0; round < 150; round++) {
		memcpy(bad.data, good.data, good.len);
		for (i = 0; i <= t_random(&seed) % 4; i++)
			((uint8_t *)bad.data)[t_random(&seed) % good.len] ^=
				1u << t_random(&seed) % 8;
		if (loom_core_load(card->core, bad.data, bad.len, why,
				   sizeof(why)))
			refused++;
		for (i = 0; i < 50 && loom_core_run(card->core, 20); i++)
			loom_core_deliver(card->core);
	}
	ck_assert_uint_gt(refused, 8);
	free(good.data);
	free(bad.data);
	t_card_destroy(card);
}
END_TEST

/* Pause ------------------------------------------------------------------- */

START_TEST(test_pause_ends_between_two_commands)
{
	struct t_card *card = card_with_work(11);
	uint32_t before[QUEUES];
	unsigned int q;

	t_workers_start(card, 2);
	ck_assert(loom_core_pause(card->core, 10000));
	for (q = 0; q < QUEUES; q++)
		before[q] = queue_reg(card, q, LOOM_QUEUE_PROGRESS);
	nap(20000000);
	for (q = 0; q < QUEUES; q++)
		ck_assert_uint_eq(queue_reg(card, q, LOOM_QUEUE_PROGRESS),
				  before[q]);
	loom_core_resume(card->core);
	while (!is_done(card))
		nap(100000);
	t_workers_stop(card);
	check_no_errors(card);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_pause_does_not_wait_for_ever)
{
	struct t_card *card = t_card_create(&small);
	uint64_t data = t_hbm_alloc(card, LOOM_PAGE_SIZE), cmds;
	struct loom_cmd_copy fill = t_fill_for_ever(data);
	size_t len;

	cmds = t_hbm_alloc(card, sizeof(fill));
	memcpy(t_ptr(card, cmds), &fill, sizeof(fill));
	t_queue_push(card, 0, cmds, sizeof(fill));
	t_doorbell(card, 0);
	t_workers_start(card, 1);
	while (atomic_load(&card->dirty_bytes) == 0)
		nap(100000);
	ck_assert(!loom_core_pause(card->core, 20));
	ck_assert_ptr_null(loom_core_save(card->core, &len));
	/* Resets work while paused, and end the command. */
	loom_core_reset(card->core);
	ck_assert(loom_core_pause(card->core, 0));
	free(save(card).data);
	t_card_destroy(card);
}
END_TEST

static TCase *tcase(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(s, tc);
	return tc;
}

static void add_memory(TCase *tc)
{
	tcase_add_test(tc, test_registers_are_remembered);
	tcase_add_test(tc, test_queue_with_nonsense_in_it_is_remembered);
	tcase_add_test(tc, test_failed_queue_stays_failed);
	tcase_add_test(tc, test_queue_stopped_from_outside_is_reported_there);
	tcase_add_test(tc, test_blocked_queue_goes_on_when_its_event_comes);
	tcase_add_test(tc, test_job_keeps_the_commands_it_fetched);
	tcase_add_test(tc, test_pending_interrupts_arrive_there);
	tcase_add_test(tc, test_sram_is_remembered);
}

int main(void)
{
	Suite *s = suite_create("state");
	TCase *tc;
	SRunner *sr;
	int failed;

	tc = tcase(s, "round trips");
	tcase_add_loop_test(tc, test_moved_at_random_steps_it_ends_the_same, 0, 8);
	tcase_add_loop_test(tc, test_moved_under_workers_it_ends_the_same, 0, 8);
	add_memory(tcase(s, "memory"));
	tc = tcase(s, "refusals");
	tcase_add_loop_test(tc, test_another_configuration_is_refused_by_name, 0,
			    sizeof(others) / sizeof(others[0]));
	tcase_add_test(tc, test_every_truncation_is_refused);
	tcase_add_test(tc, test_trailing_bytes_and_other_formats_are_refused);
	tcase_add_test(tc, test_job_that_starts_after_now_is_refused);
	tcase_add_test(tc, test_damaged_state_does_no_harm);
	tc = tcase(s, "pause");
	tcase_add_test(tc, test_pause_ends_between_two_commands);
	tcase_add_test(tc, test_pause_does_not_wait_for_ever);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
