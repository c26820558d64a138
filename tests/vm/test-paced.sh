#!/bin/bash
# SPDX-License-Identifier: MIT
#
# timing=paced with -icount: the same program sees the same times twice, however
# many workers compute and however busy the host is.  The program is a guest
# without an operating system (paced-guest.c), which prints every time that it
# can see.
#
# QEMU itself is not quite exact there: its main loop may find the processor asleep
# before the instructions that led there are counted, and lets the clock jump to a
# deadline that lies some nanoseconds late then.  One boot in some hundreds shows it,
# so one that differs gets two more tries.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

echo "TAP version 13"
qemu=${LOOM_QEMU:-$(qemu-device/build-qemu.sh --print-path)} || {
	echo "Bail out! QEMU with the loom device is not built"
	exit 1
}

gcc -m32 -march=i686 -ffreestanding -fno-pic -no-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -mno-sse -O1 -Wall -Wextra -Werror \
	-nostdlib -static -Wl,-n,-Ttext-segment=0x100000,--build-id=none,-e,entry \
	-Wl,--no-warn-rwx-segments -Iuapi -o "$dir/guest" tests/vm/paced-guest.c
result $? the_guest_compiles

# boot OUTPUT PROPERTIES ARGUMENT... - run the guest
boot() {
	local output=$1 properties=$2
	shift 2
	timeout 120 "$qemu" -L /usr/share/qemu -L /usr/share/seabios \
		-nodefaults -no-user-config -display none -no-reboot \
		-machine q35,hpet=off -accel tcg,thread=single -m 128 \
		-kernel "$dir/guest" -serial "file:$dir/$output" \
		-device pcie-root-port,id=rp0 \
		-device "loom,bus=rp0,hbm-size=64M,timing=paced$properties" \
		"$@" >"$dir/$output.log" 2>&1
	grep -q '^end' "$dir/$output" && return
	sed 's/^/# /' "$dir/$output.log" "$dir/$output" 2>/dev/null | head -n 20
	return 1
}

# same A B NAME - the guest printed the same in two runs
same() {
	cmp -s "$dir/$1" "$dir/$2"
	result $? "$3"
	diff "$dir/$1" "$dir/$2" | sed 's/^/# /' | head -n 10
}

# again A B NAME PROPERTIES ARGUMENT... - another run B prints what run A did
again() {
	local a=$1 b=$2 name=$3
	shift 3
	for _ in 1 2 3; do
		boot "$b" "$@"
		cmp -s "$dir/$a" "$dir/$b" && break
	done
	same "$a" "$b" "$name"
}

# settle OUTPUT PROPERTIES ARGUMENT... - a run that is no exception: two were the same
settle() {
	local output=$1
	shift
	boot "$output" "$@" || return
	for _ in 1 2 3; do
		cp "$dir/$output" "$dir/before"
		boot "$output" "$@" || return
		cmp -s "$dir/before" "$dir/$output" && return
	done
	return 1
}

# relative OUTPUT - its rounds in cycles since the first job began
relative() {
	python3 - "$dir/$1" >"$dir/$1.relative" <<'PY'
import re, sys
for line in open(sys.argv[1]):
    if line.startswith("submitted"):
        times = [int(t, 16) for t in
                 re.findall(r"(?:start|end|stamp) ([0-9a-f]+)", line)]
        print(*[t - min(times) for t in times])
PY
	[ "$(wc -l <"$dir/$1.relative")" = 8 ]
}

exact="-icount shift=1,sleep=off"
# shellcheck disable=SC2086 # options are words
{
	settle first "" $exact
	result $? the_guest_runs_its_jobs
	again first second the_same_times_twice "" $exact
	again first none the_same_times_without_workers ,workers=0 $exact
	again first two the_same_times_with_two_workers ,workers=2 $exact
	( while :; do :; done ) &
	busy=$!
	again first busy the_same_times_on_a_busy_host ,workers=2 $exact
	kill "$busy"
	# There QEMU's clock follows the host's while the guest idles, so only what
	# lies between two doorbells and their jobs' ends is the same; in cycles of
	# 1 ns, for the doorbells' own times are rounded to cycles.
	boot asleep ,clock-khz=1000000 -icount shift=1,sleep=on
	boot again ,clock-khz=1000000,workers=2 -icount shift=1,sleep=on
	relative asleep
	relative again
	same asleep.relative again.relative \
		the_same_job_times_when_the_guest_sleeps_in_real_time
	settle scaled ,time-scale=10 $exact
	again scaled rescaled the_same_times_on_a_slower_clock \
		,time-scale=10,workers=0 $exact
	! cmp -s "$dir/first" "$dir/scaled"
	result $? another_clock_makes_other_times
}

# What the times say: a round's jobs end in order, and wake the guest then.
python3 - "$dir/first" <<'PY'
import re, sys

CYCLE_NS = 1e6 / 1400000
lines = open(sys.argv[1]).read().splitlines()
rounds = [l for l in lines if l.startswith("submitted")]
assert len(rounds) == 8, rounds
for line in rounds:
    words = line.split()
    tsc = {}
    queues = []
    for name, value in zip(words[::2], words[1::2]):
        if name == "queue":
            queues.append({})
        (queues[-1] if queues else tsc)[name] = int(value, 16)
    for q in queues:
        assert q["error"] == 0, line
        assert q["start"] < q["stamp"] < q["end"], line
        assert q["end"] <= tsc["time"], line
    # They overlap, so together they take less than one after the other.
    both = max(q["end"] for q in queues) - min(q["start"] for q in queues)
    assert both < sum(q["end"] - q["start"] for q in queues), line
    assert tsc["woke"] >= max(q["irq"] for q in queues), line
counters = [int(v, 16) for v in
            next(l for l in lines if l.startswith("counters")).split()[1:]]
assert counters[0] == sum(counters[1:8]), counters
assert counters[7] > 0 and counters[15] == 16 and counters[16] == 0, counters
print(f"# {counters[7] / counters[0]:.1%} of {counters[0]} cycles idle")
PY
result $? jobs_overlap_and_counters_add_up

echo "1..$number"
