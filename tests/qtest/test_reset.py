#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Resets, power states and bus mastering, with the card at work."""

import pci
import tap
import uapi
from card import WORKERS, Bench, Load, copy, fill
from qtest import wait_for
from tap import test

ROUNDS = 30
SCRATCH = uapi.LOOM_REG_SCRATCH


def soft_reset(card):
    card.soft_reset()


def queue_resets(card):
    for number in range(4):
        card.queue(number, ring=0, completions=0).reset()


def queues_off(card):
    """1 -> 0 of ENABLE drops the rest, too."""
    for number in range(4):
        card.queue(number, ring=0, completions=0).set(uapi.LOOM_QUEUE_CTRL, 0)


def function_reset(card):
    card.function_reset()
    card.setup()


def bus_reset(card):
    card.port.reset_bus()
    card.setup()


def machine_reset(card):
    card.machine.reset()


def power_cycle(card):
    """Off and on again is no reset (No_Soft_Reset), so add one."""
    card.set_power(pci.D3)
    card.set_power(pci.D0)
    queue_resets(card)


WHOLE_CARD = (soft_reset, function_reset, bus_reset, machine_reset)
RESETS = WHOLE_CARD + (queue_resets, queues_off, power_cycle)


def under_load(resets, check):
    """For every number of workers: load, reset, check(load)."""
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            load = Load(bench.cards[0])
            for reset in resets:
                load.start()
                assert load.busy(), "the load is too light"
                reset(load.card)
                check(load)


@test
def queues_under_load_after_a_reset_are_disabled():
    def check(load):
        for queue in load.queues:
            assert queue.state() == uapi.LOOM_QUEUE_STATE_DISABLED
            assert queue.get(uapi.LOOM_QUEUE_HEAD) == 0
            assert queue.get(uapi.LOOM_QUEUE_TAIL) == 0

    under_load(RESETS, check)


@test
def memory_after_a_reset_under_load_is_not_written():
    def check(load):
        bench = load.card.machine
        for queue in load.queues:
            bench.fill(queue.completions, uapi.LOOM_PAGE_SIZE, 0)
        load.card.clear_interrupts()
        load.card.enable()
        # Whoever still is in a job would write within milliseconds.
        for _ in range(20):
            bench.qmp("query-status")
        assert load.quiet()
        assert not any(map(load.card.interrupted,
                           range(uapi.LOOM_MAX_VECTORS)))

    under_load(RESETS, check)


@test
def card_after_a_reset_under_load_works():
    under_load(RESETS, Load.works)


@test
def registers_after_a_reset_are_as_at_power_on():
    registers = [SCRATCH, uapi.LOOM_REG_CTRL, uapi.LOOM_REG_EVENT_BASE,
                 uapi.LOOM_REG_EVENT_SIZE_LOG2, uapi.LOOM_REG_CTX_ROOT(0),
                 uapi.LOOM_REG_CTX_ROOT(uapi.LOOM_MAX_CONTEXTS - 1)]
    registers += [uapi.LOOM_REG_QUEUE(queue, register)
                  for queue in (0, uapi.LOOM_MAX_QUEUES - 1)
                  for register in range(0, uapi.LOOM_QUEUE_REGS_STRIDE, 4)]
    with Bench() as bench:
        card, = bench.cards
        before = [card.read32(register) for register in registers]
        for reset in WHOLE_CARD:
            for register in registers:
                card.write32(register, 0x3001)
            reset(card)
            assert [card.read32(register) for register in registers] == before
            assert card.read32(uapi.LOOM_REG_STATUS) == uapi.LOOM_STATUS_READY


@test
def command_register_after_a_reset_of_the_function_is_zero():
    with Bench() as bench:
        card, = bench.cards
        card.enable_msix()
        for reset in (card.function_reset, card.port.reset_bus):
            reset()
            assert card.config_read(pci.COMMAND, 2) == 0
            assert card.config_read(pci.BAR0) == 0
            msix = card.capabilities()[pci.MSIX] + pci.MSIX_CONTROL
            assert not card.config_read(msix, 2) & pci.MSIX_ENABLE
            card.setup()


