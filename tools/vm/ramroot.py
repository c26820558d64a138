# SPDX-License-Identifier: MIT
"""What a VM needs in its memory that shares no files with this machine."""
import os
import re
import shutil
import subprocess

from .errors import Problem

_ELF = b"\x7fELF"


class Files:
    """Files for the VM: path there and path here, each with what it needs."""

    def __init__(self):
        self._sources = {}

    def items(self):
        """Pairs of the path in the VM and the file here, sorted."""
        return sorted(self._sources.items())

    def add(self, path):
        """Add a file, a program with its libraries, or a directory."""
        path = os.path.normpath(path)
        if os.path.isdir(path):
            for where, _, names in os.walk(path):
                for name in names:
                    self.add(os.path.join(where, name))
            return
        if path in self._sources:
            return
        try:
            with open(path, "rb") as file:
                head = file.read(256)
        except OSError as error:
            raise Problem(f"--no-share: {path}: {error.strerror}") from error
        self._sources[path] = os.path.realpath(path)
        for needed in _needs(path, head):
            self.add(needed)


def _needs(path, head):
    """What a program does not run without."""
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n")[0].split()
        return [word.decode() for word in words[:1]]
    if not head.startswith(_ELF):
        return []
    result = subprocess.run(["ldd", path], check=False, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    text = result.stdout.decode(errors="replace")
    missing = re.search(r"(\S+) => not found", text)
    if missing:
        raise Problem(f"--no-share: {path} needs {missing[1]}, which is not here")
    return re.findall(r"(/\S+) \(0x", text)


def program(command, cwd, path):
    """The file that COMMAND runs."""
    if "/" in command:
        return os.path.join(cwd, command)
    found = shutil.which(command, path=path)
    if not found:
        raise Problem(f"--no-share: there is no program '{command}'")
    return found
