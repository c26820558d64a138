#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""All tests of this directory, or those whose names match a pattern:

    tests/qtest/run.py 'unplug_*'
"""

import glob
import importlib
import os

import tap

for path in sorted(glob.glob(os.path.join(os.path.dirname(
        os.path.abspath(__file__)), "test_*.py"))):
    importlib.import_module(os.path.basename(path)[:-3])
tap.main()
