// SPDX-License-Identifier: MIT
/*
 * DOC: Translation, memory access, isolation
 *
 * Calls loom_mem_*() as an engine would, on the job slot of queue 0.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"
#include "core_internal.h"

#define PAGE	((uint64_t)LOOM_PAGE_SIZE)
#define VA	0x123456000ull		/* nothing there at first */

static struct t_card *card;
static struct loom_exec *ex;

static void setup(void)
{
	card = t_card_create(NULL);
	ex = &card->core->queue[0].exec;
}

static void teardown(void)
{
	t_card_destroy(card);
}

/* The error of reading one byte. */
static uint32_t probe_read(uint64_t va)
{
	uint8_t byte;

	memset(&ex->fault, 0, sizeof(ex->fault));
	if (!loom_mem_read(ex, va, &byte, 1))
		return LOOM_ERR_NONE;
	ck_assert_uint_eq(ex->fault.access, LOOM_ACCESS_READ);
	ck_assert_uint_eq(ex->fault.addr, va);
	return ex->fault.error;
}

/* Writes back what is there, so it changes nothing. */
static uint32_t probe_write(uint64_t va, uint8_t byte)
{
	memset(&ex->fault, 0, sizeof(ex->fault));
	if (!loom_mem_write(ex, va, &byte, 1))
		return LOOM_ERR_NONE;
	ck_assert_uint_eq(ex->fault.access, LOOM_ACCESS_WRITE);
	ck_assert_uint_eq(ex->fault.addr, va);
	return ex->fault.error;
}

static void fill_random(uint8_t *p, size_t len)
{
	while (len--)
		*p++ = rand();
}

/* Access ------------------------------------------------------------------ */

START_TEST(test_access_across_scattered_pages)
{
	uint64_t phys = t_hbm_alloc(card, 4 * PAGE);
	static uint8_t in[3 * 4096], out[3 * 4096];

	t_map(card, T_CTX, VA, LOOM_KIND_HBM, phys + 2 * PAGE, PAGE, true);
	t_map(card, T_CTX, VA + PAGE, LOOM_KIND_HBM, phys, PAGE, true);
	t_map(card, T_CTX, VA + 2 * PAGE, LOOM_KIND_HBM, phys + 3 * PAGE, PAGE,
	      true);
	fill_random(in, sizeof(in));
	ck_assert_int_eq(loom_mem_write(ex, VA + 5, in, 3 * PAGE - 10), 0);
	ck_assert_int_eq(loom_mem_read(ex, VA + 5, out, 3 * PAGE - 10), 0);
	ck_assert_mem_eq(in, out, 3 * PAGE - 10);
	ck_assert_mem_eq(card->hbm + phys + 2 * PAGE + 5, in, PAGE - 5);
	ck_assert_mem_eq(card->hbm + phys, in + PAGE - 5, PAGE);
	ck_assert_ptr_null(loom_mem_map(ex, VA, 2 * PAGE, LOOM_ACCESS_READ));
	ck_assert_ptr_eq(loom_mem_map(ex, VA + 9, PAGE - 9, LOOM_ACCESS_READ),
			 card->hbm + phys + 2 * PAGE + 9);
	ck_assert_uint_eq(ex->fault.error, LOOM_ERR_NONE);
}
END_TEST

