#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The card in a QEMU that may do as little as possible."""

import subprocess

import tap
import uapi
from card import WORKERS, Bench, Load
from qtest import binary
from tap import test

SANDBOX = ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
           "resourcecontrol=deny")


def has_sandbox():
    return not subprocess.run([binary(), *SANDBOX, "-device", "help"],
                              capture_output=True).returncode


@test
def card_in_a_sandbox_works_and_can_be_unplugged():
    if not has_sandbox():
        raise tap.Skip("this QEMU was built without seccomp")
    for workers in WORKERS:
        with Bench(*SANDBOX, workers=workers) as bench:
            card, = bench.cards
            load = Load(card)
            load.start()
            card.function_reset()
            card.setup()
            load.works()
            card.unplug()
            card.plug(workers=workers)
            load.space.rebuild()
            load.works()
            assert load.queues[0].state() == uapi.LOOM_QUEUE_STATE_IDLE


if __name__ == "__main__":
    tap.main()
