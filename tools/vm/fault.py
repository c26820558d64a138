# SPDX-License-Identifier: MIT
"""loom-fault: arm faults in the cards of a running QEMU, and see what became of them."""
import argparse
import json
import os
import sys

from . import qmp
from .errors import Problem

# The card knows them itself; a test compares.
KINDS = {
    "ecc-corrected": "a read of HBM meets an error that ECC corrects",
    "ecc-uncorrected": "a read of HBM meets one it cannot correct: the page is poisoned",
    "poison": "the patrol finds a page that cannot be corrected",
    "hang": "a command never ends",
    "reset-stuck": "resetting a queue does nothing",
    "irq-lost": "an interrupt does not arrive",
    "irq-duplicate": "an interrupt comes again --delay later",
    "irq-late": "an interrupt comes --delay late",
    "wrong-seq": "a completion carries a wrong sequence number",
    "stuck-doorbell": "a doorbell is not heard",
    "dma-error": "system memory does not answer",
    "thermal-trip": "the card overheats and stops",
    "aer-correctable": "a PCI Express error, reported by AER",
    "aer-nonfatal": "likewise",
    "aer-fatal": "likewise",
    "link-down": "the card is off the bus for --delay, then as after a reset",
    "surprise-removal": "the card is pulled out of its slot",
    "flr-timeout": "the card needs --delay to come back from a function-level reset",
}

HEAD = """\
Makes the Loom cards of a running virtual machine fail, at a place that is the
same every time.  Talks to the VM that tools/loom-vm runs; in the guest, to its
own one if that was started with --guest-faults."""

TAIL = """\
examples:
  loom-fault arm hang --after 100 --queue 1     the 101st command of queue 1
  loom-fault arm irq-lost --count 0 --chance 50 --seed 7
  loom-fault arm ecc-uncorrected --addr 0x800000
  loom-fault aer nonfatal --header 40000001.0000000f.fe000000.00000000
  loom-fault remove
  loom-fault status
  loom-vm --fault hang,after=100,queue=1 -- COMMAND    armed from the start

Documentation/faults.rst says what each fault does and what the guest sees.
exit status: 0; 1 when it did not work, with the reason; 2 for wrong usage"""

# Of arm: option, type, help.
_WHEN = (
    ("after", "N", "occurrences to let pass first (default 0)"),
    ("count", "N", "how often to strike, 0: for ever (default 1)"),
    ("chance", "N", "strike one in N occurrences, at random (default 1: each)"),
    ("seed", "N", "of all that is random (default 1)"),
    ("queue", "N", "only this queue"),
    ("vector", "N", "only this interrupt vector"),
    ("addr", "A", "only accesses of this HBM offset or bus address"),
    ("delay", "MS", "how late or how long, milliseconds; 0: for ever"),
    ("status", "BIT", "AER status bit"),
    ("header", "W.W.W.W", "TLP header that AER logs, four hexadecimal words"),
)


