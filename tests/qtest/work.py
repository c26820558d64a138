# SPDX-License-Identifier: MIT
"""Random work for a card, and what a QEMU process holds while it does it."""

import os
import random
import time

import uapi
from card import command, copy, event, fill, nop
from qtest import wait_for

ENDLESS = 1 << 30
F32_ONE = 0x3f800000


def seed():
    """LOOM_SEED repeats a run; without, every run is another one."""
    value = int(os.environ.get("LOOM_SEED") or
                random.SystemRandom().randrange(1, 1 << 31))
    print(f"# to repeat: LOOM_SEED={value}", flush=True)
    return random.Random(value)


def endless_fill(va):
    """One page, over and over, for hours."""
    size = uapi.LOOM_PAGE_SIZE
    return command(uapi.loom_cmd_copy, uapi.LOOM_OP_COPY,
                   mode=uapi.LOOM_COPY_FILL, dst_type=uapi.LOOM_TYPE_U8,
                   dim=(size, ENDLESS, ENDLESS, 1), dst=va,
                   dst_stride=(1, 0, 0, 0), fill=0x77)


def endless_product(va):
    """A matrix product of days: every row and column is the same."""
    size = 1 << 20
    return command(uapi.loom_cmd_matmul, uapi.LOOM_OP_MATMUL,
                   a_type=uapi.LOOM_TYPE_F32, b_type=uapi.LOOM_TYPE_F32,
                   d_type=uapi.LOOM_TYPE_F32, alpha=F32_ONE,
                   m=size, n=size, k=size, batch=(1, 1), a=va, b=va,
                   d=va, a_stride=(0, 0, 0, 0), b_stride=(0, 0, 0, 0),
                   d_stride=(0, 4, 0, 0))


class Work:
    """Jobs of all lengths on some queues.

    Those of FINITE end by themselves and well; of the others some would go on
    for ever.
    """

    QUEUES = 6
    FINITE = ("short", "copies", "chain")
    WAIT = ("wait",)
    ENDLESS = ("fill", "product")

    def __init__(self, card, rng):
        self.card, self.rng = card, rng
        self.kinds = self.FINITE + self.WAIT
        # Without workers nothing can stop a command but its second being up.
        if card.property("workers"):
            self.kinds += self.ENDLESS
        self.space = card.space()
        self.queues = [card.queue(number, log2=5)
                       for number in range(self.QUEUES)]
        bench, size = card.machine, uapi.LOOM_HUGE_SIZE
        hbm = self.space.map_huge(uapi.LOOM_KIND_HBM, 8 << 20)
        ram = self.space.map_system(bench.ram.take(size // 16), size // 16)
        place = self.space.place
        self.jobs = {
            "short": place(nop() * 4),
            "copies": place((fill(hbm, size // 4, 5) +
                             copy(ram, hbm, size // 16)) * 8),
            "chain": place((event(uapi.LOOM_EVENT_OP_ADD, 2, 1) + nop()) * 40),
            "fill": place(endless_fill(hbm)),
            "product": place(endless_product(hbm)),
            "wait": place(event(uapi.LOOM_EVENT_OP_WAIT_GE, 1, 1)),
        }
        self.last = {}

    def start(self, queue, kinds):
        """From reset: some jobs of one of these kinds."""
        queue.start(priority=self.rng.randrange(4),
                    vector=1 + queue.number)
        job = self.jobs[self.rng.choice(kinds)]
        self.last[queue] = queue.submit(job, count=self.rng.randrange(1, 32))

    def start_all(self, kinds=None):
        """From reset of the card."""
        self.card.enable_msix()
        self.space.install()
        for queue in self.queues:
            self.start(queue, kinds or self.kinds)

    def pause(self):
        """For a random time, as often short as long."""
        for _ in range(self.rng.choice((0, 1, 10, 100))):
            self.card.read32(uapi.LOOM_REG_ID)
        time.sleep(self.rng.choice((0, 0, 0.0005, 0.005)) * self.rng.random())

    def wait(self, queue, number):
        return queue.wait(number)

    def go_on(self):
        """What is under way could write something now."""
        self.card.machine.qmp("query-status")

    def finished(self, queue):
        """Every job of the queue has completed, once and well."""
        self.wait(queue, self.last[queue])
        for number in range(self.last[queue] + 1):
            done = queue.completion(number)
            assert done and done.error == uapi.LOOM_ERR_NONE, (
                f"queue {queue.number}, job {number} of "
                f"{self.last[queue] + 1}: {done}")
        assert queue.get(uapi.LOOM_QUEUE_HEAD) == self.last[queue] + 1

    def works(self):
        """A job on each queue, from reset."""
        self.space.install()
        for queue in self.queues:
            queue.start()
            done = self.wait(queue, queue.submit(self.jobs["short"]))
            assert done.error == uapi.LOOM_ERR_NONE

    def silent(self):
        """Nothing is written any more, whatever was under way."""
        bench = self.card.machine
        for queue in self.queues:
            bench.fill(queue.completions, uapi.LOOM_PAGE_SIZE, 0)
        self.card.clear_interrupts()
        for _ in range(3):
            self.go_on()
        for queue in self.queues:
            records = bench.read_bytes(queue.completions, uapi.LOOM_PAGE_SIZE)
            assert not any(records), f"queue {queue.number} wrote a record"


class PacedWork(Work):
    """The same on a paced card: nothing completes unless a test moves its
    clock, so most of what is stopped are completions that wait for that."""

    # Nanoseconds.  Some jobs of a queue, and more than all of them take.
    SOME, ALL = 100000, 100000000

    def step(self, ns):
        self.card.machine.command(f"clock_step {ns}")

    def pause(self):
        super().pause()
        self.step(self.rng.choice((1, 1000, self.SOME)))

    def wait(self, queue, number):
        ns = self.SOME

        def completed():
            nonlocal ns
            done = queue.completion(number)
            if not done:
                self.step(ns)
                # Queues that a busy host is late with hold up the others for a
                # second of this clock.
                ns = min(2 * ns, self.ALL)
            return done
        return wait_for(f"completion {number} of queue {queue.number}",
                        completed)

    def go_on(self):
        super().go_on()
        self.step(self.ALL)


class Holdings:
    """What a process has that it should give back."""

    # Caches of memory allocators come and go.
    SLACK = 48 << 20

    def __init__(self, process):
        self.process = f"/proc/{process.pid}"
        self.threads, self.files = self.count("task"), self.count("fd")
        self.resident = self.memory()

    def count(self, folder):
        return len(os.listdir(f"{self.process}/{folder}"))

    def memory(self):
        with open(f"{self.process}/statm") as sizes:
            return int(sizes.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def returned(self):
        wait_for(f"return to {self.threads} threads", lambda:
                 self.count("task") <= self.threads)
        assert self.count("fd") <= self.files, "files are left open"
        wait_for("return of memory", lambda:
                 self.memory() <= self.resident + self.SLACK)
