#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The checks of the debug kernel are on.  Lockdep turns itself off when it runs out
# of room, and at any report; then what ran before this test was not all checked.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh

echo "TAP version 13"
echo "1..5"

grep -q 'debug_locks: *1$' /proc/lockdep_stats
result $? lockdep_is_still_on

grep -q 'T dma_fence_begin_signalling$' /proc/kallsyms
result $? fence_signalling_is_checked

dmesg | grep -q 'kasan: KernelAddressSanitizer initialized'
result $? kasan_is_on

# Without, tests of recovery are skipped.
[ -e /sys/class/accel/accel0/device/aer_dev_fatal ] &&
	compgen -G '/sys/bus/pci/slots/*' >/dev/null
result $? errors_and_hotplug_of_pcie_are_the_kernels

# A program's next allocation fails on demand.
/usr/bin/python3 - <<'PYTHON'
import errno
import os

WAITING = "/sys/kernel/debug/failslab/ignore-gfp-wait"


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


write(WAITING, "N")
nth = os.open("/proc/thread-self/fail-nth", os.O_WRONLY)
try:
    os.write(nth, b"1")
    os.eventfd(0)
    error = 0
except OSError as failure:
    error = failure.errno
finally:
    os.write(nth, b"0")
    write(WAITING, "Y")
raise SystemExit(error != errno.ENOMEM)
PYTHON
result $? allocations_fail_on_demand
