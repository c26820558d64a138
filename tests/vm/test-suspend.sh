#!/bin/bash
# SPDX-License-Identifier: MIT
#
# System suspend under load, 20 times.
# Files shared by 9p would be lost with their virtio device.
set -u
cd "$(dirname "$0")/../.." || exit

LOOM_TEST_SUSPEND=1 exec tools/loom-vm --no-share --timeout 600 \
	--append suspend.pm_test_delay=0 -- build/bin/tests/test_suspend
