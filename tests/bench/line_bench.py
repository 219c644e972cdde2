# SPDX-License-Identifier: MIT
"""Starts and the line: how long to the first prompt, and how many commands a second.

Absolute times say something of this machine only. What compares is the last column: each start over
that of x86_64, each rate over that of a bare `echo`, in the same run and the same way of sending.
"""
from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import pfnlab
from pfnlab.transport import Transport

STARTS = {
    "native": 9, "x86_64": 9, "x86_64?machine=q35": 5, "x86_64?machine=microvm": 5,
    "x86_64?boot=iso": 5, "x86_64?boot=iso&firmware=uefi": 3, "x86_64?emulator=bochs": 3,
    "i386": 9, "i386?boot=iso": 5, "i386?boot=iso&firmware=uefi": 3, "i386?emulator=bochs": 3,
    "s390x": 9, "s390x?boot=iso": 5, "s390x?emulator=hercules": 5,
}
RATES = ("native", "x86_64", "i386", "s390x", "x86_64?emulator=bochs", "s390x?emulator=hercules")


@dataclass
class Row:
    """What was measured, on which guest, the figure and what it compares to."""

    what: str
    guest: str
    figure: str
    ratio: str = ""


def boot_seconds(name: str) -> float:
    """From the start of the process to the guest's boot event, then an orderly end."""
    start = time.monotonic()
    transport = Transport.start(name, 120.0)
    seen = b""
    try:
        while b"% boot " not in seen:
            data = transport.receive()
            if not data:
                raise RuntimeError(f"{name} ended before its prompt: {transport.stderr()}")
            seen += data
        return time.monotonic() - start
    finally:
        transport.close()


def boots() -> list[Row]:
    """Boot to first prompt, each path: median, and the range. One round after the other, so that
    what else the host does slows all of them alike."""
    took: dict[str, list[float]] = {name: [] for name in STARTS}
    for turn in range(max(STARTS.values())):
        for name, times in STARTS.items():
            if turn < times:
                took[name].append(boot_seconds(name) * 1000)
    medians = {name: statistics.median(each) for name, each in took.items()}
    return [Row("boot to first prompt", name, f"{medians[name]:.0f} ms "
                f"({min(each):.0f}..{max(each):.0f}, {len(each)} starts)",
                f"{medians[name] / medians['x86_64']:.2f} of x86_64")
            for name, each in took.items()]


def rate(body: Callable[[], int]) -> float:
    """Commands a second: the median of five runs of `body`, which returns how many it did."""
    rates = []
    for _ in range(5):
        start = time.monotonic()
        done = body()
        rates.append(done / (time.monotonic() - start))
    return statistics.median(rates)


def single(guest: pfnlab.Guest, count: int) -> tuple[float, float]:
    """One at a time: echo, and allocate with free."""
    def echo() -> int:
        for _ in range(count):
            guest.echo(1)
        return count

    def pair() -> int:
        for _ in range(count // 2):
            guest.free(guest.alloc_page(dontzero=1))
        return count
    return rate(echo), rate(pair)


def pipelined(guest: pfnlab.Guest, count: int) -> tuple[float, float]:
    """As many under way as the credit allows."""
    def echo() -> int:
        with guest.pipeline() as line:
            for _ in range(count):
                line.echo(1)
        return count

    def pair() -> int:
        with guest.pipeline() as line:
            for _ in range(count // 2):
                line.free(line.alloc_page(dontzero=1))
        return count
    return rate(echo), rate(pair)


def stored(guest: pfnlab.Guest, count: int) -> tuple[float, float]:
    """A stored list of lines, run as one request: the guest's own speed with its own parser."""
    def run(times: int) -> int:
        assert guest.run(2, times=times, timeout=120) == 2 * times
        return 2 * times
    guest.store(0, "echo 1")
    guest.store(1, "echo 1")
    echo = rate(lambda: run(count // 2))
    guest.store(0, "alloc_page dontzero=1")
    guest.store(1, "free $")
    return echo, rate(lambda: run(count // 2))


def rates(name: str) -> list[Row]:
    """Commands a second in three ways of sending, and the engine without any line."""
    rows = []
    with pfnlab.Guest(name) as guest:
        trips = []
        for _ in range(500):
            start = time.monotonic()
            guest.echo(1)
            trips.append((time.monotonic() - start) * 1e6)
        rows.append(Row("round trip of one echo", name, f"{statistics.median(trips):.0f} us "
                        f"(99 %: {sorted(trips)[494]:.0f} us)"))
        ways = (("one at a time", single, 1000), ("pipelined", pipelined, 4000),
                ("stored and run", stored, 20000))
        for what, measure, count in ways:
            echo, pair = measure(guest, count)
            rows.append(Row(f"echo, {what}", name, f"{echo:,.0f}/s", "1"))
            rows.append(Row(f"alloc_page + free, {what}", name, f"{pair:,.0f}/s",
                            f"{pair / echo:.2f} of echo"))
        speed = rate(lambda: int(guest.stress(200000, seed=1, timeout=120)))
        rows.append(Row("stress, operations in the guest", name, f"{speed:,.0f}/s"))
    return rows


def table() -> list[Row]:
    """All rows."""
    rows = boots()
    for name in RATES:
        rows += rates(name)
    return rows
