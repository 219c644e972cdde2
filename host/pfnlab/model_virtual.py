# SPDX-License-Identifier: MIT
"""The virtual allocator again: ranges of addresses in a window, and what is mapped behind them.

`Window` follows kernel/mm/virt.h word by word: all gaps in order, the first that fits. Addresses
are page numbers. What is behind a range is a frame for each page, and attributes for each.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pfnlab.model import PFN_LIMIT, Pages, Refusal, Request, align_up, order_for
from pfnlab.model_early import subtract
from pfnlab.values import PAGE_SHIFT, PAGE_SIZE

ZONE = 16                              # bytes of a red zone, at least
DATA = frozenset({"nx"})               # attributes of a mapping that asks for none
BATCH = 64                             # frames of a vmalloc that are taken at once
CONFLICTS = ({"rw", "ro"}, {"uncached", "wc"})
LARGE_UNITS = (30, 21)                 # vmap prefers them where both sides can be


def attribute_set(words: str | Iterable[str] | None) -> frozenset[str]:
    """What `attributes=` means; rw is none of them."""
    if words is None:
        return DATA
    given = words.split("|") if isinstance(words, str) else list(words)
    if any(conflict <= set(given) for conflict in CONFLICTS):
        raise Refusal("call.conflict")
    return frozenset(given) - {"rw"}


@dataclass
class Range:
    """A range: its usable pages from `first` on, `front` and `back` guards around them."""

    first: int
    pages: int
    front: int
    back: int
    kind: str
    size: int
    redzone: bool = False
    owner: int = 0
    frames: list[int] = field(default_factory=list)       # vmalloc: behind each page
    base: int | None = None                               # vmap: the frame behind the first
    default: frozenset[str] = DATA
    changed: dict[int, frozenset[str]] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """With the guards."""
        return self.first - self.front

    @property
    def end(self) -> int:
        """With the guards."""
        return self.first + self.pages + self.back

    def frame(self, page: int) -> int | None:
        """What is behind a usable page."""
        if self.base is not None:
            return self.base + page - self.first
        return self.frames[page - self.first] if self.frames else None


@dataclass(frozen=True)
class Place:
    """What is wanted of addresses; `align` as an order."""

    pages: int
    front: int = 0
    back: int = 0
    align: int = 0
    at: int | None = None


class Window:
    """Addresses from page `first` up to `limit`."""

    def __init__(self, first: int, limit: int) -> None:
        self.first = first
        self.limit = limit
        self.ranges: dict[int, Range] = {}                # by first usable page

    def holds(self, address: int) -> bool:
        """Is it an address of the window?"""
        return self.first <= address >> PAGE_SHIFT < self.limit

    def _place(self, want: Place) -> int:
        taken = [(r.start, r.end) for r in self.ranges.values()]
        for start, end in subtract([(self.first, self.limit)], taken):
            at = align_up(start + want.front, 1 << want.align)
            if at + want.pages + want.back <= end:
                return at
        raise Refusal("mem.none")

    def _exactly(self, want: Place, at: int) -> int:
        start, end = max(0, at - want.front), at + want.pages + want.back
        if not self.first <= start < self.limit:
            raise Refusal("mem.unmanaged", start << PAGE_SHIFT)
        busy = [max(start, r.start) for r in self.ranges.values()
                if r.start < end and start < r.end]
        if busy:
            raise Refusal("mem.busy", min(busy) << PAGE_SHIFT)
        if end > self.limit:
            raise Refusal("mem.unmanaged", self.limit << PAGE_SHIFT)
        if at % (1 << want.align):
            raise Refusal("mem.none", at << PAGE_SHIFT)
        return at

    def alloc(self, want: Place, kind: str, size: int, owner: int) -> Range:
        """A range, lowest address first."""
        at = self._place(want) if want.at is None else self._exactly(want, want.at)
        found = Range(at, want.pages, want.front, want.back, kind, size, owner=owner)
        self.ranges[at] = found
        return found

    def find(self, address: int, kind: str) -> Range:
        """The range that begins at an address, if it is of that kind."""
        page = address >> PAGE_SHIFT
        if not self.holds(address):
            raise Refusal("mem.unmanaged", address)
        if address % PAGE_SIZE:
            raise Refusal("mem.unaligned", address)
        found = next((r for r in self.ranges.values() if r.start <= page < r.end), None)
        if found is None:
            raise Refusal("mem.free", address)
        if found.first != page:
            raise Refusal("mem.inside", address)
        if found.kind != kind:
            raise Refusal("mem.kind", address)
        return found

    def mapped(self, page: int) -> Range | None:
        """The range that has something behind a page."""
        return next((r for r in self.ranges.values() if r.first <= page < r.first + r.pages
                     and r.frame(page) is not None), None)


class Virtual:
    """vmalloc, vmap and what else works on the window; `pages` supplies frames."""

    def __init__(self, pages: Pages, first: int, limit: int) -> None:
        self.window = Window(first >> PAGE_SHIFT, limit >> PAGE_SHIFT)
        self.pages = pages
        self.kept: set[int] = set()                       # frames behind vmalloc: not for free

    def place(self, pages: int, keys: dict[str, object], align: int = 0) -> Place:
        """The keys that all requests for addresses have."""
        guard, at = keys.get("guard"), keys.get("at")
        guards = int(str(keys.get("guard_pages") or 1))
        most = self.window.limit - self.window.first
        if guards > most:
            raise Refusal("call.range")
        if guard is None and keys.get("guard_pages") is not None:
            raise Refusal("call.missing")
        if at is not None and int(str(at)) % PAGE_SIZE:
            raise Refusal("mem.unaligned", int(str(at)))
        wanted = order_for(-(-int(str(keys.get("align") or 1)) // PAGE_SIZE))
        return Place(pages, guards if guard in ("front", "both") else 0,
                     guards if guard in ("back", "both") else 0, max(align, wanted),
                     None if at is None else int(str(at)) >> PAGE_SHIFT)

    def _back(self, found: Range, pages: int, request: Request) -> None:
        """Single frames for the last pages of a range, or none."""
        free = sum(self.pages.totals(area)["free"] for area in request.areas)
        if BATCH < pages > free:
            raise Refusal("mem.none")
        frames: list[int] = []
        try:
            for _ in range(pages):
                frames.append(self.pages.alloc(request, found.owner))
        except Refusal as why:
            # The last ones first, as the guest does: the list engine, unlike the tree, tells.
            done = len(frames) // BATCH * BATCH
            for frame in frames[done:] + frames[:done]:
                self.pages.free(frame)
            raise Refusal(why.code) from why
        found.frames += frames
        self.kept |= set(frames)

    def vmalloc(self, place: Place, size: int, redzone: bool, request: Request,
                attributes: frozenset[str], owner: int, kind: str = "vmalloc") -> int:
        """A range with single frames behind it."""
        found = self.window.alloc(place, kind, size, owner)
        try:
            self._back(found, found.pages, request)
        except Refusal:
            del self.window.ranges[found.first]
            raise
        found.redzone, found.default = redzone, attributes
        return found.first << PAGE_SHIFT

    def extend(self, address: int, kind: str, pages: int, request: Request) -> None:
        """So many pages for a range, if the addresses behind it are free and frames are there."""
        found = self.window.find(address, kind)
        more = pages - found.pages
        behind = min([r.start for r in self.window.ranges.values() if r.start >= found.end],
                     default=self.window.limit)
        if more > behind - found.end:
            raise Refusal("mem.none")
        self._back(found, more, request)
        found.pages, found.size = pages, pages * PAGE_SIZE

    def vfree(self, address: int, kind: str = "vmalloc") -> int:
        """The reverse."""
        found = self.window.find(address, kind)
        for frame in found.frames:
            self.pages.free(frame)
        self.kept -= set(found.frames)
        del self.window.ranges[found.first]
        return found.pages

    def shrink(self, address: int, kind: str, left: int) -> None:
        """The reverse, for all but so many pages."""
        found = self.window.find(address, kind)
        for frame in found.frames[left:]:
            self.pages.free(frame)
        self.kept -= set(found.frames[left:])
        del found.frames[left:]
        found.pages, found.size = left, left * PAGE_SIZE
        found.changed = {page: words for page, words in found.changed.items()
                         if page < found.first + left}

    def vmap(self, place: Place, size: int, frame: int, attributes: frozenset[str],
             owner: int) -> int:
        """A range with consecutive frames behind it."""
        found = self.window.alloc(place, "vmap", size, owner)
        found.base, found.default = frame, attributes
        return found.first << PAGE_SHIFT

    def give(self, address: int, kind: str) -> int:
        """Take back a range that has no frames of its own."""
        found = self.window.find(address, kind)
        del self.window.ranges[found.first]
        return found.pages

    def protect(self, address: int, pages: int, attributes: frozenset[str]) -> None:
        """Other attributes for mapped pages of the window."""
        first = address >> PAGE_SHIFT
        for page in range(first, first + pages):
            if self.window.mapped(page) is None:
                raise Refusal("fault.address", page << PAGE_SHIFT)
        mapped = [(page, self.window.mapped(page)) for page in range(first, first + pages)]
        for page, found in mapped:
            if found is not None and found.kind == "stack":
                raise Refusal("mem.kind", page << PAGE_SHIFT)
        for page, found in mapped:
            assert found is not None
            found.changed[page] = attributes

    def translate(self, address: int) -> tuple[int, frozenset[str]]:
        """Physical address and attributes."""
        page = address >> PAGE_SHIFT
        found = self.window.mapped(page)
        frame = None if found is None else found.frame(page)
        if found is None or frame is None:
            raise Refusal("fault.address", address)
        return (frame << PAGE_SHIFT) + address % PAGE_SIZE, found.changed.get(page, found.default)


assert PFN_LIMIT << PAGE_SHIFT == 1 << 52
