#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A training goes on to the same bits while its VM is saved, loaded and migrated.
# LOOM_POINTS sets at how many moments, LOOM_SEED which.
exec "$(dirname "$0")/migration.py"
