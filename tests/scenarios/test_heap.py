# SPDX-License-Identifier: MIT
"""malloc: small objects share pages, pointers outlive stages, whatever is wrong is told."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from pfnlab.twin import Twin, inject
from tests.scenarios.support import PAGE, STAGES, free_pages, page, total

MOST = 2 ** 64


def all_free(guest: Guest) -> list[tuple[object, object]]:
    """The free pages of each area."""
    return [(row[0], row.free) for row in guest.areas()]


NOTHING = {"objects": 0, "pages": 0, "bytes": 0}


# ---- sharing ----

def test_a_thousand_small_objects_need_ten_pages_at_most(staged: Guest) -> None:
    with staged.pipeline() as line:
        objects = [line.malloc(32) for _ in range(1000)]
    addresses = [int(o.result()) for o in objects]
    assert len(set(addresses)) == 1000
    assert total(staged)["pages"] <= 10
    staged.check()
    for address in addresses:
        staged.free(address)
    assert total(staged) == NOTHING


@pytest.mark.parametrize("size", [1, 15, 16, 17, 100, 1344, 2048, 2049, 4096, 100_000])
def test_an_object_is_aligned_to_16_bytes_at_least(staged: Guest, size: int) -> None:
    assert [staged.malloc(size) % 16 for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("align", [1, 16, 64, 256, 2048, 4096, 16384, 1 << 20])
def test_memalign_aligns(staged: Guest, align: int) -> None:
    assert staged.memalign(align, 100) % align == 0
    assert staged.memalign(align, 5000) % align == 0
    staged.check()


def test_everything_goes_back_exactly(guest: Guest) -> None:
    before = all_free(guest)
    objects = [guest.malloc(size) for size in (1, 50, 600, 2048, 5000, 70_000, 1 << 20)]
    assert all_free(guest) != before
    for address in objects[::2] + objects[1::2]:
        guest.free(address)
    assert all_free(guest) == before
    guest.check()


def test_many_rounds_at_the_guests_own_speed_leave_nothing(guest: Guest) -> None:
    times = 10_000 if guest.arch == "native" else 100
    before = all_free(guest)
    for place, line in enumerate(("malloc 32 as=1", "malloc 3000 as=2", "free $v1", "free $v2")):
        guest.store(place, line)
    assert guest.run(4, times=times) == 4 * times
    assert all_free(guest) == before
    guest.check()


# ---- content ----

def test_calloc_gives_zeroes_where_something_was(staged: Guest) -> None:
    for count in (5, 1000):            # in a slab that stays, and of pages that were others'
        keep, dirty = staged.malloc(8 * count), staged.malloc(8 * count)
        for word in range(0, count, 4):
            staged.poke(dirty + 8 * word, MOST - 1)
        staged.free(dirty)
        clean = staged.calloc(count, 8)
        assert clean == dirty and keep != clean and clean.fields == {}
        assert [staged.peek(clean + 8 * word) for word in range(count)] == [0] * count


# ---- wrong pointers ----

def test_wrong_pointers_are_distinct_errors_and_change_nothing(staged: Guest) -> None:
    small, other, large = staged.malloc(48), staged.malloc(48), staged.malloc(3 * PAGE)
    before = total(staged)
    for address, error in ((small + 16, errors.MemInside), (small + 1, errors.MemInside),
                           (other + 48, errors.MemFree), (large + 16, errors.MemInside),
                           (large + PAGE, errors.MemInside)):
        with pytest.raises(error) as caught:
            staged.free(address) if address % PAGE or address > large else None
            staged.realloc(address, 5)
        assert caught.value.at == address
    assert total(staged) == before
    staged.check()


def refusal(guest: Guest, line: str) -> tuple[str, object]:
    """The error of a line, and the address that it is about."""
    with pytest.raises(errors.GuestError) as caught:
        guest.line(line)
    return caught.value.code, caught.value.at


def test_free_and_realloc_say_the_same_of_what_is_no_object(staged: Guest) -> None:
    """Page 0, a byte of it, a reservation, early memory, what may be free, what there is not."""
    stage = staged.stage()
    staged.reset(stage="early")
    early = staged.phys_alloc(PAGE, align=PAGE)
    while staged.stage() != stage:
        staged.advance()
    reserved = next(row[0] for row in staged.dump("phys")
                    if row[2] == "reserved" and row[0] % PAGE == 0 and row[0] > 0)
    kinds = {0: "mem.reserved", early: "mem.kind", reserved: "mem.reserved",
             1 << 51: "mem.unmanaged"}
    for address, code in kinds.items():
        told = refusal(staged, f"free {address}")
        assert refusal(staged, f"realloc {address} 5") == told
        wanted = code if stage == "early" or code == "mem.kind" else "mem.unmanaged"
        assert told == (wanted, address)
    staged.check()


def test_freeing_twice_is_an_error(staged: Guest) -> None:
    small, keep, large = staged.malloc(48), staged.malloc(48), staged.malloc(3 * PAGE)
    for address in (keep, large, small):
        staged.free(address)
        with pytest.raises(errors.MemFree) as caught:
            staged.free(address)
        assert caught.value.at == address
    assert total(staged) == NOTHING


def test_pages_of_the_heap_are_not_freed_by_others(guest: Guest) -> None:
    guest.reset(stage="early")
    early = guest.malloc(5000)
    with pytest.raises(errors.MemKind):
        guest.phys_free(early)
    guest.advance()
    small, large = guest.malloc(32), guest.malloc(3 * PAGE)
    for address, pages in ((small, 1), (large, 3), (large + PAGE, 1)):
        with pytest.raises(errors.MemKind) as caught:
            guest.free(address, pages)
        assert caught.value.at == address
    guest.advance()
    mapped = guest.malloc(32)
    with pytest.raises(errors.MemKind):
        guest.vfree(mapped)
    guest.check()
    for address in (early, small, large, mapped):
        guest.free(address)
    assert total(guest) == NOTHING


def test_memory_of_others_is_not_freed_by_the_heap(guest: Guest) -> None:
    block, window = guest.alloc_pages(1), guest.vmalloc(5000)
    for address in (block, block + 16, window, window + PAGE):
        with pytest.raises(errors.MemKind) as caught:
            guest.realloc(address, 5)
        assert caught.value.at == address
    with pytest.raises(errors.MemKind):
        guest.free(window)
    assert guest.free(block) == 2
    guest.vfree(window)


# ---- impossible requests ----

@pytest.mark.parametrize("size", [MOST - 1, MOST - 3, MOST - 4096, 1 << 63, 1 << 53])
def test_what_cannot_be_had_is_refused_on_every_path(staged: Guest, size: int) -> None:
    at = staged.malloc(10)
    for request in (lambda: staged.malloc(size), lambda: staged.calloc(1, size),
                    lambda: staged.realloc(at, size), lambda: staged.memalign(4096, size),
                    lambda: staged.malloc(size, redzone=1)):
        with pytest.raises(errors.MemNone):
            request()
    assert total(staged)["objects"] == 1
    staged.check()


def test_nothing_and_products_that_overflow_are_out_of_range(staged: Guest) -> None:
    at = staged.malloc(10)
    for text in ("malloc 0", "calloc 0 5", "calloc 5 0", f"realloc {at} 0", "memalign 16 0",
                 "calloc 4294967296 4294967296", "calloc 18446744073709551615 2",
                 f"memalign {1 << 32} 1"):
        with pytest.raises(errors.CallRange):
            staged.line(text)
    for text in ("memalign 3 10", "memalign 24 10"):
        with pytest.raises(errors.CallAlign):
            staged.line(text)
    assert total(staged)["objects"] == 1


# ---- red zones ----

@pytest.mark.parametrize("size", [8, 32, 100, 2048, 5000])
def test_a_byte_behind_the_end_is_found_when_the_object_is_freed(staged: Guest, size: int) -> None:
    guest = staged
    at = guest.malloc(size, redzone=1)
    guest.poke(at + size - 1, 7, width=1)
    was = guest.peek(at + size, width=1)
    guest.poke(at + size, was ^ 1, width=1)
    for change in (lambda: guest.free(at), lambda: guest.realloc(at, 9)):
        with pytest.raises(errors.MemOverrun) as caught:
            change()
        assert caught.value.at == at + size
    guest.poke(at + size, was, width=1)
    guest.free(at)
    again = guest.malloc(size, redzone=1)
    guest.poke(again + size, 0, width=1)
    guest.free(again, force=1)
    assert total(guest) == NOTHING
    guest.check()


# ---- stages ----

def test_a_pointer_of_an_earlier_stage_is_freed_at_any_later_one(guest: Guest) -> None:
    guest.reset(stage="early")
    objects = []
    for stage in STAGES:
        if stage != "early":
            guest.advance()
        assert guest.stage() == stage == guest.info().fields["stage"]
        objects += [guest.malloc(32), guest.malloc(3 * PAGE)]
        guest.check()
    assert [row.stage for row in guest.dump("heap")].count("early") == 2
    moved = guest.realloc(objects[0], 100)
    assert guest.dump("heap", moved)[0].stage == "virtual"
    for address in [moved, *objects[1:]]:
        guest.free(address)
    assert total(guest) == NOTHING
    with pytest.raises(errors.CallState):
        guest.advance()


def test_owners_are_told(guest: Guest) -> None:
    with guest.pipeline() as line:
        small, large = line.malloc(32), line.malloc(9000)
    owners = {row[0]: row.owner for row in guest.dump("heap")}
    assert owners == {small.result(): small.request.tag, large.result(): large.request.tag}
    moved = guest.realloc(small.result(), 500)
    assert guest.dump("heap", moved)[0].owner == small.request.tag


# ---- maps without memory, pools without pages ----

@pytest.mark.engine("tree")
def test_on_an_injected_map_it_manages_numbers(guest: Guest) -> None:
    inject(guest, [("all", 1 << 52)], [(0x100000, 0x400000, "usable")], "page")
    at = guest.calloc(3, 7)
    assert at == 0x100000 and at.fields == {"zeroed": 0}
    moved = guest.realloc(at, 100)
    assert moved == 0x101000 and moved.fields == {"copied": 0}
    with pytest.raises(errors.CallUnsupported):
        guest.malloc(20, redzone=1)
    guest.check()


@pytest.mark.parametrize("stage", STAGES)
def test_without_memory_a_red_zone_is_refused_and_every_page_stays_fresh(guest: Guest,
                                                                         stage: str) -> None:
    twin = Twin(guest, [("all", 1 << 52)], [(0x100000, 0x4000, "usable")], stage)
    for text in (("malloc", 20), ("malloc", 5000), ("malloc", MOST - 1), ("memalign", 4096, 20),
                 ("memalign", 1 << 32, 20)):
        twin.do(*text, redzone=1)
    while guest.stage() != "virtual":
        twin.do("advance")
    twin.do("alloc_pages_exact", 4, fresh=1)
    twin.compare_state()


@pytest.mark.parametrize("stage, what", [("page", "frames"), ("page", "pool"),
                                         ("virtual", "frames"), ("virtual", "tables")])
def test_a_refusal_at_any_step_changes_nothing(guest: Guest, stage: str, what: str) -> None:
    refusals = 0
    for text in ("malloc 40", "malloc 9000", "realloc $v1 30", "realloc $v1 9000",
                 "calloc 9 9 as=2", "memalign 4M 9000"):
        guest.reset(stage=stage)
        guest.line("malloc 700 as=1")
        before = all_free(guest), total(guest)
        for step in range(1, 20):
            guest.fail(nth=step, what=what)
            try:
                guest.line(text)
            except errors.MemInjected:
                refusals += 1
                guest.fail()
                assert (all_free(guest), total(guest)) == before
                guest.check()
            else:
                break
        else:
            pytest.fail("it never succeeds")
    assert refusals > 0


def test_pages_of_a_slab_are_allocated_pages(guest: Guest) -> None:
    guest.reset(stage="page")
    at = guest.malloc(100)
    assert page(guest, at & -PAGE)[2] == "allocated"
    assert free_pages(guest, str(page(guest, at & -PAGE).area)) > 0
