# SPDX-License-Identifier: MIT
# libaccel.so.0, its examples and manual pages.
