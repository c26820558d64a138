#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The manual pages: one for every function that the library exports, in correct
# roff.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

echo "TAP version 13"
echo "1..3"

libaccel/man/make-man.py "$tmp"
result $? "pages_are_made_from_the_headers"

missing=0
for function in $(grep -oE '^	accel_[a-z0-9_]+;' libaccel/libaccel.map | tr -d '	;'); do
	[ -e "$tmp/$function.3" ] || { echo "# no page for $function"; missing=1; }
done
result $missing "every_exported_function_has_a_page"

if command -v groff >/dev/null; then
	for page in "$tmp"/*.3 tools/*.1; do
		grep -q '^\.so ' "$page" || groff -man -Tutf8 -ww -z "$page"
	done 2>&1 | sed 's/^/# /' | tee "$tmp/warnings"
	[ ! -s "$tmp/warnings" ]
	result $? "pages_are_correct_roff"
else
	skip pages_are_correct_roff "no groff"
fi
