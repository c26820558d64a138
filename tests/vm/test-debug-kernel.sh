#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The debug kernel sees the mistakes that it is for, and a report of it fails the
# run of loom-vm: tests/debug/provoke makes one of each kind.
set -u
cd "$(dirname "$0")/../.." || exit
module=build/provoke
log=build/check/provoke
number=0

# reported NAME PATTERN - the run told of it
reported() {
	number=$((number + 1))
	if grep -qE "$2" $log.out; then
		echo "ok $number $1"
	else
		sed 's/^/# /' $log.out | tail -n 40
		echo "not ok $number $1"
	fi
}

echo "TAP version 13"
if [ "${LOOM_DEBUG_KERNEL-}" = 0 ]; then
	echo "1..1"
	echo "ok 1 the_debug_kernel_reports_mistakes # SKIP LOOM_DEBUG_KERNEL is 0"
	exit
fi
if ! kernel=$(tools/env/debug-kernel.sh --print-dir); then
	echo "Bail out! there is no debug kernel"
	exit 1
fi
mkdir -p $module build/check
cp -u tests/debug/provoke/* $module
if ! make -C "$kernel"/lib/modules/*/build M="$PWD/$module" modules >$log.build 2>&1; then
	sed 's/^/# /' $log.build
	echo "Bail out! provoke.ko does not build"
	exit 1
fi

echo "1..7"
# shellcheck disable=SC2016 # for the shell in the VM
tools/loom-vm --debug-kernel --no-driver --no-card --timeout 300 -- sh -c '
	for mistake in sleep shift signalling freed leak; do
		insmod build/provoke/provoke.ko mistake=$mistake
	done
	bash tests/debug/test-leaks.sh' >$log.out 2>&1
status=$?

reported sleep_in_atomic_context "BUG: sleeping function called from invalid context"
reported undefined_behaviour "UBSAN: shift-out-of-bounds"
reported allocation_in_the_fence_signalling_path "WARNING: possible circular locking"
reported use_after_free "BUG: KASAN: slab-use-after-free in read_freed_memory"
reported lost_memory "kmemleak: .* new suspected"
reported test_leaks_fails "^not ok 1 no_memory_is_lost"
echo "exit status $status" >>$log.out
reported the_run_fails "^exit status 70$"
