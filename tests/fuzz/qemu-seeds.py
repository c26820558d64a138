#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""First inputs for QEMU's fuzzer: a driver that starts a queue and submits.

They were written to tests/fuzz/corpus/qemu once; libFuzzer builds on them.

usage: qemu-seeds.py FOLDER
"""

import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "qtest"))
import uapi                                 # noqa: E402
from card import copy, event, fill, nop     # noqa: E402

# tests/qtest/fuzz/generic_fuzz.c of QEMU
SEPARATOR = b"FUZZ"
OP_READ, OP_WRITE, OP_PCI_WRITE, OP_PATTERN = 2, 3, 5, 7
LONG, QUAD = 2, 3
# The fuzzable regions in the order of their addresses
REGISTERS, MSIX, PBA, DOORBELLS = range(4)
# As qemu-hbm.py maps them
HBM_VA, SYSTEM_VA, SRAM_VA = 0, 16 << 20, 32 << 20
RING, RECORDS, EVENTS, COMMANDS = (n << 20 for n in (1, 2, 3, 4))


def write(offset, value, size=LONG, region=REGISTERS):
    return struct.pack("<BBBxxIQ", OP_WRITE, size, region, offset, value)


def pattern(data):
    """What the card's next read of RAM finds."""
    return struct.pack("<BBB", OP_PATTERN, 0, 0) + data


def queue(number, register, value, size=LONG):
    return write(uapi.LOOM_REG_QUEUE(number, register), value, size)


def start(number=0):
    yield write(uapi.LOOM_REG_CTX_ROOT(0), uapi.LOOM_CTX_ROOT_VALID, QUAD)
    yield write(uapi.LOOM_REG_EVENT_BASE, EVENTS, QUAD)
    yield write(uapi.LOOM_REG_EVENT_SIZE_LOG2, 3)
    yield queue(number, uapi.LOOM_QUEUE_RING_BASE, RING, QUAD)
    yield queue(number, uapi.LOOM_QUEUE_COMPL_BASE, RECORDS, QUAD)
    yield queue(number, uapi.LOOM_QUEUE_RING_SIZE_LOG2, 3)
    yield queue(number, uapi.LOOM_QUEUE_VECTOR, 1)
    yield queue(number, uapi.LOOM_QUEUE_CTRL, uapi.LOOM_QUEUE_CTRL_ENABLE)
    yield write(uapi.LOOM_REG_CTRL, uapi.LOOM_CTRL_ENABLE)


def submit(commands, number=0):
    yield pattern(uapi.loom_ring_entry.pack(
        type=uapi.LOOM_RING_EXEC, flags=uapi.LOOM_RING_F_IRQ,
        cmd_va=SYSTEM_VA + COMMANDS, cmd_size=len(commands), seq=1))
    yield pattern(commands)
    yield write(number * uapi.LOOM_DOORBELL_STRIDE, 1, LONG, DOORBELLS)


SEEDS = {
    "nop": (*start(), *submit(nop())),
    "copies": (*start(), *submit(
        fill(SRAM_VA, 1000, 7) + copy(SYSTEM_VA, SRAM_VA, 5000) +
        copy(HBM_VA + (8 << 20), SYSTEM_VA + 100, 9000))),
    "wait": (*start(1), *submit(event(uapi.LOOM_EVENT_OP_WAIT_GE, 1, 1), 1),
             queue(1, uapi.LOOM_QUEUE_CTRL, uapi.LOOM_QUEUE_CTRL_RESET),
             write(uapi.LOOM_REG_TLB_INVALIDATE, 0)),
    "interrupt": (write(0, 0xfee00000, QUAD, MSIX),
                  write(12, 0, LONG, MSIX),
                  write(uapi.LOOM_REG_IRQ_TEST, 0)),
    "reset": (*start(), write(uapi.LOOM_REG_CTRL, uapi.LOOM_CTRL_RESET),
              struct.pack("<BBBBxI", OP_PCI_WRITE, 1, 0, 0x88, 0x8000)),
}


def main(folder):
    os.makedirs(folder, exist_ok=True)
    for name, operations in SEEDS.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(SEPARATOR.join(operations))


if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
    sys.exit(__doc__)
main(sys.argv[1])
