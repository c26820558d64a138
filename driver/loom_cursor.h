/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A walk through memory that the card can address.
 */
#ifndef LOOM_CURSOR_H
#define LOOM_CURSOR_H

#include <linux/types.h>

#include "loom_compat.h"

struct loom_bo;

/**
 * struct loom_cursor - a position in a buffer object, or in SRAM
 */
struct loom_cursor {
	/** @kind: LOOM_KIND_* */
	u64 kind;
	/** @addr: what a page table entry for this position says */
	u64 addr;
	/** @bo: the object, NULL for SRAM */
	struct loom_bo *bo;
	/** @pos: bytes from the start of the object */
	u64 pos;
	/** @block: HBM: block of @pos */
	struct gpu_buddy_block *block;
	/** @left: HBM: bytes from @pos to the end of @block */
	u64 left;
};

void loom_cursor_init(struct loom_cursor *c, struct loom_bo *bo, u64 pos);
void loom_cursor_advance(struct loom_cursor *c, u64 bytes);
bool loom_cursor_is_run(const struct loom_cursor *c, u64 bytes);

#endif
