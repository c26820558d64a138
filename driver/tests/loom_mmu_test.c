// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Page tables as the card reads them: after every change the tables in HBM are
 * walked from the root, as Documentation/hardware.rst says the card does it.
 */
#include "../loom_mmu.c"

#include "loom_fake.h"
#include "loom_suites.h"

/* A region in the middle of nowhere, and one behind which the tables change. */
#define REGION		(5ull << 39 | 6ull << 30 | 7ull << 21)
#define LAST_OF_TABLE	((1ull << 30) - LOOM_HUGE_SIZE)

static struct loom_device *card;
static struct loom_mmu *mmu;

static int mmu_test_init(struct kunit *test)
{
	card = fake_card_create();
	mmu = card ? loom_mmu_create(card) : ERR_PTR(-ENOMEM);
	return PTR_ERR_OR_ZERO(mmu);
}

static void mmu_test_exit(struct kunit *test)
{
	if (!IS_ERR(mmu))
		loom_mmu_destroy(mmu);
	fake_card_destroy(card);
}

static u64 entry_at(u64 table, u64 va, unsigned int level)
{
	return readq(card->hbm.cpu + table + 8 * loom_pt_index(va, level));
}

/* The entry that maps @va, or 0; sets the page's size. */
static u64 walk(u64 va, u64 *size)
{
	u64 table = loom_mmu_root(mmu);
	unsigned int level;
	u64 pte = 0;

	for (level = LOOM_PT_LEVELS; level--; table = pte & LOOM_PTE_ADDR) {
		pte = entry_at(table, va, level);
		*size = 1ull << LOOM_PT_SHIFT(level);
		if (!(pte & LOOM_PTE_VALID))
			return 0;
		if (level == 1 && pte & LOOM_PTE_LEAF)
			return pte;
	}
	return pte;
}

/* Where the card ends up: the address, or ~0 for a fault. */
static u64 translate(u64 va)
{
	u64 size, pte = walk(va, &size);

	return pte ? (pte & LOOM_PTE_ADDR) + va % size : ~0ull;
}

static u64 mapped_size(u64 va)
{
	u64 size;

	return walk(va, &size) ? size : 0;
}

/* Map contiguous memory of @kind at @addr. */
static int map(u64 va, u64 size, u64 kind, u64 addr, bool readonly)
{
	struct {
		struct loom_extents x;
		struct loom_extent extent;
	} memory = { .x = { .kind = kind, .num = 1 }, .extent = { addr, size } };
	const struct loom_mmu_map change = { va, va + size, &memory.x, readonly };
	int ret;

	ret = loom_mmu_prepare_map(mmu, &change);
	if (!ret)
		loom_mmu_write_map(mmu, &change);
	return ret;
}

static int unmap(u64 va, u64 size)
{
	int ret = loom_mmu_prepare_unmap(mmu, va, va + size);

	if (!ret)
		loom_mmu_write_unmap(mmu, va, va + size);
	return ret;
}

static void nothing_is_mapped_at_first(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, translate(0), ~0ull);
	KUNIT_EXPECT_EQ(test, translate(REGION), ~0ull);
	KUNIT_EXPECT_EQ(test, translate(LOOM_VA_END - 1), ~0ull);
}

static void a_page_is_mapped_and_its_neighbours_are_not(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, map(REGION + 0x3000, 0x1000, LOOM_KIND_SYSTEM,
				  0xabcdef000, false), 0);
	KUNIT_EXPECT_EQ(test, translate(REGION + 0x3123), 0xabcdef123ull);
	KUNIT_EXPECT_EQ(test, translate(REGION + 0x2fff), ~0ull);
	KUNIT_EXPECT_EQ(test, translate(REGION + 0x4000), ~0ull);
	KUNIT_EXPECT_EQ(test, unmap(REGION + 0x3000, 0x1000), 0);
	KUNIT_EXPECT_EQ(test, translate(REGION + 0x3123), ~0ull);
}

static void kind_and_rights_reach_the_entry(struct kunit *test)
{
	u64 size;

	KUNIT_ASSERT_EQ(test, map(REGION, 0x1000, LOOM_KIND_SRAM, 0x4000, true), 0);
	KUNIT_EXPECT_EQ(test, walk(REGION, &size), 0x4011ull);
	KUNIT_ASSERT_EQ(test, map(REGION, 0x1000, LOOM_KIND_SYSTEM, 0x5000, false), 0);
	KUNIT_EXPECT_EQ(test, walk(REGION, &size), 0x5023ull);
}

