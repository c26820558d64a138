#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Stock llama.cpp in the VM, on the card through the driver: the text is the
# CPU's, and without permission the CPU goes on.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
model=${LOOM_LLAMA_MODEL:-../shared/data/stories260K.gguf}
names=(the_text_is_the_cpus_on_the_card_of_the_vm a_graph_is_one_submission
	the_reason_is_said_when_there_is_no_card
	a_hang_in_a_token_is_a_failure_with_its_reason)

echo "TAP version 13"
echo "1..${#names[@]}"
why=
tools/env/llama.sh local >/dev/null 2>"$tmp/why" || why=$(tail -n 1 "$tmp/why")
[ -r "$model" ] || why="no model $model"
if [ -n "$why" ]; then
	for name in "${names[@]}"; do
		skip "$name" "$why"
	done
	exit 0
fi

args=(llama-simple -m "$(readlink -f "$model")" -n 60)
tools/env/llama.sh run "${args[@]}" -ngl 0 "The little dog" >"$tmp/cpu" 2>/dev/null
in_vm() {
	tools/loom-vm --no-stdin --timeout 300 "$@"
}
environment=(env XDG_CACHE_HOME="${XDG_CACHE_HOME:-$HOME/.cache}"
	GGML_BACKEND_PATH="$PWD/build/libggml-loom.so" LOOM_GGML_STATS=-)

in_vm -- "${environment[@]}" tools/env/llama.sh run "${args[@]}" -ngl 99 \
	"The little dog" >"$tmp/card" 2>"$tmp/err"
[ -s "$tmp/cpu" ] && cmp "$tmp/cpu" "$tmp/card" && grep -q '^GLU ' "$tmp/err"
status=$?
[ $status = 0 ] || tail -n 8 "$tmp/err" | sed 's/^/# /'
result $status "${names[0]}"

awk '/^graphs / { graphs = $2 } /^submissions / { submits = $2 }
     END { printf "# %d graphs, %d submissions\n", graphs, submits
	   exit !(graphs > 50 && submits <= graphs + 5) }' "$tmp/err"
result $? "${names[1]}"

in_vm --no-card -- "${environment[@]}" tools/env/llama.sh run "${args[@]}" \
	-ngl 99 "The little dog" >"$tmp/card" 2>"$tmp/err" &&
	cmp "$tmp/cpu" "$tmp/card" && grep -q '^loom: going on without the card: ' "$tmp/err"
result $? "${names[2]}"

# The card stops in the middle of a graph, some tokens into the text.
in_vm --driver-opts job_timeout_ms=2000 --fault hang,after=2000 -- \
	"${environment[@]}" tools/env/llama.sh run "${args[@]}" -ngl 99 \
	"The little dog" >"$tmp/card" 2>"$tmp/err"
status=$?
echo "# status $status"
grep -a '^loom: ' "$tmp/err" | head -n 3 | sed 's/^/# /'
[ $status -gt 0 ] && [ $status -lt 124 ] && grep -q '^loom: .* has failed: ' "$tmp/err" &&
	[ "$(wc -c <"$tmp/card")" -lt "$(wc -c <"$tmp/cpu")" ]
result $? "${names[3]}"
