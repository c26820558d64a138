#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Every example runs over sim: and says what it should; the first program in
# the documentation is the one that runs.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
export ACCEL_DEVICE=sim:

# says NAME LINE - the example succeeds and prints the line
says() {
	build/bin/examples/"$1" | grep -qxF -- "$2" && [ "${PIPESTATUS[0]}" = 0 ]
	result $? "$1_runs"
}

examples=(libaccel/examples/*.c)

echo "TAP version 13"
echo "1..6"

says vector_add "999 + 0.5 = 999.5"
says gemm "largest error 0"
says custom_program "row 2: sum 14.23979, expected 14.23979"
says two_queues "round 4: sum 16384"
test "${#examples[@]}" = $number
result $? "no_example_is_left_out"

# The code block, without its indent, from the first #include on.
diff <(sed -n '/^   #include/,/^[^ ]/p' Documentation/first-program.rst |
		sed -e '/^[^ ]/d' -e 's/^   //' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}') \
	<(sed -n '/^#include/,$p' libaccel/examples/vector_add.c)
result $? "the_tutorial_shows_vector_add"
