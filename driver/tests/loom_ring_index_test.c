// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Numbers of jobs, at the places where they wrap.
 */
#include "../loom_ring_index.h"

#include "loom_suites.h"

static void the_first_job_is_at_the_first_entry(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, loom_ring_index(1, 0), 0);
	KUNIT_EXPECT_EQ(test, loom_ring_tail(1, 0), 1);
}

static void the_ring_wraps_after_its_last_entry(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, loom_ring_index(LOOM_RING_SIZE, 0),
			LOOM_RING_SIZE - 1);
	KUNIT_EXPECT_EQ(test, loom_ring_index(LOOM_RING_SIZE + 1, 0), 0);
	KUNIT_EXPECT_EQ(test, loom_ring_index(3 * LOOM_RING_SIZE + 7, 0), 6);
}

static void a_restarted_ring_counts_from_zero_again(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, loom_ring_index(1001, 1000), 0);
	KUNIT_EXPECT_EQ(test, loom_ring_tail(1001, 1000), 1);
	KUNIT_EXPECT_EQ(test, loom_ring_tail(1000, 1000), 0);
}

static void the_doorbell_wraps_at_32_bits(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, loom_ring_tail(0xffffffffull, 0), 0xffffffffu);
	KUNIT_EXPECT_EQ(test, loom_ring_tail(0x100000000ull, 0), 0u);
	KUNIT_EXPECT_EQ(test, loom_ring_tail(0x100000005ull, 2), 3u);
}

/* Both sides must go on agreeing there. */
static void entry_and_doorbell_agree_where_32_bits_wrap(struct kunit *test)
{
	__u64 number;

	for (number = 0xffffff00ull; number < 0x100000100ull; number++)
		KUNIT_EXPECT_EQ(test, loom_ring_index(number + 1, 0),
				loom_ring_tail(number, 0) % LOOM_RING_SIZE);
}

static void jobs_of_one_round_have_entries_of_their_own(struct kunit *test)
{
	bool seen[LOOM_RING_SIZE] = { };
	unsigned int i;

	for (i = 0; i < LOOM_RING_SIZE; i++) {
		unsigned int index = loom_ring_index(1000 + i, 77);

		KUNIT_EXPECT_FALSE(test, seen[index]);
		seen[index] = true;
	}
}

static void an_empty_record_is_stale(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, loom_ring_seq_is_stale(0, 1));
	KUNIT_EXPECT_TRUE(test, loom_ring_seq_is_stale(0, LOOM_RING_SIZE));
}

static void the_record_of_the_round_before_is_stale(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, loom_ring_seq_is_stale(1, LOOM_RING_SIZE + 1));
	KUNIT_EXPECT_TRUE(test, loom_ring_seq_is_stale(500, LOOM_RING_SIZE + 500));
}

static void any_other_number_is_not_stale(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, loom_ring_seq_is_stale(2, 1));
	KUNIT_EXPECT_FALSE(test, loom_ring_seq_is_stale(2, LOOM_RING_SIZE + 1));
	KUNIT_EXPECT_FALSE(test, loom_ring_seq_is_stale(1, 2 * LOOM_RING_SIZE + 1));
	KUNIT_EXPECT_FALSE(test, loom_ring_seq_is_stale(~0ull, 1));
	KUNIT_EXPECT_FALSE(test, loom_ring_seq_is_stale(LOOM_RING_SIZE + 1, 1));
}

static void a_ring_knows_as_many_jobs_as_it_has_entries(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, loom_ring_oldest(0), 1ull);
	KUNIT_EXPECT_EQ(test, loom_ring_oldest(LOOM_RING_SIZE), 1ull);
	KUNIT_EXPECT_EQ(test, loom_ring_oldest(LOOM_RING_SIZE + 1), 2ull);
	KUNIT_EXPECT_EQ(test, loom_ring_oldest(10 * LOOM_RING_SIZE),
			9ull * LOOM_RING_SIZE + 1);
}

static struct kunit_case loom_ring_index_cases[] = {
	KUNIT_CASE(the_first_job_is_at_the_first_entry),
	KUNIT_CASE(the_ring_wraps_after_its_last_entry),
	KUNIT_CASE(a_restarted_ring_counts_from_zero_again),
	KUNIT_CASE(the_doorbell_wraps_at_32_bits),
	KUNIT_CASE(entry_and_doorbell_agree_where_32_bits_wrap),
	KUNIT_CASE(jobs_of_one_round_have_entries_of_their_own),
	KUNIT_CASE(an_empty_record_is_stale),
	KUNIT_CASE(the_record_of_the_round_before_is_stale),
	KUNIT_CASE(any_other_number_is_not_stale),
	KUNIT_CASE(a_ring_knows_as_many_jobs_as_it_has_entries),
	{ }
};

struct kunit_suite loom_ring_index_suite = {
	.name = "loom_ring_index",
	.test_cases = loom_ring_index_cases,
};
