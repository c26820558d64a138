#!/bin/bash
# SPDX-License-Identifier: MIT
#
# packages.sh - the Debian packages that Loom needs, by purpose
#
# Each array LOOM_PKGS_<WHAT> is one purpose; `packages.sh install what`
# installs those of them that are missing.  Other scripts may source this file
# for the arrays alone.
#
# shellcheck disable=SC2034 # the arrays are used by name

case "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" in
bookworm) loom_gcc=gcc-12 loom_libelf=libelf1 ;;
*) loom_gcc=gcc-14 loom_libelf=libelf1t64 ;;
esac

# What `make`, `make check-fast` and tools/loom-vm use.  The second group builds
# modules: the compiler that built Debian's kernel, and what the kernel's own
# build programs link to or call.
LOOM_PKGS_HOST=(
	gcc make pkg-config libc6-dev libdrm-dev check python3 procps
	"$loom_gcc" "$loom_libelf" kmod pahole xz-utils zstd zlib1g-dev
	dataset-fashion-mnist
)

# What qemu-device/build-qemu.sh uses.
LOOM_PKGS_BUILD_QEMU=(
	gcc libc6-dev make ninja-build pkg-config python3 python3-venv
	dpkg-dev xz-utils perl
	libglib2.0-dev libattr1-dev libfdt-dev libseccomp-dev zlib1g-dev
)

# What `make fuzz` uses; without it host/test-fuzz is skipped.
LOOM_PKGS_FUZZ=(clang libclang-rt-dev)

# What tools/env/debug-kernel.sh uses.
LOOM_PKGS_DEBUG_KERNEL=(
	gcc libc6-dev make flex bison bc libelf-dev kmod pahole perl xz-utils
)

# What `make check-kernels` uses.
LOOM_PKGS_KERNELS=(debootstrap)

# What `make check-static` uses.
LOOM_PKGS_STATIC=(sparse perl)

# What `make bench` compares the card with.
LOOM_PKGS_BENCH=(libdnnl-dev)

usage() {
	cat <<USAGE
usage: packages.sh install WHAT...   install what is missing (root or sudo -n)
       packages.sh missing WHAT...   print what is missing
       packages.sh list WHAT...      print the packages

WHAT is one of:$(purposes)
USAGE
}

die() {
	printf 'packages: %s\n' "$*" >&2
	exit 1
}

purposes() {
	local name
	for name in "${!LOOM_PKGS_@}"; do
		name=${name#LOOM_PKGS_}
		name=${name,,}
		printf ' %s' "${name//_/-}"
	done
}

# packages WHAT... - the packages of these purposes
packages() {
	local what name
	for what in "$@"; do
		name=${what^^}
		name=LOOM_PKGS_${name//-/_}
		[[ $name =~ ^[A-Z_]+$ && -v $name ]] ||
			die "no such purpose: '$what'; there are:$(purposes)"
		local -n array=$name
		printf '%s\n' "${array[@]}"
	done | sort -u
}

# missing PACKAGE... - those that are not installed
missing() {
	# dpkg-query fails when it does not know a name: that is an answer too.
	{ dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true; } |
		awk -v want="$*" '
			$2 == "installed" { have[$1] = 1 }
			END {
				n = split(want, names)
				for (i = 1; i <= n; i++)
					if (!(names[i] in have)) print names[i]
			}'
}

# The package lists are absent on a fresh machine and stale on an old one:
# update them when asking for the packages fails.  What apt says goes to stdout,
# the one line that a person needs to stderr.
install() {
	local lacking=("$@") as_root=()
	local apt=(apt-get install -y --no-install-recommends)

	if [ "$(id -u)" -ne 0 ]; then
		sudo -n true 2>/dev/null ||
			die "missing packages; run: sudo ${apt[*]} ${lacking[*]}"
		as_root=(sudo -n)
	fi
	printf 'packages: installing %s\n' "${lacking[*]}" >&2
	as_root+=(env DEBIAN_FRONTEND=noninteractive)
	if ! "${as_root[@]}" "${apt[@]}" -s -qq "${lacking[@]}" >/dev/null 2>&1; then
		"${as_root[@]}" apt-get update -qq ||
			die "apt-get update failed: check the network and /etc/apt"
	fi
	"${as_root[@]}" "${apt[@]}" -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "${lacking[@]}" </dev/null ||
		die "could not install; try: ${apt[*]} ${lacking[*]}"
}

main() {
	local command=${1:-} names lacking
	case "$command:$#" in
	-h:* | --help:*) usage; exit 0 ;;
	install:1 | missing:1 | list:1) usage >&2; exit 2 ;;
	install:* | missing:* | list:*) shift ;;
	*) usage >&2; exit 2 ;;
	esac
	# Two steps, because a failure inside mapfile's < <() would be lost.
	names=$(packages "$@")
	mapfile -t names <<<"$names"
	if [ "$command" = list ]; then
		printf '%s\n' "${names[@]}"
		return
	fi
	command -v dpkg-query >/dev/null ||
		die "dpkg-query not found: Loom's build needs Debian 12 or 13"
	mapfile -t lacking < <(missing "${names[@]}")
	[ ${#lacking[@]} -eq 0 ] && return
	if [ "$command" = missing ]; then
		printf '%s\n' "${lacking[@]}"
	else
		install "${lacking[@]}"
	fi
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	set -eu -o pipefail
	main "$@"
fi
