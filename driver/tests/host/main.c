// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The suites that run on the host, under the address and undefined-behaviour
 * sanitizers.
 */
#include "loom_suites.h"

kunit_test_suites(&loom_pt_suite,
		  &loom_ring_index_suite,
		  &loom_sync_suite)
