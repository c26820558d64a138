#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A guest gone mad: random but plausible accesses while jobs run, whose
commands, page tables and rings they change.  QEMU must stay, and the card must
be as good as new after a reset.
"""

import random

import tap
import uapi
from card import RAM_END, WORKERS, Bench, copy, event, fill, nop
from tap import test

STEPS = 15000
QUEUES, CONTEXTS = 8, 4
PAGE = uapi.LOOM_PAGE_SIZE
HALF = uapi.LOOM_PT_ENTRIES // 2
WRITABLE = uapi.LOOM_PTE_VALID | uapi.LOOM_PTE_WRITE
# In HBM: a chain of page tables per context, and pages to work on.
CHAIN = 1 << 20
HBM_PAGES = 256
# In RAM: pages of commands, rings, completions and events, data.
COMMANDS, RINGS, RECORDS, DATA = (
    range(first << 20, (first + 1) << 20, PAGE) for first in (1, 2, 3, 4))


class Storm:
    def __init__(self, bench, seed):
        self.bench, self.seed = bench, seed
        self.card, = bench.cards
        self.random = random.Random(seed)
        self.one_of = self.random.choice

    def rarely(self, this, that):
        return this if self.random.random() < 0.03 else that

    # What the card finds in memory

    def entry(self, index):
        """A page table entry, good as a rule: half of them lead to commands,
        half to data."""
        kind = self.one_of((uapi.LOOM_KIND_HBM, uapi.LOOM_KIND_SRAM,
                            uapi.LOOM_KIND_SYSTEM))
        page = PAGE * self.random.randrange(HBM_PAGES)
        flags = self.rarely(uapi.LOOM_PTE_VALID, WRITABLE)
        if index < HALF:
            kind, page, flags = (uapi.LOOM_KIND_SYSTEM, self.one_of(COMMANDS),
                                 self.rarely(WRITABLE, uapi.LOOM_PTE_VALID))
        elif kind == uapi.LOOM_KIND_SYSTEM:
            page = self.rarely(self.one_of(COMMANDS), self.one_of(DATA))
        return page | kind << uapi.LOOM_PTE_KIND_SHIFT | self.rarely(0, flags)

    def table(self, entries):
        return b"".join(entry.to_bytes(8, "little") for entry in entries)

    def chain(self, context, level):
        return CHAIN + PAGE * (context * uapi.LOOM_PT_LEVELS + level)

    def make_tables(self, context):
        """Every address leads to one table of random pages."""
        number = uapi.LOOM_PT_ENTRIES
        for level in range(uapi.LOOM_PT_LEVELS):
            entries = [self.entry(index) for index in range(number)] if not level else [
                self.chain(context, level - 1) | uapi.LOOM_PTE_VALID] * number
            self.bench.write_bytes(
                self.card.hbm + self.chain(context, level), self.table(entries))

    def va(self, first=HALF):
        """An address of data."""
        page = self.random.randrange(first, first + HALF - 4)
        return page * PAGE + self.random.randrange(PAGE)

    def one_command(self):
        return self.one_of((
            nop,
            lambda: fill(self.va() & ~3, self.random.randrange(PAGE), 1),
            lambda: copy(self.va(), self.va(), self.random.randrange(4 * PAGE)),
            lambda: event(self.one_of((uapi.LOOM_EVENT_OP_ADD,
                                       uapi.LOOM_EVENT_OP_WAIT_GE)),
                          self.random.randrange(4), self.random.randrange(3)),
        ))()

    def page_of_commands(self):
        commands = b""
        while len(commands) < PAGE // 2:
            commands += self.one_command()
        return commands

    def page_of_jobs(self):
        record = uapi.loom_ring_entry
        return b"".join(record.pack(
            type=uapi.LOOM_RING_EXEC, flags=self.random.randrange(2),
            cmd_va=self.va(0) & -PAGE, cmd_size=64 * self.random.randrange(1, 32),
            seq=self.random.randrange(1, 1 << 64)) for _ in range(32))

    def make_memory(self):
        for context in range(CONTEXTS):
            self.make_tables(context)
        for address in COMMANDS:
            self.bench.write_bytes(address, self.page_of_commands())
        for address in RINGS:
            self.bench.write_bytes(address, self.page_of_jobs())

    # What the guest does

    def write(self, offset, value):
        return f"writel {self.card.registers + offset:#x} {value:#x}"

    def write_queue(self, queue, register, value):
        return self.write(uapi.LOOM_REG_QUEUE(queue, register), value)

    def set_up(self):
        """Start a queue."""
        queue = self.random.randrange(QUEUES)
        for register, value in (
                (uapi.LOOM_QUEUE_CTRL, uapi.LOOM_QUEUE_CTRL_RESET),
                (uapi.LOOM_QUEUE_RING_BASE, self.one_of(RINGS)),
                (uapi.LOOM_QUEUE_COMPL_BASE, self.one_of(RECORDS)),
                (uapi.LOOM_QUEUE_RING_SIZE_LOG2, self.random.randrange(1, 8)),
                (uapi.LOOM_QUEUE_CTX, self.random.randrange(CONTEXTS)),
                (uapi.LOOM_QUEUE_PRIORITY, self.random.randrange(4)),
                (uapi.LOOM_QUEUE_VECTOR, self.random.randrange(33)),
                (uapi.LOOM_QUEUE_CTRL, uapi.LOOM_QUEUE_CTRL_ENABLE)):
            yield self.write_queue(queue, register, value)
        yield from self.ring(queue)

    def ring(self, queue=None):
        queue = self.random.randrange(QUEUES) if queue is None else queue
        yield (f"writel {self.card.doorbells + queue * uapi.LOOM_DOORBELL_STRIDE:#x}"
               f" {self.random.randrange(1, 9):#x}")

    def stop(self):
        yield self.write_queue(self.random.randrange(QUEUES),
                               uapi.LOOM_QUEUE_CTRL, self.random.randrange(4))

    def set_root(self):
        context = self.random.randrange(CONTEXTS)
        yield self.write(uapi.LOOM_REG_CTX_ROOT(context),
                         self.chain(context, uapi.LOOM_PT_LEVELS - 1) |
                         uapi.LOOM_CTX_ROOT_VALID)

    def set_events(self):
        yield self.write(uapi.LOOM_REG_EVENT_BASE, self.one_of(RECORDS))
        yield self.write(uapi.LOOM_REG_EVENT_SIZE_LOG2, self.random.randrange(12))
        yield self.write(uapi.LOOM_REG_EVENT_HEAD, self.random.randrange(3))

    def change_table(self):
        table = self.card.hbm + self.chain(self.random.randrange(CONTEXTS), 0)
        index = self.random.randrange(uapi.LOOM_PT_ENTRIES)
        yield f"writeq {table + 8 * index:#x} {self.entry(index):#x}"
        if self.random.randrange(2):
            yield self.write(uapi.LOOM_REG_TLB_INVALIDATE,
                             self.random.randrange(CONTEXTS))

    def nonsense(self):
        offset = self.random.randrange(0, uapi.LOOM_REGS_SIZE, 4)
        if offset != uapi.LOOM_REG_CTRL:
            yield self.write(offset, self.one_of((
                0xffffffff, self.random.randrange(RAM_END))))

    def reset(self):
        """Rarely, or nothing would ever run."""
        if self.random.randrange(10):
            yield self.write(uapi.LOOM_REG_CTRL, uapi.LOOM_CTRL_ENABLE)
        else:
            yield self.write(uapi.LOOM_REG_CTRL, uapi.LOOM_CTRL_RESET |
                             uapi.LOOM_CTRL_ENABLE)
            for _ in range(2 * CONTEXTS):
                yield from self.set_root()

    def steps(self):
        yield self.write(uapi.LOOM_REG_CTRL, uapi.LOOM_CTRL_ENABLE)
        for _ in range(CONTEXTS):
            yield from self.set_root()
        kinds = ([self.set_up] * 6 + [self.ring] * 6 + [
            self.stop, self.set_root, self.set_events, self.change_table,
            self.nonsense, self.reset])
        for _ in range(STEPS):
            yield from self.one_of(kinds)()

    # The test

    def rage(self):
        self.make_memory()
        self.card.enable_msix()
        self.bench.run(self.steps())
        assert self.card.property("perf-commands") > STEPS / 10
        self.card.function_reset()
        self.card.setup()
        queue = self.card.queue()
        job = self.card.space().place(nop())
        queue.start()
        assert queue.run(job) == uapi.LOOM_ERR_NONE


@test
def card_in_a_storm_of_plausible_accesses_survives():
    for workers in WORKERS:
        with Bench(workers=workers, sram_size="2M") as bench:
            Storm(bench, seed=workers).rage()


if __name__ == "__main__":
    tap.main()
