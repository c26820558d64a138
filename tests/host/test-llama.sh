#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Stock llama.cpp on a card of the process: the same texts as on the CPU, the
# same perplexity, computed by the card, and clean failures.  Needs Debian's
# packages of llama.cpp and a model; neither is downloaded here.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset ACCEL_DEVICE LOOM_VISIBLE_DEVICES LOOM_GGML_STATS GGML_BACKEND_PATH
model=${LOOM_LLAMA_MODEL:-../shared/data/stories260K.gguf}
backend=$PWD/build/libggml-loom.so
names=(
	five_texts_of_200_tokens_are_the_cpus_in_f32
	the_card_computed_every_node
	a_graph_that_repeats_is_not_recorded_again
	perplexity_in_f16_is_within_a_thousandth
	perplexity_in_q8_0_is_within_a_thousandth
	claimed_operations_pass_ggmls_tests
	training_loses_as_on_the_cpu
	without_a_card_the_cpu_goes_on
	without_permission_the_cpu_goes_on
	an_unknown_interface_is_said_and_the_cpu_goes_on
	out_of_memory_is_said
	declared_layouts_are_ggmls
	block_formats_are_ggmls_to_the_bit
	copies_of_weights_follow_the_weights
	weights_that_the_arrays_do_not_read_are_packed_once
	a_full_card_computes_what_just_fits
)

echo "TAP version 13"
echo "1..${#names[@]}"

skip_all() {
	local name
	for name in "${names[@]}"; do
		skip "$name" "$1"
	done
	exit 0
}

tools/env/llama.sh local >"$tmp/tree" 2>"$tmp/why" ||
	skip_all "$(tail -n 1 "$tmp/why")"
[ -r "$model" ] || skip_all "no model $model"

llama() {
	tools/env/llama.sh run "$@"
}

# on_card PROGRAM ARGS... - with the backend, on a card of the process
on_card() {
	ACCEL_DEVICE=${device:-sim:} GGML_BACKEND_PATH=$backend \
		LOOM_GGML_STATS=$tmp/stats llama "$@"
}

prompts=(
	"Once upon a time"
	"Lily and Tom"
	"The little dog"
	"One day, a bird"
	"Mom said"
)

# write RUNNER LAYERS PROMPT - 200 tokens to stdout.  At its end llama-completion
# now and then loses what it has not printed yet, with every backend, and every other
# time on a busy host: again then.
write() {
	local try
	for try in $(seq 40); do
		rm -f "$tmp/stats"
		"$1" llama-completion -m "$model" -n 200 --temp 0 -no-cnv -t 1 \
			-ngl "$2" --no-warmup --ignore-eos -fa off -ctk f32 -ctv f32 \
			-p "$3" 2>"$tmp/err" >"$tmp/text"
		grep -q 'graphs reused' "$tmp/err" && break
	done
	cat "$tmp/text"
}

same=0
: >"$tmp/all-stats"
for prompt in "${prompts[@]}"; do
	write llama 0 "$prompt" >"$tmp/cpu"
	write on_card 99 "$prompt" >"$tmp/card"
	cat "$tmp/stats" >>"$tmp/all-stats"
	cat "$tmp/cpu" >>"$tmp/stories"
	[ "$(wc -c <"$tmp/cpu")" -gt 200 ] && cmp -s "$tmp/cpu" "$tmp/card" || {
		same=1
		diff "$tmp/cpu" "$tmp/card" | sed 's/^/# /'
		tail -n 3 "$tmp/err" | sed 's/^/# /'
	}
done
result $same "${names[0]}"

# What the card itself counted must be what the graphs needed, and no node of
# the graphs was left to the CPU.
awk '/^graphs / { graphs += $2 }
     /^commands of graphs/ { want += $4 + $6 + $8 }
     /^commands the card ran/ { ran += $NF }
     /^multiply-acc/ { macs += $NF }
     /^[A-Z_]+ / && $3 > 0 { refused = refused " " $1 }
     END {
	printf "# %d graphs, %d commands recorded, the card ran %d, %d multiply-accumulates\n", graphs, want, ran, macs
	if (refused) print "# refused:" refused
	exit !(graphs > 900 && want > 100 * graphs && ran >= want && macs > graphs * 200000 && !refused)
     }' "$tmp/all-stats"
result $? "${names[1]}"

awk '/^graphs / { graphs += $2 }
     /^submissions / { submits += $2 }
     /^command buffers/ { built += $3; patched += $5; reused += $7 }
     END {
	printf "# %d graphs, %d submissions; %d built, %d patched, %d reused\n", graphs, submits, built, patched, reused
	exit !(reused > 0.9 * graphs && submits <= 1.1 * graphs)
     }' "$tmp/all-stats"
result $? "${names[2]}"

# A text of the kind that the model knows: what it wrote.
text=$tmp/stories

