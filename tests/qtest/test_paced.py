#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""timing=paced: completions and interrupts at their modelled time.

The virtual clock stands still until a test moves it.
"""

import json
import os
import tempfile
import time

import tap
import uapi
from card import QUEUE_VECTOR, WORKERS, Bench, fill, root_port
from qtest import QmpError, wait_for
from tap import test

COUNTERS = ("array", "vector", "copy", "hbm", "pcie", "front", "idle")
CLOCK_KHZ = 1400000
MILLISECOND = 1000000
SIZE = 1 << 16


def step(bench, ns):
    bench.command(f"clock_step {ns}")


def later(bench, condition, step_ns=100):
    """Step the clock until a condition holds."""
    def holds():
        if condition():
            return True
        step(bench, step_ns)
        return False
    wait_for("what the clock should bring", holds)


def prepare(bench, **options):
    card, = bench.cards
    card.enable_msix()
    space, queue = card.space(), card.queue(**options)
    va, _ = space.map_hbm(SIZE)
    job = space.place(fill(va, SIZE // 4, 1) * 20)
    queue.start()
    return card, queue, job


def rows_add_up(card):
    rows = sum(card.property(f"perf-cycles-{name}") for name in COUNTERS)
    return rows == card.property("perf-cycles-total")


@test
def completion_and_interrupt_come_with_the_clock():
    for workers in WORKERS:
        with Bench(workers=workers, timing="paced") as bench:
            card, queue, job = prepare(bench)
            assert card.read32(uapi.LOOM_REG_FEATURES) & uapi.LOOM_FEATURE_PACED
            step(bench, MILLISECOND)
            submitted = card.read64(uapi.LOOM_REG_TIME)
            assert submitted == CLOCK_KHZ
            number = queue.submit(job)
            time.sleep(0.05)
            assert queue.completion(number) is None
            assert not card.interrupted(QUEUE_VECTOR)
            assert queue.state() == uapi.LOOM_QUEUE_STATE_RUNNING
            later(bench, lambda: queue.completion(number))
            card.wait_interrupt(QUEUE_VECTOR)
            done = queue.completion(number)
            assert done.error == uapi.LOOM_ERR_NONE
            assert done.start == submitted
            assert submitted < done.end <= card.read64(uapi.LOOM_REG_TIME)
            assert rows_add_up(card)
            assert card.property("perf-cycles-idle") >= submitted


@test
def modelled_times_do_not_depend_on_workers():
    seen = set()
    for workers in WORKERS:
        with Bench(workers=workers, timing="paced") as bench:
            card, queue, job = prepare(bench)
            for number in range(5):
                queue.submit(job)
                step(bench, 500)
            later(bench, lambda: queue.completion(number))
            seen.add(tuple((queue.completion(n).start, queue.completion(n).end)
                           for n in range(5)))
    assert len(seen) == 1, seen


@test
def time_scale_slows_the_card_down():
    with Bench(timing="paced", time_scale=1000) as bench:
        card, queue, job = prepare(bench)
        number = queue.submit(job)
        time.sleep(0.05)
        step(bench, MILLISECOND)
        assert card.read64(uapi.LOOM_REG_TIME) == CLOCK_KHZ // 1000
        assert queue.completion(number) is None
        later(bench, lambda: queue.completion(number), 100000)


def drops_what_is_pending(interfere):
    """A completion waits for the clock; after this it never comes."""
    with Bench(timing="paced") as bench:
        card, queue, job = prepare(bench)
        queue.submit(job)
        time.sleep(0.05)
        step(bench, 700)
        interfere(card, queue)
        step(bench, 10 * MILLISECOND)
        assert queue.completion(0) is None
        card.setup()
        card.enable_msix()
        queue.card.space().install()
        queue.start()
        number = queue.submit(job)
        later(bench, lambda: queue.completion(number))
        assert rows_add_up(card)


@test
def queue_reset_drops_a_pending_completion():
    drops_what_is_pending(lambda card, queue: queue.reset())


@test
def soft_reset_drops_a_pending_completion():
    drops_what_is_pending(lambda card, queue: card.soft_reset())


@test
def function_level_reset_drops_a_pending_completion():
    drops_what_is_pending(lambda card, queue: card.function_reset())


@test
def unplug_with_a_pending_completion_is_clean():
    with Bench(timing="paced") as bench:
        card, queue, job = prepare(bench)
        queue.submit(job)
        time.sleep(0.05)
        card.unplug()
        step(bench, 10 * MILLISECOND)
        assert queue.completion(0) is None
        card.plug(timing="paced")
        assert card.alive()


@test
def trace_file_is_json_and_its_sums_are_the_counters():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "trace.json")
        with Bench(timing="paced", trace_file=path) as bench:
            card, queue, job = prepare(bench)
            for number in range(4):
                queue.submit(job)
            later(bench, lambda: queue.completion(number))
            counters = [card.property(f"perf-cycles-{name}")
                        for name in COUNTERS[:-1]]
        with open(path, encoding="utf-8") as file:
            events = json.load(file)
    slices = [e for e in events if e["ph"] == "X" and e["pid"] == 1]
    sums = [sum(e["args"]["cycles"] for e in slices if e["tid"] == tid)
            for tid in range(1, len(COUNTERS))]
    assert sums == counters, (sums, counters)
    assert sum(e["name"] == "job" for e in events) == 4


@test
def bad_values_are_refused_with_the_good_ones():
    with Bench("-device", root_port(1)) as bench:
        for name, value, text in (
                ("timing", "fast", "timing is 'fast'; it must be free or paced"),
                ("dataflow", "is", "dataflow is 'is'; it must be ws or os"),
                ("time-scale", 0, "time-scale is 0; it must be a number from 1 to 1000"),
                ("trace-file", "/no/where", "cannot write trace-file '/no/where': "
                                            "No such file or directory")):
            try:
                bench.qmp("device_add", driver="loom", id="refused", bus="port1",
                          **{name: value})
            except QmpError as error:
                assert text in str(error), error
            else:
                raise AssertionError(f"{name}={value} was not refused")


if __name__ == "__main__":
    tap.main()
