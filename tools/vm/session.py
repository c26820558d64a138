# SPDX-License-Identifier: MIT
"""Talk to guest-init: start the command, move its input and output."""
import os
import selectors
import signal
import struct
import sys
import time

from . import errors, terminal
from .terminal import say

_HEAD = struct.Struct("<cI")
_SETUP_MAX = 4 << 20        # FRAME_MAX in guest-init.c
_CHUNK = 32 << 10           # DATA_MAX in guest-init.c
_TICK = 0.1                 # seconds between looks at the kernel's log
_SLOW_BOOT = 10             # seconds until we say that it takes long
_MAX_BOOT = 180
_MAX_DEBUG_BOOT = 600      # with all its checks


class BootFailed(errors.Problem):
    """The guest cannot run the command."""


class MachineEnded(Exception):
    """QEMU ended before the command did."""


class Session:
    """One command in one machine."""

    def __init__(self, machine, log, options, setup):
        self._machine = machine
        self._log = log
        self._options = options
        self._setup = setup
        # Not epoll, which takes no regular file for standard input.
        self._selector = selectors.PollSelector()
        self._received = b""
        self._to_send = b""
        self._began = time.monotonic()
        self._running = False
        self._reads_stdin = False
        self._status = None
        self._size = None
        self._escape = terminal.Escape() if setup["terminal"] == "full" else None
        self._qemu_line = b""
        self._selector.register(machine.port, selectors.EVENT_READ, self._on_port)
        self._selector.register(machine.messages, selectors.EVENT_READ, self._on_qemu)

    def run(self):
        """Return the command's exit status."""
        told = False
        patience = _MAX_DEBUG_BOOT if self._options.debug_kernel else _MAX_BOOT
        if self._options.incoming:
            self._command_runs()
        while self._status is None:
            self._step()
            elapsed = time.monotonic() - self._began
            if not self._running and elapsed > patience:
                raise BootFailed(f"the VM did not boot in {patience} s")
            if not self._running and elapsed > _SLOW_BOOT and not told:
                told = True
                # For people only: to scripts, stderr is the command's alone.
                if sys.stderr.isatty():
                    say("the VM is still booting ...")
        self._wait_for_log(2)
        return self._status

    def ask_what_hangs(self):
        """Have the kernel log its blocked tasks, if it still listens."""
        if self._running:
            try:
                self._send(b"T")
                until = time.monotonic() + 1
                while time.monotonic() < until:
                    self._step()
            except MachineEnded:
                pass

    def note(self, text):
        """Say how far we are."""
        if self._options.verbose:
            say(f"{time.monotonic() - self._began:6.2f} s  {text}")

    def _step(self):
        for key, events in self._selector.select(_TICK):
            key.data(events)
        self._read_log()
        self._send_size()

    def _read_log(self):
        lines = self._log.poll()
        if self._options.console and lines:
            say("\n".join(lines), prefix="")

    def _wait_for_log(self, seconds):
        """The console is slower than the port: wait for the last line."""
        until = time.monotonic() + seconds
        self._read_log()
        while not self._log.complete and time.monotonic() < until:
            time.sleep(0.005)
            self._read_log()

    # To the guest

    def _send(self, kind, data=b""):
        self._to_send += _HEAD.pack(kind, len(data)) + data
        self._flush()

    def _flush(self):
        try:
            sent = self._machine.port.send(self._to_send) if self._to_send else 0
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise MachineEnded from error
        self._to_send = self._to_send[sent:]
        events = selectors.EVENT_READ
        if self._to_send:
            events |= selectors.EVENT_WRITE
        self._selector.modify(self._machine.port, events, self._on_port)
        self._watch_stdin()

    def _send_setup(self):
        items = []
        for key, value in self._setup.items():
            values = value if isinstance(value, list) else [value]
            items += [os.fsencode(f"{key}={each}") for each in values]
        data = b"".join(item + b"\0" for item in items)
        if len(data) > _SETUP_MAX:
            raise errors.Problem("the command's arguments and environment are too long")
        self._send(b"C", data)

    def _send_size(self):
        """Pass on the terminal's size when it has changed."""
        if self._running and self._setup["terminal"] != "none":
            size = terminal.size()
            if size != self._size:
                self._size = size
                self._send(b"W", b"%d %d" % size)

    def _watch_stdin(self):
        """Read our input only while the guest takes it."""
        watched = 0 in self._selector.get_map()
        wanted = self._reads_stdin and not self._to_send
        if wanted and not watched:
            self._selector.register(0, selectors.EVENT_READ, self._on_stdin)
        elif watched and not wanted:
            self._selector.unregister(0)

    def _start_stdin(self):
        # To read our terminal in the background would stop us.
        if self._options.no_stdin or (os.isatty(0) and not terminal.in_foreground(0)):
            self._send(b"I")
        else:
            self._reads_stdin = True
            self._watch_stdin()

    def _on_stdin(self, _):
        try:
            data = os.read(0, _CHUNK)
        except OSError:
            data = b""
        ended = not data
        if self._escape and data:
            data, quit_now = self._escape.filter(data)
            if quit_now:
                raise errors.Stopped(signal.SIGKILL)
        if ended:
            self._reads_stdin = False
        if data or ended:
            self._send(b"I", data)

    # From the guest

    def _on_port(self, events):
        if events & selectors.EVENT_WRITE:
            self._flush()
        if not events & selectors.EVENT_READ:
            return
        try:
            data = self._machine.port.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            raise MachineEnded from error
        if not data:
            raise MachineEnded
        self._received += data
        while len(self._received) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._received)
            if len(self._received) < _HEAD.size + length:
                break
            body = self._received[_HEAD.size:_HEAD.size + length]
            self._received = self._received[_HEAD.size + length:]
            self._handle(kind, body)

    def _handle(self, kind, body):
        if kind == b"O":
            _write_all(1, body)
        elif kind == b"E":
            _write_all(2, body)
        elif kind == b"H":
            self.note("kernel booted")
            self._send_setup()
        elif kind == b"P":
            self.note(body.decode(errors="replace"))
        elif kind == b"S":
            self.note("command started")
            self._command_runs()
        elif kind == b"F":
            raise BootFailed(body.decode(errors="replace"))
        elif kind == b"X":
            self._status = body[0]
            self.note(f"command ended with status {self._status}")

    def _command_runs(self):
        self._running = True
        self._start_stdin()

    def _on_qemu(self, _):
        """Show QEMU's own words."""
        data = os.read(self._machine.messages.fileno(), 1 << 16)
        *lines, self._qemu_line = (self._qemu_line + data).split(b"\n")
        if not data:
            self._selector.unregister(self._machine.messages)
            lines = [self._qemu_line] if self._qemu_line else []
        for line in lines:
            say(line.decode(errors="replace"), prefix="qemu: ")

    def show_last_words(self):
        """Show what QEMU said before it ended."""
        until = time.monotonic() + 1
        while self._machine.messages in self._selector.get_map() and time.monotonic() < until:
            self._on_qemu(0)


def _write_all(descriptor, data):
    while data:
        data = data[os.write(descriptor, data):]
