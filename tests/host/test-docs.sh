#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The documents agree with the tree: the data book with the headers, links
# with files, commands of the README with the Makefile.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh

echo "TAP version 13"
echo "1..5"

Documentation/gen-tables.py --check
result $? "data_book_agrees_with_the_headers"

# A changed value must be noticed, or the test above says nothing.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r Documentation uapi "$copy"
sed -i 's/\(LOOM_REG_SCRATCH\t*\)0x0108/\10x0118/' "$copy/uapi/loom/loom_regs.h"
! "$copy/Documentation/gen-tables.py" --check >/dev/null
result $? "a_register_that_moved_is_noticed"

missing=0
# A name with * stands for several; ONLY='guest/...' names suites, not files.
for file in $(grep -ohE '(^|[^A-Za-z0-9_/])(Documentation|driver|uapi|libaccel|qemu-device|tools|tests)/[A-Za-z0-9_./*-]*[A-Za-z0-9*]' \
		README.md Documentation/*.rst | sed 's/^[^A-Za-z]//' | sort -u); do
	compgen -G "$file" >/dev/null || { echo "# no such file: $file"; missing=1; }
done
result $missing "files_named_in_the_documents_exist"

missing=0
for target in $(grep -ohE '`make [a-z-]+' README.md Documentation/*.rst | sed 's/.* //' | sort -u); do
	grep -q "^$target:" Makefile */*.mk */*/*.mk || { echo "# no target: $target"; missing=1; }
done
result $missing "make_targets_named_in_the_documents_exist"

missing=0
for test in $(grep -ohE '``[a-z0-9]+(_[a-z0-9]+){2,}``' Documentation/security.rst | tr -d '`' | sort -u); do
	grep -rqwE "(START_TEST\($test\)|def $test|no_complaints $test)" tests/unit tests/qtest tests/host ||
		{ echo "# no such test: $test"; missing=1; }
done
result $missing "tests_named_in_the_security_page_exist"
