// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A ring whose card is the test: it writes completion records and raises
 * interrupts, in the right order and in wrong ones.
 */
#include "../loom_fence.c"
#include "../loom_ring.c"

#include "loom_fake.h"
#include "loom_suites.h"

static struct loom_device *card;
static struct loom_ring *ring;

static struct loom_client *client_create(void)
{
	struct loom_client *client = kzalloc(sizeof(*client), GFP_KERNEL);

	if (client)
		kref_init(&client->ref);
	return client;
}

static int ring_create(void)
{
	size_t bytes = LOOM_RING_SIZE * sizeof(*ring->entries);

	ring = kvzalloc(sizeof(*ring), GFP_KERNEL);
	if (!ring)
		return -ENOMEM;
	ring->ldev = card;
	ring->id = 3;
	ring->fence_context = dma_fence_context_alloc(1);
	loom_ring_init_stop(ring);
	spin_lock_init(&ring->lock);
	mutex_init(&ring->stop_lock);
	ring->entries = kvzalloc(2 * bytes, GFP_KERNEL);
	ring->compl = (void *)ring->entries + bytes;
	return ring->entries ? 0 : -ENOMEM;
}

static int ring_start(void)
{
	struct loom_client *client = client_create();
	int ret;

	if (!client)
		return -ENOMEM;
	ret = loom_ring_start(ring, 9, 2, client, NULL);
	loom_client_put(client);	/* the ring has its own */
	return ret;
}

static int ring_test_init(struct kunit *test)
{
	ring = NULL;
	card = fake_card_create();
	if (!card || ring_create())
		return -ENOMEM;
	card->hw.num_queues = 4;
	loom_slots_init(&card->ring_slots, 0, 4);
	return ring_start();
}

/* Whatever is left of a test's jobs. */
static void retire_all(void)
{
	spin_lock_irq(&ring->lock);
	while (ring->done != ring->emitted)
		loom_ring_retire(ring, -ECANCELED);
	spin_unlock_irq(&ring->lock);
}

static void ring_test_exit(struct kunit *test)
{
	if (ring && ring->client) {
		retire_all();
		flush_work(&ring->recover);
		loom_ring_put(ring, false);
	}
	if (ring)
		kvfree(ring->entries);
	kvfree(ring);
	fake_card_destroy(card);
}

static u32 doorbell(void)
{
	return readl(card->doorbells + 3 * LOOM_DOORBELL_STRIDE);
}

/* A job, and our reference to its fence; NULL if the ring refuses. */
static struct dma_fence *emit(struct loom_ring_work work)
{
	struct loom_fence *fence = loom_fence_alloc();

	if (!fence)
		return NULL;
	if (loom_ring_emit(ring, &work, fence)) {
		loom_fence_free(fence);
		return NULL;
	}
	return &fence->base;
}

static struct dma_fence *emit_one(void)
{
	return emit((struct loom_ring_work) { .cmd_va = 0x1000, .cmd_size = 64 });
}

static void emit_many(struct kunit *test, unsigned int num)
{
	while (num--) {
		struct dma_fence *fence = emit_one();

		KUNIT_EXPECT_TRUE(test, fence);
		dma_fence_put(fence);
	}
}

/* What the card writes where job @number's record is. */
static void write_record(u64 number, u64 seq, u32 error)
{
	struct loom_completion *c = &ring->compl[loom_ring_slot(ring, number)];

	*c = (struct loom_completion) {
		.error = error, .opcode = 7, .start = 10 * seq, .end = 10 * seq + 3,
	};
	WRITE_ONCE(c->seq, seq);
}

static void complete_upto(u64 number)
{
	u64 n;

	for (n = ring->done + 1; n <= number; n++)
		write_record(n, n, 0);
	loom_ring_irq(ring);
}

static u32 read_reg(u32 reg)
{
	return loom_read32(card, LOOM_REG_QUEUE(3, reg));
}

