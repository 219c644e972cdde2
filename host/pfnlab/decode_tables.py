# SPDX-License-Identifier: MIT
"""The page tables of a guest, walked in its memory. The shape of the tables is in the program's own
`struct radix_format`; what the bits of an entry mean is here, from the manuals: Intel SDM volume 3,
sections 4.4 and 4.5; z/Architecture Principles of Operation, "Dynamic Address Translation"."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pfnlab.decode import Image

_SPACES = ("arch/x86/paging.c", "arch/native/paging.c", "arch/s390x/mmu.c")
_NATIVE = "arch/native/memory.c"
EMPTY, TABLE, MAPPED = range(3)
ATTRIBUTES = ("ro", "nx", "uncached", "wc")


class _Intel:
    """Entries of four levels and of PAE."""

    @staticmethod
    def kind(level: int, entry: int) -> int:
        """What an entry is."""
        return EMPTY if not entry & 1 else MAPPED if level == 1 or entry & 0x80 else TABLE

    @staticmethod
    def address(level: int, entry: int) -> int:
        """Of the table below, or of the unit."""
        large = level > 1 and entry & 0x80
        return entry & 0x000ffffffffff000 & ~(0x1000 if large else 0)

    @staticmethod
    def attributes(level: int, entry: int) -> int:
        """A set as in kernel/mmu.h."""
        pat = 0x80 if level == 1 else 0x1000
        return (entry & 2 == 0) | (entry >> 63) << 1 | (entry & 0x18 == 0x18) << 2 \
            | (entry & pat != 0) << 3


class _Mainframe(_Intel):
    """Entries of regions, segments and pages."""

    @staticmethod
    def kind(level: int, entry: int) -> int:
        """As Intel's."""
        return EMPTY if entry & (0x400 if level == 1 else 0x20) else MAPPED if level == 1 else TABLE

    @staticmethod
    def address(level: int, entry: int) -> int:
        """As Intel's."""
        return entry & ~(0x7ff if level == 2 else 0xfff)

    @staticmethod
    def attributes(level: int, entry: int) -> int:
        """As Intel's."""
        return (entry & 0x200 != 0) | (entry & 0x100 != 0) << 1


@dataclass
class Entry:
    """An entry of a table."""

    start: int
    shift: int                    # it covers 2^shift bytes from `start`
    level: int
    kind: int
    phys: int
    attributes: int
    raw: int
    place: int                    # where it is itself

    @property
    def end(self) -> int:
        """Where what it covers ends."""
        return self.start + (1 << self.shift)

    def words(self) -> str:
        """Its attributes, as the serial line has them."""
        return "|".join(name for i, name in enumerate(ATTRIBUTES) if self.attributes >> i & 1) \
            or "rw"


class Tables:
    """The address space of the kernel."""

    def __init__(self, image: Image) -> None:
        unit = next(u for u in _SPACES if image.program.has_variable("space", u))
        space = image.variable("space", unit)
        self._image = image
        self._bits: type[_Intel] = _Mainframe if image.program.machine == "EM_S390" else _Intel
        self._moved = int(image.variable("space", _NATIVE)) \
            if image.program.has_variable("space", _NATIVE) else 0
        levels = space["format"]["level"]
        self.levels = int(space["format"]["levels"])
        self._shape = {n: (int(levels[n]["shift"]), int(levels[n]["entries"]))
                       for n in range(1, self.levels + 1)}
        self._root, self.limit = int(space["root"]), int(space["limit"])

    def way(self, at: int) -> Iterator[Entry]:
        """The entries from the root down to what an address is mapped to, or is not."""
        if at >= self.limit:
            return
        table = self._root
        for level in range(self.levels, 0, -1):
            shift, entries = self._shape[level]
            place = table + (at >> shift & entries - 1) * 8
            raw = self._image.number(place, 8)
            kind = self._bits.kind(level, raw)
            phys = self._bits.address(level, raw) if kind != EMPTY else 0
            yield Entry(at >> shift << shift, shift, level, kind, phys,
                        self._bits.attributes(level, raw) if kind == MAPPED else 0, raw, place)
            if kind != TABLE:
                return
            table = self._moved + phys

    def entry(self, at: int) -> Entry | None:
        """The entry with which the way to an address ends; None: it is beyond all tables."""
        last = None
        for last in self.way(at):
            pass
        return last

    def translate(self, at: int) -> int | None:
        """The physical address; None: not mapped."""
        entry = self.entry(at)
        if entry is None or entry.kind != MAPPED:
            return None
        return entry.phys + at - entry.start

    def mapped(self, start: int, end: int) -> Iterator[Entry]:
        """The units that are mapped in [start, end), in order."""
        at = start
        while at < end:
            entry = self.entry(at)
            if entry is None:
                return
            if entry.kind == MAPPED:
                yield entry
            at = entry.end

    def rows(self, start: int, end: int) -> Iterator[str]:
        """As `dump pagetables`: tables where they begin, runs of units alike."""
        at = start
        while at < end:
            way = list(self.way(at))
            for entry in way:
                if entry.kind == TABLE and entry.start == at:
                    yield (f"{at:#018x} {1 << entry.shift - 12} table level={entry.level} "
                           f"phys={entry.phys:#018x}")
            if not way:
                return
            last = way[-1]
            at = last.end
            if last.kind == MAPPED:
                at = self._run_end(last, end)
                yield (f"{last.start:#018x} {at - last.start >> 12} mapping level={last.level} "
                       f"phys={last.phys:#018x} attributes={last.words()}")

    def _run_end(self, first: Entry, limit: int) -> int:
        end = first.end
        while end < limit:
            following = self.entry(end)
            if following is None or (following.kind, following.level, following.attributes) != (
                    MAPPED, first.level, first.attributes) \
                    or following.phys - first.phys != following.start - first.start:
                break
            end = following.end
        return end

    def way_rows(self, at: int) -> Iterator[str]:
        """The entries of each level for one address, the last one told whole."""
        for entry in self.way(at):
            what = ("empty", f"table phys={entry.phys:#018x}",
                    f"mapping phys={entry.phys:#018x} attributes={entry.words()}")[entry.kind]
            yield (f"{entry.start:#018x} {1 << entry.shift - 12} level={entry.level} "
                   f"entry={entry.raw:#018x} at={entry.place:#x} {what}")
