# SPDX-License-Identifier: MIT
"""Starts and the line: how long to the first prompt, and how many commands a second (pfnlab.bench).

Absolute times say something of this machine only. What compares is the last column: each start over
that of x86_64, each rate over that of a bare `echo`, in the same run and the same way of sending.
"""
from __future__ import annotations

import statistics
import subprocess

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


def client_rates(client: str, name: str) -> list[Row]:
    """Commands a second of a client in C, in two ways of sending."""
    rows = []
    transport = Transport.start(name, PATIENCE)
    assert transport.socket is not None
    try:
        wait_for_prompt(transport)
        fd = transport.socket.fileno()
        for way, count in (("single", 1500), ("pipelined", 6000)):
            times: dict[str, list[int]] = {"echo": [], "pair": []}
            for _ in range(TURNS):
                for what, took in times.items():
                    told = subprocess.run([client, str(fd), str(count), way, what], pass_fds=[fd],
                                          capture_output=True, text=True, check=True).stdout
                    took.append(int(told))
            echo, pair = (count / statistics.median(took) * 1e9 for took in times.values())
            rows.append(Row(f"echo, {way}, from C", name, echo, "/s"))
            rows.append(Row(f"alloc_page + free, {way}, from C", name, pair, "/s", pair / echo,
                            "echo"))
    finally:
        transport.close()
    return rows


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
