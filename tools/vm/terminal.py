# SPDX-License-Identifier: MIT
"""The user's terminal, and lines for the user."""
import os
import sys
import termios
import tty


def in_foreground(descriptor):
    """Whether a read of this terminal would not stop us."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


def size():
    """Rows and columns, whichever of our descriptors is a terminal."""
    for descriptor in (1, 0, 2):
        try:
            columns, rows = os.get_terminal_size(descriptor)
        except OSError:
            continue
        if rows and columns:
            return rows, columns
    return 24, 80


class Raw:
    """Context: the terminal passes on every key."""

    active = False

    def __init__(self, wanted):
        self._wanted = wanted
        self._saved = None

    def __enter__(self):
        if self._wanted:
            self._saved = termios.tcgetattr(0)
            tty.setraw(0, termios.TCSADRAIN)
            Raw.active = True

    def __exit__(self, *_):
        if self._saved:
            Raw.active = False
            try:
                termios.tcsetattr(0, termios.TCSADRAIN, self._saved)
            except termios.error:
                pass        # the terminal is gone


class Escape:
    """Find Enter ~ . in what the user types, as ssh does."""

    def __init__(self):
        self._state = "line"        # after Enter; "tilde"; or "text"

    def filter(self, data):
        """Return what to pass on, and whether the user wants to end."""
        out = bytearray()
        for byte in data:
            if self._state == "tilde":
                if byte == ord("."):
                    return bytes(out), True
                # A second ~ stands for one.
                if byte != ord("~"):
                    out += b"~"
                out.append(byte)
                self._state = "text"
            elif self._state == "line" and byte == ord("~"):
                self._state = "tilde"
                continue
            else:
                out.append(byte)
            self._state = "line" if byte in b"\r\n" else "text"
        return bytes(out), False


def say(text, prefix="loom-vm: "):
    """Print lines on stderr, also while the terminal is raw."""
    end = "\r\n" if Raw.active else "\n"
    lines = text.split("\n")
    try:
        sys.stderr.write(prefix + end.join(lines) + end)
        sys.stderr.flush()
    except OSError:
        pass        # nobody reads it
