# SPDX-License-Identifier: MIT
"""The page tables of a guest, walked in its memory. The shape of the tables is in the program's own
`struct radix_format`, the bits of attributes are constants of its pte.c."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pfnlab.decode import Image, Unreadable, Value

_SPACES = ("arch/x86/paging.c", "arch/native/paging.c", "arch/s390x/mmu.c")
_NATIVE = "arch/native/memory.c"
EMPTY, TABLE, MAPPED = range(3)
_MANY = 1 << 16                   # tables: more are memory that is broken
READ_ONLY, NO_EXECUTE, UNCACHED, WRITE_COMBINING = ATTRIBUTES = ("ro", "nx", "uncached", "wc")


class _Intel:
    """What entries of four levels and of PAE say of a unit."""

    UNIT = "arch/x86/pte.c"
    NAMES: tuple[str, ...] = ("WRITE", "NO_EXECUTE", "UNCACHED", "PAT_PAGE", "PAT_LARGE")

    def __init__(self, image: Image) -> None:
        self._bits = [image.constant(name, self.UNIT) for name in self.NAMES]

    def attributes(self, level: int, entry: int) -> frozenset[str]:
        """The words of the serial line."""
        write, no_execute, uncached, *pat = self._bits
        return _chosen(entry & write == 0, entry & no_execute, entry & uncached == uncached,
                       entry & pat[level > 1])


class _Mainframe(_Intel):
    """The same of pages."""

    UNIT = "arch/s390x/pte.c"
    NAMES = ("PAGE_PROTECTED", "PAGE_NO_EXECUTE")

    def attributes(self, level: int, entry: int) -> frozenset[str]:
        """As Intel's."""
        return _chosen(*(entry & bits for bits in self._bits))


class _Level:
    """A level of tables: struct radix_level of arch/common/radix.h."""

    def __init__(self, number: int, at: Value) -> None:
        self._number = number
        self.shift, self.entries, self._mask, self._present, self._unit, self._table_address, \
            self._unit_address = (int(at[name]) for name in (
                "shift", "entries", "mask", "present", "unit", "table_address", "unit_address"))

    def kind(self, entry: int) -> int:
        """What an entry is."""
        if entry & self._mask != self._present:
            return EMPTY
        return MAPPED if self._number == 1 or entry & self._unit else TABLE

    def address(self, entry: int) -> int:
        """Of the table below, or of the unit."""
        return entry & (self._unit_address if self.kind(entry) == MAPPED else self._table_address)


def _chosen(*flags: int) -> frozenset[str]:
    return frozenset(name for name, flag in zip(ATTRIBUTES, flags, strict=False) if flag)


@dataclass
class Entry:
    """An entry of a table."""

    start: int
    shift: int                    # it covers 2^shift bytes from `start`
    level: int
    kind: int
    phys: int
    attributes: frozenset[str]
    raw: int
    place: int                    # where it is itself

    @property
    def end(self) -> int:
        """Where what it covers ends."""
        return self.start + (1 << self.shift)

    def words(self) -> str:
        """Its attributes, as the serial line has them."""
        return "|".join(name for name in ATTRIBUTES if name in self.attributes) or "rw"


class Tables:
    """The address space of the kernel."""

    def __init__(self, image: Image) -> None:
        unit = next(u for u in _SPACES if image.program.has_variable("space", u))
        space = image.variable("space", unit)
        self._image = image
        self._bits = (_Mainframe if image.program.machine == "EM_S390" else _Intel)(image)
        self._moved = int(image.variable("space", _NATIVE)) \
            if image.program.has_variable("space", _NATIVE) else 0
        levels = space["format"]["level"]
        self.levels = int(space["format"]["levels"])
        self._level = {n: _Level(n, levels[n]) for n in range(1, self.levels + 1)}
        self._root, self.limit = int(space["root"]), int(space["limit"])

    def way(self, at: int) -> Iterator[Entry]:
        """The entries from the root down to what an address is mapped to, or is not."""
        if at >= self.limit:
            return
        table = self._root
        for level in range(self.levels, 0, -1):
            shape = self._level[level]
            shift = shape.shift
            place = table + (at >> shift & shape.entries - 1) * 8
            raw = self._image.number(place, 8)
            kind = shape.kind(raw)
            phys = shape.address(raw) if kind != EMPTY else 0
            yield Entry(at >> shift << shift, shift, level, kind, phys,
                        self._bits.attributes(level, raw) if kind == MAPPED else frozenset(),
                        raw, place)
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

    def below(self) -> Iterator[tuple[int, int]]:
        """All tables that entries point to: the address of each, and its size."""
        for number, found in enumerate(self._below(self._root, self.levels)):
            if number == _MANY:
                raise Unreadable("there are too many page tables to be true")
            yield found

    def _below(self, table: int, level: int) -> Iterator[tuple[int, int]]:
        if level == 1:
            return
        shape, size = self._level[level], self._level[level].entries * 8
        data = self._image.memory.read(table, size)
        for at in range(0, size, 8):
            raw = int.from_bytes(data[at:at + 8], self._image.order)
            if shape.kind(raw) == TABLE:
                under = self._moved + shape.address(raw)
                yield under, self._level[level - 1].entries * 8
                yield from self._below(under, level - 1)

    def stretches(self, start: int, end: int) -> Iterator[tuple[int, int, Entry]]:
        """Units in [start, end) that are mapped one behind the other, alike, by one table: where
        they begin and end, and the first entry. For what is large."""
        at = start
        while at < end:
            entry = self.entry(at)
            if entry is None:
                return
            at = min(entry.end if entry.kind != MAPPED else self._stretch_end(entry, end), end)
            if entry.kind == MAPPED:
                yield max(entry.start, start), at, entry

    def _stretch_end(self, first: Entry, limit: int) -> int:
        shift, entries = self._level[first.level].shift, self._level[first.level].entries
        left = min(entries - (first.start >> shift & entries - 1), (limit - 1 >> shift)
                   - (first.start >> shift) + 1)
        data = self._image.memory.read(first.place, left * 8)
        number = next((n for n in range(left) if int.from_bytes(
            data[8 * n:8 * n + 8], self._image.order) != first.raw + (n << shift)), left)
        return first.start + (number << shift)

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
