// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Slots: who gets which, and who waits for one.
 */
#include "../loom_slots.c"

#include <linux/workqueue.h>

#include "loom_suites.h"

static struct loom_slots slots;

static int slots_test_init(struct kunit *test)
{
	memset(&slots, 0, sizeof(slots));
	loom_slots_init(&slots, 1, 4);
	return 0;
}

static void take_all(struct kunit *test)
{
	int i;

	for (i = 1; i < 4; i++)
		KUNIT_EXPECT_EQ(test, loom_slots_get(&slots), i);
}

static void the_reserved_slot_is_never_given(struct kunit *test)
{
	take_all(test);
	KUNIT_EXPECT_EQ(test, loom_slots_get(&slots), -ENOSPC);
}

static void the_lowest_free_slot_is_given(struct kunit *test)
{
	take_all(test);
	loom_slots_put(&slots, 2, false);
	KUNIT_EXPECT_EQ(test, loom_slots_get(&slots), 2);
	KUNIT_EXPECT_EQ(test, loom_slots_get(&slots), -ENOSPC);
}

static void a_slot_that_left_counts_as_leaving_no_more(struct kunit *test)
{
	take_all(test);
	loom_slots_leave(&slots);
	loom_slots_put(&slots, 3, true);
	KUNIT_EXPECT_EQ(test, atomic_read(&slots.leaving), 0);
	KUNIT_EXPECT_EQ(test, loom_slots_get(&slots), 3);
	KUNIT_EXPECT_EQ(test, loom_slots_get(&slots), -ENOSPC);
}

static void put_leaving_slot(struct work_struct *work)
{
	loom_slots_put(&slots, 2, true);
}

static DECLARE_DELAYED_WORK(put_work, put_leaving_slot);

/* Whether the work comes first or last, there is a slot for us. */
static void one_waits_for_a_slot_that_is_leaving(struct kunit *test)
{
	take_all(test);
	loom_slots_leave(&slots);
	schedule_delayed_work(&put_work, HZ / 20);
	KUNIT_EXPECT_EQ(test, loom_slots_get(&slots), 2);
	flush_delayed_work(&put_work);
}

static void the_number_of_slots_has_a_limit(struct kunit *test)
{
	loom_slots_init(&slots, 0, LOOM_MAX_SLOTS + 100);
	KUNIT_EXPECT_EQ(test, slots.num, (unsigned int)LOOM_MAX_SLOTS);
}

static struct kunit_case loom_slots_cases[] = {
	KUNIT_CASE(the_reserved_slot_is_never_given),
	KUNIT_CASE(the_lowest_free_slot_is_given),
	KUNIT_CASE(a_slot_that_left_counts_as_leaving_no_more),
	KUNIT_CASE(one_waits_for_a_slot_that_is_leaving),
	KUNIT_CASE(the_number_of_slots_has_a_limit),
	{ }
};

struct kunit_suite loom_slots_suite = {
	.name = "loom_slots",
	.init = slots_test_init,
	.test_cases = loom_slots_cases,
};
