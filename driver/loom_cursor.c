// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Cursor
 *
 * Hides from the page table code what kind of memory it maps.  The memory must
 * not move while a cursor is in it: see loom_ttm.c.
 */
#include <loom/loom_regs.h>

#include <drm/ttm/ttm_tt.h>

#include "loom_bo.h"
#include "loom_cursor.h"
#include "loom_device.h"

static struct gpu_buddy *loom_cursor_mm(const struct loom_cursor *c)
{
	return &to_loom_device(c->bo->ttm.base.dev)->hbm.mm;
}

static void loom_cursor_enter_block(struct loom_cursor *c,
				    struct gpu_buddy_block *block, u64 inside)
{
	c->block = block;
	c->left = gpu_buddy_block_size(loom_cursor_mm(c), block) - inside;
	c->addr = gpu_buddy_block_offset(block) + inside;
}

static void loom_cursor_init_hbm(struct loom_cursor *c, u64 pos)
{
	struct loom_hbm_resource *hres = to_loom_hbm_resource(c->bo->ttm.resource);
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &hres->blocks, link) {
		u64 size = gpu_buddy_block_size(loom_cursor_mm(c), block);

		if (pos < size) {
			loom_cursor_enter_block(c, block, pos);
			return;
		}
		pos -= size;
	}
}

/* Past the end of the object the address means nothing. */
static void loom_cursor_set_page(struct loom_cursor *c)
{
	struct ttm_tt *tt = c->bo->ttm.ttm;
	u64 page = c->pos >> PAGE_SHIFT;

	if (page < tt->num_pages)
		c->addr = tt->dma_address[page];
}

/**
 * loom_cursor_init() - point at byte @pos of @bo
 * @c: the cursor
 * @bo: object, or NULL for SRAM
 * @pos: page aligned, inside
 */
void loom_cursor_init(struct loom_cursor *c, struct loom_bo *bo, u64 pos)
{
	*c = (struct loom_cursor) { .bo = bo, .pos = pos };
	if (!bo) {
		c->kind = LOOM_KIND_SRAM;
		c->addr = pos;
	} else if (bo->ttm.resource->mem_type == LOOM_PL_HBM) {
		c->kind = LOOM_KIND_HBM;
		loom_cursor_init_hbm(c, pos);
	} else {
		c->kind = LOOM_KIND_SYSTEM;
		loom_cursor_set_page(c);
	}
}

static void loom_cursor_advance_hbm(struct loom_cursor *c, u64 bytes)
{
	struct loom_hbm_resource *hres = to_loom_hbm_resource(c->bo->ttm.resource);

	while (bytes >= c->left) {
		bytes -= c->left;
		if (list_is_last(&c->block->link, &hres->blocks))
			return;
		loom_cursor_enter_block(c, list_next_entry(c->block, link), 0);
	}
	c->addr += bytes;
	c->left -= bytes;
}

/* Go on by @bytes, page aligned. */
void loom_cursor_advance(struct loom_cursor *c, u64 bytes)
{
	c->pos += bytes;
	switch (c->kind) {
	case LOOM_KIND_HBM:
		loom_cursor_advance_hbm(c, bytes);
		break;
	case LOOM_KIND_SYSTEM:
		loom_cursor_set_page(c);
		break;
	default:
		c->addr += bytes;
		break;
	}
}

static bool loom_cursor_pages_are_run(const struct loom_cursor *c, u64 bytes)
{
	struct ttm_tt *tt = c->bo->ttm.ttm;
	u64 page = c->pos >> PAGE_SHIFT;
	u64 i;

	if (page + (bytes >> PAGE_SHIFT) > tt->num_pages)
		return false;
	for (i = 0; i < bytes >> PAGE_SHIFT; i++)
		if (tt->dma_address[page + i] != c->addr + (i << PAGE_SHIFT))
			return false;
	return true;
}

/* Are the next @bytes contiguous for the card? */
bool loom_cursor_is_run(const struct loom_cursor *c, u64 bytes)
{
	switch (c->kind) {
	case LOOM_KIND_HBM:
		return bytes <= c->left;
	case LOOM_KIND_SYSTEM:
		return loom_cursor_pages_are_run(c, bytes);
	default:
		return true;
	}
}
