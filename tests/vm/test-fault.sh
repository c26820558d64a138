#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Faults from the host's tools/loom-fault to what the guest's kernel says, in one
# boot.  The guest runs what we write to it, line by line.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
top=$(pwd -P)
work=$(mktemp -d "$top/build/test-fault.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

explain() {
	tail -n 20 "$work/out"
	tail -n 25 "$log" 2>/dev/null | tr -d '\r' | sed 's/^/kernel: /'
}

# guest COMMAND... - run it there; its status
guest() {
	echo "$*" >&"${vm[1]}"
	local line
	while read -r -t 240 line <&"${vm[0]}"; do
		case $line in
		"status "*) return "${line#status }" ;;
		esac
		echo "$line" >>"$work/out"
	done
	return 255
}

fault() { tools/loom-fault --vm "$vm_pid" "$@" >>"$work/out" 2>&1; }

# logged TEXT - the kernel said so, now or soon
logged() {
	local i
	for ((i = 0; i < 100; i++)); do
		grep -q "$1" "$log" && return
		sleep 0.2
	done
	return 1
}

# struck NAME - the last fault of this name has done its work
struck() { tools/loom-fault --vm "$vm_pid" status | grep -q "$1.*struck [1-9]"; }

works() { guest build/bin/examples/gemm; }

echo "TAP version 13"
# The words that the tool knows are those of the card.
tools/loom-fault list | awk '{ print $1 }' | sort >"$work/tool"
grep -oE '^		"[a-z-]+"|\] = \{ "[a-z-]+"' qemu-device/core/inject_parse.c |
	grep -oE '[a-z-]+' | sort -u >"$work/card"
cmp -s "$work/tool" "$work/card"
result $? tool_and_card_know_the_same_faults

tools/loom-fault arm nonsense 2>"$work/out"
[ $? = 1 ] && grep -q "no fault 'nonsense'\|no VM runs\|several VMs" "$work/out"
result $? nonsense_is_refused

coproc vm { exec tools/loom-vm --driver-opts job_timeout_ms=2000 --timeout 800 \
	-- bash -c 'while read -r line; do eval "$line"; echo "status $?"; done'; }
vm_pid=$vm_PID
log=build/vm/$vm_pid.console.log

works
result $? card_works_at_first

fault arm irq-lost --count 3
works && struck irq-lost
result $? lost_interrupts_are_made_up_for

fault clear && fault arm irq-duplicate --count 5 && fault arm irq-late --delay 50
works && struck irq-duplicate
result $? duplicated_and_late_interrupts_do_no_harm

fault clear && fault arm ecc-corrected --count 0
works && struck ecc-corrected
result $? corrected_errors_do_no_harm

fault clear && fault arm hang
! works && struck hang
result $? hang_fails_the_program
works
result $? card_works_after_a_hang

fault clear && fault aer correctable
logged "AER: Correctable error message received from 0000:01:00.0"
result $? correctable_error_reaches_the_kernel
fault aer nonfatal --status 0x1000 --header 40000001.0000000f.fe000000.00000000
logged "AER: Uncorrectable (Non-Fatal) error message received from 0000:01:00.0" &&
	logged "TLP Header: 40000001 0000000f fe000000 00000000"
result $? nonfatal_error_reaches_the_kernel_with_its_header
works
result $? card_works_after_reported_errors

fault remove
logged "pciehp: Slot(1): Card not present" && ! guest test -e /dev/accel/accel0
result $? card_that_is_pulled_out_is_gone

exec {vm[1]}>&-
wait "$vm_pid"
result $? kernel_reported_no_problem
echo "1..$number"
