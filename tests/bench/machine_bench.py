# SPDX-License-Identifier: MIT
"""What a machine takes of the host: the kernel's part of a start, and a guest that does nothing.

The emulator's own start is that of a program that prints one character and stops
(tests/bench/first_*.S), under the very command line that starts the kernel; both take turns.
"""
from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import time
from pathlib import Path

from line_bench import wait_for_prompt
from pfnlab.bench import Row
from pfnlab.spec import Spec, project_root
from pfnlab.transport import Transport

STARTS = {"x86_64": "first_x86_64.elf", "s390x": "first_s390x.elf"}
TURNS = 15
IDLE = ("native", "x86_64", "i386", "s390x", "x86_64?emulator=bochs", "s390x?emulator=hercules")
IDLE_SECONDS = 3.0


def emulator_command(name: str) -> list[str]:
    """The command line that run-guest.sh composes, without what it needs for its own report."""
    spec = Spec(name)
    printed = subprocess.run([project_root() / "run-guest.sh", spec.arch, *spec.arguments(),
                              "--print"], capture_output=True, text=True, check=True)
    words = shlex.split(printed.stdout)
    for option in ("-trace", "-D"):
        if option in words:
            place = words.index(option)
            del words[place:place + 2]
    return words


def seconds_to(command: list[str], text: bytes) -> float:
    """From the start of the process until it prints that; then it is ended."""
    start = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        seen = b""
        while text not in seen:
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                raise RuntimeError(f"{command[0]} ended before it printed {text!r}: {seen!r}")
            seen += data
        took = time.monotonic() - start
        process.kill()
    return took


def kernel_starts(folder: Path) -> list[Row]:
    """The kernel's start less the emulator's own."""
    rows = []
    for name, first in STARTS.items():
        ours = emulator_command(name)
        bare = list(ours)
        bare[bare.index("-kernel") + 1] = str(folder / first)
        took: tuple[list[float], list[float]] = ([], [])
        for _ in range(TURNS):
            took[0].append(seconds_to(bare, b"%") * 1000)
            took[1].append(seconds_to(ours, b"% boot ") * 1000)
        own, whole = (statistics.median(times) for times in took)
        rows.append(Row("boot to first prompt over the emulator's own start", name, whole - own,
                        "ms", note=f"{whole:.0f} less {own:.0f}"))
    return rows


def processor_seconds(group: int) -> float:
    """What the processes of a group have used of the processors."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue          # it has ended
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def idle(name: str) -> Row:
    """How much of a core a guest takes at its prompt."""
    transport = Transport.start(name, 120.0)
    try:
        wait_for_prompt(transport)
        time.sleep(0.5)
        before = processor_seconds(transport.process.pid)
        time.sleep(IDLE_SECONDS)
        used = processor_seconds(transport.process.pid) - before
    finally:
        transport.close()
    return Row(f"idle for {IDLE_SECONDS:.0f} s", name, used / IDLE_SECONDS * 100, "% of a core")


def table(folder: Path) -> list[Row]:
    """All rows."""
    return [*kernel_starts(folder), *(idle(name) for name in IDLE)]
