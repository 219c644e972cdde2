# SPDX-License-Identifier: MIT
"""Areas: pages are found where they were asked for, and nowhere else."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from tests.scenarios.support import PAGE, PC_AREAS, free_pages, page

LIMITS = {"realmode": 1 << 20, "lowest": 1 << 24, "low": 1 << 32}


@pytest.mark.options(PC_AREAS)
@pytest.mark.parametrize("area", LIMITS)
def test_a_block_lies_wholly_in_the_area_asked_for(guest: Guest, area: str) -> None:
    block = guest.alloc_pages_area(area, 2)
    row = guest.areas().find(area)
    assert row.first <= block and block + 4 * PAGE <= row.limit <= LIMITS[area]


@pytest.mark.options(PC_AREAS)
def test_a_set_of_areas_is_tried_highest_first(guest: Guest) -> None:
    assert page(guest, guest.alloc_pages_area("realmode|lowest", 0)).area == "lowest"
    assert page(guest, guest.alloc_pages_area("lowest|low|realmode", 0)).area == "low"


@pytest.mark.options(PC_AREAS)
def test_without_an_area_the_highest_memory_is_taken_so_that_low_memory_stays_free(
        guest: Guest) -> None:
    before = free_pages(guest, "lowest"), free_pages(guest, "realmode")
    for _ in range(10):
        guest.alloc_pages(3)
    assert (free_pages(guest, "lowest"), free_pages(guest, "realmode")) == before


@pytest.mark.options(PC_AREAS)
def test_a_request_fails_only_after_every_area_of_its_set_was_tried(guest: Guest) -> None:
    pages = []
    with pytest.raises(errors.MemNone):
        while True:
            pages.append(guest.alloc_pages_area("realmode|lowest", 3))
    assert {str(page(guest, p).area) for p in pages} == {"realmode", "lowest"}
    assert max(int(p) for p in pages) < 1 << 24


@pytest.mark.options(PC_AREAS)
def test_the_scan_order_can_be_set_and_a_reset_undoes_it(guest: Guest) -> None:
    guest.scan_order("lowest|realmode")
    assert guest.areas().column(0)[:2] == ["lowest", "realmode"]
    assert page(guest, guest.alloc_page()).area == "lowest"
    guest.reset()
    assert guest.areas().column(0)[-1] == "realmode"


def test_any_is_every_area(guest: Guest) -> None:
    assert guest.alloc_pages_area("any", 0) < 1 << 52


@pytest.mark.parametrize(("alias", "limit"), [("dma24", 1 << 24), ("dma31", 1 << 31),
                                              ("dma32", 1 << 32)])
def test_an_alias_is_a_promise_about_addresses(guest: Guest, alias: str, limit: int) -> None:
    block = guest.alloc_pages_area(alias, 1)
    assert block + 2 * PAGE <= limit


def test_areas_come_from_the_command_line(fresh_guest) -> None:  # type: ignore[no-untyped-def]
    guest = fresh_guest("append=areas=dma:16M,odd:20484K,high")
    rows = guest.areas()
    assert rows.column(0) == ["high", "odd", "dma"]
    assert rows.find("odd").limit == 20484 << 10
    assert guest.alloc_pages_area("dma", 4) < 16 << 20


@pytest.mark.options(PC_AREAS)
def test_page_0_is_never_handed_out(guest: Guest) -> None:
    with pytest.raises(errors.MemUnmanaged) as caught:
        guest.alloc_page(at=0)
    assert caught.value.at == 0
    pages = []
    with pytest.raises(errors.MemNone):
        while True:
            pages.append(int(guest.alloc_pages_area("realmode", 0)))
    assert min(pages) >= PAGE


def test_a_block_is_aligned_to_its_size(guest: Guest) -> None:
    for order in range(10):
        assert guest.alloc_pages(order) % (PAGE << order) == 0


def test_alignment_larger_than_the_size_costs_nothing_but_the_block(guest: Guest) -> None:
    before = free_pages(guest, "low")
    block = guest.memalign_pages_area("low", 1 << 20, 1)
    assert block % (1 << 20) == 0
    assert free_pages(guest, "low") == before - 1
    assert guest.free(block) == 1


def test_a_smaller_free_block_that_is_aligned_enough_is_taken_first(guest: Guest) -> None:
    hole = guest.alloc_pages(4)
    wall = guest.alloc_page(at=hole + (16 << 12)) if page(
        guest, hole + (16 << 12)).values[2] == "free" else None
    assert guest.free(hole) == 16
    whole = [row for row in guest.dump("free") if row.order >= 9]
    guest.alloc_page(align=8 * PAGE)
    assert [row for row in guest.dump("free") if row.order >= 9] == whole
    assert wall is None or guest.free(wall) == 1


@pytest.mark.parametrize("pages", [1, 3, 5, 513, 1000])
def test_any_number_of_pages_costs_just_these(guest: Guest, pages: int) -> None:
    before = free_pages(guest, "low")
    block = guest.alloc_pages_exact(pages, area="low")
    assert free_pages(guest, "low") == before - pages
    assert guest.free(block) == pages
    assert free_pages(guest, "low") == before


def test_a_window_is_kept(guest: Guest) -> None:
    low, high = 0x300000, 0x308000
    blocks = [guest.alloc_pages(1, min=low, max=high) for _ in range(4)]
    assert sorted(blocks) == [low + i * 2 * PAGE for i in range(4)]
    with pytest.raises(errors.MemNone):
        guest.alloc_page(min=low, max=high)


def test_an_exact_address_is_given_or_the_first_page_in_the_way_is_named(guest: Guest) -> None:
    at = guest.alloc_pages(3)
    guest.free(at)
    assert guest.alloc_page(at=at + 2 * PAGE) == at + 2 * PAGE
    with pytest.raises(errors.MemBusy) as caught:
        guest.alloc_pages(2, at=at)
    assert caught.value.at == at + 2 * PAGE
    guest.reserve(at + 4 * PAGE, 1)
    with pytest.raises(errors.MemReserved) as reserved:
        guest.alloc_pages(2, at=at + 4 * PAGE)
    assert reserved.value.at == at + 4 * PAGE


@pytest.mark.options(PC_AREAS)
def test_an_exact_address_that_breaks_another_wish_is_refused(guest: Guest) -> None:
    at = guest.alloc_pages(3)
    guest.free(at)
    for keys in ({"max": at}, {"fresh": 1}):
        with pytest.raises(errors.MemNone):
            guest.alloc_page(at=at, **keys)
    with pytest.raises(errors.MemUnaligned):
        guest.alloc_page(at=at, align=1 << 30)
    with pytest.raises(errors.MemNone):
        guest.alloc_pages_area("realmode", 0, at=at)


@pytest.mark.options(PC_AREAS)
def test_a_block_never_crosses_the_limit_of_an_area(guest: Guest) -> None:
    edge = LIMITS["lowest"]
    with pytest.raises(errors.MemNone) as caught:
        guest.alloc_pages_exact(4, at=edge - 2 * PAGE)
    assert caught.value.at == edge
    assert guest.alloc_pages_exact(2, at=edge - 2 * PAGE) == edge - 2 * PAGE


def test_two_free_buddies_are_one_free_block_in_any_order_of_frees(guest: Guest) -> None:
    before = guest.dump("areas").find("low").fields
    pages = [guest.alloc_page(area="low") for _ in range(64)]
    for block in pages[::2] + pages[::-2]:
        guest.free(block)
    assert guest.dump("areas").find("low").fields == before


def test_a_part_of_a_block_is_given_back_and_the_rest_stays_allocated(guest: Guest) -> None:
    block = guest.alloc_pages(4)
    assert guest.free(block + 4 * PAGE, 3) == 3
    assert [row.values[1:] for row in guest.dump("pages", block, 16)] == [
        (4, "allocated"), (3, "free"), (9, "allocated")]
    owners = {row.owner for row in guest.dump("pages", block, 16) if row[2] == "allocated"}
    assert len(owners) == 1
    assert guest.free(block) == 4
    assert guest.free(block + 7 * PAGE) == 9


def test_more_than_is_left_of_a_block_is_not_freed(guest: Guest) -> None:
    block = guest.alloc_pages(2)
    with pytest.raises(errors.MemBeyond) as caught:
        guest.free(block + PAGE, 4)
    assert caught.value.at == block + 4 * PAGE
    assert guest.free(block) == 4


def test_the_owner_of_a_block_is_the_tag_of_its_request(guest: Guest) -> None:
    tag = guest.link.next_tag
    assert page(guest, guest.alloc_page()).owner == tag


def test_events_tell_of_each_allocation_when_asked(guest: Guest) -> None:
    guest.trace(1)
    tag = guest.link.next_tag
    block = guest.alloc_pages(2)
    guest.free(block)
    guest.trace(0)
    told = [(e[0], e.addr, e.pages, e.tag) for e in guest.events[-2:]]
    assert told == [("alloc", block, 4, tag), ("free", block, 4, tag)]


@pytest.mark.only("native", "x86_64", "s390x")
@pytest.mark.engine("tree")         # whose records fit into the pool
@pytest.mark.options(f"memory=6G&{PC_AREAS}")
def test_memory_above_4_gib_is_the_area_high(guest: Guest) -> None:
    assert free_pages(guest, "high") > 500_000
    block = guest.alloc_pages_area("high", 9)
    assert 1 << 32 <= block < 1 << 36
    guest.poke(block, 0x1234)
    assert guest.peek(block) == 0x1234
