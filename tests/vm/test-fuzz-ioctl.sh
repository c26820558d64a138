#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Two minutes of ioctls at random (tests/fuzz/ioctl) in a VM of their own.  FUZZ_SMOKE
# sets another number of seconds.
cd "$(dirname "$0")/../.." || exit
exec tests/fuzz/run-ioctl.sh "${FUZZ_SMOKE:-120}"
