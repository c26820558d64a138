# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# To be sourced by tests in the guest.

# module_here NAME - the file of that module that is for the kernel that runs
module_here() {
	local file
	for file in build/module*/"$1".ko; do
		[ "$(modinfo -F vermagic "$file" 2>/dev/null | cut -d' ' -f1)" = "$(uname -r)" ] &&
			echo "$file" && return
	done
	return 1
}
