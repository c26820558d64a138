#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Snapshots and migration: a card goes on elsewhere."""

import contextlib
import os
import random
import re
import sys
import tempfile
import time

import pci
import tap
import test_rebar
import uapi
from card import Bench, Load, command, event, fill, nop
from qtest import Machine, QmpError, wait_for
from tap import test

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "tools"))
from vm import qcow2    # noqa: E402

SCRATCH = uapi.LOOM_REG_SCRATCH
SMALL = {"hbm_size": "32M", "sram_size": "2M"}
BAD_OPCODE = b"\xff" + bytes(uapi.LOOM_CMD_ALIGN - 1)
FILL = 1 << 16    # bytes
SEED = int(os.environ.get("LOOM_SEED", "1"))


class Destination(Machine):
    """A machine as another one, waiting for that one's state."""

    def __init__(self, arguments, may_complain=False):
        super().__init__(*arguments, "-incoming", "defer")
        self.may_complain = may_complain

    def quit(self):
        self.qmp("quit")
        status = self.process.wait(60)
        assert not status, f"QEMU ended with status {status}"
        assert self.may_complain or not self.complaints()

    def receive_from(self, uri):
        self.qmp("migrate-incoming", uri=uri, **{"exit-on-error": False})

    def status(self):
        return self.qmp("query-migrate").get("status")

    def receive_all(self, uri):
        """From a file; returns how that ended."""
        self.receive_from(uri)
        wait_for("end of loading", lambda:
                 self.status() in ("completed", "failed"))
        return self.status()


def send(machine, uri):
    """Migrate; returns how that ended."""
    ended = ("completed", "failed")
    machine.qmp("migrate", uri=uri)
    wait_for("end of migration", lambda:
             machine.qmp("query-migrate")["status"] in ended)
    return machine.qmp("query-migrate")["status"]


def forgive(machine):
    """What it said on stderr was in order."""
    machine.errors.seek(0)
    machine.errors.truncate()


def rebind(cards, machine):
    """What tests know of these cards is now true on another machine."""
    machine.ram = cards[0].machine.ram
    for card in cards:
        card.machine = card.port.machine = machine


class Hops(contextlib.ExitStack):
    """Takes a bench's cards from one QEMU to the next."""

    def __init__(self, bench):
        super().__init__()
        self.bench, self.here = bench, bench

    def __enter__(self):
        self.directory = self.enter_context(tempfile.TemporaryDirectory())
        return super().__enter__()

    def ready(self, there):
        """What a machine needs before it takes over."""

    def hop(self, arguments=None):
        there = self.enter_context(Destination(self.bench.arguments
                                               if arguments is None
                                               else arguments))
        uri = f"unix:{self.directory}/socket"
        self.ready(there)
        there.receive_from(uri)
        assert send(self.here, uri) == "completed"
        wait_for("running machine", lambda:
                 there.qmp("query-status")["status"] == "running")
        rebind(self.bench.cards, there)
        self.here = there


class ShortLoad(Load):
    """Some seconds' work, and a wait at the end of the last queue."""
    FILLS = 40


@test
def migration_goes_on_with_the_work_of_all_queues():
    for workers in (1, 0, 3):
        with Bench(workers=workers, **SMALL) as bench, Hops(bench) as hops:
            card, = bench.cards
            load = ShortLoad(card, jobs=3)
            failed = card.queue(9)
            bad = load.space.place(BAD_OPCODE)
            load.start()
            failed.start()
            failed.submit(bad)
            failed.wait_state(uapi.LOOM_QUEUE_STATE_ERROR)
            for _ in range(3):
                hops.hop()
                assert failed.state() == uapi.LOOM_QUEUE_STATE_ERROR
                assert failed.error() == uapi.LOOM_ERR_CMD_OPCODE
            wait_for("end of the work", lambda load=load: not load.busy())
            assert all(queue.completion(number).error == uapi.LOOM_ERR_NONE
                       for queue in load.queues[:-1] for number in range(3))
            # The last one waited for this all the time.
            waiting = load.queues[-1]
            assert waiting.completion(0) is None
            signal = load.space.place(event(uapi.LOOM_EVENT_OP_SET, 1, 1))
            assert load.queues[0].run(signal) == uapi.LOOM_ERR_NONE
            assert waiting.wait(2).error == uapi.LOOM_ERR_NONE
            assert card.property("perf-jobs") == 3 * 4 + 2


class PacedHops(Hops):
    """The clock of these machines is the test's, so it takes it along."""

    clock = 0

    def step(self, ns):
        self.clock += ns
        self.here.command(f"clock_step {ns}")

    def ready(self, there):
        there.command(f"clock_set {self.clock}")


