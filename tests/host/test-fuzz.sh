#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The fuzz targets (tests/fuzz): every input of the corpus, then some seconds of
# fuzzing each.  FUZZ_SMOKE sets how many.
set -u
cd "$(dirname "$0")/../.."
n=0
targets="mmio cmd pt asm"
seconds=${FUZZ_SMOKE:-10}

# check NAME COMMAND... - one test; what the command printed is a comment
check() {
	local name=$1 output status
	shift
	n=$((n + 1))
	output=$("$@" 2>&1)
	status=$?
	sed 's/^/# /' <<<"$output"
	if [ $status = 0 ]; then echo "ok $n $name"; else echo "not ok $n $name"; fi
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
echo "1..$((1 + 2 * $(wc -w <<<"$targets")))"

check "fuzz_targets_build" make --no-print-directory -s -j2 fuzz-targets
for target in $targets; do
	export FUZZ_TARGETS=$target
	check "${target}_passes_its_corpus" tests/fuzz/run-fuzz.sh --replay
	check "${target}_finds_nothing_in_${seconds}_s" tests/fuzz/run-fuzz.sh "$seconds"
done
