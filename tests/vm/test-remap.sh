#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A processor of the guest gets its interrupts while another one maps and unmaps the
# card's BARs, thousands of times: what qemu-device/patches is for.
cd "$(dirname "$0")/../.." || exit
exec tools/loom-vm --no-driver --cpus 2 --timeout 120 -- tests/vm/remap.py
