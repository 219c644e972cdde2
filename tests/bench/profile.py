# SPDX-License-Identifier: MIT
"""`make profile`: where the instructions of the hot paths are, and the lines that they touch.
profile.py FOLDER [WORKLOAD...]

For each workload: cache lines that an operation touches, by lines_bench, which counts each access
of the engines; then what callgrind says of the functions, each with all that is compiled into it,
and of the costliest lines of source. The figures of the functions are all there is: their sum is
what the workload takes, of which the loop around it is said apart. FOLDER has the programs; all of
callgrind's annotation goes to FOLDER/../profile.
"""
from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

import cpus
import engine
import virtual

ENGINE = ("pair0-cold", "pair0-warm", "pair9-cold", "pair16-cold", "fill0", "drain0", "mix50",
          "aligned", "reserve", "query")
LONGEST = "p99-mix"                    # the hundredth part of a long history that takes longest
HOT = (*ENGINE, LONGEST, "vpair-page-warm", "heap32-warm", "pages", "caches")
KNOWN = (*engine.WORKLOADS, LONGEST, *virtual.WORKLOADS, *cpus.VARIANTS)
FUNCTIONS, LINES = 18, 12              # of each workload, the costliest
COPY = re.compile(r"'\d+$|\.(constprop|isra|part)\..*$")     # the compiler's own of a function
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


def by_function(rows: list[tuple[int, str]]) -> tuple[Counter[tuple[str, str]], int]:
    """Instructions of each function, by its file and name, with what is compiled into it from
    whatever file; and those of the benchmark's own."""
    found: Counter[str] = Counter()
    homes: dict[str, str] = {}
    for count, what in rows:
        file, _, name = what.split(" [")[0].rpartition(":")
        function = COPY.sub("", name)
        found[function] += count
        if file.endswith(".c") or "tests/bench/" in file:
            homes[function] = file
    own = [function for function, file in homes.items() if "tests/bench/" in file]
    loop = sum(found.pop(function) for function in own)
    return Counter({(Path(homes.get(function, "?")).name, function): count
                    for function, count in found.items()}), loop


def must_be_all(told: int, counted: int) -> None:
    """What is told of the functions is all that was counted."""
    if told != counted:
        raise RuntimeError(f"{counted:,} instructions were counted, {told:,} are told")


def print_functions(console: Console, found: Counter[tuple[str, str]], operations: int) -> None:
    """All by file, then the costliest, and the sum of the others."""
    files: Counter[str] = Counter()
    for (file, _), count in found.items():
        files[file] += count
    console.print("  " + ", ".join(f"{file} {count / operations:.1f}"
                                   for file, count in files.most_common()), markup=False)
    for (_, function), count in found.most_common(FUNCTIONS):
        console.print(f"  {count / operations:8.1f}  {function}", markup=False)
    rest = found.most_common()[FUNCTIONS:]
    if rest:
        count = sum(count for _, count in rest)
        console.print(f"  {count / operations:8.1f}  {len(rest)} others", markup=False)


def print_profile(console: Console, program: str, name: str, folder: Path) -> None:
    """The functions and the lines of source, in instructions per operation."""
    data = folder / f"{name}.callgrind"
    said = engine.callgrind(program, engine.ENGINE, name, str(data))
    operations = int(said.split()[0])
    sources = [str(path) for path in sorted(Path("kernel/mm").glob("*.[ch]"))]
    whole = subprocess.run(["callgrind_annotate", "--threshold=100", data, *sources],
                           capture_output=True, text=True, check=True).stdout
    (folder / f"{name}.txt").write_text(whole)
    functions, _, lines = whole.partition("-annotated source")
    rows = costs(functions)
    found, loop = by_function(rows[1:])
    must_be_all(found.total() + loop, rows[0][0])
    console.print(f"[bold]{name}[/bold]: {operations:,} operations, instructions of each: "
                  f"{found.total() / operations:.1f}, and {loop / operations:.1f} of the loop")
    print_functions(console, found, operations)
    ours = [row for row in costs(lines) if len(row[1]) > 2 and "events annotated" not in row[1]
            and "bench" not in row[1]]
    for count, what in sorted(ours, reverse=True)[:LINES]:
        console.print(f"  {count / operations:8.1f}  | {what.strip()}", markup=False)


def print_longest(console: Console, program: str) -> None:
    """The functions in the longest hundredth of the operations of a long history."""
    longest = engine.longest_steps(program, engine.ENGINE, engine.HISTORY)
    found, loop = by_function([(count, what) for step in longest.parts
                               for what, count in step.items()])
    must_be_all(found.total() + loop, longest.total)
    n = len(longest.parts)
    console.print(f"[bold]{LONGEST}[/bold]: the longest {n:,} of {longest.operations:,} "
                  f"operations, instructions of each: {found.total() / n:.1f}, and "
                  f"{loop / n:.1f} of the loop")
    print_functions(console, found, n)


def main(folder: str, *names: str) -> None:
    console = Console(width=None if sys.stdout.isatty() else 110)
    wanted = names or HOT
    for name in wanted:
        if name not in KNOWN:
            sys.exit(f"no workload {name}; there are {' '.join(KNOWN)}")
    results = Path(folder).parent / "profile"
    results.mkdir(exist_ok=True)
    of_engine = tuple(name for name in wanted if name in engine.WORKLOADS)
    if of_engine:
        print_lines(console, f"{folder}/lines_bench", of_engine)
    for name in wanted:
        if name == LONGEST:
            print_longest(console, f"{folder}/engine_bench")
            continue
        program = "virtual_bench" if name in virtual.WORKLOADS else \
            "cpus_bench" if name in cpus.VARIANTS else "engine_bench"
        print_profile(console, f"{folder}/{program}", name, results)
    console.print(f"all of it: {results}/*.txt")


if __name__ == "__main__":
    main(*sys.argv[1:])
