# SPDX-License-Identifier: MIT
"""Make the initramfs: guest-init, the modules that it loads, and files."""
import gzip
import hashlib
import lzma
import os
import stat
import subprocess

from .errors import Problem

# What leads from a kernel to the host's root and to the port that loom-vm
# listens on.
BOOT_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
# Of these, what a VM without shared files can do without.
SHARE_MODULES = ("9pnet_virtio", "9p", "overlay")


class Modules:
    """The modules of a kernel, by depmod's tables."""

    def __init__(self, directory):
        self._directory = directory
        self._dependencies = {}     # path: paths, each after those that need it
        self._paths = {}            # name: path
        with self._open("modules.dep") as table:
            for line in table:
                path, _, needs = line.partition(":")
                self._paths[self.name(path)] = path
                self._dependencies[path] = needs.split()
        with self._open("modules.builtin") as table:
            self._builtin = {self.name(line.strip()) for line in table}

    def _open(self, name):
        try:
            return open(os.path.join(self._directory, name), encoding="utf-8")
        except OSError as error:
            raise Problem(f"{error.filename}: {error.strerror}; not a kernel's "
                          "directory, or depmod has not run there") from error

    @staticmethod
    def name(path):
        """The name that modules know each other by."""
        return os.path.basename(path).split(".ko")[0].replace("-", "_")

    def in_load_order(self, names):
        """Paths of these modules and what they need, each after its needs."""
        order = []
        for name in names:
            if name.replace("-", "_") in self._builtin:
                continue
            path = self._paths.get(name.replace("-", "_"))
            if path is None:
                raise Problem(f"the kernel of {self._directory} has no module '{name}', "
                              "which the VM needs; cloud kernels lack it")
            for each in [*reversed(self._dependencies[path]), path]:
                if each not in order:
                    order.append(each)
        return [os.path.join(self._directory, path) for path in order]


def _uncompressed(path):
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dc"], input=data, check=True,
                              stdout=subprocess.PIPE).stdout
    return data


class _Cpio:
    """A "newc" archive; see the kernel's buffer-format.rst."""

    def __init__(self, file):
        self._file = file
        self._inode = 0
        self._directories = {""}

    def add(self, name, mode, data=b"", device=(0, 0)):
        """Append a file, a directory or a device."""
        self._inode += 1
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields)
        for part in (head + name.encode() + b"\0", data):
            self._file.write(part + bytes(-len(part) % 4))

    def add_directory(self, name):
        """Append a directory and those above it, unless they are there."""
        if name not in self._directories:
            self.add_directory(os.path.dirname(name))
            self.add(name, stat.S_IFDIR | 0o755)
            self._directories.add(name)

    def finish(self):
        """Write the end of the archive."""
        self.add("TRAILER!!!", 0)


def _compile(source, output):
    command = ["gcc", "-std=gnu11", "-static", "-O2", "-s", "-Wall", "-Wextra",
               "-o", output, source]
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        raise Problem("gcc not found: run tools/env/packages.sh install host") from None
    if result.returncode:
        raise Problem(f"cannot compile {source}:\n{result.stdout.decode(errors='replace')}")


def _add_files(archive, files):
    for name, source in files:
        archive.add_directory(os.path.dirname(name).lstrip("/"))
        with open(source, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            archive.add(name.lstrip("/"), stat.S_IFREG | stat.S_IMODE(mode), file.read())


def _write(path, init, modules, files):
    with open(path, "wb") as file:
        archive = _Cpio(file)
        archive.add_directory("dev")
        # Without it the kernel starts init without stdin, stdout and stderr.
        archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
        with open(init, "rb") as program:
            archive.add("init", stat.S_IFREG | 0o755, program.read())
        archive.add_directory("modules")
        for module in modules:
            archive.add(f"modules/{Modules.name(module)}.ko", stat.S_IFREG | 0o644,
                        _uncompressed(module))
        order = "".join(f"{Modules.name(module)}.ko\n" for module in modules)
        archive.add("modules/order", stat.S_IFREG | 0o644, order.encode())
        _add_files(archive, files)
        archive.finish()


def _key(modules, source, files):
    digest = hashlib.sha256()
    for path in (source, __file__):
        with open(path, "rb") as file:
            digest.update(file.read())
    for module in modules:
        digest.update(f"{module} {os.stat(module).st_mtime_ns}\n".encode())
    for name, file in files:
        status = os.stat(file)
        digest.update(f"{name} {status.st_mtime_ns} {status.st_size}\n".encode())
    return digest.hexdigest()[:16]


def build(modules, source, directory, files=()):
    """Return the path of an initramfs with guest-init, modules and files.

    Files are pairs of the path in the VM and the path here.

    It is kept for the next time.  Concurrent callers are safe: each writes
    files of its own and renames them.
    """
    path = os.path.join(directory, f"initramfs-{_key(modules, source, files)}.cpio")
    if not os.path.exists(path):
        temporary = f"{path}.{os.getpid()}"
        try:
            _compile(source, temporary + ".init")
            _write(temporary, temporary + ".init", modules, files)
            os.rename(temporary, path)
        finally:
            for leftover in (temporary, temporary + ".init"):
                if os.path.exists(leftover):
                    os.unlink(leftover)
    os.utime(path)      # in use: not to be tidied away
    return path
