# SPDX-License-Identifier: MIT
"""malloc's invariants, computed from outside: those of kernel/mm/heap_check.c, in its order."""
from __future__ import annotations

from collections.abc import Iterator

from pfnlab.decode_check import Violation
from pfnlab.decode_heap import Class, Entry, Heap, Slab
from pfnlab.decode_records import Lookup
from pfnlab.values import PAGE_SHIFT, PAGE_SIZE

TEXT = {
    600: "a page cannot be found in the table of addresses, or is neither slab nor block",
    601: "a slab is not in the table of addresses, or is none",
    602: "the slots of a slab are miscounted",
    603: "a slab waits that cannot serve, or does not",
    604: "the queue of slabs is not in order", 605: "a slab is no page of its backend",
    606: "a block is none of its backend", 607: "a red zone ends no object, or is not found",
    608: "the slab found last is none",
}


def _broken(number: int, page: int) -> Violation:
    return Violation(number, page, TEXT[number])


def check_heap(heap: Heap) -> Iterator[Violation]:
    """Invariants 600 to 608."""
    if heap.root is None:
        return
    for number, class_ in enumerate(heap.classes):
        yield from _class(heap, number, class_)
    for table in heap.tables:
        yield from _table(heap, table)
    listed = sum(entry.class_ != heap.large for table in heap.tables
                 for _, entry in heap.entries(table))
    if listed != sum(len(class_.slabs) for class_ in heap.classes):
        yield _broken(601, 0)
    if not _recent_is_one(heap):
        yield _broken(608, 0)
    yield from _zones(heap)


def _class(heap: Heap, number: int, class_: Class) -> Iterator[Violation]:
    for row, slab in class_.slabs.items():
        yield from _slab(heap, Entry(slab.stage, number, row), class_, slab)
    waiting = sum(slab.place is not None for slab in class_.slabs.values())
    if waiting != int(class_.at["waiting"]) or not waiting and class_.at["lowest"]:
        yield _broken(604, 0)


def _slab(heap: Heap, entry: Entry, class_: Class, slab: Slab) -> Iterator[Violation]:
    if slab.stage > heap.stage or heap.find(slab.page, heap.in_window(slab.stage)) != entry:
        yield _broken(601, slab.page)
        return
    if not slab.used or slab.used + len(slab.free) != class_.slots \
            or any(slot >= class_.slots for slot in slab.free):
        yield _broken(602, slab.page)
    if (slab.place is not None) != (slab.stage == heap.stage and slab.used < class_.slots):
        yield _broken(603, slab.page)
    if slab.place is not None and not _is_queued(class_, entry.row, slab, slab.place):
        yield _broken(604, slab.page)
    if heap.block(slab.page, slab.stage) != (PAGE_SIZE, 0):
        yield _broken(605, slab.page)


def _is_queued(class_: Class, row: int, slab: Slab, place: int) -> bool:
    """Is the slab at its place, behind one that is lower?"""
    def at(place: int) -> int:
        return class_.slabs[class_.rows.number(place)].queued
    if place >= int(class_.at["waiting"]) or at(place) != row:
        return False
    if place == 0:
        return int(class_.at["lowest"]) == slab.at and int(class_.at["lowest_row"]) == row
    parent = class_.slabs.get(at((place - 1) // 2))
    return parent is not None and parent.page < slab.page


def _table(heap: Heap, table: Lookup) -> Iterator[Violation]:
    yield from (_broken(600, page) for page in table.unfound)
    for page, entry in heap.entries(table):
        if entry.class_ > heap.large or entry.stage >= len(heap.stages):
            yield _broken(600, page)
        elif entry.class_ == heap.large and (entry.stage > heap.stage
                                             or heap.block(page, entry.stage) is None):
            yield _broken(606, page)


def _recent_is_one(heap: Heap) -> bool:
    assert heap.root is not None
    recent = heap.root["recent"]
    if not recent["slab"]:
        return True
    page, stage = int(recent["slab"]["page"]), int(recent["slab"]["stage"])
    number, row = int(recent["class"]), int(recent["row"])
    found = heap.find(page, True) or heap.find(page, False)
    slab = heap.classes[number].slabs.get(row) if number < len(heap.classes) else None
    return found == Entry(stage, number, row) and slab is not None \
        and slab.at == int(recent["slab"])


def _zones(heap: Heap) -> Iterator[Violation]:
    sizes = {one.at: one.size for one in heap.objects()}
    for number, table in enumerate(heap.zones):
        first = number << heap.zone_shift
        for key, (zone, _) in table.records.items():
            at = first + key * heap.align_min
            if not heap.zone_min <= zone < sizes.get(at, 0):
                yield _broken(607, at >> PAGE_SHIFT)
        for key in table.unfound:
            yield _broken(607, first + key * heap.align_min >> PAGE_SHIFT)
    if heap.zoned != sum(len(table.records) for table in heap.zones):
        yield _broken(607, 0)