START_TEST(test_access_across_memory_kinds)
{
	uint64_t sys = t_sys_alloc(card, PAGE), hbm = t_hbm_alloc(card, PAGE);
	static uint8_t in[3 * 4096], out[3 * 4096];

	t_map(card, T_CTX, VA, LOOM_KIND_SYSTEM, sys, PAGE, true);
	t_map(card, T_CTX, VA + PAGE, LOOM_KIND_HBM, hbm, PAGE, true);
	t_map(card, T_CTX, VA + 2 * PAGE, LOOM_KIND_SRAM, 0, PAGE, true);
	fill_random(in, sizeof(in));
	ck_assert_int_eq(loom_mem_write(ex, VA, in, sizeof(in)), 0);
	ck_assert_int_eq(loom_mem_read(ex, VA, out, sizeof(out)), 0);
	ck_assert_mem_eq(in, out, sizeof(in));
	ck_assert_mem_eq(t_sys_ptr(card, sys), in, PAGE);
	ck_assert_mem_eq(card->hbm + hbm, in + PAGE, PAGE);
	ck_assert_ptr_null(loom_mem_map(ex, VA, PAGE, LOOM_ACCESS_READ));
	ck_assert_ptr_null(loom_mem_map(ex, VA + PAGE, 2 * PAGE,
					LOOM_ACCESS_READ));
	ck_assert_ptr_nonnull(loom_mem_map(ex, VA + 2 * PAGE, PAGE,
					   LOOM_ACCESS_WRITE));
}
END_TEST

START_TEST(test_huge_page_maps_2_mib)
{
	uint64_t va = 0x40000000;

	t_map_huge(card, T_CTX, va, LOOM_KIND_HBM, 4 << 20, 4 << 20, false);
	ck_assert_ptr_eq(loom_mem_map(ex, va + 100, (4 << 20) - 100,
				      LOOM_ACCESS_READ),
			 card->hbm + (4 << 20) + 100);
	ck_assert_ptr_null(loom_mem_map(ex, va, (4 << 20) + 1,
					LOOM_ACCESS_READ));
	ck_assert_uint_eq(probe_read(va + (4 << 20) - 1), LOOM_ERR_NONE);
	ck_assert_uint_eq(probe_read(va + (4 << 20)), LOOM_ERR_FAULT_UNMAPPED);
	ck_assert_uint_eq(probe_write(va, 0), LOOM_ERR_FAULT_PERM);
}
END_TEST

START_TEST(test_read_only_page_takes_no_writes)
{
	uint64_t phys = t_hbm_alloc(card, PAGE);

	t_map(card, T_CTX, VA, LOOM_KIND_HBM, phys, PAGE, false);
	ck_assert_uint_eq(probe_read(VA), LOOM_ERR_NONE);
	ck_assert_uint_eq(probe_write(VA + 7, 1), LOOM_ERR_FAULT_PERM);
	ck_assert_uint_eq(card->hbm[phys + 7], 0);
	ck_assert_ptr_null(loom_mem_map(ex, VA, PAGE, LOOM_ACCESS_WRITE));
	ck_assert_ptr_nonnull(loom_mem_map(ex, VA, PAGE, LOOM_ACCESS_READ));
}
END_TEST

START_TEST(test_fault_names_the_first_byte_that_failed)
{
	uint64_t va = t_hbm_alloc(card, 2 * PAGE);
	static uint8_t buf[4 * 4096];

	ck_assert_int_eq(loom_mem_write(ex, va + 8, buf, 3 * PAGE), -1);
	ck_assert_uint_eq(ex->fault.error, LOOM_ERR_FAULT_UNMAPPED);
	ck_assert_uint_eq(ex->fault.addr, va + 2 * PAGE);
	ck_assert_uint_eq(ex->fault.access, LOOM_ACCESS_WRITE);
	/* The first fault stays. */
	ck_assert_int_eq(loom_mem_read(ex, VA, buf, 1), -1);
	ck_assert_uint_eq(ex->fault.addr, va + 2 * PAGE);
}
END_TEST

START_TEST(test_range_must_stay_below_2_to_the_48)
{
	static const struct { uint64_t va, len; } bad[] = {
		{ 1ull << 48, 1 }, { (1ull << 48) - 1, 2 }, { ~0ull, 1 },
		{ ~0ull, 2 }, { 0, (1ull << 48) + 1 }, { 1, ~0ull },
	};
	uint8_t buf[2];

	ck_assert_int_eq(loom_mem_read(ex, bad[_i].va, buf, bad[_i].len), -1);
	ck_assert_uint_eq(ex->fault.error, LOOM_ERR_CMD_RANGE);
	memset(&ex->fault, 0, sizeof(ex->fault));
	ck_assert_int_eq(loom_mem_write(ex, bad[_i].va, buf, bad[_i].len), -1);
	ck_assert_uint_eq(ex->fault.error, LOOM_ERR_CMD_RANGE);
	ck_assert_ptr_null(loom_mem_map(ex, bad[_i].va, bad[_i].len,
					LOOM_ACCESS_READ));
	ck_assert_int_eq(loom_mmu_kind(ex, bad[_i].va) >= 0, 0);
}
END_TEST

