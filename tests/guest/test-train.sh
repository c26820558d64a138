#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Training in the guest; tests/vm/test-train.sh compares its bits with sim:.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/train.sh

echo "TAP version 13"
echo "1..2"

train /dev/accel/accel0 build/check/train-guest
result $? "training_on_the_card_runs"

learned build/check/train-guest
result $? "the_network_has_learned"
