#!/bin/bash
# SPDX-License-Identifier: MIT
#
# After everything else on the debug kernel: memory that nobody points to.
set -u
kmemleak=/sys/kernel/debug/kmemleak

echo "TAP version 13"
echo "1..1"

# A pointer may be in a register for a moment, and kmemleak spares what is
# younger than five seconds: what counts is the second scan.
if ! echo scan >"$kmemleak" || ! sleep 6 || ! echo scan >"$kmemleak"; then
	echo "# kmemleak is off: no debug kernel, or it ran out of memory"
	echo "not ok 1 no_memory_is_lost"
elif leaks=$(cat "$kmemleak"); [ -z "$leaks" ]; then
	echo "ok 1 no_memory_is_lost"
else
	head -60 <<<"$leaks" | sed 's/^/# /'
	echo "not ok 1 no_memory_is_lost"
fi
