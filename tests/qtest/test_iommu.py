#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""DMA through an IOMMU (Intel's): translated page by page, with permissions."""

import re

import pci
import tap
import uapi
from card import WORKERS, Bench, copy, nop
from tap import test

PAGE = 4096
READ, WRITE = 1, 2

# VT-d, as much as it takes
VTD = 0xfed90000
VTD_COMMAND, VTD_STATUS, VTD_ROOT = 0x18, 0x1c, 0x20
VTD_SET_ROOT, VTD_ENABLE = 1 << 30, 1 << 31
CONTEXT_PRESENT, CONTEXT_3_LEVELS, CONTEXT_DOMAIN = 1, 1, 5 << 8
LEVELS = 3
VTD_REPORT = re.compile(r"qemu: (vtd_|Interrupt Mask set|New fault)")

# Where the card sees things: 2 MiB aligned for map_huge().
WINDOW = 1 << 30


class Iommu:
    """The page table of one card."""

    def __init__(self, card):
        self.machine, self.tables = card.machine, {}
        root, context = self.page(), self.page()
        self.table = self.page()
        self.put(root, 2 * card.port.bus, context | CONTEXT_PRESENT)
        self.put(context, 0, self.table | CONTEXT_PRESENT)
        self.put(context, 1, CONTEXT_3_LEVELS | CONTEXT_DOMAIN)
        self.machine.write(VTD + VTD_ROOT, 8, root)
        for command in (VTD_SET_ROOT, VTD_ENABLE):
            self.machine.write(VTD + VTD_COMMAND, 4, command)
        assert self.machine.read(VTD + VTD_STATUS, 4) & VTD_ENABLE

    def page(self):
        address = self.machine.ram.take(PAGE)
        self.machine.fill(address, PAGE, 0)
        return address

    def put(self, table, index, value):
        self.machine.write(table + 8 * index, 8, value)

    def below(self, table, index):
        """The table that an entry leads to."""
        if (table, index) not in self.tables:
            self.tables[table, index] = self.page()
            self.put(table, index, self.tables[table, index] | READ | WRITE)
        return self.tables[table, index]

    def map(self, bus, address, flags=READ | WRITE):
        table = self.table
        for level in range(LEVELS - 1, 0, -1):
            table = self.below(table, bus >> 12 + 9 * level & 511)
        self.put(table, bus >> 12 & 511, address | flags)


class IommuBench(Bench):
    """A card behind an IOMMU that lets it reach its queues and commands."""

    def __init__(self, **properties):
        super().__init__("-device", "intel-iommu", **properties)

    def start(self):
        super().start()
        card, = self.cards
        self.iommu = Iommu(card)
        self.space, self.queue = card.space(), card.queue()
        self.allow(self.queue.ring)
        self.allow(self.queue.completions)
        self.queue.start()

    def complaints(self):
        """QEMU reports on stderr what its IOMMU refuses."""
        return "".join(line for line in super().complaints().splitlines(True)
                       if not VTD_REPORT.search(line))

    def allow(self, address):
        self.iommu.map(address, address)

    def place(self, commands):
        self.allow(self.ram.next)
        return self.space.place(commands)

    def scattered(self, pages):
        """So many pages in a row on the bus, backwards in RAM, and the page
        after them missing; returns a device virtual address and the pages."""
        base = self.ram.take(pages * PAGE)
        addresses = [base + PAGE * n for n in reversed(range(pages))]
        for n, address in enumerate(addresses):
            self.iommu.map(WINDOW + n * PAGE, address)
        return self.space.map_huge(uapi.LOOM_KIND_SYSTEM, WINDOW), addresses


@test
def jobs_behind_an_iommu_complete():
    for workers in WORKERS:
        with IommuBench(workers=workers) as bench:
            job = bench.place(nop() * 20)
            for _ in range(20):
                assert bench.queue.run(job) == uapi.LOOM_ERR_NONE


@test
def copies_over_scattered_pages_find_each_of_them():
    for workers in WORKERS:
        with IommuBench(workers=workers) as bench:
            card, = bench.cards
            va, pages = bench.scattered(4)
            hbm = bench.space.map_huge(uapi.LOOM_KIND_HBM, 16 << 20)
            for n, address in enumerate(pages):
                bench.fill(address, PAGE, n + 1)
            assert bench.queue.run(bench.place(
                copy(hbm, va + 100, 4 * PAGE - 100) +
                copy(va, hbm + PAGE - 50, 2 * PAGE))) == uapi.LOOM_ERR_NONE
            expected = b"".join(bytes([n + 1]) * PAGE for n in range(4))[100:]
            assert bench.read_bytes(card.hbm + (16 << 20),
                                    4 * PAGE - 100) == expected
            written = b"".join(bench.read_bytes(address, PAGE)
                               for address in pages[:2])
            assert written == expected[PAGE - 50:][:2 * PAGE]


@test
def copies_into_a_missing_page_fail():
    for workers in WORKERS:
        with IommuBench(workers=workers) as bench:
            va, _ = bench.scattered(2)
            hbm = bench.space.map_huge(uapi.LOOM_KIND_HBM, 16 << 20)
            for commands in (copy(hbm, va + PAGE, PAGE + 1),
                             copy(va + 2 * PAGE - 1, hbm, 2),
                             copy(va + 5 * PAGE, hbm, 2)):
                bench.queue.fails_with(bench.place(commands), uapi.LOOM_ERR_DMA)
                bench.queue.start()


@test
def page_for_reading_only_is_not_written():
    for workers in WORKERS:
        with IommuBench(workers=workers) as bench:
            va, pages = bench.scattered(3)
            bench.iommu.map(WINDOW + 3 * PAGE, pages[0], READ)
            hbm = bench.space.map_huge(uapi.LOOM_KIND_HBM, 16 << 20)
            bench.fill(pages[0], PAGE, 0x33)
            assert bench.queue.run(bench.place(
                copy(hbm, va + 3 * PAGE, PAGE))) == uapi.LOOM_ERR_NONE
            bench.queue.fails_with(bench.place(copy(va + 3 * PAGE, hbm + PAGE, 8)),
                                   uapi.LOOM_ERR_DMA)
            assert bench.read_bytes(pages[0], PAGE) == b"\x33" * PAGE


@test
def page_for_writing_only_is_not_read():
    with IommuBench() as bench:
        va, pages = bench.scattered(1)
        bench.iommu.map(WINDOW + PAGE, pages[0], WRITE)
        hbm = bench.space.map_huge(uapi.LOOM_KIND_HBM, 16 << 20)
        bench.queue.fails_with(bench.place(copy(hbm, va + PAGE, 8)),
                               uapi.LOOM_ERR_DMA)
        bench.queue.start()
        assert bench.queue.run(bench.place(
            copy(va + PAGE, hbm, 8))) == uapi.LOOM_ERR_NONE


@test
def page_that_leads_to_no_ram_fails():
    for workers in WORKERS:
        with IommuBench(workers=workers) as bench:
            card, = bench.cards
            va, _ = bench.scattered(1)
            hbm = bench.space.map_huge(uapi.LOOM_KIND_HBM, 16 << 20)
            for n, address in enumerate((card.registers, card.doorbells,
                                         pci.ECAM, 0xd0000000), 2):
                bench.iommu.map(WINDOW + n * PAGE, address)
                for commands in (copy(hbm, va + n * PAGE, 8),
                                 copy(va + n * PAGE, hbm, 8)):
                    bench.queue.fails_with(bench.place(commands),
                                           uapi.LOOM_ERR_DMA)
                    bench.queue.start()
            assert card.alive()


if __name__ == "__main__":
    tap.main()
