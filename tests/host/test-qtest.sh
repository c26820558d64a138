#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The card in QEMU, by accesses of a guest that we play (tests/qtest).
# LOOM_QEMU names another QEMU than the one that build-qemu.sh built.
exec "$(dirname "$0")/../qtest/run.py" "$@"