START_TEST(test_nothing_is_touched_for_no_bytes)
{
	ck_assert_int_eq(loom_mem_read(ex, VA, NULL, 0), 0);
	ck_assert_int_eq(loom_mem_write(ex, VA, NULL, 0), 0);
	ck_assert_ptr_null(loom_mem_map(ex, VA, 0, LOOM_ACCESS_READ));
}
END_TEST

START_TEST(test_system_memory_that_does_not_answer)
{
	t_map(card, T_CTX, VA, LOOM_KIND_SYSTEM, 0xfee00000, PAGE, true);
	ck_assert_uint_eq(probe_read(VA), LOOM_ERR_DMA);
	ck_assert_uint_eq(probe_write(VA, 1), LOOM_ERR_DMA);
	t_map(card, T_CTX, VA, LOOM_KIND_SYSTEM, t_sys_alloc(card, PAGE), PAGE,
	      true);
	t_invalidate(card, T_CTX);
	ck_assert_uint_eq(probe_read(VA), LOOM_ERR_NONE);
	loom_core_set_bus_master(card->core, false);
	ck_assert_uint_eq(probe_read(VA), LOOM_ERR_DMA);
}
END_TEST

START_TEST(test_writes_mark_hbm_dirty)
{
	uint64_t va = t_hbm_alloc(card, 4 * PAGE);
	uint8_t buf[100] = { 0 };

	atomic_store(&card->dirty_bytes, 0);
	loom_mem_write(ex, va, buf, 100);
	ck_assert_uint_eq(atomic_load(&card->dirty_bytes), 100);
	loom_mem_map(ex, va, 3 * PAGE, LOOM_ACCESS_WRITE);
	ck_assert_uint_eq(atomic_load(&card->dirty_bytes), 100 + 3 * PAGE);
	loom_mem_read(ex, va, buf, 100);
	loom_mem_map(ex, va, PAGE, LOOM_ACCESS_READ);
	ck_assert_uint_eq(atomic_load(&card->dirty_bytes), 100 + 3 * PAGE);
	/* And when the command that may have written is over. */
	loom_mmu_unpin(ex);
	ck_assert_uint_eq(atomic_load(&card->dirty_bytes), 100 + 6 * PAGE);
}
END_TEST

START_TEST(test_traffic_goes_to_the_memory_behind_the_address)
{
	uint64_t hbm = t_hbm_alloc(card, PAGE);

	t_map(card, T_CTX, VA, LOOM_KIND_SYSTEM, T_SYS_BASE, PAGE, false);
	t_map(card, T_CTX, VA + PAGE, LOOM_KIND_SRAM, 0, PAGE, false);
	memset(&ex->cost, 0, sizeof(ex->cost));
	loom_mem_traffic(ex, hbm, 1, LOOM_ACCESS_READ);
	loom_mem_traffic(ex, hbm, 20, LOOM_ACCESS_WRITE);
	loom_mem_traffic(ex, VA, 300, LOOM_ACCESS_READ);
	loom_mem_traffic(ex, VA, 4000, LOOM_ACCESS_WRITE);
	loom_mem_traffic(ex, VA + PAGE, 50000, LOOM_ACCESS_READ);
	loom_mem_traffic(ex, VA + 2 * PAGE, 600000, LOOM_ACCESS_READ);
	ck_assert_uint_eq(ex->cost.hbm_rd, 1);
	ck_assert_uint_eq(ex->cost.hbm_wr, 20);
	ck_assert_uint_eq(ex->cost.pcie_rd, 300);
	ck_assert_uint_eq(ex->cost.pcie_wr, 4000);
	ck_assert_uint_eq(ex->fault.error, LOOM_ERR_NONE);
}
END_TEST

