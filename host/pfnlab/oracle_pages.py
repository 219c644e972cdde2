# SPDX-License-Identifier: MIT
"""What the models say to the commands of early memory and of pages: see pfnlab.oracle."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pfnlab.model import ALLOCATED, PFN_LIMIT, UNMANAGED, Pages, Refusal, Request, order_for
from pfnlab.model_access import Access
from pfnlab.model_early import Phys
from pfnlab.model_heap import Heap
from pfnlab.model_list import ListPages
from pfnlab.model_memory import Memory
from pfnlab.model_sources import EarlySource, PageSource, WindowSource
from pfnlab.model_virtual import DATA, Virtual, attribute_set
from pfnlab.values import ADDRESS_LIMIT, MAX_ORDER, PAGE_SHIFT, PAGE_SIZE

# The models of engines that there are: what `info` calls them.
ENGINES: dict[str, type[Pages]] = {"tree": Pages, "list": ListPages}
ALIAS_BITS = {"any": 64, "dma24": 24, "dma31": 31, "dma32": 32}
LARGEST = PAGE_SIZE << MAX_ORDER       # block and alignment, in bytes


class PageOracle:
    """`areas` as (name, end in bytes), ascending; `ranges` as (base, size, "usable"/"reserved");
    `engine` is one of ENGINES. `little`: the machine's order of bytes, if there is memory behind
    pages: they have content then, attributes can be had, and red zones."""

    def __init__(self, areas: Iterable[tuple[str, int]], ranges: Iterable[tuple[int, int, str]],
                 stage: str = "virtual", window: tuple[int, int] = (1 << 40, 1 << 42),
                 engine: str = "tree", little: bool | None = None) -> None:
        self._pages, self._little = ENGINES[engine], little
        self.areas = [(name, limit >> PAGE_SHIFT) for name, limit in areas]
        self.ranges = list(ranges)
        self.window = window
        self.reset(stage)

    def reset(self, stage: str | None = None) -> None:
        """Begin afresh."""
        self.phys = Phys()
        self.pages: Pages | None = None
        self.virtual: Virtual | None = None
        self.access = (None if self._little is None else
                       Access(self.phys, Memory(self._little)))
        self.heap = Heap({"early": EarlySource(self.phys)}, self.access)
        for base, size, kind in self.ranges:
            end = min(base + size, ADDRESS_LIMIT)
            (self.phys.usable if kind == "usable" else self.phys.reserved).append((base, end))
            if base < PAGE_SIZE:
                self.phys.reserved.append((base, min(end, PAGE_SIZE)))
        while self.heap.stage != (stage or "virtual"):
            self.advance()

    # ---- early memory ----

    def phys_alloc(self, size: int, align: int = 1, min: int = 0, max: int = ADDRESS_LIMIT,
                   from_: str = "high") -> int:
        """Early memory."""
        return self.phys.alloc(size, align, min, max, from_ == "low")

    def phys_free(self, address: int) -> int:
        """Its end."""
        self._not_of_the_heap(address)
        return self.phys.free(address)

    def phys_set_minimum_alignment(self, alignment: int) -> None:
        """Align every early allocation at least so."""
        if alignment > LARGEST:
            raise Refusal("call.range")
        self.phys.minimum = alignment

    def phys_hand_over(self) -> None:
        """From early memory to pages."""
        if self.pages is not None:
            raise Refusal("call.state")
        self.pages = self._pages(self.phys.hand_over(), self.areas)
        self.virtual = Virtual(self.pages, *self.window)
        self.heap.sources["page"] = PageSource(self.pages)
        if self.access is not None:
            self.access.pages, self.access.virtual = self.pages, self.virtual

    def advance(self) -> None:
        """One stage further."""
        if self.virtual is None:
            self.phys_hand_over()
        elif self.heap.stage == "virtual":
            raise Refusal("call.state")
        else:
            self.heap.sources["virtual"] = WindowSource(self.virtual)

    # ---- pages ----

    def _engine(self) -> Pages:
        if self.pages is None:
            raise Refusal("call.state")
        return self.pages

    def area_set(self, areas: str | None) -> tuple[frozenset[int], int]:
        """The indices that a set of areas names, and the limit that its aliases promise."""
        found: set[int] = set()
        limit = PFN_LIMIT
        for word in (areas or "any").split("|"):
            start = 0
            bound = PFN_LIMIT
            if word in ALIAS_BITS:
                bound = min(PFN_LIMIT, (1 << ALIAS_BITS[word]) >> PAGE_SHIFT)
            elif word not in (name for name, _ in self.areas):
                raise Refusal("call.area")
            for index, (name, end) in enumerate(self.areas):
                if name == word or (word in ALIAS_BITS and start < bound):
                    found.add(index)
                    if word in ALIAS_BITS and end > bound:
                        limit = min(limit, bound)
                start = end
        return frozenset(found), limit

    def _alloc(self, areas: str | None, pages: int, align_order: int, owner: int,
               keys: dict[str, Any]) -> int:
        engine = self._engine()
        found, limit = self.area_set(areas)
        if keys.get("align", 1) > LARGEST:
            raise Refusal("call.range")
        align = max(align_order, order_for(-(-keys.get("align", 1) // PAGE_SIZE)))
        lowest = -(-keys.get("min", 0) // PAGE_SIZE)
        highest = min(limit, keys.get("max", ADDRESS_LIMIT) >> PAGE_SHIFT)
        at = keys.get("at")
        if at is not None and self._frame(at) % (1 << align):
            raise Refusal("mem.unaligned", at)
        attributes = attribute_set(keys.get("attributes"))
        if keys.get("attributes") is not None and self.access is None:
            raise Refusal("call.unsupported")
        want = Request(found, pages, align, lowest, highest, bool(keys.get("fresh")),
                       None if at is None else at >> PAGE_SHIFT)
        first = engine.alloc(want, owner)
        if self.access is not None and not keys.get("dontzero"):
            self.access.zero_frames(range(first, first + pages))
        self._give_attributes(range(first, first + pages), attributes)
        return first << PAGE_SHIFT

    def _give_attributes(self, frames: range, attributes: frozenset[str]) -> None:
        engine = self._engine()
        if attributes != DATA:
            engine.attributes |= dict.fromkeys(frames, attributes)
        elif engine.attributes:
            engine.attributes = {frame: words for frame, words in engine.attributes.items()
                                 if frame not in frames}

    def alloc_page(self, area: str | None = None, owner: int = 0, **keys: Any) -> int:
        """One page."""
        return self._alloc(area, 1, 0, owner, keys)

    def alloc_pages(self, order: int, area: str | None = None, owner: int = 0,
                    **keys: Any) -> int:
        """2^order pages."""
        return self._alloc(area, 1 << order, order, owner, keys)

    def alloc_pages_area(self, areas: str, order: int, owner: int = 0, **keys: Any) -> int:
        """2^order pages of areas."""
        return self._alloc(areas, 1 << order, order, owner, keys)

    def memalign_pages_area(self, areas: str, alignment: int, size: int, owner: int = 0,
                            **keys: Any) -> int:
        """The power of two of pages that holds `size` bytes."""
        if max(alignment, size) > LARGEST:
            raise Refusal("call.range")
        pages = 1 << order_for(-(-size // PAGE_SIZE))
        return self._alloc(areas, pages, order_for(-(-alignment // PAGE_SIZE)), owner, keys)

    def alloc_pages_exact(self, pages: int, area: str | None = None, owner: int = 0,
                          **keys: Any) -> int:
        """So many pages."""
        if pages > LARGEST >> PAGE_SHIFT:
            raise Refusal("call.range")
        return self._alloc(area, pages, 0, owner, keys)

    def alloc_pages_ro(self, order: int, area: str | None = None, owner: int = 0,
                       **keys: Any) -> int:
        """2^order pages that nobody can write."""
        return self.alloc_pages(order, area, owner, attributes="ro|nx", **keys)

    def alloc_pages_nx(self, order: int, area: str | None = None, owner: int = 0,
                       **keys: Any) -> int:
        """2^order pages from which nobody can execute."""
        return self.alloc_pages(order, area, owner, attributes="nx", **keys)

    def alloc_pages_uncached(self, order: int, area: str | None = None, owner: int = 0,
                             **keys: Any) -> int:
        """2^order pages that no cache has."""
        return self.alloc_pages(order, area, owner, attributes="uncached|nx", **keys)

    def _frame(self, address: int) -> int:
        if address % PAGE_SIZE:
            raise Refusal("mem.unaligned", address)
        return address >> PAGE_SHIFT

    def free(self, address: int, pages: int | None = None, force: int = 0) -> int:
        """An object, a block, or pages of one."""
        if pages is None and self._is_for_the_heap(address):
            return self.heap.free(address, bool(force))
        engine = self._engine()
        frame = self._frame(address)
        self._not_of_the_heap(address)
        if self.virtual is not None and frame in self.virtual.kept:
            raise Refusal("mem.kind", address)
        return engine.free(frame, pages)

    def _is_for_the_heap(self, address: int) -> bool:
        if self.pages is None or self.heap.has(address, True) or self.heap.has(address, False):
            return True
        in_window = self.window[0] <= address < self.window[1]
        if in_window and self.pages.state(address >> PAGE_SHIFT) == UNMANAGED:
            return True
        return any(start <= address < start + size for start, size in self.phys.early.items())

    def _not_of_the_heap(self, address: int) -> None:
        if self.heap.has(address, False):
            raise Refusal("mem.kind", address)

    def reserve(self, address: int, pages: int) -> int:
        """Pages by address."""
        engine = self._engine()
        engine.reserve(self._frame(address), pages)
        return address

    def unreserve(self, address: int, pages: int) -> None:
        """Back again."""
        engine = self._engine()
        engine.unreserve(self._frame(address), pages)

    def scan_order(self, areas: str) -> None:
        """These areas first, then the rest, highest first."""
        engine = self._engine()
        first: list[int] = []
        for word in areas.split("|"):
            first += sorted((i for i in self.area_set(word)[0] if i not in first), reverse=True)
        rest = [i for i in reversed(range(len(self.areas))) if i not in first]
        engine.scan = first + rest

    # ---- what is there ----

    def allocated(self) -> list[tuple[int, int, int]]:
        """Every allocated block: address, pages, owner; ascending."""
        engine = self._engine()
        return [(first << PAGE_SHIFT, pages, engine.owners[first])
                for first, pages in sorted(engine.blocks.items())]

    def page_state(self, address: int) -> tuple[int, bool]:
        """State and freshness of the page at an address."""
        engine = self._engine()
        frame = self._frame(address)
        return engine.state(frame), engine.is_fresh(frame)

    def is_allocated(self, address: int) -> bool:
        """Does the page belong to somebody?"""
        return self._engine().state(address >> PAGE_SHIFT) == ALLOCATED
