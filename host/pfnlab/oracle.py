# SPDX-License-Identifier: MIT
"""The commands of the guest on the model: what each must answer, as a value or as a Refusal.

An `Oracle` is the lab on an injected map. Its methods have the names and arguments of the guest's,
so that one call can go to both.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pfnlab.model import ALLOCATED, PFN_LIMIT, UNMANAGED, Pages, Refusal, Request, order_for
from pfnlab.model_early import Phys
from pfnlab.model_heap import EarlySource, Heap, PageSource, WindowSource, check_object
from pfnlab.model_list import ListPages
from pfnlab.model_virtual import DATA, LARGE_UNITS, ZONE, Virtual, attribute_set
from pfnlab.values import ADDRESS_LIMIT, MAX_ORDER, PAGE_SHIFT, PAGE_SIZE

# The models of engines that there are: what `info` calls them.
ENGINES: dict[str, type[Pages]] = {"tree": Pages, "list": ListPages}
ALIAS_BITS = {"any": 64, "dma24": 24, "dma31": 31, "dma32": 32}
LARGEST = PAGE_SIZE << MAX_ORDER       # block and alignment, in bytes


class Oracle:
    """`areas` as (name, end in bytes), ascending; `ranges` as (base, size, "usable"/"reserved");
    `engine` is one of ENGINES. With `memory` there is some behind pages: attributes can be had."""

    def __init__(self, areas: Iterable[tuple[str, int]], ranges: Iterable[tuple[int, int, str]],
                 stage: str = "virtual", window: tuple[int, int] = (1 << 40, 1 << 42),
                 engine: str = "tree", memory: bool = False) -> None:
        self._pages, self._memory = ENGINES[engine], memory
        self.areas = [(name, limit >> PAGE_SHIFT) for name, limit in areas]
        self.ranges = list(ranges)
        self.window = window
        self.reset(stage)

    def reset(self, stage: str | None = None) -> None:
        """Begin afresh."""
        self.phys = Phys()
        self.pages: Pages | None = None
        self.virtual: Virtual | None = None
        self.heap = Heap({"early": EarlySource(self.phys)})
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
        if keys.get("attributes") is not None:
            attribute_set(keys["attributes"])
            if not self._memory:
                raise Refusal("call.unsupported")
        want = Request(found, pages, align, lowest, highest, bool(keys.get("fresh")),
                       None if at is None else at >> PAGE_SHIFT)
        return engine.alloc(want, owner) << PAGE_SHIFT

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
        return self.alloc_pages(order, area, owner, attributes="ro", **keys)

    alloc_pages_nx = alloc_pages_uncached = alloc_pages_ro

    def _frame(self, address: int) -> int:
        if address % PAGE_SIZE:
            raise Refusal("mem.unaligned", address)
        return address >> PAGE_SHIFT

    def free(self, address: int, pages: int | None = None, force: int = 0) -> int:
        """An object, a block, or pages of one; there is no red zone to be forced."""
        if pages is None and self._is_for_the_heap(address):
            return self.heap.free(address)
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

    # ---- virtual memory ----

    def _virtual(self) -> Virtual:
        if self.virtual is None:
            raise Refusal("call.state")
        return self.virtual

    def vmalloc(self, size: int, area: str | None = None, owner: int = 0, **keys: Any) -> int:
        """Single pages behind addresses that follow one another."""
        virtual = self._virtual()
        found, limit = self.area_set(area)
        attributes = attribute_set(keys.get("attributes"))
        redzone = bool(keys.get("redzone"))
        pages = -(-(size + (ZONE if redzone else 0)) // PAGE_SIZE)
        place = virtual.place(pages, keys)
        if redzone and size < (1 << 64) - ZONE:
            raise Refusal("call.unsupported")        # as above
        return virtual.vmalloc(place, size, redzone, Request(found, 1, max=limit), attributes,
                               owner)

    def vmemalign(self, alignment: int, size: int, owner: int = 0, **keys: Any) -> int:
        """The same, aligned."""
        return self.vmalloc(size, owner=owner, align=alignment, **keys)

    def vfree(self, address: int, force: int = 0) -> int:
        """The reverse; nothing is ever written on an injected map."""
        return self._virtual().vfree(address)

    def _vmap(self, physical: int, size: int, attributes: frozenset[str], owner: int,
              keys: dict[str, Any]) -> int:
        virtual = self._virtual()
        if physical % PAGE_SIZE:
            raise Refusal("mem.unaligned", physical)
        if physical == 0 or physical + size > ADDRESS_LIMIT:
            raise Refusal("call.range")
        natural = [0]
        if keys.get("at") is None and keys.get("align") is None:
            natural[:0] = [shift - PAGE_SHIFT for shift in LARGE_UNITS
                           if physical % (1 << shift) == 0 and size >= 1 << shift]
        for align in natural:
            place = virtual.place(-(-size // PAGE_SIZE), keys, align)
            try:
                return virtual.vmap(place, size, physical >> PAGE_SHIFT, attributes, owner)
            except Refusal as why:
                if align == 0 or why.code != "mem.none":
                    raise
        raise AssertionError("the last alignment is that of a page")

    def vmap(self, physical: int, size: int, owner: int = 0, attributes: str | None = None,
             **keys: Any) -> int:
        """Physical memory once more."""
        return self._vmap(physical, size, attribute_set(attributes), owner, keys)

    def ioremap(self, physical: int, size: int, owner: int = 0, **keys: Any) -> int:
        """The same, uncached."""
        return self._vmap(physical, size, DATA | {"uncached"}, owner, keys)

    def vunmap(self, address: int) -> int:
        """The reverse of both."""
        return self._virtual().give(address, "vmap")

    def alloc_vpages(self, pages: int, owner: int = 0, **keys: Any) -> int:
        """Addresses with nothing behind them."""
        virtual = self._virtual()
        if pages >= 1 << 64 - PAGE_SHIFT:
            raise Refusal("call.range")
        place = virtual.place(pages, keys)
        return virtual.window.alloc(place, "vpages", pages * PAGE_SIZE, owner).first << PAGE_SHIFT

    def free_vpages(self, address: int) -> int:
        """The reverse."""
        return self._virtual().give(address, "vpages")

    def protect(self, address: int, pages: int, attributes: str) -> None:
        """Other attributes: of the window only, as an injected map has no memory."""
        wanted = attribute_set(attributes)
        virtual = self._virtual()
        first, limit = self.window
        if address % PAGE_SIZE:
            raise Refusal("mem.unaligned", address)
        if first <= address < limit:
            if pages > (limit - address) >> PAGE_SHIFT:
                raise Refusal("call.range")
            virtual.protect(address, pages, wanted)
        elif address + pages * PAGE_SIZE > 1 << 64:
            raise Refusal("call.range")
        elif address >= ADDRESS_LIMIT:
            raise Refusal("fault.address", address)
        elif address + pages * PAGE_SIZE > ADDRESS_LIMIT:
            raise Refusal("call.range")
        else:
            raise Refusal("call.unsupported")

    # ---- malloc ----

    def malloc(self, size: int, owner: int = 0, redzone: int = 0) -> int:
        """Bytes."""
        return self.memalign(1, size, owner, redzone)

    def calloc(self, count: int, size: int, owner: int = 0) -> int:
        """So many times so many bytes."""
        if count * size >= 1 << 64:
            raise Refusal("call.range")
        return self.heap.alloc(count * size, owner=owner)

    def memalign(self, alignment: int, size: int, owner: int = 0, redzone: int = 0) -> int:
        """Bytes, aligned."""
        check_object(size, alignment)
        if redzone:
            raise Refusal("mem.none" if size >= (1 << 64) - ZONE else "call.unsupported")
        return self.heap.alloc(size, alignment, owner)

    def realloc(self, address: int, size: int) -> int:
        """Another size; the owner stays."""
        return self.heap.realloc(address, size)

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