/* Was a memcpy() that the guest could make overlap (found by fuzzing). */
START_TEST(test_buffer_may_overlap_the_memory_accessed)
{
	uint64_t va = t_hbm_alloc(card, PAGE);
	uint8_t *p = t_ptr(card, va);
	unsigned int i;

	for (i = 0; i < 200; i++)
		p[i] = i;
	ck_assert_int_eq(loom_mem_read(ex, va, p + 8, 100), 0);
	ck_assert_uint_eq(p[8], 0);
	ck_assert_uint_eq(p[107], 99);
	ck_assert_int_eq(loom_mem_write(ex, va, p + 8, 100), 0);
	ck_assert_uint_eq(p[99], 99);
}
END_TEST

START_TEST(test_aborted_access_stops)
{
	uint64_t va = t_hbm_alloc(card, PAGE);
	uint8_t byte = 1;

	atomic_store(&ex->abort, LOOM_ABORT_DROP);
	ck_assert_int_eq(loom_mem_write(ex, va, &byte, 1), -1);
	ck_assert_uint_eq(ex->fault.error, LOOM_ERR_ABORTED);
	ck_assert_uint_eq(card->hbm[va], 0);
}
END_TEST

START_TEST(test_pointers_are_limited_but_access_is_not)
{
	uint64_t va = t_hbm_alloc(card, 2 * PAGE);
	unsigned int i = 0;
	uint8_t byte;

	while (loom_mem_map(ex, va + i % 2 * PAGE, 8, LOOM_ACCESS_READ))
		i++;
	ck_assert_uint_eq(i, LOOM_MAX_PINS);
	ck_assert_int_eq(loom_mem_read(ex, va, &byte, 1), 0);
	loom_mmu_unpin(ex);
	ck_assert_ptr_nonnull(loom_mem_map(ex, va, 8, LOOM_ACCESS_READ));
}
END_TEST

/* Malformed tables --------------------------------------------------------- */

static const struct {
	unsigned int level;
	uint64_t pte;
	uint32_t error;
} bad_pte[] = {
#define V	LOOM_PTE_VALID
#define KIND(k)	((uint64_t)(k) << LOOM_PTE_KIND_SHIFT)
	{ 3, 0, LOOM_ERR_FAULT_UNMAPPED },
	{ 3, ~V, LOOM_ERR_FAULT_UNMAPPED },
	{ 3, V | LOOM_PTE_LEAF, LOOM_ERR_FAULT_PTE },
	{ 3, V | 1ull << 52, LOOM_ERR_FAULT_PTE },
	{ 3, V | 1ull << 3, LOOM_ERR_FAULT_PTE },
	{ 3, V | KIND(LOOM_KIND_SRAM), LOOM_ERR_FAULT_PTE },
	{ 3, V | KIND(LOOM_KIND_SYSTEM), LOOM_ERR_FAULT_PTE },
	{ 3, V | 64ull << 20, LOOM_ERR_FAULT_PTE },
	{ 3, V | LOOM_PTE_ADDR, LOOM_ERR_FAULT_PTE },
	{ 2, 0, LOOM_ERR_FAULT_UNMAPPED },
	{ 2, V | LOOM_PTE_LEAF, LOOM_ERR_FAULT_PTE },
	{ 2, V | 1ull << 63, LOOM_ERR_FAULT_PTE },
	{ 2, V | 64ull << 20, LOOM_ERR_FAULT_PTE },
	{ 1, 0, LOOM_ERR_FAULT_UNMAPPED },
	{ 1, V | 1ull << 7, LOOM_ERR_FAULT_PTE },
	{ 1, V | KIND(LOOM_KIND_SYSTEM), LOOM_ERR_FAULT_PTE },
	{ 1, V | 64ull << 20, LOOM_ERR_FAULT_PTE },
	{ 1, V | LOOM_PTE_LEAF | 1 << 12, LOOM_ERR_FAULT_PTE },
	{ 1, V | LOOM_PTE_LEAF | 1 << 20, LOOM_ERR_FAULT_PTE },
	{ 1, V | LOOM_PTE_LEAF | 64ull << 20, LOOM_ERR_FAULT_PTE },
	{ 1, V | LOOM_PTE_LEAF | 1ull << 8, LOOM_ERR_FAULT_PTE },
	{ 1, V | LOOM_PTE_LEAF | KIND(LOOM_KIND_PEER), LOOM_ERR_FAULT_PTE },
	{ 1, V | LOOM_PTE_LEAF | KIND(LOOM_KIND_SRAM) | 2 << 20,
	  LOOM_ERR_FAULT_PTE },
	{ 1, V | LOOM_PTE_LEAF | 62ull << 20, LOOM_ERR_NONE },
	{ 0, 0, LOOM_ERR_FAULT_UNMAPPED },
	{ 0, V | 1ull << 55, LOOM_ERR_FAULT_PTE },
	{ 0, V | 64ull << 20, LOOM_ERR_FAULT_PTE },
	{ 0, V | LOOM_PTE_ADDR, LOOM_ERR_FAULT_PTE },
	{ 0, V | ((64ull << 20) - 4096), LOOM_ERR_NONE },
	{ 0, V | LOOM_PTE_LEAF, LOOM_ERR_NONE },
	{ 0, V | KIND(LOOM_KIND_SRAM) | 2 << 20, LOOM_ERR_FAULT_PTE },
	{ 0, V | KIND(LOOM_KIND_SRAM) | ((2 << 20) - 4096), LOOM_ERR_NONE },
	{ 0, V | KIND(LOOM_KIND_PEER), LOOM_ERR_FAULT_PTE },
	{ 0, V | KIND(4), LOOM_ERR_FAULT_PTE },
	{ 0, V | KIND(7), LOOM_ERR_FAULT_PTE },
};

