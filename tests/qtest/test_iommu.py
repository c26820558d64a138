#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""DMA through an IOMMU (Intel's): translated page by page, with permissions."""

import re

import pci
import tap
import uapi
from card import RAM_END, WORKERS, Bench, Load, copy, nop
from tap import test

PAGE = 4096
READ, WRITE = 1, 2

# VT-d, as much as it takes
VTD = 0xfed90000
VTD_COMMAND, VTD_STATUS, VTD_ROOT, VTD_CONTEXT_COMMAND = 0x18, 0x1c, 0x20, 0x28
VTD_SET_ROOT, VTD_ENABLE = 1 << 30, 1 << 31
VTD_FORGET_CONTEXTS = 1 << 63 | 1 << 61
VTD_FAULT_CONTROL, VTD_FAULT_DATA, VTD_FAULT_ADDRESS = 0x38, 0x3c, 0x40
CONTEXT_PRESENT, CONTEXT_PASS_THROUGH = 1, 2 << 2
CONTEXT_3_LEVELS, CONTEXT_DOMAIN = 1, 5 << 8
LEVELS = 3
LARGE, LARGE_SIZE = 1 << 7, 2 << 20
MSI_ADDRESS, MSI_NMI = 0xfee00000, 4 << 8

# Where the card sees things: 2 MiB aligned for map_huge().
WINDOW = 1 << 30

ROUNDS = 100


class Iommu:
    """The page table of one card."""

    def __init__(self, card):
        self.machine, self.tables = card.machine, {}
        root, self.context = self.page(), self.page()
        self.table = self.page()
        self.put(root, 2 * card.port.bus, self.context | CONTEXT_PRESENT)
        self.put(self.context, 0, self.table | CONTEXT_PRESENT)
        self.put(self.context, 1, CONTEXT_3_LEVELS | CONTEXT_DOMAIN)
        self.machine.write(VTD + VTD_ROOT, 8, root)
        self.enable()

    def enable(self):
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
        """Map a page; with LARGE in flags, 2 MiB."""
        table, last = self.table, 1 if flags & LARGE else 0
        for level in range(LEVELS - 1, last, -1):
            table = self.below(table, bus >> 12 + 9 * level & 511)
        self.put(table, bus >> 12 + 9 * last & 511, address | flags)

    def map_ram(self):
        """All of it, where it is."""
        for address in range(0, RAM_END, LARGE_SIZE):
            self.map(address, address, READ | WRITE | LARGE)

    def interrupt_faults(self):
        """Faults shall send an NMI."""
        self.machine.write(VTD + VTD_FAULT_DATA, 4, MSI_NMI)
        self.machine.write(VTD + VTD_FAULT_ADDRESS, 8, MSI_ADDRESS)
        self.machine.write(VTD + VTD_FAULT_CONTROL, 4, 0)

    def pass_through(self):
        """From here on nothing is translated, which QEMU takes notice of at
        the next transfer."""
        self.put(self.context, 0, 0)
        self.machine.write(VTD + VTD_CONTEXT_COMMAND, 8, VTD_FORGET_CONTEXTS)
        self.put(self.context, 1, CONTEXT_3_LEVELS | CONTEXT_DOMAIN)
        self.put(self.context, 0, CONTEXT_PASS_THROUGH | CONTEXT_PRESENT)


class IommuBench(Bench):
    """A card behind an IOMMU that lets it reach its queues and commands."""

    # QEMU reports what its IOMMU refuses.
    HARMLESS = re.compile(Bench.HARMLESS.pattern +
                          r"|^\S+: (vtd_|Interrupt Mask|New fault)")

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


class TcgBench(IommuBench):
    """With the accelerator that wants interrupts sent with the BQL held."""

    ACCELERATOR = ("-S", "-accel", "tcg")


@test
def fault_that_interrupts_the_guest_does_so():
    for workers in WORKERS:
        with TcgBench(workers=workers) as bench:
            bench.iommu.interrupt_faults()
            va, _ = bench.scattered(1)
            bench.queue.fails_with(bench.place(copy(va + PAGE, va, 8)),
                                   uapi.LOOM_ERR_DMA)


@test
def queue_that_is_reset_while_its_entry_is_fetched_stops():
    for workers in WORKERS:
        with IommuBench(workers=workers) as bench:
            card, = bench.cards
            control = card.registers + bench.queue.offset(uapi.LOOM_QUEUE_CTRL)
            job = bench.place(nop())
            bench.queue.submit(job)
            for _ in range(ROUNDS):
                bench.iommu.pass_through()
                bench.queue.start()
                bench.run((f"writel {card.doorbells:#x} 1",
                           f"writel {control:#x} "
                           f"{uapi.LOOM_QUEUE_CTRL_RESET:#x}"))
                assert bench.queue.state() == uapi.LOOM_QUEUE_STATE_DISABLED
            bench.queue.start()
            assert bench.queue.run(job) == uapi.LOOM_ERR_NONE


@test
def resets_under_load_behind_an_iommu_leave_the_card_working():
    for workers in WORKERS:
        with IommuBench(workers=workers) as bench:
            card, = bench.cards
            bench.iommu.map_ram()
            load = Load(card)
            for _ in range(ROUNDS // 10):
                load.start()
                card.soft_reset()
                load.start()
                card.function_reset()
                card.setup()
            load.works()


@test
def unplug_under_load_behind_an_iommu_and_replug_gives_a_working_card():
    for workers in WORKERS:
        with IommuBench(workers=workers) as bench:
            card, = bench.cards
            bench.iommu.map_ram()
            load = Load(card)
            for _ in range(ROUNDS // 20):
                load.start()
                card.unplug()
                card.plug(workers=workers)
                load.space.rebuild()
                load.works()
                card.soft_reset()


if __name__ == "__main__":
    tap.main()
