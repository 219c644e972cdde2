# SPDX-License-Identifier: MIT
"""`make profile`: where the instructions of the hot paths are, and the lines that they touch.
profile.py FOLDER [WORKLOAD...]

For each workload: cache lines that an operation touches, by lines_bench, which counts each access
of the engines; then what callgrind says of the functions, and of the costliest lines of source.
FOLDER has the programs; all of callgrind's annotation goes to FOLDER/../profile.
"""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

import engine

HOT = ("pair0-cold", "pair0-warm", "pair9-cold", "fill0", "drain0", "mix50", "aligned", "reserve",
       "query")
FUNCTIONS, LINES = 10, 12              # of each workload, the costliest
COST = re.compile(r"^ *([\d,]+) \( *[\d.]+%\) +(.*)$")


def print_lines(console: Console, program: str, names: tuple[str, ...]) -> None:
    """Cache lines of 64 bytes per operation, those of the caller's request and answer included."""
    table = Table(title="cache lines touched by an operation")
    for heading in ("workload", "engine", "operations", "lines", "of them written", "most"):
        table.add_column(heading, justify="left" if heading in ("workload", "engine") else "right")
    for name in names:
        for which in (engine.ENGINE, engine.REFERENCE):
            said = subprocess.run([program, which, name, "0"], capture_output=True, text=True,
                                  check=True).stdout
            operations, lines, written, most = map(int, said.split()[-4:])
            table.add_row(name, which, f"{operations:,}", f"{lines / operations:.1f}",
                          f"{written / operations:.1f}", f"{most:,}")
    console.print(table)


def costs(text: str) -> list[tuple[int, str]]:
    """What callgrind_annotate says costs something, in its order."""
    found = (COST.match(line) for line in text.splitlines())
    return [(int(m[1].replace(",", "")), m[2]) for m in found if m and "=>" not in m[2]]


def print_profile(console: Console, program: str, name: str, folder: Path) -> None:
    """The functions and the lines of source, in instructions per operation."""
    data = folder / f"{name}.callgrind"
    said = engine.callgrind(program, engine.ENGINE, name, str(data))
    operations = int(said.split()[0])
    sources = [str(path) for path in sorted(Path("kernel/mm").glob("page*.[ch]"))]
    whole = subprocess.run(["callgrind_annotate", data, *sources], capture_output=True, text=True,
                           check=True).stdout
    (folder / f"{name}.txt").write_text(whole)
    functions, _, lines = whole.partition("-- Auto-annotated source")
    console.print(f"[bold]{name}[/bold]: {operations:,} operations, instructions of each")
    for count, what in costs(functions)[1:FUNCTIONS + 1]:
        console.print(f"  {count / operations:8.1f}  {what.split(' [')[0]}", markup=False)
    ours = [row for row in costs(lines) if len(row[1]) > 2 and "events annotated" not in row[1]
            and "bench" not in row[1]]
    for count, what in sorted(ours, reverse=True)[:LINES]:
        console.print(f"  {count / operations:8.1f}  | {what.strip()}", markup=False)


def main(folder: str, *names: str) -> None:
    console = Console(width=None if sys.stdout.isatty() else 110)
    wanted = names or HOT
    results = Path(folder).parent / "profile"
    results.mkdir(exist_ok=True)
    print_lines(console, f"{folder}/lines_bench", wanted)
    for name in wanted:
        print_profile(console, f"{folder}/engine_bench", name, results)
    console.print(f"all of it: {results}/*.txt")


if __name__ == "__main__":
    main(*sys.argv[1:])
