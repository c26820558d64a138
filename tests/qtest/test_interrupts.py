#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""MSI-X: what reaches the host, and when."""

import pci
import tap
import uapi
from card import QUEUE_VECTOR, WORKERS, Bench, nop
from qtest import wait_for
from tap import test


def raise_vector(card, vector):
    card.write32(uapi.LOOM_REG_IRQ_TEST, vector)


def interrupts(card):
    """The vectors raised up to now.

    They arrive in ascending order, so what was raised before is there when the
    last vector is.
    """
    last = uapi.LOOM_MAX_VECTORS - 1
    raise_vector(card, last)
    card.wait_interrupt(last)
    return [vector for vector in range(last) if card.interrupted(vector)]


@test
def vector_of_a_queue_is_raised_by_its_job():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            card.enable_msix()
            queue = card.queue()
            job = card.space().place(nop())
            queue.start()
            queue.run(job)
            card.wait_interrupt(QUEUE_VECTOR)
            card.clear_interrupts()
            queue.wait(queue.submit(job, flags=0))
            assert interrupts(card) == []


@test
def every_vector_can_be_raised_by_the_test_register():
    with Bench() as bench:
        card, = bench.cards
        card.enable_msix()
        for vector in range(uapi.LOOM_MAX_VECTORS):
            assert not card.interrupted(vector)
            raise_vector(card, vector)
            card.wait_interrupt(vector)


@test
def vector_that_does_not_exist_raises_nothing():
    with Bench() as bench:
        card, = bench.cards
        card.enable_msix()
        for vector in (uapi.LOOM_MAX_VECTORS, 64, 65, 0xffffffff):
            raise_vector(card, vector)
        assert interrupts(card) == []


@test
def vector_while_masked_is_pending_and_comes_when_unmasked():
    with Bench() as bench:
        card, = bench.cards
        card.enable_msix()
        card.mask(4, True)
        raise_vector(card, 4)
        wait_for("pending bit", lambda: card.pending(4))
        assert not card.interrupted(4)
        card.mask(4, False)
        card.wait_interrupt(4)
        assert not card.pending(4)


@test
def vectors_while_the_function_is_masked_are_pending():
    with Bench() as bench:
        card, = bench.cards
        card.enable_msix(pci.MSIX_ENABLE | pci.MSIX_MASK_ALL)
        for vector in (0, 31, 32):
            raise_vector(card, vector)
            wait_for("pending bit", lambda v=vector: card.pending(v))
        card.set_msix(pci.MSIX_ENABLE)
        for vector in (0, 31, 32):
            card.wait_interrupt(vector)


@test
def vector_with_msix_off_is_lost():
    with Bench() as bench:
        card, = bench.cards
        card.enable_msix(0)
        raise_vector(card, 2)
        # The vector is dropped in the main loop, which this passes through.
        wait_for("bottom half", lambda: bench.qmp("query-status"))
        card.set_msix(pci.MSIX_ENABLE)
        assert interrupts(card) == []
        assert not card.pending(2)


@test
def vector_while_the_card_is_no_bus_master_waits():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            card.enable_msix()
            card.set_command(pci.COMMAND_MEMORY)
            raise_vector(card, 3)
            bench.qmp("query-status")
            assert not card.interrupted(3)
            card.set_command(pci.COMMAND_MEMORY | pci.COMMAND_MASTER)
            card.wait_interrupt(3)


@test
def vectors_pending_at_a_reset_are_forgotten():
    with Bench() as bench:
        card, = bench.cards
        card.enable_msix(pci.MSIX_ENABLE | pci.MSIX_MASK_ALL)
        raise_vector(card, 6)
        wait_for("pending bit", lambda: card.pending(6))
        card.function_reset()
        card.setup()
        card.enable_msix()
        assert not card.pending(6)
        assert interrupts(card) == []


@test
def vectors_of_a_card_with_five_are_five():
    with Bench(num_vectors=5) as bench:
        card, = bench.cards
        assert card.read32(uapi.LOOM_REG_NUM_VECTORS) == 5
        card.enable_msix()
        raise_vector(card, 5)
        raise_vector(card, 4)
        card.wait_interrupt(4)
        assert not card.interrupted(5)


if __name__ == "__main__":
    tap.main()
