/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Page tables of one address space.
 */
#ifndef LOOM_MMU_H
#define LOOM_MMU_H

#include <linux/types.h>

struct loom_device;
struct loom_extents;
struct loom_mmu;

/**
 * struct loom_mmu_map - a range and what is behind it
 */
struct loom_mmu_map {
	/** @va: first device virtual address */
	u64 va;
	/** @end: first address behind the range */
	u64 end;
	/** @memory: what to map, as long as the range; not looked at by unmaps */
	struct loom_extents *memory;
	/** @readonly: the card may not write */
	bool readonly;
};

struct loom_mmu *loom_mmu_create(struct loom_device *ldev);
void loom_mmu_destroy(struct loom_mmu *mmu);
u64 loom_mmu_root(const struct loom_mmu *mmu);

int loom_mmu_prepare_window(struct loom_mmu *mmu, u64 va, u64 end);
int loom_mmu_prepare_map(struct loom_mmu *mmu, const struct loom_mmu_map *map);
int loom_mmu_prepare_unmap(struct loom_mmu *mmu, u64 va, u64 end);
void loom_mmu_write_map(struct loom_mmu *mmu, const struct loom_mmu_map *map);
void loom_mmu_write_unmap(struct loom_mmu *mmu, u64 va, u64 end);

#endif
