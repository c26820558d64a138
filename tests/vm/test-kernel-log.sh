#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What tools/loom-vm takes for a report of the guest's kernel, on excerpts of
# real logs.  Needs no VM.
cd "$(dirname "$0")/../.." || exit
exec /usr/bin/python3 -B - <<'PYTHON'
import os
import sys
import tempfile

sys.path.insert(0, "tools")
from vm.kernellog import KernelLog


def reports(lines, caller=""):
    """Titles and sizes of what is found in lines logged 1 ms apart."""
    with tempfile.NamedTemporaryFile("w") as file:
        time = 1.0
        for line in lines.strip().split("\n") + ["the mark"]:
            time += 5 if line == "PAUSE" else 0.001
            if line != "PAUSE":
                file.write(f"[{time:12.6f}]{caller} {line}\r\n")
        file.flush()
        log = KernelLog(file.name, "the mark")
        log.poll()
    assert log.complete, "the mark was not seen"
    return [report.title() for report in log.reports], [len(r.lines) for r in log.reports]


# Of a card that was pulled out.
HOTPLUG = """
======================================================
WARNING: possible circular locking dependency detected
6.12.117 #1 Tainted: G          IO
irq/24-pciehp/43 is trying to acquire lock:
(&ctrl->reset_lock){++++}-{3:3}, at: pciehp_unconfigure_device+0x1e1/0x390
but task is already holding lock:
(pci_rescan_remove_lock){+.+.}-{3:3}, at: pci_lock_rescan_remove+0x12/0x20
Call Trace:
 pciehp_unconfigure_device+0x1e1/0x390
 pciehp_disable_slot+0xf5/0x350
"""

CASES = {
    "an_ordinary_boot_is_clean": ("""
Spectre V2 : WARNING: Unprivileged eBPF is enabled
loom: loading out-of-tree module taints kernel.
loom: module verification failed: signature and/or required key missing - tainting kernel
pcieport 0000:00:04.0: AER: Uncorrectable (Non-Fatal) error message received from 0000:01:00.0
test_bo[123]: segfault at 0 ip 000055e1 sp 00007ffe error 4 in test_bo[1000+1000]
loom 0000:01:00.0: queue 3 hangs: reset
workqueue: blk_mq_run_work_fn hogged CPU for >10000us 4 times
clocksource: Watchdog remote CPU 0 read timed out
""", [], []),

    "warning_ends_with_its_trace": ("""
------------[ cut here ]------------
loom: this is odd: 3
WARNING: CPU: 0 PID: 125 at driver/loom_bo.c:7 loom_bo_free+0x87/0xff0 [loom]
Call Trace:
 <TASK>
 </TASK>
---[ end trace 0000000000000000 ]---
loom 0000:01:00.0: goes on
""", ["WARNING: CPU: 0 PID: 125 at driver/loom_bo.c:7 loom_bo_free+0x87/0xff0 [loom]"], [7]),

    "oops_and_its_panic_are_two": ("""
BUG: kernel NULL pointer dereference, address: 0000000000000008
#PF: supervisor write access in kernel mode
Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI
Call Trace:
 <TASK>
 </TASK>
---[ end trace 0000000000000000 ]---
RIP: 0010:loom_ring_push+0x19/0xff0 [loom]
Kernel panic - not syncing: Fatal exception
""", ["BUG: kernel NULL pointer dereference, address: 0000000000000008",
      "Kernel panic - not syncing: Fatal exception"], [7, 1]),

    "kasan_has_a_rule_on_both_sides": ("""
==================================================================
BUG: KASAN: slab-use-after-free in loom_job_done+0x41/0x80 [loom]
Read of size 8 at addr ffff888004bcde40 by task kworker/1:2/67

Call Trace:
 <TASK>
Freed by task 67:
==================================================================
Disabling lock debugging due to kernel taint
""", ["BUG: KASAN: slab-use-after-free in loom_job_done+0x41/0x80 [loom]"], [8]),

    "lockdep_is_named": ("""
======================================================
WARNING: possible circular locking dependency detected
6.12.95 #1 Tainted: G           O
------------------------------------------------------
test_vm/130 is trying to acquire lock:
""", ["WARNING: possible circular locking dependency detected"], [5]),

    "lock_order_of_pci_hotplug_is_known": (HOTPLUG, [], []),

    "lock_order_with_our_module_in_it_is_not": (
        HOTPLUG + "[loom]", ["WARNING: possible circular locking dependency detected"], [11]),

    "two_without_end_are_told_apart": ("""
BUG: scheduling while atomic: insmod/125/0x00000002
Call Trace:
 <TASK>
------------[ cut here ]------------
WARNING: CPU: 1 PID: 2 at kernel/x.c:1 x+0x1/0x2
---[ end trace 0000000000000000 ]---
""", ["BUG: scheduling while atomic: insmod/125/0x00000002",
      "WARNING: CPU: 1 PID: 2 at kernel/x.c:1 x+0x1/0x2"], [3, 3]),

    "a_pause_ends_a_report": ("""
INFO: task loom-train:140 blocked for more than 120 seconds.
Call Trace:
PAUSE
loom 0000:01:00.0: something else
""", ["INFO: task loom-train:140 blocked for more than 120 seconds."], [2]),
}

for line in ("watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [insmod:125]",
             "rcu: INFO: rcu_preempt self-detected stall on CPU",
             "UBSAN: array-index-out-of-bounds in driver/loom_mmu.c:12:3",
             "BUG kmalloc-64 (Tainted: G    B): Poison overwritten",
             "WARNING: suspicious RCU usage",
             "general protection fault, probably for non-canonical address 0x1: 0000 [#1]",
             "kmemleak: 5 new suspected memory leaks (see /sys/kernel/debug/kmemleak)"):
    CASES["report: " + line.split(",")[0][:40]] = (line, [line], [1])

results = {name: reports(lines) == (titles, sizes)
           for name, (lines, titles, sizes) in CASES.items()}
# As a kernel with CONFIG_PRINTK_CALLER logs it.
results["caller_information_is_skipped"] = (
    reports("kernel BUG at mm/slub.c:1!", "[  T125]") == (["kernel BUG at mm/slub.c:1!"], [1]))

print("TAP version 13")
print(f"1..{len(results)}")
for number, (name, good) in enumerate(results.items(), 1):
    print(f"{'ok' if good else 'not ok'} {number} {name}")
    if not good and name in CASES:
        print(f"# got {reports(CASES[name][0])}")
sys.exit(not all(results.values()))
PYTHON
