# SPDX-License-Identifier: MIT
"""What the model reads in a line, and refuses of it, is what the guest does."""
from __future__ import annotations

import pytest

from pfnlab import Guest, wire
from pfnlab.memory_map import MemoryMap
from pfnlab.replica import Exchange, Replica
from pfnlab.twin import window

MAP = MemoryMap([("low", 1 << 24), ("rest", 1 << 52)], [(0x100000, 0x800000, "usable")])
# The first mistake from left to right is told.
MISTAKES = {
    "alloc_pages": "call.missing", "alloc_pages 1 2": "call.surplus",
    "alloc_pages 19": "call.range", "alloc_pages 010": "call.number",
    "alloc_pages -1": "call.number", "alloc_pages 0x": "call.number",
    "alloc_pages 0x11111111111111111": "call.number", "alloc_pages 16777216T": "call.range",
    "alloc_pages 18446744073709551616": "call.range", "alloc_pages $": "call.reference",
    "alloc_pages $x": "call.number", "alloc_pages $v": "call.number",
    "alloc_pages $v256": "call.reference", "alloc_pages 0 align=3": "call.align",
    "alloc_pages 0 align=0 banana=1": "call.align", "alloc_pages banana=1 x": "call.key",
    "alloc_pages 0 order=1": "call.twice", "alloc_pages 0 as=1 as=2": "call.twice",
    "alloc_pages 0 area=low|none": "call.area", "alloc_pages 0 attributes=ro|ro": "call.twice",
    "alloc_pages 0 attributes=rw|ro": "call.conflict", "alloc_pages 0 attributes=x": "call.word",
    "dump x": "call.word", "owner Low": "call.word", "mark": "call.missing",
    "alloc_pages $+": "call.number", "alloc_pages $v+1": "call.number",
    "alloc_pages $+x": "call.number", "alloc_pages $+$": "call.number",
    "alloc_pages $+18446744073709551616": "call.range", "alloc_pages $1+1+1": "call.number",
    "alloc_pages $18446744073709551616": "call.number",
    "alloc_pages $v18446744073709551616+1": "call.number",
    "alloc_pages $v255+1": "call.reference", "alloc_pages 1+1": "call.number",
    "peek 0x1000 width=3": "call.range", "echo -": "call.number",
}


@pytest.fixture
def model(guest: Guest) -> Replica:
    """Of the guest, on a map of both."""
    MAP.inject(guest)
    model = Replica(guest.table, MAP, window=window(guest))
    for text in ("map_begin", *MAP.lines(), "map_commit"):
        model.follow(Exchange(1, text, wire.parse(b"=1")))
    return model


def first_word(guest: Guest, model: Replica, text: str) -> str:
    """Of the guest's answer, which is the model's, too."""
    request = guest.submit_line(text).request
    guest.link.wait(request, guest.timeout)
    assert request.final is not None
    assert model.follow(Exchange(request.tag, request.text(), request.final)) is None, text
    return request.final.words[0]


def test_both_refuse_the_same_mistake(guest: Guest, model: Replica) -> None:
    for text, code in MISTAKES.items():
        assert first_word(guest, model, text) == code, text


def test_both_find_what_is_behind_a_result(guest: Guest, model: Replica) -> None:
    first_word(guest, model, "alloc_pages 1 as=3")
    assert first_word(guest, model, "free $+4096") == "mem.inside"
    assert first_word(guest, model, "free $v3+4K 1") == "1"
    assert first_word(guest, model, "free $v3+0xffffffffffffffff") == "call.range"


@pytest.mark.only("native")
@pytest.mark.parametrize("text, said, told", [
    ("alloc_pages 19", "=9 0x0000000000100000", "? call.range"),
    ("dump x", "=9 n=1", "? call.word"),
    ("alloc_pages 0", "?9 call.range arg=order", "= 0x0000000000100000"),
    ("free $1", "=9 1", "? call.reference"),
    ("vmalloc 1", "?9 mem.none", "= "),
    ("malloc 16", "?9 mem.none", "= "),
])
def test_another_answer_is_told(model: Replica, text: str, said: str, told: str) -> None:
    assert str(model.follow(Exchange(9, text, wire.parse(said.encode())))).startswith(told)


@pytest.mark.only("native")
def test_results_are_kept_for_as_many_requests_as_the_guest_keeps_them(model: Replica) -> None:
    def say(tag: int, text: str, said: str) -> str | None:
        return model.follow(Exchange(tag, text, wire.parse(f"{said[0]}{tag}{said[1:]}".encode())))
    assert say(2, "alloc_page as=3", "= 0x0000000000100000") is None
    assert say(3, "echo $v3", "= 0x0000000000100000") is None
    assert say(258, "alloc_page at=$2", "? mem.busy at=0x0000000000100000") is None
    assert say(259, "echo $", "? call.reference") is None
    assert say(260, "free $2", "? call.reference") is None
    assert say(261, "free $v3", "= 1") is None
    assert say(262, "reset", "=") is None
    assert say(263, "free $v3", "? call.reference") is None