START_TEST(test_malformed_entry_faults)
{
	uint64_t *pte = t_pte(card, T_CTX, VA, bad_pte[_i].level);

	t_pte(card, T_CTX, VA, 0);
	*pte = bad_pte[_i].pte;
	ck_assert_uint_eq(probe_read(VA), bad_pte[_i].error);
	ck_assert_int_eq(!loom_mem_map(ex, VA, 1, LOOM_ACCESS_READ),
			 bad_pte[_i].error != LOOM_ERR_NONE);
}
END_TEST

START_TEST(test_context_without_table_faults)
{
	static const struct { uint64_t root; uint32_t error; } roots[] = {
		{ 0, LOOM_ERR_FAULT_CTX }, { 0x1000, LOOM_ERR_FAULT_CTX },
		{ V | 64ull << 20, LOOM_ERR_FAULT_PTE },
		{ V | LOOM_CTX_ROOT_ADDR, LOOM_ERR_FAULT_PTE },
	};

	t_write64(card, LOOM_REG_CTX_ROOT(T_CTX), roots[_i].root);
	ck_assert_uint_eq(probe_read(VA), roots[_i].error);
}
END_TEST

/* A table that is its own child: depth is fixed, so this ends. */
START_TEST(test_table_that_points_to_itself_ends)
{
	uint64_t *pte = t_pte(card, T_CTX, 0, 3);

	*pte = card->root[T_CTX] | V;
	ck_assert_uint_eq(probe_read(0), LOOM_ERR_NONE);
	ck_assert_ptr_nonnull(loom_mem_map(ex, 0, 8, LOOM_ACCESS_READ));
	ck_assert_uint_eq(probe_read(1ull << 39), LOOM_ERR_FAULT_UNMAPPED);
}
END_TEST

/* Caching ------------------------------------------------------------------ */

