# SPDX-License-Identifier: MIT
"""The table of what the tests run, from the JSON of gcovr: lines and branches of each file.

    report.py FILE.json...

A line that no test runs must stand in exceptions.txt, with its reason: `FILE | TEXT OF THE LINE |
REASON`. One that stands there and is run is an error, too. Status 0: 100 % of the lines but for
these, and at least 95 % of the branches.
"""
from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXCEPTIONS = Path(__file__).with_name("exceptions.txt")
LEAST_BRANCHES = 95.0

Lines = dict[str, dict[int, int]]


def exceptions() -> set[tuple[str, str]]:
    """(file, text of the line) of each."""
    rows = [line.split(" | ") for line in EXCEPTIONS.read_text().splitlines()
            if line.strip() and not line.startswith("#")]
    for row in rows:
        if len(row) != 3 or not row[2].strip():
            raise SystemExit(f"{EXCEPTIONS}: FILE | TEXT | REASON, not {' | '.join(row)}")
    return {(row[0].strip(), row[1].strip()) for row in rows}


def read(paths: list[str]) -> tuple[Lines, dict[str, list[int]]]:
    """How often each line was run; of each file, how often each branch."""
    lines: Lines = defaultdict(lambda: defaultdict(int))
    branches: dict[tuple[str, int, int], int] = defaultdict(int)
    for path in paths:
        for file in json.loads(Path(path).read_text())["files"]:
            for line in file["lines"]:
                if line.get("gcovr/noncode"):
                    continue
                number = line["line_number"]
                lines[file["file"]][number] += line["count"]
                for i, branch in enumerate(line.get("branches", [])):
                    branches[file["file"], number, i] += branch["count"]
    out: dict[str, list[int]] = defaultdict(list)
    for (name, _, _), count in branches.items():
        out[name].append(count)
    return lines, out


def percent(part: int, whole: int) -> float:
    """Of an empty file, all."""
    return 100.0 * part / whole if whole else 100.0


def main() -> int:
    """The table; its verdict."""
    lines, branches = read(sys.argv[1:])
    known, missed = exceptions(), set()
    total = [0, 0, 0, 0]
    print(f"{'':34} lines           branches")
    for name in sorted(lines):
        source = (ROOT / name).read_text().splitlines()
        run = sum(count > 0 for count in lines[name].values())
        taken = sum(count > 0 for count in branches[name])
        for i, n in enumerate((run, len(lines[name]), taken, len(branches[name]))):
            total[i] += n
        print(f"{name:34} {percent(run, len(lines[name])):5.1f} % {run:4}/{len(lines[name]):<4} "
              f"{percent(taken, len(branches[name])):5.1f} % {taken:4}/{len(branches[name])}")
        missed |= {(name, source[number - 1].strip())
                   for number, count in lines[name].items() if count == 0}
    print(f"{'all':34} {percent(*total[:2]):5.1f} % {total[0]}/{total[1]}  "
          f"{percent(*total[2:]):5.1f} % {total[2]}/{total[3]}")
    for name, text in sorted(missed - known):
        print(f"not run: {name} | {text}")
    for name, text in sorted(known - missed):
        print(f"run, though tests/coverage/exceptions.txt says otherwise: {name} | {text}")
    return int(bool(missed ^ known) or percent(*total[2:]) < LEAST_BRANCHES)


if __name__ == "__main__":
    sys.exit(main())
