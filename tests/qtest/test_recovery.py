#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every way to stop a card, at random points of random work.

The seed is printed; LOOM_SEED=N repeats a run.  LOOM_ROUNDS=N says how many
rounds each machine gets.
"""

import os
import time

import pci
import tap
import uapi
from card import Bench
from iommu import IommuBench
from tap import test
from test_reset import bus_reset, function_reset, machine_reset, soft_reset
from work import Holdings, PacedWork, Work, seed

ROUNDS = int(os.environ.get("LOOM_ROUNDS") or 12)
WORKERS = (0, 1, 2)
HBM, SRAM = 64 << 20, 2 << 20
# No access may take longer; the machine may be busy with other things, too.
PATIENCE = 2.0


def sleep_and_wake(card):
    """Through D3hot; what ran then stops at its next access of memory."""
    card.set_power(pci.D3)
    card.set_power(pci.D0)
    soft_reset(card)


def bus_master_off(card):
    card.set_command(pci.COMMAND_MEMORY)
    card.setup()
    soft_reset(card)


def queue_resets(card):
    for number in range(Work.QUEUES):
        card.queue(number, ring=0, completions=0).reset()


STOPS = (soft_reset, function_reset, bus_reset, machine_reset, sleep_and_wake,
         bus_master_off, queue_resets)


def machines(rng, work=Work, **properties):
    """A machine of each kind: workers, with and without an IOMMU."""
    for workers in WORKERS:
        card = {"hbm_size": HBM, "sram_size": SRAM, "workers": workers,
                **properties}
        with Bench(**card) as bench:
            yield bench, work(bench.cards[0], rng)
        with IommuBench(**card) as bench:
            bench.iommu.map_ram()
            yield bench, work(bench.cards[0], rng)


def paced_machines(rng):
    return machines(rng, PacedWork, timing="paced")


def stop_and_go_on(machines_of):
    rng = seed()
    for bench, work in machines_of(rng):
        holdings = Holdings(bench.process)
        for _ in range(ROUNDS):
            work.start_all()
            work.pause()
            rng.choice(STOPS)(work.card)
            work.silent()
        work.works()
        holdings.returned()


@test
def card_stopped_at_random_points_falls_silent_and_works_again():
    stop_and_go_on(machines)


@test
def paced_card_stopped_at_random_points_falls_silent_and_works_again():
    stop_and_go_on(paced_machines)


def reset_queues_beside_others(machines_of):
    rng = seed()
    for bench, work in machines_of(rng):
        for _ in range(ROUNDS):
            victim = rng.choice(work.queues)
            others = [queue for queue in work.queues if queue != victim]
            work.card.enable_msix()
            work.space.install()
            work.start(victim, work.kinds)
            for queue in others:
                work.start(queue, Work.FINITE)
            for _ in range(3):
                work.pause()
                victim.reset()
                assert victim.state() == uapi.LOOM_QUEUE_STATE_DISABLED
                work.start(victim, work.kinds)
            work.pause()
            victim.reset()
            for queue in others:
                work.finished(queue)
                work.card.wait_interrupt(1 + queue.number)
            assert bench.process.poll() is None


@test
def queue_reset_at_random_points_costs_the_others_no_completion():
    reset_queues_beside_others(machines)


@test
def paced_queue_reset_at_random_points_costs_the_others_no_completion():
    reset_queues_beside_others(paced_machines)


@test
def cards_beside_one_that_is_stopped_lose_no_completion():
    rng = seed()
    for workers in WORKERS:
        with Bench(cards=2, hbm_size=HBM, sram_size=SRAM,
                   workers=workers) as bench:
            stopped, innocent = (Work(card, rng) for card in bench.cards)
            for _ in range(ROUNDS):
                innocent.start_all(Work.FINITE)
                stopped.start_all()
                stopped.pause()
                stop = rng.choice([s for s in STOPS if s != machine_reset])
                stop(stopped.card)
                for queue in innocent.queues:
                    innocent.finished(queue)


def unplug_and_plug(machines_of, **properties):
    rng = seed()
    for bench, work in machines_of(rng):
        workers = work.card.property("workers")
        work.card.unplug()
        holdings = Holdings(bench.process)
        for _ in range(max(ROUNDS // 3, 2)):
            work.card.plug(hbm_size=HBM, sram_size=SRAM, workers=workers,
                           **properties)
            work.space.rebuild()
            bench.fill(work.card.hbm + (16 << 20), 32 << 20, 0x99)
            work.start_all()
            work.pause()
            work.card.unplug()
            holdings.returned()


@test
def card_unplugged_at_random_points_gives_everything_back():
    unplug_and_plug(machines)


@test
def paced_card_unplugged_at_random_points_gives_everything_back():
    unplug_and_plug(paced_machines, timing="paced")


class Stopwatch:
    """The longest that one access takes.

    On a machine that is busy with other things QEMU's processor time says more
    than the clock; a QEMU that hangs runs into qtest.TIMEOUT.
    """

    def __init__(self, bench):
        self.bench, self.command = bench, bench.command
        self.longest = 0, "nothing"
        bench.command = self.timed

    def processor(self):
        with open(f"/proc/{self.bench.process.pid}/stat") as numbers:
            fields = numbers.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def timed(self, command):
        start, used = time.monotonic(), self.processor()
        answer = self.command(command)
        took = min(time.monotonic() - start, self.processor() - used)
        self.longest = max(self.longest, (took, command))
        return answer


def accesses(work):
    """Some of every kind."""
    card = work.card
    card.read32(uapi.LOOM_REG_TIME)
    card.write32(uapi.LOOM_REG_TLB_INVALIDATE, 0)
    card.write64(uapi.LOOM_REG_CTX_ROOT(0), 0)
    card.ring(Work.QUEUES, 1)
    card.machine.qmp("query-status")


@test
def access_while_the_longest_commands_run_takes_no_2_seconds():
    """Registers, doorbells and every stop, whatever the engines do."""
    rng = seed()
    longest = 0
    for bench, work in machines(rng):
        workers = work.card.property("workers")
        stops = STOPS if workers else (soft_reset,)
        watch = Stopwatch(bench)
        for kind in Work.ENDLESS:
            for stop in stops:
                work.card.enable_msix()
                work.space.install()
                for queue in work.queues[:3 if workers else 1]:
                    work.start(queue, (kind,))
                work.pause()
                accesses(work)
                stop(work.card)
        print("# {} workers: {:.2f} s: {}".format(workers, *watch.longest),
              flush=True)
        longest = max(longest, watch.longest[0])
    assert longest < PATIENCE


@test
def command_without_end_and_without_workers_fails():
    """It used to keep QEMU's main loop, and with it the monitor, for ever."""
    rng = seed()
    with Bench(hbm_size=HBM, sram_size=SRAM, workers=0) as bench:
        work = Work(bench.cards[0], rng)
        for kind in Work.ENDLESS:
            queue = work.queues[0]
            queue.start()
            queue.fails_with(work.jobs[kind], uapi.LOOM_ERR_INTERNAL)
            assert work.card.alive()


if __name__ == "__main__":
    tap.main()
