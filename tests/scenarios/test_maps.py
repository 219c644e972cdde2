# SPDX-License-Identifier: MIT
"""Injected maps: any memory that a firmware could tell of, managed without being there."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from pfnlab.stream import Range
from pfnlab.twin import inject
from tests.scenarios.support import PAGE, free_pages

TOP = 1 << 52
AREAS = [("first", 0x180000), ("second", 0x40001000), ("third", 1 << 40), ("last", TOP)]


def managed(guest: Guest) -> dict[str, int]:
    """Pages by area."""
    return {str(row[0]): int(row.managed) for row in guest.dump("areas")}


def test_a_map_may_be_unsorted_and_overlap(guest: Guest) -> None:
    inject(guest, AREAS, [(0x300000, 0x2000, "usable"), (0x200000, 0x2000, "usable"),
                          (0x201000, 0x2000, "usable"), (0x200000, 0x1000, "usable")])
    assert [(row[0], row[1]) for row in guest.dump("pages") if row[2] == "free"] == [
        (0x200000, 3), (0x300000, 2)]
    guest.check()


@pytest.mark.only("native")
def test_a_map_has_room_for_1024_ranges(guest: Guest) -> None:
    guest.map_begin()
    line = guest.pipeline()
    added = [line.map_add(0x200000 + n * 0x2000, 0x1000) for n in range(1024)]
    assert not any(one.error() for one in added)
    with pytest.raises(errors.MemMetadata, match="no room for one more range"):
        guest.map_add(0x100000, 0x1000)
    guest.map_commit()
    assert sum(managed(guest).values()) == 1024
    guest.check()


def test_reserved_wins_where_both_cover_a_page(guest: Guest) -> None:
    ranges: list[Range] = [(0x201800, 0x1000, "reserved"), (0x200000, 0x8000, "usable")]
    inject(guest, AREAS, ranges)
    assert [(row[0], row[1]) for row in guest.dump("pages") if row[2] == "free"] == [
        (0x200000, 1), (0x203000, 5)]


def test_one_reserved_range_may_straddle_several_regions(guest: Guest) -> None:
    inject(guest, AREAS, [(0x200000, 0x4000, "usable"), (0x300000, 0x4000, "usable"),
                          (0x400000, 0x4000, "usable"), (0x202000, 0x200000, "reserved")])
    assert [(row[0], row[1]) for row in guest.dump("pages") if row[2] == "free"] == [
        (0x200000, 2), (0x402000, 2)]


def test_ranges_of_one_page_are_managed(guest: Guest) -> None:
    inject(guest, AREAS, [(0x200000 + 2 * i * PAGE, PAGE, "usable") for i in range(100)])
    assert managed(guest)["second"] == 100
    blocks = [guest.alloc_page() for _ in range(100)]
    assert len(set(blocks)) == 100
    with pytest.raises(errors.MemNone):
        guest.alloc_page()
    guest.check()


@pytest.mark.parametrize(("area", "limit"), AREAS[:-1])
@pytest.mark.parametrize("pages", [1, 2, 370])
def test_a_range_may_straddle_the_limit_of_each_area(guest: Guest, area: str, limit: int,
                                                     pages: int) -> None:
    names = [name for name, _ in AREAS]
    inject(guest, AREAS, [(limit - pages * PAGE, 2 * pages * PAGE, "usable")])
    after = names[names.index(area) + 1]
    assert managed(guest)[area] == managed(guest)[after] == pages
    with pytest.raises(errors.MemNone):
        guest.alloc_pages_exact(pages + 1)
    assert guest.alloc_pages_exact(pages, area=area) == limit - pages * PAGE
    assert guest.alloc_pages_exact(pages, area=after) == limit
    guest.check()


def test_an_area_may_have_several_ranges(guest: Guest) -> None:
    inject(guest, AREAS, [(0x200000, 0x4000, "usable"), (0x10000000, 0x4000, "usable")])
    blocks = sorted(int(guest.alloc_pages_area("second", 2)) for _ in range(2))
    assert blocks == [0x200000, 0x10000000]


def test_addresses_go_up_to_2_to_the_52(guest: Guest) -> None:
    inject(guest, AREAS, [(TOP - 4 * PAGE, 4 * PAGE, "usable")])
    assert guest.alloc_page() == TOP - 4 * PAGE
    assert guest.alloc_page(at=TOP - PAGE) == TOP - PAGE
    guest.check()


@pytest.mark.parametrize(("base", "size"), [(TOP - PAGE, 2 * PAGE), (TOP, PAGE),
                                            (2 ** 64 - PAGE, PAGE), (PAGE, 2 ** 64 - 1)])
def test_a_range_beyond_that_is_refused(guest: Guest, base: int, size: int) -> None:
    guest.map_begin()
    with pytest.raises(errors.CallRange):
        guest.map_add(base, size)


def test_holes_cost_nothing(guest: Guest) -> None:
    inject(guest, AREAS, [(1 << 20, PAGE, "usable"), (1 << 51, PAGE, "usable")])
    assert guest.info().fields["pool_used"] < 100
    assert len([row for row in guest.dump("pages") if row[2] == "free"]) == 2


@pytest.mark.engine("tree")         # another may have records for each page
def test_a_terabyte_is_managed(guest: Guest) -> None:
    inject(guest, AREAS, [(0x100000, 1 << 40, "usable")])
    assert sum(managed(guest).values()) == 1 << 28
    block = guest.alloc_pages(18)
    assert block % (1 << 30) == 0
    guest.check()


@pytest.mark.only("native")
@pytest.mark.engine("tree")
def test_64_terabytes_are_managed_natively(guest: Guest) -> None:
    inject(guest, AREAS, [(0x100000, 1 << 46, "usable")])
    assert sum(managed(guest).values()) == 1 << 34
    assert guest.alloc_pages(18) % (1 << 30) == 0


def test_a_map_whose_roots_do_not_fit_is_refused_with_what_it_needs(guest: Guest) -> None:
    guest.map_begin()
    guest.map_add(0x100000, (1 << 51) - 0x100000)
    before = free_pages(guest, "low")
    with pytest.raises(errors.MemMetadata) as caught:
        guest.map_commit()
    assert int(caught.value.fields["needed"]) > 1 << 20
    assert guest.info().fields["map"] == "machine"
    assert free_pages(guest, "low") == before


def test_frames_of_an_injected_map_say_that_they_are_not_zeroed(guest: Guest) -> None:
    inject(guest, AREAS, [(0x200000, 0x8000, "usable")])
    assert guest.alloc_page().fields == {"zeroed": 0}
    assert guest.alloc_page(dontzero=1).fields == {}


def test_memory_of_an_injected_map_cannot_be_touched(guest: Guest) -> None:
    inject(guest, AREAS, [(0x200000, 0x8000, "usable")])
    block = guest.alloc_page()
    for touch in (lambda: guest.peek(block), lambda: guest.poke(block, 1),
                  lambda: guest.fill(block)):
        with pytest.raises(errors.CallUnsupported):
            touch()


def test_an_empty_map_serves_nothing(guest: Guest) -> None:
    inject(guest, AREAS, [])
    with pytest.raises(errors.MemNone):
        guest.alloc_page()
    guest.check()


def test_page_0_of_an_injected_map_is_kept_out(guest: Guest) -> None:
    inject(guest, AREAS, [(0, 0x2000, "usable")])
    assert guest.alloc_page() == PAGE
    with pytest.raises(errors.MemNone):
        guest.alloc_page()


def test_the_machines_own_map_comes_back(guest: Guest) -> None:
    before = guest.dump("areas")
    inject(guest, AREAS, [(0x200000, 0x8000, "usable")])
    guest.map_machine()
    assert guest.dump("areas") == before
    assert guest.info().fields["map"] == "machine"


def test_a_reset_stays_on_the_map_in_force(guest: Guest) -> None:
    inject(guest, AREAS, [(0x200000, 0x8000, "usable")])
    guest.alloc_pages(3)
    guest.reset()
    assert managed(guest)["second"] == 8
    assert guest.alloc_pages(3) == 0x200000


@pytest.mark.parametrize(("name", "limit", "error"), [
    ("b", 0x100000, errors.CallRange), ("b", 0x1ffff8, errors.CallAlign),
    ("a", 0x300000, errors.CallTwice), ("any", 0x300000, errors.CallWord),
    ("b", TOP + PAGE, errors.CallRange)])
def test_an_area_table_that_cannot_be_is_refused(guest: Guest, name: str, limit: int,
                                                 error: type[errors.GuestError]) -> None:
    guest.map_begin()
    guest.map_area("a", 0x200000)
    with pytest.raises(error):
        guest.map_area(name, limit)


def test_a_map_is_added_to_only_after_it_was_begun(guest: Guest) -> None:
    inject(guest, AREAS, [(0x200000, 0x8000, "usable")])
    with pytest.raises(errors.CallState):
        guest.map_add(0x200000, PAGE)
