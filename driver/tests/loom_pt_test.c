// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Page table entries against the numbers in Documentation/hardware.rst.
 */
#include "../loom_pt.c"

#include "loom_suites.h"

static void table_entry_points_at_hbm_and_is_no_leaf(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, loom_pt_table(0x12345000), 0x12345001ull);
}

static void page_entry_has_kind_address_and_rights(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, loom_pt_leaf(LOOM_KIND_HBM, 0x7000, false, false),
			0x7003ull);
	KUNIT_EXPECT_EQ(test, loom_pt_leaf(LOOM_KIND_SRAM, 0x7000, false, true),
			0x7011ull);
	KUNIT_EXPECT_EQ(test, loom_pt_leaf(LOOM_KIND_SYSTEM, 0x7000, false, false),
			0x7023ull);
}

static void huge_entry_is_a_leaf(struct kunit *test)
{
	__u64 pte = loom_pt_leaf(LOOM_KIND_HBM, LOOM_HUGE_SIZE, true, false);

	KUNIT_EXPECT_EQ(test, pte, 0x200007ull);
	KUNIT_EXPECT_TRUE(test, loom_pt_is_huge(pte));
	KUNIT_EXPECT_TRUE(test, loom_pt_is_valid(pte));
}

static void the_highest_bus_address_fits(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, loom_pt_leaf(LOOM_KIND_SYSTEM, 0x000ffffffffff000ull,
					   false, false),
			0x000ffffffffff023ull);
}

static void no_address_reaches_other_bits(struct kunit *test)
{
	__u64 pte = loom_pt_leaf(LOOM_KIND_SYSTEM, ~0ull, false, true);

	KUNIT_EXPECT_EQ(test, pte & ~LOOM_PTE_ADDR,
			LOOM_PTE_VALID | LOOM_KIND_SYSTEM << LOOM_PTE_KIND_SHIFT);
	KUNIT_EXPECT_EQ(test, loom_pt_table(~0ull) & ~LOOM_PTE_ADDR,
			LOOM_PTE_VALID);
}

static void an_invalid_entry_is_not_huge(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, loom_pt_is_valid(0));
	KUNIT_EXPECT_FALSE(test, loom_pt_is_valid(~LOOM_PTE_VALID));
	KUNIT_EXPECT_FALSE(test, loom_pt_is_huge(LOOM_PTE_LEAF));
	KUNIT_EXPECT_FALSE(test, loom_pt_is_huge(loom_pt_table(0x1000)));
}

static void a_split_keeps_what_the_huge_page_mapped(struct kunit *test)
{
	__u64 huge = loom_pt_leaf(LOOM_KIND_SYSTEM, 0x40000000, true, true);
	unsigned int i;

	for (i = 0; i < LOOM_PT_ENTRIES; i++)
		KUNIT_EXPECT_EQ(test, loom_pt_split(huge, i),
				loom_pt_leaf(LOOM_KIND_SYSTEM,
					     0x40000000 + i * LOOM_PAGE_SIZE,
					     false, true));
}

static void an_address_has_nine_bits_per_level(struct kunit *test)
{
	__u64 va = 1ull << 39 | 2ull << 30 | 3ull << 21 | 4ull << 12 | 0xfff;

	KUNIT_EXPECT_EQ(test, loom_pt_index(va, 3), 1);
	KUNIT_EXPECT_EQ(test, loom_pt_index(va, 2), 2);
	KUNIT_EXPECT_EQ(test, loom_pt_index(va, 1), 3);
	KUNIT_EXPECT_EQ(test, loom_pt_index(va, 0), 4);
}

static void the_last_address_has_the_last_index_everywhere(struct kunit *test)
{
	__u64 va = (1ull << LOOM_VA_BITS) - 1;
	unsigned int level;

	for (level = 0; level < LOOM_PT_LEVELS; level++)
		KUNIT_EXPECT_EQ(test, loom_pt_index(va, level),
				LOOM_PT_ENTRIES - 1);
}

static void a_region_ends_at_2_mib_or_at_the_end(struct kunit *test)
{
	__u64 top = 1ull << LOOM_VA_BITS;

	KUNIT_EXPECT_EQ(test, loom_pt_region_end(0, top), 0x200000ull);
	KUNIT_EXPECT_EQ(test, loom_pt_region_end(0x1ff000, top), 0x200000ull);
	KUNIT_EXPECT_EQ(test, loom_pt_region_end(0x200000, top), 0x400000ull);
	KUNIT_EXPECT_EQ(test, loom_pt_region_end(0x200000, 0x201000), 0x201000ull);
	KUNIT_EXPECT_EQ(test, loom_pt_region_end(top - 0x1000, top), top);
}

static struct kunit_case loom_pt_cases[] = {
	KUNIT_CASE(table_entry_points_at_hbm_and_is_no_leaf),
	KUNIT_CASE(page_entry_has_kind_address_and_rights),
	KUNIT_CASE(huge_entry_is_a_leaf),
	KUNIT_CASE(the_highest_bus_address_fits),
	KUNIT_CASE(no_address_reaches_other_bits),
	KUNIT_CASE(an_invalid_entry_is_not_huge),
	KUNIT_CASE(a_split_keeps_what_the_huge_page_mapped),
	KUNIT_CASE(an_address_has_nine_bits_per_level),
	KUNIT_CASE(the_last_address_has_the_last_index_everywhere),
	KUNIT_CASE(a_region_ends_at_2_mib_or_at_the_end),
	{ }
};

struct kunit_suite loom_pt_suite = {
	.name = "loom_pt",
	.test_cases = loom_pt_cases,
};
