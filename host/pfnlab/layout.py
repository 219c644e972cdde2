# SPDX-License-Identifier: MIT
"""Where each page is in a picture: the pages of an area in a grid, holes left out."""
from __future__ import annotations

from dataclasses import dataclass, field

from pfnlab.sampling import Piece

COLUMNS = 128
MOST_ROWS = 40


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