static void an_aligned_2_mib_is_one_page(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, map(REGION, LOOM_HUGE_SIZE, LOOM_KIND_SYSTEM,
				  4ull * LOOM_HUGE_SIZE, false), 0);
	KUNIT_EXPECT_EQ(test, mapped_size(REGION), (u64)LOOM_HUGE_SIZE);
	KUNIT_EXPECT_EQ(test, translate(REGION + 0x12345),
			4ull * LOOM_HUGE_SIZE + 0x12345);
}

static void memory_that_is_not_aligned_takes_small_pages(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, map(REGION, LOOM_HUGE_SIZE, LOOM_KIND_SYSTEM,
				  4ull * LOOM_HUGE_SIZE + 0x1000, false), 0);
	KUNIT_EXPECT_EQ(test, mapped_size(REGION), (u64)LOOM_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, translate(REGION + LOOM_HUGE_SIZE - 1),
			5ull * LOOM_HUGE_SIZE + 0xfff);
}

static void a_huge_page_in_two_pieces_takes_small_pages(struct kunit *test)
{
	struct {
		struct loom_extents x;
		struct loom_extent extent[2];
	} memory = {
		.x = { .kind = LOOM_KIND_SYSTEM, .num = 2 },
		.extent = { { 0x10000000, SZ_1M }, { 0x30000000, SZ_1M } },
	};
	const struct loom_mmu_map change = {
		REGION, REGION + LOOM_HUGE_SIZE, &memory.x, false,
	};

	KUNIT_ASSERT_EQ(test, loom_mmu_prepare_map(mmu, &change), 0);
	loom_mmu_write_map(mmu, &change);
	KUNIT_EXPECT_EQ(test, translate(REGION + SZ_1M - 1), 0x100fffffull);
	KUNIT_EXPECT_EQ(test, translate(REGION + SZ_1M), 0x30000000ull);
}

static void a_hole_in_a_huge_page_leaves_the_rest(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, map(REGION, LOOM_HUGE_SIZE, LOOM_KIND_SYSTEM,
				  8ull * LOOM_HUGE_SIZE, false), 0);
	KUNIT_ASSERT_EQ(test, unmap(REGION + 0x10000, 0x2000), 0);
	KUNIT_EXPECT_EQ(test, translate(REGION + 0xffff),
			8ull * LOOM_HUGE_SIZE + 0xffff);
	KUNIT_EXPECT_EQ(test, translate(REGION + 0x10000), ~0ull);
	KUNIT_EXPECT_EQ(test, translate(REGION + 0x11fff), ~0ull);
	KUNIT_EXPECT_EQ(test, translate(REGION + 0x12000),
			8ull * LOOM_HUGE_SIZE + 0x12000);
	KUNIT_EXPECT_EQ(test, translate(REGION + LOOM_HUGE_SIZE - 1),
			9ull * LOOM_HUGE_SIZE - 1);
}

/* What a region's small pages said must not shine through later. */
static void a_region_is_huge_small_and_huge_again(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, map(REGION, LOOM_HUGE_SIZE, LOOM_KIND_SYSTEM,
				  2ull * LOOM_HUGE_SIZE, false), 0);
	KUNIT_ASSERT_EQ(test, map(REGION, 0x1000, LOOM_KIND_SYSTEM, 0x7000, false), 0);
	KUNIT_EXPECT_EQ(test, translate(REGION), 0x7000ull);
	KUNIT_EXPECT_EQ(test, translate(REGION + 0x1000),
			2ull * LOOM_HUGE_SIZE + 0x1000);
	KUNIT_ASSERT_EQ(test, map(REGION, LOOM_HUGE_SIZE, LOOM_KIND_SYSTEM,
				  6ull * LOOM_HUGE_SIZE, false), 0);
	KUNIT_EXPECT_EQ(test, mapped_size(REGION), (u64)LOOM_HUGE_SIZE);
	KUNIT_ASSERT_EQ(test, unmap(REGION, LOOM_HUGE_SIZE), 0);
	KUNIT_ASSERT_EQ(test, map(REGION + 0x5000, 0x1000, LOOM_KIND_SYSTEM,
				  0x9000, false), 0);
	KUNIT_EXPECT_EQ(test, translate(REGION), ~0ull);
	KUNIT_EXPECT_EQ(test, translate(REGION + 0x5000), 0x9000ull);
}

