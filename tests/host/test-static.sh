#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What reads the driver instead of running it: sparse, the kernel's checkpatch.pl
# --strict (exceptions in .checkpatch.conf) and kernel-doc.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
log=build/check/static.out
mkdir -p build/check

explain() { head -n 40 $log; }

sources() {
	git ls-files 'driver/*.[ch]' 'uapi/*.h'
}

# Without imitations of the kernel's interfaces, which look like none of its code.
own_sources() {
	sources | grep -vE '^driver/(compat|tests/host)/'
}

# A file with a complaint gets no object, so the next run looks at it again.
check_sparse() {
	local name=sparse_is_content
	command -v sparse >/dev/null ||
		{ skip $name "no sparse: run tools/env/packages.sh install static"; return; }
	tools/env/kernel.sh --print-headers >/dev/null 2>&1 ||
		{ skip $name "no kernel headers: run tools/env/kernel.sh"; return; }
	tools/env/module.sh --out build/module-sparse C=1 CF=-Wsparse-error >$log.all 2>&1
	local status=$?
	grep -E 'error|warning' $log.all >$log
	result $((status || $(wc -l <$log))) $name
}

# The script is in the kernel's source, which the debug kernel was built from.
check_checkpatch() {
	local name=checkpatch_is_content cache=${XDG_CACHE_HOME:-$HOME/.cache}/loom script
	script=$(find "$cache"/debug-kernel/*/source/scripts -name checkpatch.pl 2>/dev/null | head -n 1)
	[ -n "$script" ] ||
		{ skip $name "no checkpatch.pl: run tools/env/debug-kernel.sh"; return; }
	own_sources | xargs perl "$script" --no-tree --strict --terse --show-types --no-summary --file >$log 2>&1
	local status=$?
	result $((status || $(wc -l <$log))) $name
}

# Members without description, and descriptions without member.
check_kernel_doc() {
	local name=kernel_doc_is_content headers script
	headers=$(tools/env/kernel.sh --print-headers 2>/dev/null) ||
		{ skip $name "no kernel headers: run tools/env/kernel.sh"; return; }
	script=$(find "${headers%/usr/src/*}"/usr/lib/*/scripts -name kernel-doc | head -n 1)
	[ -n "$script" ] ||
		{ skip $name "this kernel's packages have no kernel-doc"; return; }
	sources | xargs -n 1 perl "$script" -none -Wall >$log 2>&1
	result "$(wc -l <$log)" $name
}

# kernel-doc looks at what has a description only.
check_structs() {
	awk '
		FNR == 1 { last = "" }
		/^(static )?struct [a-z0-9_]+ \{/ {
			name = $1 == "static" ? $3 : $2
			if (last !~ /\*\/$/ || doc != name)
				print FILENAME ":" FNR ": struct " name " is not described"
		}
		/^(\/\*\* | \* )struct [a-z0-9_]+ - / { doc = $3 }
		{ last = $0 }' $(own_sources) >$log
	result "$(wc -l <$log)" every_struct_is_described
}

echo "TAP version 13"
echo "1..4"
check_sparse
check_checkpatch
check_kernel_doc
check_structs
