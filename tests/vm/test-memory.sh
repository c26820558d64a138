#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Memory tests that need a card with little HBM, of which the CPU sees only a
# part: objects are pushed out, come back, and are moved to where the CPU sees
# them.
set -u
cd "$(dirname "$0")/../.." || exit

exec tools/loom-vm --timeout 900 --device-opts hbm-size=128M \
	--driver-opts 'hbm_visible_mb=48' --env LOOM_SMALL_BAR=1 -- build/bin/tests/test_evict
