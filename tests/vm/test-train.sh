#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The card in the VM computes the same bits as the card in the process.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/train.sh

echo "TAP version 13"
echo "1..2"

train "sim:" build/check/train-process
result $? "training_over_sim_runs"

tools/loom-vm --timeout 300 -- bash -c \
	'. tests/lib/train.sh && train /dev/accel/accel0 build/check/train-vm' &&
	cmp build/check/train-process.hash build/check/train-vm.hash
result $? "vm_and_sim_give_the_same_bits"
