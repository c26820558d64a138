#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Where the card may read and write: RAM, and nothing else on the bus."""

import tap
import uapi
from card import RAM_END, WORKERS, Bench, copy, nop
from qtest import wait_for
from tap import test

BIOS = 0xfffc0000               # RAM that cannot be written
APIC = 0xfee00000               # where interrupts are sent to


def no_ram(card):
    """Addresses at which there is something else, or nothing."""
    return {
        "registers": card.registers,
        "interrupt table": card.registers + uapi.LOOM_MSIX_TABLE_OFFSET,
        "doorbells": card.doorbells,
        "config space": card.config,
        "interrupt window": APIC,
        "end of RAM": RAM_END,
        "hole": 0xd0000000,
        "beyond HBM": card.hbm + card.read64(uapi.LOOM_REG_HBM_SIZE),
        "nowhere": 1 << 45,
        "last page": (1 << 64) - uapi.LOOM_PAGE_SIZE,
    }


def stops(queue, error):
    """Start the queue and ring: it has to stop with this error."""
    queue.start()
    queue.card.ring(queue.number, 1)
    queue.wait_state(uapi.LOOM_QUEUE_STATE_ERROR)
    found = queue.error()
    queue.reset()
    return found == error


@test
def ring_where_there_is_no_ram_stops_the_queue():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            for name, address in no_ram(card).items():
                queue = card.queue(ring=address)
                assert stops(queue, uapi.LOOM_ERR_RING_DMA), name


@test
def completion_where_no_ram_can_be_written_stops_the_queue():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            job = card.space().place(nop())
            places = {"BIOS": BIOS, **no_ram(card)}
            for name, address in places.items():
                queue = card.queue()
                queue.start()
                queue.reset()
                card.write64(queue.offset(uapi.LOOM_QUEUE_COMPL_BASE), address)
                queue.set(uapi.LOOM_QUEUE_CTRL, uapi.LOOM_QUEUE_CTRL_ENABLE)
                queue.submit(job)
                queue.wait_state(uapi.LOOM_QUEUE_STATE_ERROR)
                wait_for(f"error for {name}", lambda q=queue:
                         q.error() == uapi.LOOM_ERR_COMPL_DMA)
                queue.reset()


@test
def commands_where_there_is_no_ram_fail():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            space, queue = card.space(), card.queue()
            for address in no_ram(card).values():
                address &= uapi.LOOM_PTE_ADDR
                queue.start()
                queue.fails_with((space.map_system(address), 64),
                                 uapi.LOOM_ERR_CMD_FETCH)


@test
def copies_from_and_to_where_there_is_no_ram_fail():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            space, queue = card.space(), card.queue()
            hbm, _ = space.map_hbm()
            for address in no_ram(card).values():
                va = space.map_system(address & uapi.LOOM_PTE_ADDR)
                for commands in (copy(hbm, va, 100), copy(va, hbm, 100)):
                    queue.start()
                    queue.fails_with(space.place(commands), uapi.LOOM_ERR_DMA)
            assert card.alive()


@test
def bios_can_be_read_but_not_written():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            space, queue = card.space(), card.queue()
            hbm, offset = space.map_hbm()
            va = space.map_system(BIOS)
            queue.start()
            before = bench.read_bytes(BIOS, 256)
            assert queue.run(space.place(copy(hbm, va, 256))) == 0
            assert bench.read_bytes(card.hbm + offset, 256) == before
            bench.fill(card.hbm + offset, 256, 0x5a)
            queue.fails_with(space.place(copy(va, hbm, 256)), uapi.LOOM_ERR_DMA)
            assert bench.read_bytes(BIOS, 256) == before


@test
def events_where_there_is_no_ram_are_lost():
    with Bench() as bench:
        card, = bench.cards
        queue = card.queue()
        bad = card.space().place(bytes(64))
        card.write32(uapi.LOOM_REG_EVENT_SIZE_LOG2, 2)
        for address in no_ram(card).values():
            card.write64(uapi.LOOM_REG_EVENT_BASE, address)
            queue.start()
            queue.fails_with(bad, uapi.LOOM_ERR_CMD_OPCODE)


@test
def ring_in_the_cards_own_hbm_works_through_the_bus():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            queue = card.queue(ring=card.hbm + card.free_hbm.take(4096),
                               completions=card.hbm + card.free_hbm.take(4096))
            job = card.space().place(nop())
            queue.start()
            for _ in range(20):
                assert queue.run(job) == uapi.LOOM_ERR_NONE


@test
def copy_across_the_end_of_ram_fails():
    with Bench("-m", "63") as bench:
        card, = bench.cards
        space, queue = card.space(), card.queue()
        end = 63 << 20
        va = space.map_huge(uapi.LOOM_KIND_SYSTEM, end - (1 << 20))
        hbm = space.map_huge(uapi.LOOM_KIND_HBM, 16 << 20)
        bench.fill(end - 64, 64, 0xa5)
        queue.start()
        last = va + (1 << 20) - 64
        assert queue.run(space.place(copy(hbm, last, 64))) == 0
        assert bench.read(card.hbm + (16 << 20), 1) == 0xa5
        queue.fails_with(space.place(copy(hbm, last, 65)), uapi.LOOM_ERR_DMA)
        queue.start()
        queue.fails_with(space.place(copy(last, hbm, 65)), uapi.LOOM_ERR_DMA)


if __name__ == "__main__":
    tap.main()
