#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The HBM BAR: its sizes, and the window it opens into HBM."""

import pci
import tap
import uapi
from card import Bench
from qtest import QmpError
from tap import test

MIB = 1 << 20
REBAR_CAP, REBAR_CTRL = 4, 8
HBM = 256 * MIB


def control(card):
    return card.extended()[pci.REBAR] + REBAR_CTRL


def capability(card):
    return card.config_read(card.extended()[pci.REBAR] + REBAR_CAP)


def ask_size(card, mib):
    """Write the size into the control register, as it is decoding or not."""
    value = card.config_read(control(card)) & ~0x3f00
    card.config_write(control(card), 4,
                      value | (mib.bit_length() - 1) << 8)


def resize(card, mib):
    card.set_command(0)
    ask_size(card, mib)
    card.setup()


def size(card):
    """As the address bits of the BAR say; MiB."""
    card.set_command(0)
    found, _ = card.bar_size(uapi.LOOM_BAR_HBM)
    card.setup()
    return found // MIB


def mark(card, offset):
    """Put something recognisable at an offset of HBM, through the window."""
    card.write64(uapi.LOOM_REG_HBM_WINDOW, offset)
    window = card.read64(uapi.LOOM_REG_HBM_WINDOW)
    card.machine.write(card.hbm + offset - window, 8, offset + 1)


def look(card, offset):
    return card.machine.read(card.hbm + offset, 8)


@test
def capability_names_all_sizes_up_to_that_of_hbm():
    with Bench(hbm_size=HBM) as bench:
        card, = bench.cards
        assert capability(card) >> 4 == sum(
            1 << (n.bit_length() - 1) for n in (16, 32, 64, 128, 256))
        assert card.config_read(control(card)) == 8 << 8 | 1 << 5 | 2
        assert size(card) == 256


@test
def bar_can_be_given_every_size_and_shows_hbm():
    with Bench(hbm_size=HBM) as bench:
        card, = bench.cards
        for offset in range(0, HBM, 16 * MIB):
            mark(card, offset)
        for mib in (16, 32, 64, 128, 256, 16):
            resize(card, mib)
            assert size(card) == mib
            for offset in range(0, mib * MIB, 16 * MIB):
                assert look(card, offset) == offset + 1
            if mib < 256:
                assert look(card, mib * MIB) != mib * MIB + 1


@test
def window_moves_over_all_of_hbm():
    with Bench(hbm_size=HBM, bar_size=16 * MIB) as bench:
        card, = bench.cards
        assert size(card) == 16
        for offset in range(0, HBM, 16 * MIB):
            mark(card, offset)
        for offset in reversed(range(0, HBM, 16 * MIB)):
            card.write64(uapi.LOOM_REG_HBM_WINDOW, offset + 4096)
            assert card.read64(uapi.LOOM_REG_HBM_WINDOW) == offset
            assert look(card, 0) == offset + 1
        card.write64(uapi.LOOM_REG_HBM_WINDOW, HBM)
        assert card.read64(uapi.LOOM_REG_HBM_WINDOW) == 0


@test
def window_at_the_end_of_hbm_that_is_no_power_of_two_is_short():
    with Bench(hbm_size=48 * MIB) as bench:
        card, = bench.cards
        assert size(card) == 64
        resize(card, 32)
        mark(card, 40 * MIB)
        assert look(card, 8 * MIB) == 40 * MIB + 1
        assert look(card, 24 * MIB) != 0x55
        bench.write(card.hbm + 24 * MIB, 8, 0x55)
        assert look(card, 24 * MIB) != 0x55


@test
def size_cannot_change_while_the_bar_is_decoded():
    with Bench(hbm_size=HBM) as bench:
        card, = bench.cards
        ask_size(card, 32)
        assert card.config_read(control(card)) >> 8 & 0x3f == 8
        assert size(card) == 256


@test
def size_the_card_does_not_have_is_refused():
    with Bench(hbm_size=HBM) as bench:
        card, = bench.cards
        for mib in (1, 8, 512, 1 << 40, 1 << 63):
            resize(card, mib)
            assert size(card) == 256


@test
def function_reset_keeps_the_size_and_other_resets_do_not():
    with Bench(hbm_size=HBM, bar_size=64 * MIB) as bench:
        card, = bench.cards
        resize(card, 128)
        card.write64(uapi.LOOM_REG_HBM_WINDOW, 128 * MIB)
        card.function_reset()
        card.setup()
        assert size(card) == 128
        assert card.read64(uapi.LOOM_REG_HBM_WINDOW) == 0
        card.port.reset_bus()
        card.setup()
        assert size(card) == 64
        resize(card, 128)
        bench.reset()
        assert size(card) == 64


@test
def soft_reset_closes_the_window():
    with Bench(hbm_size=HBM, bar_size=16 * MIB) as bench:
        card, = bench.cards
        mark(card, 0)
        mark(card, 32 * MIB)
        card.soft_reset()
        assert look(card, 0) == 1


@test
def first_size_that_makes_no_bar_is_refused():
    with Bench(hbm_size=HBM) as bench:
        card, = bench.cards
        card.unplug()
        for bad in (8 * MIB, 48 * MIB, 512 * MIB, 3):
            try:
                card.plug(hbm_size=HBM, bar_size=bad)
            except QmpError as error:
                assert str(error) == (
                    f"bar-size is {bad}; it must be a power of two from "
                    f"{16 * MIB} to {HBM}")
            else:
                raise AssertionError(f"bar-size={bad} was not refused")
        card.plug(hbm_size=HBM, bar_size=32 * MIB)
        assert size(card) == 32


if __name__ == "__main__":
    tap.main()