static void starting_tells_the_card_all_it_needs(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, read_reg(LOOM_QUEUE_CTX), 9u);
	KUNIT_EXPECT_EQ(test, read_reg(LOOM_QUEUE_PRIORITY), 2u);
	KUNIT_EXPECT_EQ(test, read_reg(LOOM_QUEUE_VECTOR), 4u);
	KUNIT_EXPECT_EQ(test, read_reg(LOOM_QUEUE_RING_SIZE_LOG2), (u32)LOOM_RING_LOG2);
	KUNIT_EXPECT_EQ(test, read_reg(LOOM_QUEUE_COMPL_BASE) -
			read_reg(LOOM_QUEUE_RING_BASE),
			(u32)(LOOM_RING_SIZE * sizeof(struct loom_ring_entry)));
	KUNIT_EXPECT_EQ(test, read_reg(LOOM_QUEUE_CTRL), (u32)LOOM_QUEUE_CTRL_ENABLE);
}

static void a_job_is_an_entry_and_a_doorbell(struct kunit *test)
{
	emit_many(test, 1);
	KUNIT_EXPECT_EQ(test, ring->entries[0].type, LOOM_RING_EXEC);
	KUNIT_EXPECT_EQ(test, ring->entries[0].flags, LOOM_RING_F_IRQ);
	KUNIT_EXPECT_EQ(test, ring->entries[0].cmd_va, 0x1000ull);
	KUNIT_EXPECT_EQ(test, ring->entries[0].cmd_size, 64u);
	KUNIT_EXPECT_EQ(test, ring->entries[0].seq, 1ull);
	KUNIT_EXPECT_EQ(test, doorbell(), 1u);
	KUNIT_EXPECT_EQ(test, fake_calls.kicks, 1u);
}

static void a_batch_has_one_doorbell(struct kunit *test)
{
	const struct loom_ring_work more = { .more = true, .quiet = true };

	dma_fence_put(emit(more));
	dma_fence_put(emit(more));
	KUNIT_EXPECT_EQ(test, doorbell(), 0u);
	KUNIT_EXPECT_EQ(test, ring->entries[1].flags, 0u);
	emit_many(test, 1);
	KUNIT_EXPECT_EQ(test, doorbell(), 3u);
}

static void a_batch_without_its_last_job_is_told_of(struct kunit *test)
{
	dma_fence_put(emit((struct loom_ring_work) { .more = true }));
	loom_ring_skip(ring);
	KUNIT_EXPECT_EQ(test, doorbell(), 1u);
}

static void a_completed_job_signals_its_fence(struct kunit *test)
{
	struct dma_fence *fence = emit_one();

	KUNIT_ASSERT_NOT_NULL(test, fence);
	loom_ring_irq(ring);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	complete_upto(1);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, fence->error, 0);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&ring->client->cycles), 3ull);
	dma_fence_put(fence);
}

static void jobs_complete_in_order_only(struct kunit *test)
{
	emit_many(test, 3);
	write_record(3, 3, 0);
	write_record(2, 2, 0);
	loom_ring_irq(ring);
	KUNIT_EXPECT_EQ(test, ring->done, 0ull);
	complete_upto(1);
	KUNIT_EXPECT_EQ(test, ring->done, 3ull);
}

static void the_record_of_the_round_before_is_not_the_jobs_own(struct kunit *test)
{
	emit_many(test, LOOM_RING_SIZE);
	complete_upto(LOOM_RING_SIZE);
	emit_many(test, 1);
	loom_ring_irq(ring);
	KUNIT_EXPECT_EQ(test, ring->done, (u64)LOOM_RING_SIZE);
	KUNIT_EXPECT_FALSE(test, loom_ring_is_banned(ring));
	complete_upto(LOOM_RING_SIZE + 1);
	KUNIT_EXPECT_EQ(test, ring->done, (u64)LOOM_RING_SIZE + 1);
}

static void rounds_go_on_and_on(struct kunit *test)
{
	unsigned int i;

	for (i = 1; i <= 50; i++) {
		emit_many(test, 77);
		complete_upto(77 * i);
	}
	KUNIT_EXPECT_EQ(test, ring->done, 50ull * 77);
	KUNIT_EXPECT_EQ(test, doorbell(), 50u * 77);
	KUNIT_EXPECT_EQ(test, ring->state.jobs_done, 50ull * 77);
	KUNIT_EXPECT_FALSE(test, loom_ring_is_banned(ring));
}

