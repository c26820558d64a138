#!/bin/bash
# SPDX-License-Identifier: MIT
#
# accel-smi on a card of its own process, and without a card.
set -u
cd "$(dirname "$0")/../.."
n=0
smi=build/bin/accel-smi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset ACCEL_DEVICE LOOM_VISIBLE_DEVICES

result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n $2"; else echo "not ok $n $2"; fi
}

# status N COMMAND...: the command's exit status is N; output to $tmp/out
status() {
	local want=$1 got
	shift
	"$@" >"$tmp/out" 2>&1
	got=$?
	[ $got = "$want" ] || { echo "# $*: exit $got, not $want"; sed 's/^/# /' "$tmp/out"; return 1; }
}

echo "TAP version 13"
echo "1..7"

status 0 $smi --help && grep -q validate "$tmp/out"
result $? "help_names_the_commands"

status 2 $smi frobnicate && grep -q "no command 'frobnicate'" "$tmp/out"
result $? "unknown_command_is_wrong_usage"

status 0 $smi -d sim:hbm=64M,arrays=2,rows=64,cols=32 &&
	grep -q '/ 64 MiB' "$tmp/out" && grep -q '2 of 64x32' "$tmp/out"
result $? "show_tells_the_parameters"

status 0 $smi -d sim: --json && python3 - "$tmp/out" <<'END'
import json, sys
card = json.load(open(sys.argv[1]))["cards"][0]
cycles = card["cycles"]
assert card["usable"] and card["num_arrays"] == 4
assert cycles.pop("total") == sum(cycles.values())
END
result $? "json_is_json_and_cycles_add_up"

status 0 $smi -d sim: validate && grep -q '6 of 6 checks passed' "$tmp/out"
result $? "validate_passes"

status 1 $smi -d sim:hbm=17 && grep -q 'hbm' "$tmp/out"
result $? "bad_option_is_explained"

if [ -e /sys/class/accel ]; then
	n=$((n + 1))
	echo "ok $n no_card_is_told_from_failure # SKIP this machine has accel devices"
else
	status 3 $smi validate && grep -q 'driver is not loaded' "$tmp/out" &&
		status 3 $smi && grep -q 'tools/loom-vm' "$tmp/out"
	result $? "no_card_is_told_from_failure"
fi
