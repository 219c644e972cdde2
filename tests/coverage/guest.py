# SPDX-License-Identifier: MIT
"""Which lines run inside a guest in QEMU: guest.py ARCH OUTPUT.json

The emulator logs each instruction when it translates it for the first time; the line table of the
kernel says what line it is of. That is exact for lines that exist in the optimised program, and
tells nothing about branches. The guest replays every transcript of the scenarios, then lives lives
of the fuzzer and gets hostile lines: a fixed number of each.
"""
from __future__ import annotations

import json
import random
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "host"), str(ROOT)]

from pfnlab import Guest  # noqa: E402
from pfnlab.errors import PfnlabError  # noqa: E402
from pfnlab.fuzz import Figures, live, new_life  # noqa: E402
from pfnlab.symbols import Symbols  # noqa: E402
from pfnlab.transcript import Mismatch, Transcript  # noqa: E402
from tests.fuzz.hostile import Attack  # noqa: E402

LIVES, HOSTILE_LINES, STRESS = 25, 2000, 20000
COUNTED = ("kernel/mm/", "protocol/")
START = 30.0                      # seconds, until the emulator listens


def command_line(arch: str, place: Path, log: Path) -> list[str]:
    """As run-guest.sh would start it, with its log of translated instructions."""
    printed = subprocess.run(
        ["./run-guest.sh", arch, "--print", "--serial", f"unix:{place}"],
        cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = shlex.split(printed.splitlines()[-1])
    words[words.index("-D") + 1] = str(log)
    return [*words, "-d", "in_asm"]


def exercise(guest: Guest) -> None:
    """Something of everything."""
    for path in sorted((ROOT / "tests/scenarios").glob("*.t")):
        guest.reset()
        try:
            Transcript(path.read_text()).replay(guest)
        except (Mismatch, PfnlabError):       # of other machines, or of other options
            pass
    guest.map_machine()
    for order in (0, 9, 18):
        guest.stress(STRESS, order=order, check=1)
    for command in guest.table.commands:
        guest.call("help", command)
    for number in range(LIVES):
        guest.link.log.clear()
        why = live(guest, new_life(guest, random.Random(f"coverage/{number}")), Figures())
        if why is not None:
            raise SystemExit(f"{guest.arch}: {why}")
    Attack(guest, seed=1).run(HOSTILE_LINES)


def executed(log: Path) -> set[int]:
    """The addresses in the log."""
    with log.open(encoding="ascii", errors="replace") as lines:
        return {int(found[1], 16) for line in lines
                if (found := re.match(r"0x([0-9a-f]+): ", line))}


def counts(symbols: Symbols, addresses: set[int]) -> dict[str, dict[int, int]]:
    """For each line that the program has instructions of: was one of them executed?"""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for address, file, line in symbols.lines:
        if file.startswith(COUNTED) and line > 0:
            found[file][line] = found[file].get(line, 0) | (address in addresses)
    return found


def main() -> int:
    """The counts, in the form of gcovr."""
    arch, output = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        place, log = Path(directory) / "line", Path(directory) / "log"
        with subprocess.Popen(command_line(arch, place, log), cwd=directory,
                              stdin=subprocess.DEVNULL) as emulator:
            try:
                deadline = time.monotonic() + START
                while not place.exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                with Guest(f"unix:{place}") as guest:
                    exercise(guest)
                emulator.terminate()          # orderly: the log is written to its end
                emulator.wait()
            finally:
                emulator.kill()
        run = counts(Symbols(ROOT / "build" / arch / "kernel.elf"), executed(log))
    files = [{"file": name, "lines": [{"line_number": line, "count": count}
                                      for line, count in sorted(lines.items())]}
             for name, lines in sorted(run.items())]
    Path(output).write_text(json.dumps({"files": files}), "ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
