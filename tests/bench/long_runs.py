# SPDX-License-Identifier: MIT
"""`make bench-long`: the goals that take longer than the benchmark. long_runs.py [record] RUN...

RUN is `test`, all of `make test` by the clock, while nothing else should run, or `oracle`, which is
`make soak-oracle` and fails at the first answer that differs. With `record` README.md tells each,
with its commit.
"""
from __future__ import annotations

import re
import subprocess
import sys
import time

import record

COUNTED = re.compile(r"^seed \d+: (\d+) operations, all as the oracle says$", re.MULTILINE)


def test_seconds() -> int:
    """How long all of `make test` takes."""
    start = time.monotonic()
    subprocess.run(["make", "test"], check=True)
    return round(time.monotonic() - start)


def compared(said: str) -> int:
    """How many operations an oracle's run of the tree tells: the last line of its own test. The
    reference engine's comes after it."""
    numbers = [int(number) for number in COUNTED.findall(said.partition("[       OK ]")[0])]
    if not numbers:
        raise ValueError("the oracle tells of no operations")
    return numbers[-1]


def oracle_operations() -> int:
    """How many operations were compared; an answer that differs is an error."""
    run = subprocess.run(["make", "soak-oracle"], stdout=subprocess.PIPE, text=True, check=False,
                         stderr=subprocess.STDOUT)
    if run.returncode != 0:
        sys.exit(run.stdout)
    return compared(run.stdout)


RUNS = {"test": test_seconds, "oracle": oracle_operations}
UNITS = {"test": "seconds", "oracle": "operations, no difference"}


def main(*words: str) -> None:
    took = {name: run() for name, run in RUNS.items() if name in words}
    for name, figure in took.items():
        print(f"{name}: {figure:,} {UNITS[name]}")
    if "record" in words:
        record.write_long(took)
        record.README.write_text(record.with_tables(record.README.read_text(), record.read()))


if __name__ == "__main__":
    main(*sys.argv[1:])
