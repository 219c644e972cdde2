# SPDX-License-Identifier: MIT
"""Pictures of memory (matplotlib): PNG or SVG by the name of the file."""
from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib  # type: ignore[import]

matplotlib.use("Agg")

import numpy  # noqa: E402
from matplotlib.figure import Figure  # type: ignore[import]  # noqa: E402
from matplotlib.patches import Patch  # type: ignore[import]  # noqa: E402

from pfnlab.layout import COLUMNS, Grid, clipped, grids, used_grids  # noqa: E402
from pfnlab.sampling import Piece, Sample  # noqa: E402
from pfnlab.values import PAGE_SHIFT  # noqa: E402

FRESH, FREE, RESERVED, NOTHING = "#e3efe8", "#a9d5bf", "#7b818c", "#ffffff"
GUARD = "#1d2430"                 # of a range of the window
OWNERS = ("#0072b2", "#e69f00", "#cc4e8f", "#56a4d9", "#b3541e", "#7a4fb5", "#c9a227", "#2b4a6f")
LINES = ("#0072b2", "#d55e00", "#7a4fb5", "#2a8c68", "#c9a227", "#cc4e8f")
WIDTH = 10.0                      # inches
MOST_RUNS = 6                     # that are told apart in a column: their addresses have to fit
HISTORY_CELLS = 256               # of a column, from bottom to top


def ranks_of(samples: list[Sample]) -> dict[int, int]:
    """Colours of owners, by their place among all of them: few owners have one each."""
    owners = {p.owner for one in samples for p in one.pieces or [] if p.state == "allocated"}
    return {owner: rank % len(OWNERS) for rank, owner in enumerate(sorted(owners))}


def color_of(piece: Piece, ranks: dict[int, int]) -> str:
    """By state; what is allocated by its owner."""
    if piece.state == "allocated":
        return OWNERS[ranks[piece.owner]]
    if piece.state in ("reserved", "guard"):
        return RESERVED if piece.state == "reserved" else GUARD
    return FRESH if piece.fresh else FREE


def _rgb(color: str) -> Any:
    return numpy.array([int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)])


def _paint(grid: Grid, pieces: list[Piece], ranks: dict[int, int]) -> Any:
    """The grid as colours; a cell of several pages has the mixture of theirs."""
    total = grid.rows * COLUMNS
    ink, weight = numpy.zeros((total, 3)), numpy.zeros(total)
    for begin, piece in clipped(pieces, grid):
        _ink(ink, weight, begin / grid.unit, (begin + piece.pages) / grid.unit,
             _rgb(color_of(piece, ranks)))
    empty = _rgb(NOTHING)
    left = numpy.clip(1 - weight, 0, 1)[:, None]
    return numpy.clip(ink + left * empty, 0, 1).reshape(grid.rows, COLUMNS, 3)


def _ink(ink: Any, weight: Any, begin: float, end: float, color: Any) -> None:
    """Fill cells from `begin` to `end`, those at the edges in part."""
    first, last = int(begin), int(end)
    if first == last:
        ink[first] += color * (end - begin)
        weight[first] += end - begin
        return
    ink[first] += color * (first + 1 - begin)
    weight[first] += first + 1 - begin
    ink[first + 1:last] += color
    weight[first + 1:last] += 1
    if last < len(ink) and end > last:
        ink[last] += color * (end - last)
        weight[last] += end - last


def size_text(pages: int) -> str:
    """Pages as bytes for people."""
    n = pages << PAGE_SHIFT
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        n /= 1024                 # type: ignore[assignment]
        if n < 1024 or unit == "TiB":
            break
    return f"{n:.4g} {unit}"