START_TEST(test_stale_translation_lives_until_invalidated)
{
	uint64_t a = t_hbm_alloc(card, PAGE), b = t_hbm_alloc(card, PAGE);
	uint8_t byte;

	card->hbm[a] = 1;
	card->hbm[b] = 2;
	t_map(card, T_CTX, VA, LOOM_KIND_HBM, a, PAGE, true);
	loom_mem_read(ex, VA, &byte, 1);
	ck_assert_uint_eq(byte, 1);
	t_map(card, T_CTX, VA, LOOM_KIND_HBM, b, PAGE, true);
	loom_mem_read(ex, VA, &byte, 1);
	ck_assert_uint_eq(byte, 1);
	t_invalidate(card, 2);
	loom_mem_read(ex, VA, &byte, 1);
	ck_assert_uint_eq(byte, 1);
	t_invalidate(card, T_CTX);
	loom_mem_read(ex, VA, &byte, 1);
	ck_assert_uint_eq(byte, 2);
	t_unmap(card, T_CTX, VA, PAGE);
	t_write64(card, LOOM_REG_CTX_ROOT(T_CTX), card->root[T_CTX] | V);
	ck_assert_uint_eq(probe_read(VA), LOOM_ERR_FAULT_UNMAPPED);
}
END_TEST

START_TEST(test_new_mapping_needs_no_invalidation)
{
	uint64_t phys = t_hbm_alloc(card, PAGE);

	t_map(card, T_CTX, VA + PAGE, LOOM_KIND_HBM, phys, PAGE, true);
	ck_assert_uint_eq(probe_read(VA + PAGE), LOOM_ERR_NONE);
	ck_assert_uint_eq(probe_read(VA), LOOM_ERR_FAULT_UNMAPPED);
	t_map(card, T_CTX, VA, LOOM_KIND_HBM, phys, PAGE, false);
	ck_assert_uint_eq(probe_read(VA), LOOM_ERR_NONE);
	ck_assert_uint_eq(probe_write(VA, 0), LOOM_ERR_FAULT_PERM);
	t_map(card, T_CTX, VA, LOOM_KIND_HBM, phys, PAGE, true);
	ck_assert_uint_eq(probe_write(VA, 0), LOOM_ERR_NONE);
}
END_TEST

START_TEST(test_queue_that_changes_context_forgets)
{
	uint64_t a = t_hbm_alloc(card, PAGE), b = t_hbm_alloc(card, PAGE);
	uint8_t byte = 0;

	card->hbm[a] = 1;
	card->hbm[b] = 2;
	t_map(card, T_CTX, VA, LOOM_KIND_HBM, a, PAGE, true);
	t_map(card, 2, VA, LOOM_KIND_HBM, b, PAGE, true);
	loom_mem_read(ex, VA, &byte, 1);
	ck_assert_uint_eq(byte, 1);
	t_queue_init(card, 0, 2, 1);
	loom_mem_read(ex, VA, &byte, 1);
	ck_assert_uint_eq(byte, 2);
	ck_assert_uint_eq(probe_read(a), LOOM_ERR_FAULT_UNMAPPED);
}
END_TEST

/* Against a walker of our own ----------------------------------------------- */

/* What the data book says, written another way: 0 and phys, or the error. */
static uint32_t reference(uint64_t va, bool is_write, unsigned int *kind,
			  uint64_t *phys)
{
	uint64_t table = card->root[T_CTX], hbm = card->cfg.hbm_size, e, size;
	int shift;

	for (shift = 39; ; shift -= 9) {
		memcpy(&e, card->hbm + table + (va >> shift) % 512 * 8, 8);
		if (!(e & 1))
			return LOOM_ERR_FAULT_UNMAPPED;
		if (e & 0xfff0000000000f88)
			return LOOM_ERR_FAULT_PTE;
		if (shift == 12 || (shift == 21 && (e & 4)))
			break;
		if ((e & 0x74) || (e & LOOM_PTE_ADDR) >= hbm)
			return LOOM_ERR_FAULT_PTE;
		table = e & LOOM_PTE_ADDR;
	}
	size = 1ull << shift;
	*kind = e >> 4 & 7;
	*phys = (e & LOOM_PTE_ADDR) + va % size;
	if ((e & LOOM_PTE_ADDR) % size || *kind > 2 ||
	    (*kind == 0 && *phys >= hbm) ||
	    (*kind == 1 && *phys >= card->cfg.sram_size))
		return LOOM_ERR_FAULT_PTE;
	return is_write && !(e & 2) ? LOOM_ERR_FAULT_PERM : 0;
}

