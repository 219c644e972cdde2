# SPDX-License-Identifier: MIT
"""realloc: in place where it can be, with what is in it, and never worse off than before."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from tests.scenarios.support import PAGE, counts, state, total

NOTHING = {"objects": 0, "pages": 0, "bytes": 0}


def test_realloc_takes_the_content_along(staged: Guest) -> None:
    """The first words, and those to the end of what both sizes have."""
    at, had = staged.malloc(16), 16
    for size in (17, 300, 2048, 9000, 40_000, 5000, 16):
        words = [*range(0, had // 8 * 8, max(8, had // 80 * 8)), had // 8 * 8 - 8]
        for word in words:
            staged.poke(at + word, word << 32 | 7)
        at = staged.realloc(at, size)
        assert at.fields == {}
        kept = [word for word in words if word + 8 <= size]
        assert [staged.peek(at + word) for word in kept] == [word << 32 | 7 for word in kept]
        had = size
    staged.check()


def test_what_cannot_be_moved_stays_with_its_content(staged: Guest) -> None:
    """A page that somebody made read-only has a slot for it, which cannot be written."""
    neighbour, at = staged.malloc(100), staged.malloc(20)
    staged.poke(at, 0x77)
    if staged.stage() == "early":      # nothing is protected before the hand-over
        with pytest.raises(errors.CallState):
            staged.protect(neighbour & -PAGE, 1, "ro|nx")
        return
    staged.protect(neighbour & -PAGE, 1, "ro|nx")
    before = state(staged)
    for call in (lambda: staged.realloc(at, 100), lambda: staged.calloc(1, 100),
                 lambda: staged.malloc(90, redzone=1)):
        with pytest.raises(errors.FaultProtection) as caught:
            call()
        assert caught.value.at & -PAGE == neighbour & -PAGE
        assert state(staged) == before
    assert staged.peek(at) == 0x77
    staged.protect(neighbour & -PAGE, 1, "nx")
    assert staged.peek(staged.realloc(at, 100)) == 0x77
    staged.check()


@pytest.mark.parametrize("old, new", [(2000, 20), (9000, 5000), (9000, 20)])
@pytest.mark.parametrize("what", ["frames", "tables", "pool"])
def test_a_smaller_size_is_never_refused(staged: Guest, old: int, new: int, what: str) -> None:
    for redzone in (0, 1):
        at = staged.malloc(old, redzone=redzone)
        staged.poke(at, 0x99)
        staged.fail(every=1, what=what)
        smaller = staged.realloc(at, new)
        staged.fail()
        assert staged.peek(smaller) == 0x99
        staged.check()
        staged.free(smaller)
    assert total(staged) == NOTHING


def test_realloc_stays_where_it_can(staged: Guest) -> None:
    small, large = staged.malloc(33), staged.malloc(5 * PAGE)
    staged.malloc(PAGE)
    assert staged.realloc(small, 48) == small
    assert staged.realloc(large, 4 * PAGE + 1) == large
    assert staged.realloc(large, 2 * PAGE) == large
    # The pages that it gave back are behind it, and another object behind them: early memory is
    # served from the top.
    assert staged.realloc(large, 5 * PAGE) == large
    assert staged.realloc(large, 9 * PAGE) != large
    staged.check()


def test_realloc_grows_into_the_free_pages_behind(staged: Guest) -> None:
    above, at, behind = staged.malloc(6 * PAGE), staged.malloc(2 * PAGE), staged.malloc(3 * PAGE)
    early = staged.stage() == "early"
    staged.poke(at + 2 * PAGE - 8, 0x1234)
    staged.free(above if early else behind)
    before = [total(staged), [] if early else counts(staged)]
    assert staged.realloc(at, 5 * PAGE) == at
    assert total(staged)["pages"] == before[0]["pages"] + 3
    assert staged.peek(at + 2 * PAGE - 8) == 0x1234
    staged.poke(at + 5 * PAGE - 8, 0x4321)
    assert staged.peek(at + 5 * PAGE - 8) == 0x4321
    staged.check()
    assert staged.realloc(at, PAGE + 5) == at
    assert [total(staged), [] if early else counts(staged)] == before
    assert staged.free(at) == 2
    staged.check()


def test_what_realloc_adds_has_the_attributes_of_memory(guest: Guest) -> None:
    """What somebody made of the pages that there are stays theirs, and is undone by free."""
    for stage in ("page", "virtual"):
        guest.reset(stage=stage)
        at = guest.malloc(2 * PAGE)
        guest.protect(at, 2, "ro|nx")
        assert guest.realloc(at, 4 * PAGE) == at
        told = [guest.translate(at + page * PAGE).fields["attributes"] for page in range(4)]
        assert told[:2] == ["ro|nx"] * 2 and "ro" not in "".join(map(str, told[2:]))
        guest.poke(at + 3 * PAGE, 1)
        with pytest.raises(errors.FaultProtection):
            guest.poke(at, 1)
        guest.free(at)
        guest.check()
