# SPDX-License-Identifier: MIT
"""The hostile wire in short; `make hostile` goes on with it. And a line that hears itself."""
from __future__ import annotations

import pytest

from pfnlab import Guest
from tests.fuzz.hostile import Attack, Hostile
from tests.scenarios.support import Wire

LINES = {"native": 1500}
ROUNDS = 5                        # until a loop is silent


def test_each_line_is_answered_as_it_must(guest: Guest) -> None:
    Attack(guest, seed=1).run(LINES.get(guest.arch, 300))


@pytest.mark.only("native")
def test_a_missing_final_is_noticed(guest: Guest) -> None:
    attack = Attack(guest, seed=1)
    guest.link.raw(b"> echo 1\n>77 echo 9\n")
    with pytest.raises(Hostile, match="1 finals to 2 lines"):
        attack.expect(2, "=77 9")


def test_a_guest_that_hears_itself_falls_silent(guest: Guest) -> None:
    line = Wire(guest)
    heard = line.talk(b"> areas\n> help\n> nonsense\n> trace 1\n> alloc_page\n> trace 0\n")
    assert len(heard) > 50 and any(text.startswith("%") for text in heard)
    for _ in range(ROUNDS):
        said: list[str] = []
        for i in range(0, len(heard), 10):
            said += line.talk("".join(f"{text}\r\n" for text in heard[i:i + 10]).encode())
        heard = said
    assert heard == []
