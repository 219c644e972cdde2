# SPDX-License-Identifier: MIT
"""What malloc takes whole pages from, by the stage of the boot: see struct heap_backend."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pfnlab.model import ALLOCATED, FREE, PFN_LIMIT, RESERVED, Pages, Refusal, Request, order_for
from pfnlab.model_early import Phys
from pfnlab.model_virtual import DATA, Place as Addresses, Virtual
from pfnlab.values import MAX_ORDER, PAGE_SHIFT


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
