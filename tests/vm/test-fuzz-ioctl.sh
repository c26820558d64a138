#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Two minutes of ioctls at random (tests/fuzz/ioctl) in a VM of their own, on the debug
# kernel unless LOOM_DEBUG_KERNEL is 0.  FUZZ_SMOKE sets another number of seconds.
cd "$(dirname "$0")/../.." || exit
kernel=--debug-kernel
[ "${LOOM_DEBUG_KERNEL-}" != 0 ] || kernel=
exec tests/fuzz/run-ioctl.sh $kernel "${FUZZ_SMOKE:-120}"
