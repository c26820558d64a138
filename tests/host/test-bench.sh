#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The benchmark runs, and what it writes can be read.  Its numbers mean nothing
# here: small cases, sanity only.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

skip_all() {
	echo "1..1"
	echo "ok 1 benchmark # SKIP $1"
	exit 0
}

echo "TAP version 13"
[ -r /proc/self/schedstat ] || skip_all "this kernel does not tell the CPU time of threads"
[ -x build/bin/bench_device ] || skip_all "build/bin/bench_device is not built: make tests"
echo "1..3"

tests/bench/bench --quick --output "$tmp/bench.json" >"$tmp/out" 2>&1
status=$?
[ $status = 0 ] || sed 's/^/# /' "$tmp/out"
result $status "quick_run_over_sim_succeeds"

/usr/bin/python3 - "$tmp/bench.json" <<'PY'
import json, sys
rows = json.load(open(sys.argv[1]))
kinds = {"name": str, "unit": str, "ours": float, "reference_name": str,
         "reference": float, "ratio": float}
names = [row["name"] for row in rows]
assert len(set(names)) == len(names), names
assert {name.split("/")[0] for name in names} == {"gemm", "vector", "copy", "submit"}
for row in rows:
    assert list(row) == list(kinds), row
    for key, kind in kinds.items():
        assert isinstance(row[key], (int, kind) if kind is float else kind), row
    assert row["ours"] > 0 and row["reference"] > 0 and row["ratio"] > 0, row
    assert row["name"].endswith("/sim"), row
irqs = next(row for row in rows if row["name"] == "submit/irqs/sim")
assert irqs["ours"] <= 1, irqs
PY
result $? "every_row_has_the_fields_and_sense"

! tests/bench/bench --quick --output "$tmp" >/dev/null 2>&1
result $? "output_that_cannot_be_written_is_an_error"
