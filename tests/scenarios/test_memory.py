# SPDX-License-Identifier: MIT
"""Memory itself: zeroes, patterns, and what may not be touched."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from tests.scenarios.support import PAGE


def test_pages_are_zeroed_unless_asked_otherwise(guest: Guest) -> None:
    block = guest.alloc_pages(1)
    for offset in (0, PAGE - 8, PAGE, 2 * PAGE - 8):
        guest.poke(block + offset, 0xa5a5a5a5a5a5a5a5)
    guest.free(block)
    assert guest.alloc_pages(1, at=block, dontzero=1) == block
    assert guest.peek(block + PAGE) == 0xa5a5a5a5a5a5a5a5
    guest.free(block)
    assert guest.alloc_pages(1, at=block) == block
    assert [guest.peek(block + offset) for offset in (0, PAGE - 8, PAGE, 2 * PAGE - 8)] == [0] * 4


def test_the_pages_behind_a_zeroed_block_are_not_written(guest: Guest) -> None:
    block = guest.alloc_pages(1)
    guest.poke(block + PAGE, 0x77)
    guest.free(block, 1)
    guest.alloc_page(at=block)
    assert guest.peek(block + PAGE) == 0x77


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_memory_is_written_and_read_in_each_width(guest: Guest, width: int) -> None:
    block = guest.alloc_page()
    value = int.from_bytes(bytes(range(0x11, 0x11 * (width + 1), 0x11)), "big")
    guest.poke(block + 8, value, width=width)
    assert guest.peek(block + 8, width=width) == value
    assert guest.peek(block) == 0
    assert guest.peek(block + 16) == 0


def test_a_value_wider_than_the_access_is_refused(guest: Guest) -> None:
    block = guest.alloc_page()
    with pytest.raises(errors.CallRange):
        guest.poke(block, 0x100, width=1)


def test_an_access_that_is_not_aligned_is_refused(guest: Guest) -> None:
    with pytest.raises(errors.CallAlign):
        guest.peek(guest.alloc_page() + 1)


@pytest.mark.parametrize("width", [0, 3, 16])
def test_a_width_that_no_access_has_is_refused(guest: Guest, width: int) -> None:
    with pytest.raises(errors.CallRange):
        guest.peek(guest.alloc_page(), width=width)


def test_reading_what_is_not_there_is_an_error_with_its_address(guest: Guest) -> None:
    with pytest.raises(errors.FaultError) as caught:
        guest.peek(0x8000000000000000 - 8)
    assert caught.value.at is not None
    assert guest.alloc_page() != 0


def test_the_kernel_is_not_written(guest: Guest) -> None:
    reserved = next(row for row in guest.dump("phys") if row[2] == "reserved" and row[0] >= 1 << 20)
    with pytest.raises(errors.FaultProtection) as caught:
        guest.poke(int(reserved[0]), 1)
    assert caught.value.at == reserved[0]


def test_a_pattern_is_verified(guest: Guest) -> None:
    block = guest.alloc_pages(2)
    guest.fill(block, seed=5)
    guest.verify(block, seed=5)
    with pytest.raises(errors.FaultPattern) as caught:
        guest.verify(block, seed=6)
    assert caught.value.at == block
    guest.poke(block + PAGE + 64, 0)
    with pytest.raises(errors.FaultPattern) as second:
        guest.verify(block, seed=5)
    assert second.value.at == block + PAGE + 64


def test_pages_of_a_pattern_are_distinct(guest: Guest) -> None:
    block = guest.alloc_pages(1)
    guest.fill(block)
    assert guest.peek(block) != guest.peek(block + PAGE)


def test_a_fill_of_what_is_not_ours_is_refused(guest: Guest) -> None:
    text = next(row for row in guest.truth() if row.values[0] == "text")
    with pytest.raises(errors.FaultProtection):
        guest.fill(text.first, 1)
    with pytest.raises(errors.FaultAddress):
        guest.fill(0, 1)
    free = guest.alloc_page()
    guest.free(free)
    with pytest.raises(errors.MemFree):
        guest.fill(free)


def test_a_free_page_is_never_written_by_the_allocator(guest: Guest) -> None:
    block = guest.alloc_pages(4)
    guest.fill(block, seed=9)
    guest.free(block)
    for order in (0, 1, 2, 0):
        guest.free(guest.alloc_pages(order, at=block + (order << 14), dontzero=1))
    guest.reserve(block, 16)
    guest.unreserve(block, 16)
    guest.verify(block, 16, seed=9)
