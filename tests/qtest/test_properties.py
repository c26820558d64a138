#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Properties of the device: their limits, and what QEMU says beyond them."""

import subprocess

import tap
import uapi
from card import Bench, fill, nop, root_port
from qtest import QmpError, binary
from tap import test

MIB, GIB = 1 << 20, 1 << 30
NUMBER, STEPS, POWER = "a number", "a multiple of 2 MiB", "a power of two"
MAX_WORKERS = 64
LIMITS = {
    "hbm-size": (STEPS, 16 * MIB, 64 * GIB),
    "sram-size": (STEPS, 2 * MIB, GIB),
    "num-arrays": (NUMBER, 1, 64),
    "array-rows": (POWER, 8, 512),
    "array-cols": (POWER, 8, 512),
    "clock-khz": (NUMBER, 1000, 10000000),
    "vector-lanes": (NUMBER, 16, 65536),
    "hbm-channels": (NUMBER, 1, 256),
    "hbm-channel-mbps": (NUMBER, 1, 1000000),
    "pcie-mbps": (NUMBER, 1, 1000000),
    "num-queues": (NUMBER, 1, uapi.LOOM_MAX_QUEUES),
    "num-contexts": (NUMBER, 1, uapi.LOOM_MAX_CONTEXTS),
    "num-vectors": (NUMBER, 1, uapi.LOOM_MAX_VECTORS),
    "static-mw": (NUMBER, 0, 1000000),
    "mac-fj": (NUMBER, 0, 1000000),
    "vector-op-fj": (NUMBER, 0, 1000000),
    "hbm-byte-fj": (NUMBER, 0, 1000000),
    "pcie-byte-fj": (NUMBER, 0, 1000000),
    "ambient-mc": (NUMBER, 0, 100000),
    "thermal-mc-per-w": (NUMBER, 0, 10000),
    "thermal-tau-us": (NUMBER, 1, 60000000),
    "temp-crit-mc": (NUMBER, 1, 200000),
}


def refused_values(kind, low, high):
    yield from (value for value in (0, low - 1, high + 1)
                if 0 <= value and not low <= value <= high)
    if kind == STEPS:
        yield from (low + 1, low + MIB, high - 4096, high + 2 * MIB)
    if kind == POWER:
        yield from (low + 1, high - 1, 2 * high)


def refusal(bench, **properties):
    try:
        bench.qmp("device_add", driver="loom", id="refused", **properties)
    except QmpError as error:
        return str(error)
    raise AssertionError(f"{properties} was not refused")


def failed_start(*arguments):
    """What QEMU says when it does not start with these arguments."""
    result = subprocess.run(
        [binary(), "-M", "q35", "-accel", "qtest", "-display", "none",
         "-nodefaults", *arguments], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    return Bench.harmful(result.stderr.splitlines(True))


def runs_a_job(bench):
    card, = bench.cards
    queue = card.queue()
    job = card.space().place(nop())
    queue.start(vector=0)
    return queue.run(job) == uapi.LOOM_ERR_NONE


@test
def values_beyond_a_limit_are_refused_with_the_limits():
    with Bench("-device", root_port(1)) as bench:
        for name, (kind, low, high) in LIMITS.items():
            for value in refused_values(kind, low, high):
                message = refusal(bench, bus="port1", **{name: value})
                assert message == (f"{name} is {value}; it must be {kind} "
                                   f"from {low} to {high}"), message
        assert runs_a_job(bench)


@test
def workers_beyond_the_limit_are_refused():
    with Bench("-device", root_port(1)) as bench:
        for value in (MAX_WORKERS + 1, 0xffffffff):
            assert refusal(bench, bus="port1", workers=value) == (
                f"workers is {value}; it must be 0 to {MAX_WORKERS}")


@test
def values_at_a_limit_make_a_card_that_works():
    for index in (0, 1):
        values = {name.replace("-", "_"): limit[1 + index]
                  for name, limit in LIMITS.items()}
        # One that is too hot does not work.
        values.update(ambient_mc=0, thermal_mc_per_w=0)
        if index:
            # As much memory as the largest card has is not to be had.
            values.update(hbm_size=48 * MIB, sram_size=62 * MIB,
                          workers=MAX_WORKERS)
        with Bench(**values) as bench:
            assert runs_a_job(bench)


@test
def hbm_of_64_gib_works_to_its_last_byte():
    backend = f"memory-backend-memfd,id=hbm0,size={64 * GIB}"
    with Bench("-object", backend, hbm="hbm0") as bench:
        card, = bench.cards
        assert card.read64(uapi.LOOM_REG_HBM_SIZE) == 64 * GIB
        last = 64 * GIB - uapi.LOOM_PAGE_SIZE
        space, queue = card.space(), card.queue()
        va = space.map(uapi.LOOM_KIND_HBM, last, uapi.LOOM_PAGE_SIZE)
        queue.start()
        words = uapi.LOOM_PAGE_SIZE // 4
        assert queue.run(space.place(fill(va, words, 0x42424242))) == 0
        assert bench.read_bytes(card.hbm + last, 4 * words) == b"B" * 4 * words


@test
def memory_backend_of_a_bad_size_is_refused_with_the_limits():
    with Bench("-device", root_port(1), "-object",
               "memory-backend-ram,id=odd,size=17M") as bench:
        assert refusal(bench, bus="port1", hbm="odd") == (
            f"hbm-size is {17 * MIB}; it must be {STEPS} from {16 * MIB} to "
            f"{64 * GIB}")
        assert "nosuch" in refusal(bench, bus="port1", hbm="nosuch")


@test
def conventional_bus_is_refused_with_advice():
    message = failed_start("-device", "pcie-pci-bridge,id=old",
                           "-device", "loom,bus=old,addr=1")
    assert message.endswith(
        "loom needs a PCI Express bus: use -machine q35 and a pcie-root-port\n")


@test
def bad_value_on_the_command_line_ends_qemu_with_the_reason():
    message = failed_start("-device", "loom,num-queues=0")
    assert message.endswith(
        "loom,num-queues=0: num-queues is 0; it must be a number from 1 to "
        f"{uapi.LOOM_MAX_QUEUES}\n")
    assert message.count("\n") == 1


@test
def properties_of_the_device_are_all_in_its_help():
    text = subprocess.run([binary(), "-device", "loom,help"], text=True,
                          capture_output=True, check=True).stdout
    for name in (*LIMITS, "hbm", "serial", "workers", "bar-size", "inject"):
        assert f"  {name}=" in text, name


if __name__ == "__main__":
    tap.main()
