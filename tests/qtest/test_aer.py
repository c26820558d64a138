#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Advanced Error Reporting: what the card and its root port show the guest."""

import pci
import tap
from card import Bench
from faulty import Pair, arm, faults
from qtest import wait_for
from tap import test

UNCORRECTABLE, SEVERITY, CORRECTABLE, CAPABILITY, HEADER = 4, 0xc, 0x10, 0x18, 0x1c
ROOT_COMMAND, ROOT_STATUS, ROOT_SOURCE = 0x2c, 0x30, 0x34
GOT_CORRECTABLE, GOT_UNCORRECTABLE, GOT_NONFATAL, GOT_FATAL = 1, 4, 0x20, 0x40
BAD_TLP, COMPLETION_TIMEOUT, MALFORMED = 0x40, 0x4000, 0x40000
REPORT_ALL = 7


def aer(function, register):
    return function.config_read(function.extended()[pci.AER] + register)


def listen(card):
    """What the operating system sets up to be told."""
    for function in (card, card.port):
        at = function.capabilities()[pci.EXPRESS] + pci.EXPRESS_CONTROL
        function.config_write(at, 2, REPORT_ALL | 8)
        command = function.config_read(pci.COMMAND, 2)
        function.config_write(pci.COMMAND, 2, command | 0x100)
    root = card.port.extended()[pci.AER]
    card.port.config_write(root + ROOT_COMMAND, 4, 7)
    bridge = card.port.config_read(pci.BRIDGE_CONTROL, 2)
    card.port.config_write(pci.BRIDGE_CONTROL, 2, bridge | 2)


def reported(text, register, status, root, source_shift):
    with Bench() as bench:
        card, = bench.cards
        listen(card)
        arm(card, text)
        wait_for("error", lambda: aer(card, register))
        assert aer(card, register) == status
        found = aer(card.port, ROOT_STATUS)
        assert found & 0x7f == root, hex(found)
        source = aer(card.port, ROOT_SOURCE) >> source_shift & 0xffff
        assert source == card.port.bus << 8
        assert card.alive()


@test
def correctable_error_reaches_the_root_port():
    reported("aer-correctable", CORRECTABLE, BAD_TLP, GOT_CORRECTABLE, 0)


@test
def nonfatal_error_reaches_the_root_port():
    reported("aer-nonfatal", UNCORRECTABLE, COMPLETION_TIMEOUT,
             GOT_UNCORRECTABLE | GOT_NONFATAL, 16)


@test
def fatal_error_reaches_the_root_port():
    reported("aer-fatal", UNCORRECTABLE, MALFORMED,
             GOT_UNCORRECTABLE | GOT_FATAL | 0x10, 16)


@test
def severity_is_what_was_asked_for_whatever_the_bit():
    reported(f"aer-nonfatal,status={MALFORMED}", UNCORRECTABLE, MALFORMED,
             GOT_UNCORRECTABLE | GOT_NONFATAL, 16)
    with Bench() as bench:
        card, = bench.cards
        before = aer(card, SEVERITY)
        arm(card, f"aer-fatal,status={COMPLETION_TIMEOUT}")
        wait_for("error", lambda: aer(card, UNCORRECTABLE))
        assert aer(card, SEVERITY) == before


@test
def header_that_was_given_is_logged():
    with Bench() as bench:
        card, = bench.cards
        listen(card)
        arm(card, "aer-nonfatal,header=40000001.0000000f.fe001000.12345678")
        wait_for("error", lambda: aer(card, UNCORRECTABLE))
        words = [aer(card, HEADER + 4 * n) for n in range(4)]
        expected = [0x40000001, 0xf, 0xfe001000, 0x12345678]
        assert words == expected, [hex(w) for w in words]


@test
def error_comes_at_its_command():
    with Bench() as bench:
        pair = Pair(bench)
        listen(pair.card)
        arm(pair.card, "aer-correctable,after=6,queue=0")
        pair.guilty.run(pair.job)
        assert not aer(pair.card, CORRECTABLE)
        assert pair.guilty.run(pair.job) == 0
        wait_for("error", lambda: aer(pair.card, CORRECTABLE))
        assert faults(pair.card)[0]["last-seen"] == 7
        pair.innocent_works()


if __name__ == "__main__":
    tap.main()
