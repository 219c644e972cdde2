# SPDX-License-Identifier: MIT
"""The benchmark's goals and what was measured, as a table in Markdown for README.md."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cpus
import engine
from pfnlab.bench import Row, commit
from virtual import Row as VirtualRow


@dataclass
class Figures:
    """All that was measured, and at which commit: what was counted, and what the clock told."""

    engines: dict[str, engine.Row] = field(default_factory=dict)
    virtual: dict[str, VirtualRow] = field(default_factory=dict)
    cpus: dict[str, cpus.Row] = field(default_factory=dict)
    times: list[Row] = field(default_factory=list)
    counted_at: str = field(default_factory=commit)
    timed_at: str = field(default_factory=commit)
    long: dict[str, dict[str, Any]] = field(default_factory=dict)

    def time(self, what: str, guest: str) -> str:
        """What the row of that name says, a rate of commands beside that of a bare echo."""
        said = {row.what: row.figure() for row in self.times if row.guest == guest}
        echo = what.replace("alloc_page + free", "echo")
        beside = f"; echo: {said[echo]}" if echo != what and echo in said else ""
        return said.get(what, "not measured") + beside


# What, the goal, and the workloads of the figures.
ENGINE_ROWS = (
    ("order 0, alloc and free: cold, warm", "90", ("pair0-cold", "pair0-warm")),
    ("order 9: cold, warm", "130", ("pair9-cold", "pair9-warm")),
    ("order 16: cold, warm", "450", ("pair16-cold", "pair16-warm")),
    ("order 18: cold, warm", "450", ("pair18-cold", "pair18-warm")),
    ("fill 1 GiB with order 0, each page", "30", ("fill0",)),
    ("free them in random order, each", "115", ("drain0",)),
    ("D1 misses of that: 1 GiB, 16 GiB", "0.5, 2", ("misses-1g", "misses-16g")),
    ("random orders 0..9, 50 % and 90 % full", "150", ("mix50", "mix90")),
    ("one page aligned to 2 MiB, and its free", "750", ("aligned",)),
    ("reserve and unreserve of a page", "950", ("reserve",)),
    ("state of an arbitrary page", "60", ("query",)),
    ("longest alloc or free known; 99 of 100", "600; 400", ("worst", "p99-mix")),
    ("start on 64 MiB, 1 GiB, 256 GiB, 64 TiB, instructions", "",
     ("init-64m", "init-1g", "init-256g", "init-64t")),
    ("the same, bytes touched", "4 per 2 MiB",
     ("bytes-64m", "bytes-1g", "bytes-256g", "bytes-64t")),
    ("bytes of records for 1000 pages, all single", "560", ("metadata",)),
    ("2 MiB blocks regained of 512 after churn", "460", ("compaction",)),
    ("failed of 1M requests, 90 % full: 1 GiB, 256 MiB", "0, 50", ("failed-1g", "failed-256m")),
)

VIRTUAL_ROWS = (
    ("vmalloc and vfree of a page", "900", "vpair-page-warm"),
    ("malloc and free of 32 bytes", "120", "heap32-warm"),
)

BOOT = "boot to first prompt over the emulator's own start"
TIME_ROWS = (
    ("commands a second, one at a time, from C: native", "30,000",
     ("alloc_page + free, single, from C", "native")),
    ("the same, pipelined", "100,000", ("alloc_page + free, pipelined, from C", "native")),
    ("x86_64: one at a time", "3,000", ("alloc_page + free, single, from C", "x86_64")),
    ("x86_64: pipelined", "8,000", ("alloc_page + free, pipelined, from C", "x86_64")),
    ("s390x: one at a time", "8,000", ("alloc_page + free, single, from C", "s390x")),
    ("s390x: pipelined", "20,000", ("alloc_page + free, pipelined, from C", "s390x")),
    ("the same from Python: native, pipelined", "", ("alloc_page + free, pipelined", "native")),
    ("operations a second at the guest's own speed (`stress`), x86_64", "1,000,000",
     ("stress, operations in the guest", "x86_64")),
    ("boot to prompt over the emulator's own start: x86_64", "15 ms", (BOOT, "x86_64")),
    ("the same: s390x", "15 ms", (BOOT, "s390x")),
    ("an idle guest: native", "0 %", ("idle for 3 s", "native")),
    ("the same: x86_64", "0 %", ("idle for 3 s", "x86_64")),
    ("the same: i386", "0 %", ("idle for 3 s", "i386")),
    ("the same: s390x", "0 %", ("idle for 3 s", "s390x")),
    ("the same: x86_64 on Bochs", "0 %", ("idle for 3 s", "x86_64?emulator=bochs")),
    ("the same: s390x on Hercules", "0 %", ("idle for 3 s", "s390x?emulator=hercules")),
    ("commands a second against the model, drawn before", "8,000",
     ("checked against the model, drawn before", "native")),
    ("operations a second of the coverage-guided fuzzer, one process", "200,000",
     ("coverage-guided operations, checked", "fuzz_ops")),
)


def number(figure: float | None) -> str:
    """A figure as the tables have it."""
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if figure >= 100 or figure == round(figure) else f"{figure:,.2f}"


def joined(figures: Figures, names: tuple[str, ...], other: str | None) -> str:
    """The figures of these workloads on the engine, or on another."""
    if names[0] == "worst":
        longest = max(row.net for name, row in figures.engines.items() if name[:6] == "worst-")
        return "" if other else f"{number(longest)}; {number(figures.engines[names[1]].net)}"
    rows = [figures.engines[name] for name in names]
    cells = [number(row.others.get(other) if other else row.net) for row in rows]
    return "" if set(cells) == {"-"} else ", ".join(cells)


def cpu_rows(rows: dict[str, cpus.Row]) -> list[tuple[str, str, str]]:
    """What a lock costs, and what a second thread gains: what, the goal, the figure."""
    time = {name: row.nanoseconds for name, row in rows.items()}
    return [("order 0, alloc and free under the layer's lock, over an empty pair of that lock",
             "1.5 times", f"{time['pages'] / time['lock']:.2f} times"),
            ("the same with per-CPU caches, over an empty pair of that lock", "1.5 times",
             f"{time['caches'] / time['lock']:.2f} times"),
            ("two threads against one, order 0, per-CPU caches", "1.8 times",
             f"{rows['caches'].gain:.2f} times")]


def long_rows(figures: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    """What `make bench-long` measured, each at its own commit: what, the goal, the figure."""
    said = {what: "not measured" for what in ("test", "oracle")}
    for what, one in figures.items():
        value = one["value"]
        said[what] = (f"{value // 60} min {value % 60} s" if what == "test"
                      else f"{value:,}, 0 differences") + f", at {one['commit']}"
    return [("random operations of the engine, each answer compared with an exact oracle's",
             "10 million, 0 differences", said["oracle"]),
            ("the whole of `make test` on two cores", "8 minutes", said["test"])]


def markdown(figures: Figures) -> str:
    """Both tables."""
    others = [name for name in engine.OTHERS
              if any(name in row.others for row in figures.engines.values())]
    lines = [f"| at {figures.counted_at}: instructions, if nothing else is said | goal | tree | "
             + " | ".join(others) + " |", "|---" * (3 + len(others)) + "|"]
    for what, goal, names in ENGINE_ROWS:
        cells = [joined(figures, names, other) for other in (None, *others)]
        lines.append(f"| {what} | {goal} | " + " | ".join(cells) + " |")
    lines += ["", f"| what, at {figures.timed_at} | goal | measured |", "|---|---|---|"]
    for what, goal, name in VIRTUAL_ROWS:
        lines.append(f"| {what}, instructions | {goal} "
                     f"| {number(figures.virtual[name].instructions)} |")
    if figures.cpus:
        lines += [f"| {' | '.join(row)} |" for row in cpu_rows(figures.cpus)]
    if figures.times:
        lines += [f"| {what} | {goal} | {figures.time(*key)} |" for what, goal, key in TIME_ROWS]
    lines += [f"| {' | '.join(row)} |" for row in long_rows(figures.long)]
    return "\n".join(lines)
