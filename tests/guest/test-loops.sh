#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The driver comes and goes, again and again: bound and unbound, loaded and unloaded,
# and the card taken away while programs work.  Each time the card works afterwards,
# and in the end memory and threads are as they were.
#
# LOOM_LOOPS sets how often; the full numbers are 100, and 50 for the last.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
. tests/lib/module.sh
loops=${LOOM_LOOPS:-5}
unplugs=${LOOM_UNPLUGS:-$loops}
slot=$(basename "$(readlink -f /sys/class/accel/accel0/device)")
driver=/sys/bus/pci/drivers/loom
node=/dev/accel/accel0
debug=/sys/kernel/debug
slack=8192	# KiB that the kernel's caches may have grown by
out=$(mktemp)
trap 'rm -f "$out" "$out.load"' EXIT

explain() { cat "$out"; }

# eventually COMMAND... - wait for a condition, a minute at most
eventually() {
	local i
	for i in $(seq 600); do
		"$@" && return
		sleep 0.1
	done
	echo "never: $*" >>"$out"
	return 1
}

gone() { [ ! -e $node ]; }
# The load looks into debugfs, where two cards cannot have one name.
forgotten() { gone && [ ! -e "$debug/accel/$slot" ]; }
there() { [ -c $node ]; }
no_load() { ! pgrep -x test_soak >/dev/null; }
# It starts eight, and some end all the time.
load_works() { [ "$(pgrep -xc test_soak)" -gt 2 ]; }

card_works() {
	eventually there &&
		build/bin/tests/test_queue submit_case_works_unspoilt >>"$out" 2>&1
}

# What is left of jobs that failed stays for minutes, whether there is a card or not.
forget_dumps() {
	local dump
	for dump in /sys/class/devcoredump/devcd*/data; do
		[ ! -e "$dump" ] || echo 1 >"$dump"
	done
}

# KiB that cannot be taken back, as far as it is the kernel's own
memory() {
	forget_dumps
	awk '/^(SUnreclaim|KernelStack|PageTables|VmallocUsed|Percpu):/ { sum += $2 }
	     END { print sum }' /proc/meminfo
}

# The kernel's threads, but for workers that come and go as it likes
threads() { ps --ppid 2 -o comm= | grep -vc '^kworker/[0-9u]'; }
threads_returned() { [ "$(threads)" -le "$threads_before" ]; }

# often COUNT ROUND - a round to begin with, then COUNT with a look at what is left
often() {
	local i memory_before memory_after
	: >"$out"
	"$2" || return
	threads_before=$(threads)
	memory_before=$(memory)
	for i in $(seq "$1"); do
		"$2" || { echo "round $i of $1" >>"$out"; return 1; }
	done
	eventually threads_returned || return
	memory_after=$(memory)
	echo "# $1 times: $threads_before threads, $memory_before KiB before, $memory_after KiB after"
	[ $((memory_after - memory_before)) -lt $slack ]
}

bind_round() {
	echo "$slot" >$driver/unbind && eventually gone && echo "$slot" >$driver/bind &&
		card_works
}

# The fences of the program before may be in use for a moment yet.
unload() { rmmod loom 2>>"$out"; }

load_round() {
	eventually unload && eventually gone && insmod "$module" "${parameters[@]}" && card_works
}

# It once ended before it had begun, on a busy machine and unheard: a load that does not
# start says why, and is started again.
start_load() {
	local i try
	for try in 1 2 3; do
		LOOM_SOAK_JOBS=100000000 build/bin/tests/test_soak >"$out.load" 2>&1 &
		for i in $(seq 200); do
			load_works && return
			kill -0 $! 2>/dev/null || break
			sleep 0.1
		done
		sed "s/^/# load, try $try: /" "$out.load"
		pkill -KILL -x test_soak
		wait
	done
	echo "the load does not start" >>"$out"
	return 1
}

unplug_round() {
	start_load && sleep 0.2 && echo 1 >/sys/bus/pci/devices/"$slot"/remove
	local status=$?
	eventually no_load || { pkill -KILL -x test_soak; status=1; }
	wait
	eventually forgotten || status=1
	echo 1 >/sys/bus/pci/rescan
	card_works && return $status
}

[ -d $debug/accel ] || mount -t debugfs none $debug

echo "TAP version 13"
echo "1..3"
often "$loops" bind_round
result $? "card_works_after_each_bind"

if module=$(module_here loom); then
	parameters=()
	for file in /sys/module/loom/parameters/*; do
		parameters+=("$(basename "$file")=$(cat "$file")")
	done
	often "$loops" load_round
	result $? "card_works_after_each_load"
else
	skip card_works_after_each_load "no loom.ko in build/ is for $(uname -r)"
fi

often "$unplugs" unplug_round
result $? "card_works_after_each_removal_under_load"
