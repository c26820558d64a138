#!/bin/bash
# SPDX-License-Identifier: MIT
#
# setup.sh - everything `make run` and `make check` need, in order
#
# Installs missing packages, fetches the guest kernel while QEMU builds, builds
# QEMU with the card, the programs and the driver.  Every step says what it is,
# where its log is and how long it took; a step that is done costs next to
# nothing the next time.

set -eu -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
logs=build/log
step=0

usage() {
	cat <<USAGE
usage: setup.sh [--debug-kernel | --suites PATTERN] [TARGET...]

Gets this machine ready to run Loom.  TARGET is what make builds in the step
"programs" (default: all).

  --debug-kernel      also the kernel with debug checks and the driver for it
  --suites PATTERN    the same if a suite of tests/run that matches needs it and
                      LOOM_DEBUG_KERNEL is not 0
USAGE
}

# May a suite that matches the pattern boot the debug kernel?  Their names are debug/...,
# which are known only once they are built, and two of vm/....
needs_debug_kernel() {
	local pattern=$1 begin=${1%%[*?[]*}
	if [ "${LOOM_DEBUG_KERNEL-}" = 0 ]; then
		return 1
	fi
	# shellcheck disable=SC2053 # patterns
	[[ debug/ == "$begin"* || $begin == debug/* ||
		vm/test-debug-kernel == $pattern || vm/test-fuzz-ioctl == $pattern ]]
}

# begin WHAT LOG - announce a step
begin() {
	step=$((step + 1))
	what=$1
	log=$2
	started=$SECONDS
	printf '[%d/%d] %s (log: %s)\n' "$step" "$steps" "$what" "$log" >&2
}

end() {
	printf '[%d/%d] %s: ready, %d s\n' "$step" "$steps" "$what" \
		$((SECONDS - started)) >&2
}

failed() {
	printf '\nsetup: "%s" failed; the end of %s:\n' "$what" "$log" >&2
	tail -n 15 "$log" >&2
	exit 1
}

# Messages go to the terminal and to the log; output only to the log.
watched() {
	"$@" 2>&1 >>"$log" | tee -a "$log" >&2
}

quiet() {
	"$@" >"$log" 2>&1
}

debug=false
steps=5
case ${1:-} in
-h | --help) usage; exit 0 ;;
--debug-kernel) debug=true; shift ;;
--suites)
	if needs_debug_kernel "$2"; then
		debug=true
	fi
	shift 2
	;;
esac
if $debug; then
	steps=$((steps + 2))
fi

mkdir -p "$logs" 2>/dev/null && [ -w "$logs" ] || {
	printf 'setup: cannot write to %s: it belongs to %s; remove build/ or change its owner\n' \
		"$top/build" "$(stat -c %U build 2>/dev/null || echo nobody)" >&2
	exit 1
}
exec 9>"$logs/lock"
flock -n 9 || {
	printf 'setup: another run uses this build directory; waiting\n' >&2
	flock 9
}

# Only tests need a second compiler, and QEMU's fuzzer.
purposes=(host build-qemu)
fuzz=false
if [[ " $* " == *" tests "* ]]; then
	purposes+=(fuzz)
	fuzz=true
	steps=$((steps + 1))
fi

begin "packages" $logs/packages.log
: >"$log"
watched tools/env/packages.sh install "${purposes[@]}" || failed
end

# The kernel is a download, QEMU a compilation: do both at once.
tools/env/kernel.sh >$logs/kernel.log 2>&1 9>&- &
kernel=$!
trap 'kill $kernel 2>/dev/null || true' EXIT

begin "QEMU with the card; the first time about 5 minutes" $logs/qemu.log
: >"$log"
watched qemu-device/build-qemu.sh || failed
end

begin "guest kernel" $logs/kernel.log
wait $kernel || failed
trap - EXIT
end

if $fuzz; then
	begin "QEMU's fuzzer with the card; the first time some minutes" $logs/qemu-fuzz.log
	: >"$log"
	watched qemu-device/build-qemu.sh --fuzz || failed
	end
fi

begin "programs" $logs/make.log
quiet make -j"$(nproc)" "${@:-all}" || failed
end

begin "driver" $logs/module.log
quiet tools/env/module.sh || failed
end

if $debug; then
	begin "debug kernel; the first time about 20 minutes" $logs/debug-kernel.log
	: >"$log"
	watched tools/env/debug-kernel.sh || failed
	end

	begin "driver for the debug kernel" $logs/module-debug.log
	quiet tools/env/module.sh --kernel "$(tools/env/debug-kernel.sh --print-dir)" \
		--out build/module-debug || failed
	end
fi
