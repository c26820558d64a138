#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Cards that come and go while the machine runs."""

import resource

import tap
import uapi
from card import WORKERS, Bench, Load, root_port
from qtest import QmpError
from tap import test

ROUNDS = 4
MIB = 1 << 20


def refusal(card, **properties):
    """The message with which QEMU refuses this card."""
    try:
        card.plug(**properties)
    except QmpError as error:
        return str(error)
    raise AssertionError(f"{properties} was not refused")


@test
def unplug_under_load_and_replug_gives_a_working_card():
    for workers in WORKERS:
        with Bench(workers=workers) as bench:
            card, = bench.cards
            load = Load(card)
            for _ in range(ROUNDS):
                load.start()
                card.unplug()
                assert not card.alive()
                assert not card.port.present()
                card.plug(workers=workers)
                assert card.alive()
                assert card.port.present()
                load.space.rebuild()
                load.works()
                card.soft_reset()


@test
def accesses_of_an_unplugged_card_reach_nobody():
    with Bench() as bench:
        card, = bench.cards
        card.unplug()
        card.setup()
        card.write32(uapi.LOOM_REG_SCRATCH, 1)
        card.ring(0, 1)
        assert card.config_read(0) == 0xffffffff
        card.plug()
        assert card.read32(uapi.LOOM_REG_SCRATCH) == 0


@test
def serial_number_of_every_new_card_is_new():
    with Bench() as bench:
        card, = bench.cards
        for expected in (1, 2, 3):
            assert card.read64(uapi.LOOM_REG_SERIAL) == expected
            card.unplug()
            card.plug()


@test
def hbm_in_a_memory_backend_outlives_the_card():
    backend = "memory-backend-ram,id=hbm0,size=32M"
    with Bench("-object", backend, hbm="hbm0") as bench:
        card, = bench.cards
        assert card.read64(uapi.LOOM_REG_HBM_SIZE) == 32 * MIB
        bench.write(card.hbm, 8, 0x1122334455667788)
        card.unplug()
        card.plug(hbm="hbm0")
        assert bench.read(card.hbm, 8) == 0x1122334455667788
        card.unplug()
        bench.qmp("object-del", id="hbm0")


@test
def memory_backend_of_two_cards_is_refused():
    backend = "memory-backend-ram,id=hbm0,size=32M"
    with Bench("-object", backend, "-device", root_port(1), hbm="hbm0") as bench:
        card, = bench.cards
        try:
            bench.qmp("device_add", driver="loom", bus="port1", hbm="hbm0")
        except QmpError as error:
            assert str(error) == "the memory backend 'hbm0' of hbm is in use"
        else:
            raise AssertionError("two cards share their HBM")
        assert card.alive()


def limit_memory(bench, spare):
    """Let QEMU have so much more address space than now; None: no limit."""
    if spare is not None:
        with open(f"/proc/{bench.process.pid}/statm") as sizes:
            spare += int(sizes.read().split()[0]) * resource.getpagesize()
    limit = resource.RLIM_INFINITY if spare is None else spare
    resource.prlimit(bench.process.pid, resource.RLIMIT_AS,
                     (limit, resource.RLIM_INFINITY))


@test
def card_for_which_there_is_no_memory_is_refused_and_leaves_no_trace():
    small, large = 16 * MIB, 1024 * MIB
    with Bench(hbm_size=small) as bench:
        card, = bench.cards
        card.unplug()
        for _ in range(3):
            limit_memory(bench, 256 * MIB)
            message = refusal(card, hbm_size=large)
            assert message == ("cannot set up guest memory 'loom.hbm': "
                               "Cannot allocate memory")
            message = refusal(card, hbm_size=small, sram_size=large)
            assert message == ("no memory for the card's state and its "
                               "1024 MiB of SRAM")
            limit_memory(bench, None)
            card.plug(hbm_size=small)
            assert card.alive()
            card.unplug()


if __name__ == "__main__":
    tap.main()
