# SPDX-License-Identifier: MIT
"""`make bench`: one table of all that is measured. bench.py ENGINE_BENCH VIRTUAL_BENCH CPUS_BENCH

Instruction counts are exact and repeat on any machine with the same compiler; times are of this
machine, and only their ratios in one run compare. Nothing here passes or fails by a time.
"""
from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

import cpus
import engine
import line_bench
import virtual


def print_engine(console: Console, program: str) -> None:
    """Instructions per operation; net of the same loop with an engine that does nothing."""
    table = Table(title="page engine, instructions per operation (callgrind)")
    for heading in ("workload", "what", "operations", "gross", "net", "goal"):
        table.add_column(heading, justify="left" if heading in ("workload", "what") else "right")
    for row in engine.rows(program):
        table.add_row(row.workload, row.what, f"{row.operations:,}", f"{row.gross:,.2f}",
                      f"{row.net:,.2f}", "" if row.goal is None else f"{row.goal:,g}")
    console.print(table)


def print_virtual(console: Console, program: str) -> None:
    """Instructions per operation; page tables and frames in use then; flushes."""
    table = Table(title="virtual layer and malloc, instructions per operation (callgrind), "
                  "tables of x86_64")
    for heading in ("workload", "what", "operations", "instructions", "table bytes", "frames",
                    "flushes"):
        table.add_column(heading, justify="left" if heading in ("workload", "what") else "right")
    for row in virtual.rows(program):
        table.add_row(row.workload, row.what, f"{row.operations:,}", f"{row.instructions:,.1f}",
                      f"{row.tables:,}", f"{row.frames:,}", f"{row.flushes:,.1f}")
    console.print(table)


def print_cpus(console: Console, program: str) -> None:
    """Time of a pair, and what a second thread gains."""
    table = Table(title="several CPUs, natively (best of several rounds in turn)")
    for heading in ("variant", "what", "ns a pair, 1 thread", "2 threads get done"):
        table.add_column(heading, justify="left" if heading in ("variant", "what") else "right")
    for row in cpus.rows(program):
        table.add_row(row.variant, row.what, f"{row.nanoseconds:,.1f}", f"{row.gain:.2f} times")
    console.print(table)


def print_line(console: Console) -> None:
    """Starts and command rates."""
    table = Table(title="starts and the serial line (medians of this run)")
    for heading in ("what", "guest", "figure", "ratio"):
        table.add_column(heading)
    for row in line_bench.table():
        figure = row.figure() + (f" ({row.note})" if row.note else "")
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} of {row.of}"
        table.add_row(row.what, row.guest, figure, ratio)
    console.print(table)


def main(program: str, virtual_program: str, cpus_program: str) -> None:
    console = Console(width=None if sys.stdout.isatty() else 110)
    print_engine(console, program)
    print_virtual(console, virtual_program)
    print_cpus(console, cpus_program)
    print_line(console)


if __name__ == "__main__":
    main(*sys.argv[1:])
