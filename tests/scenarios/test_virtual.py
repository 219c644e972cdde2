# SPDX-License-Identifier: MIT
"""The virtual allocator on each machine's page tables: what is mapped is there, the rest faults."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from pfnlab import Guest, errors
from pfnlab.twin import Twin
from tests.scenarios.support import PAGE, counts, free_pages, machine_has, state

GIB = 1 << 30
SMALL = "virt=2G:64K"              # 16 pages of addresses


def test_addresses_that_follow_one_another_have_zeroed_memory_behind_them(guest: Guest) -> None:
    at = guest.vmalloc(3 * PAGE)
    assert [guest.peek(at + offset) for offset in (0, PAGE - 8, PAGE, 3 * PAGE - 8)] == [0] * 4
    for page in range(3):
        guest.poke(at + page * PAGE, 100 + page)
    frames = [guest.translate(at + page * PAGE) for page in range(3)]
    assert len(set(frames)) == 3
    assert [guest.peek(frame) for frame in frames] == [100, 101, 102]
    assert guest.vfree(at) == 3
    guest.check()


@pytest.mark.engine("tree")
def test_memory_may_be_in_pieces(guest: Guest) -> None:
    """Every other page of a stretch is taken: what is between them serves."""
    taken = [guest.alloc_page() for _ in range(16)]
    for frame in taken[::2]:
        guest.free(frame)
    at = guest.vmalloc(8 * PAGE)
    frames = [guest.translate(at + page * PAGE) for page in range(8)]
    assert frames == taken[::2]        # as a request for one page gets them, in the same order
    guest.poke(at + 8 * PAGE - 8, 0x77)
    assert guest.peek(frames[7] + PAGE - 8) == 0x77
    assert guest.peek(taken[15]) == 0
    guest.check()


def test_what_was_freed_faults_and_its_address_serves_again(guest: Guest) -> None:
    at = guest.vmalloc(PAGE)
    guest.poke(at, 1)
    guest.vfree(at)
    with pytest.raises(errors.FaultAddress) as caught:
        guest.peek(at)
    assert caught.value.at == at
    for value in (2, 3):               # another frame each time: no translation is left over
        frame = guest.alloc_page()
        guest.poke(frame, value)
        assert guest.vmap(frame, PAGE) == at
        assert guest.peek(at) == value
        guest.vunmap(at)
    guest.check()


@pytest.mark.parametrize("guard", ["front", "back", "both"])
def test_a_guard_page_faults_at_the_first_byte(guest: Guest, guard: str) -> None:
    first, at, last = guest.vmalloc(PAGE), guest.vmalloc(2 * PAGE, guard=guard), guest.vmalloc(1)
    front, back = guard in ("front", "both"), guard in ("back", "both")
    assert at == first + PAGE * (1 + front)
    assert last == at + PAGE * (2 + back)
    if front:
        with pytest.raises(errors.FaultAddress):
            guest.poke(at - 1, 0, width=1)
    if back:
        with pytest.raises(errors.FaultAddress):
            guest.peek(at + 2 * PAGE, width=1)
    guest.check()


def test_a_pattern_fills_a_range_of_the_window(guest: Guest) -> None:
    at = guest.vmalloc(3 * PAGE, guard="both")
    guest.fill(at, seed=5)
    guest.verify(at, seed=5)
    guest.verify(at + PAGE, 2, seed=5)
    assert guest.peek(guest.translate(at + PAGE)) == guest.peek(at + PAGE) != guest.peek(at)
    guest.poke(at + 2 * PAGE + 8, 1)
    with pytest.raises(errors.FaultPattern) as caught:
        guest.verify(at, seed=5)
    assert caught.value.at == at + 2 * PAGE + 8
    empty = guest.alloc_vpages(1)
    for address, error in ((at + PAGE, errors.MemInside), (at - PAGE, errors.MemInside),
                           (at + 3 * PAGE, errors.MemInside), (empty + PAGE, errors.MemFree),
                           (empty, errors.FaultAddress)):
        with pytest.raises(error) as told:
            guest.fill(address)
        assert told.value.at == address
    guest.check()


def test_a_write_through_a_read_only_alias_is_refused_and_another_one_writes(guest: Guest) -> None:
    frame = guest.alloc_page()
    reader = guest.vmap(frame, PAGE, attributes="ro|nx")
    writer = guest.vmap(frame, PAGE)
    with pytest.raises(errors.FaultProtection) as caught:
        guest.poke(reader, 7)
    assert caught.value.at == reader
    guest.poke(writer, 7)
    assert guest.peek(reader) == 7 == guest.peek(frame)
    guest.protect(reader, 1, "nx")
    guest.poke(reader, 8)
    assert guest.peek(frame) == 8


def test_code_runs_where_it_may_and_nowhere_else(guest: Guest) -> None:
    frame = guest.alloc_page()
    if not machine_has(guest, "nx"):
        with pytest.raises(errors.CallUnsupported):
            guest.vmap(frame, PAGE, attributes="nx")
        return
    code, data = guest.vmap(frame, PAGE, attributes="rw"), guest.vmap(frame, PAGE)
    assert guest.probe(code).fields["execute"] == "yes"
    assert guest.probe(data).fields["execute"] == "no"
    assert guest.probe(frame).fields["execute"] == "no"


def test_devices_are_mapped_uncached_where_the_machine_can(guest: Guest) -> None:
    if not machine_has(guest, "uncached"):
        before = state(guest)
        with pytest.raises(errors.CallUnsupported):
            guest.ioremap(0xfed00000, PAGE)
        with pytest.raises(errors.CallUnsupported):
            guest.alloc_pages_uncached(0)
        assert state(guest) == before
        return
    at = [guest.ioremap(0xfed00000 + page * PAGE, PAGE) for page in range(16)]
    assert all(guest.translate(a).fields["attributes"] == "nx|uncached" for a in at)
    block = guest.alloc_pages_uncached(1)
    assert guest.translate(block + PAGE).fields["attributes"] == "nx|uncached"
    guest.free(block)
    assert guest.translate(block).fields["attributes"] == "nx"
    guest.check()


def test_a_red_zone_tells_who_wrote_beyond_the_end(guest: Guest) -> None:
    at = guest.vmalloc(5000, redzone=1)
    guest.poke(at + 4992, 1)
    guest.poke(at + 5000, 1, width=1)
    before = state(guest)
    with pytest.raises(errors.MemOverrun) as caught:
        guest.vfree(at)
    assert caught.value.at == at + 5000
    assert state(guest) == before
    assert guest.vfree(at, force=1) == 2
    whole = guest.vmalloc(PAGE, redzone=1)
    assert guest.vfree(whole) == 2     # room behind a whole page is another page
    guest.check()


@pytest.mark.options(SMALL)
def test_a_full_window_refuses_and_serves_again(guest: Guest) -> None:
    pages = [guest.vmalloc(1) for _ in range(16)]
    assert pages == [(2 << 30) + page * PAGE for page in range(16)]
    before = state(guest)
    for call in (lambda: guest.vmalloc(1), lambda: guest.vmap(0x100000, PAGE),
                 lambda: guest.alloc_vpages(1), lambda: guest.vmalloc(1, guard="both")):
        with pytest.raises(errors.MemNone):
            call()
    assert state(guest) == before
    guest.vfree(pages[7])
    assert guest.vmalloc(PAGE) == pages[7]
    with pytest.raises(errors.CallRange):
        guest.vmalloc(1, guard="front", guard_pages=17)
    guest.check()


@pytest.mark.options("virt=2G:5M")
def test_large_units_are_preferred_and_not_demanded(guest: Guest) -> None:
    twin = Twin(guest, [("all", 1 << 52)], [(16 << 20, 8 << 20, "usable")])
    first = 2 << 30
    assert twin.do("vmap", GIB, 2 << 20) == first
    assert twin.do("vmap", GIB, PAGE) == first + (2 << 20)
    assert twin.do("vmap", GIB, 2 << 20) == first + (2 << 20) + PAGE
    twin.do("vmap", GIB, 2 << 20)              # nothing is left, however it lies
    twin.do("vunmap", first)
    assert twin.do("vmap", 2 * GIB, 2 << 20) == first
    twin.do("vunmap", first)
    twin.do("vmap", GIB, 2 << 20, align=1 << 22)
    twin.compare_state()


def test_memory_that_runs_out_gives_everything_back(guest: Guest) -> None:
    guest.vfree(guest.vmalloc(64 * PAGE))
    before = counts(guest)             # of state, pages that were fresh are not so any more
    with pytest.raises(errors.MemNone):
        guest.vmalloc(1 << 60)
    with pytest.raises(errors.MemNone):
        guest.vmalloc((1 << 64) - 4, redzone=1)
    assert counts(guest) == before


def test_more_than_is_free_is_refused_before_anything_is_taken(guest: Guest) -> None:
    guest.alloc_page(area="low")
    fresh = repr(guest.dump("pages"))
    everywhere, low = sum(int(row.free) for row in guest.areas()), free_pages(guest, "low")
    for call in (lambda: guest.vmalloc((everywhere + 1) * PAGE),
                 lambda: guest.vmalloc((low + 1) * PAGE, area="low"),
                 lambda: guest.malloc((everywhere + 1) * PAGE)):
        with pytest.raises(errors.MemNone):
            call()
        assert repr(guest.dump("pages")) == fresh
    assert guest.dump("virt").fields["n"] == 0
    guest.check()


def test_frames_of_vmalloc_cannot_be_freed_under_it(guest: Guest) -> None:
    at = guest.vmalloc(PAGE)
    frame = guest.translate(at)
    for wrong in (lambda: guest.free(frame), lambda: guest.free(frame, 1),
                  lambda: guest.protect(frame, 1, "ro"), lambda: guest.vunmap(at)):
        with pytest.raises(errors.MemKind):
            wrong()
    guest.check()
    guest.vfree(at)
    with pytest.raises(errors.MemFree):
        guest.vfree(at)
    guest.check()


def test_a_hole_stops_protect_before_it_begins(guest: Guest) -> None:
    at = guest.vmalloc(2 * PAGE, guard="back")
    guest.vmalloc(PAGE)
    with pytest.raises(errors.FaultAddress) as caught:
        guest.protect(at, 4, "ro")
    assert caught.value.at == at + 2 * PAGE
    guest.poke(at, 1)
    guest.check()


def test_the_kernel_is_not_for_protect(guest: Guest) -> None:
    part = next(row for row in guest.truth() if row[0] in ("text", "data"))
    with pytest.raises(errors.FaultProtection):
        guest.protect(part["first"], 1, "rw")
    with pytest.raises(errors.MemFree):
        guest.protect(guest.dump("free")[0][0], 1, "ro")


def test_pages_with_attributes_are_written_again_after_free(guest: Guest) -> None:
    block = guest.alloc_pages_ro(3)
    with pytest.raises(errors.FaultProtection):
        guest.poke(block + 5 * PAGE, 1)
    guest.free(block + 4 * PAGE, 2)
    with pytest.raises(errors.FaultProtection):
        guest.poke(block, 1)
    assert guest.alloc_pages_exact(2, at=block + 4 * PAGE) == block + 4 * PAGE
    guest.poke(block + 5 * PAGE, 1)
    guest.free(block)
    guest.alloc_page(at=block)
    guest.poke(block, 1)
    guest.check()


@pytest.mark.parametrize("line", [
    "vmalloc 1", "vmemalign 4K 1", "vfree {0}", "vmap 1M 4K", "ioremap 1M 4K", "vunmap {0}",
    "alloc_vpages 1", "free_vpages {0}", "protect {0} 1 ro", "alloc_pages_ro 0", "alloc_pages_nx 0",
    "alloc_pages_uncached 0", "dump virt"])
def test_before_the_hand_over_there_is_no_window(guest: Guest, line: str) -> None:
    """From then on there is, whether the heap uses it yet or not."""
    info = guest.info().fields
    name, *words = line.format(info["window"]).split()
    lacks = name in ("ioremap", "alloc_pages_uncached") and "uncached" not in info["attributes"]
    guest.reset(stage="early")
    with pytest.raises(errors.CallState) as told:
        guest.call(name, *words)
    assert told.value.fields["stage"] == "early"
    guest.check()
    for stage in ("page", "virtual"):
        guest.reset(stage=stage)
        try:
            guest.call(name, *words)
        except (errors.MemError, errors.FaultAddress):
            pass                       # there is nothing yet that could be given back
        except errors.CallUnsupported:
            assert lacks
        guest.check()


@pytest.mark.parametrize("how", ["reset", "reset stage=early", "map_machine", "map"])
def test_a_fresh_instance_finds_nothing_mapped(guest: Guest, how: str) -> None:
    page, at = guest.alloc_pages_ro(0), guest.vmalloc(20 * PAGE)
    used = guest.info().fields["tables_used"]
    assert int(used) > 0
    if how == "map":
        guest.map_begin()
        guest.map_add(GIB, GIB)
        guest.map_commit()
        guest.map_machine()
    else:
        guest.call(*how.split()[:1], **dict([how.split()[1].split("=")] if " " in how else []))
    assert guest.info().fields["tables_used"] == 0
    with pytest.raises(errors.FaultAddress):
        guest.peek(at)
    guest.map_machine()
    guest.poke(guest.alloc_page(at=page), 1)
    guest.check()


def test_an_assertion_leaves_nothing_mapped_behind_a_reset(fresh_guest: Callable[..., Guest]
                                                           ) -> None:
    guest = fresh_guest()
    page, at = guest.alloc_pages_ro(0), guest.vmalloc(5 * PAGE)
    with pytest.raises(errors.BugAssert):
        guest.panic("assert")
    with pytest.raises(errors.BugDead):
        guest.vfree(at)
    guest.reset()
    assert guest.info().fields["tables_used"] == 0
    guest.poke(guest.alloc_page(at=page), 1)
    guest.check()


def test_rounds_end_as_they_began(guest: Guest) -> None:
    """A million pairs natively, where that takes seconds; each answer comes soon."""
    lines = ["vmalloc 5000 guard=both as=1", "malloc 32 as=2", "vmalloc 4K as=3", "vfree $v1",
             "malloc 10000 as=4", "free $v2", "vfree $v3", "free $v4"]
    for place, line in enumerate(lines):
        guest.store(place, line)
    guest.run(len(lines))              # afterwards no page is fresh that was
    before = state(guest)
    quick = guest.arch == "native" and guest.info().fields["engine"] == "tree"
    rounds, times = (250, 1000) if quick else (5, 500)
    for _ in range(rounds):
        assert guest.run(len(lines), times=times) == len(lines) * times
    assert state(guest) == before
    guest.check()


def test_window_and_tables_on_the_command_line_are_checked(fresh_guest: Callable[..., Guest]
                                                           ) -> None:
    with pytest.warns(UserWarning, match="virt"):
        guest = fresh_guest("virt=1M:16M")
    plain = fresh_guest()
    assert guest.info().fields["window"] == plain.info().fields["window"]
