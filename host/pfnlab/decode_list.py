# SPDX-License-Identifier: MIT
"""The list engine as it lies in a guest's memory (kernel/mm/list_parts.h): a byte of each page, and
lists of free pieces. Its invariants are those of list_check.c, in its order."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pfnlab.decode import Image, Value
from pfnlab.decode_check import Violation
from pfnlab.decode_node import CONTINUED, FREE, HEAD, RESERVED, Area, Piece
from pfnlab.decode_place import Place

UNIT = "kernel/mm/list_check.c"
TEXT = {
    51: "areas and ranges ascend, numbers follow each other, the scan order is a permutation",
    52: "a piece is aligned, in its range, and its pages say the same; a reserved one is a page",
    53: "no allocated page is fresh",
    54: "a piece that goes on is behind its block; no block is longer than 2^18 pages",
    55: "no free piece has a free buddy of its order",
    56: "a list holds free pieces of its order and area, linked both ways, as many as it counts",
    57: "every free piece is in a list",
    58: "the totals of an area are the sums of its pages",
}


class Byte:
    """What the byte of a page says."""

    def __init__(self, image: Image) -> None:
        def of(name: str) -> int:
            return image.constant(name, UNIT)
        self._order, self._shift, self._kind = of("BYTE_ORDER"), of("BYTE_KIND_SHIFT"), \
            of("BYTE_KIND")
        self.fresh = of("BYTE_FRESH")
        self._kinds = {of("PIECE_FREE"): FREE, of("PIECE_FIRST"): HEAD,
                       of("PIECE_NEXT"): CONTINUED, of("PIECE_RESERVED"): RESERVED}

    def order(self, byte: int) -> int:
        """Of its piece."""
        return byte & self._order

    def kind(self, byte: int) -> int:
        """Of its piece."""
        return self._kinds[byte >> self._shift & self._kind]

    def is_free(self, byte: int, order: int) -> bool:
        """Is it of a free piece of that order?"""
        return self.kind(byte) == FREE and self.order(byte) == order


@dataclass
class Range:
    """Managed frames of one area without a gap."""

    first: int
    limit: int
    number: int
    area: int


class ListEngine:
    """All of it, read at once."""

    def __init__(self, image: Image, at: Value) -> None:
        self._image, self._at, self._byte = image, at, Byte(image)
        self.max_order = image.constant("MAX_ORDER", UNIT)
        self._no_page = image.constant("NO_PAGE", UNIT)
        self.areas = [self._area(i, v)
                      for i, v in enumerate(at["area"].elements(int(at["nareas"])))]
        self.scan = at["scan"].words()[:len(self.areas)]
        self.spans = [Range(*(int(v[name]) for name in ("first", "limit", "number", "area")))
                      for v in at["range"].elements(int(at["nranges"]))]
        self.ranges = [(span.first, span.limit) for span in self.spans]
        last = self.spans[-1] if self.spans else Range(0, 0, 0, 0)
        self._total = last.number + last.limit - last.first
        self._bytes = image.memory.read(int(at["byte"]), self._total)

    @staticmethod
    def _area(index: int, at: Value) -> Area:
        first, limit, managed, free, reserved = (
            int(at[name]) for name in ("first", "limit", "managed", "free", "reserved"))
        return Area(at, at["name"].text(), index, first, limit, managed, free, reserved, 0, 0)

    def _of(self, span: Range, frame: int) -> int:
        """The byte of a page."""
        return self._bytes[span.number + frame - span.first]

    def _limit(self, span: Range, frame: int) -> int:
        """Where the piece ends that holds a page: in its range, whatever the byte says."""
        pages = 1 << self._byte.order(self._of(span, frame))
        return min(frame // pages * pages + pages, span.limit)

    def pieces(self) -> Iterator[tuple[Area, Piece]]:
        """All pages, by address: pieces, free ones in parts that are equally fresh."""
        for span in self.spans:
            at = span.first
            while at < span.limit:
                byte, end = self._of(span, at), self._limit(span, at)
                kind = self._byte.kind(byte)
                if kind in (FREE, RESERVED):
                    end = next((n for n in range(at, end) if self._of(span, n) != byte), end)
                yield self.areas[span.area], (at, end - at, kind, bool(byte & self._byte.fresh))
                at = end

    def places(self, frame: int) -> list[Place]:
        """The byte that says what a page is; none if it is not managed."""
        span = next((s for s in self.spans if s.first <= frame < s.limit), None)
        if span is None:
            return []
        byte = self._of(span, frame)
        kind = {FREE: "free", HEAD: "block", CONTINUED: "continued", RESERVED: "reserved"}
        told = f"{kind[self._byte.kind(byte)]} order={self._byte.order(byte)}"
        return [Place(f"{told} fresh={byte & self._byte.fresh != 0:d} byte",
                      int(self._at["byte"]) + span.number + frame - span.first, 0xff, byte)]

    # ---- invariants ----

    def check(self) -> Iterator[Violation]:
        """Every broken one, the kernel's first one first."""
        yield from self._roots()
        sums = [_Sums() for _ in self.areas]
        for span in self.spans:
            yield from self._pieces(span, sums[span.area])
        for area, total in zip(self.areas, sums, strict=True):
            for order in range(self.max_order + 1):
                yield from self._list(area, order, total.pieces[order])
            if (area.managed, area.free, area.reserved) != (total.managed, total.free,
                                                            total.reserved):
                yield _broken(58, area.first)

    def _roots(self) -> Iterator[Violation]:
        limit = number = 0
        for area in self.areas:
            if area.first != limit or area.limit <= limit:
                yield _broken(51, area.first)
            limit = area.limit
        if sorted(self.scan) != list(range(len(self.areas))):
            yield _broken(51, 0)
        limit = 1
        for span in self.spans:
            area = self.areas[span.area]
            if span.first < limit or span.limit <= span.first or span.number != number \
                    or span.first < area.first or span.limit > area.limit:
                yield _broken(51, span.first)
            limit, number = span.limit, number + span.limit - span.first

    def _pieces(self, span: Range, sums: _Sums) -> Iterator[Violation]:
        at, block = span.first, 0
        while at < span.limit:
            byte = self._of(span, at)
            order, kind = self._byte.order(byte), self._byte.kind(byte)
            pages, end = 1 << order, self._limit(span, at)
            if order > self.max_order or at % pages or at + pages > span.limit \
                    or (kind == RESERVED and order):
                yield _broken(52, at)
            yield from self._alike(span, at, end, byte)
            if kind == CONTINUED and not block:
                yield _broken(54, at)
            block = {HEAD: pages, CONTINUED: block + pages}.get(kind, 0)
            if block > 1 << self.max_order:
                yield _broken(54, at)
            if kind == FREE and self._has_free_buddy(span, at, order):
                yield _broken(55, at)
            sums.add(kind, order, end - at)
            at = end

    def _alike(self, span: Range, first: int, end: int, byte: int) -> Iterator[Violation]:
        for frame in range(first, end):
            other = self._of(span, frame)
            if (other ^ byte) & ~self._byte.fresh:
                yield _broken(52, frame)
            elif self._byte.kind(byte) in (HEAD, CONTINUED) and other & self._byte.fresh:
                yield _broken(53, frame)

    def _has_free_buddy(self, span: Range, first: int, order: int) -> bool:
        buddy = first ^ 1 << order
        return order < self.max_order and span.first <= buddy \
            and buddy + (1 << order) <= span.limit \
            and self._byte.is_free(self._of(span, buddy), order)

    def _list(self, area: Area, order: int, there: int) -> Iterator[Violation]:
        number, previous = int(area.at["head"][order]), self._no_page
        count = int(area.at["count"][order])
        for _ in range(min(count, self._total)):
            if number >= self._total:
                yield _broken(56, area.first)
                return
            span = next(s for s in reversed(self.spans) if s.number <= number)
            frame, link = span.first + number - span.number, self._at["link"][number]
            if span.area != area.index or frame % (1 << order) \
                    or not self._byte.is_free(self._of(span, frame), order) \
                    or int(link["previous"]) != previous:
                yield _broken(56, frame)
                return
            previous, number = number, int(link["next"])
        if number != self._no_page:
            yield _broken(56, area.first)
        elif there != count:
            yield _broken(57, area.first)


class _Sums:
    """Of an area."""

    def __init__(self) -> None:
        self.managed = self.free = self.reserved = 0
        self.pieces: Counter[int] = Counter()       # free ones, by order

    def add(self, kind: int, order: int, pages: int) -> None:
        """A piece."""
        self.managed += pages
        self.free += pages if kind == FREE else 0
        self.reserved += pages if kind == RESERVED else 0
        self.pieces[order] += kind == FREE


def _broken(invariant: int, frame: int) -> Violation:
    return Violation(invariant, frame, TEXT[invariant])
