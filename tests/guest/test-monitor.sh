#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the driver shows outside of its ioctls: sysfs, hwmon, debugfs, dumps, and
# that the documentation of sysfs is complete.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
dev=/sys/class/accel/accel0/device
abi=Documentation/ABI/testing/sysfs-driver-loom
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

explain() { cat "$tmp/out"; }

is_number() {
	[[ $(cat "$1" 2>&1) =~ ^[0-9]+$ ]] || { echo "$1: $(cat "$1")" >>"$tmp/out"; return 1; }
}

# Dumps of earlier tests are in the way, and the driver takes a rest between two.
forget_dumps() {
	local i
	for i in $(seq 12); do	# 6 s: LOOM_COREDUMP_PAUSE
		for dump in /sys/class/devcoredump/devcd*/data; do
			[ -e "$dump" ] && echo 1 >"$dump"
		done
		sleep 0.5
	done
}

# overtake COMMAND... - run it on a processor that the kernel's unbound workers share
# and get only when it sleeps
overtake() {
	local mask=/sys/devices/virtual/workqueue/cpumask all status
	all=$(cat $mask)
	echo 1 >$mask
	chrt --fifo 1 taskset -c 0 "$@"
	status=$?
	echo "$all" >$mask
	return $status
}

# fault_dump TEST - make a queue fail and wait for the dump
fault_dump() {
	local i
	# The program has ended before the driver's worker stops the queue.
	overtake build/bin/tests/test_fault "$1" >"$tmp/out" 2>&1 ||
		sed 's/^/# /' "$tmp/out"
	for i in $(seq 50); do
		dump=$(echo /sys/class/devcoredump/devcd*/data)
		[ -e "$dump" ] && break
		sleep 0.1
	done
	cat "$dump" >"$tmp/dump" 2>"$tmp/out" || sed 's/^/# /' "$tmp/out"
}

echo "TAP version 13"
echo "1..9"
: >"$tmp/out"

bad=0
for file in resets queue_resets lost_irqs bad_completions wedged; do
	is_number $dev/$file || bad=1
done
[[ $(cat $dev/unique_id) =~ ^[0-9a-f]{16}$ ]] || bad=1
[[ $(cat $dev/hw_version) =~ ^[0-9]+\.[0-9]+$ ]] || bad=1
result $bad "attributes_read_as_documented"

bad=0
for file in $(grep -oE 'DEVICE_ATTR_RO\([a-z_]+\)|LOOM_SYSFS_(REG64|STAT)\([a-z_]+' driver/loom_sysfs.c |
	      sed 's/.*(//; s/)//' | grep -v '^name$'); do
	grep -q "/$file\$" $abi || { echo "$file is not in $abi" >>"$tmp/out"; bad=1; }
done
result $bad "all_attributes_are_documented"

before=$(cat $dev/resets)
echo flr >$dev/reset_method && echo 1 >$dev/reset
[ "$(cat $dev/resets)" = $((before + 1)) ]
result $? "reset_is_counted"

if [ -d $dev/ras ]; then
	bad=0
	for file in ce_count ue_count ce_last_offset ue_last_offset retired_pages; do
		is_number $dev/ras/$file || bad=1
	done
	result $bad "ecc_counters_read"
else
	skip "ecc_counters_read" "this card has no LOOM_FEATURE_RAS"
fi

hwmon=$(echo $dev/hwmon/hwmon*)
if [ -d "$hwmon" ]; then
	bad=0
	for file in temp1_input temp1_crit power1_input energy1_input; do
		is_number "$hwmon/$file" || bad=1
	done
	[ "$(cat "$hwmon/name")" = loom ] || bad=1
	result $bad "sensors_read"
else
	skip "sensors_read" "this card has no LOOM_FEATURE_SENSORS"
fi

[ -d /sys/kernel/debug/accel ] || mount -t debugfs none /sys/kernel/debug
debug=$(dirname "$(ls /sys/kernel/debug/accel/*/rings | head -1)")
# A card asleep has no running queue.
echo on >$dev/power/control
bad=0
for file in rings contexts events slots; do
	cat "$debug/$file" >>"$tmp/out" 2>&1 || bad=1
done
grep -q '^queue 0: running' "$debug/rings" || bad=1
echo auto >$dev/power/control
result $bad "debugfs_files_read"

before=$(cat $dev/resets)
echo 1 >"$debug/reset" && [ "$(cat $dev/resets)" = $((before + 1)) ] &&
	build/bin/tests/test_fault a_new_queue_works_after_a_fault >"$tmp/out" 2>&1
result $? "card_works_after_reset_by_register"

forget_dumps
fault_dump unmapped_address_is_reported
build/bin/accel-smi dump "$tmp/dump" >"$tmp/out" 2>&1 &&
	grep -q 'fault: job 1' "$tmp/out" &&
	grep -q 'write of 0x7000000000: not mapped' "$tmp/out" &&
	grep -q '^=>.*COPY' "$tmp/out"
result $? "dump_of_a_fault_names_command_and_address"

build/bin/accel-smi --json dump "$tmp/dump" >"$tmp/json" 2>"$tmp/out" &&
	/usr/bin/python3 - "$tmp/json" >"$tmp/out" 2>&1 <<'END'
import json, sys
dump = json.load(open(sys.argv[1]))
assert dump["reason"] == "fault", dump
assert dump["fault_address"] == 0x7000000000 and not dump["mapped"], dump
assert dump["fault_cmd-index"] == 1 and dump["commands_size"] > 0, dump
assert any("COPY" in line for line in dump["commands"]), dump
END
result $? "dump_in_json"
