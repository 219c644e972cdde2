# SPDX-License-Identifier: MIT
"""The picture of `dump map`, from a guest's memory."""
from __future__ import annotations

from collections.abc import Iterator

from pfnlab.decode import Image
from pfnlab.decode_node import Area
from pfnlab.decode_pages import UNMANAGED, Pages, Run, address

UNIT = "protocol/dump_map.c"


def map_rows(image: Image, pages: Pages, only: str = "") -> Iterator[str]:
    """A letter for each unit of the same power of two of pages, area by area."""
    columns, lines = image.constant("COLUMNS", UNIT), image.constant("LINES_MAX", UNIT)
    for area in pages.engine.areas:
        mine = [run for run in pages.runs if run.area is area]
        if not mine or only not in ("", area.name):
            continue
        order = 0
        while mine[-1].limit - (mine[0].first & ~((columns << order) - 1)) >> order \
                > columns * lines:
            order += 1
        step = columns << order
        for at in range(mine[0].first // step * step, mine[-1].limit, step):
            letters = "".join(_unit(pages, area, at + (i << order), 1 << order)
                              for i in range(columns))
            if letters.strip("_"):
                yield f"{address(at)} {letters} area={area.name} unit={1 << order}"


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
