# SPDX-License-Identifier: MIT
"""A picture of benchmarks over commits (matplotlib)."""
from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure  # type: ignore[import]
from matplotlib.ticker import LogLocator, NullLocator  # type: ignore[import]

from pfnlab.bench import Row
from pfnlab.picture import LINES, WIDTH

RATIO = "ratio"                   # the panel of what compares
TITLES = {RATIO: "ratios: these compare", "/s": "commands or operations a second",
          "ms": "milliseconds", "us": "microseconds"}
TALL = 3.2                        # inches, of a panel


def panels_of(rows: list[Row]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """The panels, ratios first, then each unit: their lines by name, as (place of the commit,
    figure)."""
    places = {name: place for place, name in enumerate(commits_of(rows))}
    found: dict[str, dict[str, list[tuple[int, float]]]] = {RATIO: {}}
    for row in rows:
        point, name = places[row.commit], f"{row.guest}: {row.what}"
        found.setdefault(row.unit, {}).setdefault(name, []).append((point, row.value))
        if row.ratio is not None:
            found[RATIO].setdefault(f"{name} / {row.of}", []).append((point, row.ratio))
    return {title: lines for title, lines in found.items() if lines}


def commits_of(rows: list[Row]) -> list[str]:
    """In the order of the file."""
    return list(dict.fromkeys(row.commit for row in rows))


def _scale(axis: Any, figures: list[float]) -> None:
    """By ratios, with room for at least one of 1, 2, 5 at the side."""
    axis.set_yscale("log")
    axis.set_ylim(min(figures) / 1.6, max(figures) * 1.6)
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=30))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(lambda x, _: f"{x:,.0f}" if x >= 1 else f"{x:g}")
    axis.tick_params(axis="y", labelsize=7)


def figure_bench(rows: list[Row]) -> Any:
    """A panel for the ratios and one for each unit, a line for each guest and row."""
    panels, commits = panels_of(rows), commits_of(rows)
    tall = [max(TALL, 0.9 + 0.19 * len(lines)) for lines in panels.values()]
    figure = Figure(figsize=(WIDTH, sum(tall)), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": tall})[:, 0]
    for axis, (title, lines) in zip(axes, panels.items()):
        for number, (name, points) in enumerate(sorted(lines.items())):
            axis.plot([x for x, _ in points], [y for _, y in points], label=name, marker="o",
                      color=LINES[number % len(LINES)], markersize=4, linewidth=1.6,
                      linestyle=("-", "--", "-.", ":")[number // len(LINES) % 4])
        _scale(axis, [y for points in lines.values() for _, y in points])
        axis.set_xlim(-0.5, max(0.5, len(commits) - 0.5))
        axis.set_xticks(range(len(commits)), [name or "?" for name in commits], rotation=30,
                        ha="right", fontsize=7, family="monospace")
        axis.set_title(TITLES.get(title, title), loc="left", fontsize=10)
        axis.grid(True, color="#dddddd", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
