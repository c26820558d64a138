#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The driver's KUnit suites that run on the host, see driver/tests/host/main.c.
set -u -o pipefail
cd "$(dirname "$0")/../.."

echo "TAP version 13"
build/asan/kunit/check_driver 2>&1 | tests/lib/ktap.sh
