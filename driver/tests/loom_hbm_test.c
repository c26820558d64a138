// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The allocator of HBM: where objects go, what happens when it is full or in
 * pieces, pages that are retired.
 */
#include "../loom_hbm.c"

#include "loom_fake.h"
#include "loom_suites.h"

#define PIECE	SZ_1M
#define PIECES	(FAKE_HBM_SIZE / PIECE)

void fake_hbm_set_funcs(struct loom_hbm *hbm)
{
	hbm->manager.func = &loom_hbm_funcs;
}

static struct loom_device *card;
static struct loom_hbm *hbm;

static int hbm_test_init(struct kunit *test)
{
	card = fake_card_create();
	if (!card)
		return -ENOMEM;
	hbm = &card->hbm;
	return 0;
}

static void hbm_test_exit(struct kunit *test)
{
	if (card)
		loom_hbm_free_retired(hbm);
	fake_card_destroy(card);
	card = NULL;
}

static struct loom_bo *create(u64 size)
{
	int error;

	return fake_bo_create(card, size, 0, &error);
}

static u64 offset_of(struct loom_bo *bo, u64 pos)
{
	return loom_hbm_offset(hbm, bo->ttm.resource, pos);
}

static bool has(struct loom_bo *bo, u64 page)
{
	return loom_hbm_resource_has(hbm, to_loom_hbm_resource(bo->ttm.resource),
				     page);
}

static unsigned int count_blocks(struct loom_bo *bo)
{
	return list_count_nodes(&to_loom_hbm_resource(bo->ttm.resource)->blocks);
}

static void destroy_all(struct loom_bo **bo, unsigned int num)
{
	while (num--)
		fake_bo_destroy(bo[num]);
}

/* Fill HBM with pieces. */
static void fill(struct kunit *test, struct loom_bo **bo)
{
	unsigned int i;

	for (i = 0; i < PIECES; i++)
		bo[i] = create(PIECE);
	KUNIT_EXPECT_EQ(test, loom_hbm_avail(hbm), 0ull);
}

/* Free the pieces at every second place. */
static void make_holes(struct loom_bo **bo)
{
	unsigned int i;

	for (i = 0; i < PIECES; i++) {
		if (offset_of(bo[i], 0) / PIECE % 2) {
			fake_bo_destroy(bo[i]);
			bo[i] = NULL;
		}
	}
}

static void what_is_freed_is_free(struct kunit *test)
{
	struct loom_bo *bo = create(PIECE);

	KUNIT_ASSERT_NOT_NULL(test, bo);
	KUNIT_EXPECT_EQ(test, loom_hbm_avail(hbm), (u64)FAKE_HBM_SIZE - PIECE);
	fake_bo_destroy(bo);
	KUNIT_EXPECT_EQ(test, loom_hbm_avail(hbm), (u64)FAKE_HBM_SIZE);
	KUNIT_EXPECT_EQ(test, hbm->frees, 1u);
	KUNIT_EXPECT_TRUE(test, list_empty(&hbm->resources));
}

static void all_of_hbm_can_be_one_object(struct kunit *test)
{
	struct loom_bo *bo = create(FAKE_HBM_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, bo);
	KUNIT_EXPECT_EQ(test, loom_hbm_avail(hbm), 0ull);
	KUNIT_EXPECT_EQ(test, offset_of(bo, FAKE_HBM_SIZE - 1),
			(u64)FAKE_HBM_SIZE - 1);
	fake_bo_destroy(bo);
}

static void an_odd_size_costs_its_pages_only(struct kunit *test)
{
	struct loom_bo *bo = create(7 * PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, bo);
	KUNIT_EXPECT_EQ(test, loom_hbm_avail(hbm),
			(u64)FAKE_HBM_SIZE - 7 * PAGE_SIZE);
	fake_bo_destroy(bo);
}

static void a_full_hbm_says_enospc_and_loses_nothing(struct kunit *test)
{
	struct loom_bo *bo[PIECES];
	int error = 0;

	fill(test, bo);
	KUNIT_EXPECT_PTR_EQ(test, fake_bo_create(card, PAGE_SIZE, 0, &error), NULL);
	KUNIT_EXPECT_EQ(test, error, -ENOSPC);
	destroy_all(bo, PIECES);
	KUNIT_EXPECT_EQ(test, loom_hbm_avail(hbm), (u64)FAKE_HBM_SIZE);
}

