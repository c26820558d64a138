// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Extents
 *
 * Objects move, but what is to be written into a page table or copied must not
 * change under the job that does it.  So the ioctl that makes the job notes where
 * the memory is, under the object's dma_resv, and the job works from that note.
 * Whoever moves the object afterwards waits for the job, and has the mapping
 * written again: see loom_bind.c.
 */
#include <linux/err.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include <loom/loom_regs.h>

#include <drm/ttm/ttm_tt.h>

#include "loom_device.h"
#include "loom_extents.h"

/**
 * struct loom_extents_walk - finds the pieces; run twice, to count and to note
 */
struct loom_extents_walk {
	/** @skip: bytes before the range */
	u64 skip;
	/** @left: bytes of the range that are not covered yet */
	u64 left;
	/** @num: pieces found */
	u32 num;
	/** @to: where to note them, NULL to count */
	struct loom_extent *to;
};

/* A piece of the object: take the part that is in the range. */
static void loom_extents_take(struct loom_extents_walk *w, u64 addr, u64 size)
{
	u64 skip = min(w->skip, size);

	w->skip -= skip;
	addr += skip;
	size = min(size - skip, w->left);
	if (!size)
		return;
	w->left -= size;
	if (w->to)
		w->to[w->num] = (struct loom_extent) { addr, size };
	w->num++;
}

static void loom_extents_walk_hbm(struct loom_extents_walk *w,
				  struct loom_hbm *hbm, struct ttm_resource *res)
{
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &to_loom_hbm_resource(res)->blocks, link)
		loom_extents_take(w, gpu_buddy_block_offset(block),
				  gpu_buddy_block_size(&hbm->mm, block));
}

/* Neighbours on the bus become one piece. */
static void loom_extents_walk_pages(struct loom_extents_walk *w,
				    struct sg_table *sgt)
{
	struct scatterlist *sg;
	u64 addr = 0, size = 0;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (sg_dma_address(sg) != addr + size) {
			loom_extents_take(w, addr, size);
			if (!w->left)
				return;
			addr = sg_dma_address(sg);
			size = 0;
		}
		size += sg_dma_len(sg);
	}
	loom_extents_take(w, addr, size);
}

static u32 loom_extents_walk(struct loom_device *ldev, struct ttm_resource *res,
			     struct ttm_tt *tt, u64 offset, u64 size,
			     struct loom_extent *to)
{
	struct loom_extents_walk w = {
		.skip = offset, .left = size, .to = to,
	};

	if (res->mem_type == LOOM_PL_HBM)
		loom_extents_walk_hbm(&w, &ldev->hbm, res);
	else
		loom_extents_walk_pages(&w, tt->sg);
	return w.num;
}

static struct loom_extents *loom_extents_alloc(u64 kind, u32 num)
{
	struct loom_extents *x;

	x = kvzalloc(struct_size(x, extent, num), GFP_KERNEL_ACCOUNT);
	if (!x)
		return ERR_PTR(-ENOMEM);
	x->kind = kind;
	x->num = num;
	return x;
}

/**
 * loom_extents_of() - note where a range of an object is
 * @ldev: the card
 * @res: in HBM, or in system memory that is mapped for the card
 * @tt: pages of the object; not used for HBM
 * @offset: of the range in the object, page aligned
 * @size: bytes, page aligned
 *
 * Return: extents for loom_extents_free(), or -ENOMEM.
 */
struct loom_extents *loom_extents_of(struct loom_device *ldev,
				     struct ttm_resource *res, struct ttm_tt *tt,
				     u64 offset, u64 size)
{
	bool hbm = res->mem_type == LOOM_PL_HBM;
	struct loom_extents *x;
	u32 num;

	num = loom_extents_walk(ldev, res, tt, offset, size, NULL);
	x = loom_extents_alloc(hbm ? LOOM_KIND_HBM : LOOM_KIND_SYSTEM, num);
	if (!IS_ERR(x))
		loom_extents_walk(ldev, res, tt, offset, size, x->extent);
	return x;
}

/* The same for a range of SRAM. */
struct loom_extents *loom_extents_of_sram(u64 offset, u64 size)
{
	struct loom_extents *x = loom_extents_alloc(LOOM_KIND_SRAM, 1);

	if (!IS_ERR(x))
		x->extent[0] = (struct loom_extent) { offset, size };
	return x;
}

void loom_extents_free(struct loom_extents *x)
{
	kvfree(x);
}

/* Point at the first byte of @x. */
void loom_cursor_init(struct loom_cursor *c, const struct loom_extents *x)
{
	*c = (struct loom_cursor) {
		.extent = x->extent, .end = x->extent + x->num,
	};
}

/* Go on by @bytes, whole pages, up to the end. */
void loom_cursor_advance(struct loom_cursor *c, u64 bytes)
{
	c->inside += bytes;
	while (c->extent != c->end && c->inside >= c->extent->size) {
		c->inside -= c->extent->size;
		c->extent++;
	}
}

/* What a page table entry for this position says; 0 at the end. */
u64 loom_cursor_addr(const struct loom_cursor *c)
{
	return c->extent == c->end ? 0 : c->extent->addr + c->inside;
}

/* Are the next @bytes contiguous for the card? */
bool loom_cursor_is_run(const struct loom_cursor *c, u64 bytes)
{
	return c->extent != c->end && bytes <= c->extent->size - c->inside;
}
