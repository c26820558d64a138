#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Two cards in one machine have nothing to do with each other, except that
each can reach the other's HBM over the bus."""

import tap
import uapi
from card import WORKERS, Bench, Load, copy, nop
from tap import test


@test
def cards_two_in_a_machine_have_serial_numbers_of_their_own():
    with Bench(cards=2) as bench:
        assert [card.read64(uapi.LOOM_REG_SERIAL)
                for card in bench.cards] == [1, 2]


@test
def cards_two_in_a_machine_share_no_register_and_no_memory():
    with Bench(cards=2) as bench:
        for number, card in enumerate(bench.cards):
            card.write32(uapi.LOOM_REG_SCRATCH, number)
            bench.write(card.hbm, 8, number)
        for number, card in enumerate(bench.cards):
            assert card.read32(uapi.LOOM_REG_SCRATCH) == number
            assert bench.read(card.hbm, 8) == number


@test
def cards_two_at_work_finish_all_jobs():
    for workers in WORKERS:
        with Bench(cards=2, workers=workers) as bench:
            queues = [card.queue() for card in bench.cards]
            jobs = [card.space().place(nop() * 50) for card in bench.cards]
            for card, queue in zip(bench.cards, queues):
                card.enable_msix()
                queue.start()
            for _ in range(12):
                for queue, job in zip(queues, jobs):
                    queue.submit(job)
            for card, queue in zip(bench.cards, queues):
                assert queue.wait(11).error == uapi.LOOM_ERR_NONE
                card.wait_interrupt(1)


@test
def card_that_is_reset_does_not_disturb_the_other():
    for workers in WORKERS:
        with Bench(cards=2, workers=workers) as bench:
            first, second = bench.cards
            load, queue = Load(first), second.queue()
            job = second.space().place(nop() * 50)
            queue.start()
            for _ in range(10):
                load.start()
                queue.submit(job)
                first.function_reset()
                first.setup()
            assert queue.wait(9).error == uapi.LOOM_ERR_NONE


@test
def card_copies_to_and_from_the_others_hbm():
    for workers in WORKERS:
        with Bench(cards=2, workers=workers) as bench:
            first, second = bench.cards
            bench.fill(second.hbm, 1000, 0x77)
            space, queue = first.space(), first.queue()
            peer = space.map_system(second.hbm, 2 * uapi.LOOM_PAGE_SIZE)
            queue.start()
            assert queue.run(space.place(
                copy(peer + 4000, peer, 1000))) == uapi.LOOM_ERR_NONE
            assert bench.read_bytes(second.hbm + 4000, 1000) == b"\x77" * 1000
            second.set_command(0)
            queue.fails_with(space.place(copy(peer + 4000, peer, 1000)),
                             uapi.LOOM_ERR_DMA)


if __name__ == "__main__":
    tap.main()
