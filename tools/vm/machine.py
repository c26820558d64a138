# SPDX-License-Identifier: MIT
"""QEMU's command line, and QEMU as a process that never outlives us."""
import os
import signal
import socket
import subprocess

from . import qmp
from .errors import Problem

# Debian's kernel, told to start fast, to log everything to the serial console
# and to end at a panic.  The VM is for testing a driver, not for keeping
# anyone out.
_APPEND = (
    "console=ttyS0 loglevel=7 printk.devkmsg=on panic=-1 "
    "mitigations=off init_on_alloc=0 audit=0 apparmor=0 cryptomgr.notests "
    # The host may be too busy to run a processor of the guest for a while;
    # neither the clock nor RCU nor the watchdog should take that for a fault.
    "tsc=reliable no_timer_check rcupdate.rcu_cpu_stall_timeout=60 watchdog_thresh=60 "
    # The e820 map reserves what is below 1 TiB for HyperTransport, where q35 has its
    # 64-bit window: the card's HBM would find no room when the bus is scanned again.
    "pci=no_e820 "
    # Of the debug kernel: KUnit suites run when their module is loaded.
    "kunit.enable=1"
)

# A command has nobody who looks at a half-dead system: end it.
_APPEND_COMMAND = "oops=panic hung_task_panic=1 softlockup_panic=1"

_CPU = {
    # Everything TCG has, so that programs compiled for this machine run, but
    # for what slows it down: five-level page tables, and the string
    # instructions, which TCG does a byte at a time (memset 1 GB/s, not 11).
    "tcg": "max,la57=off,erms=off,fsrm=off",
    "kvm": "host",
}


def _accelerator(accel, options):
    """QEMU's -accel.  With -icount all processors must share one thread."""
    if accel != "tcg":
        return accel
    single = options.cpus == 1 or options.icount
    return "tcg,thread=single" if single else "tcg,thread=multi"


def _quote(value):
    """A value within QEMU's comma-separated options."""
    return str(value).replace(",", ",,")


def _share(tag, path, readonly):
    options = "readonly=on," if readonly else ""
    return ["-fsdev", f"local,id={tag},{options}security_model=none,multidevs=remap,"
                      f"path={_quote(path)}",
            "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]


def _properties(options, number):
    """Properties of a card, as options of -device."""
    properties = ""
    if options.timing != "free":
        properties += f",timing={options.timing}"
    if options.trace:
        path = options.trace + (f".{number}" if number else "")
        properties += f",trace-file={_quote(path)}"
    if options.device_opts:
        properties += "," + options.device_opts
    faults = ";".join(text for card, text in options.fault if card in (None, number))
    if faults:
        properties += f",inject={_quote(faults)}"
    return properties


def _cards(options):
    # Slots as in a server: the guest's kernel hears of a card that is pulled out.
    args = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
    for i in range(options.cards):
        extra = _properties(options, i)
        args += ["-device", f"pcie-root-port,id=rp{i},chassis={i + 1},slot={i + 1}",
                 "-device", f"loom,bus=rp{i},id=card{i}{extra}"]
    return args


def _monitors(options, plan):
    """QMP for loom-fault, for whoever asked for a socket, and for the guest."""
    args = []
    for path in filter(None, (plan.qmp, options.qmp)):
        args += ["-qmp", f"unix:{_quote(path)},server=on,wait=off"]
    if options.guest_faults and plan.qmp:
        path = _quote(plan.qmp + ".guest")
        args += ["-chardev", f"socket,id=monitor,path={path},server=on,wait=off",
                 "-mon", "chardev=monitor,mode=control",
                 "-chardev", f"socket,id=guest-monitor,path={path}",
                 "-device", f"virtserialport,chardev=guest-monitor,name={qmp.GUEST_PORT}"]
    return args


def command_line(options, plan):
    """QEMU's arguments; plan says what cli found out."""
    append = [_APPEND]
    if options.command:
        append.append(_APPEND_COMMAND)
    if options.panic_on_warn:
        append.append("panic_on_warn=1")
    append.append(options.append)

    args = [plan.qemu.path, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot",
            "-machine", "q35,usb=off,sata=off,smbus=off,vmport=off,i8042=off,hpet=off",
            "-accel", _accelerator(plan.accel, options), "-cpu", _CPU[plan.accel],
            "-smp", str(options.cpus), "-m", options.mem,
            "-kernel", plan.kernel.image, "-initrd", plan.initramfs,
            "-append", " ".join(filter(None, append)),
            "-chardev", f"file,id=console,path={_quote(plan.console)}",
            "-serial", "chardev:console",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=vm,fd={plan.port}",
            "-device", "virtserialport,chardev=vm,name=loom.vm"]
    if not options.no_share:
        args += _share("root", "/", readonly=True)
    for tag, path in plan.shares:
        args += _share(tag, path, readonly=False)
    args += _cards(options)
    args += _monitors(options, plan)
    if options.snapshots:
        args += ["-drive", f"if=none,id=snapshots,format=qcow2,file={_quote(options.snapshots)}"]
    if options.incoming:
        args += ["-incoming", options.incoming]
    if options.icount:
        args += ["-icount", options.icount]
    return args + options.qemu_arg


class Machine:
    """A running QEMU."""

    def __init__(self, options, plan):
        self.port, theirs = socket.socketpair()
        plan.port = theirs.fileno()
        args = command_line(options, plan)
        try:
            # If we are killed, the kernel kills QEMU.  Its own session keeps
            # the terminal's Ctrl-C from it: ending it is our job.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *args],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()], start_new_session=True)
        except OSError as error:
            raise Problem(f"cannot start QEMU: {error}") from error
        finally:
            theirs.close()
        self.port.setblocking(False)
        self.messages = self._process.stdout

    def status(self):
        """How QEMU ended, for the user; it must have closed the port."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "QEMU closed its port and hangs"
        if code < 0:
            return f"QEMU was killed by {signal.Signals(-code).name}"
        return f"QEMU ended with status {code}"

    def end(self, grace):
        """End QEMU: give it some seconds to close its files, then kill it."""
        if self._process.poll() is None and grace:
            self._process.terminate()
            try:
                self._process.wait(timeout=grace)
            except subprocess.TimeoutExpired:
                pass
        self._process.kill()
        self._process.wait()
        self.port.close()


def check_socket_path(path):
    """The kernel's limit, before QEMU says it in its words."""
    if len(os.fsencode(path)) > 107:
        raise Problem(f"--qmp: '{path}' is too long for a socket; use a shorter path")
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise Problem(f"--qmp: there is no directory '{os.path.dirname(path)}'")
