# SPDX-License-Identifier: MIT
"""Find what a VM is made of: QEMU, the kernel, the driver."""
import glob
import os
import re
import subprocess

from .errors import Problem


def _ask(top, script, option):
    """What a script of ours prints, or None when it has first to be run."""
    try:
        result = subprocess.run([os.path.join(top, script), option], check=False,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
    except OSError as error:
        raise Problem(f"{script}: {error.strerror}; the checkout is incomplete") from error
    if result.returncode:
        return None
    return result.stdout.decode().strip()


class Qemu:
    """The emulator's binary and where its firmware is."""

    def __init__(self, top):
        override = os.environ.get("LOOM_QEMU")
        self.path = override or _ask(top, "qemu-device/build-qemu.sh", "--print-path")
        if self.path is None:
            raise Problem("QEMU with the loom device is not built, or its sources changed: "
                          "run qemu-device/build-qemu.sh")
        if not os.access(self.path, os.X_OK):
            raise Problem(f"LOOM_QEMU: '{self.path}' is not a program")


class Kernel:
    """A kernel image and its modules."""

    def __init__(self, directory):
        self.directory = directory
        images = (glob.glob(f"{directory}/boot/vmlinux-*") or
                  glob.glob(f"{directory}/boot/vmlinuz-*"))
        if len(images) != 1:
            raise Problem(f"{directory}/boot has {len(images)} kernels vmlinux-* or vmlinuz-* "
                          "where one is needed")
        self.image = images[0]
        self.release = os.path.basename(self.image).split("-", 1)[1]
        self.modules = f"{directory}/lib/modules/{self.release}"
        if not os.path.isdir(self.modules):
            raise Problem(f"{self.modules} is missing: the directory is not laid out as by "
                          "tools/env/kernel.sh")

    @classmethod
    def of_script(cls, top, script):
        """The one that this script of ours prepared."""
        directory = _ask(top, script, "--print-dir")
        if directory is None:
            raise Problem(f"there is no kernel to boot yet: run {script}")
        return cls(directory)


class Driver:
    """loom.ko and what it says of itself."""

    def __init__(self, path, kernel):
        self.path = path
        try:
            with open(path, "rb") as file:
                info = file.read()
        except FileNotFoundError:
            raise Problem(f"{path} is missing: run tools/env/module.sh, or use "
                          "--no-driver") from None
        except OSError as error:
            raise Problem(f"{path}: {error.strerror}") from error
        built_for = self._field(info, "vermagic").split(" ")[0]
        if not built_for:
            raise Problem(f"{path} is not a kernel module")
        if built_for != kernel.release:
            raise Problem(f"{path} is built for kernel '{built_for}' and the VM boots "
                          f"{kernel.release}: run tools/env/module.sh --kernel "
                          f"{kernel.directory}")
        self.depends = [name for name in self._field(info, "depends").split(",") if name]

    @staticmethod
    def _field(info, name):
        match = re.search(rb"\0%s=([^\0]*)\0" % name.encode(), info)
        return match[1].decode(errors="replace") if match else ""

    def newer_source(self, top):
        """A source that changed since the driver was built, or None."""
        built = os.stat(self.path).st_mtime
        for directory in ("driver", "uapi"):
            for where, _, files in os.walk(os.path.join(top, directory)):
                for name in files:
                    path = os.path.join(where, name)
                    if name.endswith((".c", ".h")) and os.stat(path).st_mtime > built:
                        return os.path.relpath(path, top)
        return None


def accelerator(wanted):
    """tcg or kvm.

    /dev/kvm alone does not tell: some machines have one that cannot run a
    stock kernel, so kvm is taken unasked only with the processors' own modules.
    """
    usable = os.access("/dev/kvm", os.R_OK | os.W_OK)
    if wanted == "kvm" and not usable:
        raise Problem("--accel kvm: /dev/kvm is missing or not yours to open "
                      "(is your user in the group kvm?)")
    if wanted:
        return wanted
    hardware = any(os.path.isdir(f"/sys/module/{name}") for name in ("kvm_intel", "kvm_amd"))
    return "kvm" if usable and hardware else "tcg"
