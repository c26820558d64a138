#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A page of HBM fails under a client: what it sees, and that nobody gets the page
# again.
set -u
cd "$(dirname "$0")/../.." || exit

LOOM_TEST_RAS=1 exec tools/loom-vm --timeout 600 \
	--device-opts 'hbm-size=128M,inject=ecc-uncorrected,,queue=1' \
	-- build/bin/tests/test_ras
