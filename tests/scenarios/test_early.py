# SPDX-License-Identifier: MIT
"""Early memory: bytes, before there are pages and from their scraps."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from pfnlab.twin import inject
from tests.scenarios.support import PAGE, page

AREAS = [("all", 1 << 52)]
MAP = [(0x100010, 0x2000, "usable"), (0x400000, 0x100000, "usable")]


@pytest.fixture
def early(guest: Guest) -> Guest:
    """A guest on a small injected map that has not handed over yet."""
    inject(guest, AREAS, MAP, "early")
    return guest


def test_memory_comes_from_the_top_unless_asked_otherwise(early: Guest) -> None:
    assert early.phys_alloc(100) == 0x500000 - 128
    assert early.phys_alloc(100, from_="low") == 0x100020


def test_every_address_is_aligned_to_32_bytes_at_least(early: Guest) -> None:
    assert early.phys_alloc(1) % 32 == 0
    assert early.phys_alloc(1, align=8) % 32 == 0


def test_the_minimum_alignment_can_be_set_and_holds_for_all(early: Guest) -> None:
    early.phys_set_minimum_alignment(4096)
    assert early.phys_alloc(1) % 4096 == 0
    assert early.info().fields["minimum_alignment"] == 4096


def test_an_alignment_asked_for_is_kept(early: Guest) -> None:
    assert early.phys_alloc(3, align=0x10000) == 0x4f0000


def test_a_window_is_kept(early: Guest) -> None:
    assert early.phys_alloc(64, max=0x480000) == 0x480000 - 64
    assert early.phys_alloc(64, min=0x480000, from_="low") == 0x480000
    with pytest.raises(errors.MemNone):
        early.phys_alloc(64, min=0x500000)


def test_a_region_can_be_used_to_the_last_byte(early: Guest) -> None:
    assert early.phys_alloc(0x100000) == 0x400000
    assert early.phys_alloc(0x1ff0, from_="low") == 0x100020
    with pytest.raises(errors.MemNone):
        early.phys_alloc(33)


def test_what_alignment_leaves_too_small_is_passed_over(early: Guest) -> None:
    assert early.phys_alloc(0x1ff8, from_="low") == 0x400000


def test_early_memory_can_be_freed_and_used_again(early: Guest) -> None:
    block = early.phys_alloc(5000)
    assert early.phys_free(block) == 5000
    assert early.phys_alloc(5000) == block


@pytest.mark.parametrize(("offset", "error"), [
    (32, errors.MemInside), (-0x80000, errors.MemFree), (0x100000, errors.MemUnmanaged)])
def test_a_wrong_address_is_a_distinct_error(early: Guest, offset: int,
                                             error: type[errors.GuestError]) -> None:
    block = early.phys_alloc(5000)
    with pytest.raises(error) as caught:
        early.phys_free(block + offset)
    assert caught.value.at == block + offset


def test_freeing_twice_is_an_error(early: Guest) -> None:
    block = early.phys_alloc(64)
    early.phys_free(block)
    with pytest.raises(errors.MemFree):
        early.phys_free(block)


@pytest.mark.parametrize("size", [2 ** 64 - 3, 2 ** 64 - 1, 2 ** 63, 2 ** 32, 2 ** 32 - 1])
def test_a_size_whose_sum_would_wrap_is_refused(early: Guest, size: int) -> None:
    with pytest.raises(errors.MemNone):
        early.phys_alloc(size, align=1 << 30)


def test_before_the_hand_over_there_are_no_pages(early: Guest) -> None:
    with pytest.raises(errors.CallState):
        early.alloc_page()


def test_the_hand_over_gives_every_whole_page_that_is_left(early: Guest) -> None:
    early.phys_alloc(10)
    early.phys_hand_over()
    assert [(row[0], row[1]) for row in early.dump("pages") if row[2] == "free"] == [
        (0x101000, 1), (0x400000, 255)]
    early.check()


def test_pages_that_early_memory_used_are_not_fresh(early: Guest) -> None:
    early.phys_free(early.phys_alloc(10))
    early.phys_hand_over()
    assert page(early, 0x4ff000).fresh == 0
    assert page(early, 0x4fe000).fresh == 1


def test_scraps_of_pages_serve_after_the_hand_over(early: Guest) -> None:
    early.phys_hand_over()
    assert PAGE > 100 and 0x100010 <= early.phys_alloc(100) < 0x102010


def test_a_second_hand_over_is_refused(early: Guest) -> None:
    early.phys_hand_over()
    with pytest.raises(errors.CallState):
        early.phys_hand_over()


def test_every_range_is_reported(early: Guest) -> None:
    early.phys_alloc(4096)
    assert [(row[0], row[1], row[2]) for row in early.dump("phys")] == [
        (0x100010, 0x2000, "free"), (0x400000, 0xff000, "free"), (0x4ff000, 4096, "early")]
