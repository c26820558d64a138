// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Page table entries
 *
 * What loom_regs.h says in words, as functions of numbers: no kernel
 * interfaces, so that a test on the host can compile this file.
 */
#include "loom_pt.h"

/* An entry of level 1 to 3 that points at the table at @addr in HBM. */
__u64 loom_pt_table(__u64 addr)
{
	return LOOM_PTE_VALID | LOOM_KIND_HBM << LOOM_PTE_KIND_SHIFT |
	       (addr & LOOM_PTE_ADDR);
}

/* An entry for memory at @addr: of level 1 if @huge, else of level 0. */
__u64 loom_pt_leaf(__u64 kind, __u64 addr, bool huge, bool readonly)
{
	return LOOM_PTE_VALID | kind << LOOM_PTE_KIND_SHIFT |
	       (huge ? LOOM_PTE_LEAF : 0) | (readonly ? 0 : LOOM_PTE_WRITE) |
	       (addr & LOOM_PTE_ADDR);
}

/* The entry of level 0 that does what the entry @huge did for its page @index. */
__u64 loom_pt_split(__u64 huge, unsigned int index)
{
	return (huge & ~LOOM_PTE_LEAF) + ((__u64)index << LOOM_PAGE_SHIFT);
}

bool loom_pt_is_valid(__u64 pte)
{
	return pte & LOOM_PTE_VALID;
}

/* Is @pte, of level 1, a 2 MiB page? */
bool loom_pt_is_huge(__u64 pte)
{
	return (pte & LOOM_PTE_VALID) && (pte & LOOM_PTE_LEAF);
}

unsigned int loom_pt_index(__u64 va, unsigned int level)
{
	return (va >> LOOM_PT_SHIFT(level)) % LOOM_PT_ENTRIES;
}

/* Where the 2 MiB region of @va ends, or @end if that is nearer. */
__u64 loom_pt_region_end(__u64 va, __u64 end)
{
	__u64 next = (va | (LOOM_HUGE_SIZE - 1)) + 1;

	return next < end ? next : end;
}
