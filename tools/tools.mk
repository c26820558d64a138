# SPDX-License-Identifier: MIT
# accel-smi and the other programs people run.

include tools/train/train.mk