static void a_fault_bans_and_stops_and_names_the_job(struct kunit *test)
{
	struct drm_loom_queue_state state = { .id = 42 };
	struct dma_fence *first = emit_one(), *second = emit_one();

	write_record(1, 1, LOOM_ERR_CMD_FIELD);
	write_record(2, 2, 0);
	loom_ring_irq(ring);
	flush_work(&ring->recover);
	KUNIT_EXPECT_EQ(test, first->error, -EIO);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(second));
	KUNIT_EXPECT_EQ(test, fake_calls.recovers, 1u);
	KUNIT_EXPECT_PTR_EQ(test, emit_one(), NULL);
	loom_ring_state(ring, &state);
	KUNIT_EXPECT_EQ(test, state.id, 42u);
	KUNIT_EXPECT_EQ(test, state.state,
			DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_FAULTED);
	KUNIT_EXPECT_EQ(test, state.error, (u32)LOOM_ERR_CMD_FIELD);
	KUNIT_EXPECT_EQ(test, state.opcode, 7u);
	KUNIT_EXPECT_EQ(test, state.job, 1ull);
	dma_fence_put(first);
	dma_fence_put(second);
}

static void a_number_that_cannot_be_there_resets_the_card(struct kunit *test)
{
	struct dma_fence *fence = emit_one();

	write_record(1, 5, 0);
	loom_ring_irq(ring);
	flush_work(&ring->recover);
	KUNIT_EXPECT_EQ(test, fence->error, -EIO);
	KUNIT_EXPECT_EQ(test, fake_calls.resets, 1u);
	KUNIT_EXPECT_EQ(test, fake_calls.recovers, 1u);
	KUNIT_EXPECT_EQ(test, atomic_read(&card->stats.bad_completions), 1);
	KUNIT_EXPECT_TRUE(test, loom_ring_is_banned(ring));
	dma_fence_put(fence);
}

static void a_record_for_no_job_is_not_looked_at(struct kunit *test)
{
	write_record(1, 1, 0);
	loom_ring_irq(ring);
	KUNIT_EXPECT_EQ(test, ring->done, 0ull);
	KUNIT_EXPECT_FALSE(test, loom_ring_is_banned(ring));
}

static void a_lost_interrupt_is_seen_at_the_second_look(struct kunit *test)
{
	struct loom_ring_watch watch = { };

	emit_many(test, 1);
	write_record(1, 1, 0);
	loom_ring_watch(ring, &watch);
	KUNIT_EXPECT_TRUE(test, watch.unseen);
	KUNIT_EXPECT_EQ(test, ring->done, 0ull);
	loom_ring_watch(ring, &watch);
	KUNIT_EXPECT_EQ(test, ring->done, 1ull);
	KUNIT_EXPECT_EQ(test, atomic_read(&card->stats.lost_irqs), 1);
}

static void quiet_jobs_of_a_batch_are_not_lost_interrupts(struct kunit *test)
{
	struct loom_ring_watch watch = { };

	dma_fence_put(emit((struct loom_ring_work) { .quiet = true }));
	emit_many(test, 1);
	write_record(1, 1, 0);
	loom_ring_watch(ring, &watch);
	KUNIT_EXPECT_FALSE(test, watch.unseen);
	KUNIT_EXPECT_EQ(test, watch.head, 1ull);
}

