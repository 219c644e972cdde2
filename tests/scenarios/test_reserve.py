# SPDX-License-Identifier: MIT
"""Reserving pages by address, and fresh pages."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from tests.scenarios.support import PAGE, PC_AREAS, free_pages, page

BASE = 0x400000


def test_reserved_pages_are_not_handed_out(guest: Guest) -> None:
    guest.reserve(BASE, 8)
    assert page(guest, BASE + 7 * PAGE)[2] == "reserved"
    with pytest.raises(errors.MemNone):
        guest.alloc_page(min=BASE, max=BASE + 8 * PAGE)


@pytest.mark.options(PC_AREAS)
def test_reserve_is_all_or_nothing_and_names_the_page_in_the_way(guest: Guest) -> None:
    guest.alloc_page(at=BASE + 5 * PAGE)
    before = free_pages(guest, "lowest")
    with pytest.raises(errors.MemBusy) as caught:
        guest.reserve(BASE, 8)
    assert caught.value.at == BASE + 5 * PAGE
    assert free_pages(guest, "lowest") == before
    assert guest.alloc_page(at=BASE) == BASE


def test_reserve_over_a_reserved_page_names_it(guest: Guest) -> None:
    guest.reserve(BASE + 2 * PAGE, 1)
    with pytest.raises(errors.MemReserved) as caught:
        guest.reserve(BASE, 4)
    assert caught.value.at == BASE + 2 * PAGE


@pytest.mark.options(PC_AREAS)
def test_reserve_crosses_blocks_leaves_and_areas(guest: Guest) -> None:
    edge = 1 << 24
    guest.reserve(edge - 700 * PAGE, 1400)
    assert page(guest, edge - PAGE).area == "lowest"
    assert page(guest, edge)[2] == "reserved"
    guest.unreserve(edge - 700 * PAGE, 1400)
    guest.check()


def test_a_page_that_was_freed_can_be_reserved(guest: Guest) -> None:
    block = guest.alloc_pages(3)
    guest.free(block)
    assert guest.reserve(block, 8) == block
    guest.check()


def test_any_part_of_what_is_reserved_is_given_back(guest: Guest) -> None:
    guest.reserve(BASE, 16)
    guest.unreserve(BASE + 3 * PAGE, 5)
    assert guest.alloc_page(at=BASE + 3 * PAGE) == BASE + 3 * PAGE
    with pytest.raises(errors.MemBusy) as caught:
        guest.unreserve(BASE + 2 * PAGE, 2)
    assert caught.value.at == BASE + 3 * PAGE
    with pytest.raises(errors.MemFree) as free:
        guest.unreserve(BASE + 4 * PAGE, 1)
    assert free.value.at == BASE + 4 * PAGE


@pytest.mark.options(PC_AREAS)
def test_unreserve_leaves_what_was_there_before(guest: Guest) -> None:
    before = guest.dump("areas").find("lowest").fields
    guest.reserve(BASE + PAGE, 777)
    guest.unreserve(BASE + PAGE, 777)
    assert guest.dump("areas").find("lowest").fields == before


def test_zero_pages_are_not_reserved(guest: Guest) -> None:
    with pytest.raises(errors.CallRange):
        guest.reserve(BASE, 0)


def test_what_nobody_manages_is_not_reserved(guest: Guest) -> None:
    with pytest.raises(errors.MemUnmanaged) as caught:
        guest.reserve(0xa0000, 1)
    assert caught.value.at == 0xa0000


def test_freeing_a_reserved_page_is_refused(guest: Guest) -> None:
    guest.reserve(BASE, 1)
    with pytest.raises(errors.MemReserved):
        guest.free(BASE)


# ---- fresh ----

def test_fresh_pages_were_never_handed_out(guest: Guest) -> None:
    block = guest.alloc_pages(3)
    guest.free(block)
    assert page(guest, block).fresh == 0
    found = guest.alloc_pages(3, fresh=1)
    assert not block <= found < block + 8 * PAGE


def test_fresh_is_exact_for_each_page(guest: Guest) -> None:
    guest.free(guest.alloc_page(at=BASE + 3 * PAGE))
    with pytest.raises(errors.MemNone):
        guest.alloc_pages(2, fresh=1, at=BASE)
    assert guest.alloc_page(fresh=1, at=BASE + 2 * PAGE) == BASE + 2 * PAGE
    assert guest.alloc_pages(2, fresh=1, at=BASE + 4 * PAGE) == BASE + 4 * PAGE


def test_a_fresh_block_has_its_whole_size_and_alignment(guest: Guest) -> None:
    guest.free(guest.alloc_page(at=BASE + PAGE))
    block = guest.alloc_pages(4, fresh=1, min=BASE, max=BASE + (64 << 12))
    assert block % (16 * PAGE) == 0
    rows = guest.dump("pages", block, 16)
    assert [(row[1], row[2]) for row in rows] == [(16, "allocated")]


def test_reserving_does_not_use_a_page_up(guest: Guest) -> None:
    guest.reserve(BASE, 4)
    guest.unreserve(BASE, 4)
    assert guest.alloc_pages(2, fresh=1, at=BASE) == BASE


def test_a_reset_makes_everything_fresh(guest: Guest) -> None:
    guest.free(guest.alloc_page(at=BASE))
    guest.reset()
    assert page(guest, BASE).fresh == 1