def paced_times(moves):
    """Jobs of a paced card with hops between steps of its clock; when each
    began and ended, by the model."""
    with Bench(timing="paced", workers=1, **SMALL) as bench, \
            PacedHops(bench) as hops:
        card, = bench.cards
        card.enable_msix()
        space, queues = card.space(), [card.queue(n) for n in range(3)]
        va, _ = space.map_hbm(FILL)
        job = space.place(fill(va, FILL // 4, 1) * 20)
        for queue in queues:
            queue.start(vector=1 + queue.number)
            queue.submit(job, count=2)
        for move in range(5):
            # The worker is done with what it may do ahead of the model.
            time.sleep(0.05)
            hops.step(1500)
            if moves:
                # Not one has completed: all of them wait for the timer.
                assert move or not any(q.completion(0) for q in queues)
                hops.hop()
        for queue in queues:
            wait_for("completion", lambda queue=queue:
                     queue.completion(1) or hops.step(1500))
            card.wait_interrupt(1 + queue.number)
        done = [queue.completion(n) for queue in queues for n in range(2)]
        assert all(d.error == uapi.LOOM_ERR_NONE for d in done)
        return [(d.start, d.end) for d in done]


@test
def migration_of_a_paced_card_changes_no_modelled_time():
    there = paced_times(moves=True)
    assert there == paced_times(moves=False), there
    assert len(set(there)) == len(there)


@test
def migration_moves_registers_configuration_space_and_interrupts():
    with Bench(**SMALL) as bench, Hops(bench) as hops:
        card, = bench.cards
        card.enable_msix()
        card.mask(3, True)
        card.write32(uapi.LOOM_REG_IRQ_TEST, 3)
        wait_for("pending bit", lambda: card.pending(3))
        card.write32(SCRATCH, 0x1234)
        before = [card.config_read(at, 4) for at in range(0, 0x180, 4)]
        hops.hop()
        assert before == [card.config_read(at, 4) for at in range(0, 0x180, 4)]
        assert card.read32(SCRATCH) == 0x1234
        assert card.pending(3) and not card.interrupted(3)
        card.mask(3, False)
        card.wait_interrupt(3)
        card.write32(uapi.LOOM_REG_IRQ_TEST, 0)
        card.wait_interrupt(0)


@test
def migration_keeps_a_card_asleep_or_without_bus():
    with Bench(**SMALL) as bench, Hops(bench) as hops:
        card, = bench.cards
        card.write32(SCRATCH, 5)
        card.set_power(pci.D3)
        hops.hop()
        assert not card.alive()
        card.set_power(pci.D0)
        assert card.read32(SCRATCH) == 5
        card.enable_msix()
        card.set_command(pci.COMMAND_MEMORY)
        card.write32(uapi.LOOM_REG_IRQ_TEST, 2)
        hops.hop()
        assert not card.interrupted(2)
        card.set_command(pci.COMMAND_MEMORY | pci.COMMAND_MASTER)
        card.wait_interrupt(2)


@test
def migration_moves_the_size_of_the_hbm_bar_and_its_window():
    with Bench(**SMALL) as bench, Hops(bench) as hops:
        card, = bench.cards
        test_rebar.resize(card, 16)
        test_rebar.mark(card, 20 << 20)
        hops.hop()
        assert test_rebar.look(card, 4 << 20) == (20 << 20) + 1
        assert test_rebar.size(card) == 16
        card.write64(uapi.LOOM_REG_HBM_WINDOW, 0)
        test_rebar.resize(card, 32)
        assert test_rebar.look(card, 20 << 20) == (20 << 20) + 1


def with_property(arguments, name, value):
    """The command line with another property of the card."""
    changed = [re.sub(rf",{name}=[^,]*", "", word) + f",{name}={value}"
               if word.startswith("loom,") else word for word in arguments]
    assert changed != list(arguments)
    return changed


@test
def destination_of_another_shape_says_what_differs():
    others = {"num-queues": (8, "num-queues is 64 in the saved state and 8"),
              "array-rows": (64, "array-rows is 128 in the saved state and 64"),
              "hbm-size": ("64M", "hbm-size is 33554432 in the saved state")}
    for name, (value, sentence) in others.items():
        with Bench(**SMALL) as bench, tempfile.TemporaryDirectory() as d, \
                Destination(with_property(bench.arguments, name, value),
                            may_complain=True) as there:
            there.receive_from(f"unix:{d}/socket")
            send(bench, f"unix:{d}/socket")
            wait_for("refusal", lambda there=there:
                     there.status() == "failed")
            assert sentence in there.complaints(), there.complaints()
            # The source keeps its card.
            if bench.qmp("query-status")["status"] != "running":
                bench.qmp("cont")
            forgive(bench)
            card, = bench.cards
            assert card.alive()
            job = card.space().place(nop() * 8)
            queue = card.queue()
            queue.start()
            assert queue.run(job) == uapi.LOOM_ERR_NONE


@test
def stream_with_damage_does_no_harm():
    rng = random.Random(SEED)
    with Bench(**SMALL) as bench, tempfile.TemporaryDirectory() as d:
        Load(bench.cards[0]).start()
        saved, damaged = f"{d}/saved", f"{d}/damaged"
        assert send(bench, "file:" + saved) == "completed"
        with open(saved, "rb") as file:
            stream = file.read()
        # The card's state: behind the second magic number, for the first is
        # that of the configuration.  What lies between its beginning and the
        # queues is mostly events of contexts, where anything goes.
        core = stream.index(b"LMST", stream.index(b"LMST") + 4)
        queues = stream.index(b"queues", core)
        refused = 0
        for _ in range(8):
            bad = bytearray(stream)
            for _ in range(rng.randint(1, 4)):
                at = rng.choice((core - 8, queues)) + rng.randrange(600)
                bad[at] ^= 1 << rng.randrange(8)
            with open(damaged, "wb") as file:
                file.write(bad)
            with Destination(bench.arguments, may_complain=True) as there:
                refused += there.receive_all("file:" + damaged) == "failed"
                there.qmp("qom-get", path="card0", property="perf-jobs")
                there.qmp("system_reset")
        print(f"# seed {SEED}: {refused} of 8 damaged streams were refused")
        assert refused
        with open(damaged, "wb") as file:
            file.write(stream[:core + 100])
        with Destination(bench.arguments, may_complain=True) as there:
            assert there.receive_all("file:" + damaged) == "failed"


def fill_for_hours(va):
    """One command that nobody waits for."""
    return command(uapi.loom_cmd_copy, uapi.LOOM_OP_COPY,
                   mode=uapi.LOOM_COPY_FILL, dst_type=uapi.LOOM_TYPE_U8,
                   dim=(uapi.LOOM_PAGE_SIZE, 1 << 30, 1 << 30, 1), dst=va,
                   dst_stride=(1, 0, 0, 0), fill=0xa5)


@test
def command_of_hours_holds_up_nothing_for_long():
    with Bench(**SMALL) as bench, Hops(bench) as hops:
        card, = bench.cards
        space = card.space()
        va, offset = space.map_hbm()
        queue = card.queue()
        queue.start()
        queue.submit(space.place(fill_for_hours(va)))
        wait_for("work", lambda: bench.read(card.hbm + offset, 1) == 0xa5)
        with tempfile.TemporaryDirectory() as d:
            assert send(bench, f"file:{d}/x") == "failed"
        complaint = bench.complaints()
        assert "a command ran for more than" in complaint, complaint
        wait_for("running machine", lambda:
                 bench.qmp("query-status")["status"] == "running")
        queue.reset()
        forgive(bench)
        hops.hop()
        queue.start()
        assert queue.run(space.place(nop())) == uapi.LOOM_ERR_NONE


@test
def work_after_a_stop_is_left_to_the_workers():
    """The main loop used to take part, and then nobody heard the monitor."""
    with Bench(workers=1, **SMALL) as bench:
        card, = bench.cards
        space = card.space()
        pages = [space.map_hbm() for _ in range(2)]
        jobs = [space.place(fill_for_hours(va)) for va, _ in pages]
        queues = [card.queue(n) for n in range(2)]
        for queue in queues:
            queue.start()
        bench.qmp("stop")
        for queue, job in zip(queues, jobs):
            queue.submit(job)
        bench.qmp("cont")
        wait_for("work", lambda: any(bench.read(card.hbm + offset, 1)
                                     for _, offset in pages))
        for _ in range(5):
            bench.qmp("query-status")
        card.soft_reset()


def hmp(machine, line):
    """A command of the human monitor that says nothing when it works."""
    answer = machine.qmp("human-monitor-command", **{"command-line": line})
    if answer:
        raise QmpError(answer)


@test
def snapshot_is_a_moment_to_which_the_card_returns():
    with tempfile.TemporaryDirectory() as d:
        qcow2.create(f"{d}/snapshots")
        with Bench("-drive", f"if=none,format=qcow2,file={d}/snapshots",
                   workers=2, **SMALL) as bench:
            card, = bench.cards
            load = ShortLoad(card, jobs=3)
            load.start()
            card.write32(SCRATCH, 1)
            hmp(bench, "savevm moment")
            ends = []
            for _ in range(2):
                wait_for("end of the work", lambda: not load.busy())
                ends.append(card.property("perf-commands"))
                assert card.read32(SCRATCH) == 1
                card.soft_reset()
                card.write32(SCRATCH, 2)
                hmp(bench, "loadvm moment")
            assert ends[0] == ends[1] == 3 * 3 * 80


if __name__ == "__main__":
    tap.main()
