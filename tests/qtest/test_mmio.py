#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Register accesses: what they mean, and that no nonsense hurts QEMU."""

import os
import tempfile
import time

import tap
import uapi
from card import WORKERS, Bench, nop
from tap import test

VALUES = (0, 0xffffffffffffffff, 0x0000000300000003)
SCRATCH = uapi.LOOM_REG_SCRATCH
LOG_LINES_PER_SECOND = 100


def reads(base, offsets):
    """Every size at every 4-byte offset; l and w not aligned too."""
    for offset in offsets:
        at = base + offset
        yield f"readl {at:#x}"
        yield f"readq {at:#x}"
        yield f"readb {at + 1:#x}"
        yield f"readw {at + 2:#x}"
        yield f"readl {at + 3:#x}"


def aligned_writes(base, offsets, value):
    for offset in offsets:
        yield f"writel {base + offset:#x} {value & 0xffffffff:#x}"
        yield f"writeq {base + offset:#x} {value:#x}"


def writes(base, offsets, value):
    yield from aligned_writes(base, offsets, value)
    low = value & 0xffffffff
    for offset in offsets:
        at = base + offset
        yield f"writeb {at + 1:#x} {low & 255:#x}"
        yield f"writew {at + 2:#x} {low & 65535:#x}"
        yield f"writel {at + 3:#x} {low:#x}"


def sweep(bench, base, offsets):
    bench.run(reads(base, offsets))
    for value in VALUES:
        bench.run(writes(base, offsets, value))
    bench.run(reads(base, offsets))


def check_survival(card):
    """After a reset the card is as good as new."""
    card.function_reset()
    card.setup()
    queue = card.queue()
    job = card.space().place(nop())
    queue.start()
    assert queue.run(job) == uapi.LOOM_ERR_NONE


def small_bench(workers=1, **properties):
    """SRAM is zeroed by a reset, of which there are many."""
    return Bench(workers=workers, sram_size="2M", **properties)


@test
def identification_tells_the_properties():
    properties = {"hbm_size": 32 << 20, "sram_size": 4 << 20, "serial": 99,
                  "num_arrays": 3, "array_rows": 64, "array_cols": 32,
                  "clock_khz": 900000, "vector_lanes": 48, "pcie_mbps": 7000,
                  "num_queues": 6, "num_contexts": 7, "num_vectors": 8}
    with Bench(hbm_channels=5, hbm_channel_mbps=1000, **properties) as bench:
        card, = bench.cards
        for name, value in properties.items():
            read = card.read64 if value >> 32 or name.endswith("size") else card.read32
            assert read(getattr(uapi, "LOOM_REG_" + name.upper())) == value, name
        assert card.read32(uapi.LOOM_REG_HBM_CHANNELS) == 5
        assert card.read32(uapi.LOOM_REG_HBM_MBPS) == 5000
        assert card.read32(uapi.LOOM_REG_STATUS) == uapi.LOOM_STATUS_READY


@test
def register_of_64_bits_is_writable_by_halves():
    with Bench() as bench:
        card, = bench.cards
        card.write32(uapi.LOOM_REG_EVENT_BASE + 4, 0x11223344)
        card.write32(uapi.LOOM_REG_EVENT_BASE, 0x55667740)
        assert card.read64(uapi.LOOM_REG_EVENT_BASE) == 0x1122334455667740
        card.write64(uapi.LOOM_REG_EVENT_BASE, 0x8877665544332200)
        assert card.read32(uapi.LOOM_REG_EVENT_BASE) == 0x44332200
        assert card.read32(uapi.LOOM_REG_EVENT_BASE + 4) == 0x88776655


@test
def registers_written_in_a_shape_they_do_not_have_keep_their_value():
    with Bench() as bench:
        card, = bench.cards
        card.write32(SCRATCH, 0x12345678)
        for size, offset in ((1, 0), (1, 3), (2, 0), (2, 2), (8, 0)):
            bench.write(card.registers + SCRATCH + offset, size, 0)
            assert card.read32(SCRATCH) == 0x12345678, (size, offset)


@test
def identification_when_written_stays():
    with Bench() as bench:
        card, = bench.cards
        names = range(0, uapi.LOOM_REG_SERIAL + 8, 4)
        before = [card.read32(offset) for offset in names]
        for offset in names:
            card.write32(offset, 0xffffffff)
        assert [card.read32(offset) for offset in names] == before


@test
def registers_swept_with_every_size_and_value_survive():
    for workers in WORKERS:
        with small_bench(workers) as bench:
            card, = bench.cards
            card.enable()
            sweep(bench, card.registers, range(0, uapi.LOOM_REGS_SIZE, 4))
            check_survival(card)


@test
def interrupt_tables_swept_with_every_size_and_value_survive():
    with small_bench() as bench:
        card, = bench.cards
        card.enable_msix()
        sweep(bench, card.registers, range(uapi.LOOM_MSIX_TABLE_OFFSET,
                                           uapi.LOOM_BAR_REGS_SIZE, 4))
        check_survival(card)


@test
def doorbells_swept_with_every_size_and_value_survive():
    for workers in (1, 0):
        with small_bench(workers, num_queues=63) as bench:
            card, = bench.cards
            for number in range(8):
                card.queue(number).start()
            page = uapi.LOOM_DOORBELL_STRIDE
            end = uapi.LOOM_MAX_QUEUES * page
            for value in VALUES:
                bench.run(aligned_writes(card.doorbells, range(0, end, 4), value))
            # Every shape in a page with a queue and in one without.
            sweep(bench, card.doorbells, range(0, page, 4))
            sweep(bench, card.doorbells, range(end - page, end, 4))
            check_survival(card)


@test
def doorbells_when_read_are_zero():
    with Bench() as bench:
        card, = bench.cards
        end = uapi.LOOM_MAX_QUEUES * uapi.LOOM_DOORBELL_STRIDE
        assert not any(bench.run(f"readl {card.doorbells + offset:#x}"
                                 for offset in range(0, end, 4)))


@test
def log_of_a_guest_that_makes_mistakes_is_limited():
    with tempfile.TemporaryDirectory() as place:
        log = os.path.join(place, "log")
        with Bench("-d", "guest_errors", "-D", log) as bench:
            card, = bench.cards
            start = time.monotonic()
            for _ in range(10):
                bench.run(reads(card.registers, range(0x200, 0x800, 4)))
            seconds = time.monotonic() - start
        with open(log) as lines:
            mistakes = [line for line in lines if line.startswith("card0: ")]
    # A second may be cut at both ends.
    assert 0 < len(mistakes) <= LOG_LINES_PER_SECOND * (int(seconds) + 2)


if __name__ == "__main__":
    tap.main()
