#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The card as an operating system finds it: identity, BARs, capabilities."""

import pci
import tap
import uapi
from card import Bench, Space, nop
from tap import test

GARBAGE = (0xffffffff, 0x5a5a5a5a, 0x00000001, 0)


@test
def identity_at_power_on_is_the_headers():
    with Bench() as bench:
        card, = bench.cards
        for offset, value in (
                (pci.VENDOR, uapi.LOOM_PCI_VENDOR_ID),
                (pci.DEVICE, uapi.LOOM_PCI_DEVICE_ID),
                (pci.CLASS, uapi.LOOM_PCI_CLASS),
                (pci.SUBSYSTEM_VENDOR, uapi.LOOM_PCI_VENDOR_ID),
                (pci.SUBSYSTEM, uapi.LOOM_PCI_DEVICE_ID)):
            assert card.config_read(offset, 2) == value
        assert card.config_read(pci.REVISION, 1) == uapi.LOOM_HW_VERSION_MAJOR
        assert card.config_read(pci.STATUS, 2) & pci.STATUS_CAPABILITIES


@test
def bars_when_sized_are_the_headers():
    with Bench(hbm_size="64M") as bench:
        card, = bench.cards
        assert card.bar_size(uapi.LOOM_BAR_REGS) == (uapi.LOOM_BAR_REGS_SIZE, 0)
        assert card.bar_size(uapi.LOOM_BAR_DOORBELL) == (
            uapi.LOOM_MAX_QUEUES * uapi.LOOM_DOORBELL_STRIDE, 0)
        assert card.bar_size(uapi.LOOM_BAR_HBM) == (
            64 << 20, pci.BAR_64 | pci.BAR_PREFETCH)


@test
def hbm_bar_of_an_odd_size_is_the_next_power_of_two():
    with Bench(hbm_size="48M") as bench:
        card, = bench.cards
        assert card.bar_size(uapi.LOOM_BAR_HBM)[0] == 64 << 20
        last = card.hbm + (48 << 20) - 8
        for address in (last, last + 8, card.hbm + (64 << 20) - 8):
            bench.write(address, 8, address)
        assert bench.read(last, 8) == last
        assert bench.read(last + 8, 8) != last + 8


@test
def bars_moved_elsewhere_answer_there():
    with Bench() as bench:
        card, = bench.cards
        card.write32(uapi.LOOM_REG_SCRATCH, 77)
        old = card.registers
        card.registers += pci.MEMORY_SIZE // 2
        card.hbm += pci.HIGH_SIZE // 2
        card.setup()
        assert card.read32(uapi.LOOM_REG_SCRATCH) == 77
        assert bench.read(old + uapi.LOOM_REG_SCRATCH, 4) != 77
        queue = card.queue()
        job = card.space().place(nop())
        queue.start()
        assert queue.run(job) == uapi.LOOM_ERR_NONE


@test
def bars_with_memory_off_do_not_answer():
    with Bench() as bench:
        card, = bench.cards
        card.set_command(pci.COMMAND_MASTER)
        assert not card.alive()
        card.write32(uapi.LOOM_REG_SCRATCH, 1)
        card.ring(0, 1)
        card.setup()
        assert card.alive()
        assert card.read32(uapi.LOOM_REG_SCRATCH) == 0


@test
def capabilities_are_pm_msix_and_express():
    with Bench() as bench:
        card, = bench.cards
        assert set(card.capabilities()) == {pci.PM, pci.MSIX, pci.EXPRESS}
        assert set(card.extended()) == {pci.AER, pci.SERIAL, pci.REBAR}


@test
def express_capability_tells_endpoint_and_function_reset():
    with Bench() as bench:
        card, = bench.cards
        express = card.capabilities()[pci.EXPRESS]
        flags = card.config_read(express + pci.EXPRESS_FLAGS, 2)
        assert flags >> 4 & 15 == pci.TYPE_ENDPOINT
        assert card.config_read(express + pci.EXPRESS_DEVICE) & pci.DEVICE_FLR
        link = card.config_read(express + pci.EXPRESS_LINK, 2)
        assert link >> pci.LINK_WIDTH_SHIFT & pci.LINK_WIDTH == 16


@test
def express_capability_on_the_root_bus_tells_integrated():
    with Bench("-device", "loom,addr=8", cards=0) as bench:
        card = pci.Function(bench, 0, 8)
        express = card.capabilities()[pci.EXPRESS]
        flags = card.config_read(express + pci.EXPRESS_FLAGS, 2)
        assert flags >> 4 & 15 == pci.TYPE_INTEGRATED


@test
def msix_capability_points_where_the_header_says():
    with Bench() as bench:
        card, = bench.cards
        msix = card.capabilities()[pci.MSIX]
        control = card.config_read(msix + pci.MSIX_CONTROL, 2)
        assert (control & pci.MSIX_SIZE) + 1 == uapi.LOOM_MAX_VECTORS
        for offset, place in ((pci.MSIX_TABLE, uapi.LOOM_MSIX_TABLE_OFFSET),
                              (pci.MSIX_PBA, uapi.LOOM_MSIX_PBA_OFFSET)):
            value = card.config_read(msix + offset)
            assert value & pci.MSIX_BAR == uapi.LOOM_BAR_REGS
            assert value & ~pci.MSIX_BAR == place


@test
def serial_number_is_the_same_in_capability_and_register():
    for properties, serial in (({}, 1), ({"serial": 0x123456789abcdef0},
                                         0x123456789abcdef0)):
        with Bench(**properties) as bench:
            card, = bench.cards
            at = card.extended()[pci.SERIAL]
            assert bench.read(card.config + at + 4, 8) == serial
            assert card.read64(uapi.LOOM_REG_SERIAL) == serial


@test
def config_space_filled_with_garbage_survives():
    with Bench(sram_size="2M") as bench:
        card, = bench.cards
        for value in GARBAGE:
            bench.run(f"writel {card.config + offset:#x} {value:#x}"
                      for offset in range(0, pci.CONFIG_SIZE, 4))
            bench.run(f"writeb {card.config + offset:#x} {value & 255:#x}"
                      for offset in range(pci.CONFIG_SIZE))
        bench.reset()
        queue = card.queue()
        job = Space(card, 0).place(nop())
        queue.start()
        assert queue.run(job) == uapi.LOOM_ERR_NONE


@test
def monitor_shows_the_card_and_its_regions():
    with Bench() as bench:
        card, = bench.cards
        device = f"{uapi.LOOM_PCI_VENDOR_ID:04x}:{uapi.LOOM_PCI_DEVICE_ID:04x}"
        assert f"PCI device {device}" in bench.hmp("info pci")
        tree = bench.hmp("info mtree -f")
        for address, name in (
                (card.registers, "loom-regs"),
                (card.registers + uapi.LOOM_MSIX_TABLE_OFFSET, "msix-table"),
                (card.registers + uapi.LOOM_MSIX_PBA_OFFSET, "msix-pba"),
                (card.doorbells, "loom-doorbells"),
                (card.hbm, "loom.hbm")):
            assert any(line.strip().startswith(f"{address:016x}-") and
                       name in line for line in tree.splitlines()), name


@test
def error_injected_by_the_monitor_is_in_the_aer_status():
    with Bench() as bench:
        card, = bench.cards
        bench.hmp("pcie_aer_inject_error card0 DLP")
        status = card.config_read(card.extended()[pci.AER] +
                                  pci.AER_UNCORRECTABLE)
        assert status == pci.AER_LINK_PROTOCOL


if __name__ == "__main__":
    tap.main()
