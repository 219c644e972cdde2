# SPDX-License-Identifier: MIT
"""Every kind of fuzzing, one after the other, each for the same time: `make soak`.

The table: commands or operations, how many a second, how many of the answers were refusals, resets
(fresh instances of the lab), distinct states (by the totals of all areas, at the end of a life or
every thousand commands), differences, deaths of a guest, recoveries of its line, and of what is
fuzzed by its coverage how many edges of the code were reached.
"""
from __future__ import annotations

import argparse
import os
import random
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "host"), str(ROOT)]

from pfnlab import errors  # noqa: E402
from pfnlab.fuzz import Figures, keep, live, new_life  # noqa: E402
from pfnlab.guest import Guest  # noqa: E402
from pfnlab.lockstep import Difference, Lockstep, Mixture  # noqa: E402
from pfnlab.pool import Pool  # noqa: E402
from tests.fuzz.hostile import Attack, Hostile  # noqa: E402

FOUND = ROOT / "build/fuzz/found"
COLUMNS = ("kind", "done", "per second", "refused", "resets", "states", "differences", "deaths",
           "recoveries", "coverage")
SLICE = 1000                      # commands between two looks at the clock


@dataclass
class Result:
    """A row of the table."""

    kind: str
    done: int
    seconds: float
    refused: int = 0
    resets: int = 0
    states: int = 0
    differences: int = 0
    deaths: int = 0
    recoveries: int = 0
    coverage: str = ""

    def cells(self) -> list[str]:
        """As the table has it."""
        rate = self.done / self.seconds if self.seconds else 0.0
        return [self.kind, str(self.done), f"{rate:.0f}", *map(str, (
            self.refused, self.resets, self.states, self.differences, self.deaths,
            self.recoveries)), self.coverage]


def slices(seconds: float) -> Iterator[None]:
    """Until so much time has passed, but once at least."""
    end = time.monotonic() + seconds
    yield
    while time.monotonic() < end:
        yield


def coverage_guided(target: str, seconds: float, seed: int) -> Result:
    """libFuzzer on a target, from a corpus of its own."""
    corpus = ROOT / "build/fuzz/corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    FOUND.mkdir(parents=True, exist_ok=True)
    build = ROOT / "build/fuzz/clang-19"
    start = time.monotonic()
    done = subprocess.run(
        [build / f"fuzz_{target}", f"-dict={build}/line.dict", f"-max_total_time={seconds:.0f}",
         f"-seed={seed % (1 << 31) or 1}", f"-artifact_prefix={FOUND}/{target}-", corpus,
         ROOT / "tests/fuzz/corpus" / target],
        capture_output=True, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}, check=False)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    count = re.findall(r"^(\d+) (?:operations|lines)$", said, re.MULTILINE)
    edges = re.findall(r"cov: (\d+)", said)
    all_edges = re.findall(r"\((\d+) inline 8-bit counters\)", said)
    inputs = re.findall(r"^Done (\d+) runs", said, re.MULTILINE)      # each begins afresh
    return Result(f"coverage-guided {target}", int(count[-1]) if count else 0,
                  time.monotonic() - start, resets=int(inputs[-1]) if inputs else 0,
                  differences=int(done.returncode != 0),
                  coverage=f"{edges[-1]}/{all_edges[0]} edges" if edges and all_edges else "")


def state_of(guest: Guest) -> int:
    """A number for what the areas are like."""
    return hash(tuple(repr(row) for row in guest.dump("areas")))


def against_the_model(name: str, seconds: float, seed: int) -> Result:
    """`pfnlab fuzz --fast`, with the states counted."""
    result, figures, states = Result(f"model {name}", 0, 0.0), Figures(), set()
    start = time.monotonic()
    with Pool() as pool:
        for _ in slices(seconds):
            guest = pool.acquire(name)
            life = new_life(guest, random.Random(f"{seed}/{figures.lives}"))
            guest.link.log.clear()
            before = guest.link.recoveries
            why = live(guest, life, figures)
            if why is not None:
                result.differences += 1
                result.deaths += guest.dead
                print(f"{name}: {why}\n  {keep(pool, name, life.steps, why, FOUND)}", flush=True)
            elif guest.info().fields["stage"] != "early":
                states.add(state_of(guest))
            result.recoveries += guest.link.recoveries - before
    result.done, result.seconds = figures.commands, time.monotonic() - start
    result.refused = figures.commands - figures.answers.get("=", 0)
    result.resets = figures.lives + figures.words.get("reset", 0)
    result.states = len(states)
    return result


def twins(names: list[str], seconds: float, seed: int) -> Result:
    """All machines in lockstep."""
    result, states = Result(f"twins x{len(names)}", 0, 0.0), set()
    start = time.monotonic()
    try:
        with Lockstep(names) as guests:
            mixture = Mixture(guests, seed)
            for _ in slices(seconds):
                mixture.run(SLICE)
                rows = guests.send("dump areas").rows
                states.add(hash(tuple(map(repr, rows))))
                result.done, result.resets = guests.commands, guests.resets
    except Difference as difference:
        print(f"seed {seed}: {difference}", flush=True)
        result.differences = 1
    except errors.GuestGone as gone:
        print(f"seed {seed}: {gone}", flush=True)
        result.deaths = 1
    result.states = len(states)
    result.seconds = time.monotonic() - start
    return result


def hostile(name: str, seconds: float, seed: int) -> Result:
    """Lines that nobody should send."""
    result = Result(f"hostile {name}", 0, 0.0)
    start = time.monotonic()
    with Guest(name) as guest:
        attack = Attack(guest, seed)
        try:
            for _ in slices(seconds):
                attack.run(attack.sent + SLICE)
        except (Hostile, errors.PfnlabError) as error:
            print(f"{name}, seed {seed}: {error}", flush=True)
            result.differences, result.deaths = 1, int(guest.dead)
        result.done, result.resets = attack.sent, attack.resets
        result.refused = attack.answers.total() - attack.answers["="]
    result.seconds = time.monotonic() - start
    return result


def table(results: list[Result]) -> str:
    """The rows, aligned."""
    rows = [list(COLUMNS), *(one.cells() for one in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.ljust(widths[i]) if i == 0 else cell.rjust(widths[i])
                               for i, cell in enumerate(row)) for row in rows)


def main() -> int:
    """0: nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time", type=float, default=60.0, help="seconds for each kind")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("guests", nargs="+")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.time:.0f} s each", flush=True)
    results = [coverage_guided(target, options.time, options.seed) for target in ("line", "ops")]
    for name in options.guests:
        results.append(against_the_model(name, options.time, options.seed))
    for name in options.guests:
        results.append(hostile(name, options.time, options.seed))
    if len(options.guests) > 1:
        results.append(twins(options.guests, options.time, options.seed))
    print(table(results))
    return int(any(one.differences or one.deaths for one in results))


if __name__ == "__main__":
    sys.exit(main())
