# SPDX-License-Identifier: MIT
"""The picture of `dump map`, from a guest's memory."""
from __future__ import annotations

from collections.abc import Iterator

from pfnlab.decode_node import Area
from pfnlab.decode_pages import UNMANAGED, Pages, Run, address

COLUMNS, LINES = 32, 32


def map_rows(pages: Pages, only: str = "") -> Iterator[str]:
    """A letter for each unit of the same power of two of pages, area by area."""
    for area in pages.engine.areas:
        mine = [run for run in pages.runs if run.area is area]
        if not mine or only not in ("", area.name):
            continue
        order = _order(mine[0].first, mine[-1].limit)
        step = COLUMNS << order
        for at in range(mine[0].first // step * step, mine[-1].limit, step):
            letters = "".join(_unit(pages, area, at + (i << order), 1 << order)
                              for i in range(COLUMNS))
            if letters.strip("_"):
                yield f"{address(at)} {letters} area={area.name} unit={1 << order}"


def _order(first: int, limit: int) -> int:
    order = 0
    while limit - (first & ~((COLUMNS << order) - 1)) >> order > COLUMNS * LINES:
        order += 1
    return order


def _unit(pages: Pages, area: Area, at: int, size: int) -> str:
    first, limit = max(at, area.first), min(at + size, area.limit)
    found = ""
    while first < limit:
        run = pages.at(first)
        letter = _letter(run)
        if found not in ("", letter):
            return "x"
        found, first = letter, run.limit
    return found or "_"


def _letter(run: Run) -> str:
    if run.state == UNMANAGED:
        return "_"
    return {"allocated": "#", "reserved": "R"}.get(run.state, "." if run.fresh else "o")
