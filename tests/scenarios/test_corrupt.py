# SPDX-License-Identifier: MIT
"""Invariants that are broken on purpose: check names them, whoever tests notices, reset heals."""
from __future__ import annotations

import itertools
import random

import pytest

from pfnlab import Guest, errors
from pfnlab.fuzz import Figures, live, new_life

NUMBERS = {
    "areas": 1, "orders": 2, "leaf_class": 3, "lead": 4, "chunk_class": 5, "row": 6,
    "open_unit": 7, "active_chunk": 8, "kept_leaf": 9, "nodes": 10, "unmanaged": 11,
    "fresh_block": 12, "headless": 13, "count": 14, "hot_word": 15, "hot_slots": 16,
    "hot_choice": 17, "list_areas": 51, "piece": 52, "fresh_piece": 53, "next_piece": 54,
    "buddies": 55, "list": 56, "unlisted": 57, "list_count": 58, "owner": 100, "cache": 101,
    "records": 201, "extent": 202, "overlap": 203, "alike": 204, "early": 205, "frame_zero": 206,
    "scrap": 207, "alignment": 208, "handed": 300, "fresh": 301, "range": 400, "range_order": 401,
    "balance": 402, "gap": 403, "ranges": 404, "busy": 405, "mapped": 500, "unmapped": 501,
    "frame": 502, "frames": 503, "tables": 510, "table_pieces": 511, "table_walk": 512,
    "heap_page": 600, "slab": 601, "slots": 602, "waiting": 603, "queue": 604, "slab_page": 605,
    "heap_block": 606, "zone": 607, "recent": 608, "attribute": 700, "attributes": 701,
    "slot": 800,
}
OF_LIST = [word for word, number in NUMBERS.items() if 50 < number < 100]
# A history of their own, or an engine, is below.
RARE = ["hot_slots", "cache", *OF_LIST]
# Early memory, and malloc out of it.
OF_EARLY = [word for word, number in NUMBERS.items() if number // 100 in (2, 6, 8)]


def make_history(guest: Guest) -> int:
    """Something of everything: the first page that was handed out."""
    guest.reset(stage="virtual")
    first = int(guest.alloc_page())
    guest.alloc_pages(3)
    for size in (12000, 9000):
        guest.vmalloc(size)
        guest.malloc(size)
    guest.malloc(40)
    guest.malloc(100, redzone=1)
    guest.alloc_page()
    guest.check()
    return first


def put_map(guest: Guest, pages: int) -> None:
    """One range of so many pages."""
    guest.map_begin()
    guest.map_add(0x1000000, pages << 12)
    guest.map_commit()


def expect_broken(guest: Guest, what: str) -> None:
    """It is broken, and check names just that."""
    guest.corrupt(what)
    with pytest.raises(errors.BugCheck) as caught:
        guest.check()
    assert caught.value.fields["invariant"] == NUMBERS[what]


def refuse(guest: Guest, what: str) -> None:
    """Not now."""
    with pytest.raises(errors.CallState):
        guest.corrupt(what)
    guest.check()


def break_and_heal(guest: Guest, what: str) -> None:
    """check() names it, and after a reset all is as it was before."""
    block = make_history(guest)
    expect_broken(guest, what)
    guest.reset()
    guest.check()
    assert make_history(guest) == block


def test_there_is_a_number_for_each_word(guest: Guest) -> None:
    assert set(guest.table.types["corruption"].words) == set(NUMBERS)


@pytest.mark.parametrize("what", [word for word in NUMBERS if word not in RARE])
def test_check_names_what_is_broken_and_a_reset_heals(guest: Guest, what: str) -> None:
    break_and_heal(guest, what)


def test_what_is_broken_already_is_not_broken_that_way_again(guest: Guest) -> None:
    guest.corrupt("mapped")
    with pytest.raises(errors.CallState):
        guest.corrupt("mapped")
    guest.reset()
    guest.check()


@pytest.mark.only("native")
def test_a_request_does_not_mend_what_it_broke(guest: Guest) -> None:
    while guest.link.next_tag % int(guest.link.hello["slots"]):
        guest.echo(1)
    expect_broken(guest, "slot")


@pytest.mark.parametrize("what", ["unmapped", "frame"])
def test_the_first_range_with_frames_of_its_own_is_broken(guest: Guest, what: str) -> None:
    guest.alloc_vpages(1)
    guest.vmap(0x1000, 4096)
    guest.vmalloc(4096)
    expect_broken(guest, what)


def test_a_hot_word_may_depend_on_too_much(guest: Guest) -> None:
    """64 pages: the largest free block of the leaf is in the word that serves."""
    put_map(guest, 64)
    for _ in range(3):
        guest.alloc_page()
    expect_broken(guest, "hot_slots")
    guest.reset()
    guest.check()


@pytest.mark.options("percpu=on")
def test_what_a_cache_handed_out_may_have_an_owner(guest: Guest) -> None:
    guest.alloc_page()
    expect_broken(guest, "cache")
    guest.reset()
    guest.check()


@pytest.mark.parametrize("what", OF_EARLY)
def test_early_memory_alone_is_broken_too(guest: Guest, what: str) -> None:
    guest.reset(stage="early")
    guest.malloc(100, redzone=1)
    guest.malloc(9000)
    for _ in range(2):
        guest.malloc(40)
    expect_broken(guest, what)
    guest.reset()
    guest.check()


@pytest.mark.parametrize("what", [word for word in NUMBERS if word not in OF_EARLY])
def test_what_is_not_there_cannot_be_broken(guest: Guest, what: str) -> None:
    guest.reset(stage="early")
    refuse(guest, what)


@pytest.mark.parametrize("what", ["unmapped", "frames", "range", "frame", "zone", "slab", "slots",
                                  "range_order", "headless", "fresh_block", "cache", "hot_word",
                                  "heap_page"])
def test_what_nobody_has_asked_for_cannot_be_broken(guest: Guest, what: str) -> None:
    guest.reset(stage="page")
    refuse(guest, what)


def test_where_there_is_no_room_nothing_is_broken(guest: Guest) -> None:
    guest.vmalloc(4096)
    refuse(guest, "range_order")
    guest.alloc_vpages(1, at=guest.info().fields["window_limit"] - 4096)
    refuse(guest, "mapped")
    guest.malloc(9000)
    refuse(guest, "slab")
    refuse(guest, "zone")
    put_map(guest, 512)
    refuse(guest, "hot_slots")
    for _ in range(3):
        guest.alloc_page()
    refuse(guest, "hot_slots")            # other words of the leaf have larger blocks
    put_map(guest, 4)
    guest.alloc_pages(2)
    refuse(guest, "row")
    refuse(guest, "attribute")
    refuse(guest, "owner")


@pytest.mark.parametrize("what", OF_LIST)
@pytest.mark.options("engine=list")
def test_the_list_is_broken_by_words_of_its_own(guest: Guest, what: str) -> None:
    break_and_heal(guest, what)


@pytest.mark.options("engine=list")
def test_what_a_list_has_not_cannot_be_broken(guest: Guest) -> None:
    for what in ("fresh_piece", "next_piece"):
        refuse(guest, what)
    put_map(guest, 2)
    guest.alloc_pages(1)
    for what in ("piece", "buddies", "list", "unlisted"):
        refuse(guest, what)
    expect_broken(guest, "next_piece")


def test_the_words_of_another_engine_break_nothing(guest: Guest) -> None:
    for what in OF_LIST:
        with pytest.raises(errors.CallUnsupported):
            guest.corrupt(what)
    guest.check()


@pytest.mark.options("engine=list")
def test_the_words_of_the_tree_are_the_trees(guest: Guest) -> None:
    for what, number in NUMBERS.items():
        if number < 50:
            with pytest.raises(errors.CallUnsupported):
                guest.corrupt(what)
    guest.check()


def test_stress_notices(guest: Guest) -> None:
    guest.corrupt("owner")
    with pytest.raises(errors.BugCheck):
        guest.stress(2000, check=1, area="low")


@pytest.mark.only("native")
@pytest.mark.parametrize("what", ["orders", "lead", "count", "owner", "extent", "range", "busy",
                                  "mapped", "tables", "heap_page", "attributes", "slot"])
def test_the_fuzzer_notices(guest: Guest, what: str) -> None:
    """It is refused as long as there is nothing to break: in some lives throughout."""
    def lived(number: int) -> str | None:
        life = new_life(guest, random.Random(f"2/{number}"))
        lines = life.lines.line
        ours = itertools.cycle(9 * [""] + [f"corrupt {what}", "check"])
        setattr(life.lines, "line", lambda choose: next(ours) or lines(choose))
        return live(guest, life, Figures(), 200)
    assert "bug.check invariant=" in str(next(filter(None, map(lived, range(20))), None))


@pytest.mark.only("native")
@pytest.mark.options("virt=32T:1G")
def test_a_red_zone_far_above_all_memory_is_broken_too(guest: Guest) -> None:
    guest.reset(stage="virtual")
    assert guest.malloc(100, redzone=1) >= 32 << 40
    expect_broken(guest, "zone")