static uint64_t random_va(void)
{
	/* Few enough that tables are shared, far enough apart to need all. */
	return (uint64_t)(rand() % 3) << 39 | (uint64_t)(rand() % 3) << 30 |
	       (uint64_t)(rand() % 6) << 21 | (uint64_t)(rand() % 16) << 12 |
	       (uint64_t)(rand() % 4096);
}

static void random_change(void)
{
	uint64_t va = random_va();
	unsigned int kind = rand() % 2;
	uint64_t limit = kind ? card->cfg.sram_size : 32ull << 20, *pte;

	switch (rand() % 8) {
	case 0:
		pte = t_pte(card, T_CTX, va, 0);
		*pte ^= 1ull << rand() % 64;
		break;
	case 1:
		*t_pte(card, T_CTX, va, 0) = 0;
		break;
	default:
		t_map(card, T_CTX, va & ~(PAGE - 1), kind,
		      (uint64_t)rand() * PAGE % limit, PAGE, rand() % 2);
	}
}

START_TEST(test_translation_equals_the_reference)
{
	uint8_t *base[] = { card->hbm, card->core->sram };
	unsigned int i, kind = 0, access, hits = 0;
	uint64_t va, phys = 0;
	uint32_t error;
	void *p;

	srand(_i + 1);
	t_map_huge(card, T_CTX, 5ull << 21, LOOM_KIND_HBM, 2 << 20, 2 << 20,
		   true);
	for (i = 0; i < 20000; i++) {
		if (i % 4 == 0) {
			random_change();
			t_invalidate(card, T_CTX);
		}
		va = random_va();
		access = rand() % 2;
		error = reference(va, access, &kind, &phys);
		p = loom_mem_map(ex, va, 1, access);
		loom_mmu_unpin(ex);
		if (!error && kind < 2) {
			ck_assert_ptr_eq(p, base[kind] + phys);
			hits++;
			continue;
		}
		ck_assert_ptr_null(p);
		if (error)
			ck_assert_uint_eq(access ? probe_write(va, 0) :
					  probe_read(va), error);
	}
	ck_assert_uint_gt(hits, 1000);
}
END_TEST

/* Isolation ---------------------------------------------------------------- */

START_TEST(test_unmap_in_the_middle_of_a_large_map_is_noticed)
{
	uint64_t size = 8ull << 20, va = t_hbm_alloc(card, size);

	ck_assert_ptr_eq(loom_mem_map(ex, va, size, LOOM_ACCESS_WRITE),
			 card->hbm + va);
	loom_mmu_unpin(ex);
	t_unmap(card, T_CTX, va + (size >> 1), PAGE);
	t_invalidate(card, T_CTX);
	ck_assert_ptr_null(loom_mem_map(ex, va, size, LOOM_ACCESS_WRITE));
	ck_assert_ptr_nonnull(loom_mem_map(ex, va, size >> 1,
					   LOOM_ACCESS_WRITE));
}
END_TEST

/* Two pages of a large map change places: the map is none, and what is read follows. */
START_TEST(test_swapped_pages_in_a_large_map_are_noticed)
{
	static const unsigned int places[] = { 1, 3, 7, 8, 9, 62 };
	uint64_t size = 64 * PAGE, va = t_hbm_alloc(card, size), first, second;
	unsigned int at = places[_i], i;
	uint8_t page[64];
	uint64_t pte;

	for (i = 0; i < 64; i++)
		memset(card->hbm + va + i * PAGE, (int)i + 1, PAGE);
	first = va + at * PAGE;
	second = first + PAGE;
	pte = *t_pte(card, T_CTX, first, 0);
	*t_pte(card, T_CTX, first, 0) = *t_pte(card, T_CTX, second, 0);
	*t_pte(card, T_CTX, second, 0) = pte;
	t_invalidate(card, T_CTX);
	ck_assert_ptr_null(loom_mem_map(ex, va, size, LOOM_ACCESS_READ));
	ck_assert_ptr_eq(loom_mem_map(ex, va, at * PAGE, LOOM_ACCESS_READ),
			 card->hbm + va);
	loom_mmu_unpin(ex);
	for (i = 0; i < 64; i++) {
		ck_assert_int_eq(loom_mem_read(ex, va + i * PAGE, page,
					       sizeof(page)), 0);
		ck_assert_uint_eq(page[0], i == at ? at + 2 :
					   i == at + 1 ? at + 1 : i + 1);
	}
}
END_TEST

