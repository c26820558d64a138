# SPDX-License-Identifier: MIT
"""loom-vm from its arguments to its exit status."""
import os
import re
import shlex
import signal
import time
import types

from . import (errors, initramfs, kernellog, machine, options, parts, qcow2, qmp, ramroot,
               session, terminal)
from .errors import Problem, Stopped, TimedOut
from .terminal import say

_PASSED = re.compile(r"PATH|HOME|TERM|COLORTERM|LANG|LANGUAGE|LC_.*|TZ|LOOM_.*|ACCEL_.*")
_KEPT_LOGS = 20


def main(top, args):
    """Run loom-vm; return its exit status."""
    _open_standard_files()
    try:
        chosen = options.parse(shlex.split(os.environ.pop("LOOM_VM_OPTIONS", "")) + args)
        return _run(top, chosen)
    except Problem as problem:
        say(str(problem))
        return errors.NOT_RUN
    except TimedOut:
        return errors.TIMED_OUT
    except KeyboardInterrupt:
        return errors.BY_SIGNAL + signal.SIGINT
    except Stopped as stopped:
        return errors.BY_SIGNAL + stopped.signum
    except BrokenPipeError:
        return errors.BY_SIGNAL + signal.SIGPIPE


def _open_standard_files():
    """Nothing else must become one of them if our caller closed it."""
    descriptor = 0
    while descriptor < 3:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


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
    """Remove logs beyond the newest, and what nobody used for a week."""
    logs = []
    for name in os.listdir(work):
        path = os.path.join(work, name)
        try:
            changed = os.lstat(path).st_mtime
        except OSError:
            continue        # another run was faster
        match = re.fullmatch(r"(\d+)\.console\.log", name)
        if match and not os.path.isdir(f"/proc/{match[1]}"):
            logs.append((changed, path))
        elif re.fullmatch(r"\d+\.qmp(\.guest)?", name):
            if not os.path.isdir(f"/proc/{name.partition('.')[0]}"):
                _remove(path)
        elif name.startswith("initramfs-") and changed < time.time() - 7 * 86400:
            _remove(path)
    for _, path in sorted(logs)[:-_KEPT_LOGS]:
        _remove(path)


def _remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass


def _link_last(work, console):
    temporary = os.path.join(work, f"last.{os.getpid()}")
    os.symlink(os.path.basename(console), temporary)
    os.rename(temporary, os.path.join(work, "last.console.log"))


def _kernel(top, chosen):
    if chosen.kernel:
        return parts.Kernel(chosen.kernel)
    which = "debug-kernel" if chosen.debug_kernel else "kernel"
    return parts.Kernel.of_script(top, f"tools/env/{which}.sh")


def _make_plan(top, chosen):
    """Find out everything that the options leave open."""
    plan = types.SimpleNamespace(port=3, driver=None)
    work = _work_directory(top)
    plan.console = os.path.join(work, f"{os.getpid()}.console.log")
    plan.qmp = qmp.socket_of(work, os.getpid())
    if chosen.guest_faults and not plan.qmp:
        raise Problem(f"--guest-faults: '{work}' is too long for a socket")
    for card, _ in chosen.fault:
        if card is not None and card >= chosen.cards:
            raise Problem(f"--fault: there is no card {card}, --cards is {chosen.cards}")
    # KVM does not count instructions.
    plan.accel = parts.accelerator("tcg" if chosen.icount else chosen.accel)
    plan.qemu = parts.Qemu(top)
    plan.kernel = _kernel(top, chosen)
    wanted = list(initramfs.BOOT_MODULES)
    if chosen.no_share:
        wanted = [name for name in wanted if name not in initramfs.SHARE_MODULES]
    if not chosen.no_driver:
        built = "build/module-debug" if chosen.debug_kernel else "build/module"
        path = os.path.abspath(chosen.module or os.path.join(top, built, "loom.ko"))
        plan.driver = parts.Driver(path, plan.kernel)
        wanted += plan.driver.depends
        newer = None if chosen.module else plan.driver.newer_source(top)
        if newer:
            say(f"note: {newer} is newer than loom.ko; tools/env/module.sh builds it")
    modules = initramfs.Modules(plan.kernel.modules).in_load_order(wanted)
    plan.initramfs = initramfs.build(modules, os.path.join(top, "tools/vm/guest-init.c"), work,
                                     _files(top, chosen, plan))
    shared = [] if chosen.no_share else [top, *chosen.rw]
    plan.shares = [(f"share{i}", path) for i, path in enumerate(shared)]
    if chosen.snapshots:
        qcow2.create(chosen.snapshots)
    if chosen.qmp:
        machine.check_socket_path(chosen.qmp)
    _tidy(work)
    return plan


def _files(top, chosen, plan):
    """What the initramfs of a VM without shares has to contain."""
    if not chosen.no_share:
        return ()
    files = ramroot.Files()
    files.add(ramroot.program(chosen.command[0], chosen.cwd or top, os.environ.get("PATH")))
    for path in chosen.add:
        files.add(path)
    if plan.driver:
        files.add(plan.driver.path)
    return files.items()


