# SPDX-License-Identifier: MIT
"""How loom-vm ends otherwise than with the command's own status."""

# The statuses of timeout(1) and of shells, where there is one.
KERNEL_REPORT = 70      # the guest's kernel reported an oops, a warning, ...
TIMED_OUT = 124
NOT_RUN = 125           # loom-vm could not do its work
BY_SIGNAL = 128         # plus the signal's number


class Problem(Exception):
    """loom-vm cannot go on; the text says why and what to do."""


class Stopped(BaseException):
    """A signal asks loom-vm to end."""

    def __init__(self, signum):
        super().__init__(signum)
        self.signum = signum


class TimedOut(BaseException):
    """The time that --timeout gives is over."""