START_TEST(test_other_context_faults_and_sees_nothing)
{
	uint64_t secret = t_hbm_alloc(card, PAGE), va = 0x200000;
	struct loom_cmd_copy copy = t_copy_bytes(va + 4096, secret, 64);
	struct loom_completion c;

	memset(t_ptr(card, secret), 0x77, PAGE);
	t_map(card, 2, va, LOOM_KIND_HBM, 0x200000, 2 * PAGE, true);
	memcpy(card->hbm + 0x200000, &copy, sizeof(copy));
	t_queue_init(card, 1, 2, 1);
	c = t_submit(card, 1, va, sizeof(copy));
	ck_assert_uint_eq(c.error, LOOM_ERR_FAULT_UNMAPPED);
	ck_assert_uint_eq(c.fault_addr, secret);
	ck_assert_uint_eq(card->hbm[0x201000], 0);
}
END_TEST

START_TEST(test_reset_zeroes_sram)
{
	card->core->sram[0] = 1;
	card->core->sram[card->cfg.sram_size - 1] = 1;
	loom_core_reset(card->core);
	ck_assert_uint_eq(card->core->sram[0], 0);
	ck_assert_uint_eq(card->core->sram[card->cfg.sram_size - 1], 0);
}
END_TEST

#define COUNT(a) (sizeof(a) / sizeof(a[0]))

static Suite *suite(void)
{
	Suite *s = suite_create("mmu");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_access_across_scattered_pages);
	tcase_add_test(tc, test_access_across_memory_kinds);
	tcase_add_test(tc, test_huge_page_maps_2_mib);
	tcase_add_test(tc, test_read_only_page_takes_no_writes);
	tcase_add_test(tc, test_fault_names_the_first_byte_that_failed);
	tcase_add_loop_test(tc, test_range_must_stay_below_2_to_the_48, 0, 6);
	tcase_add_test(tc, test_nothing_is_touched_for_no_bytes);
	tcase_add_test(tc, test_system_memory_that_does_not_answer);
	tcase_add_test(tc, test_writes_mark_hbm_dirty);
	tcase_add_test(tc, test_traffic_goes_to_the_memory_behind_the_address);
	tcase_add_test(tc, test_buffer_may_overlap_the_memory_accessed);
	tcase_add_test(tc, test_aborted_access_stops);
	tcase_add_test(tc, test_pointers_are_limited_but_access_is_not);
	tcase_add_loop_test(tc, test_malformed_entry_faults, 0, COUNT(bad_pte));
	tcase_add_loop_test(tc, test_context_without_table_faults, 0, 4);
	tcase_add_test(tc, test_table_that_points_to_itself_ends);
	tcase_add_test(tc, test_stale_translation_lives_until_invalidated);
	tcase_add_test(tc, test_new_mapping_needs_no_invalidation);
	tcase_add_test(tc, test_queue_that_changes_context_forgets);
	tcase_add_loop_test(tc, test_translation_equals_the_reference, 0, 4);
	tcase_add_test(tc, test_unmap_in_the_middle_of_a_large_map_is_noticed);
	tcase_add_loop_test(tc, test_swapped_pages_in_a_large_map_are_noticed,
			    0, 6);
	tcase_add_test(tc, test_other_context_faults_and_sees_nothing);
	tcase_add_test(tc, test_reset_zeroes_sram);
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
