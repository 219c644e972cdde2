# SPDX-License-Identifier: MIT
"""Maps of real and nasty machines, each in a guest of 64 MiB, and what the model says of the small
ones."""
from __future__ import annotations

import random

import pytest

from pfnlab import Guest
from pfnlab.memory_map import find_map, map_of, start_on_map, zoo
from pfnlab.replica import MOST_PAGES
from pfnlab.stream import Stream
from pfnlab.twin import Twin
from pfnlab.values import PAGE_SIZE

pytestmark = pytest.mark.options("memory=64M")


@pytest.mark.engine("tree")         # some maps ask much of records
@pytest.mark.parametrize("name", zoo())
def test_the_allocators_run_on_every_map_of_the_zoo(guest: Guest, name: str) -> None:
    found = start_on_map(guest, name)
    guest.check()
    areas = [str(row[0]) for row in guest.areas() if row.managed]
    assert areas
    for area in areas:
        block = guest.alloc_page(area=area)
        assert [row[1] for row in guest.history(block)] == ["alloc"]
    assert [row[1] for row in guest.leaks()] == [1] * len(areas)
    guest.check()
    if found.usable // PAGE_SIZE <= MOST_PAGES // 8:
        twin = Twin(guest, found.areas or map_of(guest).areas, found.ranges)
        stream = Stream(twin, random.Random(1))
        for _ in range(60):
            stream.step()
        twin.compare_state()


def test_what_straddles_a_limit_is_one_page_on_each_side(guest: Guest) -> None:
    for name, limit in (("straddle_16m", 1 << 24), ("straddle_2g", 1 << 31),
                        ("straddle_4g", 1 << 32)):
        start_on_map(guest, name)
        low, high = sorted(guest.areas(), key=lambda row: int(row.first))[:2]
        assert (low.managed, high.managed, int(high.first)) == (1, 1, limit)


def test_a_map_is_read_from_a_guest_and_put_in_force_on_another(guest: Guest) -> None:
    own = map_of(guest)
    free = [(row[0], row[1]) for row in guest.dump("pages") if row[2] == "free"]
    own.inject(guest)
    assert [(row[0], row[1]) for row in guest.dump("pages") if row[2] == "free"] == free
    assert map_of(guest).ranges == own.ranges


@pytest.mark.parametrize("name", zoo())
def test_a_map_says_what_it_is(name: str) -> None:
    assert find_map(name).text.endswith(".")
