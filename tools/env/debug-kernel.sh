#!/bin/bash
# SPDX-License-Identifier: MIT
#
# debug-kernel.sh - build the kernel with debug checks that the VM can boot
#
# Takes Debian's source of 6.12, configures it with debug-kernel.config and
# builds it in the user's cache, once per source version and configuration:
# about 15 minutes on 2 processors.  The result is laid out as by kernel.sh:
#
#   boot/vmlinux-RELEASE     the kernel
#   lib/modules/RELEASE      with depmod's tables
#   build                    for `make -C`: headers, symbols, host programs

set -eu -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
suite=trixie
tested=6.12.117
# How many files of it are compiled, to say how far we are.
files=1450
config=$top/tools/env/debug-kernel.config
suite_apt=$top/tools/env/suite-apt.sh
packages=$top/tools/env/packages.sh
cache=${XDG_CACHE_HOME:-$HOME/.cache}/loom/debug-kernel

usage() {
	cat <<USAGE
usage: debug-kernel.sh [OPTION]

Builds a 6.12 kernel with KASAN, lockdep, kmemleak, UBSAN, KUnit and injection
of failing allocations, and prints the directory it is in.

  --print-dir   print that directory and build nothing; status 1 when it has to
                be built first
  --update      ask the suite for a newer source (otherwise the version that
                was built first stays)
  --jobs N      parallel compile jobs (default: number of processors)
  --help

environment:
  XDG_CACHE_HOME        the cache is \$XDG_CACHE_HOME/loom/debug-kernel
                        (default ~/.cache/loom/debug-kernel); delete it at will
  LOOM_DEBIAN_MIRROR    see tools/env/suite-apt.sh
USAGE
}

say() {
	printf 'debug-kernel: %s\n' "$*" >&2
}

die() {
	say "$*"
	exit 1
}

need_space() {
	local free
	free=$(df -Pm "$cache" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$1" ] ||
		die "$cache has $free MiB free and $1 MiB are needed: free some space or set XDG_CACHE_HOME to a larger file system"
}

# run WHAT COMMAND... - run a step with its output in the log
run() {
	local what=$1
	shift
	if ! "$@" >>"$log" 2>&1; then
		grep -m5 'error' "$log" >&2 || tail -n 20 "$log" >&2
		die "$what failed (log: $log)"
	fi
}

# Fill in every name that depends on the version and the configuration.
name_things() {
	local key
	version=$(cat "$cache/version" 2>/dev/null || echo none)
	key=$(cat "$config" /etc/os-release <(echo "$version") | sha256sum | cut -c1-16)
	dir=$cache/$key
	log=$cache/$key.log
}

install_packages() {
	local missing
	missing=$("$packages" missing debug-kernel)
	if [ -n "$missing" ]; then
		say "installing packages: ${missing//$'\n'/ }"
		run "installing packages" "$packages" install debug-kernel
	fi
}

# Decide on a version once; --update decides anew.
choose_version() {
	if [ ! -e "$cache/version" ] || $update; then
		"$suite_apt" "$suite" update $($update && echo --force)
		"$suite_apt" "$suite" version linux-source-6.12 >"$cache/version.new"
		mv "$cache/version.new" "$cache/version"
	fi
	name_things
	case $version in
	"$tested"-*) ;;
	*) say "note: $suite has $version; tested is $tested" ;;
	esac
}

# Without what no x86 kernel is built from: a third of the whole.
unpack_source() {
	local stage=$1
	say "fetching the source of $version (150 MiB)"
	"$suite_apt" "$suite" unpack linux-source-6.12 "$stage"
	say "unpacking"
	mkdir "$stage/source"
	run "unpacking" tar -C "$stage/source" --strip-components=1 \
		--exclude='*/arch/[!x]*/*.[chS]' --exclude='*.dts' \
		--exclude='*.dtsi' --exclude='*/drivers/gpu/drm/amd/*.[ch]' \
		-xf "$stage/usr/src/linux-source-6.12.tar.xz"
	rm -rf "$stage/usr"
}

kernel_make() {
	make -C "$stage/source" O="$stage/build" "$@"
}

