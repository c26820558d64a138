# SPDX-License-Identifier: MIT
"""Follow the guest kernel's log and find the reports of problems in it."""
import collections
import re

# "[   12.345678]", and with CONFIG_PRINTK_CALLER "[   T123]" behind it.
_PREFIX = re.compile(r"\[ *(\d+\.\d+)\](?:\[ *[TC]\d+\])? ?")

# How each kind of report begins.
_START = re.compile(r"""
      -+\[\ cut\ here
    | WARNING:\ | WARNING\ in\ 
    | (watchdog:\ )?BUG:\ | BUG\ \S+\ \(            # the second is SLUB's
    | kernel\ BUG\ at\ 
    | (Oops|general\ protection\ fault|double\ fault|stack\ segment)\b
    | divide\ error: | invalid\ opcode: | int3:
    | Kernel\ panic\ -
    | UBSAN:\ 
    | (rcu:\ )?INFO:\ rcu\S*\ .*stall
    | INFO:\ task\ .*\ blocked\ for
    | INFO:\ trying\ to\ register
    | (refcount_t|ODEBUG):\ 
    | list_(add|del)\ corruption
    | kmemleak:\ \d+\ new\ suspected
    | Voluntary\ context\ switch\ within\ RCU
    """, re.VERBOSE)
_TRACE = "Call Trace:"
_END = re.compile(r"-+\[ end (trace|Kernel panic)")
_RULE = re.compile(r"={20,}$")

# Faults of the kernel itself, which it reports however right a driver is: how the report
# begins, and what all stands in it.
_KNOWN = (
    # The slot's thread takes both locks in both orders when a card with a driver is
    # pulled out (6.12).
    ("WARNING: possible circular locking dependency",
     ("(&ctrl->reset_lock)", "(pci_rescan_remove_lock)", "pciehp_unconfigure_device")),
)

_MAX_LINES = 150        # of one report
_MAX_PAUSE = 0.5        # seconds; later lines belong to something else


class Report:
    """The lines of one problem, as logged."""

    def __init__(self, lines, time):
        self.lines = lines
        self._time = time           # of the last line
        self._open = True
        self._traced = False        # it has said how the kernel came there

    def title(self):
        """The line that says what it is."""
        texts = [_PREFIX.sub("", line, count=1) for line in self.lines]
        named = [text for text in texts if _START.match(text) and "cut here" not in text]
        return (named or texts)[0]

    def known(self):
        """Whether it is a fault of the kernel itself; our module is nowhere in it."""
        text = "\n".join(self.lines)
        return "[loom]" not in text and any(
            self.title().startswith(title) and all(word in text for word in words)
            for title, words in _KNOWN)

    def take(self, line, time, text):
        """Add the line if it belongs to this report."""
        next_one = self._traced and _START.match(text)
        if next_one or time - self._time > _MAX_PAUSE or len(self.lines) >= _MAX_LINES:
            self._open = False
        if not self._open:
            return False
        self._time = time
        self._traced |= text.startswith(_TRACE)
        # KASAN ends with a rule as it began with one.
        if _END.match(text) or (_RULE.match(text) and len(self.lines) > 5):
            self._open = False
        self.lines.append(line)
        return True


class KernelLog:
    """The file that QEMU writes the guest's serial console to."""

    def __init__(self, path, mark):
        self.path = path
        self.complete = False       # the mark was logged
        self.recent = collections.deque(maxlen=400)
        self._all = []              # reports
        self._mark = mark
        self._file = None
        self._partial = b""

    @property
    def reports(self):
        """What somebody has to look at."""
        return [report for report in self._all if not report.known()]

    @property
    def known(self):
        """Reports of faults that are the kernel's own, and known."""
        return [report for report in self._all if report.known()]

    def poll(self):
        """Read what is new; return its lines."""
        if self._file is None:
            try:
                self._file = open(self.path, "rb")
            except FileNotFoundError:
                return []
        *lines, self._partial = (self._partial + self._file.read()).split(b"\n")
        lines = [line.decode(errors="replace").rstrip("\r") for line in lines]
        for line in lines:
            self._take(line)
        return lines

    def last(self, count, pattern=""):
        """The last lines that match."""
        return [line for line in self.recent if re.search(pattern, line)][-count:]

    def _take(self, line):
        prefix = _PREFIX.match(line)
        time = float(prefix[1]) if prefix else 0
        text = line[prefix.end():] if prefix else line
        if self._mark in text:
            self.complete = True
        elif self._all and self._all[-1].take(line, time, text):
            pass
        elif _START.match(text):
            # What is just above often says what it is about.
            above = [line for line in self.last(1) if _RULE.search(line)]
            self._all.append(Report(above + [line], time))
        self.recent.append(line)
