#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernel.sh - fetch the kernel that the VM boots and the driver is built against
#
# Takes Debian's stock image with its headers and unpacks them in the user's
# cache: 6.12, or with --suite what that suite has.  Nothing is installed.  The finished directory looks like the
# root of a system that has only a kernel:
#
#   boot/vmlinuz-RELEASE     as packaged
#   boot/vmlinux-RELEASE     the same uncompressed: it starts half a second faster
#   lib/modules/RELEASE      with depmod's tables
#   usr/src/linux-headers-RELEASE
#                            for `make -C`, from wherever the cache is

set -eu -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
tested='6.12.95+deb12 6.12.117+deb13 7.2.13+deb14 7.3.4+deb13'
suite_apt=$top/tools/env/suite-apt.sh
cache=${XDG_CACHE_HOME:-$HOME/.cache}/loom/kernel

usage() {
	cat <<USAGE
usage: kernel.sh [OPTION]

Fetches Debian's stock kernel and prints the directory it is in.

  --print-dir       print that directory and fetch nothing; status 1 when it
                    has to be fetched first
  --print-release   likewise, print the release (6.12.95+deb12-amd64)
  --print-headers   likewise, print the directory to build modules against
  --update          ask the suite for a newer kernel (otherwise the one that
                    was fetched first stays)
  --suite SUITE     take it from this suite (default: bookworm-backports on
                    Debian 12, trixie otherwise)
  --help

environment:
  XDG_CACHE_HOME        the cache is \$XDG_CACHE_HOME/loom/kernel
                        (default ~/.cache/loom/kernel); delete it at will
  LOOM_DEBIAN_MIRROR    see tools/env/suite-apt.sh
USAGE
}

say() {
	printf 'kernel: %s\n' "$*" >&2
}

die() {
	say "$*"
	exit 1
}

default_suite() {
	local codename
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	case $codename in
	bookworm) echo bookworm-backports ;;
	*) echo trixie ;;
	esac
}

# depends_on DEB PATTERN - the one package that DEB depends on and that matches
depends_on() {
	local name
	name=$(dpkg-deb -f "$1" Depends | tr ',' '\n' |
		sed 's/[(|].*//; s/ //g' | grep -E -m1 "^$2\$") ||
		die "$suite: $(basename "$1") does not depend on a $2: report this"
	printf '%s\n' "$name"
}

# The version's directory is complete once the suite's link points to it.
link() {
	ln -sfn "$1" "$cache/$suite.new"
	mv -T "$cache/$suite.new" "$cache/$suite"
}

# vmlinuz IMAGE > VMLINUX - take the kernel out of its boot wrapper, whose
# layout is in the kernel's Documentation/arch/x86/boot.rst
extract_vmlinux() {
	local image=$1 sectors offset length start magic
	field() { od -An -v -t "u$2" -j "$1" -N "$2" "$image" | tr -d ' '; }
	sectors=$(field 497 1)	# setup_sects
	offset=$(field 584 4)	# payload_offset
	length=$(field 588 4)	# payload_length
	start=$(((sectors + 1) * 512 + offset))
	magic=$(od -An -v -t x1 -j "$start" -N 4 "$image" | tr -d ' ')
	# The last four bytes are the uncompressed size, which is not part of
	# the compressed stream.
	payload() {
		dd if="$image" bs=1M iflag=skip_bytes,count_bytes \
			skip="$start" count="$((length - 4))" status=none
	}
	case $magic in
	28b52ffd) payload | zstd -dcq ;;
	fd377a58) payload | xz -dc ;;
	1f8b*) payload | gzip -dc ;;
	*) return 1 ;;
	esac
}

# Give a tree unpacked from packages the shape that the head describes.
finish_tree() {
	local dir=$1 release=$2 headers modules
	# Since Debian 13 modules are packaged below usr/lib.
	if [ -d "$dir/usr/lib/modules" ]; then
		mkdir -p "$dir/lib"
		ln -s ../usr/lib/modules "$dir/lib/modules"
	fi
	modules=$dir/lib/modules/$release
	headers=$dir/usr/src/linux-headers-$release
	# Since 7.x the image is packaged beside its modules.
	if [ -e "$modules/vmlinuz" ]; then
		mkdir -p "$dir/boot"
		mv "$modules/vmlinuz" "$dir/boot/vmlinuz-$release"
	fi
	if ! [ -d "$modules/kernel" ] || ! [ -e "$headers/Makefile" ] ||
	   ! [ -e "$dir/boot/vmlinuz-$release" ]; then
		die "$suite: the packages of $release lack modules, image or headers: report this"
	fi

	# The packages point to the places where they would be installed.
	local common=${headers%-*}-common
	sed -i -e "s|^include /usr/src/\(linux-headers-.*-common/Makefile\)|include \$(dir \$(lastword \$(MAKEFILE_LIST)))../\1|" \
		-e "s|^KBUILD_OUTPUT=/usr/src/.*|KBUILD_OUTPUT := \$(patsubst %/,%,\$(dir \$(abspath \$(lastword \$(MAKEFILE_LIST)))))|" \
		"$headers/Makefile"
	ln -sfnr "$headers" "$modules/build"
	ln -sfnr "$common" "$modules/source"
	! grep -q '/usr/src' "$headers/Makefile" ||
		die "$suite: cannot move $headers: report this"

	depmod -b "$dir" "$release" || die "depmod failed in $dir"
	extract_vmlinux "$dir/boot/vmlinuz-$release" >"$dir/boot/vmlinux-$release" || {
		say "note: cannot unpack vmlinuz-$release; the VM will start more slowly"
		rm -f "$dir/boot/vmlinux-$release"
	}
	rm -rf "${dir:?}/usr/share"
	printf '%s\n' "$release" >"$dir/release"
}

