# SPDX-License-Identifier: MIT
"""The command line of loom-vm."""
import argparse
import os
import re

from . import errors

USAGE = "loom-vm [OPTION]... [-- COMMAND [ARGUMENT]...]"

HEAD = """\
Boots Debian's stock kernel in QEMU with Loom cards, loads the driver, runs
COMMAND as root in the project directory and returns its exit status.  Without
COMMAND: a shell.

The VM sees this machine's files read-only; what it writes is lost when it
ends, except below the project directory, which both share."""

TAIL = """\
exit status:
  that of COMMAND, or
   70  the guest's kernel reported a problem (oops, warning, lockdep, KASAN,
       hang, panic), whatever COMMAND returned; the report is printed
  124  --timeout expired; what hung is in the kernel log
  125  loom-vm could not run COMMAND; it says why
  126  COMMAND cannot be executed       127  COMMAND was not found
  130  Ctrl-C                           128+N  another signal, to either one

environment:
  passed to COMMAND: PATH HOME TERM COLORTERM LANG LANGUAGE LC_* TZ LOOM_*
  ACCEL_*; and LOOM_VM=1, by which a program knows that it is in the VM
  LOOM_VM_OPTIONS  options to begin with, for instance --debug-kernel
  LOOM_QEMU    QEMU binary to use instead of qemu-device/build-qemu.sh's

In a shell, or with --tty, type Enter ~ . to end a VM that hangs.
Kernel logs are kept in build/vm; build/vm/last.console.log is the newest.

examples:
  loom-vm                                        a shell; try accel-smi
  loom-vm -- build/bin/accel-smi
  loom-vm --cards 2 --timeout 300 -- make -C tests/selftests run
  loom-vm --device-opts hbm-size=2G --verbose -- sh -c 'dmesg | grep loom'
  loom-vm --fault hang,after=100 -- COMMAND      make the 101st command hang
  loom-vm --qemu-arg=-s                          debug the kernel: gdb, then
                                                 target remote :1234"""


def _memory(text):
    match = re.fullmatch(r"(\d+)([MG])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size like 512M or 2G")
    mebibytes = int(match[1]) * (1024 if match[2] == "G" else 1)
    if mebibytes < 256:
        raise argparse.ArgumentTypeError(f"{text} is too little to boot; use 256M or more")
    return f"{mebibytes}M"


def _count(low, high):
    def parse(text):
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from {low} to {high}")
        return int(text)
    return parse


def _seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e7:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return value


def _fault(text):
    match = re.fullmatch(r"(?:(\d+):)?([a-z].*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not [CARD:]FAULT[,KEY=VALUE]...")
    return (None if match[1] is None else int(match[1])), match[2]


def _directory(text):
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"there is no directory '{text}'")
    return os.path.realpath(text)


def _file(text):
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f"there is no file '{text}'")
    return os.path.abspath(text)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(errors.NOT_RUN, f"loom-vm: {message}; see loom-vm --help\n")


