# SPDX-License-Identifier: MIT
"""What is refused at any step, on purpose or because memory ran out, leaves nothing behind."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from pfnlab import Guest, errors
from tests.scenarios.support import PAGE, machine_has, state

GIB = 1 << 30

STEPS: dict[str, tuple[Callable[[Guest], Any], str]] = {
    "vmalloc": (lambda guest: guest.vmalloc(100 * PAGE, guard="both", redzone=1), "vfree"),
    "vmemalign": (lambda guest: guest.vmemalign(2 << 20, 70 * PAGE), "vfree"),
    "vmap": (lambda guest: guest.vmap(0x40001000, 5 << 20), "vunmap"),
    "ioremap": (lambda guest: guest.ioremap(0x40001000, 5 << 20), "vunmap"),
    "alloc_pages_ro": (lambda guest: guest.alloc_pages_ro(3), "free"),
    "alloc_pages_exact": (lambda guest: guest.alloc_pages_exact(7, attributes="ro"), "free"),
    "alloc_vpages": (lambda guest: guest.alloc_vpages(7), "free_vpages"),
    "malloc of pages": (lambda guest: guest.malloc(9 * PAGE), "free"),
    "calloc": (lambda guest: guest.calloc(9, PAGE), "free"),
    "malloc with a red zone": (lambda guest: guest.malloc(2 * PAGE, redzone=1), "free"),
    "memalign": (lambda guest: guest.memalign(1 << 20, 100), "free"),
}
# Of the other commands that take something; in what they do there is no machine's own.
MORE_STEPS: dict[str, tuple[Callable[[Guest], Any], str]] = {
    "alloc_page": (lambda guest: guest.alloc_page(attributes="ro"), "free"),
    "alloc_pages": (lambda guest: guest.alloc_pages(9, attributes="ro|nx"), "free"),
    "alloc_pages_area": (lambda guest: guest.alloc_pages_area("any", 1), "free"),
    "memalign_pages_area": (lambda guest: guest.memalign_pages_area("any", 8 * PAGE, 1), "free"),
    "alloc_pages_nx": (lambda guest: guest.alloc_pages_nx(3), "free"),
    "alloc_pages_uncached": (lambda guest: guest.alloc_pages_uncached(3), "free"),
    "reserve": (lambda guest: guest.reserve(33 << 20, 1024), "unreserve 1024"),
}
# Refused below, with what it is given; and what takes none of these.
OTHERS = {"realloc", "phys_alloc"}


def refused_in_turn(guest: Guest, call: Callable[[], Any], what: str) -> tuple[Any, int]:
    """Refuse one attempt after the other until none is left; the result, and how many were."""
    before = state(guest)
    for n in range(1, 300):
        guest.fail(nth=n, what=what)
        try:
            result = call()
        except errors.MemInjected:
            guest.fail()
            assert state(guest) == before, f"attempt {n}"
            continue
        assert guest.failures().fields["refusals"] == 0
        guest.fail()
        return result, n - 1
    raise AssertionError("there is no end of attempts")


def give_back(guest: Guest, undo: str, result: Any) -> None:
    """What undoes a step; the result comes first among its arguments."""
    name, *more = undo.split()
    guest.call(name, result, *more)


def test_every_command_that_takes_something_is_refused_in_its_steps(guest: Guest) -> None:
    takers = {name for name, command in guest.table.commands.items()
              if command.kind == "mutator" and command.result in ("address", "virtual")}
    assert takers == {name.split()[0] for name in (*STEPS, *MORE_STEPS)} | OTHERS


def refuse_each_step(guest: Guest, call: Callable[[Guest], Any], undo: str, what: str) -> int:
    """A trace of none is left; how many were refused."""
    give_back(guest, undo, call(guest))       # afterwards no page is fresh that was
    before = state(guest)
    result, refusals = refused_in_turn(guest, lambda: call(guest), what)
    give_back(guest, undo, result)
    assert state(guest) == before
    guest.check()
    return refusals


@pytest.mark.parametrize("what", ["frames", "tables", "pool"])
@pytest.mark.parametrize("name", STEPS)
def test_every_step_that_fails_leaves_no_trace(guest: Guest, name: str, what: str) -> None:
    call, undo = STEPS[name]
    if name == "ioremap" and not machine_has(guest, "uncached"):
        with pytest.raises(errors.CallUnsupported):
            call(guest)
        return
    refusals = refuse_each_step(guest, call, undo, what)
    assert (what, name) not in (("frames", "vmalloc"), ("tables", "vmap")) or refusals > 1


@pytest.mark.only("native")
@pytest.mark.parametrize("name", MORE_STEPS)
def test_every_step_of_the_others_leaves_no_trace(guest: Guest, name: str) -> None:
    refusals = {what: refuse_each_step(guest, *MORE_STEPS[name], what)
                for what in ("frames", "tables", "pool")}
    assert refusals["pool"] and (refusals["frames"] or name == "reserve")


@pytest.mark.parametrize("what", ["frames", "tables", "pool"])
@pytest.mark.parametrize("stage", ["early", "page", "virtual"])
def test_a_heap_that_is_refused_keeps_what_it_has(guest: Guest, stage: str, what: str) -> None:
    """In each stage: small objects and pages are made, and become larger elsewhere."""
    guest.reset(stage=stage)
    for size, larger in ((40, 400), (40, 3 * PAGE)):
        guest.free(guest.realloc(guest.malloc(size), larger))
        old, _ = refused_in_turn(guest, partial(guest.malloc, size), what)
        new, _ = refused_in_turn(guest, partial(guest.realloc, old, larger), what)
        guest.free(new)
        guest.check()


@pytest.mark.parametrize("what", ["frames", "tables", "pool"])
@pytest.mark.parametrize("stage", ["early", "page", "virtual"])
def test_an_object_that_is_refused_the_pages_behind_it_moves_or_stays(guest: Guest, stage: str,
                                                                      what: str) -> None:
    guest.reset(stage=stage)
    guest.free(guest.malloc(150 * PAGE))
    for n in range(1, 300):
        old = guest.realloc(guest.malloc(70 * PAGE), 3 * PAGE)
        guest.poke(old + 3 * PAGE - 8, 0x5a5a)
        before = state(guest)
        guest.fail(every=n, what=what)
        try:
            new = guest.realloc(old, 70 * PAGE)
        except errors.MemInjected:
            guest.fail()
            assert state(guest) == before, f"every {n}"
            new, refusals = old, 1
        else:
            refusals = guest.failures().fields["refusals"]
            guest.fail()
            assert refusals or new == old
        assert guest.peek(new + 3 * PAGE - 8) == 0x5a5a
        guest.free(new)
        guest.check()
        if not refusals:
            return
    raise AssertionError("there is no end of attempts")


def test_a_split_that_fails_leaves_the_unit_whole(guest: Guest) -> None:
    at = guest.vmap(GIB, 4 << 20)
    before, told = state(guest), repr(guest.translate(at + PAGE).fields)
    for n in range(1, 20):
        guest.fail(nth=n, what="tables")
        try:
            guest.protect(at + PAGE, 600, "ro|nx")
        except errors.MemInjected:
            guest.fail()
            assert state(guest) == before
            assert repr(guest.translate(at + PAGE).fields) == told
            continue
        break
    guest.fail()
    assert guest.translate(at + PAGE).fields["attributes"] == "ro|nx"
    assert guest.translate(at + 601 * PAGE).fields["attributes"] == "nx"
    guest.check()


@pytest.mark.options("tables=64K")
def test_tables_run_out_and_nothing_else_does(guest: Guest) -> None:
    before = state(guest)
    with pytest.raises(errors.MemMetadata, match="tables="):
        guest.vmap(0x40001000, 512 << 20)
    assert state(guest) == before
    at = guest.vmap(0x40001000, PAGE)
    assert guest.translate(at) == 0x40001000
    guest.vunmap(at)
    assert state(guest) == before
