# SPDX-License-Identifier: MIT
"""The placement of the reference engine `list` (kernel/mm/list.h): a stack of free pieces for each
area and order. All but the placement is as in `Pages`."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pfnlab.model import FREE, PFN_LIMIT, Pages, Request, Run, order_for
from pfnlab.values import MAX_ORDER


class ListPages(Pages):
    """The page allocator, from lists: `pieces_of[area, order]` holds first frames, the last one is
    the first to go."""

    def __init__(self, ranges: Iterable[tuple[int, int, bool]],
                 areas: list[tuple[str, int]]) -> None:
        self.pieces_of: dict[tuple[int, int], list[int]] = defaultdict(list)
        self._order: dict[int, int] = {}   # of each free piece, by its first frame
        super().__init__(ranges, areas)
        for run in self.runs:
            self._give(run, run.first, run.end)

    def _add_piece(self, area: int, first: int, order: int) -> None:
        self.pieces_of[area, order].append(first)
        self._order[first] = order

    def _remove_piece(self, area: int, first: int) -> int:
        order = self._order.pop(first)
        self.pieces_of[area, order].remove(first)
        return order

    def _give(self, run: Run, first: int, end: int) -> None:
        """Free frames, in no list: the largest pieces that they make, each joined with its buddy as
        long as that is free."""
        while first < end:
            order = min((end - first).bit_length() - 1, (first & -first).bit_length() - 1,
                        MAX_ORDER)
            piece, behind = first, first + (1 << order)
            while order < MAX_ORDER and self._order.get(piece ^ 1 << order) == order \
                    and run.first <= piece ^ 1 << order < run.end:
                self._remove_piece(run.area, piece ^ 1 << order)
                piece &= ~(1 << order)
                order += 1
            self._add_piece(run.area, piece, order)
            first = behind

    def _carve(self, run: Run, first: int, end: int) -> None:
        """Free frames, out of the lists; what else is in their pieces goes back at once."""
        at = first
        while at < end:
            start = next(at >> order << order for order in range(MAX_ORDER + 1)
                         if self._order.get(at >> order << order, -1) >= order)
            behind = start + (1 << self._remove_piece(run.area, start))
            self._give(run, start, first)
            self._give(run, end, behind)
            at = behind

    def _paint(self, first: int, end: int, state: int) -> None:
        super()._paint(first, end, state)
        for run, low, high in self.pieces(first, end):
            (self._give if state == FREE else self._carve)(run, low, high)

    def _changed(self, area: int, first: int, end: int) -> None:
        """Nothing to count: the lists are all that is needed."""

    def _place(self, area: int, want: Request) -> int | None:
        if want.fresh or want.min > 0 or want.max < PFN_LIMIT:
            return self._lowest(area, want, 0, PFN_LIMIT)
        order = max(order_for(want.pages), want.align)
        for larger in range(order, MAX_ORDER + 1):
            if self.pieces_of[area, larger]:
                return self.pieces_of[area, larger][-1]
        return self._lowest(area, want, 0, PFN_LIMIT)
