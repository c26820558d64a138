#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Count what a submit costs: guest instructions, accesses to the card, interrupts.

Boots a VM with one processor and -icount, runs build/bin/bench-cost in it and
reads QEMU's trace.  Prints TAP, one line per bar; --json adds the figures to
build/bench.json.
"""

import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RESULTS = "build/bench.json"

# Name, unit, most that is good enough (None: for comparison).  Of the instructions
# 1430 for each of the two calls are what any ioctl costs there, see reference/get-cap.
BARS = (
    ("submit/instructions", "instructions", 3500),
    ("submit-wait/instructions", "instructions", 8000),
    ("submit/mmio-writes", "per submit", 1),
    ("submit/mmio-reads", "per submit", 0),
    ("submit/msi", "per submit", 1),
    ("submit-batch32/mmio-writes", "per submit", 1),
    ("submit-batch32/msi", "per submit", 1),
    ("submit-batch32/instructions", "instructions", None),
    ("reference/get-cap", "instructions", None),
    ("reference/vgem-fence", "instructions", None),
    ("reference/null-blk", "instructions", None),
    ("reference/nvme-qd1", "instructions", None),
)

# A submit with its wait is also what the accesses of a submit are counted of.
PHASES = {1: "submit", 2: "submit-batch32"}
EVENTS = {"loom_mmio_write": "mmio-writes", "loom_doorbell": "mmio-writes",
          "loom_mmio_read": "mmio-reads", "loom_irq": "msi"}
# The card's interrupt comes after the instructions that the card takes, not when the host
# has got round to it: otherwise the same wait is 7830 in one boot and 9240 in the next.
PACED = "workers=0,timing=paced"
MARK = re.compile(r"loom_mmio_write \S+ offset 0x0108 value 0x([0-9a-f]+)")


def run_guest(trace):
    """Boot, measure, return the lines that the guest program printed."""
    command = ["tools/loom-vm", "--cpus", "1", "--timeout", "500",
               "--append", "iomem=relaxed mitigations=off",
               "--device-opts", PACED,
               "--qemu-arg=-icount", "--qemu-arg=shift=0",
               "--qemu-arg=-blockdev", "--qemu-arg=null-co,node-name=disk,size=67108864,read-zeroes=on",
               "--qemu-arg=-device", "--qemu-arg=nvme,drive=disk,serial=1"]
    for event in EVENTS:
        command.append("--qemu-arg=-trace")
        command.append(f"--qemu-arg=enable={event},file={trace}")
    command += ["--", "sh", "-c",
                "modprobe -q vgem; modprobe -q null_blk nr_devices=1; "
                "modprobe -q nvme; "
                "for i in $(seq 50); do [ -b /dev/nvme0n1 ] && break; sleep 0.1; done; "
                "build/bin/bench-cost"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, check=True).stdout.split("\n")


def count_events(trace, rounds):
    """What the card saw in each phase, per operation."""
    counts, phase = collections.Counter(), None
    with open(trace, errors="replace") as lines:
        for line in lines:
            mark = MARK.search(line)
            if mark:
                phase = PHASES.get(int(mark.group(1), 16))
            elif phase:
                for event, what in EVENTS.items():
                    counts[f"{phase}/{what}"] += f"{event} " in line
    return {f"{phase}/{what}": counts[f"{phase}/{what}"] / rounds
            for phase in PHASES.values() for what in EVENTS.values()}


def measure():
    """All figures by name."""
    with tempfile.TemporaryDirectory() as tmp:
        trace = os.path.join(tmp, "trace")
        lines = run_guest(trace)
        values = {name: int(value) for name, value in
                  (line.split() for line in lines if line.count(" ") == 1)}
        figures = count_events(trace, values.pop("rounds"))
    for name, value in values.items():
        figures[name if "/" in name else name + "/instructions"] = value
    return figures


def report(figures):
    """TAP; returns the number of bars that were missed."""
    missed = 0
    print(f"TAP version 13\n1..{len(BARS)}")
    for number, (name, unit, bar) in enumerate(BARS, 1):
        value = figures.get(name)
        if value is None:
            print(f"ok {number} {name} # SKIP this VM does not have what it compares with")
            continue
        good = bar is None or value <= bar
        missed += not good
        limit = "" if bar is None else f" (at most {bar})"
        print(f"# {name}: {value:g} {unit}{limit}")
        print(("ok" if good else "not ok") + f" {number} {name}")
    return missed


def save(figures):
    """Add the figures to what tests/bench/bench wrote."""
    try:
        with open(RESULTS) as old:
            results = [r for r in json.load(old) if r["name"] not in figures]
    except (OSError, ValueError):
        results = []
    results += [{"name": name, "unit": unit, "value": figures[name], "most": bar}
                for name, unit, bar in BARS if name in figures]
    with open(RESULTS, "w") as new:
        json.dump(results, new, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help=f"also write {RESULTS}")
    args = parser.parse_args()
    os.chdir(TOP)
    figures = measure()
    missed = report(figures)
    if args.json:
        save(figures)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
