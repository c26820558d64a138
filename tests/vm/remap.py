#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""In the guest of test-remap.sh: one processor maps and unmaps, the other one sleeps.

A short sleep is an interrupt of the processor's own timer and some accesses to its
APIC.  An access that goes astray ends them all.
"""

import glob
import os
import threading
import time

SECONDS = 15
COMMAND = 4             # offset in configuration space
MEMORY = b"\x02\x00"
NOTHING = b"\x00\x00"


def sleep_often(end, count):
    os.sched_setaffinity(0, {1})
    while time.monotonic() < end:
        time.sleep(0.0002)
        count[0] += 1


def map_often(card, end):
    os.sched_setaffinity(0, {0})
    config = os.open(card + "/config", os.O_RDWR)
    times = 0
    while time.monotonic() < end:
        for value in MEMORY, NOTHING:
            os.pwrite(config, value, COMMAND)
        times += 1
    return times


def main():
    card = next(os.path.dirname(path) for path in glob.glob("/sys/bus/pci/devices/*/vendor")
                if open(path).read() == "0x1234\n")
    end = time.monotonic() + SECONDS
    sleeps = [0]
    sleeper = threading.Thread(target=sleep_often, args=(end, sleeps))
    sleeper.start()
    times = map_often(card, end)
    sleeper.join()
    print("TAP version 13\n1..1")
    print(f"# mapped {times} times, slept {sleeps[0]} times")
    good = times > 1000 and sleeps[0] > 1000
    print(("ok" if good else "not ok") + " 1 interrupts_arrive_while_bars_are_mapped")
    return not good


raise SystemExit(main())
