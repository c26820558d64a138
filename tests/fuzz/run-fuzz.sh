#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run-fuzz.sh - run the fuzz targets in build/fuzz, and QEMU's on the card
#
# Each starts from its inputs in tests/fuzz/corpus.  What it finds on the way is
# kept in build/fuzz/corpus, what breaks it in build/fuzz/crashes.
set -u
cd "$(dirname "$0")/../.." || exit

all="mmio cmd pt vec state asm qemu"
targets=${FUZZ_TARGETS:-$all}
at_once=${FUZZ_JOBS:-2}
build=build/fuzz
seeds=tests/fuzz/corpus

usage() {
	cat <<USAGE
usage: run-fuzz.sh SECONDS   fuzz each target for so long, $at_once at a time
       run-fuzz.sh --replay  run each once on all inputs of $seeds
       run-fuzz.sh --merge   add to $seeds what reaches new code
       run-fuzz.sh --list    name the targets

FUZZ_TARGETS="mmio pt" picks targets, FUZZ_JOBS=1 how many run at a time.
The target "qemu" needs qemu-device/build-qemu.sh --fuzz.
USAGE
}

# An input that hangs is a finding like a crash.  One that works may take a second of
# a processor, and on a busy host ten until it has got that.
options=(-timeout=40 -malloc_limit_mb=64 -print_final_stats=1)
export UBSAN_OPTIONS=print_stacktrace=1

# The machine for QEMU's fuzzer: HBM begins as qemu-hbm.py makes it.  On the
# root bus, for the fuzzer finds nothing behind a bridge.
export QEMU_FUZZ_OBJECTS="loom*"
export QEMU_FUZZ_ARGS="-machine q35 -nodefaults \
-object memory-backend-file,id=hbm,mem-path=$build/qemu.hbm,size=16M,share=off \
-device loom,hbm=hbm,sram-size=2M,num-queues=4,num-contexts=4,workers=0"

# command_of TARGET - fill in program
command_of() {
	if [ "$1" = qemu ]; then
		program=("$(qemu-device/build-qemu.sh --fuzz --print-path)"
			--fuzz-target=generic-fuzz -max_len=4096
			-rss_limit_mb=2048 -detect_leaks=0 -dict=tests/fuzz/qemu.dict)
		tests/fuzz/qemu-hbm.py "$build/qemu.hbm"
	else
		program=("$build/fuzz_$1" -max_len=768 -len_control=20
			-rss_limit_mb=1024)
	fi
}

# fuzz TARGET ARGS... - one run; its output in a log
fuzz() {
	local target=$1 program
	shift
	mkdir -p "$build/crashes" "$build/corpus/$target"
	command_of "$target"
	nice -n 15 "${program[@]}" "${options[@]}" \
		"-artifact_prefix=$build/crashes/$target-" "$@" \
		>"$build/$target.log" 2>&1
}

executions() {
	sed -n 's/^stat::number_of_executed_units: *//p' "$build/$1.log"
}

# report TARGET STATUS - a line, and the finding if there is one
report() {
	local count
	count=$(executions "$1")
	if [ "$2" -eq 0 ]; then
		echo "$1: ${count:-?} executions, nothing found"
		return
	fi
	echo "$1: ${count:-?} executions, FAILED; from $build/$1.log:"
	grep -aE 'ERROR|runtime error|not so|^ *#[0-9] |Test unit written|Assertion' "$build/$1.log" |
		head -n 15
	tail -n 5 "$build/$1.log"
	return 1
}

# one TARGET ARGS... - a run and its report
one() {
	fuzz "$@"
	report "$1" $?
}

# each ARGS... - all targets with these arguments; counts those that failed
each() {
	local target failed=0 running=0
	for target in $targets; do
		if [ $running -ge "$at_once" ]; then
			wait -n || failed=$((failed + 1))
			running=$((running - 1))
		fi
		one "$target" "$@" "$build/corpus/$target" "$seeds/$target" &
		running=$((running + 1))
	done
	while [ $running -gt 0 ]; do
		wait -n || failed=$((failed + 1))
		running=$((running - 1))
	done
	echo "fuzzing: $(wc -w <<<"$targets") targets, $failed failed"
	[ $failed -eq 0 ]
}

replay() {
	local target failed=0
	for target in $targets; do
		one "$target" -runs=0 "$seeds/$target" || failed=$((failed + 1))
	done
	[ $failed -eq 0 ]
}

# Edges only: counts of iterations would multiply the files.
merge() {
	local target
	for target in $targets; do
		fuzz "$target" -merge=1 -use_counters=0 "$seeds/$target" \
			"$build/corpus/$target" || return
		echo "$target: $(find "$seeds/$target" -type f | wc -l) inputs"
	done
}

case ${1:-} in
-h | --help) usage ;;
--list) echo "$all" ;;
--replay) replay ;;
--merge) merge ;;
[1-9]*) each "-max_total_time=$1" ;;
*) usage >&2; exit 2 ;;
esac
