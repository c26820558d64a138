# SPDX-License-Identifier: MIT
"""loom-vm from its arguments to its exit status."""

import os
import re
import shlex
import signal

import types

from . import errors, initramfs, kernellog, machine, options, parts, session, terminal
from .errors import Problem, Stopped, TimedOut
from .terminal import say

_PASSED = re.compile(r"PATH|HOME|TERM|COLORTERM|LANG|LANGUAGE|LC_.*|TZ|LOOM_.*|ACCEL_.*")
_KEPT_LOGS = 20


def main(top, args):
    """Run loom-vm; return its exit status."""
    try:
        chosen = options.parse(args)
        return _run(top, chosen)
    except Problem as problem:
        say(str(problem))
        return errors.NOT_RUN
    except Stopped as stopped:
        return errors.BY_SIGNAL + (stopped.signum or signal.SIGKILL)
    except BrokenPipeError:
        return errors.BY_SIGNAL + signal.SIGPIPE


#
# Before the machine starts
#

def _work_directory(top):
    """build/vm, where logs and the initramfs are."""
    path = os.path.join(top, "build/vm")
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise Problem(f"cannot create {path}: {error.strerror}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise Problem(f"cannot write to {path}: it belongs to another user; "
                      "remove it or give it to yours")
    return path


def _tidy(work):
    """Remove logs beyond the newest and what killed runs left."""
    logs = []
    for name in os.listdir(work):
        path = os.path.join(work, name)
        try:
            age = os.stat(path).st_mtime
        except OSError:
            continue
        match = re.fullmatch(r"(\d+)\.console\.log", name)
        if match and not os.path.isdir(f"/proc/{match[1]}"):
            logs.append((age, path))
        elif name.startswith("initramfs-"):
            logs.append((age, path))
    for _, path in sorted(logs)[:-_KEPT_LOGS]:
        try:
            os.unlink(path)
        except OSError:
            pass        # another run was faster


def _link_last(work, console):
    temporary = os.path.join(work, f"last.{os.getpid()}")
    os.symlink(os.path.basename(console), temporary)
    os.rename(temporary, os.path.join(work, "last.console.log"))


def _make_plan(top, chosen):
    """Find out everything that the options leave open."""
    plan = types.SimpleNamespace(port=3, driver=None)
    work = _work_directory(top)
    plan.console = os.path.join(work, f"{os.getpid()}.console.log")
    plan.accel = parts.accelerator(chosen.accel)
    plan.qemu = parts.Qemu(top)
    plan.kernel = parts.Kernel(chosen.kernel) if chosen.kernel else parts.Kernel.default(top)
    wanted = list(initramfs.BOOT_MODULES)
    if not chosen.no_driver:
        path = os.path.abspath(chosen.module or os.path.join(top, "build/module/loom.ko"))
        plan.driver = parts.Driver(path, plan.kernel)
        wanted += plan.driver.depends
        newer = None if chosen.module else plan.driver.newer_source(top)
        if newer:
            say(f"note: {newer} is newer than loom.ko; tools/env/module.sh builds it")
    modules = initramfs.Modules(plan.kernel.modules).in_load_order(wanted)
    plan.initramfs = initramfs.build(modules, os.path.join(top, "tools/vm/guest-init.c"), work)
    plan.shares = [(f"share{i}", path) for i, path in enumerate([top, *chosen.rw])]
    if chosen.qmp:
        machine.check_socket_path(chosen.qmp)
    _tidy(work)
    return plan


def _terminal_kind(chosen):
    """What COMMAND gets for stdin, stdout and stderr; see guest-init.c."""
    if chosen.tty or (not chosen.command and os.isatty(0)):
        return "full"
    # To a person it should look as it does without VM: lines at once, colours.
    return "output" if os.isatty(1) and os.isatty(2) else "none"


def _environment(chosen):
    passed = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}
    passed["PATH"] = passed.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    for directory in ("/usr/sbin", "/sbin"):
        if directory not in passed["PATH"].split(":"):
            passed["PATH"] += ":" + directory
    passed.update(USER="root", LOGNAME="root", SHELL=_shell(), LOOM_VM="1")
    for item in chosen.env:
        name, equals, value = item.partition("=")
        if not name:
            raise Problem(f"--env: '{item}' is not NAME or NAME=VALUE")
        if equals:
            passed[name] = value
        elif name in os.environ:
            passed[name] = os.environ[name]
    return [f"{name}={value}" for name, value in passed.items()]


