# SPDX-License-Identifier: MIT
"""Every claim of claims.c, proven for all values: prove.py FILE.ll [CLAIM...]"""
from __future__ import annotations

import sys
import time
from multiprocessing import Pool
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.proof.llvm import Unknown, read  # noqa: E402
from tests.proof.symbolic import Machine  # noqa: E402
from tests.proof.values import Refuted  # noqa: E402

PREFIX = "claim_"


def prove(task: tuple[str, str]) -> tuple[bool, str]:
    """Is it true, and what is told of it."""
    text, name = task
    start = time.process_time()
    sys.setrecursionlimit(100_000)
    machine = Machine(read(text))
    try:
        paths = machine.prove(PREFIX + name)
    except (Refuted, Unknown) as why:
        return False, f"{name}: {type(why).__name__.upper()}: {why}"
    return True, f"{name}: proven, {paths} paths, {machine.asked} questions, " \
        f"{time.process_time() - start:.0f} s"


def main() -> int:
    """Status 0: all are true."""
    text = Path(sys.argv[1]).read_text()
    names = sys.argv[2:] or [name.removeprefix(PREFIX) for name in read(text).functions
                             if name.startswith(PREFIX)]
    proven = 0
    with Pool() as pool:
        for holds, told in pool.imap_unordered(prove, [(text, name) for name in names]):
            print(f"  {told}", flush=True)
            proven += holds
    print(f"{sys.argv[1]}: {proven} of {len(names)} claims proven")
    return int(proven < len(names) or not names)


if __name__ == "__main__":
    sys.exit(main())
