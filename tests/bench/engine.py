# SPDX-License-Identifier: MIT
"""Instructions per operation of the page engine, by callgrind: engine.py PROGRAM [WORKLOAD...].

Gross is what the workload's loop executes per operation with the engine; net is that less the same
loop with an engine that does nothing. Instructions are exact and the same on every run.
"""
from __future__ import annotations

import re
import subprocess
import sys
import tempfile


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


def main(program: str, *wanted: str) -> None:
    names = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    print(f"{'workload':20} {'operations':>12} {'gross':>12} {'net':>12}")
    for name in wanted or names:
        gross, ops = instructions(program, "tree", name)
        nothing, _ = instructions(program, "empty", name)
        print(f"{name:20} {ops:12} {gross / ops:12.1f} {(gross - nothing) / ops:12.1f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
