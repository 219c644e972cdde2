# SPDX-License-Identifier: MIT
"""Pairs of order 0 of one thread and of two, and what a lock costs; native, by the clock."""
from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

VARIANTS = {
    "empty-lock": "two calls that do nothing",
    "lock": "a lock taken and given back, each thread its own",
    "global": "page and back, one lock more around everything",
    "pages": "page and back, the lock of the layer",
    "caches": "page and back, percpu=on",
}


@dataclass(frozen=True)
class Row:
    """Nanoseconds of a pair by one thread, and how much more two get done in the same time."""

    variant: str
    what: str
    nanoseconds: float
    gain: float


def rows(program: str) -> Iterator[Row]:
    """Every variant, one row each."""
    times: dict[str, list[float]] = {}
    said = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    for line in said.splitlines():
        name, _, time, pairs = line.split()
        times.setdefault(name, []).append(int(time) / int(pairs))
    for name, (alone, two) in times.items():
        yield Row(name, VARIANTS[name], alone, alone / two)
