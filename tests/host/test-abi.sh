#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The binary interface of libaccel: what the headers declare, what the version
# script lists and what the library exports are the same; structs keep their
# layout; the headers stand alone in C and C++.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
lib=build/libaccel.so.0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

flags="-Iuapi -Ilibaccel/include"

declared() {
	cat libaccel/include/accel/*.h | gcc -E -P $flags -x c - |
		tr '\n' ' ' | grep -oE '\baccel_[a-z0-9_]+ ?\(' | tr -d ' (' |
		sort -u
}

listed() {
	grep -oE '^	accel_[a-z0-9_]+;' libaccel/libaccel.map | tr -d '	;' | sort -u
}

# name@@version of what is defined and visible.
exported() {
	nm -D --defined-only --with-symbol-versions "$lib" |
		awk '$2 != "A" { print $3 }' | sort -u
}

# Sizes and last members: a struct may grow at its end only, in a new release.
layout() {
	cat >"$tmp/layout.c" <<-'END'
	#include <stdio.h>
	#include <accel/accel.h>
	#define SHOW(s, last) printf("%s %zu %zu\n", #s, sizeof(struct s), \
				     offsetof(struct s, last))
	int main(void)
	{
		SHOW(accel_error, hint);
		SHOW(accel_device_entry, problem);
		SHOW(accel_device_info, isa_version);
		SHOW(accel_memory_info, system_used);
		SHOW(accel_counters, value);
		SHOW(accel_queue_desc, priority);
		SHOW(accel_point, value);
		SHOW(accel_submit_info, flags);
		SHOW(accel_queue_status, text);
	}
	END
	gcc $flags -o "$tmp/layout" "$tmp/layout.c" && "$tmp/layout"
}

layout_of_0_1="accel_error 32 24
accel_device_entry 256 96
accel_device_info 144 140
accel_memory_info 32 24
accel_counters 264 8
accel_queue_desc 8 4
accel_point 16 8
accel_submit_info 32 28
accel_queue_status 264 72"

echo "TAP version 13"
echo "1..7"

diff <(declared) <(listed) | sed 's/^/# /' | tee "$tmp/diff"
[ ! -s "$tmp/diff" ]
result $? "headers_and_version_script_agree"

diff <(listed | sed 's/$/@@ACCEL_0.1/') <(exported) | sed 's/^/# /' | tee "$tmp/diff"
[ ! -s "$tmp/diff" ]
result $? "library_exports_what_the_version_script_lists"

readelf -d "$lib" | grep -q 'SONAME.*\[libaccel.so.0\]'
result $? "soname_is_libaccel_so_0"

extra=$(readelf -d "$lib" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' |
	grep -vE '^(libc|libm|libdrm|ld-linux-x86-64)\.so\.[0-9]+$')
[ -z "$extra" ] || echo "# needs $extra"
[ -z "$extra" ]
result $? "library_needs_only_libc_libm_libdrm"

diff <(echo "$layout_of_0_1") <(layout) | sed 's/^/# /' | tee "$tmp/diff"
[ ! -s "$tmp/diff" ]
result $? "structs_have_the_layout_of_0_1"

bad=0
for header in libaccel/include/accel/*.h; do
	for cc in "gcc -std=c99" "gcc -std=c11" "g++ -std=c++11"; do
		command -v "${cc%% *}" >/dev/null || { echo "# no ${cc%% *}"; continue; }
		lang=c; [ "${cc%% *}" = g++ ] && lang=c++
		$cc $flags -Wall -Wextra -Werror -fsyntax-only -x $lang "$header" \
			2>"$tmp/errors" ||
			{ echo "# $cc $header"; sed 's/^/# /' "$tmp/errors"; bad=1; }
	done
done
result $bad "headers_stand_alone_in_c_and_cxx"

# No code in headers touches a struct: such code would freeze its layout.
! grep -nE '^\s*(static )?inline' libaccel/include/accel/*.h
result $? "headers_have_no_inline_functions"