static void times_of_the_newest_jobs_are_kept(struct kunit *test)
{
	static struct drm_loom_job_time times[LOOM_RING_TIMES];
	u32 num;

	emit_many(test, LOOM_RING_SIZE);
	complete_upto(LOOM_RING_SIZE);
	emit_many(test, 2);
	complete_upto(LOOM_RING_SIZE + 2);
	num = loom_ring_times(ring, 1, times, LOOM_RING_TIMES);
	KUNIT_EXPECT_EQ(test, num, (u32)LOOM_RING_TIMES);
	KUNIT_EXPECT_EQ(test, times[0].job, 3ull);
	KUNIT_EXPECT_EQ(test, times[num - 1].job, (u64)LOOM_RING_SIZE + 2);
	KUNIT_EXPECT_EQ(test, times[0].end - times[0].start, 3ull);
	KUNIT_EXPECT_EQ(test, loom_ring_times(ring, LOOM_RING_SIZE + 2, times, 5), 1u);
	KUNIT_EXPECT_EQ(test, loom_ring_times(ring, 1, times, 5), 5u);
}

static void a_restart_forgets_jobs_and_bans(struct kunit *test)
{
	emit_many(test, 1);
	write_record(1, 1, LOOM_ERR_CMD_FIELD);
	loom_ring_irq(ring);
	flush_work(&ring->recover);
	ring->phase = LOOM_RING_STOPPED;
	loom_ring_restart(ring);
	KUNIT_EXPECT_FALSE(test, loom_ring_is_banned(ring));
	KUNIT_EXPECT_EQ(test, ring->state.state, 0u);
	emit_many(test, 1);
	KUNIT_EXPECT_EQ(test, doorbell(), 1u);
	complete_upto(1);
	KUNIT_EXPECT_EQ(test, ring->done, 1ull);
}

static void a_job_without_the_scheduler_is_counted_out(struct kunit *test)
{
	struct loom_ring_work work = { .cmd_va = 0x1000, .cmd_size = 64 };

	dma_fence_put(emit(work));
	work.direct = true;
	dma_fence_put(emit(work));
	dma_fence_put(emit(work));
	complete_upto(2);
	KUNIT_EXPECT_EQ(test, fake_calls.job_puts, 1);
	retire_all();
	KUNIT_EXPECT_EQ(test, fake_calls.job_puts, 2);
}

static void half_the_ring_is_for_jobs_without_the_scheduler(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, loom_ring_has_room(ring, LOOM_RING_DIRECT));
	KUNIT_EXPECT_FALSE(test, loom_ring_has_room(ring, LOOM_RING_DIRECT + 1));
	emit_many(test, LOOM_RING_DIRECT);
	KUNIT_EXPECT_FALSE(test, loom_ring_has_room(ring, 1));
	complete_upto(1);
	KUNIT_EXPECT_TRUE(test, loom_ring_has_room(ring, 1));
	KUNIT_EXPECT_FALSE(test, loom_ring_has_room(ring, 2));
}

static struct kunit_case loom_ring_cases[] = {
	KUNIT_CASE(starting_tells_the_card_all_it_needs),
	KUNIT_CASE(a_job_is_an_entry_and_a_doorbell),
	KUNIT_CASE(a_batch_has_one_doorbell),
	KUNIT_CASE(a_batch_without_its_last_job_is_told_of),
	KUNIT_CASE(a_completed_job_signals_its_fence),
	KUNIT_CASE(jobs_complete_in_order_only),
	KUNIT_CASE(the_record_of_the_round_before_is_not_the_jobs_own),
	KUNIT_CASE(rounds_go_on_and_on),
	KUNIT_CASE(a_fault_bans_and_stops_and_names_the_job),
	KUNIT_CASE(a_number_that_cannot_be_there_resets_the_card),
	KUNIT_CASE(a_record_for_no_job_is_not_looked_at),
	KUNIT_CASE(a_lost_interrupt_is_seen_at_the_second_look),
	KUNIT_CASE(quiet_jobs_of_a_batch_are_not_lost_interrupts),
	KUNIT_CASE(times_of_the_newest_jobs_are_kept),
	KUNIT_CASE(a_job_without_the_scheduler_is_counted_out),
	KUNIT_CASE(half_the_ring_is_for_jobs_without_the_scheduler),
	KUNIT_CASE(a_restart_forgets_jobs_and_bans),
	{ }
};

struct kunit_suite loom_ring_suite = {
	.name = "loom_ring",
	.init = ring_test_init,
	.exit = ring_test_exit,
	.test_cases = loom_ring_cases,
};