def _terminal_kind(chosen):
    """What COMMAND gets for stdin, stdout and stderr; see guest-init.c."""
    if chosen.tty or (not chosen.command and os.isatty(0)):
        return "full"
    # To a person it should look as it does without VM: lines at once, colours.
    return "output" if os.isatty(1) and os.isatty(2) else "none"


def _environment(chosen):
    passed = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}
    passed.setdefault("HOME", "/root")
    passed.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
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
        "cwd": os.path.abspath(chosen.cwd) if chosen.cwd else top,
        "done-mark": mark,
        "nodes": chosen.cards,
        "terminal": _terminal_kind(chosen),
        "size": "%d %d" % terminal.size(),
        "share": [f"{tag} {path}" for tag, path in plan.shares],
        "env": _environment(chosen),
        "arg": chosen.command or [_shell()],
    }
    if not chosen.no_share:
        setup["modules"] = os.path.realpath(os.path.dirname(plan.kernel.modules))
    setup["root"] = "memory" if chosen.no_share else "host"
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


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def _catch_signals(chosen):
    for signum in _ENDING:
        # nohup(1) means us too.
        if signum != signal.SIGHUP or signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, _stop)
    signal.signal(signal.SIGALRM, _time_out)
    if chosen.timeout:
        signal.setitimer(signal.ITIMER_REAL, chosen.timeout)


def _ignore_signals():
    """From here on ending the machine is all that we do."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for signum in (*_ENDING, signal.SIGALRM):
        signal.signal(signum, signal.SIG_IGN)


def _run(top, chosen):
    plan = _make_plan(top, chosen)
    if chosen.dry_run:
        words = map(shlex.quote, machine.command_line(chosen, plan))
        print(" ".join(words).replace(" -", " \\\n  -"))
        return 0

    mark = "loom-vm: end of command"
    if not chosen.no_share:
        # Else the guest may outlive us and log it to another loom-vm.
        mark += f" {os.getpid()}"
    log = kernellog.KernelLog(plan.console, mark)
    setup = _make_setup(top, chosen, plan, mark)
    with open(plan.console, "wb"):
        pass
    _link_last(os.path.dirname(plan.console), plan.console)

    _catch_signals(chosen)
    vm = machine.Machine(chosen, plan)
    # A second is plenty for QEMU to write its files; after anything else than
    # the command's end it is killed.
    grace = 0
    try:
        raw = setup["terminal"] == "full" and os.isatty(0) and terminal.in_foreground(0)
        with terminal.Raw(raw):
            ended_by, status = _run_session(vm, log, chosen, setup)
        grace = 1 if ended_by == _COMMAND else 0
    finally:
        _ignore_signals()
        vm.end(grace)
        if plan.qmp:
            _remove(plan.qmp)
            _remove(plan.qmp + ".guest")
        log.poll()
    return _conclude(log, ended_by, status)


# What ended a run.
_COMMAND, _VM, _TIMEOUT, _USER = range(4)


def _run_session(vm, log, chosen, setup):
    """Run the command; return what ended it, and its status or ours."""
    running = session.Session(vm, log, chosen, setup)
    if not chosen.command and setup["terminal"] == "full":
        say(f"{setup['cwd']} is shared, other changes are lost; Enter ~ . kills the VM")
    try:
        return _COMMAND, running.run()
    except Stopped as stopped:
        return _USER, errors.BY_SIGNAL + stopped.signum
    except TimedOut:
        say(f"timeout: the VM was not done in {chosen.timeout:g} s")
        # Once more, for who reads our output may be what hangs.
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            running.ask_what_hangs()
        except TimedOut:
            pass
        return _TIMEOUT, errors.TIMED_OUT
    except session.BootFailed as problem:
        log.poll()
        say(str(problem))
        _quote(log.last(12, r"\bloom\b|Unknown symbol") or log.last(12))
    except session.MachineEnded:
        running.show_last_words()
        log.poll()
        if not log.recent:
            say(f"the VM did not start ({vm.status()})")
        elif not log.reports:
            say(f"the VM ended before the command did ({vm.status()})")
    return _VM, errors.NOT_RUN


def _quote(lines):
    if lines:
        say("\n".join("    " + line for line in lines), prefix="")


def _conclude(log, ended_by, status):
    """Report what the kernel reported; return the exit status."""
    where = f"kernel log: {os.path.relpath(log.path)}"
    for report in log.known:
        say(f"note: a known fault of this kernel, not of a driver: {report.title()}")
    if log.reports:
        first, *others = log.reports
        say("the guest's kernel reports a problem:")
        _quote(first.lines)
        for report in others[:10]:
            say(f"and then: {report.title()}")
        say(f"failed: {first.title()}")
        if ended_by == _COMMAND:
            where += f"; COMMAND returned {status}"
        if ended_by in (_COMMAND, _VM):
            status = errors.KERNEL_REPORT
    if log.recent and (log.reports or ended_by in (_VM, _TIMEOUT)):
        say(where)
    return status
