# SPDX-License-Identifier: MIT
"""Memory to its last page: what is refused then, what still works, and that all of it comes back.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pfnlab import Guest, errors
from pfnlab.twin import Twin
from pfnlab.values import MAX_ORDER
from tests.scenarios.support import PAGE, counts, free_pages, state

GIB = 1 << 30
# Areas with odd edges, small enough to be filled by single pages, large enough for every order.
AREAS = [("small", 0x24b000), ("middle", 0x1000000), ("large", 1 << 52)]
RANGES = [(0x3000, 0x8d000, "usable"), (0x100000, 0x14b000, "usable"),
          (0x24b000, 0x2b1000, "usable"), (0x40000000, 3 * GIB // 2 + 0x7ff000, "usable")]
FEW_PAGES = {"small": 0, "middle": 0, "large": 8}      # the least order that fills it in few steps


def fill(twin: Twin, area: str, order: int) -> list[int]:
    """Blocks of an order until there is none, then smaller ones, until nothing is left."""
    blocks = []
    for smaller in range(order, -1, -1):
        while (at := twin.post("alloc_pages_area", area, smaller)) is not None:
            blocks.append(at)
    twin.collect()
    return blocks


@pytest.mark.parametrize("area", FEW_PAGES)
def test_an_area_is_filled_to_its_last_page_by_blocks_of_every_order(guest: Guest, area: str
                                                                     ) -> None:
    orders = range(FEW_PAGES[area], MAX_ORDER + 1)
    for order in orders if guest.arch == "native" else (9, MAX_ORDER):
        twin = Twin(guest, AREAS, RANGES)
        before = {name: free_pages(guest, name) for name in FEW_PAGES}
        blocks = fill(twin, area, order)
        assert free_pages(guest, area) == 0
        twin.compare_state()
        for at in blocks[::2] + blocks[1::2]:
            twin.post("free", at)
        twin.compare_state()
        assert {name: free_pages(guest, name) for name in FEW_PAGES} == before


def all_memory(guest: Guest) -> list[int]:
    """Take it, in as few blocks as there are."""
    blocks: list[int] = []
    for order in range(MAX_ORDER, -1, -1):
        try:
            while True:
                blocks.append(guest.alloc_pages(order, dontzero=1))
        except errors.MemNone:
            pass
    return blocks


# Of every command that takes pages: a line for it, and the errors that may be the answer.
NONE = (errors.MemNone,)
ATTRIBUTES = (errors.MemNone, errors.CallUnsupported)     # not every machine has each
TAKES: dict[str, tuple[Callable[[Guest], Any], tuple[type[errors.GuestError], ...]]] = {
    "alloc_page": (lambda guest: guest.alloc_page(), NONE),
    "alloc_pages": (lambda guest: guest.alloc_pages(MAX_ORDER), NONE),
    "alloc_pages_area": (lambda guest: guest.alloc_pages_area("any", 0), NONE),
    "memalign_pages_area": (lambda guest: guest.memalign_pages_area("any", 1 << 21, 1), NONE),
    "alloc_pages_exact": (lambda guest: guest.alloc_pages_exact(1, fresh=1), NONE),
    "alloc_pages_ro": (lambda guest: guest.alloc_pages_ro(0), ATTRIBUTES),
    "alloc_pages_nx": (lambda guest: guest.alloc_pages_nx(0), ATTRIBUTES),
    "alloc_pages_uncached": (lambda guest: guest.alloc_pages_uncached(0), ATTRIBUTES),
    "vmalloc": (lambda guest: guest.vmalloc(1, guard="both", redzone=1), NONE),
    "vmemalign": (lambda guest: guest.vmemalign(1 << 21, 1), NONE),
    "malloc": (lambda guest: guest.malloc(2000), NONE),   # no slab has room for it
    "calloc": (lambda guest: guest.calloc(100, PAGE), NONE),
    "memalign": (lambda guest: guest.memalign(PAGE, 1, redzone=1), NONE),
    "phys_alloc": (lambda guest: guest.phys_alloc(PAGE), NONE),
    "reserve": (lambda guest: guest.reserve(guest.leaks()[0][0], 1), (errors.MemBusy,)),
}
# Takes addresses only, and must still work.
GIVES = {"vmap": "vunmap", "ioremap": "vunmap", "alloc_vpages": "free_vpages"}


def test_with_no_page_left_everything_that_needs_one_is_refused_and_changes_nothing(guest: Guest
                                                                                    ) -> None:
    guest.free(guest.malloc(1, redzone=1))    # what the heap keeps for itself is there
    start = counts(guest)
    small, large = guest.malloc(16), guest.malloc(2 * PAGE)
    blocks = all_memory(guest)
    assert counts(guest)["free"] == 0
    takers = {name for name, command in guest.table.commands.items()
              if command.kind == "mutator" and command.result in ("address", "virtual")}
    assert takers == {*TAKES, *GIVES, "realloc"}
    before = state(guest)
    for name, (call, refusals) in TAKES.items():
        with pytest.raises(refusals):
            call(guest)
        assert state(guest) == before, name
    for at in (small, large):
        with pytest.raises(errors.MemNone):
            guest.realloc(at, 4 * PAGE)
        assert state(guest) == before
    guest.check()
    for at in (small, large, *blocks):
        guest.free(at)
    assert counts(guest) == start
    guest.check()


def test_with_no_page_left_addresses_can_still_be_had(guest: Guest) -> None:
    start = counts(guest)
    blocks = all_memory(guest)
    before = state(guest)
    guest.vunmap(guest.vmap(blocks[0], PAGE))
    try:
        guest.vunmap(guest.ioremap(blocks[0], PAGE))
    except errors.CallUnsupported:
        assert guest.arch == "s390x"
    guest.free_vpages(guest.alloc_vpages(3, guard="both"))
    guest.protect(blocks[-1], 1, "ro|nx")
    guest.protect(blocks[-1], 1, "rw|nx")
    assert state(guest) == before
    guest.free(blocks[0], 1)
    assert guest.alloc_page(dontzero=1) == blocks[0]
    guest.free(blocks[0])
    blocks[0] += PAGE
    for at in blocks:
        guest.free(at)
    assert counts(guest) == start
    guest.check()
