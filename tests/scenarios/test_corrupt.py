# SPDX-License-Identifier: MIT
"""Invariants that are broken on purpose: check names them, whoever tests notices, reset heals."""
from __future__ import annotations

import random

import pytest

from pfnlab import Guest, errors
from pfnlab.fuzz import Figures, live, new_life

NUMBERS = {"count": range(1, 100), "owner": (100,), "extent": (202,), "alignment": (208,),
           "handed": (300,), "fresh": (301,), "slot": (800,)}


def test_there_is_a_number_for_each_word(guest: Guest) -> None:
    assert set(guest.table.types["corruption"].words) == set(NUMBERS)


@pytest.mark.parametrize("what", NUMBERS)
def test_check_names_what_is_broken_and_a_reset_heals(guest: Guest, what: str) -> None:
    block = guest.alloc_page()
    guest.corrupt(what)
    with pytest.raises(errors.BugCheck) as caught:
        guest.check()
    assert caught.value.fields["invariant"] in NUMBERS[what]
    if what not in ("slot", "fresh"):     # the line's own; gone once pages were handed out
        with pytest.raises(errors.BugCheck):
            guest.stress(2000, check=1, area="low")
    guest.reset()
    guest.check()
    assert guest.alloc_page() == block


@pytest.mark.parametrize("what", ["extent", "alignment"])
def test_early_memory_alone_is_broken_too(guest: Guest, what: str) -> None:
    guest.reset(stage="early")
    guest.corrupt(what)
    with pytest.raises(errors.BugCheck):
        guest.check()


@pytest.mark.parametrize("what", ["count", "owner", "handed", "fresh"])
def test_what_is_not_there_cannot_be_broken(guest: Guest, what: str) -> None:
    guest.reset(stage="early")
    with pytest.raises(errors.CallState):
        guest.corrupt(what)
    guest.check()


@pytest.mark.only("native")
@pytest.mark.parametrize("what", ["count", "extent", "slot"])
def test_the_fuzzer_notices(guest: Guest, what: str) -> None:
    life = new_life(guest, random.Random("1/0"))
    lines = life.lines.line
    count = iter(range(1000))
    setattr(life.lines, "line",
            lambda choose: f"corrupt {what}" if next(count) == 95 else lines(choose))
    assert "bug.check invariant=" in str(live(guest, life, Figures(), 100))
