# SPDX-License-Identifier: MIT
"""`make bench`: one table of all that is measured. bench.py FOLDER [FORM]

FOLDER has the programs that run the workloads; FORM is one of

    tables           for people
    markdown         the tables of README.md; counts: without what the clock tells
    record           recorded.json and README.md are what is measured now; record-counts: without
                     what the clock tells, of which they keep what they have
    compare          what is counted, with what is recorded: status 1 if anything differs

Instruction counts are exact and repeat on any machine with the same compiler; times are of this
machine, and only their ratios in one run compare. Nothing here passes or fails by a time.
"""
from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

import cpus
import engine
import fuzz_bench
import line_bench
import machine_bench
import record
import virtual
from pfnlab.bench import Row
from summary import Figures, markdown, number


def print_engine(console: Console, rows: Iterable[engine.Row]) -> None:
    """Instructions per operation; net of the same loop with an engine that does nothing."""
    table = Table(title="page engines, instructions per operation (callgrind)")
    for heading in ("workload", "what", "operations", "goal", engine.ENGINE, *engine.OTHERS):
        table.add_column(heading, justify="left" if heading in ("workload", "what") else "right")
    for row in rows:
        table.add_row(row.workload, row.what, f"{row.operations:,}",
                      "" if row.goal is None else f"{row.goal:,g}", number(row.net),
                      *(number(row.others[other]) if other in row.others else ""
                        for other in engine.OTHERS))
    console.print(table)
    console.print("tree: the engine under test; list: the reference engine; the others: "
                  "aligned_alloc and free, which know no areas, windows or exact addresses")


def print_virtual(console: Console, rows: Iterable[virtual.Row]) -> None:
    """Instructions per operation; page tables and frames in use then; flushes."""
    table = Table(title="virtual layer and malloc, instructions per operation (callgrind), "
                  "tables of x86_64")
    for heading in ("workload", "what", "operations", "instructions", "table bytes", "frames",
                    "flushes"):
        table.add_column(heading, justify="left" if heading in ("workload", "what") else "right")
    for row in rows:
        table.add_row(row.workload, row.what, f"{row.operations:,}", f"{row.instructions:,.1f}",
                      f"{row.tables:,}", f"{row.frames:,}", f"{row.flushes:,.1f}")
    console.print(table)


def print_cpus(console: Console, rows: Iterable[cpus.Row]) -> None:
    """Time of a pair, and what a second thread gains."""
    table = Table(title="several CPUs, natively (best of several rounds in turn)")
    for heading in ("variant", "what", "ns a pair, 1 thread", "2 threads get done"):
        table.add_column(heading, justify="left" if heading in ("variant", "what") else "right")
    for row in rows:
        table.add_row(row.variant, row.what, f"{row.nanoseconds:,.1f}", f"{row.gain:.2f} times")
    console.print(table)


def print_times(console: Console, rows: Iterable[Row]) -> None:
    """Starts, idle guests and command rates."""
    table = Table(title="starts and the serial line (medians of this run)")
    for heading in ("what", "guest", "figure", "ratio"):
        table.add_column(heading)
    for row in rows:
        figure = row.figure() + (f" ({row.note})" if row.note else "")
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} of {row.of}"
        table.add_row(row.what, row.guest, figure, ratio)
    console.print(table)


def measure(folder: Path, times: bool, peers: bool) -> Figures:
    """What is counted, and what the clock tells."""
    programs = engine.Programs(str(folder / "engine_bench"),
                               str(folder / "peer_bench") if peers else "")
    return Figures({row.workload: row for row in engine.rows(programs)},
                   {row.workload: row for row in virtual.rows(str(folder / "virtual_bench"))},
                   {row.variant: row for row in cpus.rows(str(folder / "cpus_bench"))}
                   if times else {},
                   [*machine_bench.table(folder), *line_bench.table(str(folder / "line_client")),
                    *fuzz_bench.table(folder.parent / "fuzz")] if times else [])


def compare(measured: Figures) -> int:
    """Say what is not as it was recorded; 1 if there is anything."""
    recorded = record.read()
    found = list(record.differences(recorded, measured, record.tools()))
    n = len(record.counted(measured))
    for line in found:
        print(line)
    print(f"{n} figures, as recorded at {recorded['counts']['commit']}"
          + (f", but for {len(found)}" if found else ": all of them"))
    return 1 if found else 0


def main(folder: str, form: str = "tables") -> int:
    counts_only = form in ("counts", "record-counts", "compare")
    figures = measure(Path(folder).resolve(), not counts_only, form != "compare")
    if form == "compare":
        return compare(figures)
    if form.startswith("record"):
        record.write(figures)
        record.README.write_text(record.with_tables(record.README.read_text(), record.read()))
    elif form != "tables":
        figures.long = record.read().get("long", {})
        print(markdown(figures))
    else:
        console = Console(width=None if sys.stdout.isatty() else 150)
        print_engine(console, figures.engines.values())
        print_virtual(console, figures.virtual.values())
        print_cpus(console, figures.cpus.values())
        print_times(console, figures.times)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
