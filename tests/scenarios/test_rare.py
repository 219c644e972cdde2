# SPDX-License-Identifier: MIT
"""Ways through the code that nothing else takes: found by `make coverage`."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from pfnlab import Guest, errors
from pfnlab.twin import Twin
from tests.scenarios.support import PAGE

GIB = 1 << 30
AREAS = [("low", 1 << 24), ("rest", 1 << 52)]


def test_a_block_that_began_in_the_chunk_before_is_found_from_any_of_its_pages(guest: Guest
                                                                               ) -> None:
    twin = Twin(guest, AREAS, [(GIB - (4 << 20), 16 << 20, "usable")])
    first, end = GIB - (3 << 20) + PAGE, GIB + (4 << 20) + 5 * PAGE
    pages = (end - first) // PAGE
    assert twin.do("alloc_pages_exact", pages, at=first) == first
    for page in (GIB - PAGE, GIB, GIB + (2 << 20), GIB + (4 << 20), end - PAGE):
        twin.do("free", page)                     # inside of the block
        row = guest.dump("pages", page, 1)[0]
        assert row.block == first
    twin.do("free", GIB + (4 << 20) + PAGE, 2)
    twin.compare_state()


def test_a_chunk_of_which_a_page_was_in_use_is_taken_whole(guest: Guest) -> None:
    twin = Twin(guest, AREAS, [(GIB, GIB, "usable")])
    for address in (GIB, GIB + (6 << 20)):
        twin.do("free", twin.do("alloc_page", at=address))
    for _ in range(2):
        block = twin.do("alloc_pages", 18)
        twin.compare_state()
        twin.do("free", block)
    twin.do("reserve", GIB, GIB // PAGE)
    twin.compare_state()


@pytest.mark.parametrize("order", [0, 3, 9, 12])
def test_all_is_whole_while_one_word_serves(guest: Guest, order: int) -> None:
    twin = Twin(guest, AREAS, [(GIB, 3 * GIB // 2, "usable")])
    blocks = []
    for _ in range(20):
        blocks.append(twin.do("alloc_pages", order))
        guest.check()
    for at in blocks[::2]:
        twin.do("free", at)
        guest.check()
    twin.compare_state()


def test_early_there_is_nothing_to_stress(guest: Guest) -> None:
    guest.reset(stage="early")
    for line in ("stress 10", "panic busy"):
        with pytest.raises(errors.CallState):
            guest.line(line)


def test_a_red_zone_is_listed(guest: Guest) -> None:
    at = guest.malloc(100, redzone=1)
    assert guest.dump("heap").find(at).redzone == 128 - 100


def test_protect_ends_where_addresses_do(guest: Guest) -> None:
    with pytest.raises(errors.CallRange):
        guest.protect((1 << 52) - PAGE, 2, "ro|nx")


@pytest.mark.only("native")
def test_a_map_that_needs_more_of_the_pool_than_there_is_tells_how_much(
        fresh_guest: Callable[..., Guest]) -> None:
    guest = fresh_guest("kpool=64K")
    guest.map_begin()
    guest.map_add(1 << 40, 64 << 40)
    with pytest.raises(errors.MemMetadata) as caught:
        guest.map_commit()
    assert caught.value.fields["needed"] > 64 << 10
    guest.check()


def test_check_sees_the_unit_that_serves_while_it_serves(guest: Guest) -> None:
    """2 MiB at once: the last word of units in which such a block was found."""
    first = guest.alloc_pages(9)
    assert guest.alloc_pages(9) == first + (2 << 20)
    guest.check()
    guest.free(first)
    guest.check()
    assert guest.alloc_pages(9) == first


def test_why_tells_of_the_first_ranges_that_are_in_the_way(guest: Guest) -> None:
    first = guest.vmalloc(PAGE, guard="both") - PAGE
    for _ in range(9):
        guest.vmalloc(PAGE, guard="both")
    with pytest.raises(errors.MemBusy):
        guest.vmalloc(256 * PAGE, at=first)
    rows = guest.why()
    assert [row[1] for row in rows] == ["lacks"] + 8 * ["vmalloc"]
    assert rows[0].blocks == 10


def test_a_red_zone_that_cannot_be_written_is_told_of(guest: Guest) -> None:
    at = guest.malloc(100, redzone=1)
    page = at // PAGE * PAGE
    guest.protect(page, 1, "ro")
    with pytest.raises(errors.FaultProtection) as caught:
        guest.realloc(at, 90)
    assert page <= caught.value.fields["at"] < page + PAGE
    assert guest.dump("heap").find(at).redzone == 28
    guest.free(at)
