// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Page tables
 *
 * A change has two steps.  loom_mmu_prepare_*() runs in the ioctl, may fail,
 * and makes sure that all tables exist which the change can need.
 * loom_mmu_write_*() runs in the bind job, in the fence signalling path, and
 * only writes entries.
 *
 * Tables of level 1 and up are hooked into their parent when they are made:
 * empty, they change nothing.  A table of level 0 is hooked in when entries
 * are written to it, because its region may be one 2 MiB page until then (the
 * table then takes over what that page mapped).  Tables stay until the address
 * space goes.
 *
 * Locking: the VM's lock covers prepare.  Writes are ordered by the VM's bind
 * queue, or happen under the VM's lock with that queue empty.  A write may run
 * beside a prepare of a later change, which only adds children.
 *
 * Everything but loom_mmu_root() must be called inside drm_dev_enter(), except
 * that loom_mmu_destroy() need not.
 */
#include <linux/io.h>
#include <linux/list.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "loom_bo.h"
#include "loom_device.h"
#include "loom_extents.h"
#include "loom_mmu.h"
#include "loom_pt.h"

/* Tables are cut from pieces of HBM of this size. */
#define LOOM_MMU_CHUNK	SZ_64K

/**
 * struct loom_mmu_chunk - a piece of HBM for tables
 */
struct loom_mmu_chunk {
	/** @link: in loom_mmu.chunks, the newest first */
	struct list_head link;
	/** @bo: the memory */
	struct loom_bo *bo;
	/** @used: bytes given out */
	u32 used;
};

/**
 * struct loom_mmu_table - one table
 */
struct loom_mmu_table {
	/** @addr: offset in HBM */
	u64 addr;
	/** @pte: its entries */
	u64 __iomem *pte;
	/** @child: tables below, by index; not at level 0 */
	struct loom_mmu_table *child[];
};

/**
 * struct loom_mmu - the page tables of an address space
 */
struct loom_mmu {
	/** @ldev: the card */
	struct loom_device *ldev;
	/** @root: table of level 3 */
	struct loom_mmu_table *root;
	/** @chunks: list of loom_mmu_chunk */
	struct list_head chunks;
};

/* Tables ------------------------------------------------------------------ */

static struct loom_mmu_chunk *loom_mmu_chunk_create(struct loom_mmu *mmu)
{
	struct loom_mmu_chunk *chunk;

	chunk = kzalloc(sizeof(*chunk), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return ERR_PTR(-ENOMEM);
	chunk->bo = loom_bo_create_kernel(mmu->ldev, LOOM_MMU_CHUNK);
	if (IS_ERR(chunk->bo)) {
		void *err = chunk->bo;

		kfree(chunk);
		return err;
	}
	list_add(&chunk->link, &mmu->chunks);
	return chunk;
}

static struct loom_mmu_chunk *loom_mmu_chunk_get(struct loom_mmu *mmu)
{
	struct loom_mmu_chunk *chunk;

	chunk = list_first_entry_or_null(&mmu->chunks, struct loom_mmu_chunk,
					 link);
	if (chunk && chunk->used < LOOM_MMU_CHUNK)
		return chunk;
	return loom_mmu_chunk_create(mmu);
}

static struct loom_mmu_table *loom_mmu_table_create(struct loom_mmu *mmu,
						    unsigned int level)
{
	struct loom_hbm *hbm = &mmu->ldev->hbm;
	struct loom_mmu_table *table;
	struct loom_mmu_chunk *chunk;

	table = kvzalloc(struct_size(table, child, level ? LOOM_PT_ENTRIES : 0),
			 GFP_KERNEL_ACCOUNT);
	if (!table)
		return ERR_PTR(-ENOMEM);
	chunk = loom_mmu_chunk_get(mmu);
	if (IS_ERR(chunk)) {
		kvfree(table);
		return ERR_CAST(chunk);
	}
	table->addr = loom_hbm_offset(hbm, chunk->bo->ttm.resource, chunk->used);
	table->pte = hbm->cpu + table->addr;
	chunk->used += LOOM_PAGE_SIZE;
	return table;
}

static void loom_mmu_table_free(struct loom_mmu_table *table, unsigned int level)
{
	unsigned int i;

	if (!table)
		return;
	for (i = 0; level && i < LOOM_PT_ENTRIES; i++)
		loom_mmu_table_free(table->child[i], level - 1);
	kvfree(table);
}

void loom_mmu_destroy(struct loom_mmu *mmu)
{
	struct loom_mmu_chunk *chunk, *next;

	loom_mmu_table_free(mmu->root, LOOM_PT_LEVELS - 1);
	list_for_each_entry_safe(chunk, next, &mmu->chunks, link) {
		loom_bo_put(chunk->bo);
		kfree(chunk);
	}
	kfree(mmu);
}

struct loom_mmu *loom_mmu_create(struct loom_device *ldev)
{
	struct loom_mmu_table *root;
	struct loom_mmu *mmu;

