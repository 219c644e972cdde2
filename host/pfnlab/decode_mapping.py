# SPDX-License-Identifier: MIT
"""The memory of page tables (kernel/mm/tables.h), and attributes of pages in the direct map
(kernel/mm/attributes.h): their invariants, by the kernel's numbers."""
from __future__ import annotations

from collections.abc import Iterator

from pfnlab.decode import Image, Value
from pfnlab.decode_check import Violation
from pfnlab.decode_pages import ALLOCATED, IS_RESERVED, Pages
from pfnlab.decode_records import Lookup
from pfnlab.decode_tables import ATTRIBUTES, MAPPED, Entry, Tables
from pfnlab.values import PAGE_SHIFT

TEXT = {
    510: "the memory of page tables in use is not that of the pieces taken",
    511: "a free piece of the memory of page tables is not free, not whole, or not listed",
    512: "the memory of page tables in use is not what they take",
    700: "a page has attributes and no owner",
    701: "the count of pages with attributes is not theirs",
}


class TableMemory:
    """Pieces in units."""

    UNIT = "kernel/mm/tables.c"

    def __init__(self, image: Image) -> None:
        self._at = image.variable("lab_tables", "kernel/lab.c")
        self._unit, self._piece = (image.constant(name, self.UNIT)
                                   for name in ("TABLE_UNIT", "TABLE_PIECE"))
        self._shape = image.type("table_piece", self.UNIT)
        self._base, self._virgin, self._used = (int(self._at[name])
                                                for name in ("base", "virgin", "used"))
        self._taken = image.memory.read(int(self._at["taken"]), int(self._at["units"]))

    def _marks(self, offset: int, size: int) -> int:
        """Those of the smallest pieces of a piece that are taken."""
        unit, within = divmod(offset, self._unit)
        mask = (1 << size // self._piece) - 1
        return self._taken[unit] >> within // self._piece & mask

    def _owns(self, address: int) -> bool:
        offset = address - self._base
        return 0 <= offset < self._virgin * self._unit and self._marks(offset, self._piece) != 0

    def check(self, tables: Tables) -> Iterator[Violation]:
        """Invariants 510 to 512."""
        if self._piece * sum(byte.bit_count() for byte in self._taken) != self._used:
            yield Violation(510, 0, TEXT[510])
        listed = 0
        for index, first in enumerate(self._at["returned"].elements()):
            size = self._piece << index
            for offset in self._list(first):
                listed += size
                if not self._is_free(offset, size):
                    yield Violation(511, offset // self._unit, TEXT[511])
        if listed + self._used != self._virgin * self._unit:
            yield Violation(511, self._virgin, TEXT[511])
        if sum(size for address, size in tables.below() if self._owns(address)) != self._used:
            yield Violation(512, 0, TEXT[512])

    def _list(self, piece: Value) -> Iterator[int]:
        """The pieces of a list, as offsets; of one that is no list not for ever."""
        seen: set[int] = set()
        while piece and int(piece) not in seen:
            seen.add(int(piece))
            yield int(piece) - self._base
            piece = piece.cast(self._shape)["next"]

    def _is_free(self, offset: int, size: int) -> bool:
        if not 0 <= offset < self._virgin * self._unit or offset % size:
            return False
        return not self._marks(offset, size) \
            and (size == self._unit or self._marks(offset ^ size, size) != 0)


class Attributes:
    """Which pages may have others than the default, and which have."""

    UNIT = "kernel/mm/attributes.c"

    def __init__(self, image: Image, lab: Value, pages: Pages, owners: Lookup) -> None:
        self._pages, self._owners = pages, owners
        self._changed = int(lab["attributes"]["changed"])
        # Words of the serial line for the machine's part of MMU_DATA.
        data = image.constant("MMU_DATA", self.UNIT) & int(lab["mmu"]["attributes"])
        names = ("MMU_READ_ONLY", "MMU_NO_EXECUTE", "MMU_UNCACHED", "MMU_WRITE_COMBINING")
        self._default = frozenset(word for word, name in zip(ATTRIBUTES, names, strict=True)
                                  if data & image.constant(name, self.UNIT))
        self._plain = next(n for n, name in image.type("pages_use", "kernel/mm/pages.c").names
                           .items() if name == "PAGES_PLAIN")

    def check(self, tables: Tables, ranges: Iterator[tuple[int, int, bool]]
              ) -> Iterator[Violation]:
        """Invariants 700 and 701, of the frames that the page allocator was given."""
        changed = 0
        for first, end, _ in ranges:
            for start, limit, entry in tables.stretches(first << PAGE_SHIFT, end << PAGE_SHIFT):
                if self._differs(entry):
                    changed += limit - start >> PAGE_SHIFT
                    yield from self._check_run(start >> PAGE_SHIFT, limit >> PAGE_SHIFT)
        if changed != self._changed:
            yield Violation(701, 0, TEXT[701])

    def _differs(self, entry: Entry) -> bool:
        return entry.kind == MAPPED and entry.phys == entry.start \
            and entry.attributes != self._default

    def _check_run(self, at: int, limit: int) -> Iterator[Violation]:
        """Whose are these pages? As page_may() of attributes.c."""
        while at < limit:
            run = self._pages.at(at)
            use = self._owners.records.get(at, (0, self._plain))[1]
            if run.state not in (ALLOCATED, IS_RESERVED) or use != self._plain:
                yield Violation(700, at, TEXT[700])
            at = run.limit
