#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A training that goes on while its VM is saved, loaded and migrated.

loom-train runs in a VM that shares no files.  At random moments the VM is, by
turns, saved and loaded again some time later, and migrated to another QEMU.  The
weights at the end must have the bits of a training that nobody disturbed.  How
many moments fit into the training depends on the machine; half of them must.

    LOOM_POINTS=50 LOOM_SEED=7 tests/vm/migration.py
"""

import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SEED = int(os.environ.get("LOOM_SEED", time.time_ns() % 100000))
POINTS = int(os.environ.get("LOOM_POINTS", "12"))
EPOCHS = int(os.environ.get("LOOM_EPOCHS", "0")) or 6 * POINTS
TIMEOUT = 120
IMAGES, TESTS, EDGE = 2000, 200, 28


def write_data(directory):
    """A small data set that can be learned: ten noisy patterns."""
    rng = random.Random(4)
    os.mkdir(directory)
    patterns = [rng.randbytes(EDGE * EDGE) for _ in range(10)]
    for prefix, count in (("train", IMAGES), ("t10k", TESTS)):
        labels = bytes(rng.randrange(10) for _ in range(count))
        images = bytearray()
        for label in labels:
            noise = rng.randbytes(EDGE * EDGE)
            images += bytes((p + n) // 2 for p, n in zip(patterns[label], noise))
        with open(f"{directory}/{prefix}-labels-idx1-ubyte", "wb") as file:
            file.write(struct.pack(">II", 0x801, count) + labels)
        with open(f"{directory}/{prefix}-images-idx3-ubyte", "wb") as file:
            file.write(struct.pack(">IIII", 0x803, count, EDGE, EDGE) + images)


def training(data, device):
    return [f"{TOP}/build/bin/loom-train", "-d", device, "--data", data,
            "--epochs", str(EPOCHS), "--seed", "3", "--json", "-"]


class Monitor:
    """QMP."""

    def __init__(self, path):
        end = time.monotonic() + TIMEOUT
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        self.socket.settimeout(TIMEOUT)
        self.reader = self.socket.makefile("rb")
        self.reader.readline()
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments})
                            .encode() + b"\n")
        while True:
            line = self.reader.readline()
            if not line:
                raise ConnectionError("QEMU is gone")
            message = json.loads(line)
            if "error" in message:
                raise RuntimeError(f"{command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]

    def human(self, line):
        answer = self("human-monitor-command", **{"command-line": line})
        if answer:
            raise RuntimeError(f"{line}: {answer}")


class Vm:
    """A loom-vm, its output and its monitor."""

    count = 0

    def __init__(self, directory, incoming=None):
        Vm.count += 1
        self.name = f"{directory}/{Vm.count}"
        options = ["--no-share", "--no-stdin", "--mem", "256M", "--timeout", "900",
                   "--device-opts", "hbm-size=64M,sram-size=2M",
                   "--add", f"{directory}/data", "--snapshots", f"{directory}/disk",
                   "--qmp", self.name + ".qmp"]
        if incoming:
            options += ["--incoming", incoming]
        with open(self.name + ".out", "wb") as out, open(self.name + ".err", "wb") as err:
            self.process = subprocess.Popen(
                [f"{TOP}/tools/loom-vm", *options, "--",
                 *training(f"{directory}/data", "/dev/accel/accel0")],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        self.monitor = Monitor(self.name + ".qmp")

    def ended(self):
        return self.process.poll() is not None

    def text(self, what):
        with open(f"{self.name}.{what}", encoding="utf-8", errors="replace") as file:
            return file.read()

    def running(self):
        """Wait until the guest runs."""
        while self.monitor("query-status")["status"] != "running":
            time.sleep(0.01)

    def started(self):
        """Wait until the card works: the training has begun."""
        while not self.monitor("qom-get", path="/machine/peripheral/card0",
                               property="perf-jobs") and not self.ended():
            time.sleep(0.05)

    def end(self):
        if not self.ended():
            self.process.terminate()
        self.process.wait()


class Disturber:
    """Whoever does not let the training in peace."""

    def __init__(self, directory):
        self.rng = random.Random(SEED)
        self.directory = directory
        self.vm = Vm(directory)
        self.points = {"snapshot": 0, "migration": 0}
        self.downtimes = []

    def pause(self):
        time.sleep(self.rng.random() * 0.4)

    def snapshot(self):
        """Save; what happens then never happened."""
        self.vm.monitor.human("savevm point")
        self.pause()
        self.vm.monitor.human("loadvm point")
        self.points["snapshot"] += 1

    def migration(self):
        uri = f"unix:{self.directory}/stream"
        here = self.vm
        # The start of a QEMU takes longer than we want to train for it.
        here.monitor("stop")
        there = Vm(self.directory, uri)
        here.monitor("cont")
        self.pause()
        try:
            here.monitor("migrate-set-parameters", **{"max-bandwidth": 1 << 32})
            here.monitor("migrate", uri=uri)
            while (status := here.monitor("query-migrate"))["status"] not in (
                    "completed", "failed"):
                time.sleep(0.01)
            if status["status"] == "failed":
                raise RuntimeError(f"migration failed: {status.get('error-desc')}; "
                                   + there.text("err"))
            there.running()
        except BaseException:
            there.end()
            raise
        self.downtimes.append(status["downtime"])
        self.vm = there
        self.points["migration"] += 1
        here.monitor("quit")
        here.end()

    def run(self):
        self.vm.started()
        number = 0
        while not self.vm.ended() and number < POINTS:
            self.pause()
            number += 1
            try:
                (self.snapshot if number % 2 else self.migration)()
            except OSError:
                if self.vm.process.wait(10):
                    raise
        self.vm.process.wait(600)


def result(text):
    return json.loads(text)["hash"]


def report(number, name, good, why=""):
    for line in why.splitlines():
        print("# " + line)
    print(f"{'ok' if good else 'not ok'} {number} {name}", flush=True)
    return good


def main():
    print(f"TAP version 13\n1..2\n# LOOM_SEED={SEED} LOOM_POINTS={POINTS} "
          f"LOOM_EPOCHS={EPOCHS}", flush=True)
    with tempfile.TemporaryDirectory(dir=f"{TOP}/build") as directory:
        write_data(f"{directory}/data")
        start = time.monotonic()
        alone = subprocess.run(training(f"{directory}/data", "sim:"), check=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        print(f"# undisturbed: {time.monotonic() - start:.1f} s", flush=True)
        disturber = Disturber(directory)
        try:
            start = time.monotonic()
            disturber.run()
            print(f"# disturbed: {time.monotonic() - start:.1f} s", flush=True)
        finally:
            disturber.vm.end()
        downtimes = sorted(disturber.downtimes) or [0]
        print(f"# {disturber.points}; downtime ms: median "
              f"{downtimes[len(downtimes) // 2]}, longest {downtimes[-1]}")
        enough = sum(disturber.points.values())
        good = report(1, "training_is_saved_loaded_and_migrated",
                      enough >= max(2, POINTS // 2), f"at {enough} of {POINTS} moments")
        words = disturber.vm.text("err")
        status = disturber.vm.process.returncode
        same = status == 0 and result(disturber.vm.text("out")) == result(alone)
        good &= report(2, "weights_have_the_bits_of_an_undisturbed_training", same,
                       "" if same else f"status {status}\n{words}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
