# SPDX-License-Identifier: MIT
"""How fast a guest is: its start, the line to it, and its engine behind the line.

Absolute figures say something of one machine at one moment. What compares is the ratio of a row to
another one of the same run: a command to a bare `echo`, sent in the same way. Nothing here passes
or fails.
"""
from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pfnlab.guest import Guest
from pfnlab.spec import Spec, project_root
from pfnlab.transport import Transport

TURNS = 5                         # of each measurement; the median counts
TRIPS = 100                       # single echos in a turn
PATIENCE = 120.0                  # seconds for one stored list or one stress
ROWS = 9                          # of a guest that is started; one less of one that runs
COUNTS = {"one at a time": 500, "pipelined": 2000, "stored and run": 20000}
OPERATIONS = 200_000              # of stress, in a turn


@dataclass
class Row:
    """What was measured on which guest: the figure, and its ratio to that of `of`."""

    what: str
    guest: str
    value: float
    unit: str
    ratio: float | None = None
    of: str = ""
    note: str = ""
    commit: str = ""

    def figure(self) -> str:
        """The figure for people."""
        number = f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.3g}"
        return f"{number}{self.unit if self.unit.startswith('/') else f' {self.unit}'}"

    def __str__(self) -> str:
        compared = f"   {self.ratio:.2f} of {self.of}" if self.ratio is not None else ""
        return f"{self.guest}: {self.what:38} {self.figure():>12}{compared}" + (
            f"   ({self.note})" if self.note else "")

    def data(self) -> dict[str, Any]:
        """As a line of JSON has it."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


def read_rows(text: str, name: str) -> list[Row]:
    """The rows in lines of JSON. ValueError names the line that is none."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            data: dict[str, Any] = json.loads(line)
            data["value"] = float(data["value"])
            rows.append(Row(**data))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{name}:{number}: no row of a benchmark: {error}") from None
    if not rows:
        raise ValueError(f"{name}: no rows of a benchmark in it")
    return rows


def commit() -> str:
    """The commit of the tree that guests are built from, `+` behind it if the tree is changed;
    empty without git."""
    done = subprocess.run(["git", "-C", str(project_root()), "describe", "--always", "--dirty=+",
                           "--exclude=*"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def boot_seconds(name: str) -> float:
    """From the start of the process to the guest's boot event; then it is ended."""
    start = time.monotonic()
    transport = Transport.start(name, PATIENCE)
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


def boot_row(name: str, times: list[float]) -> Row:
    """The row of some starts, in seconds."""
    return Row("boot to first prompt", name, statistics.median(times) * 1000, "ms",
               note=f"{min(times) * 1000:.0f}..{max(times) * 1000:.0f}, {len(times)} starts")


class Bench:
    """Measures one guest, `turns` times each figure."""

    def __init__(self, guest: Guest, turns: int = TURNS) -> None:
        self.guest = guest
        self.turns = turns

    def rate(self, body: Callable[[], int]) -> float:
        """Commands a second of `body`, which returns how many it did."""
        rates = []
        for _ in range(self.turns):
            start = time.monotonic()
            done = body()
            rates.append(done / (time.monotonic() - start))
        return statistics.median(rates)

    def rows(self) -> Iterator[Row]:
        """Commands a second in three ways of sending, and the engine without any line."""
        yield self._trips()
        for what, count in COUNTS.items():
            way = getattr(self, f"_{what.replace(' ', '_')}")
            echo = self.rate(way(count, "echo 1", ""))
            yield Row(f"echo, {what}", self.guest.name, echo, "/s")
            pair = self.rate(way(count, "alloc_page dontzero=1", "free $"))
            yield Row(f"alloc_page + free, {what}", self.guest.name, pair, "/s", pair / echo,
                      "echo")
        speed = self.rate(lambda: int(self.guest.call("stress", OPERATIONS, seed=1,
                                                      timeout=PATIENCE)))
        yield Row("stress, operations in the guest", self.guest.name, speed, "/s")

    def _trips(self) -> Row:
        trips = []
        for _ in range(TRIPS * self.turns):
            start = time.monotonic()
            self.guest.line("echo 1")
            trips.append((time.monotonic() - start) * 1e6)
        trips.sort()
        return Row("round trip of one echo", self.guest.name, statistics.median(trips), "us",
                   note=f"99 %: {trips[len(trips) * 99 // 100]:.0f}")

    def _one_at_a_time(self, count: int, first: str, second: str) -> Callable[[], int]:
        lines = [first, second or first] * (count // 2)

        def body() -> int:
            for line in lines:
                self.guest.line(line)
            return len(lines)
        return body

    def _pipelined(self, count: int, first: str, second: str) -> Callable[[], int]:
        lines = [first, second or first] * (count // 2)

        def body() -> int:
            with self.guest.pipeline() as pipe:
                for line in lines:
                    pipe.line(line)
            return len(lines)
        return body

    def _stored_and_run(self, count: int, first: str, second: str) -> Callable[[], int]:
        self.guest.call("store", 0, first)
        self.guest.call("store", 1, second or first)
        return lambda: int(self.guest.call("run", 2, times=count // 2, timeout=PATIENCE))


def measure(name: str, turns: int = TURNS) -> Iterator[Row]:
    """All rows of a guest: of one that is started, its start too."""
    if not Spec(name).scheme:
        boot_seconds(name)            # the first one may have to build it
        yield boot_row(name, [boot_seconds(name) for _ in range(turns)])
    with Guest(name) as guest:
        yield from Bench(guest, turns).rows()
