#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Jobs, from the ring to the completion record."""

import tap
import uapi
from card import WORKERS, Bench, copy, event, nop
from qtest import wait_for
from tap import test

EVENT_RING_LOG2 = 4
PATTERN = bytes(range(251)) * 60
BAD_OPCODE = b"\xff" + bytes(uapi.LOOM_CMD_ALIGN - 1)


def event_ring(card):
    """Give the card an event ring; returns its address."""
    ring = card.machine.ram.take(uapi.loom_event.size << EVENT_RING_LOG2)
    card.write64(uapi.LOOM_REG_EVENT_BASE, ring)
    card.write32(uapi.LOOM_REG_EVENT_SIZE_LOG2, EVENT_RING_LOG2)
    return ring


def wait_event(card, address):
    def arrived():
        record = uapi.loom_event.unpack(
            card.machine.read_bytes(address, uapi.loom_event.size))
        return record if record.seq else None
    return wait_for("event", arrived)


@test
def jobs_forty_in_a_row_complete():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            queue = card.queue()
            va, _ = card.space().place(nop() * 40)
            queue.start()
            for n in range(40):
                done = queue.wait(queue.submit((va, len(nop()) * (n + 1))))
                assert done.error == uapi.LOOM_ERR_NONE
                assert done.end > done.start
            assert queue.get(uapi.LOOM_QUEUE_HEAD) == 40
            assert queue.get(uapi.LOOM_QUEUE_TAIL) == 40


@test
def jobs_on_all_queues_at_once_complete():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            job = card.space().place(nop() * 32)
            queues = [card.queue(n) for n in range(uapi.LOOM_MAX_QUEUES)]
            for queue in queues:
                queue.start(vector=1 + queue.number % 32,
                            priority=queue.number % 4)
            for queue in queues * 10:
                queue.submit(job)
            for queue in queues:
                assert queue.wait(9).error == uapi.LOOM_ERR_NONE


@test
def copies_between_ram_and_hbm_move_the_bytes():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            space, queue = card.space(), card.queue()
            size = 4 * uapi.LOOM_PAGE_SIZE
            source, target = bench.ram.take(size), bench.ram.take(size)
            hbm, offset = space.map_hbm(size)
            bench.write_bytes(source + 7, PATTERN)
            queue.start()
            assert queue.run(space.place(
                copy(hbm + 3, space.map_system(source, size) + 7, len(PATTERN)) +
                copy(space.map_system(target, size) + 1, hbm + 3, len(PATTERN))
            )) == uapi.LOOM_ERR_NONE
            assert bench.read_bytes(card.hbm + offset + 3, len(PATTERN)) == PATTERN
            assert bench.read_bytes(target + 1, len(PATTERN)) == PATTERN


@test
def job_with_a_bad_command_is_reported_everywhere():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            card.enable_msix()
            queue = card.queue(5)
            job = card.space(context=3).place(nop() * 2 + BAD_OPCODE)
            events = event_ring(card)
            queue.start(context=3, vector=9)
            done = queue.wait(queue.submit(job))
            assert done.error == uapi.LOOM_ERR_CMD_OPCODE
            assert done.cmd_index == 2
            assert done.cmd_offset == 2 * len(nop())
            told = wait_event(card, events)
            assert told.type == uapi.LOOM_EVENT_QUEUE_ERROR
            assert (told.queue, told.context) == (5, 3)
            assert told.error == uapi.LOOM_ERR_CMD_OPCODE
            card.wait_interrupt(0)
            card.wait_interrupt(9)
            assert queue.state() == uapi.LOOM_QUEUE_STATE_ERROR
            assert card.property("perf-faults") == 1


@test
def queue_in_error_after_its_reset_runs_again():
    with Bench() as bench:
        card, = bench.cards
        space, queue = card.space(), card.queue()
        queue.start()
        queue.fails_with(space.place(BAD_OPCODE), uapi.LOOM_ERR_CMD_OPCODE)
        assert queue.state() == uapi.LOOM_QUEUE_STATE_DISABLED
        queue.start()
        assert queue.run(space.place(nop())) == uapi.LOOM_ERR_NONE


@test
def queue_with_an_error_does_not_stop_the_others():
    with Bench() as bench:
        card, = bench.cards
        space = card.space()
        bad, good = card.queue(0), card.queue(1)
        bad.start()
        good.start()
        bad.fails_with(space.place(BAD_OPCODE), uapi.LOOM_ERR_CMD_OPCODE)
        assert good.run(space.place(nop())) == uapi.LOOM_ERR_NONE


@test
def job_at_an_unmapped_address_fails():
    with Bench() as bench:
        card, = bench.cards
        card.space()
        queue = card.queue()
        queue.start()
        queue.fails_with((1 << 40, 64), uapi.LOOM_ERR_CMD_FETCH)


@test
def doorbell_beyond_the_ring_stops_the_queue():
    with Bench() as bench:
        card, = bench.cards
        queue = card.queue()
        queue.start()
        card.ring(0, (1 << queue.log2) + 1)
        queue.wait_state(uapi.LOOM_QUEUE_STATE_ERROR)
        assert queue.error() == uapi.LOOM_ERR_DOORBELL


@test
def ring_of_random_bytes_stops_the_queue():
    with Bench() as bench:
        card, = bench.cards
        queue = card.queue()
        bench.write_bytes(queue.ring, PATTERN[:uapi.LOOM_PAGE_SIZE])
        queue.start()
        card.ring(0, 3)
        queue.wait_state(uapi.LOOM_QUEUE_STATE_ERROR)
        assert queue.error() == uapi.LOOM_ERR_RING_ENTRY


@test
def queue_that_waits_is_woken_by_another():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            space = card.space()
            waiter, waker = card.queue(0), card.queue(1)
            waiter.start()
            waker.start()
            waiting = waiter.submit(
                space.place(event(uapi.LOOM_EVENT_OP_WAIT_GE, 7, 2)))
            assert waker.run(space.place(nop())) == uapi.LOOM_ERR_NONE
            assert waiter.completion(waiting) is None
            assert waiter.state() == uapi.LOOM_QUEUE_STATE_RUNNING
            assert waker.run(space.place(
                event(uapi.LOOM_EVENT_OP_ADD, 7, 2))) == uapi.LOOM_ERR_NONE
            assert waiter.wait(waiting).error == uapi.LOOM_ERR_NONE


@test
def counters_of_monitor_and_registers_agree():
    with Bench() as bench:
        card, = bench.cards
        queue = card.queue()
        job = card.space().place(nop() * 3)
        queue.start()
        for _ in range(5):
            queue.run(job)
        card.write32(uapi.LOOM_REG_PERF_CTRL, uapi.LOOM_PERF_CTRL_SNAPSHOT)
        for name, counter, value in (
                ("perf-jobs", uapi.LOOM_PERF_JOBS, 5),
                ("perf-commands", uapi.LOOM_PERF_COMMANDS, 15),
                ("perf-faults", uapi.LOOM_PERF_FAULTS, 0)):
            assert card.read64(uapi.LOOM_REG_PERF(counter)) == value
            assert card.property(name) == value


if __name__ == "__main__":
    tap.main()
