# SPDX-License-Identifier: MIT
"""The window's ranges (kernel/mm/virt.h), and what is behind them (vmap.h)."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pfnlab.decode import Image, Unreadable, Value
from pfnlab.decode_check import Violation
from pfnlab.decode_pages import ALLOCATED, Pages
from pfnlab.decode_records import Lookup
from pfnlab.decode_tables import Entry, Tables

NODE = ("virt_node", "kernel/mm/virt.c")
TEXT = {
    400: "a range is empty or not in the window", 401: "a range overlaps the one before it",
    402: "the tree of ranges is not balanced", 403: "a node does not tell what its subtree is",
    404: "the counts of ranges or of pages in use are not theirs",
    405: "a range was neither made nor taken back",
    500: "what is mapped there is nobody's", 501: "a page is not mapped",
    502: "the frame behind a page is not there for it",
    503: "a frame is kept for a page that is not there",
}


@dataclass
class Range:
    """A range of the window; page numbers."""

    first: int
    pages: int
    front: int
    back: int
    size: int
    kind: str
    redzone: int
    tag: int

    def row(self) -> str:
        """As `dump virt`."""
        fields = [f"{name}={value}" for name, value in
                  (("front", self.front), ("back", self.back), ("size", self.size),
                   ("redzone", self.redzone)) if value or name == "size"]
        return " ".join([f"{self.first << 12:#018x} {self.pages} {self.kind}", *fields,
                         f"owner={self.tag}"])

    @property
    def has_frames(self) -> bool:
        """Did its pages come from the page allocator?"""
        return self.kind in ("vmalloc", "heap", "stack")


class Window:
    """All ranges, by address."""

    def __init__(self, image: Image, vmap: Value) -> None:
        self._virt, self._node = vmap["virt"], image.type(*NODE)
        uses = image.type("pages_use", "kernel/mm/pages.c").names
        self.mapped = next(n for n, name in uses.items() if name == "PAGES_MAPPED")
        self.first, self.limit = int(self._virt["first"]) >> 12, int(self._virt["limit"]) >> 12
        self.ranges: list[Range] = []
        self.violations: list[Violation] = []
        self._end, self._pages, self._seen = self.first, 0, 0
        self._busy: int | None = None         # the first page of the last range that is
        root = self._virt["root"]
        self._walk(root.cast(self._node) if root else None)
        if self._seen != int(self._virt["records"]["used"]) \
                or self._pages != int(self._virt["used"]):
            self._broken(404, self.first)
        if self._busy is not None:
            self._broken(405, self._busy)

    def _broken(self, invariant: int, page: int) -> None:
        self.violations.append(Violation(invariant, page, TEXT[invariant]))

    def _walk(self, node: Value | None, depth: int = 0
              ) -> tuple[int, int, int, int] | None:
        """A subtree in order: where it begins and ends, its largest gap, its height."""
        if node is None:
            return None
        if depth > 64:
            raise Unreadable("the tree of ranges is too deep to be one")
        child = {side: node[side].cast(self._node) if node[side] else None
                 for side in ("left", "right")}
        left = self._walk(child["left"], depth + 1)
        start, end = self._range(node["range"])
        right = self._walk(child["right"], depth + 1)
        heights = (left[3] if left else 0, right[3] if right else 0)
        gaps = [left[2], start - left[1]] if left else []
        gaps += [right[2], right[0] - end] if right else []
        told = (left[0] if left else start, right[1] if right else end, max(gaps, default=0))
        if abs(heights[0] - heights[1]) > 1 or int(node["height"]) != 1 + max(heights):
            self._broken(402, start)
        if told != tuple(int(node[name]) for name in ("low", "high", "gap")):
            self._broken(403, start)
        return *told, 1 + max(heights)

    def _range(self, at: Value) -> tuple[int, int]:
        kind = at["kind"].enumerator().removeprefix("VIRT_").lower()
        pages, front, back, size, redzone, tag = (
            int(at[name]) for name in ("pages", "front", "back", "size", "redzone", "tag"))
        one = Range(int(at["first"]) >> 12, pages, front, back, size,
                    {"pages": "vpages"}.get(kind, kind), redzone, tag)
        start, end = one.first - one.front, one.first + one.pages + one.back
        if not one.pages or not self.first <= start <= end <= self.limit:
            self._broken(400, start)
        if start < self._end:
            self._broken(401, start)
        if at["busy"]:
            self._busy = one.first
        self._end = end
        self._seen, self._pages = self._seen + 1, self._pages + end - start
        self.ranges.append(one)
        return start, end

    def at(self, page: int) -> Range | None:
        """The range that holds a page, guards included."""
        return next((r for r in self.ranges
                     if r.first - r.front <= page < r.first + r.pages + r.back), None)


def check_window(window: Window, tables: Tables, pages: Pages, owners: Lookup
                 ) -> Iterator[Violation]:
    """Invariants 400 and 500 on, as kernel/mm/vmap_check.c has them."""
    yield from window.violations
    frames = {key for key, (_, mark) in owners.records.items() if mark == window.mapped}
    at, wanted = window.first, 0
    for one in window.ranges:
        yield from _nothing(tables, at, one.first)
        at = one.first + one.pages
        if one.kind == "vpages":
            yield from _nothing(tables, one.first, at)
            continue
        yield from _mapped(one, tables, pages, frames)
        wanted += one.pages if one.has_frames else 0
    yield from _nothing(tables, at, window.limit)
    if len(frames) != wanted:
        yield Violation(503, 0, TEXT[503])


def _nothing(tables: Tables, first: int, limit: int) -> Iterator[Violation]:
    entry = next(tables.mapped(first << 12, limit << 12), None)
    if entry is not None:
        yield Violation(500, max(entry.start >> 12, first), TEXT[500])


def _mapped(one: Range, tables: Tables, pages: Pages, frames: set[int]) -> Iterator[Violation]:
    at, end = one.first, one.first + one.pages
    for entry in tables.mapped(at << 12, end << 12):
        if entry.start >> 12 > at:
            yield Violation(501, at, TEXT[501])
        at = entry.end >> 12
        if one.has_frames and not _is_frame(entry, pages, frames):
            yield Violation(502, entry.start >> 12, TEXT[502])
    if at < end:
        yield Violation(501, at, TEXT[501])


def _is_frame(entry: Entry, pages: Pages, frames: set[int]) -> bool:
    frame = entry.phys >> 12
    run = pages.at(frame)
    return entry.shift == 12 and run.state == ALLOCATED and (run.first, run.pages) == (frame, 1) \
        and frame in frames
