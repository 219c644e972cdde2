# SPDX-License-Identifier: MIT
"""Instructions per operation of the page engines, by callgrind.

A figure is what the workload's loop executes per operation with the engine, less the same loop with
an engine that does nothing. Instructions are exact and the same on every run, but for those of the
peers. So are cache misses: those of callgrind's model with the sizes below, whatever the machine
has, of a program whose stack lies where it did before (steady.h).
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

TUNABLES = "glibc.rtld.optional_static_tls=8192"       # peers are loaded while the program runs
CACHES = ("--cache-sim=yes", "--I1=32768,8,64", "--D1=49152,12,64", "--LL=8388608,16,64")

# What one operation of each workload is, and the goal for it, at most. Cold: everything is free
# before. Warm: the buddy is taken.
WORKLOADS: dict[str, tuple[str, float | None]] = {
    "pair0-cold": ("order 0, allocate and free, in 16 GiB of free memory", 90),
    "pair0-warm": ("the same, next to a page that stays taken", 90),
    "pair4-warm": ("order 4", None),
    "pair8-warm": ("order 8", None),
    "pair9-cold": ("order 9 (2 MiB), all free", 130),
    "pair9-warm": ("order 9, next to a unit that stays taken", 130),
    "pair16-cold": ("order 16 (256 MiB), all free", 450),
    "pair16-warm": ("order 16, in a chunk that is taken in part", 450),
    "pair18-cold": ("order 18 (1 GiB), all free", 450),
    "pair18-warm": ("order 18, next to one that stays taken", 450),
    "pair0-cold-1t": ("order 0 in 1 TiB: the size does not matter", 90),
    "fill0": ("order 0 until 1 GiB is full", 30),
    "drain0": ("free these pages in random order", 115),
    "mix50": ("random orders 0..9 at 50 % full", 150),
    "mix90": ("random orders 0..9 at 90 % full", 150),
    "aligned": ("one page aligned to 2 MiB, then free", 750),
    "reserve": ("reserve and unreserve a page of a free area", 950),
    "query": ("state of a random page of mix50's memory", 60),
    "worst-open": ("the very first page: opens a chunk and a leaf, in 64 TiB", 600),
    "worst-close": ("free of the last block of a chunk: closes its leaf and it, in 64 TiB", 600),
    "worst-flush-open": ("worst-open while a word of another area is hot", 600),
    "worst-flush-close": ("worst-close while a word of another area is hot", 600),
    "worst-flush-same": ("worst-close of the leaf that is hot", 600),
    "worst-take16": ("order 16 over 128 units that each had one page used before", 600),
    "worst-take17": ("order 17 over 256 such units", 600),
    "worst-take18": ("order 18 over 512 such units", 600),
    "init-64m": ("start on a map of 64 MiB", None),
    "init-1g": ("start on a map of 1 GiB", None),
    "init-16g": ("start on a map of 16 GiB", None),
    "init-256g": ("start on a map of 256 GiB", None),
    "init-1t": ("start on a map of 1 TiB", None),
    "init-64t": ("start on a map of 64 TiB", None),
}

ENGINE = "tree"                       # what the goals are for; the others stand beside it
REFERENCE = "list"
PEERS = {"glibc": "", "jemalloc": "libjemalloc.so.2", "mimalloc": "libmimalloc.so.2",
         "tcmalloc": "libtcmalloc_minimal.so.4"}     # and what each needs
OTHERS = (REFERENCE, *PEERS)
# The reference has records for each page, and the peers only hand out and take back.
TOO_LARGE = re.compile(r"worst-|init-(256g|1t|64t)|bytes-(256g|64t)|pair0-cold-1t")
OF_PEERS = re.compile(r"pair[0489]-(cold|warm)|fill0|drain0|mix|aligned")

# Every operation of a long history by itself: alloc, free or query, orders 0..18, three areas.
HISTORY = "worst-mix"
SEEDS = 4

MISSES: dict[str, tuple[str, float | None]] = {
    "misses-1g": ("D1 misses of each free in random order, 1 GiB", 0.5),
    "misses-16g": ("the same, 16 GiB", 2),
}
MISSES_OF = {"misses-1g": "drain0", "misses-16g": "drain0-16g"}     # their workloads

# The program tells these itself: what, unit, goal (at most; of compaction: at least).
FIGURES: dict[str, tuple[str, float | None]] = {
    "bytes-64m": ("bytes that a start touches, 64 MiB", None),
    "bytes-1g": ("the same, 1 GiB", None),
    "bytes-256g": ("the same, 256 GiB (4 bytes per 2 MiB)", 524288),
    "bytes-64t": ("the same, 64 TiB (4 bytes per 2 MiB)", 134217728),
    "metadata": ("bytes of records for 1000 pages, all single, with fresh and reserved", 560),
    "compaction": ("2 MiB blocks regained of 512 (at least)", 460),
    "failed-1g": ("requests of a million that fail, 1 GiB, 90 % full", 0),
    "failed-256m": ("the same, 256 MiB", 50),
}


@dataclass(frozen=True)
class Row:
    """A workload's figures, per operation: instructions if nothing else is said."""

    workload: str
    what: str
    operations: int
    net: float
    goal: float | None = None
    others: dict[str, float] = field(default_factory=dict)   # of the engines beside it


