# SPDX-License-Identifier: MIT
"""Tests are functions marked @test; main() runs them and prints TAP."""

import fnmatch
import os
import sys
import traceback

import qtest

TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Skip(Exception):
    """A test that cannot run here; the text is the reason."""


def report(number, name, error):
    if isinstance(error, Skip):
        print(f"ok {number} {name} # SKIP {error}", flush=True)
        return
    print(f"{'not ok' if error else 'ok'} {number} {name}", flush=True)
    if error:
        for line in "".join(traceback.format_exception(error)).splitlines():
            print(f"# {line}", flush=True)


def run(function):
    try:
        function()
    except Exception as error:
        return error
    return None


def no_qemu_is_left():
    """Every QEMU was our child, and Python waits for none by itself."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return
    raise AssertionError("a QEMU still runs or was not waited for")


def skip(reason):
    print("1..1")
    print(f"ok 1 qtest # SKIP {reason}")
    sys.exit(0)


def main():
    """Run the tests whose names match an argument, or all."""
    print("TAP version 13")
    try:
        qtest.binary()
    except FileNotFoundError as error:
        skip(error)
    patterns = sys.argv[1:] or ["*"]
    chosen = [function for function in TESTS
              if any(fnmatch.fnmatch(function.__name__, p) for p in patterns)]
    chosen.append(no_qemu_is_left)
    failed = 0
    print(f"1..{len(chosen)}", flush=True)
    for number, function in enumerate(chosen, 1):
        error = run(function)
        report(number, function.__name__, error)
        failed += error is not None and not isinstance(error, Skip)
    sys.exit(1 if failed else 0)
