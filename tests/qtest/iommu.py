# SPDX-License-Identifier: MIT
"""A card behind an IOMMU (Intel's)."""

import re
import tempfile

import uapi
from card import RAM_END, Bench

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


class TcgBench(IommuBench):
    """With the accelerator that wants interrupts sent with the BQL held."""

    # A stopped machine would stop the card too: its processor halts instead.
    FIRMWARE = tempfile.NamedTemporaryFile(suffix=".rom")
    FIRMWARE.write(bytes(0xfff0) + b"\xfa\xf4\xeb\xfd".ljust(16, b"\0"))
    FIRMWARE.flush()
    ACCELERATOR = ("-accel", "tcg", "-bios", FIRMWARE.name)