@dataclass(frozen=True)
class Programs:
    """What runs the workloads: on the engines, and on the peers (empty: without those)."""

    engines: str
    peers: str

    def of(self, engine: str) -> str:
        """The one that has the engine."""
        return self.peers if engine in PEERS else self.engines


def is_there(engine: str) -> bool:
    """Is the peer installed?"""
    library = PEERS.get(engine)
    return not library or any(Path("/usr/lib").glob(f"*/{library}"))


def takes(engine: str, workload: str) -> bool:
    """Does the workload run on that engine?"""
    if engine in PEERS:
        return is_there(engine) and OF_PEERS.match(workload) is not None
    return engine == ENGINE or TOO_LARGE.match(workload) is None


def callgrind(program: str, engine: str, workload: str, out: str, *options: str,
              seed: int = 0) -> str:
    """Run a workload with the instructions inside measured() counted into `out`; what it says."""
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--toggle-collect=measured",
         f"--callgrind-out-file={out}", *options, program, engine, workload, str(seed)],
        capture_output=True, text=True, check=True,
        env={**os.environ, "GLIBC_TUNABLES": TUNABLES})
    return run.stdout + run.stderr


def instructions(program: str, engine: str, workload: str) -> tuple[int, int]:
    """Instructions inside measured(), and the number of operations."""
    with tempfile.NamedTemporaryFile() as out:
        said = callgrind(program, engine, workload, out.name)
    found = re.search(r"Collected\s*:\s*(\d+)", said)
    if found is None:
        raise RuntimeError(said)
    return int(found.group(1)), int(said.split()[0])


def misses(program: str, engine: str, workload: str) -> tuple[int, int]:
    """Misses of the first data cache inside measured(), and the number of operations."""
    with tempfile.NamedTemporaryFile() as out:
        said = callgrind(program, engine, workload, out.name, *CACHES)
    found = re.search(r"D1\s+misses:\s*([\d,]+)", said)
    if found is None:
        raise RuntimeError(said)
    return int(found.group(1).replace(",", "")), int(said.split()[0])


def each(program: str, engine: str, workload: str, seed: int = 0) -> list[int]:
    """Instructions of each operation, where the workload has them measured one by one."""
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out"
        callgrind(program, engine, workload, out, "--dump-after=measured", "--combine-dumps=yes",
                  "--dump-line=no", seed=seed)
        with open(out, encoding="ascii") as dumps:
            counts = [int(line.split()[1]) for line in dumps if line.startswith("summary: ")]
    return [count for count in counts if count > 0]


