# SPDX-License-Identifier: MIT
"""S05, S17, S22 and S25 at the addresses that their tests have, where a machine has such: one
transcript runs on all machines, and so has addresses of 32 bits. And red zones that far up."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from tests.scenarios.support import PAGE, counts

GIB = 1 << 30
GUEST_PAGES = 1000                     # of memory of a guest of SIE
CHAIN = 0xfffffa000                    # where the test of reverse mappings maps its page
wide = pytest.mark.only("native", "x86_64", "s390x")


@wide
@pytest.mark.options("virt=0x100001000:0x2fffff000")
def test_S05_two_guests_of_sie_lie_4_gib_apart_beyond_the_end_of_memory(guest: Guest) -> None:
    end = max(row[0] + row[1] for row in guest.dump("phys") if row[2] != "reserved")
    free = counts(guest)["free"]
    memory = [guest.alloc_pages_exact(GUEST_PAGES) for _ in range(2)]
    first = guest.vmap(memory[0], GUEST_PAGES * PAGE, align=2 * GIB)
    second = guest.vmap(memory[1], GUEST_PAGES * PAGE, at=first + 4 * GIB)
    assert first % (2 * GIB) == second % (2 * GIB) == 0 and first >= end
    for number, at in enumerate((first, second)):
        guest.poke(at + (GUEST_PAGES - 1) * PAGE, 0x500 + number)
        assert guest.peek(memory[number] + (GUEST_PAGES - 1) * PAGE) == 0x500 + number
    guest.check()
    guest.vunmap(first)
    assert guest.peek(second + (GUEST_PAGES - 1) * PAGE) == 0x501
    with pytest.raises(errors.FaultAddress):
        guest.peek(first)
    guest.vunmap(second)
    for at in memory:
        guest.free(at)
    assert counts(guest)["free"] == free
    guest.check()


@wide
@pytest.mark.options("memory=2560M")
def test_S17_a_gib_of_the_page_allocator_is_mapped_in_one_piece(guest: Guest) -> None:
    block = guest.alloc_pages(18, dontzero=1)
    at = guest.vmap(block, GIB)
    assert block % GIB == at % GIB == 0
    for offset in (0, GIB // 2, GIB - 8):
        guest.poke(block + offset, offset | 7)
        assert guest.peek(at + offset) == offset | 7
    guest.vunmap(at)
    assert guest.free(block) == GIB // PAGE
    guest.check()


@wide
@pytest.mark.options("virt=0xf00000000:8G")
def test_S22_one_page_is_mapped_again_and_again_from_a_fixed_address_on(guest: Guest) -> None:
    page = guest.alloc_page()
    chain = [guest.vmap(page, PAGE, at=CHAIN + i * PAGE) for i in range(200)]
    for i in (0, 199, 77):
        guest.poke(chain[i] + 8 * i, 0x2200 + i)
        assert {guest.peek(at + 8 * i) for at in (page, *chain)} == {0x2200 + i}
    with pytest.raises(errors.MemBusy) as caught:
        guest.vmap(page, 201 * PAGE, at=CHAIN - 200 * PAGE)
    assert caught.value.at == CHAIN
    for at in chain[1::2] + chain[::2]:
        guest.vunmap(at)
    assert list(guest.dump("virt")) == []
    guest.check()


def top_of_addresses(guest: Guest, top: int) -> None:
    """A page of an area at the highest address there is; the first one behind it is none."""
    frame = guest.alloc_page(area="normal")
    at = guest.vmap(frame, PAGE, at=top - PAGE)
    assert at == top - PAGE and guest.translate(at) == frame
    guest.poke(at + PAGE - 8, 0x25)
    assert guest.peek(frame + PAGE - 8) == 0x25
    for beyond in (top, top | 1 << 63, at | 1 << 62):
        for access in (guest.peek, guest.translate):
            with pytest.raises(errors.FaultAddress) as caught:
                access(beyond)
            assert caught.value.at == beyond
        with pytest.raises(errors.MemUnmanaged):
            guest.vmalloc(PAGE, at=beyond)
    guest.vunmap(at)
    guest.free(frame)
    guest.check()


@pytest.mark.only("native", "x86_64")
@pytest.mark.options("areas=low:16M,normal&virt=0x7fffc0000000:1G")
def test_S25_a_page_lies_at_the_top_of_47_bits(guest: Guest) -> None:
    top_of_addresses(guest, 1 << 47)


@pytest.mark.only("native", "x86_64")
@pytest.mark.options("virt=0x100000000000:1T")
def test_red_zones_are_told_apart_16_tib_away(guest: Guest) -> None:
    guest.reset(stage="page")
    near = guest.malloc(20, redzone=1)
    guest.advance()
    guest.alloc_vpages(near // PAGE)
    far = guest.malloc(24, redzone=1)
    assert far == near + (16 << 40)
    rows = {row[0]: row.fields["redzone"] for row in guest.dump("heap")}
    assert rows == {near: 28, far: 24}
    guest.poke(far + 24, 1, width=1)
    guest.free(near)
    with pytest.raises(errors.MemOverrun) as caught:
        guest.free(far)
    assert caught.value.at == far + 24
    guest.free(far, force=1)
    assert list(guest.dump("heap")) == []
    guest.check()


@pytest.mark.only("s390x")
@pytest.mark.options("areas=low:16M,normal&virt=0x3ffc0000000:1G")
def test_S25_a_page_lies_at_the_top_of_a_region_third_table(guest: Guest) -> None:
    top_of_addresses(guest, 1 << 42)
