# SPDX-License-Identifier: MIT
"""Questions about a random state, answered by the guest and by brute force over the model."""
from __future__ import annotations

import random

import pytest

from pfnlab import Guest, errors
from pfnlab.model import ALLOCATED, FREE, Pages
from pfnlab.stream import Stream
from pfnlab.twin import Twin
from pfnlab.values import MAX_ORDER, PAGE_SIZE

AREAS = [("odd", 0x301000), ("rest", 1 << 52)]
RANGES = [(0x200000, 0x280000, "usable"), (0x600000, 0x900000, "usable")]


def largest(pages: Pages, area: int) -> int:
    """The largest order of an aligned run of free pages of an area; -1 if there is none."""
    found = -1
    for run in (run for run in pages.runs if run.area == area):
        for order in range(found + 1, MAX_ORDER + 1):
            size = 1 << order
            first = -(-run.first // size) * size
            if any(run.state[at - run.first:at - run.first + size] == bytes(size)
                   for at in range(first, run.end - size + 1, size)):
                found = order
    return found


def best_slot(pages: Pages, area: int, order: int) -> tuple[int, int] | None:
    """The aligned slot with the fewest pages that are not free, then the lowest: (missing, frame).
    """
    size = 1 << order
    slots = []
    for run in (run for run in pages.runs if run.area == area):
        for at in range(-(-run.first // size) * size, run.end - size + 1, size):
            part = run.state[at - run.first:at - run.first + size]
            slots.append((size - part.count(FREE), at))
    return min(slots, default=None)


@pytest.mark.parametrize("seed", range(6))
def test_why_names_the_slot_that_lacks_least(guest: Guest, seed: int) -> None:
    rng = random.Random(seed)
    twin = Twin(guest, AREAS, [*RANGES])
    stream = Stream(twin, rng)
    for _ in range(12):
        for _ in range(rng.randrange(5, 60)):
            stream.step()
        twin.collect()
        pages = twin.oracle.pages
        assert pages is not None
        for area, (name, _) in enumerate(AREAS):
            assert told_largest(guest, name) == largest(pages, area)
            order = max(0, largest(pages, area)) + rng.randrange(1, 4)
            with pytest.raises(errors.MemNone):
                guest.alloc_pages_area(name, order)
            compare(guest, pages, area, name, order)


def told_largest(guest: Guest, name: str) -> int:
    """As the guest says; -1 if nothing is free."""
    try:
        return guest.largest_order(name)
    except errors.MemNone:
        return -1


def compare(guest: Guest, pages: Pages, area: int, name: str, order: int) -> None:
    """What the guest says of the refusal."""
    rows = guest.why()
    row = rows[0]
    assert (row[0], row[1], rows.fields["order"]) == (name, "lacks", order)
    assert row.free == sum(run.state.count(FREE) for run in pages.runs if run.area == area)
    assert row.fields.get("largest", -1) == largest(pages, area)
    best = best_slot(pages, area, order)
    assert (row.fields.get("missing"), row.fields.get("slot")) == (
        (best[0], best[1] * PAGE_SIZE) if best else (None, None))
    for blocker in rows[1:]:
        frame = int(blocker.at) // PAGE_SIZE
        if blocker[1] == "allocated":
            assert pages.state(frame) == ALLOCATED
            assert (pages.blocks[frame], pages.owners[frame]) == (blocker.pages, blocker.owner)


def test_leaks_are_the_blocks_of_the_model(guest: Guest) -> None:
    rng = random.Random(5)
    twin = Twin(guest, AREAS, [*RANGES])
    stream = Stream(twin, rng)
    for _ in range(300):
        stream.step()
    twin.collect()
    rows = guest.leaks()
    told = [(int(row.values[0]), row.values[1], row.owner) for row in rows]
    assert told == twin.oracle.allocated()
    assert rows.fields["pages"] == sum(pages for _, pages, _ in told)
