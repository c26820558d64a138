#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernels.sh [SUITE...] - the driver and its tests on the kernels of these suites
#
# Fetches each kernel, builds the driver for it with all warnings, boots it, runs
# the guest's suites, and prints a table.  Fails when a build warns or a test
# fails.  Logs are in build/kernels.  LOOM_KERNEL_TESTS picks guest suites by
# pattern; empty: build only.

set -u -o pipefail
cd "$(dirname "$0")/.." || exit
logs=build/kernels
wanted=${LOOM_KERNEL_TESTS-*}
status=0

[ $# -gt 0 ] || set -- bookworm-backports trixie trixie-backports sid
mkdir -p $logs

# Whose C library and compiler the suite's kernel needs; empty: this machine's.
build_suite() {
	local codename
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	case ${1%-backports} in
	"$codename") ;;
	*) echo "${1%-backports}" ;;
	esac
}

# Always anew: what was compiled before gives no warnings any more.
build() {
	local suite=$1 kernel root args=()
	kernel=$(tools/env/kernel.sh --suite "$suite" 2>$logs/"$suite"-kernel.log) || return
	root=$(build_suite "$suite")
	[ -z "$root" ] || args=(--in-suite "$root")
	tools/env/module.sh --out build/module-"$suite" --clean
	tools/env/module.sh --kernel "$kernel" --out build/module-"$suite" "${args[@]}" \
		>$logs/"$suite"-build.log 2>&1
}

# row SUITE - build and run; prints a line of the table
row() {
	local suite=$1 release warnings tests=-
	build "$suite" || { printf '%-20s %-22s %s\n' "$suite" - "does not build, see $logs"; return 1; }
	release=$(tools/env/kernel.sh --suite "$suite" --print-release)
	warnings=$(grep -ci 'warning' $logs/"$suite"-build.log)
	if [ -n "$wanted" ]; then
		tests/run --kernel "$suite" --only "$wanted" >$logs/"$suite"-tests.log 2>&1
		tests=$(tail -n 1 $logs/"$suite"-tests.log)
	fi
	printf '%-20s %-22s %8s  %s\n' "$suite" "$release" "$warnings" "$tests"
	[ "$warnings" = 0 ] && [[ $tests == - || $tests == *' 0 failed'* ]]
}

printf '%-20s %-22s %8s  %s\n' suite kernel warnings tests
for suite in "$@"; do
	row "$suite" || status=1
done
exit $status