static void objects_do_not_overlap(struct kunit *test)
{
	struct loom_bo *bo[PIECES];
	unsigned int seen = 0;
	unsigned int i;

	fill(test, bo);
	for (i = 0; i < PIECES; i++)
		seen |= 1u << (offset_of(bo[i], 0) / PIECE);
	KUNIT_EXPECT_EQ(test, seen, (1u << PIECES) - 1);
	destroy_all(bo, PIECES);
}

static void an_object_is_one_piece_while_there_is_one(struct kunit *test)
{
	struct loom_bo *bo = create(4 * PIECE);

	KUNIT_ASSERT_NOT_NULL(test, bo);
	KUNIT_EXPECT_EQ(test, count_blocks(bo), 1u);
	fake_bo_destroy(bo);
}

static void holes_make_up_an_object(struct kunit *test)
{
	struct loom_bo *bo[PIECES], *large;
	unsigned int seen = 0;
	unsigned int i;

	fill(test, bo);
	make_holes(bo);
	large = create(FAKE_HBM_SIZE / 2);
	if (large) {
		KUNIT_EXPECT_EQ(test, count_blocks(large), PIECES / 2u);
		for (i = 0; i < PIECES / 2; i++)
			seen |= 1u << (offset_of(large, i * PIECE) / PIECE);
		KUNIT_EXPECT_EQ(test, seen, 0xaaaau);
	}
	KUNIT_EXPECT_TRUE(test, large);
	fake_bo_destroy(large);
	destroy_all(bo, PIECES);
}

static void an_end_is_kept(struct kunit *test)
{
	struct loom_bo *low, *none;
	int error;

	low = fake_bo_create(card, PIECE, PIECE, &error);
	KUNIT_ASSERT_NOT_NULL(test, low);
	KUNIT_EXPECT_EQ(test, offset_of(low, 0), 0ull);
	none = fake_bo_create(card, PAGE_SIZE, PIECE, &error);
	KUNIT_EXPECT_PTR_EQ(test, none, NULL);
	KUNIT_EXPECT_EQ(test, error, -ENOSPC);
	fake_bo_destroy(low);
}

static void an_object_is_visible_if_all_of_it_is(struct kunit *test)
{
	struct loom_bo *bo = create(4 * PIECE);
	u64 start;

	KUNIT_ASSERT_NOT_NULL(test, bo);
	start = offset_of(bo, 0);
	hbm->visible = start + 4 * PIECE;
	KUNIT_EXPECT_TRUE(test, loom_hbm_is_visible(hbm, bo->ttm.resource));
	hbm->visible = start + 4 * PIECE - PAGE_SIZE;
	KUNIT_EXPECT_FALSE(test, loom_hbm_is_visible(hbm, bo->ttm.resource));
	fake_bo_destroy(bo);
}

/* Who needs the first half gains nothing from what is behind it. */
static void eviction_takes_what_helps(struct kunit *test)
{
	const struct ttm_place place = { .lpfn = FAKE_HBM_SIZE / 2 >> PAGE_SHIFT };
	struct loom_bo *bo[PIECES];
	unsigned int i;

	fill(test, bo);
	for (i = 0; i < PIECES; i++)
		KUNIT_EXPECT_EQ(test,
				loom_hbm_intersects(&hbm->manager,
						    bo[i]->ttm.resource, &place, 0),
				offset_of(bo[i], 0) < FAKE_HBM_SIZE / 2);
	destroy_all(bo, PIECES);
}

static void clearing_clears_the_object_only(struct kunit *test)
{
	struct loom_bo *bo = create(PIECE);
	u8 *cpu = (u8 __force *)hbm->cpu;
	u64 start;

	KUNIT_ASSERT_NOT_NULL(test, bo);
	start = offset_of(bo, 0);
	memset(cpu, 0x5a, FAKE_HBM_SIZE);
	loom_hbm_clear(hbm, bo->ttm.resource);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(cpu + start, 0, PIECE), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(cpu, 0x5a, start), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(cpu + start + PIECE, 0x5a,
					     FAKE_HBM_SIZE - start - PIECE), NULL);
	fake_bo_destroy(bo);
}