def _parser():
    parser = argparse.ArgumentParser(
        prog="loom-fault", description=HEAD, epilog=TAIL, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vm", metavar="PID", help="the VM of this loom-vm process, if several run")
    parser.add_argument("--qmp", metavar="PATH", help="QMP socket of any QEMU")
    parser.add_argument("--card", metavar="ID", help="card0, card1, ... (default: the only one)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    commands.add_parser("list", help="the faults that there are")
    arm = commands.add_parser("arm", help="arm a fault")
    arm.add_argument("fault", metavar="FAULT", help="see loom-fault list")
    for name, kind, text in _WHEN:
        arm.add_argument("--" + name, metavar=kind, help=text)
    status = commands.add_parser("status", help="what is armed, and what struck")
    status.add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("clear", help="disarm all; what failed stays failed")
    aer = commands.add_parser("aer", help="report a PCI Express error now")
    aer.add_argument("severity", choices=("correctable", "nonfatal", "fatal"))
    for name, kind, text in _WHEN[-2:]:
        aer.add_argument("--" + name, metavar=kind, help=text)
    commands.add_parser("remove", help="pull the card out now")
    return parser


def main(top, args):
    """Run loom-fault; return its exit status."""
    options = _parser().parse_args(args)
    try:
        if options.command == "list":
            _list()
        else:
            _talk(top, options)
    except Problem as problem:
        print(f"loom-fault: {problem}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    return 0


def _list():
    for name, text in KINDS.items():
        print(f"{name:<18}{text}")


def _find(top, options):
    """The monitor to talk to."""
    if options.qmp:
        return options.qmp
    port = qmp.guest_port()
    if port:
        return port
    running = qmp.running(os.path.join(top, "build/vm"))
    if options.vm:
        if options.vm in running:
            return running[options.vm]
        raise Problem(f"no VM of loom-vm with process {options.vm} runs here")
    if not running:
        raise Problem("no VM runs: start one with tools/loom-vm, or name a socket with --qmp; "
                      "in a guest, it needs loom-vm --guest-faults")
    if len(running) > 1:
        raise Problem("several VMs run: choose one with --vm " + ", --vm ".join(sorted(running)))
    return next(iter(running.values()))


def _cards(monitor):
    return sorted(item["name"] for path in ("/machine/peripheral", "/machine/peripheral-anon")
                  for item in monitor.run("qom-list", path=path) if item["type"] == "child<loom>")


def _choose(monitor, wanted):
    cards = _cards(monitor)
    if not cards:
        raise Problem("this VM has no card")
    if wanted and wanted not in cards:
        raise Problem(f"there is no card '{wanted}', only {', '.join(cards)}")
    if not wanted and len(cards) > 1:
        raise Problem("several cards: choose one with --card " + ", --card ".join(cards))
    return wanted or cards[0]


def _words(name, options):
    """A specification as the card reads it."""
    values = [f"{key}={getattr(options, key)}" for key, _, _ in _WHEN
              if getattr(options, key, None) is not None]
    return ",".join([name, *values])


def _talk(top, options):
    path = _find(top, options)
    try:
        monitor = qmp.Monitor(path)
        if options.command == "status":
            cards = [options.card] if options.card else _cards(monitor)
            _status(monitor, cards, options.json)
        else:
            card = _choose(monitor, options.card)
            monitor.run("qom-set", path=card, property="inject", value=_order(options))
        monitor.close()
    except OSError as error:
        raise Problem(f"QEMU at {path}: {error}") from error


def _order(options):
    if options.command == "clear":
        return "none"
    if options.command == "remove":
        return "surprise-removal"
    if options.command == "aer":
        return _words("aer-" + options.severity, options)
    if options.fault not in KINDS:
        raise Problem(f"there is no fault '{options.fault}'; loom-fault list names them")
    return _words(options.fault, options)


def _status(monitor, cards, as_json):
    found = {card: {name: monitor.run("qom-get", path=card, property=name)
                    for name in ("faults", "poison")} for card in cards}
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for card, state in found.items():
        print(f"{card}: {len(state['faults'])} faults, {len(state['poison'])} poisoned pages")
        for each in state["faults"]:
            print("  " + _describe(each))
        for page in state["poison"]:
            print(f"  poisoned page 0x{page:x}")


def _describe(fault):
    keys = ("after", "count", "chance", "seed", "queue", "vector", "addr", "delay")
    usual = {"after": 0, "count": 1, "chance": 1, "seed": 1}
    words = ",".join([fault["fault"]] + [f"{key}={fault[key]}" for key in keys
                                         if key in fault and fault[key] != usual.get(key)])
    text = f"{words:<44} {'armed' if fault['armed'] else 'spent'}  "
    text += f"seen {fault['seen']}, struck {fault['fired']}"
    if fault["fired"]:
        text += f", last at {fault['last-seen']}"
        text += f" of queue {fault['last-queue']}" if "last-queue" in fault else ""
        text += f", address 0x{fault['last-addr']:x}" if "last-addr" in fault else ""
    return text
