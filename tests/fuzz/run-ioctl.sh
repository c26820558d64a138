#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run-ioctl.sh - fuzz the driver's ioctls in a VM
set -u
cd "$(dirname "$0")/../.." || exit

usage() {
	cat <<USAGE
usage: run-ioctl.sh [--debug-kernel] SECONDS [OPTION...]

Runs build/bin/fuzz_ioctl with these options in a VM for so long, on the stock kernel
or on the one that tools/env/setup.sh --debug-kernel builds.
USAGE
}

debug=false
if [ "${1:-}" = --debug-kernel ]; then
	debug=true
	shift
fi
case ${1:-} in
-h | --help) usage; exit 0 ;;
[1-9]*) seconds=$1; shift ;;
*) usage >&2; exit 2 ;;
esac

# Little memory on the card, so that objects push each other out.  Jobs that hang are
# many: they are given up early, but not those of a slow host.
vm=(--timeout $((seconds * 3 + 1200)) --device-opts hbm-size=256M)
leaks=true
if $debug; then
	vm+=(--debug-kernel --driver-opts job_timeout_ms=5000)
	leaks="bash tests/debug/test-leaks.sh"
else
	vm+=(--driver-opts job_timeout_ms=2000)
fi
exec tools/loom-vm "${vm[@]}" -- sh -c \
	"build/bin/fuzz_ioctl --seconds $seconds \"\$@\" && $leaks" fuzz "$@"
