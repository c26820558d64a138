# SPDX-License-Identifier: MIT
# What `make check` builds and runs.