def _parser():
    parser = _Parser(prog="loom-vm", usage=USAGE, description=HEAD, epilog=TAIL,
                     allow_abbrev=False,
                     formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
                         prog, max_help_position=26, width=80))

    add = parser.add_argument_group("machine").add_argument

    add("--cards", type=_count(0, 16), default=1, metavar="N",
        help="cards in the machine, each behind a PCIe root port (default 1)")
    add("--no-card", dest="cards", action="store_const", const=0,
        help="no card, same as --cards 0")
    add("--device-opts", default="", metavar="K=V,...",
        help="properties of each card; QEMU's '-device loom,help' lists them")
    add("--timing", choices=("free", "paced"), default="free",
        help="when jobs complete: as soon as the host has done the work, or at their "
             "modelled time (default free)")
    add("--icount", nargs="?", const="shift=1,sleep=off", metavar="OPTIONS",
        help="count instructions for time, so that the same run takes the same time "
             "again; OPTIONS are those of QEMU's -icount (default shift=1,sleep=off)")
    add("--trace", metavar="FILE",
        help="write what the cards do to FILE, FILE.1, ...; open them in "
             "https://ui.perfetto.dev")
    add("--cpus", type=_count(1, 64), default=2, metavar="N", help="processors (default 2)")
    add("--mem", type=_memory, default="2048M", metavar="SIZE", help="memory (default 2G)")
    add("--accel", choices=("tcg", "kvm"),
        help="how to run the processors; default kvm where the modules kvm_intel or "
             "kvm_amd are loaded and /dev/kvm can be opened, otherwise tcg")

    add = parser.add_argument_group("kernel and driver").add_argument
    add("--kernel", type=_directory, metavar="DIR",
        help="kernel to boot, laid out as by tools/env/kernel.sh (boot/vmlinuz-*, "
             "lib/modules/*); the default is that script's")
    add("--debug-kernel", action="store_true",
        help="boot the kernel with KASAN, lockdep, kmemleak ... that "
             "tools/env/debug-kernel.sh builds, and the driver built for it")
    add("--module", metavar="FILE",
        help="driver to load (default build/module/loom.ko)")
    add("--no-driver", action="store_true", help="do not load loom.ko")
    add("--driver-opts", default="", metavar="'K=V ..'",
        help="parameters of loom.ko")
    add("--append", default="", metavar="STR", help="add to the kernel's command line")
    add("--panic-on-warn", action="store_true",
        help="end the VM at the first kernel warning")

    add = parser.add_argument_group("command").add_argument
    add("--timeout", type=_seconds, metavar="S",
        help="end the VM after S seconds (exit status 124)")
    add("--cwd", metavar="DIR", help="run COMMAND in DIR, not in the project directory")
    add("--env", action="append", default=[], metavar="NAME[=VALUE]",
        help="pass this variable too")
    add("--rw", type=_directory, action="append", default=[], metavar="DIR",
        help="share another directory read-write")
    add("--tty", action="store_true",
        help="give COMMAND a terminal: for gdb, top, ...")
    add("--no-stdin", action="store_true", help="give COMMAND an empty standard input")

    add = parser.add_argument_group("snapshots and migration").add_argument
    add("--no-share", action="store_true",
        help="share no files: the VM has in its memory COMMAND's program with its "
             "libraries, and what --add names; only such a VM can be saved and migrated")
    add("--add", type=_file, action="append", default=[], metavar="PATH",
        help="with --no-share, a file or directory that the VM has too")
    add("--snapshots", metavar="FILE",
        help="disk image for the monitor's savevm and loadvm; made if there is none")
    add("--incoming", metavar="URI",
        help="go on with a VM that migrates here, e.g. unix:PATH or tcp:HOST:PORT; "
             "give all other options as there")

    add = parser.add_argument_group("testing and debugging").add_argument
    add("--qemu-arg", action="append", default=[], metavar="ARG",
        help="pass ARG to QEMU (--qemu-arg=-ARG when it begins with a dash)")
    add("--qmp", metavar="PATH", help="let QEMU listen for QMP on this socket, too")
    add("--fault", action="append", default=[], type=_fault, metavar="[CARD:]FAULT[,K=V]...",
        help="arm a fault in the cards, or in card number CARD, from the start; "
             "loom-fault list names them, Documentation/faults.rst explains them")
    add("--guest-faults", action="store_true",
        help="let COMMAND use loom-fault; it can then do whatever you can, through "
             "QEMU's monitor")
    add("--console", action="store_true", help="show the kernel's log on stderr")
    add("--verbose", action="store_true", help="say on stderr what happens when")
    add("--dry-run", action="store_true", help="print QEMU's command line and end")
    return parser


def _check_trace(options):
    path = os.path.abspath(options.trace)
    if not os.access(os.path.dirname(path), os.W_OK | os.X_OK):
        raise errors.Problem(f"--trace: cannot write to {os.path.dirname(path)}")
    if not options.cards:
        raise errors.Problem("--trace: there is no card to trace")
    options.trace = path


def parse(args):
    """Return the options; .command is a list, empty for a shell."""
    command = []
    if "--" in args:
        split = args.index("--")
        args, command = args[:split], args[split + 1:]
    parser = _parser()
    options, extra = parser.parse_known_args(args)
    if extra and not extra[0].startswith("-"):
        parser.error(f"write -- before the command: loom-vm ... -- {extra[0]} ...")
    if extra:
        parser.error(f"there is no option {extra[0]}")
    if options.debug_kernel and options.kernel:
        parser.error("--debug-kernel and --kernel exclude each other")
    if options.icount and options.accel == "kvm":
        raise errors.Problem("--icount: KVM cannot count instructions; use --accel tcg")
    if options.trace:
        _check_trace(options)
    options.command = command
    _check_no_share(options)
    return options


def _check_no_share(options):
    if options.no_share and not options.command:
        raise errors.Problem("--no-share needs a COMMAND; for a shell: --add /bin/ls ... "
                             "--tty -- /bin/bash")
    if options.no_share and options.rw:
        raise errors.Problem("--no-share and --rw contradict each other")
    for name in ("add", "incoming"):
        if getattr(options, name) and not options.no_share:
            raise errors.Problem(f"--{name} needs --no-share")
