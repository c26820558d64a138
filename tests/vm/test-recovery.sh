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

FAULTS = ("irq-lost,queue=5", "wrong-seq,queue=10", "hang,queue=20",
          "reset-stuck,queue=20", "thermal-trip,queue=30", "aer-fatal,queue=40")


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
    vm.communicate("go\n")
    sys.exit(vm.returncode)
PYTHON
