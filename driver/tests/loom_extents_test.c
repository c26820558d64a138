// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where memory is: pieces of system memory and of HBM, and the position in them.
 */
#include "../loom_extents.c"

#include "loom_fake.h"
#include "loom_suites.h"

/* Pages 0, 1, 2 are neighbours, and so are 3 and 4. */
static const struct loom_extent segments[] = {
	{ 0x10000, 0x1000 }, { 0x11000, 0x2000 }, { 0x90000, 0x2000 }, { 0x5000, 0x1000 },
};

static struct ttm_resource system_memory = { .mem_type = TTM_PL_TT };

static struct loom_extents *extents_of_pages(u64 first, u64 num)
{
	struct scatterlist list[ARRAY_SIZE(segments)];
	struct sg_table sgt = { .sgl = list, .nents = ARRAY_SIZE(list) };
	struct ttm_tt tt = { .sg = &sgt };
	struct scatterlist *sg;
	int i;

	sg_init_table(list, ARRAY_SIZE(list));
	for_each_sgtable_dma_sg(&sgt, sg, i) {
		sg_dma_address(sg) = segments[i].addr;
		sg_dma_len(sg) = segments[i].size;
	}
	return loom_extents_of(NULL, &system_memory, &tt, first << PAGE_SHIFT,
			       num << PAGE_SHIFT);
}

static void neighbours_on_the_bus_are_one_piece(struct kunit *test)
{
	struct loom_extents *x = extents_of_pages(0, 6);

	KUNIT_ASSERT_EQ(test, IS_ERR(x), false);
	KUNIT_EXPECT_EQ(test, x->kind, LOOM_KIND_SYSTEM);
	KUNIT_EXPECT_EQ(test, x->num, 3u);
	KUNIT_EXPECT_EQ(test, x->extent[0].size, 0x3000ull);
	KUNIT_EXPECT_EQ(test, x->extent[1].addr, 0x90000ull);
	KUNIT_EXPECT_EQ(test, x->extent[2].addr, 0x5000ull);
	loom_extents_free(x);
}

static void a_part_begins_and_ends_inside_pieces(struct kunit *test)
{
	struct loom_extents *x = extents_of_pages(1, 3);

	KUNIT_ASSERT_EQ(test, IS_ERR(x), false);
	KUNIT_EXPECT_EQ(test, x->num, 2u);
	KUNIT_EXPECT_EQ(test, x->extent[0].addr, 0x11000ull);
	KUNIT_EXPECT_EQ(test, x->extent[0].size, 0x2000ull);
	KUNIT_EXPECT_EQ(test, x->extent[1].addr, 0x90000ull);
	KUNIT_EXPECT_EQ(test, x->extent[1].size, 0x1000ull);
	loom_extents_free(x);
}

static void sram_is_one_piece(struct kunit *test)
{
	struct loom_extents *x = loom_extents_of_sram(0x2000, 0x4000);

	KUNIT_ASSERT_EQ(test, IS_ERR(x), false);
	KUNIT_EXPECT_EQ(test, x->kind, LOOM_KIND_SRAM);
	KUNIT_EXPECT_EQ(test, x->num, 1u);
	KUNIT_EXPECT_EQ(test, x->extent[0].addr, 0x2000ull);
	KUNIT_EXPECT_EQ(test, x->extent[0].size, 0x4000ull);
	loom_extents_free(x);
}

/* Every page of a part of an object in HBM is where the allocator put it. */
static void check_hbm_part(struct kunit *test, struct loom_device *card,
			   struct loom_bo *bo)
{
	struct loom_extents *x;
	struct loom_cursor c;
	u64 pos;

	x = loom_extents_of(card, bo->ttm.resource, NULL, 3 * PAGE_SIZE,
			    9 * PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, IS_ERR(x), false);
	KUNIT_EXPECT_EQ(test, x->kind, LOOM_KIND_HBM);
	loom_cursor_init(&c, x);
	for (pos = 3 * PAGE_SIZE; pos < 12 * PAGE_SIZE; pos += PAGE_SIZE) {
		KUNIT_EXPECT_EQ(test, loom_cursor_addr(&c),
				loom_hbm_offset(&card->hbm, bo->ttm.resource, pos));
		loom_cursor_advance(&c, PAGE_SIZE);
	}
	KUNIT_EXPECT_FALSE(test, loom_cursor_is_run(&c, PAGE_SIZE));
	loom_extents_free(x);
}

static void a_part_of_hbm_is_where_the_allocator_put_it(struct kunit *test)
{
	struct loom_device *card = fake_card_create();
	struct loom_bo *bo;
	int error;

	KUNIT_ASSERT_NOT_NULL(test, card);
	/* 13 pages: blocks of 8, 4 and 1. */
	bo = fake_bo_create(card, 13 * PAGE_SIZE, 0, &error);
	KUNIT_EXPECT_EQ(test, error, 0);
	if (bo)
		check_hbm_part(test, card, bo);
	fake_bo_destroy(bo);
	fake_card_destroy(card);
}

static void a_position_moves_from_piece_to_piece(struct kunit *test)
{
	struct loom_extents *x = extents_of_pages(0, 6);
	struct loom_cursor c;

	KUNIT_ASSERT_EQ(test, IS_ERR(x), false);
	loom_cursor_init(&c, x);
	KUNIT_EXPECT_TRUE(test, loom_cursor_is_run(&c, 0x3000));
	KUNIT_EXPECT_FALSE(test, loom_cursor_is_run(&c, 0x4000));
	loom_cursor_advance(&c, 0x2000);
	KUNIT_EXPECT_EQ(test, loom_cursor_addr(&c), 0x12000ull);
	loom_cursor_advance(&c, 0x2000);
	KUNIT_EXPECT_EQ(test, loom_cursor_addr(&c), 0x91000ull);
	loom_extents_free(x);
}

static void a_position_stops_at_the_end(struct kunit *test)
{
	struct loom_extents *x = extents_of_pages(0, 6);
	struct loom_cursor c;

	KUNIT_ASSERT_EQ(test, IS_ERR(x), false);
	loom_cursor_init(&c, x);
	loom_cursor_advance(&c, 0x6000);
	KUNIT_EXPECT_EQ(test, loom_cursor_addr(&c), 0ull);
	KUNIT_EXPECT_FALSE(test, loom_cursor_is_run(&c, 0x1000));
	loom_cursor_advance(&c, 0x1000);
	KUNIT_EXPECT_EQ(test, loom_cursor_addr(&c), 0ull);
	loom_extents_free(x);
}

static struct kunit_case loom_extents_cases[] = {
	KUNIT_CASE(neighbours_on_the_bus_are_one_piece),
	KUNIT_CASE(a_part_begins_and_ends_inside_pieces),
	KUNIT_CASE(sram_is_one_piece),
	KUNIT_CASE(a_part_of_hbm_is_where_the_allocator_put_it),
	KUNIT_CASE(a_position_moves_from_piece_to_piece),
	KUNIT_CASE(a_position_stops_at_the_end),
	{ }
};

struct kunit_suite loom_extents_suite = {
	.name = "loom_extents",
	.test_cases = loom_extents_cases,
};
