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
    "first-page": "the very first page: opens a chunk and a leaf, in 1 TiB",
    "take18-scattered": "order 18 over 512 units that each had one page used before",
    "take16-scattered": "order 16 over 128 such units",
    "init-64m": "start on a map of 64 MiB",
    "init-16g": "start on a map of 16 GiB",
    "init-1t": "start on a map of 1 TiB",
    "init-64t": "start on a map of 64 TiB",
}


@dataclass(frozen=True)
class Row:
    """A workload's figures, in instructions per operation."""

    workload: str
    what: str
    operations: int
    gross: float
    net: float


def instructions(program: str, engine: str, workload: str) -> tuple[int, int]:
    """Instructions inside measured(), and the number of operations."""
    with tempfile.NamedTemporaryFile() as out:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=measured",
             f"--callgrind-out-file={out.name}", program, engine, workload],
            capture_output=True, text=True, check=True)
    found = re.search(r"Collected\s*:\s*(\d+)", run.stderr)
    if found is None:
        raise RuntimeError(run.stderr)
    return int(found.group(1)), int(run.stdout)


def rows(program: str) -> Iterator[Row]:
    """Every workload that the program has, one row each."""
    names = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        gross, operations = instructions(program, "tree", name)
        nothing, _ = instructions(program, "empty", name)
        print(f"  measured {name}", file=sys.stderr, flush=True)
        yield Row(name, WORKLOADS[name], operations, gross / operations,
                  (gross - nothing) / operations)
