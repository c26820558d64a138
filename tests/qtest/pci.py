# SPDX-License-Identifier: MIT
"""PCI Express as firmware and an operating system use it: configuration
space, root ports, capabilities, BARs, hotplug.
"""

# Where the q35 machine maps configuration space, and how it is told to.
ECAM = 0xb0000000
CONFIG_ADDRESS, CONFIG_DATA = 0xcf8, 0xcfc
Q35_PCIEXBAR = 0x80000060       # of 00:00.0, through CONFIG_ADDRESS
# What a root port gets to hand on: below and above 4 GiB.
MEMORY, MEMORY_SIZE = 0xe0000000, 16 << 20
HIGH, HIGH_SIZE = 64 << 30, 64 << 30

# Configuration space
VENDOR, DEVICE, COMMAND, STATUS, REVISION, CLASS = 0, 2, 4, 6, 8, 10
BAR0, SUBSYSTEM_VENDOR, SUBSYSTEM, CAPABILITIES = 0x10, 0x2c, 0x2e, 0x34
COMMAND_MEMORY, COMMAND_MASTER = 2, 4
STATUS_CAPABILITIES = 0x10
BAR_64, BAR_PREFETCH, BAR_FLAGS = 4, 8, 15
CONFIG_SIZE = 4096

# Bridges
BUS_NUMBERS, MEMORY_WINDOW = 0x18, 0x20
PREFETCH_WINDOW, PREFETCH_BASE_HIGH, PREFETCH_LIMIT_HIGH = 0x24, 0x28, 0x2c
BRIDGE_CONTROL, BRIDGE_RESET = 0x3e, 0x40

# Capabilities and where things are in them
PM, MSIX, EXPRESS = 0x01, 0x11, 0x10
PM_CONTROL, PM_STATE, PM_NO_SOFT_RESET = 4, 3, 8
D0, D3 = 0, 3
MSIX_CONTROL, MSIX_TABLE, MSIX_PBA = 2, 4, 8
MSIX_ENABLE, MSIX_MASK_ALL, MSIX_SIZE = 0x8000, 0x4000, 0x7ff
MSIX_BAR = 7
MSIX_ENTRY = 16
EXPRESS_FLAGS, EXPRESS_DEVICE, EXPRESS_CONTROL, EXPRESS_LINK = 2, 4, 8, 0x12
TYPE_ENDPOINT, TYPE_INTEGRATED = 0, 9
DEVICE_FLR, CONTROL_FLR = 1 << 28, 0x8000
LINK_WIDTH_SHIFT, LINK_WIDTH = 4, 0x3f
SLOT_CONTROL = 0x18
SLOT_POWER_ON_LED_ON, SLOT_POWER_OFF_LED_OFF = 0x1c0, 0x700
SLOT_PRESENT = 0x40             # in the status, the upper half
# Extended
EXTENDED = 0x100
AER, SERIAL, REBAR = 0x0001, 0x0003, 0x0015
AER_UNCORRECTABLE, AER_LINK_PROTOCOL = 4, 1 << 4


class Function:
    """A device as its configuration space shows it."""

    def __init__(self, machine, bus, device):
        self.machine = machine
        self.config = ECAM + (bus << 20) + (device << 15)

    def config_read(self, offset, size=4):
        return self.machine.read(self.config + offset, size)

    def config_write(self, offset, size, value):
        self.machine.write(self.config + offset, size, value)

    def capabilities(self):
        """{number: offset} in the order of the list."""
        found = {}
        offset = self.config_read(CAPABILITIES, 1)
        while offset:
            found[self.config_read(offset, 1)] = offset
            offset = self.config_read(offset + 1, 1)
        return found

    def extended(self):
        """The same for extended capabilities."""
        found = {}
        offset = EXTENDED
        while offset:
            head = self.config_read(offset)
            found[head & 0xffff] = offset
            offset = head >> 20
        return found

    def bar_size(self, number):
        """(size, flags) of a BAR, by writing ones; its value is kept."""
        at = BAR0 + 4 * number
        old = self.config_read(at, 8)
        self.config_write(at, 8, ~0 & (1 << 64) - 1)
        mask = self.config_read(at, 8)
        self.config_write(at, 8, old)
        flags = mask & BAR_FLAGS
        bits = 64 if flags & BAR_64 else 32
        mask = mask & (1 << bits) - 1 & ~BAR_FLAGS
        return (1 << bits) - mask, flags

    def set_command(self, bits):
        self.config_write(COMMAND, 2, bits)

    def set_power(self, state):
        self.config_write(self.capabilities()[PM] + PM_CONTROL, 2, state)

    def function_reset(self):
        control = self.capabilities()[EXPRESS] + EXPRESS_CONTROL
        self.config_write(control, 2, CONTROL_FLR)


class RootPort(Function):
    """Root port number n, with bus n + 1 behind it."""

    FIRST = 4                   # its device number; n is added

    def __init__(self, machine, number):
        super().__init__(machine, 0, self.FIRST + number)
        self.bus = number + 1
        self.memory = MEMORY + number * MEMORY_SIZE
        self.high = HIGH + number * HIGH_SIZE

    def open(self):
        """What firmware does: a bus number and windows."""
        high_last = self.high + HIGH_SIZE - 1
        self.config_write(BUS_NUMBERS, 4, self.bus << 16 | self.bus << 8)
        self.config_write(MEMORY_WINDOW, 4, self.window(self.memory, MEMORY_SIZE))
        self.config_write(PREFETCH_WINDOW, 4, self.window(self.high, HIGH_SIZE))
        self.config_write(PREFETCH_BASE_HIGH, 4, self.high >> 32)
        self.config_write(PREFETCH_LIMIT_HIGH, 4, high_last >> 32)
        self.set_command(COMMAND_MEMORY | COMMAND_MASTER)

    @staticmethod
    def window(base, size):
        """The low halves of base and limit, in units of 64 KiB."""
        last = base + size - 1
        return (last >> 16 & 0xfff0) << 16 | (base >> 16 & 0xfff0)

    def reset_bus(self):
        self.config_write(BRIDGE_CONTROL, 2, BRIDGE_RESET)
        self.config_write(BRIDGE_CONTROL, 2, 0)

    def slot(self, control):
        self.config_write(self.capabilities()[EXPRESS] + SLOT_CONTROL, 2, control)

    def slot_on(self):
        self.slot(SLOT_POWER_ON_LED_ON)

    def slot_off(self):
        """Allow the unplugging that was asked for."""
        self.slot(SLOT_POWER_OFF_LED_OFF)

    def present(self):
        status = self.capabilities()[EXPRESS] + SLOT_CONTROL + 2
        return bool(self.config_read(status, 2) & SLOT_PRESENT)


def map_config(machine):
    """Make configuration space appear at ECAM."""
    machine.io_write(CONFIG_ADDRESS, 4, Q35_PCIEXBAR)
    machine.io_write(CONFIG_DATA, 4, ECAM | 1)