static void a_range_may_cross_tables_of_every_level(struct kunit *test)
{
	u64 va = LAST_OF_TABLE + LOOM_HUGE_SIZE - 0x1000;

	KUNIT_ASSERT_EQ(test, map(va, LOOM_HUGE_SIZE + 0x2000, LOOM_KIND_SYSTEM,
				  LOOM_HUGE_SIZE - 0x1000, false), 0);
	KUNIT_EXPECT_EQ(test, mapped_size(va), (u64)LOOM_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, mapped_size(va + 0x1000), (u64)LOOM_HUGE_SIZE);
	KUNIT_EXPECT_EQ(test, mapped_size(va + LOOM_HUGE_SIZE + 0x1000),
			(u64)LOOM_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, translate(va + LOOM_HUGE_SIZE + 0x1fff),
			2ull * LOOM_HUGE_SIZE + 0xfff);
	KUNIT_EXPECT_EQ(test, translate(va + LOOM_HUGE_SIZE + 0x2000), ~0ull);
}

static void the_last_page_of_the_space_can_be_mapped(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, map(LOOM_VA_END - 0x1000, 0x1000, LOOM_KIND_SYSTEM,
				  0x6000, false), 0);
	KUNIT_EXPECT_EQ(test, translate(LOOM_VA_END - 1), 0x6fffull);
}

/* It must be quick, too: it looks at tables that exist. */
static void all_of_the_space_can_be_unmapped(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, map(REGION, 0x1000, LOOM_KIND_SYSTEM, 0x6000, false), 0);
	KUNIT_ASSERT_EQ(test, unmap(LOOM_VA_START, LOOM_VA_END - LOOM_VA_START), 0);
	KUNIT_EXPECT_EQ(test, translate(REGION), ~0ull);
}

static void tables_do_not_overlap_what_they_map_in_hbm(struct kunit *test)
{
	struct loom_bo *bo;
	int error;

	bo = fake_bo_create(card, SZ_1M, 0, &error);
	KUNIT_ASSERT_NOT_NULL(test, bo);
	error = map(REGION, SZ_1M, LOOM_KIND_HBM,
		    loom_hbm_offset(&card->hbm, bo->ttm.resource, 0), false);
	KUNIT_EXPECT_EQ(test, error, 0);
	loom_hbm_clear(&card->hbm, bo->ttm.resource);
	KUNIT_EXPECT_EQ(test, translate(REGION + SZ_1M - 1),
			loom_hbm_offset(&card->hbm, bo->ttm.resource, SZ_1M - 1));
	fake_bo_destroy(bo);
}

/* 16 tables are in a chunk; with three for each region the second is needed. */
static void without_memory_a_map_fails_and_changes_nothing(struct kunit *test)
{
	unsigned int i;
	int ret = 0;

	fake_calls.no_memory = true;
	for (i = 0; !ret && i < 8; i++)
		ret = map((u64)(i + 1) << 39, 0x1000, LOOM_KIND_SYSTEM, 0x6000, false);
	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	KUNIT_EXPECT_EQ(test, i, 6u);
	KUNIT_EXPECT_EQ(test, translate(5ull << 39), 0x6000ull);
	KUNIT_EXPECT_EQ(test, translate(6ull << 39), ~0ull);
	fake_calls.no_memory = false;
	KUNIT_EXPECT_EQ(test, map(6ull << 39, 0x1000, LOOM_KIND_SYSTEM, 0x6000, false),
			0);
	KUNIT_EXPECT_EQ(test, translate(6ull << 39), 0x6000ull);
}

static struct kunit_case loom_mmu_cases[] = {
	KUNIT_CASE(nothing_is_mapped_at_first),
	KUNIT_CASE(a_page_is_mapped_and_its_neighbours_are_not),
	KUNIT_CASE(kind_and_rights_reach_the_entry),
	KUNIT_CASE(an_aligned_2_mib_is_one_page),
	KUNIT_CASE(memory_that_is_not_aligned_takes_small_pages),
	KUNIT_CASE(a_huge_page_in_two_pieces_takes_small_pages),
	KUNIT_CASE(a_hole_in_a_huge_page_leaves_the_rest),
	KUNIT_CASE(a_region_is_huge_small_and_huge_again),
	KUNIT_CASE(a_range_may_cross_tables_of_every_level),
	KUNIT_CASE(the_last_page_of_the_space_can_be_mapped),
	KUNIT_CASE(all_of_the_space_can_be_unmapped),
	KUNIT_CASE(tables_do_not_overlap_what_they_map_in_hbm),
	KUNIT_CASE(without_memory_a_map_fails_and_changes_nothing),
	{ }
};

struct kunit_suite loom_mmu_suite = {
	.name = "loom_mmu",
	.init = mmu_test_init,
	.exit = mmu_test_exit,
	.test_cases = loom_mmu_cases,
};
