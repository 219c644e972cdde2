# SPDX-License-Identifier: MIT
"""Early memory again: what is usable, less what is not. `Phys` follows kernel/mm/phys.h; extents
are never kept, but made anew of four lists of ranges whenever somebody asks."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pfnlab.model import Refusal, align_up
from pfnlab.values import ADDRESS_LIMIT, PAGE_SHIFT, PAGE_SIZE


@dataclass
class Phys:
    """The early allocator: disjoint free extents, allocations and the rest, in bytes."""

    usable: list[tuple[int, int]] = field(default_factory=list)
    reserved: list[tuple[int, int]] = field(default_factory=list)
    early: dict[int, int] = field(default_factory=dict)          # start -> size
    used: list[tuple[int, int]] = field(default_factory=list)
    handed: list[tuple[int, int]] = field(default_factory=list)
    minimum: int = 32
    handed_over: bool = False

    def free_extents(self) -> list[tuple[int, int]]:
        """What is usable and nothing else, in ascending order, touching extents joined."""
        early = [(start, start + size) for start, size in self.early.items()]
        return subtract(self.usable, self.reserved + early + self.handed)

    def alloc(self, size: int, align: int = 1, low: int = 0, high: int = ADDRESS_LIMIT,
              from_low: bool = False) -> int:
        """Early memory: its address."""
        align = max(align, self.minimum)
        fits = []
        for start, end in self.free_extents():
            lowest = align_up(max(start, low), align)
            highest = (min(end, high) - size) // align * align
            if highest >= lowest:
                fits.append(lowest if from_low else highest)
        if not fits:
            raise Refusal("mem.none")
        at = min(fits) if from_low else max(fits)
        self.early[at] = size
        self.used.append((at, at + size))
        return at

    def free(self, start: int) -> int:
        """Give back early memory; its size."""
        if self.find(start) != start:
            raise Refusal("mem.inside", start)
        return self.early.pop(start)

    def extend(self, start: int, size: int) -> None:
        """So many bytes for early memory, if what follows it is free."""
        behind = start + self.early[start]
        if not any(a <= behind and start + size <= b for a, b in self.free_extents()):
            raise Refusal("mem.none")
        self.early[start] = size
        self.used.append((start, start + size))

    def find(self, at: int) -> int:
        """The start of the early allocation that holds an address."""
        for start, size in self.early.items():
            if start <= at < start + size:
                return start

        def within(ranges: Iterable[tuple[int, int]]) -> bool:
            return any(a <= at < b for a, b in ranges)
        if within(self.reserved):
            raise Refusal("mem.reserved", at)
        if within(self.handed):
            raise Refusal("mem.busy", at)
        raise Refusal("mem.free" if within(self.usable) else "mem.unmanaged", at)

    def hand_over(self) -> list[tuple[int, int, bool]]:
        """Every whole free page but page 0, as (first frame, pages, fresh)."""
        ranges = []
        self.handed_over = True
        for start, end in self.free_extents():
            first, last = max(1, align_up(start, PAGE_SIZE) >> PAGE_SHIFT), end >> PAGE_SHIFT
            if first >= last:
                continue
            self.handed.append((first << PAGE_SHIFT, last << PAGE_SHIFT))
            stale = [(max(first, a >> PAGE_SHIFT), min(last, align_up(b, PAGE_SIZE) >> PAGE_SHIFT))
                     for a, b in self.used]
            fresh = subtract([(first, last)], stale)
            ranges += [(a, b - a, True) for a, b in fresh]
            ranges += [(a, b - a, False) for a, b in subtract([(first, last)], fresh)]
        return sorted(ranges)


def subtract(these: list[tuple[int, int]], those: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The union of `these` without `those`: sorted, disjoint, not touching."""
    edges = sorted({x for pair in these + those for x in pair})
    out: list[tuple[int, int]] = []
    for a, b in zip(edges, edges[1:]):
        if any(s <= a and b <= e for s, e in these) and not any(
                s <= a and b <= e for s, e in those):
            if out and out[-1][1] == a:
                out[-1] = (out[-1][0], b)
            else:
                out.append((a, b))
    return out
