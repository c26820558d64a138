#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What goes wrong around the product ends with one clear line that says what to
# do.  Each case provokes one and looks for the words that matter.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
tmp=$(mktemp -d)
chmod 755 "$tmp"
trap 'umount "$tmp/small" 2>/dev/null; rm -rf "$tmp"' EXIT

# expect NAME WORDS COMMAND... - COMMAND fails, and its only line has WORDS
expect() {
	local name=$1 words=$2 out status
	shift 2
	out=$(timeout 60 "$@" 2>&1 </dev/null)
	status=$?
	[ $status -ne 0 ] && [ $status -ne 124 ] &&
		[ "$(grep -c . <<<"$out")" = 1 ] && grep -qE -- "$words" <<<"$out"
	result $? "$name"
}

explain() {
	echo "status $status, wanted one line with '$words', got:"
	echo "$out"
}

as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

echo "TAP version 13"
echo "1..11"

export LOOM_DEBIAN_MIRROR=http://127.0.0.1:9
export XDG_CACHE_HOME=$tmp/cache
expect no_network_for_the_kernel "check the network" tools/env/kernel.sh
expect no_network_for_qemu "check the network" qemu-device/build-qemu.sh

if [ "$(id -u)" = 0 ] && mkdir "$tmp/small" && mount -t tmpfs -o size=1M none "$tmp/small" 2>/dev/null; then
	export XDG_CACHE_HOME=$tmp/small
	expect no_disk_space_for_the_kernel "free some space" tools/env/kernel.sh
	expect no_disk_space_for_qemu "free some space" qemu-device/build-qemu.sh
else
	skip no_disk_space_for_the_kernel "needs root to mount a small file system"
	skip no_disk_space_for_qemu "needs root to mount a small file system"
fi
unset XDG_CACHE_HOME LOOM_DEBIAN_MIRROR

if [ "$(id -u)" = 0 ]; then
	cat >"$tmp/dpkg-query" <<-'SH'
		#!/bin/sh
		# All packages but one are there.
		/usr/bin/dpkg-query "$@" | grep -v '^check '
	SH
	chmod 755 "$tmp/dpkg-query"
	expect missing_package_without_root "apt-get install .*check" \
		"${as_nobody[@]}" env "PATH=$tmp:$PATH" bash -c \
		"sudo() { return 1; }; export -f sudo; tools/env/packages.sh install host"
	cp -r tools "$tmp/clone-tools"
	mkdir -p "$tmp/clone/build"
	mv "$tmp/clone-tools" "$tmp/clone/tools"
	chmod 555 "$tmp/clone/build"
	expect build_directory_of_somebody_else "cannot write to .*build" \
		"${as_nobody[@]}" "$tmp/clone/tools/env/setup.sh"
	mknod "$tmp/node" c 261 0 && chmod 600 "$tmp/node"
	cp build/bin/loom-train "$tmp/" && cp -L build/libaccel.so.0 "$tmp/"
	expect node_without_permission "no permission for $tmp/node" \
		"${as_nobody[@]}" env "LD_LIBRARY_PATH=$tmp" "$tmp/loom-train" -d "$tmp/node"
else
	skip missing_package_without_root "needs root to become somebody else"
	skip build_directory_of_somebody_else "needs root to become somebody else"
	skip node_without_permission "needs root to become somebody else"
fi

expect absent_node "there is no /dev/accel/accel9" \
	build/bin/loom-train -d /dev/accel/accel9
expect no_data "dataset-fashion-mnist" \
	build/bin/loom-train -d sim: --data "$tmp"
if qemu-device/build-qemu.sh --print-path >/dev/null 2>&1; then
	mkdir -p "$tmp/kernel"
	expect directory_without_a_kernel "$tmp/kernel" \
		tools/loom-vm --kernel "$tmp/kernel" -- true
else
	skip directory_without_a_kernel "QEMU is not built; make run builds it"
fi
expect directory_that_is_not_there "nothere" \
	tools/loom-vm --kernel "$tmp/nothere" -- true
