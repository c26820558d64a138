// SPDX-License-Identifier: MIT
/*
 * Fuzz target: page tables.
 *
 * The input changes entries of the image's page tables, before and while a
 * fixed set of commands runs; entries may link tables in circles and map the
 * tables themselves.  As long as nobody changed a table meanwhile, a page may
 * only be written when a walk of this file's own finds it behind an address
 * that the commands write to.
 */
#include <string.h>

#include "fuzz.h"

#define MAX_POKES	64
#define OPERAND_SIZE	0x3000ull
#define PAGES(bytes)	((bytes) / LOOM_PAGE_SIZE)

static struct fuzz_in in;
static bool poked_late;

/* Addresses that the commands use: in each window, across a page boundary. */
static uint64_t operand(unsigned int i)
{
	const struct fuzz_window *w = &fuzz_windows[i % FUZZ_WINDOWS];
	uint64_t offset = (i / FUZZ_WINDOWS + 1) * OPERAND_SIZE - 64;

	return w->va + offset % (w->size - OPERAND_SIZE);
}

/* The tables ---------------------------------------------------------------- */

static uint64_t any_page(uint8_t sel)
{
	switch (sel >> 6) {
	case 0:
		return sel % fuzz_card.num_tables;
	case 1:
		return PAGES(fuzz_windows[sel % FUZZ_WINDOWS].va % FUZZ_HBM_SIZE);
	case 2:
		return fuzz_u16(&in);
	default:
		return PAGES(FUZZ_SYS_BASE) + fuzz_u8(&in);
	}
}

static uint64_t any_entry(uint64_t old)
{
	uint8_t sel = fuzz_u8(&in);
	uint64_t flags = (sel >> 3 & 7) | LOOM_PTE_VALID;

	switch (sel & 7) {
	case 0:
		return old ^ 1ull << (fuzz_u8(&in) & 63);
	case 1:
		return fuzz_u64(&in);
	case 2:
		return any_page(fuzz_u8(&in) & 63) * LOOM_PAGE_SIZE |
		       LOOM_PTE_VALID;
	case 3:
		return any_page(fuzz_u8(&in)) * LOOM_PAGE_SIZE | flags |
		       (sel >> 6) * (1ull << LOOM_PTE_KIND_SHIFT);
	case 4:
		return any_page(fuzz_u8(&in)) * LOOM_PAGE_SIZE %
		       LOOM_HUGE_SIZE | flags | LOOM_PTE_LEAF;
	default:
		return any_page(fuzz_u8(&in)) * LOOM_PAGE_SIZE |
		       LOOM_PTE_VALID | LOOM_PTE_WRITE;
	}
}

/* An entry on the way to an operand, or any. */
static uint64_t any_slot(void)
{
	uint8_t sel = fuzz_u8(&in);
	uint64_t va = operand(sel), table = FUZZ_ROOT, pte;
	unsigned int level = LOOM_PT_LEVELS - 1, stop = sel >> 6;

	if (sel >= 0xf0)
		return fuzz_u16(&in) % (fuzz_card.num_tables *
					LOOM_PT_ENTRIES) * 8ull;
	for (;; level--) {
		table += (va >> LOOM_PT_SHIFT(level)) % LOOM_PT_ENTRIES * 8;
		if (level <= stop)
			return table;
		memcpy(&pte, fuzz_card.hbm + table, sizeof(pte));
		if (!(pte & LOOM_PTE_VALID) || (pte & LOOM_PTE_LEAF) ||
		    (pte & LOOM_PTE_ADDR) >= FUZZ_TABLES_END)
			return table;
		table = pte & LOOM_PTE_ADDR;
	}
}

static void poke_table(void)
{
	uint64_t slot = any_slot(), pte;

	memcpy(&pte, fuzz_card.hbm + slot, sizeof(pte));
	pte = any_entry(pte);
	fuzz_poke(slot, &pte, sizeof(pte));
}

/* While the card works: an entry changes, perhaps with an invalidation. */
static void in_callback(void)
{
	uint8_t sel = fuzz_answer(&in);

	if (!(sel & 3) || !fuzz_more(&in))
		return;
	poked_late = true;
	poke_table();
	if (sel & 4)
		fuzz_write32(LOOM_REG_TLB_INVALIDATE, FUZZ_CTX);
	if ((sel & 0xf8) == 0xf8)
		fuzz_write64(LOOM_REG_CTX_ROOT(FUZZ_CTX), fuzz_u16(&in) *
			     (uint64_t)LOOM_PAGE_SIZE | LOOM_CTX_ROOT_VALID);
}

/* The walk of this file ----------------------------------------------------- */

