#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""HBM of the card that QEMU's fuzzer plays with, as a sparse file.

The fuzzer cannot write RAM, so the page tables are there from the start, with
the root at offset 0: 16 MiB each of HBM, system memory and SRAM (2 MiB, again
and again) in 2 MiB pages, then the first 2 MiB of system memory in 4 KiB ones.

usage: qemu-hbm.py FILE
"""

import os
import sys

SIZE = 16 << 20
HUGE, PAGE = 2 << 20, 4096
VALID, WRITE, LEAF, KIND_SHIFT = 1, 2, 4, 4
HBM, SRAM, SYSTEM = 0, 1, 2
SRAM_SIZE = HUGE


def entries(table, values):
    """The bytes of a table, at its offset."""
    data = b"".join(value.to_bytes(8, "little") for value in values)
    return table, data


def leaf(kind, address, flags=LEAF):
    return address | kind << KIND_SHIFT | flags | VALID | WRITE


def tables():
    root, upper, middle, small = (PAGE * n for n in range(4))
    pages = [leaf(HBM, n * HUGE) for n in range(8)]
    pages += [leaf(SYSTEM, n * HUGE) for n in range(8)]
    pages += [leaf(SRAM, n * HUGE % SRAM_SIZE) for n in range(8)]
    yield entries(root, [upper | VALID])
    yield entries(upper, [middle | VALID])
    yield entries(middle, pages + [small | VALID])
    yield entries(small, [leaf(SYSTEM, n * PAGE, 0) for n in range(512)])


def main(path):
    with open(path + ".new", "wb") as file:
        file.truncate(SIZE)
        for offset, data in tables():
            file.seek(offset)
            file.write(data)
    os.rename(path + ".new", path)


if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
    sys.exit(__doc__)
main(sys.argv[1])
