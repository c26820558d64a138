#!/bin/bash
# SPDX-License-Identifier: MIT
#
# module.sh - build build/module/loom.ko for the VM's kernel
#
# The kernel's build puts objects beside sources (it learns to do otherwise in
# 6.13), so build/module is a mirror: real directories with links to the
# sources.  The second run compiles only what changed.

set -eu -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd -P)
out=$top/build/module

usage() {
	cat <<USAGE
usage: module.sh [OPTION] [MAKE-ARGUMENT...]

Builds build/module/loom.ko and prints its path.

  --headers DIR   build against these kernel headers (default: those of
                  tools/env/kernel.sh)
  --kernel DIR    build against the headers of this kernel, laid out as by
                  tools/env/kernel.sh
  --in-suite SUITE  build in the root of this suite, with its compiler and C
                  library; see tools/env/build-root.sh
  --out DIR       build in DIR, below build/, instead of build/module: one
                  directory per kernel keeps each incremental
  --clean         remove the build directory
  --help

MAKE-ARGUMENT is passed to the kernel's build: V=1, C=2 (sparse), W=12, ...
USAGE
}

die() {
	printf 'module: %s\n' "$*" >&2
	exit 1
}

# The files that the kernel's build reads, relative to the project.
sources() {
	cd "$top"
	echo Kbuild
	find driver uapi -type f ! -name '.*'
}

# Make $out mirror the sources: links to new files, none to removed ones, and
# no object of a removed source either.
mirror() {
	local file dir
	sources | while IFS= read -r file; do
		[ -L "$out/$file" ] && continue
		dir=$(dirname "$out/$file")
		mkdir -p "$dir"
		ln -sr "$top/$file" "$out/$file"
	done
	find "$out" -xtype l | while IFS= read -r file; do
		rm -f "$file" "${file%.c}.o" "$(dirname "$file")/.$(basename "${file%.c}").o.cmd"
	done
}

# Objects of other headers or of another compiler must not be reused.
forget_other_kernel() {
	local want
	want="$headers $(stat -c %Y "$headers/Module.symvers")"
	if [ "$(cat "$out/.built-for" 2>/dev/null)" != "$want" ]; then
		rm -rf "$out"
		mkdir -p "$out"
		printf '%s\n' "$want" >"$out/.built-for"
	fi
}

# The headers name the compiler that built their kernel.
check_compiler() {
	local cc
	cc=$(sed -n 's/.*\(gcc-[0-9]\+\)$/\1/p' "$headers/.kernelvariables" 2>/dev/null || true)
	local tool
	for tool in "${cc:-gcc}" pahole make; do
		"${in_root[@]}" sh -c "command -v $tool" >/dev/null ||
			die "$tool not found: run tools/env/packages.sh install host, or install the package $tool"
	done
}

main() {
	local headers='' clean=false args=() in_root=()
	while [ $# -gt 0 ]; do
		case $1 in
		--headers | --kernel)
			[ $# -ge 2 ] || { usage >&2; exit 2; }
			headers=$2
			if [ "$1" = --kernel ]; then
				headers=$(echo "$2"/lib/modules/*/build)
			fi
			[ -e "$headers/Makefile" ] ||
				die "no kernel headers in '$headers'"
			headers=$(cd "$headers" && pwd -P)
			shift
			;;
		--in-suite)
			[ $# -ge 2 ] || { usage >&2; exit 2; }
			in_root=("$top/tools/env/build-root.sh" "$2" --)
			shift
			;;
		--out)
			[ $# -ge 2 ] || { usage >&2; exit 2; }
			out=$(realpath -m "$2")
			shift
			;;
		--clean) clean=true ;;
		-h | --help) usage; return ;;
		-*) usage >&2; exit 2 ;;
		*) args+=("$1") ;;
		esac
		shift
	done
	case $out in
	"$top"/build/?*) ;;
	*) die "--out must name a directory in $top/build" ;;
	esac
	if $clean; then
		rm -rf "$out"
		return
	fi
	case $top in
	*[\ :]*) die "the kernel's build cannot work in '$top': move the project to a path without spaces and colons" ;;
	esac
	[ -e "$top/Kbuild" ] || die "$top/Kbuild is missing: this is not a complete checkout"
	[ -n "$headers" ] || headers=$("$top/tools/env/kernel.sh" --print-headers)
	check_compiler

	mkdir -p "$out" || die "cannot write $out"
	exec 9>"$out.lock"
	flock 9
	forget_other_kernel
	mirror
	# One failed build must not leave the module of the last good one.
	if ! "${in_root[@]}" make -C "$headers" M="$out" W=1 -j "$(nproc)" --no-print-directory \
	     "${args[@]}" modules >&2; then
		rm -f "$out/loom.ko" "$out/loom_kunit.ko"
		die "the driver does not build"
	fi
	printf '%s\n' "$out/loom.ko"
}

main "$@"
