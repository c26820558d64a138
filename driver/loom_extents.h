/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Where memory is, as the card sees it.
 */
#ifndef LOOM_EXTENTS_H
#define LOOM_EXTENTS_H

#include <linux/types.h>

struct loom_device;
struct ttm_resource;
struct ttm_tt;

/**
 * struct loom_extent - a piece that is contiguous for the card
 */
struct loom_extent {
	/** @addr: what a page table entry for its first byte says */
	u64 addr;
	/** @size: bytes, whole pages */
	u64 size;
};

/**
 * struct loom_extents - a range of an object, piece by piece
 */
struct loom_extents {
	/** @kind: LOOM_KIND_* of all pieces */
	u64 kind;
	/** @num: number of @extent */
	u32 num;
	/** @extent: the pieces, in the order of the object */
	struct loom_extent extent[] __counted_by(num);
};

struct loom_extents *loom_extents_of(struct loom_device *ldev,
				     struct ttm_resource *res, struct ttm_tt *tt,
				     u64 offset, u64 size);
struct loom_extents *loom_extents_of_sram(u64 offset, u64 size);
void loom_extents_free(struct loom_extents *x);

/**
 * struct loom_cursor - a position in extents
 */
struct loom_cursor {
	/** @extent: the piece, or the one behind the last */
	const struct loom_extent *extent;
	/** @end: behind the last piece */
	const struct loom_extent *end;
	/** @inside: bytes from the start of @extent */
	u64 inside;
};

void loom_cursor_init(struct loom_cursor *c, const struct loom_extents *x);
void loom_cursor_advance(struct loom_cursor *c, u64 bytes);
u64 loom_cursor_addr(const struct loom_cursor *c);
bool loom_cursor_is_run(const struct loom_cursor *c, u64 bytes);

#endif
