# SPDX-License-Identifier: MIT
"""How many commands a second the fuzzers check.

On the native guest against the model: one figure is what the line and the comparison take, the
sequence and what the model says of it are drawn before; the other is all of it, the model's own
time included. And the operations of the coverage-guided target, with all that it checks.
"""
from __future__ import annotations

import os
import random
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pfnlab
from pfnlab.bench import Row
from pfnlab.model import Refusal
from pfnlab.oracle import Oracle
from pfnlab.spec import project_root
from pfnlab.stream import Stream, random_map
from pfnlab.twin import OWNED, Expected, Twin

COMMANDS = 3000
UNDER_WAY = 100
SEEDS = range(3, 8)
INPUTS = 20_000                   # of the coverage-guided fuzzer


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


def guided(program: Path) -> float:
    """Operations a second of libFuzzer's program: an input is drawn, run and judged."""
    corpus = project_root() / "tests" / "fuzz" / "corpus" / "ops"
    with tempfile.TemporaryDirectory() as kept:
        start = time.monotonic()
        done = subprocess.run([program, f"-runs={INPUTS}", "-seed=1", "-max_len=1024", kept,
                               corpus], capture_output=True, text=True, check=True,
                              env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        seconds = time.monotonic() - start
    said = re.search(r"^(\d+) operations$", done.stdout, re.M)
    assert said is not None, done.stdout
    return int(said[1]) / seconds


def table(fuzzers: Path) -> list[Row]:
    """All figures; that of the coverage-guided fuzzer where one was built in this folder."""
    found = sorted(fuzzers.glob("clang*/fuzz_ops"))
    return [*checked(), *(Row("coverage-guided operations, checked", "fuzz_ops",
                              guided(program), "/s", note=program.parent.name)
                          for program in found)]


def checked() -> list[Row]:
    """Against the model."""
    with pfnlab.Guest("native") as guest:
        rates = [statistics.median(rate(guest, seed) for seed in SEEDS)
                 for rate in (drawn_first, as_it_goes)]
    return [Row("checked against the model, drawn before", "native", rates[0], "/s"),
            Row("the same, the model's time included", "native", rates[1], "/s")]
