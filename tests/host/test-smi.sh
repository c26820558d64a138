#!/bin/bash
# SPDX-License-Identifier: MIT
#
# accel-smi on a card of its own process, and without a card.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
smi=build/bin/accel-smi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset ACCEL_DEVICE LOOM_VISIBLE_DEVICES

# status N COMMAND...: the command's exit status is N; output to $tmp/out
status() {
	local want=$1 got
	shift
	"$@" >"$tmp/out" 2>&1
	got=$?
	[ $got = "$want" ] || { echo "# $*: exit $got, not $want"; sed 's/^/# /' "$tmp/out"; return 1; }
}

echo "TAP version 13"
echo "1..11"

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
	skip no_card_is_told_from_failure "this machine has accel devices"
else
	status 3 $smi validate && grep -q 'driver is not loaded' "$tmp/out" &&
		status 3 $smi && grep -q 'tools/loom-vm' "$tmp/out"
	result $? "no_card_is_told_from_failure"
fi

# What the driver writes, with a command that faults and lines that mean nothing.
cat >"$tmp/dump" <<'END'
---
format: loom-coredump 1
kernel: 6.12.0
reason: fault
device:
  bus: 0000:01:00.0
queue:
  id: 3
  context: 2
fault:
  job: 7
  error: 18
  opcode: 1
  cmd-index: 0
  access: 1
  address: 0x7000
  nonsense
mappings:
  - { va: 0x6000, size: 0x2000, kind: hbm, access: ro, offset: 0x0 }
  - { va: zzz }
commands:
  va: 0x100000
  size: 64
  data:
    00000000: 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
    00000020: 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
    00000090: ffffffff
END

status 0 $smi dump "$tmp/dump" && grep -q 'fault: job 7 of queue 3, context 2' "$tmp/out" &&
	grep -q 'write of 0x7000: { va: 0x6000' "$tmp/out" &&
	grep -q '1 mappings; 64 bytes of commands' "$tmp/out"
result $? "dump_is_explained"

status 0 $smi --json dump "$tmp/dump" && python3 - "$tmp/out" <<'END'
import json, sys
dump = json.load(open(sys.argv[1]))
sys.exit(not (dump["fault_job"] == 7 and dump["mapped"] and dump["commands"]))
END
result $? "dump_in_json"

echo "not a dump" >"$tmp/dump"
status 1 $smi dump "$tmp/dump" && grep -q 'not a dump' "$tmp/out"
result $? "file_that_is_no_dump_is_refused"

status 2 $smi dump && grep -q 'needs a file' "$tmp/out"
result $? "dump_without_file_is_wrong_usage"
