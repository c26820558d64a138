#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Training over sim: learns, and gives the same bits every time.
set -u
cd "$(dirname "$0")/../.."
. tests/lib/train.sh

echo "TAP version 13"
echo "1..3"

train "sim:" build/check/train-sim
result $? "training_over_sim_runs"

train "sim:" build/check/train-sim-again &&
	cmp build/check/train-sim.hash build/check/train-sim-again.hash
result $? "same_seed_gives_the_same_bits"

learned build/check/train-sim
result $? "the_network_has_learned"