/* HBM page (or ~0) that a write of @va may touch. */
static uint64_t page_behind(uint64_t va)
{
	const uint64_t mbz = ~(LOOM_PTE_VALID | LOOM_PTE_WRITE |
			       LOOM_PTE_LEAF | LOOM_PTE_KIND | LOOM_PTE_ADDR);
	uint64_t table = FUZZ_ROOT, pte, at;
	int level;

	for (level = 3; level >= 0; level--) {
		at = table + 8 * (va >> (12 + 9 * level) & 511);
		memcpy(&pte, fuzz_card.hbm + at, sizeof(pte));
		table = pte & LOOM_PTE_ADDR;
		if (!(pte & LOOM_PTE_VALID) || (pte & mbz) ||
		    (pte & LOOM_PTE_KIND) || table >= FUZZ_HBM_SIZE)
			return ~0ull;
		if (level == 1 && (pte & LOOM_PTE_LEAF))
			return !(pte & LOOM_PTE_WRITE) ||
			       table % LOOM_HUGE_SIZE ? ~0ull :
			       PAGES(table + va % LOOM_HUGE_SIZE);
		if (level > 1 && (pte & LOOM_PTE_LEAF))
			return ~0ull;
	}
	return pte & LOOM_PTE_WRITE ? PAGES(table) : ~0ull;
}

static bool is_behind_an_operand(uint64_t page)
{
	unsigned int i;
	uint64_t at;

	for (i = 0; i < 3 * FUZZ_WINDOWS; i++)
		for (at = 0; at < 2 * OPERAND_SIZE; at += LOOM_PAGE_SIZE)
			if (page_behind(operand(i) + at) == page)
				return true;
	return false;
}

/* HBM pages that changed before the card started. */
static bool changed_before[FUZZ_HBM_SIZE / LOOM_PAGE_SIZE];

static bool tables_are_as_they_were(const uint8_t *copy)
{
	return !poked_late && !memcmp(copy, fuzz_card.hbm,
				      fuzz_card.num_tables * LOOM_PAGE_SIZE);
}

static void check_written_pages(void)
{
	uint64_t page;

	for (page = 0; page < PAGES(FUZZ_HBM_SIZE); page++)
		FUZZ_CHECK(!fuzz_hbm_changed(page) || changed_before[page] ||
			   is_behind_an_operand(page),
			   "page %llu was written", (unsigned long long)page);
}

/* The commands -------------------------------------------------------------- */

/* Bytes from operand @src to operand @dst. */
static struct loom_cmd_copy copy_cmd(unsigned int dst, unsigned int src)
{
	return (struct loom_cmd_copy) {
		.hdr = fuzz_head(LOOM_OP_COPY, sizeof(struct loom_cmd_copy)),
		.src_type = LOOM_TYPE_U8, .dst_type = LOOM_TYPE_U8,
		.dim = { OPERAND_SIZE, 1, 1, 1 },
		.src = operand(src), .src_stride = { 1 },
		.dst = operand(dst), .dst_stride = { 1 },
	};
}

/* 32 by 32 matrices, D with rows that are far apart. */
static struct loom_cmd_matmul matmul_cmd(unsigned int first)
{
	return (struct loom_cmd_matmul) {
		.hdr = fuzz_head(LOOM_OP_MATMUL, sizeof(struct loom_cmd_matmul)),
		.a_type = LOOM_TYPE_F32, .b_type = LOOM_TYPE_F32,
		.d_type = LOOM_TYPE_F32, .alpha = 0x3f800000,
		.m = 32, .n = 32, .k = 32, .batch = { 1, 1 },
		.a = operand(first), .a_stride = { 128, 4 },
		.b = operand(first + 1), .b_stride = { 4, 128 },
		.d = operand(first + 2), .d_stride = { 256, 4 },
	};
}

/** struct job - what each queue does */
struct job {
	struct loom_cmd_copy copy[2];
	struct loom_cmd_matmul matmul;
	struct loom_cmd_timestamp time;
};

static void make_job(unsigned int queue)
{
	unsigned int first = queue * 5;
	struct job job = {
		.copy = { copy_cmd(first, first + 1),
			  copy_cmd(first + 2, first + 3) },
		.matmul = matmul_cmd(first + 1),
		.time = {
			.hdr = fuzz_head(LOOM_OP_TIMESTAMP, 64),
			.addr = operand(first + 4),
		},
	};
	uint64_t va = FUZZ_CMDS + queue * LOOM_PAGE_SIZE;

	fuzz_poke(va, &job, sizeof(job));
	fuzz_queue_start(queue, queue);
	fuzz_push(queue, va, sizeof(job));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t tables[FUZZ_TABLES_END];
	unsigned int i, pokes;
	uint64_t page;

	in = (struct fuzz_in) { data, data + size };
	poked_late = false;
	fuzz_begin(&in);
	fuzz_card_start();
	for (i = 0; i < FUZZ_QUEUES; i++)
		make_job(i);
	pokes = fuzz_u8(&in) % MAX_POKES;
	for (i = 0; i < pokes && fuzz_more(&in); i++)
		poke_table();
	memcpy(tables, fuzz_card.hbm, fuzz_card.num_tables * LOOM_PAGE_SIZE);
	for (page = 0; page < PAGES(FUZZ_HBM_SIZE); page++)
		changed_before[page] = fuzz_hbm_changed(page);
	fuzz_card.on_dma = in_callback;
	for (i = 0; i < FUZZ_QUEUES; i++)
		fuzz_doorbell(i);
	while (fuzz_run(100))
		;
	loom_core_deliver(fuzz_card.core);
	if (tables_are_as_they_were(tables))
		check_written_pages();
	fuzz_end();
	return 0;
}
