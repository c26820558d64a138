#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The memory tests again on a card whose BAR shows a quarter of its HBM, as the
# firmware of a host without Resizable BAR sets it up.
set -u
cd "$(dirname "$0")/../.." || exit

exec tools/loom-vm --timeout 900 --device-opts hbm-size=128M,bar-size=32M \
	--env LOOM_SMALL_BAR=1 -- build/bin/tests/test_evict
