/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The suites there are, each in a file of its name.
 */
#ifndef LOOM_SUITES_H
#define LOOM_SUITES_H

#include "loom_kunit.h"

extern struct kunit_suite loom_extents_suite;
extern struct kunit_suite loom_hbm_suite;
extern struct kunit_suite loom_mmu_suite;
extern struct kunit_suite loom_pt_suite;
extern struct kunit_suite loom_ring_index_suite;
extern struct kunit_suite loom_ring_suite;
extern struct kunit_suite loom_slots_suite;
extern struct kunit_suite loom_sync_suite;

#endif