static void a_retired_page_is_given_to_nobody(struct kunit *test)
{
	struct loom_bo *bo[PIECES], *owner = NULL;
	unsigned int i, missing = 0;

	KUNIT_EXPECT_EQ(test, loom_hbm_retire(hbm, 5 * PIECE, &owner), 0);
	KUNIT_EXPECT_PTR_EQ(test, owner, NULL);
	KUNIT_EXPECT_EQ(test, loom_hbm_avail(hbm), (u64)FAKE_HBM_SIZE - PAGE_SIZE);
	for (i = 0; i < PIECES; i++) {
		bo[i] = create(PIECE);
		missing += !bo[i];
		KUNIT_EXPECT_FALSE(test, bo[i] && has(bo[i], 5 * PIECE));
	}
	KUNIT_EXPECT_EQ(test, missing, 1u);
	destroy_all(bo, PIECES);
}

static void a_page_in_use_is_retired_when_it_is_freed(struct kunit *test)
{
	struct loom_bo *owner = NULL, *bo = create(PIECE);
	u64 page;

	KUNIT_ASSERT_NOT_NULL(test, bo);
	page = offset_of(bo, 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, loom_hbm_retire(hbm, page, &owner), 0);
	KUNIT_EXPECT_PTR_EQ(test, owner, bo);
	KUNIT_EXPECT_TRUE(test, loom_hbm_list_has(&hbm->retiring, page));
	fake_bo_destroy(bo);
	KUNIT_EXPECT_TRUE(test, loom_hbm_list_has(&hbm->retired, page));
	KUNIT_EXPECT_TRUE(test, list_empty(&hbm->retiring));
	KUNIT_EXPECT_EQ(test, loom_hbm_avail(hbm), (u64)FAKE_HBM_SIZE - PAGE_SIZE);
}

static void a_page_is_retired_once(struct kunit *test)
{
	struct loom_bo *owner = NULL;

	KUNIT_EXPECT_EQ(test, loom_hbm_retire(hbm, 0, &owner), 0);
	KUNIT_EXPECT_EQ(test, loom_hbm_retire(hbm, 0, &owner), -EEXIST);
	KUNIT_EXPECT_EQ(test, loom_hbm_avail(hbm), (u64)FAKE_HBM_SIZE - PAGE_SIZE);
}

static void a_page_beyond_hbm_is_refused(struct kunit *test)
{
	struct loom_bo *owner = NULL;

	KUNIT_EXPECT_EQ(test, loom_hbm_retire(hbm, FAKE_HBM_SIZE, &owner), -ERANGE);
	KUNIT_EXPECT_EQ(test, loom_hbm_retire(hbm, ~0ull << PAGE_SHIFT, &owner),
			-ERANGE);
}

static struct kunit_case loom_hbm_cases[] = {
	KUNIT_CASE(what_is_freed_is_free),
	KUNIT_CASE(all_of_hbm_can_be_one_object),
	KUNIT_CASE(an_odd_size_costs_its_pages_only),
	KUNIT_CASE(a_full_hbm_says_enospc_and_loses_nothing),
	KUNIT_CASE(objects_do_not_overlap),
	KUNIT_CASE(an_object_is_one_piece_while_there_is_one),
	KUNIT_CASE(holes_make_up_an_object),
	KUNIT_CASE(an_end_is_kept),
	KUNIT_CASE(an_object_is_visible_if_all_of_it_is),
	KUNIT_CASE(eviction_takes_what_helps),
	KUNIT_CASE(clearing_clears_the_object_only),
	KUNIT_CASE(a_retired_page_is_given_to_nobody),
	KUNIT_CASE(a_page_in_use_is_retired_when_it_is_freed),
	KUNIT_CASE(a_page_is_retired_once),
	KUNIT_CASE(a_page_beyond_hbm_is_refused),
	{ }
};

struct kunit_suite loom_hbm_suite = {
	.name = "loom_hbm",
	.init = hbm_test_init,
	.exit = hbm_test_exit,
	.test_cases = loom_hbm_cases,
};
