# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# TAP for suites in shell: they print the plan, and after each test its result.
# One that has more to say of a test that failed defines explain(), whose output
# follows.

number=0

# result STATUS NAME - the test's line
result() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
		return
	fi
	echo "not ok $number $2"
	if declare -F explain >/dev/null; then
		explain | sed 's/^/# /'
	fi
}

# skip NAME REASON - the line of a test that cannot run here
skip() {
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

# no_complaints NAME COMPLAINTS - the line of a test that passes when there are none
no_complaints() {
	[ -z "$2" ]
	result $? "$1"
	[ -z "$2" ] || sed 's/^/# /' <<<"$2"
}

# check NAME COMMAND... - one test; what the command printed is a comment
check() {
	local name=$1 output status
	shift
	output=$("$@" 2>&1)
	status=$?
	sed 's/^/# /' <<<"$output"
	result $status "$name"
}
