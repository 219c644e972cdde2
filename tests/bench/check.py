# SPDX-License-Identifier: MIT
"""`make bench-check`: the benchmark sees what it must. check.py ENGINE_BENCH

A slowed engine shows in the figures; engines that hand out a page twice or lose one do not get
through a workload.
"""
from __future__ import annotations

import subprocess
import sys

import engine

STEPS = 1000    # that the slow engine wastes on each request, some instructions each


def main(program: str) -> int:
    """Run the wrong engines; how many of them went unnoticed."""
    unnoticed = 0
    for workload in ("pair0-warm", "pair18-cold", "fill0", "mix50"):
        right, operations = engine.instructions(program, "tree", workload)
        slow, _ = engine.instructions(program, "slow", workload)
        seen = (slow - right) / operations > STEPS / 2
        print(f"slow engine in {workload}: {right / operations:.0f} to {slow / operations:.0f}"
              f" instructions{'' if seen else ': NOT SEEN'}")
        unnoticed += not seen
    for name in ("twice", "leak"):
        for workload in ("fill0", "drain0", "mix90", "compaction"):
            if (name, workload) == ("leak", "fill0"):
                continue    # frees nothing
            run = subprocess.run([program, name, workload, "0"], capture_output=True, check=False)
            seen = run.returncode != 0
            print(f"{name} engine in {workload}: {'refused' if seen else 'NOT SEEN'}")
            unnoticed += not seen
    return unnoticed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