# Every line of our configuration must be in the result.
check_config() {
	local wanted lacking
	wanted=$(grep '^CONFIG_.*=' "$config")
	lacking=$(grep '=[^n]' <<<"$wanted" | grep -vxFf "$stage/build/.config" || true)
	lacking+=$(sed -n 's/^\(CONFIG_.*\)=n$/\1=[ym]/p' <<<"$wanted" |
		while read -r line; do grep -x "$line" "$stage/build/.config" || true; done)
	[ -z "$lacking" ] ||
		die "the configuration of $version does not accept: ${lacking//$'\n'/ }"
}

configure() {
	mkdir -p "$stage/build"
	run "configuring" kernel_make KCONFIG_ALLCONFIG="$config" \
		LOCALVERSION=-loom-debug allnoconfig
	check_config
}

# Say how far the compilation is, every tenth of it, for as long as we live.
say_progress() {
	local percent told=0
	while sleep 5 && kill -0 $$ 2>/dev/null; do
		percent=$(($(grep -c '^  CC' "$log") * 100 / files))
		[ $percent -ge $((told + 10)) ] && [ $percent -lt 100 ] || continue
		told=$((percent / 10 * 10))
		say "$told % compiled"
	done
}

compile() {
	local progress status=0
	say "compiling about $files files with $jobs jobs (log: $log)"
	say_progress 8>&- &
	progress=$!
	(run "compiling" kernel_make -j "$jobs" LOCALVERSION=-loom-debug vmlinux modules) ||
		status=$?
	kill $progress
	return $status
}

# Give the finished build the shape that the head describes.  Objects are not
# needed any more: they are most of its size.
finish() {
	local release
	release=$(<"$stage/build/include/config/kernel.release")
	run "installing modules" kernel_make INSTALL_MOD_PATH="$stage" modules_install
	mkdir -p "$stage/boot"
	strip -o "$stage/boot/vmlinux-$release" "$stage/build/vmlinux"
	find "$stage/build" \( -name '*.o' -o -name '.*.cmd' -o -name '*.a' \
		-o -name '.tmp_*' -o -name 'vmlinux*' -o -name '*.ko' \) \
		! -path '*/scripts/*' ! -path '*/tools/*' -delete
	find "$stage/source" -name '*.c' ! -path '*/scripts/*' -delete
	printf '%s\n' "$release" >"$stage/release"
}

# The build's Makefile names the source by its path: it is built in place.
build() {
	stage=$dir
	rm -rf "$stage"
	mkdir -p "$stage"
	need_space 6000
	unpack_source "$stage"
	configure
	compile
	finish
	local release
	release=$(<"$stage/release")
	ln -sfn "$stage/build" "$stage/lib/modules/$release/build"
	touch "$stage/complete"
	# Keep the kernels used within a month.
	find "$cache" -mindepth 2 -maxdepth 2 -name complete -mtime +30 \
		-printf '%h\0' | xargs -0r rm -rf
}

build_all() {
	mkdir -p "$cache" || die "cannot write $cache: set XDG_CACHE_HOME"
	exec 8>"$cache/lock"
	if ! flock -n 8; then
		say "waiting for another build in $cache"
		flock 8
	fi
	name_things
	: >"$log"
	install_packages
	choose_version
	[ -e "$dir/complete" ] && return
	: >"$log"
	build
}

main() {
	local action=build
	update=false
	jobs=$(nproc)
	while [ $# -gt 0 ]; do
		case $1 in
		--print-dir) action=dir ;;
		--update) update=true ;;
		--jobs)
			[ $# -ge 2 ] || { usage >&2; exit 2; }
			jobs=$2
			shift
			;;
		-h | --help) usage; exit 0 ;;
		*) usage >&2; exit 2 ;;
		esac
		shift
	done
	case $cache in
	/*[\ :]* | [!/]*) die "a kernel cannot be built in '$cache': set XDG_CACHE_HOME to an absolute path without spaces and colons" ;;
	esac
	name_things
	if [ $action = build ] && { [ ! -e "$dir/complete" ] || $update; }; then
		build_all
	fi
	[ -e "$dir/complete" ] || die "no debug kernel here yet: run tools/env/debug-kernel.sh"
	touch -c "$dir/complete"
	echo "$dir"
}

main "$@"
