# SPDX-License-Identifier: MIT
"""The table of what the tests run, from the JSON of gcovr: lines and branches of each file.

    report.py NATIVE.json [GUEST.json...]

Lines and branches are those of the native guest, whose every line is counted. What ran inside
guests (guest.py) has a column of its own, and a line that ran only there counts as run; but no
exception is refuted by that, as an optimised program shares instructions among lines.

A line that no test runs must stand in exceptions.txt, with its reason: `FILE | TEXT OF THE LINE |
REASON`; where several lines have the same text, each that is not run has a row. A row too many, or
for a line that is run, is an error, too. The failing branch of an ASSERT is not
counted: no test can make it come true, or it is a defect. Status 0: 100 % of the lines but for
these, and at least 95 % of the branches.
"""
from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXCEPTIONS = Path(__file__).with_name("exceptions.txt")
LEAST_BRANCHES = 95.0

Lines = dict[str, dict[int, int]]
Texts = Counter[tuple[str, str]]          # of (file, text of a line), how many


def exceptions() -> Texts:
    """Those of exceptions.txt."""
    rows = [line.split(" | ") for line in EXCEPTIONS.read_text().splitlines()
            if line.strip() and not line.startswith("#")]
    for row in rows:
        if len(row) != 3 or not row[2].strip():
            raise SystemExit(f"{EXCEPTIONS}: FILE | TEXT | REASON, not {' | '.join(row)}")
    return Counter((row[0].strip(), row[1].strip()) for row in rows)


def files(path: str) -> list[dict[str, Any]]:
    """What the JSON tells of each file."""
    found: list[dict[str, Any]] = json.loads(Path(path).read_text())["files"]
    return found


def read_native(path: str) -> tuple[Lines, dict[str, list[int]]]:
    """How often each line was run; of each file, how often each branch."""
    lines: Lines = defaultdict(dict)
    branches: dict[str, list[int]] = defaultdict(list)
    for file in files(path):
        name = file["file"]
        source = (ROOT / name).read_text().splitlines()
        for line in file["lines"]:
            if line.get("gcovr/noncode"):
                continue
            number = line["line_number"]
            lines[name][number] = lines[name].get(number, 0) + line["count"]
            asserted = "ASSERT(" in source[number - 1]
            branches[name] += [branch["count"] for branch in line.get("branches", [])
                               if branch["count"] > 0 or not asserted]
    return lines, branches


def read_guests(paths: list[str], lines: Lines) -> dict[str, list[int]]:
    """Of each file, how many lines of its programs ran and how many there are; what ran there is
    added to the native lines."""
    seen: dict[str, dict[int, bool]] = defaultdict(dict)
    for path in paths:
        for file in files(path):
            for line in file["lines"]:
                number, run = line["line_number"], line["count"] > 0
                seen[file["file"]][number] = seen[file["file"]].get(number, False) or run
                if run and number in lines[file["file"]]:
                    lines[file["file"]][number] += 1
    return {name: [sum(ran.values()), len(ran)] for name, ran in seen.items()}


def missed(lines: Lines) -> Texts:
    """The lines that were not run."""
    return Counter((name, (ROOT / name).read_text().splitlines()[number - 1].strip())
                   for name, counts in lines.items()
                   for number, count in counts.items() if count == 0)


def percent(part: int, whole: int) -> float:
    """Of an empty file, all."""
    return 100.0 * part / whole if whole else 100.0


def cells(row: list[int]) -> str:
    """Three pairs of numbers, with their percentages."""
    return "   ".join(f"{percent(*row[i:i + 2]):5.1f} % {row[i]:4}/{row[i + 1]:<4}"
                      for i in range(0, 6, 2))


def main() -> int:
    """The table; its verdict."""
    lines, branches = read_native(sys.argv[1])
    natively = missed(lines)
    guests = read_guests(sys.argv[2:], lines)
    unknown, stale = missed(lines) - exceptions(), exceptions() - natively
    total = [0] * 6
    print(f"{'':34} lines           branches            lines in guests")
    for name in sorted(lines):
        row = [sum(count > 0 for count in lines[name].values()), len(lines[name]),
               sum(count > 0 for count in branches[name]), len(branches[name]),
               *guests.get(name, [0, 0])]
        total = [whole + part for whole, part in zip(total, row)]
        print(f"{name:34} {cells(row)}")
    print(f"{'all':34} {cells(total)}")
    for name, text in sorted(unknown.elements()):
        print(f"not run: {name} | {text}")
    for name, text in sorted(stale.elements()):
        print(f"run, though tests/coverage/exceptions.txt says otherwise: {name} | {text}")
    return int(bool(unknown or stale) or percent(*total[2:4]) < LEAST_BRANCHES)


if __name__ == "__main__":
    sys.exit(main())
