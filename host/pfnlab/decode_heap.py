# SPDX-License-Identifier: MIT
"""What malloc has (kernel/mm/heap.h): its slabs, its blocks, its objects."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pfnlab.decode import Image, Value
from pfnlab.decode_pages import ALLOCATED, Pages
from pfnlab.decode_phys import extents
from pfnlab.decode_records import Lookup, Rows
from pfnlab.decode_virtual import Window
from pfnlab.values import PAGE_SHIFT

UNIT = "kernel/mm/heap_check.c"   # which sees all of the heap, and uses all constants


@dataclass
class Object:
    """An object of malloc."""

    at: int
    size: int
    stage: str
    tag: int
    zone: int

    def row(self) -> str:
        """As `dump heap`."""
        zone = f" redzone={self.zone}" if self.zone else ""
        return f"{self.at:#018x} {self.size} stage={self.stage} owner={self.tag}{zone}"


@dataclass
class Slab:
    """A page of equal slots; its record is at `at`."""

    at: int
    page: int
    stage: int
    used: int
    place: int | None             # in the queue of its class
    queued: int                   # the row of the slab at the place of this row's number
    free: list[int]               # slots
    tags: list[int]


@dataclass
class Class:
    """Slabs of one size of slots, and the queue of those with a free one."""

    at: Value
    rows: Rows
    size: int
    slots: int
    slabs: dict[int, Slab]        # by row


@dataclass(frozen=True)
class Entry:
    """What a page is to the heap: its slab by class and row, or the first page of a block."""

    stage: int
    class_: int
    row: int


class Heap:
    """All that malloc has."""

    def __init__(self, image: Image, lab: Value, pages: Pages | None, window: Window | None,
                 owners: Lookup) -> None:
        self._image, self._lab = image, lab
        self._pages, self._window, self._owners = pages, window, owners
        self.stages = [name.removeprefix("STAGE_").lower()
                       for _, name in sorted(lab["stage"].type.names.items())]
        self.stage = int(lab["heap"]["stage"])
        self._shifts = [image.constant(name, UNIT) for name in ("VALUE_STAGE", "VALUE_CLASS")]
        self.large, self.align_min, self.zone_min, self.zone_shift, self._not_queued = (
            image.constant(name, UNIT)
            for name in ("HEAP_LARGE", "HEAP_ALIGN_MIN", "HEAP_ZONE_MIN", "ZONE_SHIFT",
                         "NOT_QUEUED"))
        self._rules = image.variable("heap_rules", "kernel/mm/heap_slab.c").elements()
        self.classes: list[Class] = []        # none without a root
        self.tables: list[Lookup] = []        # of pages, not in the window and in it
        self.zones: list[Lookup] = []         # of each 2^zone_shift bytes, by address / align_min
        self.zoned = 0
        self.root = lab["heap"]["root"].cast(image.type("heap_root", UNIT)) \
            if lab["heap"]["root"] else None
        if self.root is not None:
            self._read(self.root)

    def _read(self, root: Value) -> None:
        self.tables = [Lookup(self._image, root["pages"][i]) for i in range(2)]
        self.zones = [Lookup(self._image, table) for table in root["zones"].elements()]
        self.zoned = int(root["zoned"])
        self.classes = [self._class(rule, root["classes"][number])
                        for number, rule in enumerate(self._rules)]

    def _class(self, rule: Value, at: Value) -> Class:
        rows = Rows(self._image, at["slabs"], int(rule["record"]))
        slots, tags = int(rule["slots"]), int(rule["tags"])
        return Class(at, rows, int(rule["size"]), slots,
                     {row: self._slab(rows.at(row), slots, tags) for row in rows.numbers()})

    def _slab(self, address: int, slots: int, tags: int) -> Slab:
        at = Value(self._image, self._image.type("slab", UNIT), address)
        words = (slots + 63) // 64
        free = [int(word) for word in at["free"].elements(words)]
        place = int(at["place"])
        return Slab(address, int(at["page"]), int(at["stage"]), int(at["used"]),
                    None if place == self._not_queued else place, int(at["queued"]),
                    [i for i in range(64 * words) if free[i // 64] >> i % 64 & 1],
                    [self._image.number(address + tags + 4 * i, 4) for i in range(slots)])

    def _entry(self, value: int) -> Entry:
        """As value_of() of heap_parts.h packs it."""
        stage, class_ = self._shifts
        return Entry(value >> stage, value >> class_ & (1 << stage - class_) - 1,
                     value & (1 << class_) - 1)

    def entries(self, table: Lookup) -> Iterator[tuple[int, Entry]]:
        """The pages in a table, and what each is."""
        return ((page, self._entry(value)) for page, (value, _) in table.records.items())

    def find(self, page: int, window: bool) -> Entry | None:
        """What a page is; None: nothing of the heap."""
        found = self.tables[window].records.get(page)
        return self._entry(found[0]) if found is not None else None

    def in_window(self, stage: int) -> bool:
        """Are the pages of a stage of the boot in the window?"""
        return bool(self._lab["heap"]["sources"][stage]["window"])

    def block(self, page: int, stage: int) -> tuple[int, int] | None:
        """Bytes and owner of the block of a backend that begins at a page; None: there is none."""
        if self.stages[stage] == "early":
            at = page << PAGE_SHIFT
            return next(((one.end - one.start, 0) for one in extents(self._lab["phys"])
                         if one.start == at and one.state == "early"), None)
        if not self.in_window(stage):
            run = self._pages.at(page) if self._pages is not None else None
            if run is None or run.state != ALLOCATED or run.first != page:
                return None
            return run.pages << PAGE_SHIFT, self._owners.records.get(page, (0, 0))[0]
        one = self._window.at(page) if self._window is not None else None
        return (one.pages << PAGE_SHIFT, one.tag) \
            if one is not None and one.first == page and one.kind == "heap" else None

    def objects(self) -> list[Object]:
        """All objects, by address."""
        found = []
        for page, entry in (pair for table in self.tables for pair in self.entries(table)):
            if entry.class_ != self.large:
                found += self._of_slab(page, entry)
            else:
                size, tag = self.block(page, entry.stage) or (0, 0)
                found.append(self._object(page << PAGE_SHIFT, size, entry.stage, tag))
        return sorted(found, key=lambda o: o.at)

    def _of_slab(self, page: int, entry: Entry) -> list[Object]:
        class_ = self.classes[entry.class_] if entry.class_ < len(self.classes) else None
        slab = class_.slabs.get(entry.row) if class_ is not None else None
        if class_ is None or slab is None:
            return []
        free = set(slab.free)
        return [self._object((page << PAGE_SHIFT) + i * class_.size, class_.size, entry.stage, tag)
                for i, tag in enumerate(slab.tags) if i not in free]

    def _object(self, at: int, size: int, stage: int, tag: int) -> Object:
        table, place = divmod(at, 1 << self.zone_shift)
        zone = self.zones[table].records.get(place // self.align_min, (0, 0))[0]
        return Object(at, size, self.stages[stage], tag, zone)

    def totals(self) -> Iterator[str]:
        """As `heap`."""
        for number, rule in enumerate(self._rules):
            slabs = self.classes[number].slabs if self.classes else {}
            size, used = int(rule["size"]), sum(slab.used for slab in slabs.values())
            yield f"{size} objects={used} pages={len(slabs)} bytes={used * size}"
        sizes = [(self.block(page, entry.stage) or (0, 0))[0] for table in self.tables
                 for page, entry in self.entries(table) if entry.class_ == self.large]
        yield (f"pages objects={len(sizes)} pages={sum(sizes) >> PAGE_SHIFT} "
               f"bytes={sum(sizes)}")
