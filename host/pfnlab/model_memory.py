# SPDX-License-Identifier: MIT
"""Memory again: which bytes there are behind a frame, as far as somebody has written them. What
nobody has written since the machine's map is in force is not known, and may be anything.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from pfnlab.values import PAGE_SHIFT, PAGE_SIZE

WORD = 8                               # bytes of a word of the pattern
_ALL = (1 << 64) - 1


def zone_byte(address: int) -> int:
    """What a red zone holds at an address: kernel/mm/zone.h."""
    return 0x80 | ((address * 29 & _ALL) >> 1 & 0xff)


class Fill(Protocol):
    """What all bytes of a page were written with, at once."""

    def byte(self, offset: int) -> int:
        """One of them."""


@dataclass(frozen=True)
class Zero:
    """As pages are handed out."""

    def byte(self, offset: int) -> int:
        """As in the protocol."""
        return 0


@dataclass(frozen=True)
class Pattern:
    """`fill` of the page at an address, on a machine with that order of bytes."""

    address: int
    seed: int
    little: bool

    def byte(self, offset: int) -> int:
        """As in the protocol."""
        x = (self.address + offset // WORD * WORD) ^ (self.seed * 0x9e3779b97f4a7c15 & _ALL)
        x = x * 0xd6e8feb86659fd93 & _ALL
        word = (x ^ x >> 32).to_bytes(WORD, "little" if self.little else "big")
        return word[offset % WORD]


@dataclass
class Page:
    """One page: what it was filled with at last, if it was, and what was written since."""

    fill: Fill | None = None
    written: dict[int, int] = field(default_factory=dict)

    def byte(self, offset: int) -> int | None:
        """None: nobody knows."""
        if offset in self.written:
            return self.written[offset]
        return None if self.fill is None else self.fill.byte(offset)


class Memory:
    """All of it, by physical addresses. What is read or written lies within one page."""

    def __init__(self, little: bool) -> None:
        self.little = little
        self._pages: dict[int, Page] = {}              # by frame; unknown: not there

    def fill(self, frame: int, fill: Fill) -> None:
        """All of a page."""
        self._pages[frame] = Page(fill)

    def forget(self, frame: int) -> None:
        """Others write there."""
        self._pages.pop(frame, None)

    def read(self, at: int, size: int) -> list[int | None]:
        """Bytes; None for each that nobody knows."""
        page, offset = self._pages.get(at >> PAGE_SHIFT, Page()), at % PAGE_SIZE
        return [page.byte(i) for i in range(offset, offset + size)]

    def write(self, at: int, values: list[int | None]) -> None:
        """Bytes; what nobody knows is not known then."""
        page, offset = self._pages.setdefault(at >> PAGE_SHIFT, Page()), at % PAGE_SIZE
        if None in values:                             # no part of what it was filled with
            known = [page.byte(i) for i in range(PAGE_SIZE)]
            known[offset:offset + len(values)] = values
            page.fill, values, offset = None, known, 0
            page.written.clear()
        page.written.update((offset + i, value) for i, value in enumerate(values)
                            if value is not None)

    def copy_page(self, to: int, source: int) -> None:
        """All of a frame to another one."""
        there = self._pages.get(source, Page())
        self._pages[to] = Page(there.fill, dict(there.written))

    def load(self, at: int, width: int) -> int | None:
        """A number, as the machine reads it."""
        values = self.read(at, width)
        known = bytes(value for value in values if value is not None)
        return int.from_bytes(known, self._order) if len(known) == width else None

    def store(self, at: int, width: int, value: int) -> None:
        """The same, written."""
        self.write(at, [*value.to_bytes(width, self._order)])

    @property
    def _order(self) -> Literal["little", "big"]:
        return "little" if self.little else "big"

    def difference(self, at: int, wanted: Pattern) -> int | None:
        """How many bytes into a page the first word begins that is not the pattern's; PAGE_SIZE:
        there is none. None: nobody knows."""
        page = self._pages.get(at >> PAGE_SHIFT, Page())
        if page.fill == wanted and not page.written:
            return PAGE_SIZE
        for word in range(0, PAGE_SIZE, WORD):
            known = [page.byte(i) for i in range(word, word + WORD)]
            if None in known:
                return None
            if known != [wanted.byte(i) for i in range(word, word + WORD)]:
                return word
        return PAGE_SIZE
