# SPDX-License-Identifier: MIT
"""All processors of each guest at work for a long time, and a row of figures for each.

    soak_stress.py [--time SECONDS] [--cpus N] [--seed N] [--append WORDS] GUEST...

GUEST: an architecture, or `tsan`, the native guest under ThreadSanitizer. One after the other each
runs `stress` with all kinds of operations, every invariant verified now and then; at the end no
page may be missing. Status 1: somebody found something, which is shown.
"""
from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300                    # seconds beyond the stress: a start, checks, a loaded machine


def command(guest: str) -> list[str]:
    """What starts it."""
    if guest == "tsan":
        return [str(ROOT / "build/tsan/native/pfnlab")]
    return [str(ROOT / "run-guest.sh"), guest]


def soak(guest: str, options: argparse.Namespace, seed: int) -> bool:
    """Run it, and print its row; was there nothing to be found?"""
    lines = ["cpu start all", f"stress seconds={options.time} cpus=all check=1 seed={seed}",
             "cpus", "cpu stop all", "check", "poweroff"]
    argv = [*command(guest), "--cpus", str(options.cpus), "--append", options.append]
    try:
        done = subprocess.run(argv, input="".join(f"{line}\n" for line in lines), text=True,
                              capture_output=True, check=False, timeout=options.time + PATIENCE)
        said, status = done.stdout + done.stderr, done.returncode
    except subprocess.TimeoutExpired as late:
        said, status = f"{(late.stdout or b'').decode()}\nit does not end", 1
    told = re.search(r"^= (\d+) fails=(\d+) cpus=(\d+) least=(\d+) most=(\d+)", said, re.M)
    green = (status == 0 and told is not None and "\n?" not in said and "WARNING" not in said
             and int(told[3]) == options.cpus)
    if told is not None:
        print(f"{guest:8} {options.time} s seed={seed} cpus={told[3]} operations={told[1]} "
              f"({int(told[1]) // options.time} a second, one did {told[4]} to {told[5]}) "
              f"refusals={told[2]} {'nothing found' if green else 'FOUND'}", flush=True)
    if not green:
        print(f"{guest}: status {status}\n{said[-4000:]}", flush=True)
    return green


def main() -> int:
    """Each guest in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time", type=int, default=600)
    parser.add_argument("--cpus", type=int, default=4)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--append", default="")
    parser.add_argument("guests", nargs="+")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    return 0 if all([soak(guest, options, seed) for guest in options.guests]) else 1


if __name__ == "__main__":
    sys.exit(main())
