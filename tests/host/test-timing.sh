#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Modelled time: against what others measured, against the card's counters, and
# loom-time as a program.  All of it under the sanitizers.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
tool=build/asan/tests/timing/loom-time

# suite PROGRAM - its tests, numbered on from here, reasons beside the skips
suite() {
	"build/asan/tests/timing/$1" >"$dir/tap" 2>"$dir/err"
	local status=$?
	sed 's/^/# /' "$dir/err"
	awk -v n="$number" '
		/^TAP version|^1\.\./ { next }
		/^# SKIP / { reason = $0; next }
		/^(not )?ok / {
			sub(/ok [0-9]+/, "ok " ++n)
			sub(/# SKIP.*/, reason)
		}
		{ print }' "$dir/tap"
	number=$((number + $(grep -cE '^(not )?ok ' "$dir/tap")))
	# A program that died says so.
	[ $status = 0 ] || grep -q '^not ok' "$dir/tap" ||
		result 1 "$1 ends with status $status"
}

# refuses STATUS TEXT NAME ARGS... - exit status, no output, a line that has TEXT
refuses() {
	local status=$1 text=$2 name=$3
	shift 3
	"$tool" "$@" >"$dir/out" 2>"$dir/err"
	test $? = "$status" && test ! -s "$dir/out" &&
		test "$(wc -l <"$dir/err")" = 1 && grep -qF -- "$text" "$dir/err"
	result $? "$name"
	[ "$(tail -n 1 "$dir/err" | wc -c)" -lt 400 ] && sed 's/^/# /' "$dir/err"
}

# list NAME LINE... - a list with a header
list() {
	printf '%s\n' 'Layer, M, N, K,' "${@:2}" >"$dir/$1.csv"
}

# column NAME FILE - a column of a CSV file without its head
column() {
	awk -F, -v name="$1" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
		{ print $at }' "$2"
}

echo "TAP version 13"

suite tables
suite counters

# What it prints ------------------------------------------------------------

list good 'Conv1,12100,64,147,' 'fc, 1, 1000, 512' '' ',,,,' 'x,1,1,1,,,'
"$tool" "$dir/good.csv" >"$dir/good.out" && head -n 1 "$dir/good.out" |
	grep -q '^layer,cycles,utilisation,bytes_hbm_read,bytes_hbm_write,stall_hbm,stall_pcie,front,' &&
	[ "$(column layer "$dir/good.out" | tr '\n' ' ')" = "Conv1 fc x (job) (total) " ]
result $? "a_row_for_every_layer_the_job_and_the_total"

awk -F, 'NR == 1 { next }
	$2 != $6 + $7 + $8 + $9 { bad = 1 }
	$1 == "(total)" { exit bad || sum != $2 }
	{ sum += $2 }' "$dir/good.out"
result $? "columns_and_rows_add_up"

"$tool" - <"$dir/good.csv" | cmp -s - "$dir/good.out"
result $? "dash_is_standard_input"

{ printf '\xef\xbb\xbf'; sed 's/$/\r/' "$dir/good.csv"; } >"$dir/crlf.csv"
"$tool" "$dir/crlf.csv" | cmp -s - "$dir/good.out"
result $? "carriage_returns_and_a_byte_order_mark_are_ignored"

list names 'a"b\c<&>,1,2,3' 'é,4,5,6'
"$tool" --json "$dir/names.csv" >"$dir/json" && python3 - "$dir/json" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
assert [l["layer"] for l in r["layers"]] == ['a"b\\c<&>', "é"]
assert r["card"]["num_arrays"] == 4 and r["model"] == "loom"
parts = r["layers"] + [r["job"]]
for key in r["total"]:
    if key != "utilisation":
        assert sum(p[key] for p in parts) == r["total"][key], key
PY
result $? "json_is_json_and_adds_up"

"$tool" --model scalesim --array 128x128 "$dir/good.csv" >"$dir/out" &&
	[ "$(column cycles "$dir/out" | head -n 1)" = 24963 ] &&
	[ -z "$(column stall_hbm "$dir/out" | tr -d '\n')" ] &&
	"$tool" --model ispass --json "$dir/good.csv" | python3 -c '
import json, sys
r = json.load(sys.stdin)
assert r["layers"][0]["cycles"] == 24964 and r["total"]["stall_hbm"] is None'
result $? "other_models_leave_what_they_do_not_know_empty"

cat >"$dir/card.conf" <<'END'
# A small card
num_arrays = 1
array_rows=32	# of K
array_cols = 64

sram_size = 4M
END
"$tool" --config "$dir/card.conf" "$dir/good.csv" >"$dir/a" &&
	"$tool" --arrays 1 --array 32x64 --sram 4M "$dir/good.csv" | cmp -s - "$dir/a" &&
	! cmp -s "$dir/a" "$dir/good.out" &&
	"$tool" --config "$dir/card.conf" --arrays 4 --array 128x128 --sram 32M \
		"$dir/good.csv" | cmp -s - "$dir/good.out"
result $? "a_configuration_file_is_like_options_and_later_ones_win"

list huge 'h,4294967295,4294967295,4294967295'
"$tool" "$dir/huge.csv" >"$dir/out" && "$tool" --model ispass --dataflow is "$dir/huge.csv" >/dev/null &&
	"$tool" --dataflow os --type f32 --plot "$dir/huge.svg" "$dir/huge.csv" >/dev/null
result $? "the_largest_sizes_do_not_overflow"

# Plots ---------------------------------------------------------------------

# svg FILE TEXT... - well-formed, numbers only where numbers belong, has the texts
svg() {
	python3 - "$@" <<'PY'
import sys, xml.etree.ElementTree as et
root = et.parse(sys.argv[1]).getroot()
width, height = float(root.get("width")), float(root.get("height"))
for e in root.iter():
    for key, top in (("x", width), ("y", height), ("cx", width), ("cy", height),
                     ("x1", width), ("x2", width), ("y1", height), ("y2", height)):
        assert -0.1 <= float(e.get(key, 0)) <= top + 0.1, (e.tag, e.attrib)
texts = " | ".join(e.text or "" for e in root.iter())
for text in sys.argv[2:]:
    assert text in texts, (text, texts)
PY
}

"$tool" --plot "$dir/r.svg" "$dir/names.csv" >/dev/null &&
	svg "$dir/r.svg" 'a"b\c<&>' 'operations per byte' 'operations per second' '/s for streams' 'arrays: 184 Top/s'
result $? "the_roofline_is_svg_with_labels_and_units"
"$tool" --memory system --plot "$dir/r.svg" "$dir/good.csv" >/dev/null && svg "$dir/r.svg" PCIe &&
	svg "$dir/huge.svg"
result $? "the_roofline_follows_the_memory_and_fits_the_page"

sweep=array=32x32,64x64,256x256
"$tool" --sweep $sweep --plot "$dir/s.svg" "$dir/good.csv" >"$dir/out" &&
	svg "$dir/s.svg" 32x32 256x256 'waiting for HBM' utilisation 's' &&
	[ "$(column array "$dir/out" | head -n 1)" = 32x32 ] && [ "$(wc -l <"$dir/out")" = 4 ] &&
	[ "$(column cycles "$dir/out" | sed -n 2p)" = \
	  "$("$tool" --array 64x64 "$dir/good.csv" >"$dir/a" && column cycles "$dir/a" | tail -n 1)" ]
result $? "a_sweep_has_the_totals_of_its_cards"
"$tool" --json --sweep hbm_channels=1,2 "$dir/good.csv" | python3 -c '
import json, sys
r = json.load(sys.stdin)
assert r["key"] == "hbm_channels" and [p["value"] for p in r["points"]] == ["1", "2"]'
result $? "a_sweep_in_json_is_json"

# Mistakes ------------------------------------------------------------------

refuses 1 "cannot read $dir/none.csv: No such file" "a_missing_list_is_told" "$dir/none.csv"
: >"$dir/empty.csv"
refuses 1 "empty.csv: no layer in it" "an_empty_list_is_told" "$dir/empty.csv"
list head
refuses 1 "head.csv: no layer in it" "a_list_of_a_header_is_told" "$dir/head.csv"
printf 'a,1,2,3\nb,1,2,3\n' >"$dir/nohead.csv"
refuses 1 "nohead.csv:1: no header" "a_missing_header_is_told" "$dir/nohead.csv"
list short 'a,1,2,3' '' 'b,1,2'
refuses 1 "short.csv:4: K is missing" "a_short_line_is_told_with_its_number" "$dir/short.csv"
list word 'a,1,2x,3'
refuses 1 "word.csv:2: N is '2x'" "a_word_for_a_number_is_told" "$dir/word.csv"
list zero 'a,0,2,3'
refuses 1 "zero.csv:2: M is '0'; it must be a number from 1 to 4294967295" "zero_is_told" "$dir/zero.csv"
list big 'a,1,2,4294967296'
refuses 1 "big.csv:2: K is '4294967296'" "too_large_a_number_is_told" "$dir/big.csv"
list minus 'a,-1,2,3'
refuses 1 "minus.csv:2: M is '-1'" "a_negative_number_is_told" "$dir/minus.csv"
list more 'a,1,2,3,4'
refuses 1 "more.csv:2: '4' after K" "too_many_fields_are_told" "$dir/more.csv"
list noname ',1,2,3'
refuses 1 "noname.csv:2: the layer has no name" "a_nameless_layer_is_told" "$dir/noname.csv"
printf 'layer,M,N,K\na\0b,1,2,3\n' >"$dir/nul.csv"
refuses 1 "nul.csv:2: a zero byte" "binary_data_is_told" "$dir/nul.csv"
list latin $'caf\xe9,1,2,3'
refuses 1 "latin.csv:2: the name is not UTF-8" "a_name_in_another_encoding_is_told" "$dir/latin.csv"
list long "$(printf 'x%.0s' {1..5000}),1,2,$(printf '9%.0s' {1..5000})"
refuses 1 "long.csv:2: K is '9999" "a_long_line_is_told_shortly" "$dir/long.csv"
refuses 1 "cannot read $dir: Is a directory" "a_directory_is_told" "$dir"

conf() { printf '%s\n' "$@" >"$dir/bad.conf"; }
conf 'num_arrays = 1' 'arrays 2'
refuses 1 "bad.conf:2: 'arrays 2' is not key = value" "a_line_without_equals_is_told" --config "$dir/bad.conf" "$dir/good.csv"
conf '' 'colour = 2'
refuses 1 "bad.conf:2: no parameter is called 'colour'" "an_unknown_key_is_told" --config "$dir/bad.conf" "$dir/good.csv"
conf 'clock_khz = fast'
refuses 1 "bad.conf:1: clock_khz is 'fast'" "a_bad_value_is_told" --config "$dir/bad.conf" "$dir/good.csv"
conf 'num_arrays = 1' '' 'num_arrays = 2'
refuses 1 "bad.conf:3: num_arrays stands in line 1 already" "a_key_twice_is_told" --config "$dir/bad.conf" "$dir/good.csv"
conf 'array_rows = 100'
refuses 2 "array_rows is 100; it must be a power of two from 8 to 512" "an_impossible_card_is_told" --config "$dir/bad.conf" "$dir/good.csv"

refuses 2 "expected one list" "a_list_is_needed"
refuses 2 "rows x columns" "a_bad_shape_is_bad_usage" --array 128 "$dir/good.csv"
refuses 2 "sram_size is 3145728" "a_bad_size_is_bad_usage" --sram 3M "$dir/good.csv"
refuses 2 "expected one of loom, scalesim, ispass" "an_unknown_model_is_bad_usage" --model tpu "$dir/good.csv"
refuses 2 "dataflow is 'rs'; it must be one of ws, os, is" "an_unknown_dataflow_is_bad_usage" --dataflow rs "$dir/good.csv"
refuses 2 "expected one of i8" "an_unknown_type_is_bad_usage" --type i32 "$dir/good.csv"
refuses 2 "knows one array, not 2" "other_models_have_one_array" --model ispass --arrays 2 "$dir/good.csv"
refuses 2 "has no memory, so no roofline" "other_models_have_no_roofline" --model ispass --plot "$dir/x.svg" "$dir/good.csv"
refuses 2 "--sweep: array is '64'" "a_bad_sweep_is_bad_usage" --sweep array=32x32,64 "$dir/good.csv"
refuses 2 "expected KEY=VALUE" "a_sweep_needs_values" --sweep array "$dir/good.csv"

"$tool" --frobnicate "$dir/good.csv" >/dev/null 2>"$dir/err"
test $? = 2 && grep -q -- --help "$dir/err"
result $? "an_unknown_option_points_to_the_help"
"$tool" --plot "$dir/no/such.svg" "$dir/good.csv" >/dev/null 2>"$dir/err"
test $? = 1 && grep -q "cannot write $dir/no/such.svg" "$dir/err"
result $? "a_plot_that_cannot_be_written_is_told"
"$tool" "$dir/good.csv" >/dev/full 2>"$dir/err"
test $? = 1 && grep -q "cannot write standard output" "$dir/err"
result $? "a_full_disk_is_told"

# Its texts -----------------------------------------------------------------

"$tool" --help >"$dir/help" && grep -q '^exit status' "$dir/help" &&
	build/bin/loom-time --help | cmp -s - "$dir/help"
result $? "help_documents_the_exit_status"
missing=0
for option in $(grep -oE '^ +--[a-z-]+' "$dir/help"); do
	sed 's/\\//g' tools/loom-time.1 | grep -q -- "$option" || { echo "# not in the manual: $option"; missing=1; }
done
result $missing "the_manual_has_every_option"
if command -v groff >/dev/null; then
	groff -man -Tutf8 -ww -z tools/loom-time.1 2>&1 | sed 's/^/# /' | tee "$dir/err"
	[ ! -s "$dir/err" ]
	result $? "the_manual_is_correct_roff"
fi
echo "1..$number"
