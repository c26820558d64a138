#!/bin/bash
# SPDX-License-Identifier: MIT
#
# suite-apt.sh - take single packages from a Debian suite that is not installed
#
# Runs apt with private sources, lists and cache for one named suite.  The
# system's own apt configuration and package state are read (mirror, proxy,
# keyring) and never changed; nothing is installed.  No root needed.

set -eu -o pipefail

usage() {
	cat <<USAGE
usage: suite-apt.sh SUITE COMMAND [ARGUMENTS]

  update [--force]      fetch the suite's package lists (kept for a day)
  version PKG           print the candidate version of a binary package
  source-version PKG    print the newest version of a source package
  download PKG DIR      download a .deb into DIR and print its path
  unpack PKG DIR        download a .deb and extract its files below DIR
  source PKG DIR        download a source package into DIR and print the
                        path of its .dsc

SUITE is trixie, bookworm-backports, sid, ...

environment:
  LOOM_DEBIAN_MIRROR    mirror to use instead of the system's own one
  XDG_CACHE_HOME        the cache is \$XDG_CACHE_HOME/loom/apt/SUITE
                        (default ~/.cache/loom/apt/SUITE)
USAGE
}

die() {
	printf 'suite-apt: %s\n' "$*" >&2
	exit 1
}

# need_space DIR MIB - stop early when the file system of DIR is almost full
need_space() {
	local free
	free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$2" ] ||
		die "$1 has $free MiB free and $2 MiB are needed: free some space or set XDG_CACHE_HOME to a larger file system"
}

# The URI that this machine uses for the main Debian archive.
mirror() {
	local uris
	if [ -n "${LOOM_DEBIAN_MIRROR:-}" ]; then
		printf '%s\n' "$LOOM_DEBIAN_MIRROR"
		return
	fi
	# The origin is known only when lists were fetched before: fall back
	# to the customary path.
	# shellcheck disable=SC2016 # apt expands these
	uris=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' 2>/dev/null |
		grep -v security) || true
	printf '%s\n' "$uris" | awk '
		$2 == "Debian" { print $1; found = 1; exit }
		!guess && $1 ~ /\/debian\/?$/ { guess = $1 }
		END {
			if (found) exit
			print guess ? guess : "http://deb.debian.org/debian"
		}'
}

# Write the private configuration.  It is read after the system's own, so
# that a proxy or credentials configured there stay in force.
write_config() {
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	local uri
	[ -r "$keyring" ] ||
		die "$keyring is missing: apt-get install debian-archive-keyring"
	uri=$(mirror)
	mkdir -p "$root/lists/partial" "$root/archives/partial" "$root/parts"
	: >"$root/status"
	cat >"$root/sources.list" <<-SOURCES
	deb [arch=amd64 signed-by=$keyring] $uri $suite main
	deb-src [signed-by=$keyring] $uri $suite main
	SOURCES
	cat >"$root/apt.conf" <<-CONF
	#clear APT::Update::Pre-Invoke;
	#clear APT::Update::Post-Invoke;
	#clear APT::Update::Post-Invoke-Success;
	#clear Acquire::IndexTargets::deb::DEP-11;
	#clear Acquire::IndexTargets::deb::Contents-deb;
	APT::Architecture "amd64";
	APT::Architectures { "amd64"; };
	APT::Sandbox::User "root";
	APT::Default-Release "";
	Acquire::Languages "none";
	Acquire::PDiffs "false";
	Acquire::Retries "2";
	Dir::Etc::sourcelist "$root/sources.list";
	Dir::Etc::sourceparts "$root/parts";
	Dir::Etc::preferences "/dev/null";
	Dir::Etc::preferencesparts "$root/parts";
	Dir::State "$root";
	Dir::State::lists "$root/lists";
	Dir::State::status "$root/status";
	Dir::Cache "$root";
	Dir::Cache::archives "$root/archives";
	CONF
}

apt_get() {
	LC_ALL=C apt-get -c "$root/apt.conf" -qq "$@"
}

apt_cache() {
	LC_ALL=C apt-cache -c "$root/apt.conf" "$@"
}

# Say in one line why apt failed, and what to do.
explain() {
	local what=$1 uri
	uri=$(awk 'NR == 1 { print $(NF - 2) }' "$root/sources.list")
	if grep -q 'NO_PUBKEY\|not signed' "$log"; then
		die "$what: the key of $suite is unknown here: apt-get install --only-upgrade debian-archive-keyring"
	elif grep -q 'No space left' "$log"; then
		die "$what: no space left below $root: free some, or set XDG_CACHE_HOME"
	elif grep -q 'does not have a Release file\|404 *Not Found' "$log"; then
		die "$what: $uri does not offer it: check the suite's name, or set LOOM_DEBIAN_MIRROR to a complete mirror"
	elif grep -q 'resolv\|connect\|Connection\|timed out\|unreachable' "$log"; then
		die "$what: cannot reach $uri: check the network and apt's proxy, or set LOOM_DEBIAN_MIRROR"
	fi
	die "$what: $(grep -m1 '^E:' "$log" || echo 'apt failed') (log: $log)"
}

