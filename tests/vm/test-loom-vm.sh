#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tools/loom-vm itself: what a command gets and gives back, and that every way
# to end leaves no QEMU behind.  Boots the stock kernel about ten times, mostly
# without card and driver, which other suites test.
# shellcheck disable=SC2016 # $ and ` are to arrive unexpanded
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
top=$(pwd -P)
loom_vm=$top/tools/loom-vm
work=$(mktemp -d "$top/build/test-loom-vm.XXXXXX") || exit 1
trap clean_up EXIT
running=

# A process that ended must not be killed: its number may be another's by now.
# A child that a signal meets between fork and exec gets here as well, once in a
# thousand times: what it would clean up is still in use.
clean_up() {
	[ "$BASHPID" = $$ ] || return
	if [ -n "$running" ]; then
		kill "$running"
	fi
	rm -rf "$work"
}

explain() {
	echo "exit status: $status"
	sed 's/^/stdout: /' "$work/out" | head -n 20
	sed 's/^/stderr: /' "$work/err" | head -n 40
}

# start ARGUMENT... - loom-vm in the background; sets $pid
start() {
	"$loom_vm" "$@" <&0 >"$work/out" 2>"$work/err" &
	pid=$! running=$!
}

# finish - wait for it; sets $status
finish() {
	wait "$pid" 2>/dev/null
	status=$?
	running=
}

bare() {
	start --no-card --no-driver "$@"
	finish
}