@test
def hbm_after_a_reset_keeps_its_contents_and_sram_does_not():
    with Bench() as bench:
        card, = bench.cards
        space, queue = card.space(), card.queue()
        sram = space.map(uapi.LOOM_KIND_SRAM, uapi.LOOM_PAGE_SIZE,
                         uapi.LOOM_PAGE_SIZE)
        hbm, offset = space.map_hbm()
        write = space.place(fill(sram, 4, 0x11111111) + fill(hbm, 4, 0x22222222))
        move = space.place(copy(hbm + 16, sram, 16))
        for reset in WHOLE_CARD:
            bench.fill(card.hbm + offset, 32, 0xff)
            space.install()
            queue.start()
            assert queue.run(write) == uapi.LOOM_ERR_NONE
            reset(card)
            space.install()
            queue.start()
            assert queue.run(move) == uapi.LOOM_ERR_NONE
            assert bench.read_bytes(card.hbm + offset, 32) == (
                b"\x22" * 16 + bytes(16))


@test
def time_after_a_reset_goes_on():
    with Bench() as bench:
        load = Load(bench.cards[0])
        before = 0
        for reset in WHOLE_CARD:
            load.works()
            now = load.card.read64(uapi.LOOM_REG_TIME)
            assert now > before
            reset(load.card)
            before = load.card.read64(uapi.LOOM_REG_TIME)
            assert before >= now


@test
def resets_of_all_kinds_in_a_storm_leave_the_card_working():
    for workers in WORKERS:
        with Bench(workers=workers, sram_size="2M") as bench:
            load = Load(bench.cards[0])
            for n in range(ROUNDS):
                load.start()
                RESETS[n % len(RESETS)](load.card)
            load.card.soft_reset()
            load.works()


@test
def bus_master_off_under_load_stops_all_writes():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            load = Load(bench.cards[0])
            load.start()
            load.card.set_command(pci.COMMAND_MEMORY)
            before = [bench.read_bytes(queue.completions, uapi.LOOM_PAGE_SIZE)
                      for queue in load.queues]
            # The last one waits for an event and needs no memory.
            for queue in load.queues[:-1]:
                queue.wait_state(uapi.LOOM_QUEUE_STATE_ERROR)
                assert queue.error() in (
                    uapi.LOOM_ERR_DMA, uapi.LOOM_ERR_CMD_FETCH,
                    uapi.LOOM_ERR_RING_DMA, uapi.LOOM_ERR_COMPL_DMA)
            assert before == [
                bench.read_bytes(queue.completions, uapi.LOOM_PAGE_SIZE)
                for queue in load.queues]
            load.card.setup()
            queue_resets(load.card)
            load.works()


@test
def card_asleep_does_not_answer_and_awake_it_remembers():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            load = Load(bench.cards[0])
            load.start()
            load.card.write32(SCRATCH, 55)
            load.card.set_power(pci.D3)
            assert not load.card.alive()
            load.card.write32(SCRATCH, 66)
            wait_for("fault", lambda load=load:
                     load.card.property("perf-faults") > 0)
            load.card.set_power(pci.D0)
            assert load.card.read32(SCRATCH) == 55
            assert any(queue.state() == uapi.LOOM_QUEUE_STATE_ERROR
                       for queue in load.queues)
            queue_resets(load.card)
            load.works()


@test
def power_state_is_the_only_thing_writable_in_its_register():
    with Bench() as bench:
        card, = bench.cards
        control = card.capabilities()[pci.PM] + pci.PM_CONTROL
        assert card.config_read(control, 2) == pci.PM_NO_SOFT_RESET
        card.config_write(control, 2, 0xffff)
        assert card.config_read(control, 2) == pci.PM_NO_SOFT_RESET | pci.PM_STATE
        card.set_power(pci.D0)
        assert card.alive()


@test
def machine_that_ends_under_load_ends_well():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            Load(bench.cards[0]).start()


if __name__ == "__main__":
    tap.main()
