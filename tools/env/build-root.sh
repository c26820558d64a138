#!/bin/bash
# SPDX-License-Identifier: MIT
#
# build-root.sh - a root of another Debian suite in which modules are built
#
# Kernels of later suites come with build programs that need a later C library,
# and were built by a later compiler.  Both are in a minimal root of that suite,
# made by debootstrap in the user's cache (450 MiB); nothing is installed here.

set -eu -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/loom

usage() {
	cat <<USAGE
usage: build-root.sh SUITE                  make the root if need be, print it
       build-root.sh SUITE -- COMMAND...    run COMMAND in the root, where the
                                            project and the cache of kernels
                                            are where they are here

SUITE is trixie, sid, ...  Needs root, or sudo without a password.

environment:
  XDG_CACHE_HOME        the cache is \$XDG_CACHE_HOME/loom/build-root
                        (default ~/.cache/loom/build-root); delete it at will
  LOOM_DEBIAN_MIRROR    mirror to use instead of the system's own one
USAGE
}

die() {
	printf 'build-root: %s\n' "$*" >&2
	exit 1
}

# The kernels of a suite name their compiler.
compiler() {
	case $suite in
	sid) echo gcc-16 ;;
	*) echo gcc-14 ;;
	esac
}

mirror() {
	"$top/tools/env/suite-apt.sh" "$suite" update
	awk 'NR == 1 { print $(NF - 2) }' "$cache/apt/$suite/sources.list"
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -n "$@" || die "needs root: run it as root, or allow sudo without a password"
	fi
}

create() {
	local uri
	command -v debootstrap >/dev/null || "$top/tools/env/packages.sh" install kernels >&2
	uri=$(mirror)
	printf 'build-root: making a root of %s (450 MiB; log: %s)\n' "$suite" "$root.log" >&2
	as_root rm -rf "$root.stage"
	as_root debootstrap --variant=minbase \
		--include="$(compiler),make,libelf1t64,zlib1g,kmod,pahole,perl,python3" \
		"$suite" "$root.stage" "$uri" >"$root.log" 2>&1 ||
		die "debootstrap failed, see $root.log"
	as_root mv "$root.stage" "$root"
}

# The mounts are in a name space of their own and go with COMMAND.
run_inside() {
	# shellcheck disable=SC2016 # the inner shell expands these
	as_root unshare -m bash -eu -c '
		root=$1 dir=$2
		shift 2
		for path in "$1" "$2"; do
			mkdir -p "$root$path"
			mount --bind "$path" "$root$path"
		done
		shift 2
		mount -t proc proc "$root/proc"
		exec chroot "$root" env -i PATH=/usr/bin:/usr/sbin HOME=/root LC_ALL=C \
			sh -c "cd \"\$0\" && exec \"\$@\"" "$dir" "$@"
	' _ "$root" "$PWD" "$top" "$cache/kernel" "$@"
}

main() {
	case ${1:-} in
	-h | --help) usage; exit 0 ;;
	'' | -*) usage >&2; exit 2 ;;
	*[!a-z0-9-]*) die "'$1' is not the name of a suite" ;;
	esac
	suite=$1
	shift
	root=$cache/build-root/$suite
	mkdir -p "$cache/build-root" || die "cannot write $cache: set XDG_CACHE_HOME"
	exec 9>"$cache/build-root/lock"
	flock 9
	[ -d "$root" ] || create
	flock -u 9
	case ${1:-} in
	'') echo "$root" ;;
	--) shift; run_inside "$@" ;;
	*) usage >&2; exit 2 ;;
	esac
}

main "$@"
