#!/bin/bash
# SPDX-License-Identifier: MIT
#
# accel-smi in the VM: the card is listed; a user of the node's group can
# validate it; another user is told which group that is.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
smi=build/bin/accel-smi
node=/dev/accel/accel0
tmp=$(mktemp -d)
out=$tmp/out
trap 'rm -rf "$tmp"' EXIT
unset ACCEL_DEVICE

explain() { cat "$out"; }

# nobody may not be allowed to read the project, for instance below /root.
chmod 755 "$tmp"
cp -L $smi build/libaccel.so.0 "$tmp"

# accel-smi as nobody, with the group $1.
smi_as_nobody() {
	local group=$1
	shift
	setpriv --reuid 65534 --regid "$group" --clear-groups \
		env LD_LIBRARY_PATH="$tmp" "$tmp/accel-smi" "$@"
}

echo "TAP version 13"
echo "1..3"

$smi >"$out" 2>&1 && grep -q "$node" "$out" && grep -Eq '[0-9a-f]{4}:[0-9a-f]{2}:' "$out"
result $? "card_is_listed_with_its_bus"

# What udev does on a full system.
chgrp video "$node"
chmod 0660 "$node"

smi_as_nobody video validate >"$out" 2>&1 && grep -q '6 of 6 checks passed' "$out"
result $? "validate_needs_no_root"

smi_as_nobody 65534 validate >"$out" 2>&1
[ $? = 1 ] && grep -q 'group video, mode 0660' "$out" && grep -q 'usermod -aG video' "$out"
result $? "user_without_permission_is_told_the_group"
