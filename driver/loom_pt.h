/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Page table entries: arithmetic only.
 */
#ifndef LOOM_PT_H
#define LOOM_PT_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#endif

#include <loom/loom_regs.h>

__u64 loom_pt_table(__u64 addr);
__u64 loom_pt_leaf(__u64 kind, __u64 addr, bool huge, bool readonly);
__u64 loom_pt_split(__u64 huge, unsigned int index);
bool loom_pt_is_valid(__u64 pte);
bool loom_pt_is_huge(__u64 pte);
unsigned int loom_pt_index(__u64 va, unsigned int level);
__u64 loom_pt_region_end(__u64 va, __u64 end);

#endif