	mmu = kzalloc(sizeof(*mmu), GFP_KERNEL_ACCOUNT);
	if (!mmu)
		return ERR_PTR(-ENOMEM);
	mmu->ldev = ldev;
	INIT_LIST_HEAD(&mmu->chunks);
	root = loom_mmu_table_create(mmu, LOOM_PT_LEVELS - 1);
	if (IS_ERR(root)) {
		loom_mmu_destroy(mmu);
		return ERR_CAST(root);
	}
	mmu->root = root;
	return mmu;
}

/* Offset of the root table in HBM. */
u64 loom_mmu_root(const struct loom_mmu *mmu)
{
	return mmu->root->addr;
}

/* Preparing --------------------------------------------------------------- */

static int loom_mmu_add_child(struct loom_mmu *mmu, struct loom_mmu_table *table,
			      unsigned int index, unsigned int level)
{
	struct loom_mmu_table *child;

	child = loom_mmu_table_create(mmu, level - 1);
	if (IS_ERR(child))
		return PTR_ERR(child);
	if (level > 1) {
		loom_device_hw_get(mmu->ldev);
		writeq(loom_pt_table(child->addr), &table->pte[index]);
		loom_device_hw_put(mmu->ldev);
	}
	/* Pairs with loom_mmu_child(): the child before the pointer to it. */
	smp_store_release(&table->child[index], child);
	return 0;
}

static struct loom_mmu_table *loom_mmu_child(struct loom_mmu_table *table,
					     u64 va, unsigned int level)
{
	/* Pairs with loom_mmu_add_child(). */
	return smp_load_acquire(&table->child[loom_pt_index(va, level)]);
}

/* The table of @level that covers @va, or NULL. */
static struct loom_mmu_table *loom_mmu_find(struct loom_mmu *mmu, u64 va,
					    unsigned int level)
{
	struct loom_mmu_table *table = mmu->root;
	unsigned int l;

	for (l = LOOM_PT_LEVELS - 1; table && l > level; l--)
		table = loom_mmu_child(table, va, l);
	return table;
}

/* Make sure that the table of @level that covers @va exists. */
static int loom_mmu_need(struct loom_mmu *mmu, u64 va, unsigned int level)
{
	struct loom_mmu_table *table = mmu->root;
	unsigned int l;
	int ret;

	for (l = LOOM_PT_LEVELS - 1; l > level; l--) {
		unsigned int index = loom_pt_index(va, l);

		if (!table->child[index]) {
			ret = loom_mmu_add_child(mmu, table, index, l);
			if (ret)
				return ret;
		}
		table = table->child[index];
	}
	return 0;
}

static bool loom_mmu_is_region(u64 va, u64 end)
{
	return end - va == LOOM_HUGE_SIZE;
}

/* Can [va, end) be one 2 MiB page? */
static bool loom_mmu_is_huge(const struct loom_cursor *c, u64 va, u64 end)
{
	return loom_mmu_is_region(va, end) &&
	       IS_ALIGNED(loom_cursor_addr(c), LOOM_HUGE_SIZE) &&
	       loom_cursor_is_run(c, LOOM_HUGE_SIZE);
}

/* 0, -ENOSPC, -ENOMEM, -ERESTARTSYS; tables made until then stay and do no harm. */
int loom_mmu_prepare_map(struct loom_mmu *mmu, const struct loom_mmu_map *map)
{
	struct loom_cursor c;
	u64 va, end;
	int ret;

	loom_cursor_init(&c, map->memory);
	for (va = map->va; va < map->end; va = end) {
		end = loom_pt_region_end(va, map->end);
		ret = loom_mmu_need(mmu, va, loom_mmu_is_huge(&c, va, end));
		if (ret)
			return ret;
		loom_cursor_advance(&c, end - va);
	}
	return 0;
}

/* For a range that will be mapped over and over, in any way. */
int loom_mmu_prepare_window(struct loom_mmu *mmu, u64 va, u64 end)
{
	int ret = 0;

	for (; !ret && va < end; va = loom_pt_region_end(va, end))
		ret = loom_mmu_need(mmu, va, 0);
	return ret;
}

/* A 2 MiB page that loses a part needs a table for the rest. */
static int loom_mmu_prepare_edge(struct loom_mmu *mmu, u64 va)
{
	if (IS_ALIGNED(va, LOOM_HUGE_SIZE) || !loom_mmu_find(mmu, va, 1))
		return 0;
	return loom_mmu_need(mmu, va, 0);
}

int loom_mmu_prepare_unmap(struct loom_mmu *mmu, u64 va, u64 end)
{
	int ret;

	ret = loom_mmu_prepare_edge(mmu, va);
	if (ret)
		return ret;
	return loom_mmu_prepare_edge(mmu, end);
}

/* Writing ----------------------------------------------------------------- */

/* Give the table of level 0 what the entry above it says now. */
static void loom_mmu_inherit(struct loom_mmu_table *table, u64 pte)
{
	unsigned int i;

	for (i = 0; i < LOOM_PT_ENTRIES; i++)
		writeq(loom_pt_is_huge(pte) ? loom_pt_split(pte, i) : 0,
		       &table->pte[i]);
}

static void loom_mmu_write_pages(struct loom_mmu_table *table, u64 va, u64 end,
				 struct loom_cursor *c,
				 const struct loom_mmu_map *map)
{
	for (; va < end; va += LOOM_PAGE_SIZE) {
		u64 pte = 0;

		if (c) {
			pte = loom_pt_leaf(map->memory->kind,
					   loom_cursor_addr(c), false,
					   map->readonly);
			loom_cursor_advance(c, LOOM_PAGE_SIZE);
		}
		writeq(pte, &table->pte[loom_pt_index(va, 0)]);
	}
}

/* Write [va, end) of one region through its table of level 0; no @c: unmap. */
static void loom_mmu_write_part(struct loom_mmu_table *level1, u64 va, u64 end,
				struct loom_cursor *c,
				const struct loom_mmu_map *map)
{
	struct loom_mmu_table *table = loom_mmu_child(level1, va, 1);
	u64 __iomem *entry = &level1->pte[loom_pt_index(va, 1)];
	u64 pte = readq(entry);
	bool hooked = loom_pt_is_valid(pte) && !loom_pt_is_huge(pte);

	if (!c && !loom_pt_is_valid(pte))
		return;
	if (WARN_ON_ONCE(!table))
		return;
	if (!hooked)
		loom_mmu_inherit(table, pte);
	loom_mmu_write_pages(table, va, end, c, map);
	if (!hooked) {
		/* The entries before the table. */
		wmb();
		writeq(loom_pt_table(table->addr), entry);
	}
}

void loom_mmu_write_map(struct loom_mmu *mmu, const struct loom_mmu_map *map)
{
	struct loom_mmu_table *level1;
	struct loom_cursor c;
	u64 va, end;

	loom_cursor_init(&c, map->memory);
	for (va = map->va; va < map->end; va = end) {
		end = loom_pt_region_end(va, map->end);
		level1 = loom_mmu_find(mmu, va, 1);
		if (WARN_ON_ONCE(!level1))
			return;
		if (!loom_mmu_is_huge(&c, va, end)) {
			loom_mmu_write_part(level1, va, end, &c, map);
			continue;
		}
		writeq(loom_pt_leaf(map->memory->kind, loom_cursor_addr(&c),
				    true, map->readonly),
		       &level1->pte[loom_pt_index(va, 1)]);
		loom_cursor_advance(&c, LOOM_HUGE_SIZE);
	}
}

/* Nothing is mapped in the address range of a table that does not exist. */
static u64 loom_mmu_skip(struct loom_mmu *mmu, u64 va)
{
	unsigned int level = LOOM_PT_LEVELS - 1;

	while (level > 1 && loom_mmu_find(mmu, va, level - 1))
		level--;
	return (va | ((1ull << LOOM_PT_SHIFT(level)) - 1)) + 1;
}

void loom_mmu_write_unmap(struct loom_mmu *mmu, u64 va, u64 end)
{
	struct loom_mmu_table *level1;
	u64 next;

	for (; va < end; va = next) {
		next = loom_pt_region_end(va, end);
		level1 = loom_mmu_find(mmu, va, 1);
		if (!level1)
			next = loom_mmu_skip(mmu, va);
		else if (loom_mmu_is_region(va, next))
			writeq(0, &level1->pte[loom_pt_index(va, 1)]);
		else
			loom_mmu_write_part(level1, va, next, NULL, NULL);
	}
}
