# SPDX-License-Identifier: MIT
"""QEMU's monitor: its socket or, in the guest, its port, and the protocol."""
import glob
import json
import os
import socket

from .errors import Problem

GUEST_PORT = "loom.qmp"
_TIMEOUT = 20


def socket_of(work, pid):
    """Where the VM of loom-vm's process pid listens, if the path is not too long."""
    path = os.path.join(work, f"{pid}.qmp")
    return path if len(os.fsencode(path)) <= 100 else None


def running(work):
    """Sockets of the VMs that run, by the process of their loom-vm."""
    found = {}
    for path in glob.glob(os.path.join(glob.escape(work), "*.qmp")):
        pid = os.path.basename(path).partition(".")[0]
        if os.path.isdir(f"/proc/{pid}"):
            found[pid] = path
    return found


def guest_port():
    """The port by which a guest reaches its QEMU, or None."""
    for name in glob.glob("/sys/class/virtio-ports/*/name"):
        with open(name) as file:
            if file.read().strip() == GUEST_PORT:
                return "/dev/" + name.split("/")[-2]
    return None


class Refused(Problem):
    """QEMU did not like a command; the text is its reason."""


class Monitor:
    """A conversation with QEMU."""

    def __init__(self, path):
        try:
            if path.startswith("/dev/"):
                self._open_port(path)
            else:
                self._open_socket(path)
            self._negotiate()
        except (OSError, ValueError) as error:
            raise Problem(f"cannot talk to QEMU at {path}: {error}") from error

    def _open_port(self, path):
        self._file = open(path, "r+b", buffering=0)
        self._send = self._file.write
        self._lines = iter(self._file.readline, b"")

    def _open_socket(self, path):
        self._file = socket.socket(socket.AF_UNIX)
        self._file.settimeout(_TIMEOUT)
        self._file.connect(path)
        self._send = self._file.sendall
        self._lines = iter(self._file.makefile("rb"))

    def _negotiate(self):
        try:
            self.run("qmp_capabilities")
        except Refused:
            pass    # a port stays connected: whoever had it before did that

    def run(self, command, **arguments):
        """One command; returns its result."""
        self._send(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        for line in self._lines:
            answer = json.loads(line)
            if "error" in answer:
                raise Refused(answer["error"]["desc"])
            if "return" in answer:
                return answer["return"]
        raise OSError("QEMU has closed the connection")

    def close(self):
        self._file.close()
