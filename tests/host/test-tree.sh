#!/bin/bash
# SPDX-License-Identifier: MIT
#
# House rules that a program can check: licences, layers, lengths.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh

# Tracked files, or in a tree without git all that are not built.
files() {
	git ls-files -- "$@" 2>/dev/null | while read -r file; do
		[ -f "$file" ] && echo "$file"
	done
}

# long_functions LIMIT FILE... - functions with a body of more lines, by column-0 braces
long_functions() {
	local limit=$1
	shift
	awk -v limit="$limit" '
		/^[a-zA-Z_].*\(/ && !/;$/ { name = $0 }
		/^\{/ { start = FNR }
		/^\}/ && start {
			if (FNR - start - 1 > limit)
				printf "%s:%d: %d lines: %s\n", FILENAME, start, FNR - start - 1, name
			start = 0
		}' "$@"
}

# mean_length FILE... - mean number of lines in a function's body
mean_length() {
	awk '/^\{/ { start = FNR }
	     /^\}/ && start { total += FNR - start - 1; count++; start = 0 }
	     END { printf "%d\n", count ? total / count + 0.5 : 0 }' "$@"
}

echo "TAP version 13"
echo "1..9"

no_complaints every_file_names_its_licence "$(files | grep -vE '^(LICENSE|README.md|\.gitignore|\.editorconfig|libaccel/man/.*|tests/fuzz/corpus/.*)$' |
	xargs -r -d '\n' grep -L 'SPDX-License-Identifier' | head)"

no_complaints the_core_includes_no_qemu_or_kernel_header "$(grep -nE '#include [<"](qemu|glib|linux|drm|hw)/' \
	$(files 'qemu-device/core/*.[ch]') | head)"

# A guest's mistake is an error of its queue.
no_complaints no_assertion_is_within_reach_of_a_guest "$(grep -nE '\b(g_)?(assert|abort|error_abort|hw_error|exit|g_error|assert_not_reached)\(|error_fatal|&error_abort' \
	$(files 'qemu-device/core/*' 'qemu-device/qemu/*') | grep -vE '_Static_assert|static_assert' | head)"

# One place to check addresses, and to be fuzzed.
no_complaints all_dma_goes_through_one_file "$(grep -nE '\b(pci_dma|dma_memory|address_space|cpu_physical_memory|dma_buf)_[a-z_]+\(' \
	$(files 'qemu-device/qemu/*.c' | grep -v 'loom-dma.c$') | head)"

no_complaints the_library_does_not_reach_into_the_core "$(grep -nE '#include "(core_internal|engine|matmul|simd|types|vector)' \
	$(files 'libaccel/src/*.[ch]') | head)"

no_complaints only_compat_knows_kernel_versions "$(grep -nE 'LINUX_VERSION_CODE|KERNEL_VERSION|LOOM_HAVE_' \
	$(files 'driver/*.[ch]' | grep -v '^driver/compat/') | head)"

no_complaints no_function_of_the_driver_is_over_80_lines "$(long_functions 80 $(files 'driver/*.c'))"

no_complaints no_function_is_over_100_lines "$(long_functions 100 \
	$(files 'libaccel/*.c' 'qemu-device/*.c' 'tools/*.c' 'tests/*.c'))"

mean=$(mean_length $(files 'driver/*.c'))
no_complaints functions_of_the_driver_average_at_most_20_lines "$([ "$mean" -le 20 ] || echo "mean is $mean")"
