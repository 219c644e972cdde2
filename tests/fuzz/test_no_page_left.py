# SPDX-License-Identifier: MIT
"""Every command of the guest's table with no free page, against the model."""
from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from pfnlab import Guest, errors
from pfnlab.fuzz import Figures, Life, live
from pfnlab.fuzz_choices import Chooser, Dice
from pfnlab.fuzz_lines import Lines
from pfnlab.memory_map import MemoryMap
from pfnlab.replica import replica_on
from pfnlab.shrink import RENEW
from pfnlab.twin import window
from pfnlab.values import PAGE_SIZE

# Two areas, a limit inside a 2 MiB leaf, a hole.
MAP = MemoryMap([("odd", 0x311000), ("rest", 1 << 52)],
                [(0x300000, 0x40000, "usable"), (0x500000, 0x35000, "usable")])
PAGES = (0x40000 + 0x35000) // PAGE_SIZE
EACH = 4                          # lines of a command
FULL = "alloc_page dontzero=1"
# Of those not drawn: lines for some; what ends the test or has to do with the line; new beginnings.
BY_HAND = ("info", "help alloc_page", "mark text", "echo 5", "stress 100 seed=1", "store 0 check")
OTHERS = {"sync", "again", "trace", "poweroff", "panic", "corrupt"}
AFRESH = ("map_begin", "map_area", "map_add", *RENEW)


def lines_with_no_page(lines: Lines, choose: Chooser) -> Iterator[str]:
    """Take all there is; then some lines of each command, and what one of them gave back is taken:
    a page at most."""
    yield from [FULL] * PAGES
    for command in lines.commands:
        for _ in range(EACH if command.name not in AFRESH else 0):
            yield from (lines.line(choose, command), FULL)
        yield from ["fail"] if command.name == "fail" else []
    yield from BY_HAND


def test_with_no_page_left_every_command_does_what_the_model_says(
        guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = Dice(random.Random("full"))
    life = Life(MAP, "virtual", Lines(guest.table, MAP, window(guest)), choose,
                replica_on(guest, MAP))
    drawn = list(lines_with_no_page(life.lines, choose))
    left = iter(drawn)
    monkeypatch.setattr(life.lines, "line", lambda choose: next(left, "check"))
    figures = Figures()
    assert live(guest, life, figures, len(drawn) * 5 // 4) is None
    assert next(left, None) is None
    assert {*guest.table.commands} - {*figures.words} == {"run", "reset", "map_machine"} | OTHERS
    guest.store(0, FULL)
    with pytest.raises(errors.MemNone):
        guest.run(1)
    blocks = guest.leaks()
    assert sum(int(row[1]) for row in blocks) == PAGES
    for row in blocks:
        guest.free(row[0])
    assert sum(int(row["free"]) for row in guest.dump("areas")) == PAGES
    guest.check()