# qemu_is_gone - no QEMU that writes the log of our last run
qemu_is_gone() {
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		pgrep -f "path=$top/build/vm/$pid\\.console" >/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# wait_for TEXT - until loom-vm has printed it
wait_for() {
	local i
	for ((i = 0; i < 600; i++)); do
		grep -q "$1" "$work/out" && return
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

out_has() { grep -qxF -- "$1" "$work/out"; }
err_has() { grep -qF -- "$1" "$work/err"; }
returned() { [ "$status" -eq "$1" ] && qemu_is_gone; }

echo "TAP version 13"
echo "1..26"

# What a command gets and gives back, all in one boot.
cat >"$work/inside.sh" <<'INSIDE'
printf 'argument <%s>\n' "$@"
echo "uid $(id -u) in $PWD"
echo "LOOM_TEST is $LOOM_TEST, OTHER is ${OTHER-unset}, LOOM_VM is $LOOM_VM"
echo "to stderr" >&2
echo "to /dev/stderr" >/dev/stderr
echo shared >"$(dirname "$0")/shared"
echo lost >/etc/loom-vm-test-lost
cat /etc/loom-vm-test-lost
md5sum
exit 37
INSIDE
seq 100000 >"$work/in"
export LOOM_TEST='a  b' OTHER=other
bare -- sh "$work/inside.sh" '' 'a b' "quote ' \" \\" '$HOME `x` *' $'line\nbreak' 'é%s' <"$work/in"

returned 37
result $? "exit_status_passes_through"
out_has 'argument <>' && out_has 'argument <a b>' &&
	out_has "argument <quote ' \" \\>" && out_has 'argument <$HOME `x` *>' &&
	out_has 'argument <line' && out_has 'break>' && out_has 'argument <é%s>'
result $? "arguments_survive_unchanged"
out_has "uid 0 in $top"
result $? "command_runs_as_root_in_the_project"
out_has "LOOM_TEST is a  b, OTHER is unset, LOOM_VM is 1"
result $? "named_variables_and_no_others_are_passed"
[ "$(cat "$work/err")" = "to stderr
to /dev/stderr" ]
result $? "stderr_is_apart_and_carries_nothing_else"
out_has "$(md5sum <"$work/in")"
result $? "stdin_arrives_whole_and_ends"
[ "$(cat "$work/shared" 2>/dev/null)" = shared ]
result $? "project_is_shared_read_write"
out_has lost && [ ! -e /etc/loom-vm-test-lost ]
result $? "writes_elsewhere_are_lost"

bare -- "$work/no such program"
returned 127 && err_has "$work/no such program: No such file or directory"
result $? "missing_program_is_127"

bare -- sh -c 'kill -SEGV $$'
returned 139
result $? "signal_to_the_command_is_128_plus_it"

# The ends that are not the command's.
bare --timeout 5 -- sleep 1000
returned 124 && err_has "timeout"
result $? "timeout_ends_the_vm"

for signal in INT TERM; do
	start --no-card --no-driver -- sh -c 'echo started; sleep 1000'
	wait_for started && kill -$signal $pid
	finish
	returned $((128 + $(kill -l $signal)))
	result $? "sig${signal,,}_ends_the_vm"
done

start --no-card --no-driver -- sh -c 'echo started; sleep 1000'
wait_for started && kill -KILL $pid
finish
returned 137
result $? "qemu_does_not_outlive_a_killed_loom_vm"

bare -- sh -c 'echo c >/proc/sysrq-trigger; sleep 1000'
returned 70 && err_has "Kernel panic - not syncing: sysrq triggered crash" &&
	err_has "kernel log: build/vm/$pid.console.log"
result $? "panic_is_reported_and_ends_the_vm"

bare -- sh -c 'echo "WARNING: CPU: 0 PID: 1 at loom/selftest" >/dev/kmsg; echo done'
returned 70 && out_has "done" && err_has "WARNING: CPU: 0 PID: 1 at loom/selftest"
result $? "kernel_warning_fails_a_command_that_succeeded"

bare -- sh -c 'echo "a note; WARNING: not at the start" >/dev/kmsg'
returned 0
result $? "other_lines_in_the_kernel_log_do_not_fail"
grep -q "WARNING: not at the start" "$top/build/vm/$pid.console.log" &&
	grep -q "end of command $pid" "$top/build/vm/$pid.console.log"
result $? "kernel_log_is_kept_up_to_the_command_s_end"

# Any module that is not the card's driver will do.
kernel=$("$top/tools/env/kernel.sh" --print-dir)
xz -dc "$kernel"/lib/modules/*/kernel/drivers/net/dummy.ko.xz >"$work/dummy.ko"
start --module "$work/dummy.ko" -- true
finish
returned 125 && err_has "/dev/accel/accel0 did not appear" &&
	err_has "1 are on the PCI bus and 0 have a driver bound"
result $? "missing_device_node_is_explained"

start --module "$work/nosuch.ko" -- true
finish
returned 125 && err_has "run tools/env/module.sh"
result $? "missing_driver_is_explained"

start ls -l
finish
returned 125 && err_has "write -- before the command"
result $? "command_without_dashes_is_explained"

start --dry-run --cards 2 --device-opts hbm-size=2G
finish
returned 0 && grep -qF "loom,bus=rp1,id=card1,hbm-size=2G" "$work/out"
result $? "dry_run_prints_each_card"

LOOM_VM_OPTIONS="--append 'a=1 b'" start --dry-run
finish
returned 0 && grep -qF "a=1 b" "$work/out"
result $? "options_come_from_the_environment_as_well"

bare --no-share --add "$work/in" -- /bin/sh -c \
	'read -r line <"$0"; echo "first: $line"; [ -e /usr ] && echo shared; exit 9' "$work/in"
returned 9 && out_has "first: 1" && ! out_has shared
result $? "vm_without_shares_has_what_was_added"

bare --add "$work/in" -- true
returned 125 && err_has "--add needs --no-share"
result $? "option_without_its_companion_is_explained"

# A shell on a terminal.  The fifo has no end while we have it open, for script
# would pass that on as Ctrl-D.
mkfifo "$work/keys"
exec 3<>"$work/keys"
printf 'stty size; tty; test -t 2 && echo terminal; exit 5\n' >&3
SHELL=/bin/sh script -qefc "stty rows 33 cols 99; '$loom_vm' --no-card --no-driver" \
	/dev/null <&3 >"$work/out" 2>"$work/err" &
pid=$! running=$!
finish
exec 3>&-
tr -d '\r' <"$work/out" >"$work/lines" && mv "$work/lines" "$work/out"
[ "$status" -eq 5 ] && grep -q "33 99" "$work/out" && grep -q "^/dev/pts/" "$work/out" &&
	out_has terminal
result $? "without_command_a_shell_on_a_terminal"
