# SPDX-License-Identifier: MIT
"""What the page engine says of the pages, as `dump` on the serial line tells it: runs of
pages that are alike, blocks, free blocks."""
from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from pfnlab.decode_node import CONTINUED, FREE, HEAD, Area, Piece
from pfnlab.values import ADDRESS_LIMIT, PAGE_SHIFT

STATES = ("unmanaged", "free", "allocated", "reserved")
UNMANAGED, IS_FREE, ALLOCATED, IS_RESERVED = STATES
FRAMES = ADDRESS_LIMIT >> PAGE_SHIFT


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


class Engine(Protocol):
    """What is the same of all engines."""

    max_order: int
    areas: list[Area]
    ranges: list[tuple[int, int]]         # managed frames: first and limit

    def pieces(self) -> Iterator[tuple[Area, Piece]]:
        """All pages, in pieces that are alike, in the order of their addresses."""


class Pages:
    """All runs of an engine, by address, as the guest answers: what caches keep (`kept`) is free.
    Made once; the engine does not change."""

    def __init__(self, engine: Engine, kept: frozenset[int] = frozenset()) -> None:
        self.engine, self._kept = engine, kept
        self.runs: list[Run] = []
        for area, piece in engine.pieces():
            self._add(area, piece)
        self._firsts = [run.first for run in self.runs]

    def _add(self, area: Area, piece: Piece) -> None:
        first, pages, cell, fresh = piece
        limit = min(first + pages, area.limit)
        first = max(first, area.first)
        if first >= limit:
            return
        if cell == HEAD and first in self._kept:
            self._join(Run(first, limit, IS_FREE, False, area))
        elif cell == HEAD:
            self.runs.append(Run(first, limit, ALLOCATED, False, area))
        elif cell == CONTINUED:
            self._continue(first, limit, area)
        elif cell == FREE:
            self._join(Run(first, limit, IS_FREE, fresh, area))
        else:
            for start, end in self._managed(first, limit):
                self._join(Run(start, end, IS_RESERVED, fresh, area))

    def _continue(self, first: int, limit: int, area: Area) -> None:
        """Also of a block that is not there, in an engine that is broken."""
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
        i = bisect.bisect_right(self.engine.ranges, (first, 1 << 64)) - 1
        for start, end in self.engine.ranges[max(i, 0):]:
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
        behind = self.runs[i + 1].first if i + 1 < len(self.runs) else FRAMES
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
            order = self.engine.max_order
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
        orders = range(self.engine.max_order + 1)
        counts = {area.name: [0 for _ in orders] for area in self.engine.areas}
        for block in self.free_blocks():
            if block.area is not None:
                counts[block.area.name][block.pages.bit_length() - 1] += 1
        for area in self.engine.areas:
            told = "".join(f" o{order}={n}" for order, n in enumerate(counts[area.name]) if n)
            free = area.free + sum(area.first <= frame < area.limit for frame in self._kept)
            yield (f"{area.name} first={address(area.first)} limit={address(area.limit)} "
                   f"managed={area.managed} free={free} "
                   f"allocated={area.managed - free - area.reserved & (1 << 64) - 1} "
                   f"reserved={area.reserved}{told}")

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
