# SPDX-License-Identifier: MIT
"""Machines with Loom cards, and what a driver does to a card.

    with Bench(workers=2) as bench:
        card, = bench.cards
        space = card.space()
        queue = card.queue()
        queue.start()
        job = queue.submit(space.place(nop() * 40))
        assert queue.wait(job).error == uapi.LOOM_ERR_NONE
"""

import pci
import uapi
from qtest import Machine, wait_for

RAM_MIB = 64
RAM_END = RAM_MIB << 20
RAM_FIRST = 1 << 20
HBM_FIRST = 1 << 20
VA_FIRST = 1 << 32
WORKERS = (1, 0, 3)
QUEUE_VECTOR = 1


class Arena:
    """Addresses, given away one after the other."""

    def __init__(self, first, end):
        self.next, self.end = first, end

    def take(self, size, align=uapi.LOOM_PAGE_SIZE):
        start = -(-self.next // align) * align
        assert start + size <= self.end, "this arena is used up"
        self.next = start + size
        return start


class Bench(Machine):
    """A q35 machine with some root ports and a card behind each.

    Properties of the cards are given with _ for -; they are called card0,
    card1, ...
    """

    # Lets a slot be unplugged by PCI Express means, not by ACPI.
    NATIVE_HOTPLUG = ("-global",
                      "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")

    def __init__(self, *extra, cards=1, **properties):
        arguments = ["-M", "q35", "-m", str(RAM_MIB), *self.NATIVE_HOTPLUG,
                     *extra]
        for number in range(cards):
            arguments += ["-device", root_port(number),
                          "-device", device(number, **properties)]
        super().__init__(*arguments)
        self.ram = Arena(RAM_FIRST, RAM_END)
        self.cards = [Card(self, number) for number in range(cards)]

    def start(self):
        super().start()
        self.setup()

    def setup(self):
        """What firmware does after every reset of the machine."""
        pci.map_config(self)
        for card in self.cards:
            card.port.open()
            card.setup()

    def reset(self):
        super().reset()
        self.setup()


def root_port(number):
    return (f"pcie-root-port,id=port{number},chassis={number + 1},"
            f"addr={pci.RootPort.FIRST + number}")


def dashed(properties):
    return {name.replace("_", "-"): value for name, value in properties.items()}


def device(number, **properties):
    """The card behind a root port, as -device takes it."""
    options = [f"{name}={value}" for name, value in dashed(properties).items()]
    return ",".join(["loom", f"id=card{number}", f"bus=port{number}", *options])


class Card(pci.Function):
    def __init__(self, bench, number):
        self.port = pci.RootPort(bench, number)
        super().__init__(bench, self.port.bus, 0)
        self.number, self.name = number, f"card{number}"
        self.registers = self.port.memory
        self.doorbells = self.port.memory + uapi.LOOM_BAR_REGS_SIZE * 2
        self.hbm = self.port.high
        self.tables = Arena(HBM_FIRST, 2 * HBM_FIRST)
        self.free_hbm = Arena(2 * HBM_FIRST, 16 << 20)
        self.mailbox = bench.ram.take(4 * uapi.LOOM_MAX_VECTORS)

    # What firmware and a driver do before the first job

    def setup(self):
        """Assign the BARs and let the card loose."""
        for number, address in ((uapi.LOOM_BAR_REGS, self.registers),
                                (uapi.LOOM_BAR_DOORBELL, self.doorbells)):
            self.config_write(pci.BAR0 + 4 * number, 4, address)
        self.config_write(pci.BAR0 + 4 * uapi.LOOM_BAR_HBM, 8, self.hbm)
        self.set_command(pci.COMMAND_MEMORY | pci.COMMAND_MASTER)

    def enable(self):
        self.write32(uapi.LOOM_REG_CTRL, uapi.LOOM_CTRL_ENABLE)

    def soft_reset(self):
        self.write32(uapi.LOOM_REG_CTRL, uapi.LOOM_CTRL_RESET)

    def alive(self):
        return self.read32(uapi.LOOM_REG_ID) == uapi.LOOM_ID_MAGIC

    # Hotplug

    def unplug(self):
        """Ask for it and, as guest, agree; on return the card is gone."""
        bench = self.machine
        gone = bench.events.count("DEVICE_DELETED")
        self.port.slot_on()
        bench.qmp("device_del", id=self.name)
        self.port.slot_off()
        wait_for("end of the card", lambda: bench.qmp("query-status") and
                 bench.events.count("DEVICE_DELETED") > gone)

    def plug(self, **properties):
        """A new card in the slot; properties as in Bench()."""
        self.machine.qmp("device_add", driver="loom", id=self.name,
                         bus=f"port{self.number}", **dashed(properties))
        self.port.slot_on()
        self.setup()

    # Accesses

    def read32(self, offset):
        return self.machine.read(self.registers + offset, 4)

    def read64(self, offset):
        return self.machine.read(self.registers + offset, 8)

    def write32(self, offset, value):
        self.machine.write(self.registers + offset, 4, value)

    def write64(self, offset, value):
        self.machine.write(self.registers + offset, 8, value)

    def ring(self, queue, tail):
        """The doorbell."""
        self.machine.write(
            self.doorbells + queue * uapi.LOOM_DOORBELL_STRIDE, 4, tail)

    def property(self, name):
        return self.machine.qmp("qom-get", path=self.name, property=name)

    # Interrupts: a vector is the address of a word in RAM

    def enable_msix(self, flags=pci.MSIX_ENABLE):
        for vector in range(self.read32(uapi.LOOM_REG_NUM_VECTORS)):
            entry = self.msix_entry(vector)
            self.write64(entry, self.mailbox + 4 * vector)
            self.write32(entry + 8, vector + 1)
            self.write32(entry + 12, 0)
        self.set_msix(flags)
        self.clear_interrupts()

    def set_msix(self, flags):
        self.config_write(self.capabilities()[pci.MSIX] + pci.MSIX_CONTROL, 2,
                          flags)

    @staticmethod
    def msix_entry(vector):
        return uapi.LOOM_MSIX_TABLE_OFFSET + pci.MSIX_ENTRY * vector

    def mask(self, vector, masked):
        self.write32(self.msix_entry(vector) + 12, int(masked))

    def pending(self, vector):
        """The vector's bit in the table of pending interrupts."""
        bits = self.read64(uapi.LOOM_MSIX_PBA_OFFSET)
        return bool(bits >> vector & 1)

    def clear_interrupts(self):
        self.machine.fill(self.mailbox, 4 * uapi.LOOM_MAX_VECTORS, 0)

    def interrupted(self, vector):
        """Has the vector been raised since clear_interrupts()?"""
        return self.machine.read(self.mailbox + 4 * vector, 4) == vector + 1

    def wait_interrupt(self, vector):
        wait_for(f"interrupt {vector}", lambda: self.interrupted(vector))

    # Work

    def space(self, context=0):
        return Space(self, context)

    def queue(self, number=0, **options):
        return Queue(self, number, **options)


class Space:
    """An address space of the card: the page table of one context."""

    def __init__(self, card, context):
        self.card, self.context = card, context
        self.arena = Arena(VA_FIRST, 1 << uapi.LOOM_VA_BITS)
        self.tables, self.entries = {}, {}
        self.root = self.table(())
        self.install()

    def install(self):
        """Again after a reset; the tables are in HBM and survive it."""
        self.card.write64(uapi.LOOM_REG_CTX_ROOT(self.context),
                          self.root | uapi.LOOM_CTX_ROOT_VALID)

    def rebuild(self):
        """Again for another card, whose HBM is empty."""
        entries, self.entries = self.entries, {}
        for table in self.tables.values():
            self.clear(table)
        for (table, index), entry in entries.items():
            self.write(table, index, entry)

    def table(self, path):
        """The table that is reached by these indices from the root."""
        if path not in self.tables:
            table = self.card.tables.take(uapi.LOOM_PAGE_SIZE)
            self.clear(table)
            self.tables[path] = table
            if path:
                self.write(self.table(path[:-1]), path[-1], table)
        return self.tables[path]

    def clear(self, table):
        self.card.machine.fill(self.card.hbm + table, uapi.LOOM_PAGE_SIZE, 0)

    def write(self, table, index, entry):
        self.entries[table, index] = entry
        self.card.machine.write(self.card.hbm + table + 8 * index, 8,
                                entry | uapi.LOOM_PTE_VALID)

    def set_entry(self, va, level, entry):
        path = [va >> uapi.LOOM_PT_SHIFT(n) & uapi.LOOM_PT_ENTRIES - 1
                for n in range(uapi.LOOM_PT_LEVELS - 1, level - 1, -1)]
        self.write(self.table(tuple(path[:-1])), path[-1], entry)

    def map(self, kind, address, size, write=True):
        """Map whole pages somewhere; returns the device virtual address."""
        va = self.arena.take(size)
        flags = kind << uapi.LOOM_PTE_KIND_SHIFT | write * uapi.LOOM_PTE_WRITE
        for offset in range(0, size, uapi.LOOM_PAGE_SIZE):
            self.set_entry(va + offset, 0, address + offset | flags)
        return va

    def map_huge(self, kind, address):
        """Map 2 MiB."""
        va = self.arena.take(uapi.LOOM_HUGE_SIZE, uapi.LOOM_HUGE_SIZE)
        flags = (kind << uapi.LOOM_PTE_KIND_SHIFT | uapi.LOOM_PTE_WRITE |
                 uapi.LOOM_PTE_LEAF)
        self.set_entry(va, 1, address | flags)
        return va

    def map_system(self, address, size=uapi.LOOM_PAGE_SIZE):
        return self.map(uapi.LOOM_KIND_SYSTEM, address, size)

    def map_hbm(self, size=uapi.LOOM_PAGE_SIZE):
        """Fresh HBM; returns its address here and its offset in HBM."""
        offset = self.card.free_hbm.take(size)
        return self.map(uapi.LOOM_KIND_HBM, offset, size), offset

    def place(self, commands):
        """Put commands in system memory; returns the job for submit()."""
        bench = self.card.machine
        size = -(-len(commands) // uapi.LOOM_PAGE_SIZE) * uapi.LOOM_PAGE_SIZE
        address = bench.ram.take(size)
        bench.write_bytes(address, commands)
        return self.map_system(address, size), len(commands)


class Queue:
    """A hardware queue, with its ring and its completions in RAM."""

    def __init__(self, card, number, log2=4, ring=None, completions=None):
        take = card.machine.ram.take
        self.card, self.number, self.log2 = card, number, log2
        size = uapi.LOOM_PAGE_SIZE
        self.ring = take(size) if ring is None else ring
        self.completions = take(size) if completions is None else completions
        self.tail = 0

    def offset(self, register):
        return uapi.LOOM_REG_QUEUE(self.number, register)

    def get(self, register):
        return self.card.read32(self.offset(register))

    def set(self, register, value):
        self.card.write32(self.offset(register), value)

    def state(self):
        return self.get(uapi.LOOM_QUEUE_STATE)

    def error(self):
        return self.get(uapi.LOOM_QUEUE_ERROR)

    def start(self, context=0, vector=QUEUE_VECTOR, priority=0):
        """Enable the card and, from index 0, the queue."""
        self.reset()
        self.tail = 0
        self.card.machine.fill(self.completions,
                               uapi.loom_completion.size << self.log2, 0)
        self.card.enable()
        self.card.write64(self.offset(uapi.LOOM_QUEUE_RING_BASE), self.ring)
        self.card.write64(self.offset(uapi.LOOM_QUEUE_COMPL_BASE),
                          self.completions)
        self.set(uapi.LOOM_QUEUE_RING_SIZE_LOG2, self.log2)
        self.set(uapi.LOOM_QUEUE_CTX, context)
        self.set(uapi.LOOM_QUEUE_VECTOR, vector)
        self.set(uapi.LOOM_QUEUE_PRIORITY, priority)
        self.set(uapi.LOOM_QUEUE_CTRL, uapi.LOOM_QUEUE_CTRL_ENABLE)
        assert self.state() == uapi.LOOM_QUEUE_STATE_IDLE

    def reset(self):
        self.set(uapi.LOOM_QUEUE_CTRL, uapi.LOOM_QUEUE_CTRL_RESET)

    def slot(self, base, record, number):
        return base + record.size * (number % (1 << self.log2))

    def submit(self, job, flags=uapi.LOOM_RING_F_IRQ, count=1):
        """Put a job in the ring, count times, and ring; returns the number of
        the last."""
        va, size = job
        record = uapi.loom_ring_entry
        for number in range(self.tail, self.tail + count):
            self.card.machine.write_bytes(
                self.slot(self.ring, record, number),
                record.pack(type=uapi.LOOM_RING_EXEC, flags=flags, cmd_va=va,
                            cmd_size=size, seq=self.seq(number)))
        self.tail += count
        self.card.ring(self.number, self.tail)
        return self.tail - 1

    def seq(self, number):
        return self.number << 32 | number + 1

    def completion(self, number):
        """The completion record of a job, or None."""
        record = uapi.loom_completion
        done = record.unpack(self.card.machine.read_bytes(
            self.slot(self.completions, record, number), record.size))
        return done if done.seq == self.seq(number) else None

    def wait(self, number):
        return wait_for(f"completion {number} of queue {self.number}",
                        lambda: self.completion(number))

    def wait_state(self, state):
        wait_for(f"state {state} of queue {self.number}",
                 lambda: self.state() == state)

    def run(self, job):
        """Submit one job; returns its error."""
        return self.wait(self.submit(job)).error

    def fails_with(self, job, error):
        """Submit one job that stops the queue; start the queue again."""
        self.submit(job)
        self.wait_state(uapi.LOOM_QUEUE_STATE_ERROR)
        found = self.error()
        self.reset()
        assert found == error, f"error {found}, not {error}"


# Commands

def command(record, opcode, **values):
    return record.pack(opcode=opcode, version=uapi.LOOM_ISA_VERSION,
                       size64=record.size // uapi.LOOM_CMD_ALIGN, **values)


def nop():
    return command(uapi.loom_cmd_nop, uapi.LOOM_OP_NOP)


def event(operation, number, value):
    return command(uapi.loom_cmd_event, uapi.LOOM_OP_EVENT, op=operation,
                   event=number, value=value)


def fill(va, words, value):
    """Fill with a 32-bit value."""
    return command(uapi.loom_cmd_copy, uapi.LOOM_OP_COPY,
                   mode=uapi.LOOM_COPY_FILL, dst_type=uapi.LOOM_TYPE_I32,
                   dim=(words, 1, 1, 1), dst=va, dst_stride=(4, 0, 0, 0),
                   fill=value)


def copy(destination, source, size):
    """Copy bytes."""
    strides = (1, 0, 0, 0)
    return command(uapi.loom_cmd_copy, uapi.LOOM_OP_COPY,
                   mode=uapi.LOOM_COPY_COPY, src_type=uapi.LOOM_TYPE_U8,
                   dst_type=uapi.LOOM_TYPE_U8, dim=(size, 1, 1, 1),
                   src=source, dst=destination, src_stride=strides,
                   dst_stride=strides)


class Load:
    """Queues that are busy for longer than a test takes to interfere: fills
    of HBM, copies to RAM and a wait that never ends."""

    FILLS = 600                 # of 2 MiB each, in each job

    def __init__(self, card, queues=4, jobs=15):
        self.card, self.jobs = card, jobs
        self.space = card.space()
        self.queues = [card.queue(number) for number in range(queues)]
        self.work = [self.space.place(self.commands()) for _ in self.queues]
        self.work[-1] = self.space.place(
            event(uapi.LOOM_EVENT_OP_WAIT_GE, 1, 1))

    def commands(self):
        size = uapi.LOOM_HUGE_SIZE
        hbm = self.space.map_huge(uapi.LOOM_KIND_HBM, 16 << 20)
        ram = self.space.map_system(self.card.machine.ram.take(size // 8),
                                    size // 8)
        return (fill(hbm, size // 4, 0xffffffff) + copy(ram, hbm, size // 8)
                ) * self.FILLS

    def start(self):
        """From reset; on return the card is at work."""
        before = self.card.property("perf-commands")
        self.card.enable_msix()
        self.space.install()
        for queue in self.queues:
            queue.start()
        for queue, job in zip(self.queues, self.work):
            queue.submit(job, count=self.jobs)
        wait_for("work", lambda:
                 self.card.property("perf-commands") > before)

    def busy(self):
        """Is there still work, but for the wait?"""
        return any(queue.completion(self.jobs - 1) is None
                   for queue in self.queues[:-1])

    def quiet(self):
        """Have no completions been written, and are none now?"""
        return not any(queue.completion(number) for queue in self.queues
                       for number in range(self.jobs))

    def works(self):
        """A job on each queue, from reset."""
        job = self.space.place(nop() * 16)
        self.space.install()
        for queue in self.queues:
            queue.start()
            assert queue.run(job) == uapi.LOOM_ERR_NONE
