#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The core's tests with threads under ThreadSanitizer.  `make check-tsan` runs
# the longer ones, too.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh

programs="check_queue check_mmu"
export CK_FORK=no TSAN_OPTIONS=halt_on_error=1

echo "TAP version 13"
echo "1..$((1 + $(wc -w <<<"$programs")))"
check "programs_build" make --no-print-directory -s -j2 \
	$(printf 'build/tsan/tests/%s ' $programs)
for program in $programs; do
	check "${program}_has_no_data_race" "build/tsan/tests/$program"
done
