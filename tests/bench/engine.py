# SPDX-License-Identifier: MIT
"""Instructions per operation of the page engine, by callgrind.

Gross is what the workload's loop executes per operation with the engine; net is that less the same
loop with an engine that does nothing. Instructions are exact and the same on every run.
"""
from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

# What one operation of each workload is. Cold: everything is free before. Warm: the buddy is taken.
WORKLOADS = {
    "pair0-cold": "order 0, allocate and free, in 16 GiB of free memory",
    "pair0-warm": "the same, next to a page that stays taken",
    "pair4-warm": "order 4",
    "pair8-warm": "order 8",
    "pair9-cold": "order 9 (2 MiB), all free",
    "pair9-warm": "order 9, next to a unit that stays taken",
    "pair16-cold": "order 16 (256 MiB), all free",
    "pair16-warm": "order 16, in a chunk that is taken in part",
    "pair18-cold": "order 18 (1 GiB), all free",
    "pair18-warm": "order 18, next to one that stays taken",
    "pair0-cold-1t": "order 0 in 1 TiB: the size does not matter",
    "fill0": "order 0 until 1 GiB is full",
    "drain0": "free these pages in random order",
    "mix50": "random orders 0..9 at 50 % full",
    "mix90": "random orders 0..9 at 90 % full",
    "aligned": "one page aligned to 2 MiB, all slots of 1 GiB, then free",
    "reserve": "reserve and unreserve a page of a free area",
    "query": "state of a random page of mix50's memory",
    "worst-open": "the very first page: opens a chunk and a leaf, in 64 TiB",
    "worst-close": "free of the last block of a chunk: closes its leaf and it, in 64 TiB",
    "worst-take16": "order 16 over 128 units that each had one page used before",
    "worst-take17": "order 17 over 256 such units",
    "worst-take18": "order 18 over 512 such units",
    "worst-mix": "the longest alloc, free or query of a long history, orders 0..18, three areas",
    "init-64m": "start on a map of 64 MiB",
    "init-16g": "start on a map of 16 GiB",
    "init-1t": "start on a map of 1 TiB",
    "init-64t": "start on a map of 64 TiB",
}

# Of these the row tells the longest operation, not the mean.
LONGEST = ("worst-mix",)


@dataclass(frozen=True)
class Row:
    """A workload's figures, in instructions per operation."""

    workload: str
    what: str
    operations: int
    gross: float
    net: float


def callgrind(program: str, engine: str, workload: str, out: str, *options: str) -> str:
    """Run a workload with the instructions inside measured() counted into `out`; what it says."""
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--toggle-collect=measured",
         f"--callgrind-out-file={out}", *options, program, engine, workload],
        capture_output=True, text=True, check=True)
    return run.stdout + run.stderr


def instructions(program: str, engine: str, workload: str) -> tuple[int, int]:
    """Instructions inside measured(), and the number of operations."""
    with tempfile.NamedTemporaryFile() as out:
        said = callgrind(program, engine, workload, out.name)
    found = re.search(r"Collected\s*:\s*(\d+)", said)
    if found is None:
        raise RuntimeError(said)
    return int(found.group(1)), int(said.split()[0])


def each(program: str, engine: str, workload: str) -> list[int]:
    """Instructions of each operation, where the workload has them measured one by one."""
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out"
        callgrind(program, engine, workload, out, "--dump-after=measured", "--combine-dumps=yes",
                  "--dump-line=no")
        with open(out, encoding="ascii") as dumps:
            return [int(line.split()[1]) for line in dumps if line.startswith("summary: ")]


def rows(program: str) -> Iterator[Row]:
    """Every workload that the program has, one row each."""
    names = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        if name in LONGEST:
            counts = [count for count in each(program, "tree", name) if count > 0]
            loop = min(count for count in each(program, "empty", name) if count > 0)
            yield Row(name, WORKLOADS[name], len(counts), max(counts), max(counts) - loop)
            continue
        gross, operations = instructions(program, "tree", name)
        nothing, _ = instructions(program, "empty", name)
        print(f"  measured {name}", file=sys.stderr, flush=True)
        yield Row(name, WORKLOADS[name], operations, gross / operations,
                  (gross - nothing) / operations)