# perplexity RUNNER LAYERS MODEL - the last line of its log may be lost as well
perplexity() {
	local try value
	for try in $(seq 40); do
		value=$("$1" llama-perplexity -m "$3" -f "$text" -c 256 -t 1 \
			-ngl "$2" 2>&1 |
			sed -n 's/.*Final estimate: PPL = \([0-9.]*\).*/\1/p')
		[ -z "$value" ] || break
	done
	echo "$value"
}

for type in F16 Q8_0; do
	llama llama-quantize "$model" "$tmp/$type.gguf" $type >/dev/null 2>&1
	awk -v a="$(perplexity llama 0 "$tmp/$type.gguf")" \
	    -v b="$(perplexity on_card 99 "$tmp/$type.gguf")" 'BEGIN {
		printf "# CPU %s, card %s\n", a, b
		exit !(a > 1 && (a - b) ^ 2 <= (a / 1000) ^ 2) }'
	result $? "${names[number]}"
done

# A sample of each kind; `make llama-ops` runs them all.
GGML_BACKEND_PATH=$backend ACCEL_DEVICE=sim: llama test-backend-ops test -b LOOM0 \
	-o SOFT_MAX,RMS_NORM,SWIGLU,SET_ROWS >"$tmp/ops" 2>&1
status=$?
grep -a 'FAIL' "$tmp/ops" | head -n 5 | sed 's/^/# /'
passed=$(sed -n 's/^ *\([0-9]*\)\/[0-9]* tests passed.*/\1/p' "$tmp/ops")
echo "# $passed cases passed"
[ $status = 0 ] && [ "${passed:-0}" -gt 100 ]
result $? "${names[5]}"

# finetune RUNNER LAYERS - loss after an epoch of llama-finetune
finetune() {
	"$1" llama-finetune -m "$model" -f "$text" -c 64 -b 64 -ub 64 -t 1 \
		-ngl "$2" -epochs 1 -o "$tmp/tuned.gguf" 2>&1 | tr '\r' '\n' |
		sed -n 's/^train:.*loss=\([0-9.]*\).*/\1/p' | tail -n 1
}

rm -f "$tmp/stats"
awk -v a="$(finetune llama 0)" -v b="$(finetune on_card 99)" 'BEGIN {
	printf "# CPU %s, card %s\n", a, b
	exit !(a > 0 && (a - b) ^ 2 <= (a / 100) ^ 2) }' &&
	grep -q '^OPT_STEP_ADAMW *[1-9][0-9]* *0 ' "$tmp/stats"
result $? "${names[6]}"

GGML_BACKEND_PATH=$backend ACCEL_DEVICE=/dev/accel/nowhere llama llama-simple \
	-m "$model" -n 20 "Once upon" >"$tmp/card" 2>"$tmp/err" &&
	grep -q '^loom: going on without the card: .*nowhere' "$tmp/err" && grep -q Once "$tmp/card"
result $? "${names[7]}"

# Root without its capabilities, as far as permissions go.
unprivileged=()
[ "$(id -u)" != 0 ] || unprivileged=(setpriv --bounding-set=-dac_override,-dac_read_search)
touch "$tmp/accel0"
chmod 0 "$tmp/accel0"
GGML_BACKEND_PATH=$backend ACCEL_DEVICE=$tmp/accel0 "${unprivileged[@]}" \
	tools/env/llama.sh run llama-simple -m "$model" -n 20 "Once upon" \
	>"$tmp/card" 2>"$tmp/err" &&
	grep -q '^loom: going on without the card: no permission for .*accel0' "$tmp/err" &&
	grep -q Once "$tmp/card"
status=$?
grep -a '^loom:' "$tmp/err" | sed 's/^/# /'
result $status "${names[8]}"

# A ggml of another revision: what the backend asks for it says one more.
cat >"$tmp/newer.c" <<'NEWER'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include "abi.h"
const void *ggml_backend_reg_by_name(const char *name)
{
	static struct gg_reg newer;
	const void *(*next)(const char *) = dlsym(RTLD_NEXT, "ggml_backend_reg_by_name");
	const void *reg = next ? next(name) : NULL;
	Dl_info caller;

	if (!reg || !dladdr(__builtin_return_address(0), &caller) ||
	    !strstr(caller.dli_fname, "libggml-loom"))
		return reg;
	memcpy(&newer, reg, sizeof(newer));
	newer.api_version++;
	return &newer;
}
NEWER
gcc -shared -fPIC -Ilibaccel/ggml -o "$tmp/newer.so" "$tmp/newer.c" &&
	LD_PRELOAD=$tmp/newer.so on_card llama-simple -m "$model" -n 20 "Once upon" \
		>"$tmp/card" 2>"$tmp/err" &&
	[ "$(grep -c '^loom:' "$tmp/err")" = 1 ] &&
	grep -q '^loom: ggml .* revision .*: going on without the card' "$tmp/err" &&
	grep -q Once "$tmp/card"
status=$?
grep -a '^loom:' "$tmp/err" | sed 's/^/# /'
result $status "${names[9]}"

