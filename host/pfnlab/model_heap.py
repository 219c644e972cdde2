# SPDX-License-Identifier: MIT
"""malloc again, by brute force: the placement paragraph of kernel/mm/heap.h, word by word.

What is known of an object is where it is and how large. A number may mean an address of the direct
map and one of the window, so a place is a pair: in the window?, address.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from pfnlab.model import (ALLOCATED, FREE, PFN_LIMIT, RESERVED, Pages, Refusal, Request, align_up,
                          order_for)
from pfnlab.model_early import Phys
from pfnlab.model_virtual import DATA, Place as Addresses, Virtual
from pfnlab.values import MAX_ORDER, PAGE_SHIFT, PAGE_SIZE

CLASSES = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1344, 2048)
ALIGN_MAX = 1 << 31

Place = tuple[bool, int]


class Source(Protocol):
    """What a stage takes pages from: see struct heap_backend."""

    window: bool
    keeps_owner: bool

    def take(self, size: int, align: int, owner: int) -> int:
        """Whole pages: their address."""

    def give(self, address: int) -> None:
        """The end of them."""

    def grow(self, address: int, size: int) -> None:
        """So many bytes where they are, or a refusal."""

    def shrink(self, address: int, size: int) -> None:
        """The end of all but the first `size` bytes."""

    def find(self, address: int) -> int:
        """The first address of the block there, or a refusal that says what is there."""


@dataclass
class EarlySource:
    """Early memory, from the top."""

    phys: Phys
    window = False
    keeps_owner = False

    def take(self, size: int, align: int, owner: int) -> int:
        """As in the protocol."""
        return self.phys.alloc(size, align)

    def give(self, address: int) -> None:
        """As in the protocol."""
        self.phys.free(address)

    def grow(self, address: int, size: int) -> None:
        """As in the protocol."""
        self.phys.extend(address, size)

    def shrink(self, address: int, size: int) -> None:
        """As in the protocol."""
        self.phys.early[address] = size

    def find(self, address: int) -> int:
        """As in the protocol."""
        try:
            return self.phys.find(address)
        except Refusal as why:
            raise Refusal("mem.unmanaged" if self.phys.handed_over else why.code) from why


@dataclass
class PageSource:
    """Frames of any area."""

    pages: Pages
    window = False
    keeps_owner = True

    def take(self, size: int, align: int, owner: int) -> int:
        """As in the protocol."""
        order = order_for(align >> PAGE_SHIFT)
        if size >> PAGE_SHIFT > 1 << MAX_ORDER or order > MAX_ORDER:
            raise Refusal("mem.none")
        areas = frozenset(range(len(self.pages.areas)))
        return self.pages.alloc(Request(areas, size >> PAGE_SHIFT, order), owner) << PAGE_SHIFT

    def give(self, address: int) -> None:
        """As in the protocol."""
        self.pages.free(address >> PAGE_SHIFT)

    def grow(self, address: int, size: int) -> None:
        """As in the protocol."""
        self.pages.extend(address >> PAGE_SHIFT, size >> PAGE_SHIFT)

    def shrink(self, address: int, size: int) -> None:
        """As in the protocol."""
        pages = self.pages.blocks[address >> PAGE_SHIFT]
        self.pages.free(address + size >> PAGE_SHIFT, pages - (size >> PAGE_SHIFT))

    def find(self, address: int) -> int:
        """As in the protocol."""
        frame = address >> PAGE_SHIFT
        state = self.pages.state(frame) if frame < PFN_LIMIT else None
        if state != ALLOCATED:
            raise Refusal("mem.free" if state == FREE else
                          "mem.reserved" if state == RESERVED else "mem.unmanaged")
        return self.pages.block(frame) << PAGE_SHIFT


@dataclass
class WindowSource:
    """Frames one by one, mapped in the window."""

    virtual: Virtual
    window = True
    keeps_owner = True

    def _any_frame(self) -> Request:
        return Request(frozenset(range(len(self.virtual.pages.areas))), 1)

    def take(self, size: int, align: int, owner: int) -> int:
        """As in the protocol."""
        place = Addresses(size >> PAGE_SHIFT, align=order_for(align >> PAGE_SHIFT))
        return self.virtual.vmalloc(place, size, False, self._any_frame(), DATA, owner, "heap")

    def give(self, address: int) -> None:
        """As in the protocol."""
        self.virtual.vfree(address, "heap")

    def grow(self, address: int, size: int) -> None:
        """As in the protocol."""
        self.virtual.extend(address, "heap", size >> PAGE_SHIFT, self._any_frame())

    def shrink(self, address: int, size: int) -> None:
        """As in the protocol."""
        self.virtual.shrink(address, "heap", size >> PAGE_SHIFT)

    def find(self, address: int) -> int:
        """As in the protocol."""
        window, page = self.virtual.window, address >> PAGE_SHIFT
        found = next((r for r in window.ranges.values() if r.start <= page < r.end), None)
        if found is None:
            raise Refusal("mem.free" if window.first <= page < window.limit else "mem.unmanaged")
        return found.first << PAGE_SHIFT


@dataclass(frozen=True)
class Thing:
    """An object, by all its bytes; or a slab, by those of its slots."""

    size: int
    stage: str
    owner: int = 0


def class_for(size: int, align: int = 1) -> int | None:
    """The slot for so many bytes, if they go into one."""
    return next((slot for slot in CLASSES if slot >= size and slot % align == 0), None)


def check_object(size: int, align: int) -> None:
    """What is refused of a request before anything is looked at."""
    if size < 1 or align > ALIGN_MAX:
        raise Refusal("call.range")


@dataclass
class Heap:
    """Objects in slabs and blocks of pages; `sources` by stage, the last one serves."""

    sources: dict[str, Source] = field(default_factory=dict)
    slabs: dict[Place, Thing] = field(default_factory=dict)      # by their pages
    small: dict[Place, Thing] = field(default_factory=dict)
    blocks: dict[Place, Thing] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The one that serves."""
        return list(self.sources)[-1]

    # ---- objects come ----

    def _slot(self, slot: int, owner: int) -> int:
        """The lowest free slot of the lowest slab of this stage; a new one if there is none."""
        source = self.sources[self.stage]
        free = [page + at for (window, page), slab in self.slabs.items()
                if (slab.size, slab.stage) == (slot, self.stage)
                for at in range(0, PAGE_SIZE - slot + 1, slot)
                if (window, page + at) not in self.small]
        if not free:
            free = [source.take(PAGE_SIZE, PAGE_SIZE, 0)]
            self.slabs[source.window, free[0]] = Thing(slot, self.stage)
        self.small[source.window, min(free)] = Thing(slot, self.stage, owner)
        return min(free)

    def alloc(self, size: int, align: int = 1, owner: int = 0) -> int:
        """An object: its address."""
        check_object(size, align)
        slot = class_for(size, align)
        if slot is not None:
            return self._slot(slot, owner)
        source, size = self.sources[self.stage], align_up(size, PAGE_SIZE)
        if size >= 1 << 64:
            raise Refusal("mem.none")
        at = source.take(size, max(align, PAGE_SIZE), owner)
        self.blocks[source.window, at] = Thing(size, self.stage, owner * source.keeps_owner)
        return at

    # ---- objects are found ----

    def _page(self, address: int) -> Place | None:
        """The slab or the block that begins at the page of an address."""
        page = address & -PAGE_SIZE
        return next((place for place in ((True, page), (False, page))
                     if place in self.slabs or place in self.blocks), None)

    def has(self, address: int, window: bool) -> bool:
        """Is it in a page of the heap?"""
        page = window, address & -PAGE_SIZE
        return page in self.slabs or any(
            w == window and at <= address < at + block.size
            for (w, at), block in self.blocks.items())

    def _foreign(self, address: int) -> str:
        """What is at an address where no page begins that is the heap's."""
        for source in reversed(self.sources.values()):
            try:
                block = source.window, source.find(address)
            except Refusal as why:
                if why.code != "mem.unmanaged":
                    return why.code
            else:
                return "mem.inside" if block in self.blocks else "mem.kind"
        return "mem.unmanaged"

    def find(self, address: int) -> Place:
        """The object that begins at an address."""
        page = self._page(address)
        if page is None:
            raise Refusal(self._foreign(address), address)
        if page in self.blocks:
            if address != page[1]:
                raise Refusal("mem.inside", address)
            return page
        size = self.slabs[page].size
        number = (address - page[1]) // size
        place = page[0], page[1] + number * size
        if (number + 1) * size <= PAGE_SIZE and place not in self.small:
            raise Refusal("mem.free", address)
        if place not in self.small or place[1] != address:
            raise Refusal("mem.inside", address)
        return place

    # ---- objects go ----

    def free(self, address: int) -> int:
        """The end of an object; how many pages went back."""
        place = self.find(address)
        thing = self.blocks.pop(place, None)
        if thing is not None:
            self.sources[thing.stage].give(address)
            return thing.size >> PAGE_SHIFT
        thing = self.small.pop(place)
        page = place[0], address & -PAGE_SIZE
        if any((page[0], page[1] + at) in self.small for at in range(0, PAGE_SIZE, 16)):
            return 0
        del self.slabs[page]
        self.sources[thing.stage].give(page[1])
        return 1

    def realloc(self, address: int, size: int) -> int:
        """Another size: where the object is then."""
        place = self.find(address)
        thing = self.blocks.get(place) or self.small[place]
        pages = align_up(size, PAGE_SIZE)
        if place in self.small and class_for(size) == thing.size:
            return address
        if place in self.blocks and class_for(size) is None and self._resized(place, pages):
            return address
        try:
            at = self.alloc(size, owner=thing.owner)
        except Refusal:
            if size > thing.size:
                raise
            if place in self.blocks:
                self._resized(place, pages)
            return address             # there is room for it where it is
        self.free(address)
        return at

    def _resized(self, place: Place, size: int) -> bool:
        """Has the block so many bytes now, in place?"""
        thing = self.blocks[place]
        source = self.sources[thing.stage]
        try:
            if size > thing.size:
                source.grow(place[1], size)
            elif size < thing.size:
                source.shrink(place[1], size)
        except Refusal:
            return False
        self.blocks[place] = Thing(size, thing.stage, thing.owner)
        return True

    def objects(self) -> list[tuple[int, int, str, int]]:
        """All of them: address, size, stage, owner; the window's behind others of that number."""
        there = [*self.small.items(), *self.blocks.items()]
        return [(at, thing.size, thing.stage, thing.owner)
                for (_, at), thing in sorted(there, key=lambda item: item[0][::-1])]