def _shell():
    shell = os.environ.get("SHELL", "")
    return shell if os.access(shell, os.X_OK) else "/bin/bash"


def _make_setup(top, chosen, plan, mark):
    """What guest-init is told; the keys are those of its receive_setup()."""
    setup = {
        "modules": os.path.realpath(os.path.dirname(plan.kernel.modules)),
        "cwd": os.path.abspath(chosen.cwd) if chosen.cwd else top,
        "done-mark": mark,
        "nodes": chosen.cards,
        "terminal": _terminal_kind(chosen),
        "size": "%d %d" % terminal.size(),
        "share": [f"{tag} {path}" for tag, path in plan.shares],
        "env": _environment(chosen),
        "arg": chosen.command or [_shell()],
    }
    if plan.driver:
        setup["driver"] = plan.driver.path
        setup["driver-options"] = chosen.driver_opts
    return setup


#
# The run
#

def _stop(signum, _frame):
    raise Stopped(signum)


def _time_out(_signum, _frame):
    raise TimedOut


def _catch_signals(chosen):
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, _stop)
    signal.signal(signal.SIGALRM, _time_out)
    if chosen.timeout:
        signal.setitimer(signal.ITIMER_REAL, chosen.timeout)


def _ignore_signals():
    """From here on ending the machine is all that we do."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
                   signal.SIGALRM):
        signal.signal(signum, signal.SIG_IGN)


def _run(top, chosen):
    # Opened files must be where QEMU looks for them, and it has our directory.
    plan = _make_plan(top, chosen)
    if chosen.dry_run:
        print(shlex.join(machine.command_line(chosen, plan)))
        return 0

    mark = f"loom-vm: end of command {os.getpid()}"
    log = kernellog.KernelLog(plan.console, mark)
    setup = _make_setup(top, chosen, plan, mark)
    with open(plan.console, "wb"):
        pass
    _link_last(os.path.dirname(plan.console), plan.console)

    _catch_signals(chosen)
    vm = machine.Machine(chosen, plan)
    # A second is plenty for QEMU to write its files; after an error kill it.
    grace = 0
    try:
        with terminal.Raw(setup["terminal"] == "full" and os.isatty(0)):
            status = _run_session(vm, log, chosen, setup)
        grace = 1
    finally:
        _ignore_signals()
        vm.end(grace)
        log.poll()
    return _conclude(log, status)


def _run_session(vm, log, chosen, setup):
    """Run the command and return its status or ours."""
    running = session.Session(vm, log, chosen, setup)
    if not chosen.command and setup["terminal"] == "full":
        _greet(chosen, setup)
    try:
        status = running.run()
    except TimedOut:
        say(f"timeout: the VM was not done in {chosen.timeout:g} s")
        running.ask_what_hangs()
        status = errors.TIMED_OUT
    except session.BootFailed as problem:
        log.poll()
        say(str(problem))
        _quote(log.last(12, r"loom|driver|module") or log.last(12))
        status = errors.NOT_RUN
    except session.MachineEnded:
        log.poll()
        if not log.reports:
            say(f"the VM ended before the command did ({vm.status()})")
        status = errors.NOT_RUN
    return status


def _greet(chosen, setup):
    cards = {0: "no card", 1: "1 card"}.get(chosen.cards, f"{chosen.cards} cards")
    say(f"{cards}; {setup['cwd']} is shared, other files you write are lost; "
        "Enter ~ . ends a VM that hangs")


def _quote(lines):
    if lines:
        say("\n".join("    " + line for line in lines), prefix="")


def _conclude(log, status):
    """Report what the kernel reported; return the exit status."""
    where = os.path.relpath(log.path)
    if log.reports:
        first, *others = log.reports
        say(f"the guest's kernel reported a problem (command's status: {status}):")
        _quote(first.lines)
        for report in others[:10]:
            say(f"and: {report.title()}")
        if status in (0, errors.NOT_RUN) or status < errors.TIMED_OUT:
            status = errors.KERNEL_REPORT
    if status in (errors.KERNEL_REPORT, errors.TIMED_OUT, errors.NOT_RUN):
        say(f"kernel log: {where}")
    return status
