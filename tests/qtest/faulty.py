# SPDX-License-Identifier: MIT
"""Cards with faults armed, as the tests of several files need them."""

import uapi
from card import QUEUE_VECTOR, WORKERS, Bench, nop
from qtest import QmpError, wait_for

MILLISECOND = 1000000


def arm(card, text):
    card.machine.qmp("qom-set", path=card.name, property="inject", value=text)


def faults(card):
    return card.property("faults")


def refusal(card, text):
    try:
        arm(card, text)
    except QmpError as error:
        return str(error)
    raise AssertionError(f"{text} was not refused")


def pass_time(card, milliseconds):
    card.machine.command(f"clock_step {milliseconds * MILLISECOND}")


class Pair:
    """A card with a guilty queue, 0, and an innocent one, 1."""

    def __init__(self, bench):
        self.card, = bench.cards
        self.card.enable_msix()
        self.space = self.card.space()
        self.job = self.space.place(nop() * 4)
        self.events = bench.ram.take(uapi.LOOM_PAGE_SIZE)
        self.guilty, self.innocent = self.card.queue(0), self.card.queue(1)
        self.start()

    def start(self):
        card = self.card
        card.machine.fill(self.events, uapi.LOOM_PAGE_SIZE, 0)
        card.write32(uapi.LOOM_REG_EVENT_SIZE_LOG2, 6)
        card.write64(uapi.LOOM_REG_EVENT_BASE, self.events)
        self.space.install()
        self.guilty.start(vector=QUEUE_VECTOR)
        self.innocent.start(vector=QUEUE_VECTOR + 1)

    def event(self, number):
        record = uapi.loom_event
        data = self.card.machine.read_bytes(
            self.events + number * record.size, record.size)
        found = record.unpack(data)
        return found if found.seq == number + 1 else None

    def wait_event(self, number):
        return wait_for(f"event {number}", lambda: self.event(number))

    def innocent_works(self):
        """It goes on from where it was: nobody has reset it."""
        self.card.clear_interrupts()
        assert self.innocent.run(self.job) == uapi.LOOM_ERR_NONE
        self.card.wait_interrupt(QUEUE_VECTOR + 1)

    def guilty_works_after_reset(self):
        self.guilty.start(vector=QUEUE_VECTOR)
        assert self.guilty.run(self.job) == uapi.LOOM_ERR_NONE


def with_pair(check, **properties):
    for workers in WORKERS:
        with Bench(workers=workers, **properties) as bench:
            check(Pair(bench))
