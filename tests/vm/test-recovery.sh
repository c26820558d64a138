#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A card with faults armed: tests/selftests/test_recovery.c says what each does to
# the card's clients.
cd "$(dirname "$0")/../.." || exit
exec /usr/bin/python3 -B - <<'PYTHON'
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

FAULTS = ("irq-lost,queue=5", "wrong-seq,queue=10", "irq-late,queue=12,delay=150",
          "irq-duplicate,queue=15,delay=500", "stuck-doorbell,queue=23",
          "dma-error,queue=26", "hang,queue=20", "reset-stuck,queue=20",
          "poison,queue=33,addr=0x30000000", "thermal-trip,queue=30",
          "aer-fatal,queue=40", "flr-timeout", "surprise-removal,queue=45")

SLOT_OFF = 8    # seconds


def connect(path, vm):
    """QEMU's QMP, as soon as it listens."""
    while vm.poll() is None:
        try:
            qmp = socket.socket(socket.AF_UNIX)
            qmp.connect(path)
            return qmp.makefile("rw")
        except OSError:
            time.sleep(0.1)
    sys.exit("the VM did not start")


def command(qmp, name, **arguments):
    """Run one command; whatever else QEMU says is skipped."""
    qmp.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
    qmp.flush()
    for line in qmp:
        answer = json.loads(line)
        if "error" in answer:
            sys.exit(f"{name} {arguments}: {answer['error']['desc']}")
        if "return" in answer:
            return


with tempfile.TemporaryDirectory() as tmp:
    path = os.path.join(tmp, "qmp")
    vm = subprocess.Popen(
        ["tools/loom-vm", "--timeout", "600", "--qmp", path,
         "--driver-opts", "job_timeout_ms=1500", "--env", "LOOM_FAULTY=1", "--",
         "sh", "-c", "read go && exec build/bin/tests/test_recovery"],
        stdin=subprocess.PIPE, text=True)
    monitor = connect(path, vm)
    command(monitor, "qmp_capabilities")
    for fault in FAULTS:
        command(monitor, "qom-set", path="card0", property="inject", value=fault)
    vm.stdin.write("go\n")
    vm.stdin.flush()
    # The last one pulls the card out: plug in another when the kernel has switched
    # the slot off.
    for line in monitor:
        event = json.loads(line)
        if (event.get("event") == "DEVICE_DELETED" and
                event["data"].get("device") == "card0"):
            time.sleep(SLOT_OFF)
            command(monitor, "device_add", driver="loom", bus="rp0", id="card0")
    sys.exit(vm.wait())
PYTHON
