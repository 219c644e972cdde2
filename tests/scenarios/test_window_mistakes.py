# SPDX-License-Identifier: MIT
"""Mistakes with addresses of the window: each has its error, names the page, changes nothing."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from tests.scenarios.support import PAGE, state

# Of a window of a GiB at 2 GiB: $v1 is three pages of vmalloc at 0x80001000 between guard pages,
# $v2 a page of vmap behind them at 0x80005000, $v3 two pages of mere addresses behind that.
WINDOW = "virt=2G:1G"
PREPARE = ("vmalloc 12K guard=both as=1", "alloc_page as=4", "vmap $v4 4K as=2",
           "alloc_vpages 2 as=3")

MISTAKES: tuple[tuple[str, str, int | None], ...] = (
    # misaligned
    ("vfree 0x80001008", "mem.unaligned", 0x80001008),
    ("vunmap 0x80005001", "mem.unaligned", 0x80005001),
    ("free_vpages 0x80006800", "mem.unaligned", 0x80006800),
    ("protect 0x80001010 1 ro", "mem.unaligned", 0x80001010),
    ("vmalloc 4K at=0x80010004", "mem.unaligned", 0x80010004),
    ("vmap 0x100004 4K", "mem.unaligned", 0x100004),
    # overlapping: pages, and guard pages of either
    ("vmalloc 4K at=0x80002000", "mem.busy", 0x80002000),
    ("vmalloc 64K at=0x80000000", "mem.busy", 0x80000000),
    ("alloc_vpages 9 at=0x80004000", "mem.busy", 0x80004000),
    ("vmap $v4 4K at=0x80008000 guard=front", "mem.busy", 0x80007000),
    ("vmalloc 4K at=0x80010000 align=64K guard=front guard_pages=16", "mem.busy", 0x80000000),
    # beyond the window, wrapping, at addresses that no processor has
    ("vmalloc 8K at=0xbffff000", "mem.unmanaged", 0xc0000000),
    ("vmalloc 4K at=0x7fffffff000", "mem.unmanaged", 0x7fffffff000),
    ("vmalloc 4K at=0x800000000000", "mem.unmanaged", 0x800000000000),
    ("vmalloc 4K at=0xfffffffffffff000", "mem.unmanaged", 0xfffffffffffff000),
    ("vfree 0x800000000000", "mem.unmanaged", 0x800000000000),
    ("protect 0xbffff000 2 ro", "call.range", None),
    ("protect 0xffff800000000000 1 ro", "fault.address", 0xffff800000000000),
    ("protect 0xfffffffffffff000 2 ro", "call.range", None),
    ("translate 0xffff7ffffffff000", "fault.address", 0xffff7ffffffff000),
    ("peek 0x800000000000", "fault.address", None),
    ("vmap 0xffffffffff000 8K", "call.range", None),
    ("vmap 0xfffffffffffff000 8K", "call.range", None),
    ("vmap 0 4K", "call.range", None),
    ("vmalloc 0xffffffffffffffff", "mem.none", None),
    ("vmalloc 0xfffffffffffffffc redzone=1", "mem.none", None),
    ("vmalloc 4K guard=front guard_pages=262145", "call.range", None),
    ("vmalloc 4K guard=both guard_pages=262144", "mem.none", None),
    # over a hole: the guard page, mere addresses, what nobody has
    ("protect 0x80001000 4 ro", "fault.address", 0x80004000),
    ("protect 0x80000000 2 ro", "fault.address", 0x80000000),
    ("protect 0x80005000 2 ro", "fault.address", 0x80006000),
    ("protect 0x90000000 1 ro", "fault.address", 0x90000000),
    # inside, free, made by another command
    ("vfree 0x80002000", "mem.inside", 0x80002000),
    ("vfree 0x80004000", "mem.inside", 0x80004000),
    ("free_vpages 0x80007000", "mem.inside", 0x80007000),
    ("vfree 0x90000000", "mem.free", 0x90000000),
    ("vfree $v2", "mem.kind", 0x80005000),
    ("vunmap $v1", "mem.kind", 0x80001000),
    ("free_vpages $v1", "mem.kind", 0x80001000),
    ("free $v1", "mem.kind", 0x80001000),
    # attributes that contradict each other, or are none
    ("vmalloc 4K attributes=rw|ro", "call.conflict", None),
    ("protect $v1 1 ro|rw|nx", "call.conflict", None),
    ("vmap $v4 4K attributes=uncached|wc", "call.conflict", None),
    ("protect $v1 1 wet", "call.word", None),
    ("vmalloc 4K guard_pages=2", "call.missing", None),
)


@pytest.mark.options(WINDOW)
def test_each_mistake_has_its_error_and_changes_nothing(guest: Guest) -> None:
    made = [guest.line(line) for line in PREPARE]
    assert [made[0], made[2], made[3]] == [0x80001000, 0x80005000, 0x80006000]
    before = state(guest)
    for line, code, at in MISTAKES:
        with pytest.raises(errors.GuestError) as caught:
            guest.line(line)
        assert (caught.value.code, caught.value.at) == (code, at or caught.value.at), line
    assert state(guest) == before
    guest.check()
    for line in ("vfree $v1", "vunmap $v2", "free_vpages $v3"):
        guest.line(line)
        with pytest.raises(errors.MemFree):        # once more
            guest.line(line)
    assert guest.vmalloc(PAGE) == 0x80000000
