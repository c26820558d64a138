#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The driver's KUnit suites in the kernel: by KUnit where the kernel has it, and
# by compat/loom_kunit.h otherwise.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit
. tests/lib/module.sh

skip() {
	echo "ok 1 kunit # SKIP $1"
	exit
}

echo "TAP version 13"
module=$(module_here loom_kunit) || skip "no loom_kunit.ko for $(uname -r): build it with tools/env/module.sh"
mark="kunit-$$-$RANDOM"
echo "$mark" >/dev/kmsg
if ! insmod "$module"; then
	echo "not ok 1 the module loads"
	exit 1
fi
rmmod loom_kunit
dmesg --notime | sed "1,/$mark/d" | sed 's/^\[ *T[0-9]*\] *//' >build/check/kunit.ktap
if grep -q 'kunit: disabled' build/check/kunit.ktap; then
	echo "not ok 1 KUnit is enabled: boot with kunit.enable=1"
	exit 1
fi
tests/lib/ktap.sh <build/check/kunit.ktap