device=sim:hbm=16M on_card llama-completion -m "$model" -n 20 -ngl 99 -c 131072 \
	-fit off -no-cnv -p "Once" >/dev/null 2>"$tmp/err"
status=$?
grep -a '^loom:' "$tmp/err" | head -n 1 | sed 's/^/# /'
[ $status -gt 0 ] && [ $status -lt 128 ] && grep -q '^loom: .*cannot allocate' "$tmp/err"
result $? "${names[10]}"

cat >"$tmp/layout.c" <<'LAYOUT'
#include <stdio.h>
#include <stddef.h>
#ifdef OURS
#include "abi.h"
#define ggml_tensor gg_tensor
#define GGML_OP_COUNT GG_OP_COUNT
#define GGML_OP_MUL_MAT GG_MUL_MAT
#define GGML_OP_GLU GG_GLU
#define GGML_UNARY_OP_COUNT GG_UNARY_COUNT
#define GGML_GLU_OP_COUNT GG_GLU_COUNT
#define GGML_TYPE_Q6_K GG_Q6_K
#define GGML_TYPE_COUNT GG_TYPE_COUNT
#define ggml_backend_dev_props gg_device_props
#else
#include "ggml.h"
#include "ggml-backend.h"
#endif
#define AT(m) offsetof(struct ggml_tensor, m)
int main(void)
{
	printf("%zu %zu %zu %zu %zu %zu %zu %zu %zu\n", sizeof(struct ggml_tensor),
	       AT(buffer), AT(ne), AT(nb), AT(op), AT(op_params), AT(flags), AT(src), AT(data));
	printf("%d %d %d %d %d %d %d\n", GGML_OP_COUNT, GGML_OP_MUL_MAT, GGML_OP_GLU,
	       GGML_UNARY_OP_COUNT, GGML_GLU_OP_COUNT, GGML_TYPE_Q6_K, GGML_TYPE_COUNT);
	printf("%zu %zu\n", sizeof(struct ggml_backend_dev_props),
	       offsetof(struct ggml_backend_dev_props, caps));
	return 0;
}
LAYOUT
gcc -DOURS -Ilibaccel/ggml -o "$tmp/ours" "$tmp/layout.c" &&
	gcc -I"$(cat "$tmp/tree")/usr/include" -o "$tmp/theirs" "$tmp/layout.c" &&
	"$tmp/ours" >"$tmp/a" && "$tmp/theirs" >"$tmp/b" && diff "$tmp/a" "$tmp/b" | sed 's/^/# /' &&
	cmp -s "$tmp/a" "$tmp/b"
result $? "${names[11]}"

# on_ggml SOURCE - build a program with ggml's headers and run it on a card
on_ggml() {
	local tree
	tree=$(cat "$tmp/tree")
	gcc -O1 -I"$tree/usr/include" -o "$tmp/program" "$1" -lm \
		-L"$(dirname "$(find "$tree" -name libggml-base.so | head -n 1)")" \
		-lggml -lggml-base -Wl,--allow-shlib-undefined &&
		on_card "$tmp/program" 2>"$tmp/err"
}

on_ggml tests/host/llama_blocks.c
result $? "${names[12]}"

on_ggml tests/host/llama_repack.c && grep -q '^loom: .*packing weights (q5_1)' "$tmp/err"
result $? "${names[13]}"

# Types that the arrays do not read: without the copies each token unpacks them.
llama llama-quantize "$model" "$tmp/Q5_1.gguf" Q5_1 >/dev/null 2>&1
# measure VARIABLE=VALUE - perplexity on the card, modelled milliseconds per token
measure() {
	local value
	value=$(export "$1"; perplexity on_card 99 "$tmp/Q5_1.gguf")
	rm -f "$tmp/stats"
	(export "$1"; on_card llama-simple -m "$tmp/Q5_1.gguf" -n 60 -ngl 99 \
		"The little dog" >/dev/null 2>&1)
	echo "$value $(awk '/^modelled time/ { print $5 }' "$tmp/stats")"
}
awk -v cpu="$(perplexity llama 0 "$tmp/Q5_1.gguf")" \
    -v copies="$(measure LOOM_GGML_REPACK=1)" -v none="$(measure LOOM_GGML_REPACK=0)" 'BEGIN {
	split(copies, a); split(none, b)
	printf "# CPU %s, packed to q8_0 %s, as they are %s; %.4f and %.4f ms per token\n", cpu, a[1], b[1], a[2], b[2]
	exit !(cpu > 1 && (cpu - a[1]) ^ 2 <= (cpu / 100) ^ 2 &&
	       (cpu - b[1]) ^ 2 <= (cpu / 500) ^ 2 && a[2] > 0 && 2 * a[2] < b[2]) }'
result $? "${names[14]}"

device=sim:hbm=128M on_ggml tests/host/llama_full_card.c
result $? "${names[15]}"
