#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""DMA through an IOMMU (Intel's): translated page by page, with permissions."""

import pci
import tap
import uapi
from card import WORKERS, Load, copy, nop
from iommu import PAGE, READ, WINDOW, WRITE, IommuBench, TcgBench
from tap import test

ROUNDS = 100


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