def step_costs(part: str) -> Counter[str]:
    """Instructions by file and function of one part of a dump."""
    found: Counter[str] = Counter()
    file = function = ""
    called = False                     # the next line is what a call took: told where it went
    for line in part.splitlines():
        if line.startswith(("fl=", "fi=", "fe=")):
            file = line[3:]
        elif line.startswith("fn="):
            function = line[3:]
        elif line.startswith("calls="):
            called = True
        elif line and line[0] in "0123456789+-*":
            found[f"{file}:{function}"] += 0 if called else int(line.split()[1])
            called = False
    return found


@dataclass(frozen=True)
class Longest:
    """The longest hundredth of some operations: instructions by file and function, and of all."""

    parts: list[Counter[str]]
    total: int
    operations: int


def longest_steps(program: str, engine: str, workload: str) -> Longest:
    """What each() counts, of the longest."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        callgrind(program, engine, workload, str(out), "--dump-after=measured",
                  "--combine-dumps=yes", "--compress-strings=no")
        parts = [(int(part.split(maxsplit=1)[0]), part)
                 for part in out.read_text(encoding="ascii").split("\nsummary: ")[1:]]
    took = sorted((part for part in parts if part[0] > 0), key=lambda part: part[0])
    longest = took[len(took) * 99 // 100:]
    return Longest([step_costs(part.partition("\n")[2]) for _, part in longest],
                   sum(count for count, _ in longest), len(took))


def figure(program: str, engine: str, workload: str) -> tuple[int, int]:
    """What the workload tells, and the number of operations."""
    run = subprocess.run([program, engine, workload, "0"], capture_output=True, text=True,
                         check=True)
    operations, value = run.stdout.split()
    return int(value), int(operations)


def history(program: str) -> Iterator[Row]:
    """The longest operation of long histories, and what 99 of 100 stay below."""
    loop = min(each(program, "empty", HISTORY))
    counts = sorted(count for seed in range(SEEDS)
                    for count in each(program, ENGINE, HISTORY, seed))
    what = "of alloc, free and query in long histories, orders 0..18, three areas"
    for name, count, goal in ((HISTORY, counts[-1], 600),
                              ("p99-mix", counts[len(counts) * 99 // 100], 400)):
        which = "the longest" if name == HISTORY else "99 of 100 are at most this,"
        yield Row(name, f"{which} {what}", len(counts), count - loop, goal)


def measure(programs: Programs, engine: str, name: str) -> tuple[float, int]:
    """A workload's figure on an engine, gross, and the number of operations."""
    program = programs.of(engine)
    if name in FIGURES:
        value, operations = figure(program, engine, name)
        return float(value), operations
    count, operations = (misses if name in MISSES else instructions)(program, engine,
                                                                     MISSES_OF.get(name, name))
    return count / operations, operations


def row(programs: Programs, name: str, what: str, goal: float | None) -> Row:
    """One workload on all engines that take it."""
    nothing = 0.0 if name in FIGURES else measure(programs, "empty", name)[0]
    gross, operations = measure(programs, ENGINE, name)
    others = {engine: measure(programs, engine, name)[0] - nothing
              for engine in OTHERS
              if programs.of(engine) and takes(engine, MISSES_OF.get(name, name))}
    print(f"  measured {name}", file=sys.stderr, flush=True)
    return Row(name, what, operations, gross - nothing, goal, others)


def rows(programs: Programs) -> Iterator[Row]:
    """Every workload, one row each; as many at once as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wanted = {**WORKLOADS, **MISSES, **FIGURES}
        under_way = {name: pool.submit(row, programs, name, *wanted[name]) for name in wanted}
        longest = pool.submit(lambda: list(history(programs.engines)))
        for name in WORKLOADS:
            yield under_way[name].result()
        yield from longest.result()
        for name in (*MISSES, *FIGURES):
            yield under_way[name].result()
