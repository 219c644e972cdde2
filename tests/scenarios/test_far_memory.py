# SPDX-License-Identifier: MIT
"""Memory above 4 GiB on a machine of 32 bits: managed as any other, touched where mapped."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from tests.scenarios.support import PAGE, free_pages, page

pytestmark = [pytest.mark.only("i386"), pytest.mark.options("memory=6G")]

FOUR_GIB = 1 << 32


def test_far_frames_are_handed_out_as_they_are(guest: Guest) -> None:
    assert free_pages(guest, "high") > 500_000
    block = guest.alloc_pages_area("high", 9)
    assert FOUR_GIB <= block < 1 << 36
    assert block.fields == {"zeroed": 0}
    assert guest.alloc_page(area="high", dontzero=1).fields == {}
    guest.free(block)
    assert guest.alloc_pages(18).fields == {"zeroed": 0}
    assert guest.alloc_page(area="low").fields == {}
    guest.check()


# With one area, so that blocks are kept apart by the machine's map only.
@pytest.mark.options("areas=all")
def test_no_block_can_be_mapped_in_part(guest: Guest) -> None:
    """A free gives all pages of a block their attributes back, and counts on that it can."""
    runs: list[list[int]] = []
    for row in guest.dump("pages"):
        first, end = int(row[0]), row[0] + row[1] * PAGE
        if row[2] != "unmanaged" and runs and runs[-1][1] == first:
            runs[-1][1] = end
        elif row[2] != "unmanaged":
            runs.append([first, end])
    assert any(end > FOUR_GIB for _, end in runs)
    for first, end in runs:
        assert end <= FOUR_GIB or first >= FOUR_GIB
        for at in (first, end - PAGE):
            if at < FOUR_GIB:
                assert guest.translate(at) == at
            else:
                with pytest.raises(errors.FaultAddress):
                    guest.translate(at)


def test_far_frames_are_reserved_and_given_back(guest: Guest) -> None:
    before = free_pages(guest, "high")
    block = guest.alloc_page(area="high")
    guest.free(block)
    guest.reserve(block, 3)
    assert free_pages(guest, "high") == before - 3
    assert page(guest, block + PAGE)[2] == "reserved"
    with pytest.raises(errors.MemReserved):
        guest.alloc_page(at=block)
    guest.unreserve(block, 3)
    assert free_pages(guest, "high") == before
    guest.check()


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_far_memory_is_not_touched(guest: Guest, width: int) -> None:
    block = guest.alloc_page(area="high")
    for call in (lambda: guest.peek(block, width=width), lambda: guest.poke(block, 1, width=width)):
        with pytest.raises(errors.CallUnsupported):
            call()


def test_patterns_in_far_memory_are_refused(guest: Guest) -> None:
    block = guest.alloc_page(area="high")
    with pytest.raises(errors.CallUnsupported):
        guest.fill(block)
    with pytest.raises(errors.CallUnsupported):
        guest.verify(block)


def test_far_addresses_without_memory_fault(guest: Guest) -> None:
    """As on any machine, and not at what the address would be in 32 bits."""
    low = guest.alloc_page(area="low")
    guest.poke(low, 0x5a5a)
    for address in (0x8_0000_0000, (1 << 40) + low, (1 << 63) + low):
        with pytest.raises(errors.FaultAddress) as caught:
            guest.peek(address)
        assert caught.value.at == address
        with pytest.raises(errors.FaultAddress) as caught:
            guest.poke(address, 1)
        assert caught.value.at == address
    assert guest.peek(low) == 0x5a5a


def test_near_memory_is_all_there(guest: Guest) -> None:
    """The last page below 4 GiB that there is, and its neighbours."""
    near = [row for row in guest.dump("phys") if row[2] == "handed" and row[0] < FOUR_GIB][-1]
    last = int(near[0] + near[1]) - PAGE
    guest.alloc_page(at=last)
    guest.fill(last)
    guest.verify(last)
    assert guest.alloc_page(at=last - PAGE) == last - PAGE


def test_frames_that_cannot_be_addressed_can_be_mapped(guest: Guest) -> None:
    at = guest.vmalloc(PAGE, area="high")
    frame = guest.translate(at)
    assert frame >= FOUR_GIB
    guest.poke(at, 0x1234)
    assert guest.peek(at) == 0x1234
    with pytest.raises(errors.CallUnsupported):
        guest.peek(frame)
    again = guest.vmap(frame, PAGE)
    assert guest.peek(again) == 0x1234
    guest.check()


@pytest.mark.parametrize("attributes", ["nx", "ro|nx"])
def test_what_lies_there_is_zeroed_and_guarded_at_its_address(guest: Guest, attributes: str
                                                              ) -> None:
    dirty = guest.vmalloc(3 * PAGE, area="high")
    frame = guest.translate(dirty)
    guest.fill(dirty, seed=3)
    guest.vfree(dirty)
    clean = guest.vmalloc(2 * PAGE + 8, area="high", redzone=1, attributes=attributes)
    assert guest.translate(clean) == frame and clean.fields == {}
    assert [guest.peek(clean + offset) for offset in range(0, 2 * PAGE + 8, 512)] == [0] * 17
    assert guest.translate(clean).fields["attributes"] == attributes
    end = guest.vmap(guest.translate(clean + 2 * PAGE), PAGE) + 8
    guest.poke(end, guest.peek(end, width=1) ^ 1, width=1)
    with pytest.raises(errors.MemOverrun) as caught:
        guest.vfree(clean)
    assert caught.value.at == clean + 2 * PAGE + 8
    assert guest.vfree(clean, force=1) == 3
    guest.check()


def test_objects_of_the_window_may_lie_there(guest: Guest) -> None:
    small, large = guest.malloc(40), guest.malloc(3 * PAGE)
    assert guest.translate(small) >= FOUR_GIB and guest.translate(large) >= FOUR_GIB
    for at, size in ((small, 40), (large, 3 * PAGE)):
        guest.poke(at, 0x1234)
        guest.poke(at + size - 8, 0x5678)
        moved = guest.realloc(at, 5 * size)
        assert moved != at and moved.fields == {}
        assert (guest.peek(moved), guest.peek(moved + size - 8)) == (0x1234, 0x5678)
        clean = guest.calloc(1, size)
        assert clean.fields == {}
        assert (guest.peek(clean), guest.peek(clean + size - 8)) == (0, 0)
    guest.check()


def test_malloc_gives_no_memory_that_cannot_be_addressed(guest: Guest) -> None:
    for stage in ("early", "page"):
        guest.reset(stage=stage)
        for size in (20, 3 * PAGE):
            at = guest.malloc(size, redzone=1)
            assert at < FOUR_GIB
            guest.poke(at, 0x55)
            assert guest.peek(guest.realloc(at, 20 * PAGE)) == 0x55
            assert guest.calloc(2, size).fields == {}
        with pytest.raises(errors.MemNone):       # there are more pages, above
            guest.malloc(FOUR_GIB)
        guest.check()