check_host() {
	local tool
	for tool in depmod zstd xz dpkg-deb; do
		PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null ||
			die "$tool not found: run tools/env/packages.sh install host"
	done
	PATH=$PATH:/usr/sbin:/sbin
	case $cache in
	/*[\ :]* | [!/]*) die "modules cannot be built against '$cache': set XDG_CACHE_HOME to an absolute path without spaces and colons" ;;
	esac
	mkdir -p "$cache" || die "cannot write $cache: set XDG_CACHE_HOME"
}

fetch() {
	local stage=$cache/stage meta headers_meta image_deb version image release
	local common kbuild p
	check_host
	exec 9>"$cache/lock"
	if ! flock -n 9; then
		say "waiting for another kernel.sh"
		flock 9
	fi
	if [ -e "$cache/$suite/release" ] && ! $update; then
		return
	fi
	if $update; then
		"$suite_apt" "$suite" update --force
	fi
	rm -rf "$stage"
	mkdir -p "$stage/root"
	# The empty packages linux-image-amd64 and linux-headers-amd64 name
	# the suite's current kernel.
	meta=$("$suite_apt" "$suite" download linux-image-amd64 "$stage")
	version=$(dpkg-deb -f "$meta" Version)
	image=$(depends_on "$meta" 'linux-image-[0-9].*-amd64')
	release=${image#linux-image-}
	case $release in
	6.12.* | 7.*) ;;
	*) die "$suite has kernel $release where Loom needs 6.12 or 7.x: use --suite trixie or --suite bookworm-backports" ;;
	esac
	case " $tested " in
	*" ${release%-amd64} "*) ;;
	*) say "note: $suite has kernel $release; tested are $tested" ;;
	esac
	if [ -e "$cache/$version/release" ]; then
		link "$version"
		return
	fi

	say "fetching $image $version and its headers (120 MiB)"
	headers_meta=$("$suite_apt" "$suite" download "linux-headers-$release" "$stage")
	common=$(depends_on "$headers_meta" 'linux-headers-.*-common')
	kbuild=$(depends_on "$headers_meta" 'linux-kbuild-.*')
	image_deb=$("$suite_apt" "$suite" download "$image" "$stage")
	# Since 7.x the image's package is empty too and names its parts.
	for p in $(dpkg-deb -f "$image_deb" Depends |
		   grep -oE 'linux-(base|binary|modules)-[0-9][^ ,]*') "$common" "$kbuild"; do
		"$suite_apt" "$suite" unpack "$p" "$stage/root"
	done
	dpkg-deb -x "$image_deb" "$stage/root"
	dpkg-deb -x "$headers_meta" "$stage/root"
	finish_tree "$stage/root" "$release"
	rm -rf "${cache:?}/$version"
	mv "$stage/root" "$cache/$version"
	rm -rf "$stage"
	link "$version"
}

main() {
	local action=fetch
	suite=
	update=false
	while [ $# -gt 0 ]; do
		case $1 in
		--print-dir) action=dir ;;
		--print-release) action=release ;;
		--print-headers) action=headers ;;
		--update) update=true ;;
		--suite)
			[ $# -ge 2 ] || { usage >&2; exit 2; }
			suite=$2
			shift
			;;
		-h | --help) usage; exit 0 ;;
		*) usage >&2; exit 2 ;;
		esac
		shift
	done
	suite=${suite:-$(default_suite)}

	if [ $action = fetch ]; then
		if [ ! -e "$cache/$suite/release" ] || $update; then
			fetch
		fi
		action=dir
	fi
	[ -e "$cache/$suite/release" ] ||
		die "no kernel here yet: run tools/env/kernel.sh"
	local dir release
	dir=$(readlink -f "$cache/$suite")
	release=$(<"$dir/release")
	case $action in
	dir) echo "$dir" ;;
	release) echo "$release" ;;
	headers) echo "$dir/usr/src/linux-headers-$release" ;;
	esac
}

main "$@"
