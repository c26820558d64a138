/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pages of buffer objects in system memory.
 */
#ifndef LOOM_TT_H
#define LOOM_TT_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct loom_device;
struct ttm_buffer_object;
struct ttm_device;
struct ttm_operation_ctx;
struct ttm_tt;

/**
 * struct loom_tts - which pages are mapped for the card
 */
struct loom_tts {
	/** @lock: protects @mapped and what it links */
	struct mutex lock;
	/** @mapped: every loom_tt whose own pages are mapped */
	struct list_head mapped;
};

int loom_tt_init(struct loom_device *ldev);
void loom_tt_unplug(struct loom_device *ldev);

struct ttm_tt *loom_tt_create(struct ttm_buffer_object *tbo, u32 page_flags);
int loom_tt_populate(struct ttm_device *ttm, struct ttm_tt *tt,
		     struct ttm_operation_ctx *ctx);
void loom_tt_unpopulate(struct ttm_device *ttm, struct ttm_tt *tt);
void loom_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt);

#endif