def figure_map(one: Sample, title: str = "") -> Any:
    """All pages by area, state and owner."""
    pieces, ranks = one.pieces or [], ranks_of([one])
    areas = grids(pieces)
    heights = [*(max(2.0, grid.rows) for grid in areas), 6.0]
    figure = Figure(figsize=(WIDTH, 0.9 + sum(heights) * 0.085 + 0.4 * len(areas)),
                    layout="constrained")
    axes = figure.subplots(len(heights), 1, squeeze=False,
                           gridspec_kw={"height_ratios": heights})[:, 0]
    for axis, grid in zip(axes, areas):
        axis.imshow(_paint(grid, pieces, ranks), aspect="auto", interpolation="nearest",
                    extent=(0, COLUMNS, grid.rows, 0))
        ticks = sorted({0, grid.rows // 4, grid.rows // 2, 3 * grid.rows // 4}) \
            if grid.rows >= 8 else [0]
        axis.set_yticks(ticks, [f"{grid.frame(row * COLUMNS) << PAGE_SHIFT:#x}" for row in ticks],
                        family="monospace", fontsize=7)
        axis.set_xticks([])
        axis.set_title(f"{grid.name}: {size_text(grid.pages)}, {size_text(grid.unit)} a cell"
                       + (f", {len(grid.spans)} runs, holes left out"
                          if len(grid.spans) > 1 else ""), loc="left", fontsize=9)
    axes[-1].axis("off")
    axes[-1].legend(handles=_legend(ranks, pieces), loc="center", ncol=6, fontsize=8, frameon=False)
    title = title or (f"memory after {one.step} requests" if one.step else "memory at first")
    figure.suptitle(title, fontsize=11)
    return figure


def _legend(ranks: dict[int, int], pieces: list[Piece]) -> list[Any]:
    found = [Patch(facecolor=FRESH, edgecolor="#888888", label="free, never handed out"),
             Patch(facecolor=FREE, label="free"), Patch(facecolor=RESERVED, label="reserved")]
    if any(piece.state == "guard" for piece in pieces):
        found.append(Patch(facecolor=GUARD, label="guard"))
    if len(ranks) > len(OWNERS):
        label = f"allocated, {len(ranks)} owners in {len(OWNERS)} colours"
        return [*found, Patch(facecolor=OWNERS[0], label=label)]
    return [*found, *(Patch(facecolor=OWNERS[rank], label=f"owner {owner}" if owner else "no owner")
                      for owner, rank in ranks.items())]


def figure_history(samples: list[Sample], title: str = "") -> Any:
    """The map over time: a column for each sample, addresses upwards, one panel an area. What is
    never used is left out, and areas of which nothing is."""
    frames = [one for one in samples if one.pieces]
    areas, ranks = used_grids([one.pieces or [] for one in frames]), ranks_of(frames)
    areas = areas or (grids(frames[-1].pieces or []) if frames else [])
    heights = [*(1.0 for _ in areas), 0.3]
    figure = Figure(figsize=(WIDTH, 1.4 + 2.0 * len(areas)), layout="constrained")
    axes = figure.subplots(len(heights), 1, squeeze=False,
                           gridspec_kw={"height_ratios": heights})[:, 0]
    for axis, grid in zip(axes, areas):
        _draw_history(axis, grid, frames, ranks)
    axes[-1].axis("off")
    pieces = [piece for one in frames for piece in one.pieces or []]
    axes[-1].legend(handles=_legend(ranks, pieces), loc="center", ncol=6, fontsize=8, frameon=False)
    if areas:
        axes[len(areas) - 1].set_xlabel("requests", fontsize=8)
    figure.suptitle(title or "memory over time", fontsize=11)
    return figure


def _draw_history(axis: Any, grid: Grid, frames: list[Sample], ranks: dict[int, int]) -> None:
    tall = Grid(grid.name, grid.spans, max(1, -(-grid.pages // HISTORY_CELLS)))
    columns = [_paint(tall, one.pieces or [], ranks).reshape(-1, 3)[:tall.cells] for one in frames]
    axis.imshow(numpy.stack(columns, axis=1), aspect="auto", origin="lower",
                interpolation="nearest", extent=(0, len(frames), 0, tall.cells))
    quarters = [tall.cells * n // 4 for n in range(4)]
    marks: dict[float, int] = {cell: tall.frame(cell) for cell in quarters}
    if 1 < len(tall.spans) <= MOST_RUNS:
        marks = {begin / tall.unit: piece.first for begin, piece in clipped(
            [Piece(first, n, "", False, 0, grid.name) for first, n in tall.spans], tall)}
        for cell in marks:
            axis.axhline(cell, color=NOTHING, linewidth=1.5)
    axis.set_yticks(list(marks), [f"{frame << PAGE_SHIFT:#x}" for frame in marks.values()],
                    family="monospace", fontsize=7)
    places = sorted({0, len(frames) // 4, len(frames) // 2, 3 * len(frames) // 4, len(frames) - 1})
    axis.set_xticks([p + 0.5 for p in places], [str(frames[p].step) for p in places], fontsize=7)
    managed = sum(p.pages for p in frames[-1].pieces or [] if p.area == grid.name)
    left_out = f" of {size_text(managed)}, the rest is never used" if managed > grid.pages else ""
    axis.set_title(f"{grid.name}: {size_text(grid.pages)}{left_out}", loc="left", fontsize=9)


def _lines(samples: list[Sample], what: str, label: str, title: str, log: bool = False) -> Any:
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    axis = figure.subplots()
    names = list(dict.fromkeys(area.name for one in samples for area in one.areas))
    for number, name in enumerate(names):
        points = [(one.step, getattr(area, what)) for one in samples for area in one.areas
                  if area.name == name]
        axis.step([x for x, _ in points], [y for _, y in points], where="post", label=name,
                  color=LINES[number % len(LINES)], linewidth=1.8,
                  linestyle=("-", "--", "-.", ":")[number // len(LINES) % 4])
    if log:
        axis.set_yscale("symlog", base=2, linthresh=1)
        top = max((area.largest for one in samples for area in one.areas), default=1)
        orders = range((top.bit_length() - 1) % 2, max(1, top.bit_length()), 2)
        axis.set_yticks([0, *(1 << o for o in orders)],
                        ["none", *(size_text(1 << o) for o in orders)])
        axis.set_ylim(bottom=0)
    else:
        axis.set_ylim(-0.02, 1.02)
    axis.set_xlabel("requests")
    axis.set_ylabel(label)
    axis.grid(True, color="#dddddd", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axis.set_title(title, fontsize=11, loc="left")
    return figure


def figure_fragmentation(samples: list[Sample]) -> Any:
    """External fragmentation over time, per area."""
    return _lines(samples, "fragmentation", "part of the free pages",
                  "fragmentation: free pages that are not in the largest free block")


def figure_largest(samples: list[Sample]) -> Any:
    """The largest free block over time, per area."""
    return _lines(samples, "largest", "size", "largest free block", log=True)


def save(figure: Any, path: Path) -> None:
    """Write it, as the suffix says. ValueError: not a kind of picture that is known."""
    figure.savefig(path, dpi=120, facecolor="white")


def svg_text(figure: Any) -> str:
    """It as SVG to stand in a page."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "pfnlab"}):
        figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg"):]
