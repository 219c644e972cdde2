# SPDX-License-Identifier: MIT
"""Tables that the allocators share: rows (kernel/mm/rows.h), the map from numbers to numbers on
them (lookup.c), and names of owners (journal.h)."""
from __future__ import annotations

from pfnlab.decode import Image, Unreadable, Value
from pfnlab.dwarf import Type

_MANY = 1 << 24                   # rows: more are no count, but memory that is broken


class Rows:
    """A table of rows (kernel/mm/rows.h). A row has a number: its page, and below that its place
    in the page."""

    UNIT = "kernel/mm/rows.c"

    def __init__(self, image: Image, at: Value, size: int) -> None:
        self._at, self._size = at, size
        self._shift = image.constant("ROWS_SHIFT", self.UNIT)
        self._per_page, self.count = int(at["per_page"]), int(at["count"])
        if self.count and not 0 < self._per_page <= 1 << self._shift or self.count > _MANY:
            raise Unreadable("a table of rows is broken")

    def number(self, index: int) -> int:
        """Of the row that is the nth, from 0."""
        return index // self._per_page << self._shift | index % self._per_page

    def numbers(self) -> list[int]:
        """Of all rows, in their order."""
        return [self.number(i) for i in range(self.count)]

    def at(self, number: int) -> int:
        """The address of a row."""
        directories = self._at["directories"]
        directory = directories[0].type.target
        assert directory is not None
        pages = directory.fields["pages"].type.count
        page = number >> self._shift
        return int(directories[page // pages]["pages"][page % pages]) \
            + (number & (1 << self._shift) - 1) * self._size


class Lookup:
    """A map of kernel/mm/lookup.h: value and mark of each key."""

    UNIT = "kernel/mm/lookup.c"

    def __init__(self, image: Image, at: Value | None) -> None:
        self.records: dict[int, tuple[int, int]] = {}
        self.unfound: list[int] = []          # keys that the kernel would not find
        if not at:
            return
        root = at.cast(image.type("lookup", self.UNIT))
        record: Type = image.type("record", self.UNIT)
        rows = Rows(image, root["records"], record.size)
        places = [Value(image, record, rows.at(n)) for n in rows.numbers()]
        self._factor, self._hash = (image.constant(name, self.UNIT)
                                    for name in ("HASH_FACTOR", "HASH_SHIFT"))
        for place in places:
            self.records[int(place["key"])] = int(place["value"]), int(place["mark"])
        self._check(places)

    def _check(self, places: list[Value]) -> None:
        nexts = [int(place["next"]) for place in places]
        keys = [int(place["key"]) for place in places]
        for i, key in enumerate(keys):
            at, steps = int(places[self._bucket(key, len(places))]["head"]), 0
            while at < len(places) and keys[at] != key and steps < len(places):
                at, steps = nexts[at], steps + 1
            if at != i:
                self.unfound.append(key)

    def _bucket(self, key: int, buckets: int) -> int:
        """As bucket_of() of lookup.c."""
        mask = (1 << (buckets - 1).bit_length()) - 1
        bucket = (key * self._factor & (1 << 64) - 1) >> self._hash & 0xffffffff & mask
        return bucket if bucket < buckets else bucket & mask >> 1


class Names:
    """Names of owners."""

    def __init__(self, journal: Value) -> None:
        self._names = [(int(v["from"]), v["name"].text())
                       for v in journal["names"].elements(int(journal["nnames"]))]

    def of(self, tag: int) -> str:
        """The name in which a request was made; empty if in none."""
        found = [name for first, name in self._names if tag and first <= tag]
        return found[-1] if found else ""

    def field(self, tag: int) -> str:
        """As rows of the serial line have it."""
        name = self.of(tag)
        return f"owner={tag}" + (f" name={name}" if name else "")
