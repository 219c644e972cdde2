# SPDX-License-Identifier: MIT
"""Where each page is in a picture: the pages of an area in a grid, holes left out."""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pfnlab.sampling import Piece

COLUMNS = 128
MOST_ROWS = 40
NEAR = 64                         # pages between two that are used, which are shown as well
MARGIN = 8                        # pages beside them, too


@dataclass
class Grid:
    """The managed pages of an area, `unit` of them in a cell."""

    name: str
    spans: list[tuple[int, int]] = field(default_factory=list)     # first frame, pages
    unit: int = 1

    @property
    def pages(self) -> int:
        """All of them."""
        return sum(pages for _, pages in self.spans)

    @property
    def cells(self) -> int:
        """Cells that hold a page."""
        return -(-self.pages // self.unit)

    @property
    def rows(self) -> int:
        """Rows of the grid."""
        return max(1, -(-self.cells // COLUMNS))

    def frame(self, cell: int) -> int:
        """The first frame of a cell."""
        left = cell * self.unit
        for first, pages in self.spans:
            if left < pages:
                return first + left
            left -= pages
        return self.spans[-1][0] + self.spans[-1][1]


def grids(pieces: list[Piece]) -> list[Grid]:
    """A grid for each area, in the order of addresses."""
    found: dict[str, Grid] = {}
    for piece in pieces:
        grid = found.setdefault(piece.area, Grid(piece.area))
        if grid.spans and sum(grid.spans[-1]) == piece.first:
            grid.spans[-1] = (grid.spans[-1][0], grid.spans[-1][1] + piece.pages)
        else:
            grid.spans.append((piece.first, piece.pages))
    for grid in found.values():
        while grid.pages > grid.unit * COLUMNS * MOST_ROWS:
            grid.unit *= 2
    return list(found.values())


def used_grids(frames: Sequence[list[Piece]]) -> list[Grid]:
    """As grids() of the last frame, but only what any of them uses, and what is near it: of a large
    memory that is a small part, and all that changes. Areas that nobody uses have none."""
    found = []
    whole = {grid.name: grid for grid in grids(frames[-1])} if frames else {}
    for grid in whole.values():
        spans: list[tuple[int, int]] = []
        for first, end in sorted(_used(frames, grid.name)):
            if spans and first - spans[-1][1] <= NEAR:
                spans[-1] = (spans[-1][0], max(spans[-1][1], end))
            else:
                spans.append((first, end))
        shown = [(max(low, first - MARGIN), min(low + pages, end + MARGIN))
                 for first, end in spans for low, pages in grid.spans
                 if first < low + pages and low < end]
        if shown:
            found.append(Grid(grid.name, [(first, end - first) for first, end in shown]))
    return found


def _used(frames: Sequence[list[Piece]], area: str) -> set[tuple[int, int]]:
    """What is or was handed out, and what was reserved since the first frame."""
    before = {(p.first, p.pages) for p in frames[0] if p.state == "reserved"}
    return {(p.first, p.first + p.pages) for pieces in frames for p in pieces if p.area == area
            and (not p.fresh if p.state == "free" else p.state != "reserved"
                 or (p.first, p.pages) not in before)}


def clipped(pieces: Sequence[Piece], grid: Grid) -> Iterator[tuple[int, Piece]]:
    """The parts of the pieces that a grid has, each with its position among the grid's pages."""
    starts = [first for first, _ in grid.spans]
    offsets = [0]
    for _, pages in grid.spans:
        offsets.append(offsets[-1] + pages)
    for piece in pieces:
        if piece.area != grid.name:
            continue
        for n in range(max(0, bisect_right(starts, piece.first) - 1), len(starts)):
            first = max(piece.first, starts[n])
            end = min(piece.first + piece.pages, sum(grid.spans[n]))
            if starts[n] >= piece.first + piece.pages:
                break
            if first < end:
                yield offsets[n] + first - starts[n], replace(piece, first=first,
                                                              pages=end - first)
