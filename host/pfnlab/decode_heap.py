# SPDX-License-Identifier: MIT
"""What malloc has (kernel/mm/heap.h): its slabs, its blocks, its objects."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pfnlab.decode import Image, Unreadable, Value
from pfnlab.decode_check import Violation
from pfnlab.decode_pages import ALLOCATED, Pages
from pfnlab.decode_records import Lookup, row_at, row_numbers
from pfnlab.decode_virtual import Window

UNIT = "kernel/mm/heap_slab.c"
ALIGN_MIN = 16                    # of an object: the unit of the addresses of red zones
TEXT = {
    600: "a page cannot be found in the table of addresses, or is neither slab nor block",
    601: "a slab is not in the table of addresses, or is none",
    602: "the slots of a slab are miscounted", 606: "a block is none of its backend",
    603: "a slab waits that cannot serve, or does not",
    605: "a slab is no page of its backend", 607: "a red zone ends no object",
}


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
    """A page of equal slots."""

    page: int
    stage: int
    used: int
    queued: bool
    free: list[int]               # slots
    tags: list[int]


class Heap:
    """All that malloc has."""

    def __init__(self, image: Image, lab: Value, pages: Pages | None, window: Window | None
                 ) -> None:
        self._image, self._lab, self._pages, self._window = image, lab, pages, window
        self.stages = [name.removeprefix("STAGE_").lower()
                       for _, name in sorted(lab["stage"].type.names.items())]
        self.stage = int(lab["heap"]["stage"])
        self.rules = [{name: int(rule[name]) for name in ("size", "slots", "tags", "record")}
                      for rule in image.variable("heap_rules", UNIT).elements()]
        self.slabs: dict[tuple[int, int], Slab] = {}          # by class and row
        self.pages: list[Lookup] = []
        self.zones: dict[int, int] = {}
        if lab["heap"]["root"]:
            self._read(lab["heap"]["root"].cast(image.type("heap_root", UNIT)))

    def _read(self, root: Value) -> None:
        self.pages = [Lookup(self._image, root["pages"][i]) for i in range(2)]
        zones = Lookup(self._image, root["zones"])
        self.zones = {key * ALIGN_MIN: value for key, (value, _) in zones.records.items()}
        shape = self._image.type("slab", UNIT)
        for class_, rule in enumerate(self.rules):
            rows = root["classes"][class_]["slabs"]
            for row in row_numbers(rows):
                at = Value(self._image, shape, row_at(rows, row, rule["record"]))
                self.slabs[class_, row] = self._slab(at, rule)

    def _slab(self, at: Value, rule: dict[str, int]) -> Slab:
        words = (rule["slots"] + 63) // 64
        first = at.address + at.type.fields["free"].offset
        free = [self._image.number(first + 8 * w, 8) for w in range(words)]
        tags = [self._image.number(at.address + rule["tags"] + 4 * i, 4)
                for i in range(rule["slots"])]
        nowhere = (1 << 32) - 1
        return Slab(int(at["page"]), int(at["stage"]), int(at["used"]),
                    int(at["place"]) != nowhere,
                    [i for i in range(64 * words) if free[i // 64] >> i % 64 & 1], tags)

    @staticmethod
    def _value(value: int) -> tuple[int, int, int]:
        """What a page is: stage, class, row (value_of() of heap_parts.h)."""
        return value >> 30, value >> 26 & 15, value & (1 << 26) - 1

    def _entries(self) -> Iterator[tuple[int, int, int, int]]:
        """Page, stage, class, row of each page in the tables."""
        for table in self.pages:
            for page, (value, _) in table.records.items():
                yield page, *self._value(value)

    def _block(self, page: int, stage: int) -> tuple[int, int] | None:
        """Bytes and owner of the block of a backend that begins at a page; None: there is none."""
        if stage == 0:
            return next(((end - start, 0) for start, end, _, _ in phys_extents(self._lab)
                         if start == page << 12), None)
        if self.stages[stage] == "page":
            run = self._pages.at(page) if self._pages is not None else None
            if run is None or run.state != ALLOCATED or run.first != page:
                return None
            return run.pages << 12, self.owner(page)
        one = self._window.at(page) if self._window is not None else None
        return (one.pages << 12, one.tag) if one is not None and one.first == page else None

    def owner(self, frame: int) -> int:
        """Of a block of the page allocator."""
        owners = Lookup(self._image, self._lab["pages"]["owners"])
        return owners.records.get(frame, (0, 0))[0]

    def objects(self) -> list[Object]:
        """All objects, by address."""
        found = []
        for page, stage, class_, row in self._entries():
            if class_ < len(self.rules):
                slab = self.slabs.get((class_, row))
                if slab is None:
                    continue
                free, size = set(slab.free), self.rules[class_]["size"]
                found += [self._object(at=(page << 12) + i * size, size=size, stage=stage, tag=tag)
                          for i, tag in enumerate(slab.tags) if i not in free]
            else:
                size, tag = self._block(page, stage) or (0, 0)
                found.append(self._object(page << 12, size, stage, tag))
        return sorted(found, key=lambda o: o.at)

    def _object(self, at: int, size: int, stage: int, tag: int) -> Object:
        return Object(at, size, self.stages[stage], tag, self.zones.get(at, 0))

    def totals(self) -> Iterator[str]:
        """As `heap`."""
        for class_, rule in enumerate(self.rules):
            mine = [s for (c, _), s in self.slabs.items() if c == class_]
            used = sum(slab.used for slab in mine)
            yield (f"{rule['size']} objects={used} pages={len(mine)} "
                   f"bytes={used * rule['size']}")
        sizes = [(self._block(page, stage) or (0, 0))[0]
                 for page, stage, class_, _ in self._entries() if class_ >= len(self.rules)]
        yield f"pages objects={len(sizes)} pages={sum(sizes) >> 12} bytes={sum(sizes)}"

    # ---- invariants ----

    def check(self) -> Iterator[Violation]:
        """Invariants 600 on, as kernel/mm/heap_check.c has them, but for the order of queues."""
        listed = {(class_, row): (page, stage) for page, stage, class_, row in self._entries()
                  if class_ < len(self.rules)}
        for key, slab in self.slabs.items():
            yield from self._check_slab(key[0], slab, listed.get(key))
        for table in self.pages:
            yield from (Violation(600, page, TEXT[600]) for page in table.unfound)
        for page, stage, class_, _ in self._entries():
            if class_ > len(self.rules) or stage >= len(self.stages):
                yield Violation(600, page, TEXT[600])
            elif class_ == len(self.rules) and self._block(page, stage) is None:
                yield Violation(606, page, TEXT[606])
        if set(listed) - set(self.slabs):
            yield Violation(601, 0, TEXT[601])
        sizes = {o.at: o.size for o in self.objects()}
        for at, zone in self.zones.items():
            if not ALIGN_MIN <= zone < sizes.get(at, 0):
                yield Violation(607, at >> 12, TEXT[607])

    def _check_slab(self, class_: int, slab: Slab, listed: tuple[int, int] | None
                    ) -> Iterator[Violation]:
        slots = self.rules[class_]["slots"]
        if listed != (slab.page, slab.stage):
            yield Violation(601, slab.page, TEXT[601])
        if not slab.used or slab.used + len(slab.free) != slots \
                or any(slot >= slots for slot in slab.free):
            yield Violation(602, slab.page, TEXT[602])
        if slab.queued != (slab.stage == self.stage and slab.used < slots):
            yield Violation(603, slab.page, TEXT[603])
        if self._block(slab.page, slab.stage) != (4096, 0):
            yield Violation(605, slab.page, TEXT[605])


def phys_extents(lab: Value) -> Iterator[tuple[int, int, str, int]]:
    """Early memory: start, end, state, was it used."""
    count = int(lab["phys"]["count"])
    if count > 1 << 16:
        raise Unreadable("the extents of early memory are too many to be true")
    for i in range(count):
        extent = lab["phys"]["extents"][i]
        yield (int(extent["start"]), int(extent["end"]),
               extent["state"].enumerator().removeprefix("PHYS_").lower(), int(extent["used"]))
