# SPDX-License-Identifier: MIT
"""A QEMU without a CPU that runs: we make the guest's accesses.

    with Machine("-M", "q35", "-device", "pcie-root-port") as machine:
        machine.write(0x1000, 8, 41)
        machine.qmp("system_reset")

Leaving the block ends QEMU and fails if it does not end well: it has to exit
with status 0 and to have nothing on stderr.  However the block is left, and
even if Python is killed in it, QEMU is gone afterwards.
"""

import ctypes
import functools
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

BUILD = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                     "..", "..", "qemu-device", "build-qemu.sh")
# For whatever takes milliseconds on an idle machine.
TIMEOUT = 60
# Commands sent before their answers are read; these fit in a socket's buffer.
BATCH = 256

LETTER = {1: "b", 2: "w", 4: "l", 8: "q"}
PR_SET_PDEATHSIG = 1


class QemuError(Exception):
    """QEMU is gone or does not speak the protocol."""


class QmpError(Exception):
    """QEMU refused a QMP command; the text is its reason."""


@functools.cache
def binary():
    """The QEMU to test: $LOOM_QEMU or the one that build-qemu.sh built."""
    if "LOOM_QEMU" in os.environ:
        return os.environ["LOOM_QEMU"]
    built = subprocess.run([BUILD, "--print-path"], capture_output=True,
                           text=True)
    if built.returncode:
        raise FileNotFoundError(built.stderr.strip())
    return built.stdout.strip()


def environment():
    """Sanitizers shall let the card run out of memory like anybody else."""
    return {"ASAN_OPTIONS": "allocator_may_return_null=1", **os.environ}


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for(what, condition):
    """Poll until condition() is true; what says in words what that is."""
    end = time.monotonic() + TIMEOUT
    pause = 0.0005
    while not (result := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"no {what} within {TIMEOUT} s")
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    return result


class Line:
    """A socket to QEMU that carries lines."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair()
        self.ours.settimeout(TIMEOUT)
        self.reader = self.ours.makefile("rb")

    def send(self, text):
        self.ours.sendall(text.encode())

    def receive(self):
        line = self.reader.readline()
        if not line:
            raise QemuError("QEMU has closed the connection")
        return line

    def close(self):
        self.reader.close()
        self.ours.close()


class Machine:
    ACCELERATOR = ("-accel", "qtest")
    # What may be on stderr: lines of a build with sanitizers.
    HARMLESS = re.compile("ASan doesn't fully support makecontext|"
                          "AddressSanitizer failed to allocate")

    def __init__(self, *arguments):
        self.arguments = list(arguments)
        self.process = None
        self.events = []

    # Life

    def __enter__(self):
        self.line, self.monitor = Line(), Line()
        self.errors = tempfile.TemporaryFile("w+")
        try:
            self.start()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def start(self):
        ends = [self.line.theirs, self.monitor.theirs]
        self.process = subprocess.Popen(
            [binary(), *self.ACCELERATOR, "-display", "none", "-nodefaults",
             "-chardev", f"socket,id=qtest,fd={ends[0].fileno()}",
             "-qtest", "chardev:qtest", "-qtest-log", "none",
             "-chardev", f"socket,id=qmp,fd={ends[1].fileno()}",
             "-mon", "chardev=qmp,mode=control", *self.arguments],
            stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors,
            pass_fds=[end.fileno() for end in ends], env=environment(),
            preexec_fn=die_with_parent)
        for end in ends:
            end.close()
        self.monitor.receive()
        self.qmp("qmp_capabilities")

    def __exit__(self, kind, error, _):
        try:
            if error is None:
                self.quit()
        except Exception as failure:
            self.kill()
            self.explain(failure)
            raise
        self.kill()
        if error is not None:
            self.explain(error)

    def quit(self):
        self.qmp("quit")
        status = self.process.wait(TIMEOUT)
        if status or self.complaints():
            raise QemuError(f"QEMU ended with status {status}")

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.line.close()
        self.monitor.close()

    def explain(self, error):
        """Add to an exception what QEMU has to say about it."""
        if not self.process:
            return
        error.add_note(f"QEMU, status {self.process.returncode}: "
                       + " ".join(self.arguments))
        error.add_note(self.complaints())

    def complaints(self):
        """What is on stderr and should not be."""
        self.errors.seek(0)
        return self.harmful(self.errors)

    @classmethod
    def harmful(cls, lines):
        return "".join(line for line in lines if not cls.HARMLESS.search(line))

    # The qtest protocol

    def run(self, commands):
        """Give many commands; returns the list of their answers."""
        commands = iter(commands)
        answers = []
        while chunk := list(itertools.islice(commands, BATCH)):
            self.line.send("\n".join(chunk) + "\n")
            answers += [self.answer() for _ in chunk]
        return answers

    def answer(self):
        words = self.line.receive().split()
        if words[0] != b"OK":
            raise QemuError(b" ".join(words).decode())
        return int(words[1], 16) if len(words) > 1 else None

    def command(self, command):
        return self.run([command])[0]

    def read(self, address, size):
        return self.command(f"read{LETTER[size]} {address:#x}")

    def write(self, address, size, value):
        self.command(f"write{LETTER[size]} {address:#x} {value:#x}")

    def read_bytes(self, address, size):
        value = self.command(f"read {address:#x} {size:#x}")
        return value.to_bytes(size, "big")

    def write_bytes(self, address, data):
        self.command(f"write {address:#x} {len(data):#x} 0x{data.hex()}")

    def fill(self, address, size, byte):
        self.command(f"memset {address:#x} {size:#x} {byte:#x}")

    def io_write(self, port, size, value):
        self.command(f"out{LETTER[size]} {port:#x} {value:#x}")

    # The monitor

    def qmp(self, command, **arguments):
        self.monitor.send(json.dumps({"execute": command,
                                      "arguments": arguments}) + "\n")
        while True:
            message = json.loads(self.monitor.receive())
            if "event" in message:
                self.events.append(message["event"])
            elif "error" in message:
                raise QmpError(message["error"]["desc"])
            else:
                return message["return"]

    def hmp(self, line):
        """A command of the human monitor; returns what it prints."""
        return self.qmp("human-monitor-command", **{"command-line": line})

    def reset(self):
        """Reset the whole machine.  It is done when the event arrives."""
        done = self.events.count("RESET")
        self.qmp("system_reset")
        wait_for("end of the reset", lambda: self.qmp("query-status") and
                 self.events.count("RESET") > done)
