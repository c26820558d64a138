#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The fuzz targets (tests/fuzz): every input of the corpus, then a minute of
# fuzzing each, two at a time.  FUZZ_SMOKE sets another number of seconds.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
targets=$(tests/fuzz/run-fuzz.sh --list)
seconds=${FUZZ_SMOKE:-60}

# check_targets SUFFIX ARGS... - a run of all targets, one test for each
check_targets() {
	local suffix=$1 output target
	shift
	output=$(tests/fuzz/run-fuzz.sh "$@" 2>&1)
	sed 's/^/# /' <<<"$output"
	for target in $targets; do
		grep -q "^$target: .*nothing found$" <<<"$output"
		result $? "${target}_$suffix"
	done
}

skip_all() {
	echo "1..1"
	echo "# $1"
	echo "ok 1 fuzz # SKIP"
	exit 0
}

# Does clang link a fuzz target here?
have_libfuzzer() {
	local dir status
	dir=$(mktemp -d)
	echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return p && n > ~0ul - 1; }' |
		clang -fsanitize=fuzzer,address,undefined -x c -o "$dir/fuzz" - 2>/dev/null
	status=$?
	rm -r "$dir"
	return $status
}

echo "TAP version 13"
command -v clang >/dev/null ||
	skip_all "no clang; tools/env/packages.sh install fuzz"
have_libfuzzer ||
	skip_all "clang without libFuzzer; tools/env/packages.sh install fuzz"
echo "1..$((2 + 2 * $(wc -w <<<"$targets")))"

check "fuzz_targets_build" make --no-print-directory -s -j2 fuzz-targets
if ! why=$(qemu-device/build-qemu.sh --fuzz --print-path 2>&1 >/dev/null); then
	targets=${targets/ qemu/}
	echo "# $why --fuzz"
	for name in passes_its_corpus "finds_nothing_in_${seconds}_s"; do
		skip "qemu_$name" "reason above"
	done
fi
export FUZZ_TARGETS=$targets
check "corpus_passes_under_memory_sanitizer" make --no-print-directory -s -j2 check-msan
check_targets "passes_its_corpus" --replay
check_targets "finds_nothing_in_${seconds}_s" "$seconds"
