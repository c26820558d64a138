#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Trace files: what ACCEL_TRACE makes a card of sim: write is what Perfetto wants.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export ACCEL_DEVICE=sim:workers=2

explain() { tail -n 12 "$dir/err"; }

# valid FILE [WORD] - structure, order and sums; WORD names an event that is there
valid() {
	python3 - "$@" <<'PY' 2>"$dir/err"
import collections
import json
import sys

events = json.load(open(sys.argv[1], encoding="utf-8"))
tracks = collections.defaultdict(list)
names = set()
clock = None
for e in events:
    assert e["ph"] in "MXi" and isinstance(e["name"], str), e
    assert isinstance(e["pid"], int), e
    names.add(e["name"])
    if e["ph"] == "M":
        clock = clock or e["args"].get("clock_khz")
    if e["ph"] == "X":
        assert e["ts"] >= 0 and e["dur"] >= 0 and isinstance(e["args"], dict), e
        tracks[e["pid"], e["tid"]].append(e)
named = {(e["pid"], e["tid"]): e["args"]["name"] for e in events
         if e["ph"] == "M" and e["name"] == "thread_name"}
processes = {e["pid"]: e["args"]["name"] for e in events
             if e["ph"] == "M" and e["name"] == "process_name"}
last = 0
for track, slices in tracks.items():
    assert track in named and track[0] in processes, track
    if track[0] == 1:
        # Two workers may write in another order than the card counted in.
        slices.sort(key=lambda e: e["ts"])
    end = 0
    for e in slices:
        start = round(e["ts"] * 1000)
        assert start >= end, (track, e)
        end = start + round(e["dur"] * 1000)
    last = max(last, end)
charged = sum(e["args"]["cycles"] for (pid, _), slices in tracks.items()
              for e in slices if pid == 1)
assert charged and charged * 1000000 // clock == last, (charged, last)
queued = sum(e["args"]["charged"] for (pid, tid), slices in tracks.items()
             for e in slices if pid > 1 and tid == 6)
assert queued == charged, (queued, charged)
assert not sys.argv[2:] or sys.argv[2] in names, names
print(f"# {len(events)} events, {charged} cycles")
PY
}

echo "TAP version 13"

ACCEL_TRACE=$dir/two.json build/bin/examples/two_queues >/dev/null 2>"$dir/err"
valid "$dir/two.json"
result $? two_queues_make_a_valid_trace

ACCEL_TRACE=$dir/gemm.json build/bin/examples/gemm >/dev/null 2>"$dir/err"
valid "$dir/gemm.json" MATMUL
result $? a_product_is_there_by_name

# Killed at any time, it is valid JSON up to there.
ACCEL_TRACE=$dir/killed.json build/bin/loom-train --epochs 50 >/dev/null 2>&1 &
pid=$!
for _ in $(seq 100); do
	[ "$(stat -c %s "$dir/killed.json" 2>/dev/null || echo 0)" -gt 100000 ] && break
	sleep 0.1
done
kill -KILL "$pid"
wait "$pid" 2>/dev/null
python3 -c 'import json, sys; assert len(json.load(open(sys.argv[1]))) > 100' \
	"$dir/killed.json" 2>"$dir/err"
result $? a_killed_program_leaves_valid_json

ACCEL_TRACE=$dir/no/where build/bin/examples/gemm >/dev/null 2>"$dir/err"
[ $? != 0 ] && grep -q "cannot write $dir/no/where: No such file" "$dir/err"
result $? a_file_that_cannot_be_written_is_told

ACCEL_TRACE=/dev/stdout build/bin/examples/gemm 2>"$dir/err" | cat >"$dir/out"
grep -q "cannot write /dev/stdout: Illegal seek" "$dir/err"
result $? a_pipe_is_refused

echo "1..$number"
