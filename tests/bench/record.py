# SPDX-License-Identifier: MIT
"""What the benchmark measured, as the repository keeps it: recorded.json, from which the tables of
README.md are made, and with which a run on another machine is compared.

What is counted and what the clock told are two parts, each with its commit: the first repeats on
any machine with the same compiler, the second nowhere. A third is what takes too long for the
benchmark (long_runs.py).
"""
from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cpus
import engine
import virtual
from pfnlab.bench import Row, commit
from summary import Figures, markdown, number

RECORDED = Path(__file__).with_name("recorded.json")
README = Path(__file__).parents[2] / "README.md"
TABLES = (re.compile(r"^\| at .*\n(?:\|.*\n)+", re.MULTILINE),
          re.compile(r"^\| what, at .*\n(?:\|.*\n)+", re.MULTILINE))
DIGITS = 4                            # of what is recorded, behind the point


def tools() -> dict[str, str]:
    """What counts depend on: the compiler, and a little on who counts."""
    said = {name: subprocess.run([name, "--version"], capture_output=True, text=True,
                                 check=True).stdout.splitlines()[0]
            for name in ("gcc", "valgrind")}
    return {"compiler": said["gcc"], "counted by": said["valgrind"]}


def rounded(value: Any) -> Any:
    """The same with few digits."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return round(value, DIGITS) if isinstance(value, float) else value


def read(path: Path = RECORDED) -> dict[str, Any]:
    """All that is recorded."""
    data: dict[str, Any] = json.loads(path.read_text())
    return data


def figures(data: dict[str, Any]) -> Figures:
    """The figures of what was recorded."""
    counts, times = data["counts"], data["times"]
    return Figures({name: engine.Row(**row) for name, row in counts["engines"].items()},
                   {name: virtual.Row(**row) for name, row in counts["virtual"].items()},
                   {name: cpus.Row(**row) for name, row in times["cpus"].items()},
                   [Row(**row) for row in times["rows"]], counts["commit"], times["commit"],
                   data.get("long", {}))


def write(measured: Figures, path: Path = RECORDED) -> None:
    """Record what was measured; the times only if it has some."""
    data = read(path) if path.exists() else {"licence": "SPDX-License-Identifier: MIT"}
    data["counts"] = {
        "commit": commit(), **tools(),
        "engines": {name: rounded(asdict(row)) for name, row in measured.engines.items()},
        "virtual": {name: rounded(asdict(row)) for name, row in measured.virtual.items()},
    }
    if measured.times:
        data["times"] = {
            "commit": commit(),
            "cpus": {name: rounded(asdict(row)) for name, row in measured.cpus.items()},
            "rows": [rounded(row.data()) for row in measured.times],
        }
    path.write_text(json.dumps(data, indent=1) + "\n")


def write_long(took: dict[str, int], path: Path = RECORDED) -> None:
    """Record what long_runs.py measured, each with the commit."""
    data = read(path)
    runs = {what: {"commit": commit(), "value": value} for what, value in took.items()}
    data["long"] = data.get("long", {}) | runs
    path.write_text(json.dumps(data, indent=1) + "\n")


def with_tables(text: str, data: dict[str, Any]) -> str:
    """README.md with the tables of what is recorded in the place of its own."""
    for pattern, table in zip(TABLES, markdown(figures(data)).split("\n\n"), strict=True):
        before = pattern.findall(text)
        if len(before) != 1:
            raise ValueError(f"README.md has {len(before)} tables that begin as {pattern.pattern}")
        text = text.replace(before[0], f"{table}\n")
    return text


def counted(measured: Figures) -> dict[str, float]:
    """Each figure that repeats, by a name that tells what and of which engine."""
    found = {}
    for name, row in measured.engines.items():
        found[f"{name}, {engine.ENGINE}"] = row.net
        found |= {f"{name}, {other}": figure for other, figure in row.others.items()
                  if other == engine.REFERENCE}
    for name, kept in measured.virtual.items():
        found |= {f"{name}, {key}": float(value) for key, value in asdict(kept).items()
                  if isinstance(value, int | float)}
    return {key: round(value, DIGITS) for key, value in found.items()}


def differences(data: dict[str, Any], measured: Figures, used: dict[str, str]) -> Iterator[str]:
    """What is not as it was recorded: first why it might be, then row by row."""
    for what, name in used.items():
        if name != data["counts"][what]:
            yield f"{what}: recorded {data['counts'][what]}, this is {name}"
    before, now = counted(figures(data)), counted(measured)
    for row in before | now:
        if before.get(row) != now.get(row):
            yield f"{row}: recorded {number(before.get(row))}, this is {number(now.get(row))}"
