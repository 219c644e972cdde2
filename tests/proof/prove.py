# SPDX-License-Identifier: MIT
"""Every claim of a file, proven for all values: prove.py [--wrong] FILE.ll [CLAIM...]"""
from __future__ import annotations

import argparse
import sys
import time
from multiprocessing import Pool
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.proof.llvm import Unknown, read  # noqa: E402
from tests.proof.symbolic import Machine  # noqa: E402
from tests.proof.values import Refuted  # noqa: E402

PREFIX = "claim_"


def prove(task: tuple[str, str]) -> tuple[str, str]:
    """Proven, refuted or unknown, and what is told of it."""
    text, name = task
    start = time.process_time()
    sys.setrecursionlimit(100_000)
    machine = Machine(read(text))
    try:
        paths = machine.prove(PREFIX + name)
    except (Refuted, Unknown) as why:
        answer = type(why).__name__
        return answer.lower(), f"{name}: {answer.upper()}: {why}"
    return "proven", f"{name}: proven, {paths} paths, {machine.asked} questions, " \
        f"{time.process_time() - start:.0f} s"


def main() -> int:
    """Status 0: all are true; with --wrong, all are false."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wrong", action="store_true", help="each is to be refuted")
    parser.add_argument("file", type=Path)
    parser.add_argument("claims", nargs="*")
    options = parser.parse_args()
    text = options.file.read_text()
    names = options.claims or [name.removeprefix(PREFIX) for name in read(text).functions
                               if name.startswith(PREFIX)]
    wanted, good = "refuted" if options.wrong else "proven", 0
    with Pool() as pool:
        for answer, told in pool.imap_unordered(prove, [(text, name) for name in names]):
            as_wanted = answer == wanted
            good += as_wanted
            if not (as_wanted and options.wrong):
                print(f"  {told}", flush=True)
    print(f"{options.file}: {good} of {len(names)} claims {wanted}")
    return int(good < len(names) or not names)


if __name__ == "__main__":
    sys.exit(main())
