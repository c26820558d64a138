#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a submit costs: guest instructions, accesses to the card and interrupts,
# none of which depends on how fast or busy the host is.
cd "$(dirname "$0")/../.." || exit
exec tests/bench/cost.py
