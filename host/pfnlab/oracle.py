# SPDX-License-Identifier: MIT
"""The commands of the guest on the model: what each must answer, as a value or as a Refusal.

An `Oracle` is the lab, on an injected map or on a machine's own. Its methods have the names and
arguments of the guest's, so that one call can go to both.
"""
from __future__ import annotations

from typing import Any

from pfnlab.model import FREE, PFN_LIMIT, UNMANAGED, Refusal, Request
from pfnlab.model_access import Access, Nobody
from pfnlab.model_virtual import DATA, LARGE_UNITS, ZONE, Virtual, attribute_set
from pfnlab.oracle_pages import ENGINES, PageOracle
from pfnlab.values import ADDRESS_LIMIT, PAGE_SHIFT, PAGE_SIZE

__all__ = ["ENGINES", "Oracle"]


class Oracle(PageOracle):
    """All of them, those of early memory and of pages included."""

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
        if redzone and size >= (1 << 64) - ZONE:
            raise Refusal("mem.none")
        if redzone and self.access is None:
            raise Refusal("call.unsupported")
        at = virtual.vmalloc(place, size, redzone, Request(found, 1, max=limit), DATA, owner)
        made = virtual.window.find(at, "vmalloc")
        if self.access is not None and not keys.get("dontzero"):
            self.access.zero_frames(made.frames)
        if self.access is not None and redzone:
            self.access.stamp(at + size, made.pages * PAGE_SIZE - size)
        made.default = attributes
        return at

    def vmemalign(self, alignment: int, size: int, owner: int = 0, **keys: Any) -> int:
        """The same, aligned."""
        return self.vmalloc(size, owner=owner, align=alignment, **keys)

    def vfree(self, address: int, force: int = 0) -> int:
        """The reverse."""
        virtual = self._virtual()
        found = virtual.window.find(address, "vmalloc")
        if self.access is not None and found.redzone and not force:
            self.access.inspect(address + found.size, found.pages * PAGE_SIZE - found.size)
        return virtual.vfree(address)

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
        """Other attributes."""
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
        elif self.access is None:
            raise Refusal("call.unsupported")
        else:
            self._protect_pages(range(address >> PAGE_SHIFT, (address >> PAGE_SHIFT) + pages),
                                wanted)

    def _protect_pages(self, frames: range, wanted: frozenset[str]) -> None:
        """Of the direct map: what is allocated, and not by vmalloc, or reserved."""
        engine = self._engine()
        for frame in frames:
            state = engine.state(frame)
            if state in (FREE, UNMANAGED):
                raise Refusal("mem.free" if state == FREE else "fault", frame << PAGE_SHIFT)
            if frame in self._virtual().kept:
                raise Refusal("mem.kind", frame << PAGE_SHIFT)
        self._give_attributes(frames, wanted)

    def malloc(self, size: int, owner: int = 0, redzone: int = 0) -> int:
        """Bytes."""
        return self.memalign(1, size, owner, redzone)

    def calloc(self, count: int, size: int, owner: int = 0) -> int:
        """So many times so many bytes."""
        if count * size >= 1 << 64:
            raise Refusal("call.range")
        return self.heap.alloc(count * size, owner=owner, zero=True)

    def memalign(self, alignment: int, size: int, owner: int = 0, redzone: int = 0) -> int:
        """Bytes, aligned."""
        return self.heap.alloc(size, alignment, owner, bool(redzone))

    def realloc(self, address: int, size: int) -> int:
        """Another size; the owner stays."""
        return self.heap.realloc(address, size)

    # ---- memory ----

    def _memory(self, address: int, width: int = 1) -> Access:
        if self.access is None:
            raise Refusal("call.unsupported")
        if address % width:
            raise Refusal("call.align")
        return self.access

    def peek(self, address: int, width: int = 8) -> int:
        """A number that is there. Nobody: as Access has it."""
        return self._memory(address, width).read(address, width)

    def poke(self, address: int, value: int, width: int = 8) -> None:
        """Another one."""
        if value >= 1 << 8 * width:
            raise Refusal("call.range")
        self._memory(address, width).write(address, width, value)

    def _stretch(self, address: int, pages: int | None) -> int:
        """So many pages, or those of the block or range that begins there."""
        engine, frame = self._engine(), self._frame(address)
        if pages is not None:
            if pages > PFN_LIMIT - frame:
                raise Refusal("call.range")
            return pages
        virtual = self._virtual()
        if self.access is not None and virtual.window.holds(address):
            page = address >> PAGE_SHIFT
            found = next((r for r in virtual.window.ranges.values() if r.start <= page < r.end),
                         None)
            if found is None or found.first != page:
                raise Refusal("mem.free" if found is None else "mem.inside", address)
            return found.pages
        return engine.length(frame)

    def fill(self, address: int, pages: int | None = None, seed: int = 0) -> None:
        """A pattern for pages."""
        count = self._stretch(address, pages)
        self._memory(address).fill(address, count, seed)

    def verify(self, address: int, pages: int | None = None, seed: int = 0) -> None:
        """It is there. Nobody: as Access has it."""
        count = self._stretch(address, pages)
        self._memory(address).verify(address, count, seed)

    def translate(self, address: int) -> int:
        """What is behind an address of the window."""
        if self.virtual is not None and self.virtual.window.holds(address):
            return self.virtual.translate(address)[0]
        raise Nobody
