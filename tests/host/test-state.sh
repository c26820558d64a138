#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Nothing of a card is forgotten when it is saved: each member of the structures
# that hold its state is saved (a function with a struct loom_archive uses it), or
# stands in the list in the head of qemu-device/core/state.c, which says what follows from other state.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
core=qemu-device/core

# members STRUCT - the names of its members
members() {
	awk -v head="struct $1 {" '
		$0 == head { inside = 1; next }
		inside && /^}/ { exit }
		inside && /;/ {
			sub(/\/\*.*/, "")
			sub(/;.*/, "")
			gsub(/\[[^]]*\]/, "")
			count = split($0, names, ",")
			for (i = 1; i <= count; i++) {
				sub(/.*[ \t*]/, "", names[i])
				if (names[i] != "")
					print names[i]
			}
		}' $core/core_internal.h
}

# listed STRUCT - the names that the head of state.c gives for it
listed() {
	awk -v name="$1" '
		/^ \*\// { exit }
		/^ \*\tloom_/ { on = $2 == name; first = 3 }
		!/^ \*\t/ { on = 0 }
		on { for (i = first; i <= NF; i++) print $i; first = 2 }
	' $core/state.c | grep -oE '[a-z_]+'
}

# saved - the members that functions with an archive use
saved() {
	awk '/\(struct loom_archive \*a/ { on = 1 } on; /^}/ { on = 0 }' $core/*.c |
		grep -oE '(->|\.)[a-z_0-9]+' | sed -E 's/^(->|\.)//' | sort -u
}

# forgotten STRUCT
forgotten() {
	comm -23 <(members "$1" | sort -u) \
		<( (saved; listed "$1") | sort -u) | sed "s/^/struct $1: /"
}

# stale STRUCT - listed, and no longer there
stale() {
	comm -13 <(members "$1" | sort -u) <(listed "$1" | sort -u) |
		sed "s/^/struct $1 has no member /"
}

echo "TAP version 13"
echo "1..3"
structs="loom_core loom_event_ring loom_context loom_queue loom_exec loom_window"
structs+=" loom_units loom_step loom_effect loom_pacer"
no_complaints every_structure_is_found "$(for s in $structs; do
	[ "$(members $s | wc -l)" -ge 3 ] || echo "$s"; done)"
no_complaints every_member_is_saved_or_said_to_follow_from_others \
	"$(for s in $structs; do forgotten $s; done)"
no_complaints the_list_of_what_is_not_saved_is_true \
	"$(for s in $structs; do stale $s; done)"
