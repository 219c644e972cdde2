# SPDX-License-Identifier: MIT
"""Starts and the line: how long to the first prompt, and how many commands a second (pfnlab.bench).

Absolute times say something of this machine only. What compares is the last column: each start over
that of x86_64, each rate over that of a bare `echo`, in the same run and the same way of sending.
"""
from __future__ import annotations

import statistics
import subprocess
import sys

from pfnlab.bench import PATIENCE, TURNS, Bench, Row, boot_row, boot_seconds
from pfnlab.guest import Guest
from pfnlab.transport import Transport

STARTS = {
    "native": 9, "x86_64": 9, "x86_64?machine=q35": 5, "x86_64?machine=microvm": 5,
    "x86_64?boot=iso": 5, "x86_64?boot=iso&firmware=uefi": 3, "x86_64?emulator=bochs": 3,
    "i386": 9, "i386?boot=iso": 5, "i386?boot=iso&firmware=uefi": 3, "i386?emulator=bochs": 3,
    "s390x": 9, "s390x?boot=iso": 5, "s390x?emulator=hercules": 5,
}
RATES = ("native", "x86_64", "i386", "s390x", "x86_64?emulator=bochs", "s390x?emulator=hercules")


def boots() -> list[Row]:
    """Boot to first prompt, each path: median, and the range. One round after the other, so that
    what else the host does slows all of them alike."""
    took: dict[str, list[float]] = {name: [] for name in STARTS}
    for turn in range(max(STARTS.values())):
        for name, times in STARTS.items():
            if turn < times:
                took[name].append(boot_seconds(name))
    rows = {name: boot_row(name, each) for name, each in took.items()}
    for row in rows.values():
        row.ratio, row.of = row.value / rows["x86_64"].value, "x86_64"
    return list(rows.values())


def wait_for_prompt(transport: Transport) -> None:
    """Read up to the boot event."""
    seen = b""
    while b"% boot " not in seen:
        data = transport.receive()
        if not data:
            raise RuntimeError(f"the guest ended before its prompt: {transport.stderr()}")
        seen += data


def client_run(client: str, fd: int, count: int, way: str, what: str) -> int | None:
    """Nanoseconds of one run of the client in C; None if the line lost something: the client does
    not mend a line as pfnlab.Link does, it ends, and the next one begins anew."""
    done = subprocess.run([client, str(fd), str(count), way, what], pass_fds=[fd],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"  {way} {what}: {done.stderr.strip()}", file=sys.stderr)
        return None
    return int(done.stdout)


def client_rates(client: str, name: str) -> list[Row]:
    """Commands a second of a client in C, in two ways of sending; how many runs the line spoilt is
    said in the row, and a row without a whole run is not there."""
    rows = []
    transport = Transport.start(name, PATIENCE)
    assert transport.socket is not None
    try:
        wait_for_prompt(transport)
        fd = transport.socket.fileno()
        for way, count in (("single", 1500), ("pipelined", 6000)):
            took: dict[str, list[int]] = {"echo": [], "pair": []}
            for _ in range(TURNS):
                for what, times in took.items():
                    time = client_run(client, fd, count, way, what)
                    times += [time] if time is not None else []
            rows += rate_rows(name, way, count, took)
    finally:
        transport.close()
    return rows


def rate_rows(name: str, way: str, count: int, took: dict[str, list[int]]) -> list[Row]:
    """The rows of one way of sending."""
    rate = {what: count / statistics.median(times) * 1e9 for what, times in took.items() if times}
    rows = [Row(title, name, rate[what], "/s", note=spoilt(len(took[what])))
            for what, title in (("echo", f"echo, {way}, from C"),
                                ("pair", f"alloc_page + free, {way}, from C")) if what in rate]
    if len(rows) == 2:
        rows[1].ratio, rows[1].of = rate["pair"] / rate["echo"], "echo"
    return rows


def spoilt(whole: int) -> str:
    """What a row says of the runs that do not count."""
    return f"{TURNS - whole} of {TURNS} runs spoilt by the line" if whole < TURNS else ""


def rates(name: str) -> list[Row]:
    """Commands a second in three ways of sending, and the engine without any line."""
    with Guest(name) as guest:
        return list(Bench(guest).rows())


def table(client: str) -> list[Row]:
    """All rows."""
    rows = boots()
    for name in RATES:
        rows += client_rates(client, name)
        rows += rates(name)
    return rows
