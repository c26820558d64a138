#!/bin/bash
# SPDX-License-Identifier: MIT
#
# llama.sh - Debian's llama.cpp, unpacked beside the system
#
# llama.cpp and ggml are in Debian sid only and need its C library.  Their
# packages are unpacked into the cache and run with the C library unpacked
# there; nothing of this machine is changed.

set -eu -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)

# The programs and what they link to.
packages=(
	libc6 libgcc-s1 libgomp1 libstdc++6 libssl3t64 zlib1g libzstd1
	libggml0 libggml-dev libllama0
	llama.cpp-tools llama.cpp-tools-extra llama.cpp-examples llama.cpp-tests
)

usage() {
	cat <<USAGE
usage: llama.sh prepare     unpack llama.cpp if that was not done; print where
       llama.sh local       the same, but only from packages that are here
       llama.sh path        print where it is; exit status 1 if it is not here
       llama.sh run PROGRAM [ARGUMENT]...
                            run a program of it, for instance llama-bench, or the
                            one that a path names

Packages are taken from \$LOOM_LLAMA_DEBS, a directory of .deb files (default
../shared/data/llama-debs), and downloaded from Debian sid when there are none.
What is unpacked is kept in \$XDG_CACHE_HOME/loom/llama (default ~/.cache).
USAGE
}

die() {
	printf 'llama: %s\n' "$*" >&2
	exit 1
}

lib() {
	printf '%s/usr/lib/x86_64-linux-gnu' "$1"
}

# What ggml looks for beside the running program, which is the dynamic linker.
add_links() {
	local dir drm file
	dir=$(lib "$1")
	for file in "$dir"/ggml/backends0/libggml-cpu-*.so; do
		ln -sf "ggml/backends0/${file##*/}" "$dir/${file##*/}"
	done
	drm=$(ldconfig -p 2>/dev/null | awk '$1 == "libdrm.so.2" && /x86-64/ { print $NF; exit }')
	mkdir -p "$1/host"
	[ -z "$drm" ] || ln -sf "$drm" "$1/host/libdrm.so.2"
}

unpack_local() {
	local deb
	if [ -e "$debs/SHA256SUMS" ]; then
		(cd "$debs" && sha256sum --quiet -c SHA256SUMS >&2) ||
			die "a package in $debs is damaged"
	fi
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$1" || die "$deb is damaged"
	done
}

unpack_sid() {
	local package n=0
	for package in "${packages[@]}"; do
		n=$((n + 1))
		printf 'llama: [%d/%d] %s from Debian sid\n' $n ${#packages[@]} \
			"$package" >&2
		"$top/tools/env/suite-apt.sh" sid unpack "$package" "$1"
	done
}

# unpack FROM - make $tree, all or nothing
unpack() {
	local new
	mkdir -p "$cache"
	exec 8>"$cache/lock"
	flock 8
	[ ! -e "$tree/ready" ] || return 0
	rm -rf "$cache"/new.*
	new=$(mktemp -d "$cache/new.XXXXXX")
	"unpack_$1" "$new"
	[ -x "$(lib "$new")/ld-linux-x86-64.so.2" ] ||
		die "the packages hold no C library where it is expected"
	add_links "$new"
	touch "$new/ready"
	rm -rf "$tree"
	mv "$new" "$tree"
}

# find_program NAME - a program of the packages, or the one that a path names
find_program() {
	local dir
	case $1 in
	*/*)
		printf '%s' "$1"
		return
		;;
	esac
	for dir in usr/bin usr/libexec/x86_64-linux-gnu/ggml; do
		[ -x "$tree/$dir/$1" ] || continue
		printf '%s/%s/%s' "$tree" "$dir" "$1"
		return
	done
	die "there is no program $1 in $tree"
}

debs=${LOOM_LLAMA_DEBS:-$top/../shared/data/llama-debs}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/loom/llama
tree=$cache/sid
from=sid
if compgen -G "$debs/libggml0_*.deb" >/dev/null; then
	from=local
	# Other packages are another tree.
	tree=$cache/$(cd "$debs" && printf '%s\n' *.deb | sha256sum | cut -c1-16)
fi

case "${1:-}" in
-h | --help) usage ;;
prepare)
	[ -e "$tree/ready" ] || unpack $from
	printf '%s\n' "$tree"
	;;
local)
	[ -e "$tree/ready" ] || [ $from = local ] ||
		die "no packages in $debs; tools/env/llama.sh prepare downloads them"
	[ -e "$tree/ready" ] || unpack local
	printf '%s\n' "$tree"
	;;
path)
	[ -e "$tree/ready" ] || exit 1
	printf '%s\n' "$tree"
	;;
run)
	[ $# -ge 2 ] || { usage >&2; exit 2; }
	[ -e "$tree/ready" ] ||
		die "llama.cpp is not here: tools/env/llama.sh prepare"
	program=$(find_program "$2")
	dir=$(lib "$tree")
	shift 2
	exec "$dir/ld-linux-x86-64.so.2" \
		--library-path "$dir:$dir/llama:$tree/host" "$program" "$@"
	;;
*) usage >&2; exit 2 ;;
esac