fetch_lists() {
	need_space "$root" 500
	write_config
	if apt_get update --error-on=any >"$log" 2>&1; then
		touch "$root/updated"
	elif [ -e "$root/updated" ]; then
		printf 'suite-apt: warning: cannot refresh %s, using the lists of %s\n' \
			"$suite" "$(date -r "$root/updated" +%F)" >&2
	else
		explain "fetching the package lists of $suite"
	fi
}

update() {
	if [ "${1:-}" = --force ] || [ ! -e "$root/updated" ] ||
	   [ -n "$(find "$root/updated" -mmin +1440)" ]; then
		fetch_lists
	fi
}

version() {
	local v
	v=$(apt_cache policy "$1" | awk '$1 == "Candidate:" { print $2 }')
	[ "${v:-(none)}" != "(none)" ] ||
		die "$suite has no package '$1': check the name, or suite-apt.sh $suite update --force"
	printf '%s\n' "$v"
}

source_version() {
	local v
	v=$(apt_cache showsrc --only-source "$1" 2>/dev/null |
		awk '$1 == "Version:" { print $2 }' | sort -V | tail -n1)
	[ -n "$v" ] ||
		die "$suite has no source package '$1': check the name, or suite-apt.sh $suite update --force"
	printf '%s\n' "$v"
}

# Run apt-get in a directory; an archive drops old point releases, so refresh
# lists that have become stale and try once more.
fetch_into() {
	local dir=$1
	shift
	(cd "$dir" && apt_get "$@" >"$log" 2>&1) && return
	if grep -q '404 *Not Found' "$log"; then
		fetch_lists
		(cd "$dir" && apt_get "$@" >"$log" 2>&1) && return
	fi
	explain "downloading ${*: -1} from $suite"
}

# uris ARGUMENTS - "name bytes" of each file that apt-get would download
uris() {
	apt_get --print-uris "$@" 2>"$log" |
		awk '$1 ~ /^'\''/ { print $2, $3 }'
}

download() {
	local dir files
	mkdir -p "$2"
	dir=$(cd "$2" && pwd)
	version "$1" >/dev/null
	files=$(cd "$root/parts" && uris download "$1")
	need_space "$dir" "$(printf '%s\n' "$files" | awk '{ n += $2 } END { print int(n / 1048576) + 16 }')"
	fetch_into "$dir" download "$1"
	files=$(cd "$root/parts" && uris download "$1")
	printf '%s\n' "$files" | awk -v dir="$dir" '{ print dir "/" $1 }'
}

unpack() {
	local deb
	deb=$(download "$1" "$root/archives")
	mkdir -p "$2"
	need_space "$2" $(($(dpkg-deb -f "$deb" Installed-Size) / 1024 + 16))
	dpkg-deb -x "$deb" "$2" ||
		die "$deb is damaged: delete it and try again"
	rm -f "$deb"
}

download_source() {
	local dir files
	mkdir -p "$2"
	dir=$(cd "$2" && pwd)
	source_version "$1" >/dev/null
	files=$(cd "$dir" && uris source --download-only --only-source "$1")
	need_space "$dir" "$(printf '%s\n' "$files" | awk '{ n += $2 } END { print int(n / 1048576) + 16 }')"
	fetch_into "$dir" source --download-only --only-source "$1"
	find "$dir" -maxdepth 1 \
		-name "$1_$(source_version "$1" | sed 's/^[0-9]*://').dsc"
}

main() {
	case "${1:-}" in
	-h | --help) usage; exit 0 ;;
	esac
	[ $# -ge 2 ] || { usage >&2; exit 2; }
	suite=$1
	local command=$2
	shift 2
	case "$suite" in
	*[!a-z0-9.-]*) die "'$suite' is not the name of a suite" ;;
	esac
	case "$command:$#" in
	update:0 | update:1 | version:1 | source-version:1) ;;
	download:2 | unpack:2 | source:2) ;;
	*) usage >&2; exit 2 ;;
	esac
	command -v apt-get >/dev/null ||
		die "apt-get not found: Loom's build needs Debian 12 or 13"

	root=${XDG_CACHE_HOME:-$HOME/.cache}/loom/apt/$suite
	log=$root/apt.log
	mkdir -p "$root" || die "cannot write $root: set XDG_CACHE_HOME"
	exec 9>"$root/lock"
	flock 9
	if [ "$command" = update ]; then
		update "$@"
		return
	fi
	update
	case "$command" in
	version) version "$@" ;;
	source-version) source_version "$@" ;;
	download) download "$@" ;;
	unpack) unpack "$@" ;;
	source) download_source "$@" ;;
	esac
}

main "$@"
