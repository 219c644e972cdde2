# SPDX-License-Identifier: MIT
"""How many commands a second the fuzzer checks against the model, on the native guest.

One figure is what the line and the comparison take: the sequence and what the model says of it are
drawn before. The other is all of it, the model's own time included.
"""
from __future__ import annotations

import random
import statistics
import time
from typing import Any

import pfnlab
from pfnlab.bench import Row
from pfnlab.model import Refusal
from pfnlab.oracle import Oracle
from pfnlab.stream import Stream, random_map
from pfnlab.twin import OWNED, Expected, Twin

COMMANDS = 3000
UNDER_WAY = 100
SEEDS = range(3, 8)


class Drawn:
    """A player that only asks the model."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.commands: list[tuple[str, Any, Any, Any, Refusal | None]] = []
        self.areas = [name for name, _ in oracle.areas]
        self.spans = [(run.first, run.end) for run in oracle.pages.runs] if oracle.pages else []

    def post(self, name: str, *args: Any, **keys: Any) -> Any:
        """Keep the command and what the model says."""
        value, refusal = None, None
        owner = {"owner": 0} if name in OWNED else {}
        try:
            value = getattr(self.oracle, name)(*args, **keys, **owner)
        except Refusal as why:
            refusal = why
        self.commands.append((name, args, keys, value, refusal))
        return value


def drawn_first(guest: pfnlab.Guest, seed: int) -> float:
    """Commands a second, the model's answers known before."""
    rng = random.Random(seed)
    areas, ranges = random_map(rng)
    twin = Twin(guest, areas, ranges)
    drawn = Drawn(Oracle(areas, ranges, "virtual", twin.window))
    stream = Stream(drawn, rng)
    while len(drawn.commands) < COMMANDS:
        stream.step()
    start = time.monotonic()
    with guest.pipeline() as line:
        under_way = []
        for name, args, keys, value, refusal in drawn.commands:
            under_way.append(Expected(getattr(line, name)(*args, **keys), value, refusal))
            if len(under_way) > UNDER_WAY:
                under_way.pop(0).verify()
        for one in under_way:
            one.verify()
    return len(drawn.commands) / (time.monotonic() - start)


def as_it_goes(guest: pfnlab.Guest, seed: int) -> float:
    """Commands a second, each drawn when the one before was sent."""
    rng = random.Random(seed)
    twin = Twin(guest, *random_map(rng))
    stream = Stream(twin, rng)
    first = guest.link.next_tag
    start = time.monotonic()
    while guest.link.next_tag - first < COMMANDS:
        stream.step()
        twin.collect(leave=UNDER_WAY)
    twin.collect()
    return (guest.link.next_tag - first) / (time.monotonic() - start)


def table() -> list[Row]:
    """Both figures."""
    with pfnlab.Guest("native") as guest:
        rates = [statistics.median(rate(guest, seed) for seed in SEEDS)
                 for rate in (drawn_first, as_it_goes)]
    return [Row("checked against the model, drawn before", "native", rates[0], "/s"),
            Row("the same, the model's time included", "native", rates[1], "/s")]
