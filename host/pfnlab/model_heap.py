# SPDX-License-Identifier: MIT
"""malloc again, by brute force: the placement paragraph of kernel/mm/heap.h, word by word.

What is known of an object is where it is, how large, and how many bytes of its end are a red zone.
A number may mean an address of the direct map and one of the window, so a place is a pair: in the
window?, address. With memory (pfnlab.model_access), which means the machine's own map, no number
means both.
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace

from pfnlab.model import Refusal, align_up
from pfnlab.model_access import Access
from pfnlab.model_sources import Source
from pfnlab.model_virtual import ZONE
from pfnlab.values import PAGE_SHIFT, PAGE_SIZE

CLASSES = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1344, 2048)
ALIGN_MAX = 1 << 31

Place = tuple[bool, int]


@dataclass(frozen=True)
class Thing:
    """An object, by all its bytes, the last `zone` of which are red; or a slab, by those of its
    slots."""

    size: int
    stage: str
    owner: int = 0
    zone: int = 0


def class_for(size: int, align: int = 1) -> int | None:
    """The slot for so many bytes, if they go into one."""
    return next((slot for slot in CLASSES if slot >= size and slot % align == 0), None)


def check_object(size: int, align: int) -> None:
    """What is refused of a request before anything is looked at."""
    if size < 1 or align > ALIGN_MAX:
        raise Refusal("call.range")


@dataclass
class Heap:
    """Objects in slabs and blocks of pages; `sources` by stage, the last one serves. `access`: to
    the memory, if there is some."""

    sources: dict[str, Source] = field(default_factory=dict)
    access: Access | None = None
    slabs: dict[Place, Thing] = field(default_factory=dict)      # by their pages
    small: dict[Place, Thing] = field(default_factory=dict)
    blocks: dict[Place, Thing] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The one that serves."""
        return list(self.sources)[-1]

    # ---- objects come ----

    def _slot(self, slot: int, owner: int) -> Place:
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
        return source.window, min(free)

    def _take(self, size: int, align: int, owner: int) -> Place:
        """Bytes for an object."""
        slot = class_for(size, align)
        if slot is not None:
            return self._slot(slot, owner)
        source, size = self.sources[self.stage], align_up(size, PAGE_SIZE)
        if size >= 1 << 64:
            raise Refusal("mem.none")
        at = source.take(size, max(align, PAGE_SIZE), owner)
        self.blocks[source.window, at] = Thing(size, self.stage, owner * source.keeps_owner)
        return source.window, at

    def alloc(self, size: int, align: int = 1, owner: int = 0, redzone: bool = False,
              zero: bool = False) -> int:
        """An object: its address."""
        check_object(size, align)
        if redzone and size >= (1 << 64) - ZONE:
            raise Refusal("mem.none")
        if redzone and self.access is None:
            raise Refusal("call.unsupported")
        place = self._take(size + ZONE * redzone, align, owner)
        try:
            if self.access is not None and zero:
                self.access.zero(place[1], size)
            if redzone:
                self._stamp(place, size)
        except Refusal:
            self._give(place)
            raise
        return place[1]

    # ---- red zones ----

    def _thing(self, place: Place) -> Thing:
        return self.blocks.get(place) or self.small[place]

    def _stamp(self, place: Place, size: int) -> None:
        """All of an object behind so many bytes becomes red."""
        thing = self._thing(place)
        assert self.access is not None
        self.access.stamp(place[1] + size, thing.size - size)
        there = self.blocks if place in self.blocks else self.small
        there[place] = replace(thing, zone=thing.size - size)

    def _inspect(self, place: Place) -> None:
        """Refused if the red zone was written."""
        thing = self._thing(place)
        if thing.zone > 0:
            assert self.access is not None
            self.access.inspect(place[1] + thing.size - thing.zone, thing.zone)

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

    def free(self, address: int, force: bool = False) -> int:
        """The end of an object; how many pages went back."""
        place = self.find(address)
        if not force:
            self._inspect(place)
        return self._give(place)

    def _give(self, place: Place) -> int:
        thing = self.blocks.pop(place, None)
        if thing is not None:
            self.sources[thing.stage].give(place[1])
            return thing.size >> PAGE_SHIFT
        thing = self.small.pop(place)
        page = place[0], place[1] & -PAGE_SIZE
        if any((page[0], page[1] + at) in self.small for at in range(0, PAGE_SIZE, 16)):
            return 0
        del self.slabs[page]
        self.sources[thing.stage].give(page[1])
        return 1

    def realloc(self, address: int, size: int) -> int:
        """Another size: where the object is then."""
        place = self.find(address)
        self._inspect(place)
        if self._resized_here(place, size):
            return address
        try:
            return self._moved(place, size)
        except Refusal:
            thing = self._thing(place)
            if thing.zone > 0 and self._zone_resized(place, size):
                return address         # there is room for it where it is
            if thing.zone > 0 or size > thing.size:
                raise
            if place in self.blocks:
                self._resized(place, align_up(size, PAGE_SIZE))
            return address             # likewise

    def _resized_here(self, place: Place, size: int) -> bool:
        """Has the object so many bytes now, of its class or of pages, where it is?"""
        thing = self._thing(place)
        wanted = size + ZONE * (thing.zone > 0)
        if class_for(wanted) != (thing.size if place in self.small else None):
            return False
        if thing.zone == 0:
            return place in self.small or self._resized(place, align_up(size, PAGE_SIZE))
        if place in self.blocks and align_up(wanted, PAGE_SIZE) != thing.size:
            return False
        return self._zone_resized(place, size)

    def _zone_resized(self, place: Place, size: int) -> bool:
        """Is all behind so many bytes a red zone now?"""
        if not ZONE <= self._thing(place).size - size < 1 << 32:
            return False
        try:
            self._stamp(place, size)
        except Refusal:
            return False
        return True

    def _moved(self, place: Place, size: int) -> int:
        """A new object in the place of an old one."""
        old = self._thing(place)
        redzone = old.zone > 0
        if redzone and size >= (1 << 64) - ZONE:
            raise Refusal("mem.none")
        new = self._take(size + ZONE * redzone, 1, old.owner)
        try:
            if self.access is not None:
                self.access.copy(new[1], place[1], min(size, old.size - old.zone))
            if redzone:
                self._stamp(new, size)
        except Refusal:
            self._give(new)
            raise
        self._give(place)
        return new[1]

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
        self.blocks[place] = replace(thing, size=size)
        return True

    def objects(self) -> list[tuple[int, int, str, int, int]]:
        """All of them: address, size, stage, red zone, owner; the window's behind others of that
        number."""
        there = [*self.small.items(), *self.blocks.items()]
        return [(at, thing.size, thing.stage, thing.zone, thing.owner)
                for (_, at), thing in sorted(there, key=lambda item: item[0][::-1])]
