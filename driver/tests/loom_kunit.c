// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Unit tests
 *
 * loom_kunit.ko tests parts of the driver without a card.  A suite includes the
 * file that it tests, so it sees what is static there, and neither exports
 * symbols from loom.ko nor needs it loaded; what such a file calls in the rest
 * of the driver is replaced by loom_fake.c, which has HBM, registers and
 * doorbells in system memory.
 *
 * The suites are written for KUnit and run three ways: by KUnit on the debug
 * kernel; by the substitute in compat/loom_kunit.h on kernels without it; and
 * those that need no kernel interfaces, or few, on the host under sanitizers,
 * see host/main.c.
 */
#include <linux/module.h>

#include "loom_suites.h"

kunit_test_suites(&loom_extents_suite,
		  &loom_hbm_suite,
		  &loom_mmu_suite,
		  &loom_pt_suite,
		  &loom_ring_index_suite,
		  &loom_ring_suite,
		  &loom_slots_suite,
		  &loom_sync_suite);

MODULE_DESCRIPTION("Unit tests of the Loom driver");
MODULE_LICENSE("Dual MIT/GPL");
