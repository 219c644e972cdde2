# SPDX-License-Identifier: MIT
"""Tables that the allocators share: rows (kernel/mm/rows.h), the map from numbers to numbers on
them (lookup.c), and names of owners (journal.h)."""
from __future__ import annotations

from pfnlab.decode import Image, Unreadable, Value
from pfnlab.dwarf import Type

_SHIFT = 8                        # of a row's number: its place in the page is below


def row_at(rows: Value, number: int, size: int) -> int:
    """The address of a row, by its number."""
    directories = rows["directories"]
    per_directory = directories[0].type.target
    assert per_directory is not None
    pages = per_directory.fields["pages"].type.count
    page = number >> _SHIFT
    return int(directories[page // pages]["pages"][page % pages]) \
        + (number & (1 << _SHIFT) - 1) * size


def row_numbers(rows: Value) -> list[int]:
    """The numbers of all rows, in their order."""
    per_page, count = int(rows["per_page"]), int(rows["count"])
    if count and not 0 < per_page <= 1 << _SHIFT or count > 1 << 24:
        raise Unreadable("a table of rows is broken")
    return [i // per_page << _SHIFT | i % per_page for i in range(count)]


class Lookup:
    """A map of kernel/mm/lookup.h: value and mark of each key."""

    UNIT = "kernel/mm/lookup.c"

    def __init__(self, image: Image, at: Value) -> None:
        self.records: dict[int, tuple[int, int]] = {}
        self.unfound: list[int] = []          # keys that the kernel would not find
        if not at:
            return
        root = at.cast(image.type("lookup", self.UNIT))
        record: Type = image.type("record", self.UNIT)
        rows = root["records"]
        places = [Value(image, record, row_at(rows, n, record.size)) for n in row_numbers(rows)]
        for place in places:
            self.records[int(place["key"])] = int(place["value"]), int(place["mark"])
        self._check(places)

    def _check(self, places: list[Value]) -> None:
        nexts = [int(place["next"]) for place in places]
        for i, place in enumerate(places):
            key = int(place["key"])
            at, steps = int(places[bucket_of(key, len(places))]["head"]), 0
            while at != i and at < len(places) and steps < len(places):
                at, steps = nexts[at], steps + 1
            if at != i:
                self.unfound.append(key)


def bucket_of(key: int, buckets: int) -> int:
    """As in lookup.c."""
    mask = (1 << (buckets - 1).bit_length()) - 1
    bucket = key * 0x9e3779b97f4a7c15 >> 32 & 0xffffffff & mask
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
