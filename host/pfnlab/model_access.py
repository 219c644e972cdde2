# SPDX-License-Identifier: MIT
"""Accesses again: what memory is behind an address, in the window or of the direct map, and whether
it can be written there. On an injected map nobody needs this: there is no memory.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from pfnlab.model import Pages, Refusal
from pfnlab.model_early import Phys, subtract
from pfnlab.model_memory import Memory, Pattern, Zero, zone_byte
from pfnlab.model_virtual import DATA, Virtual
from pfnlab.values import PAGE_SHIFT, PAGE_SIZE


class Nobody(Exception):
    """What is there is the machine's own: nobody knows what it answers."""


def in_pages(at: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a stretch that lie in one page each: address and bytes."""
    end = at + size
    while at < end:
        part = min(end, (at | (PAGE_SIZE - 1)) + 1) - at
        yield at, part
        at += part


@dataclass
class Access:
    """A machine's memory as its addresses reach it; with the allocators, as far as they are there.
    `held`: frames that running processors stand on."""

    phys: Phys
    memory: Memory
    pages: Pages | None = None
    virtual: Virtual | None = None
    held: set[int] = field(default_factory=set)

    def owns(self, at: int, size: int) -> bool:
        """Is it memory that the allocators manage, early or by the page?"""
        return (at >> PAGE_SHIFT not in self.held
                and any(start <= at and at + size <= end for start, end in self._ranges))

    @cached_property
    def _ranges(self) -> list[tuple[int, int]]:
        return subtract(self.phys.usable, self.phys.reserved)

    def mapped(self, at: int) -> tuple[int, frozenset[str]]:
        """The physical address behind one, and what can be done there. Nobody: the machine's own,
        or nothing."""
        if self.virtual is not None and self.virtual.window.holds(at):
            return self.virtual.translate(at)
        if not self.owns(at, 1):
            raise Nobody
        frame = at >> PAGE_SHIFT
        return at, DATA if self.pages is None else self.pages.attributes.get(frame, DATA)

    def look(self, at: int, size: int, write: bool) -> list[tuple[int, int, int]]:
        """What is behind a stretch, page by page: address, physical address, bytes. Refused at the
        first that cannot be read or written so."""
        found = []
        for part, n in in_pages(at, size):
            physical, attributes = self.mapped(part)
            if write and "ro" in attributes:
                raise Refusal("fault.protection", part)
            found.append((part, physical, n))
        return found

    # ---- what the allocators do ----

    def zero(self, at: int, size: int) -> None:
        """Bytes."""
        for _, physical, n in self.look(at, size, True):
            if n == PAGE_SIZE:
                self.memory.fill(physical >> PAGE_SHIFT, Zero())
            else:
                self.memory.write(physical, [0] * n)

    def copy(self, to: int, source: int, size: int) -> None:
        """Bytes, to where they do not overlap."""
        self.look(source, size, False)
        self.look(to, size, True)
        for (at, physical, n) in self.look(source, size, False):
            there = to + at - source
            if n == PAGE_SIZE and there % PAGE_SIZE == 0:
                self.memory.copy_page(self.mapped(there)[0] >> PAGE_SHIFT, physical >> PAGE_SHIFT)
                continue
            values = self.memory.read(physical, n)
            for part, m in in_pages(there, n):
                self.memory.write(self.mapped(part)[0], values[part - there:part - there + m])

    def stamp(self, at: int, size: int) -> None:
        """Make it a red zone."""
        for part, physical, n in self.look(at, size, True):
            self.memory.write(physical, [zone_byte(part + i) for i in range(n)])

    def inspect(self, at: int, size: int) -> None:
        """Refused at the first byte that is not a red zone's."""
        for part, physical, n in self.look(at, size, False):
            for i, byte in enumerate(self.memory.read(physical, n)):
                if byte is None:
                    raise Nobody
                if byte != zone_byte(part + i):
                    raise Refusal("mem.overrun", part + i)

    # ---- what a user does ----

    def read(self, at: int, width: int) -> int:
        """A number. Nobody: as that has it, or nobody has written it."""
        physical, _ = self.mapped(at)
        value = self.memory.load(physical, width) if self.owns(physical, width) else None
        if value is None:
            raise Nobody
        return value

    def write(self, at: int, width: int, value: int) -> None:
        """A number, if the memory is the allocators'."""
        physical, attributes = self._owned(at, width)
        if "ro" in attributes:
            raise Refusal("fault.protection", at)
        self.memory.store(physical, width, value)

    def _owned(self, at: int, size: int) -> tuple[int, frozenset[str]]:
        """As mapped(); what is not the allocators' is protected, or there is nothing."""
        try:
            physical, attributes = self.mapped(at)
        except Nobody:
            raise Refusal("fault", at) from None
        if not self.owns(physical, size):
            raise Refusal("fault.protection", at)
        return physical, attributes

    def fill(self, first: int, count: int, seed: int) -> None:
        """Pages: all of them are looked at before one is written."""
        for at, physical, attributes in self._each_owned(first, count):
            if "ro" in attributes:
                raise Refusal("fault.protection", at)
            self.memory.fill(physical >> PAGE_SHIFT, Pattern(at, seed, self.memory.little))

    def verify(self, first: int, count: int, seed: int) -> None:
        """What fill has written is there."""
        for at, physical, _ in self._each_owned(first, count):
            wrong = self.memory.difference(physical, Pattern(at, seed, self.memory.little))
            if wrong is None:
                raise Nobody
            if wrong < PAGE_SIZE:
                raise Refusal("fault.pattern", at + wrong)

    def _each_owned(self, first: int, count: int) -> list[tuple[int, int, frozenset[str]]]:
        return [(at, *self._owned(at, PAGE_SIZE))
                for at in range(first, first + count * PAGE_SIZE, PAGE_SIZE)]

    def zero_frames(self, frames: range | list[int]) -> None:
        """As they are handed out."""
        for frame in frames:
            self.memory.fill(frame, Zero())
