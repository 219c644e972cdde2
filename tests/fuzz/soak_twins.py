# SPDX-License-Identifier: MIT
"""The machines in lockstep for as long as you like: `make soak-twins`."""
from __future__ import annotations

import argparse
import secrets
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "host"))

from pfnlab.lockstep import Difference, Lockstep  # noqa: E402
from pfnlab.lockstep_findings import keep  # noqa: E402
from pfnlab.lockstep_mixture import Mixture  # noqa: E402
from pfnlab.progress import Progress  # noqa: E402
from pfnlab.spec import project_root  # noqa: E402

SLICE = 2000                      # commands between two looks at how far it is


def main() -> int:
    """0: all replies were equal, 1: they were not, 130: stopped before the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--commands", type=int, default=100_000)
    parser.add_argument("guests", nargs="+", help="the first leads")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.commands} commands on {' '.join(options.guests)}",
          flush=True)
    start = time.monotonic()
    status = 0
    try:
        with Lockstep(options.guests) as guests:
            try:
                run(guests, options.seed, options.commands)
            except KeyboardInterrupt:
                status = 130
            done = guests.commands
    except Difference as difference:
        print(f"the replies differ, seed {options.seed}: {difference}")
        path, replay = keep(difference, project_root() / "build/fuzz/found")
        print(f"{path}:\n{path.read_text('ascii')}{replay}")
        return 1
    took = time.monotonic() - start
    print(f"seed {options.seed}: {done} commands, {took:.0f} s, {done / took:.0f}/s, "
          f"all replies were equal{', stopped by ^C' if status else ''}")
    return status


def run(guests: Lockstep, seed: int, commands: int) -> None:
    """So many commands, a slice at a time."""
    mixture = Mixture(guests, seed)
    with Progress("lockstep", commands) as progress:
        while guests.commands < commands:
            before = guests.commands
            mixture.run(min(SLICE, commands - before))
            progress.advance(guests.commands - before)


if __name__ == "__main__":
    sys.exit(main())
