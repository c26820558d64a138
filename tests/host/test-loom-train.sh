#!/bin/bash
# SPDX-License-Identifier: MIT
#
# loom-train as a program: its messages, exit statuses and output.  The data
# set is made here, four kinds of stripes, so that the test is quick.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
train=build/bin/loom-train
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# refuses STATUS TEXT NAME ARGS... - exit status, and one line that has TEXT
refuses() {
	local status=$1 text=$2 name=$3
	shift 3
	"$train" --data "$dir" --epochs 1 "$@" >"$dir/out" 2>"$dir/err"
	test $? = "$status" && test "$(wc -l <"$dir/err")" = 1 &&
		grep -qF -- "$text" "$dir/err"
	result $? "$name"
	[ "$status" = 0 ] || sed 's/^/# /' "$dir/err"
}

/usr/bin/python3 - "$dir" <<'PY'
import gzip, random, struct, sys

random.seed(1)

def image(label):
    out = bytearray()
    for y in range(28):
        for x in range(28):
            stripe = (x if label % 2 else y) // (2 + label // 2) % 2
            out.append(min(255, 180 * stripe + random.randrange(60)))
    return out

def write(prefix, count, opener, suffix):
    labels = [i % 10 for i in range(count)]
    with opener(f"{sys.argv[1]}/{prefix}-images-idx3-ubyte{suffix}", "wb") as f:
        f.write(struct.pack(">4I", 0x803, count, 28, 28))
        for label in labels:
            f.write(image(label))
    with opener(f"{sys.argv[1]}/{prefix}-labels-idx1-ubyte{suffix}", "wb") as f:
        f.write(struct.pack(">2I", 0x801, count) + bytes(labels))

write("train", 1030, gzip.open, ".gz")
write("t10k", 101, open, "")
# More than a card of 16 MiB holds, of blank images.
with gzip.open(sys.argv[1] + "/big.gz", "wb") as f:
    f.write(struct.pack(">4I", 0x803, 25000, 28, 28) + bytes(25000 * 784))
with open(sys.argv[1] + "/big-labels", "wb") as f:
    f.write(struct.pack(">2I", 0x801, 25000) + bytes(25000))
PY

run=("$train" -d sim: --data "$dir" --epochs 4 --batch 20)

echo "TAP version 13"
echo "1..20"

"${run[@]}" --min-accuracy 90 --json "$dir/a.json" --hash >"$dir/a.txt"
result $? "stripes_are_learned"

test "$(grep -c '^epoch ' "$dir/a.txt")" = 4 && ! grep -q $'[\r\033]' "$dir/a.txt"
result $? "a_file_gets_one_plain_line_per_epoch"

/usr/bin/python3 - "$dir/a.json" "$(sed -n 's/^hash //p' "$dir/a.txt")" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
assert abs(sum(r["percent"].values()) - 100) < 1e-6, r["percent"]
parts = sum(v for k, v in r["cycles"].items() if k != "total")
assert parts == r["cycles"]["total"], r["cycles"]
assert sum(map(sum, r["confusion"])) == r["test_images"] == 101
assert r["hash"] == sys.argv[2] and r["train_images"] == 1030
right = sum(r["confusion"][i][i] for i in range(10))
assert abs(r["test_accuracy"] - right / 101) < 1e-4
PY
result $? "the_summary_is_consistent"

"${run[@]}" --json - 2>/dev/null | /usr/bin/python3 -m json.tool >/dev/null
result $? "json_stands_alone_on_standard_output"

hash() { "${run[@]}" --hash "$@" | sed -n 's/^hash //p'; }
first=$(hash)
test -n "$first" && test "$first" = "$(hash)"
result $? "the_same_seed_gives_the_same_hash"
test "$first" = "$(hash -d sim:arrays=1,workers=3)"
result $? "another_shape_of_card_gives_the_same_hash"
test "$first" != "$(hash --seed 2)"
result $? "another_seed_gives_another_hash"
"${run[@]}" --precision f32 --min-accuracy 90 >/dev/null
result $? "f32_learns_too"
# 1030 / 33 = 31 steps: a full slot and a short one.
"${run[@]}" --batch 33 --min-accuracy 90 >/dev/null
result $? "the_last_submission_of_an_epoch_may_be_short"

script -qec "${run[*]}" /dev/null </dev/null >"$dir/tty" 2>&1
grep -q $'\r.*\[####' "$dir/tty" && grep -q $'\033\[32m' "$dir/tty"
result $? "a_terminal_gets_a_bar_and_colour"
NO_COLOR=1 script -qec "${run[*]}" /dev/null </dev/null >"$dir/tty" 2>&1
! grep -q $'\033\[[0-9]*m' "$dir/tty"
result $? "no_color_is_respected"

"$train" --help | grep -q '^exit status'
result $? "help_documents_the_exit_status"
refuses 2 "expected 1 to 1000" "a_bad_number_is_bad_usage" --epochs 0
refuses 2 "more than the 10 training" "a_batch_needs_images" -d sim: --limit 10
refuses 3 "opening the card" "a_missing_card_is_told" -d /dev/accel/accel99
refuses 3 "opening the card" "a_bad_device_is_told" -d nonsense
refuses 7 "below 100.00" "min_accuracy_fails" -d sim: --limit 200 --min-accuracy 100
mv "$dir/big.gz" "$dir/train-images-idx3-ubyte.gz"
mv "$dir/big-labels" "$dir/train-labels-idx1-ubyte"
rm "$dir/train-labels-idx1-ubyte.gz"
refuses 5 "card's memory" "too_small_a_card_is_told" -d sim:hbm=16M
truncate -s -100 "$dir/t10k-images-idx3-ubyte"
refuses 4 "damaged" "a_damaged_data_set_is_told" -d sim:
rm "$dir/train-images-idx3-ubyte.gz"
refuses 4 "apt-get install dataset-fashion-mnist" "a_missing_data_set_is_told" -d sim:
