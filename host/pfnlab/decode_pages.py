# SPDX-License-Identifier: MIT
"""What the page allocator's tree says of the pages, as `dump` on the serial line tells it: runs of
pages that are alike, blocks, free blocks."""
from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

from pfnlab.decode_node import (CHUNK_PAGES, CONTINUED, FREE, HEAD, MAX_ORDER, UNIT_PAGES, Area,
                                Chunk, Tree, bit)

STATES = ("unmanaged", "free", "allocated", "reserved")
UNMANAGED, IS_FREE, ALLOCATED, IS_RESERVED = STATES


@dataclass
class Run:
    """Frames first..limit-1, all alike: a block, or pages that are in nobody's."""

    first: int
    limit: int
    state: str
    fresh: bool = False
    area: Area | None = None

    @property
    def pages(self) -> int:
        """How many."""
        return self.limit - self.first


Piece = tuple[int, int, int, bool]    # first frame, pages, cell, fresh


def chunk_pieces(tree: Tree, index: int) -> Iterator[Piece]:
    """The entries of a chunk, pages or larger, in the order of their addresses."""
    first, chunk = tree.first_of(index), tree.chunk(index)
    if chunk is None:
        state = tree.states[index]
        yield first, CHUNK_PAGES, state & 3, bool(state & 4)
        return
    for unit in range(512):
        yield from _unit_pieces(chunk, unit, first + unit * UNIT_PAGES)


def _unit_pieces(chunk: Chunk, unit: int, first: int) -> Iterator[Piece]:
    cell, is_open = chunk.units.cell(unit), bit(chunk.open, unit)
    if not is_open and not bit(chunk.mixed, unit):
        yield first, UNIT_PAGES, cell, bool(bit(chunk.units.fresh, unit))
        return
    leaf = chunk.leaf(unit)
    for page in range(UNIT_PAGES):
        here = leaf.cell(page) if is_open else cell
        if not is_open and cell == HEAD and page:
            here = CONTINUED
        yield first + page, 1, here, bool(bit(leaf.fresh, page))


class Pages:
    """All runs of a tree, by address. Made once; the tree does not change."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.runs: list[Run] = []
        for area in tree.areas:
            for index in range(area.chunk, area.chunk + area.chunks):
                for piece in chunk_pieces(tree, index):
                    self._add(area, piece)
        self._firsts = [run.first for run in self.runs]

    def _add(self, area: Area, piece: Piece) -> None:
        first, pages, cell, fresh = piece
        limit = min(first + pages, area.limit)
        first = max(first, area.first)
        if first >= limit:
            return
        if cell == HEAD:
            self.runs.append(Run(first, limit, ALLOCATED, False, area))
        elif cell == CONTINUED:
            self._continue(first, limit, area)
        elif cell == FREE:
            self._join(Run(first, limit, IS_FREE, fresh, area))
        else:
            for start, end in self._managed(first, limit):
                self._join(Run(start, end, IS_RESERVED, fresh, area))

    def _continue(self, first: int, limit: int, area: Area) -> None:
        """Also of a block that is not there, in a tree that is broken."""
        if self.runs and self.runs[-1].limit == first and self.runs[-1].state == ALLOCATED:
            self.runs[-1].limit = limit
        else:
            self.runs.append(Run(first, limit, ALLOCATED, False, area))

    def _join(self, run: Run) -> None:
        last = self.runs[-1] if self.runs else None
        if last is not None and (last.limit, last.state, last.fresh) == (
                run.first, run.state, run.fresh) and last.area is run.area:
            last.limit = run.limit
        else:
            self.runs.append(run)

    def _managed(self, first: int, limit: int) -> Iterator[tuple[int, int]]:
        i = bisect.bisect_right(self.tree.ranges, (first, 1 << 64)) - 1
        for start, end in self.tree.ranges[max(i, 0):]:
            if start >= limit:
                break
            if end > first:
                yield max(start, first), min(end, limit)

    # ---- questions ----

    def at(self, frame: int) -> Run:
        """The run that holds a frame; one that is unmanaged ends at the next one that is not."""
        i = bisect.bisect_right(self._firsts, frame) - 1
        if i >= 0 and frame < self.runs[i].limit:
            return self.runs[i]
        before = self.runs[i].limit if i >= 0 else 0
        behind = self.runs[i + 1].first if i + 1 < len(self.runs) else 1 << 40
        return Run(before, behind, UNMANAGED)

    def every(self) -> Iterator[Run]:
        """All runs with the holes between them, up to the last that is managed."""
        at = 0
        for run in self.runs:
            if run.first > at:
                yield Run(at, run.first, UNMANAGED)
            yield run
            at = run.limit

    def free_blocks(self) -> Iterator[Run]:
        """Maximal free blocks, naturally aligned, of one area each; `fresh` if all of one is."""
        first = limit = 0
        area: Area | None = None
        for run in self.runs:
            if run.state != IS_FREE:
                continue
            if run.first != limit or run.area is not area:
                yield from self._blocks(first, limit, area)
                first, area = run.first, run.area
            limit = run.limit
        yield from self._blocks(first, limit, area)

    def _blocks(self, first: int, limit: int, area: Area | None) -> Iterator[Run]:
        while first < limit:
            order = MAX_ORDER
            while first & (1 << order) - 1 or first + (1 << order) > limit:
                order -= 1
            run = self.at(first)
            yield Run(first, first + (1 << order), IS_FREE,
                      run.fresh and run.limit >= first + (1 << order), area)
            first += 1 << order

    def block_at(self, frame: int) -> Run:
        """What holds a frame: its block, its maximal free block, or itself."""
        run = self.at(frame)
        if run.state == IS_FREE:
            return next(b for b in self.free_blocks() if b.first <= frame < b.limit)
        if run.state == ALLOCATED:
            return run
        return Run(frame, frame + 1, run.state, run.fresh, run.area)

    # ---- rows, as the serial line has them ----

    def area_rows(self) -> Iterator[str]:
        """As `dump areas`."""
        counts: dict[str, list[int]] = {a.name: [0] * (MAX_ORDER + 1) for a in self.tree.areas}
        for block in self.free_blocks():
            if block.area is not None:
                counts[block.area.name][block.pages.bit_length() - 1] += 1
        for area in self.tree.areas:
            orders = "".join(f" o{order}={n}" for order, n in enumerate(counts[area.name]) if n)
            yield (f"{area.name} first={address(area.first)} limit={address(area.limit)} "
                   f"managed={area.managed} free={area.free} "
                   f"allocated={area.managed - area.free - area.reserved & (1 << 64) - 1} "
                   f"reserved={area.reserved}{orders}")

    def free_rows(self, area: str = "", order: int | None = None) -> Iterator[str]:
        """As `dump free`, of one area or order only if wanted."""
        for block in self.free_blocks():
            size = block.pages.bit_length() - 1
            name = block.area.name if block.area is not None else ""
            if area in ("", name) and order in (None, size):
                yield (f"{address(block.first)} {block.pages} order={size} area={name} "
                       f"fresh={block.fresh:d}")


def address(frame: int) -> str:
    """Of a frame, as the serial line has it."""
    return f"{frame << 12:#018x}"
