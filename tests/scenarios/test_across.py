# SPDX-License-Identifier: MIT
"""S39: what begins below 4 GiB and ends above. On a PC nothing can be mapped there."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors

FOUR_GIB = 1 << 32
TEXT = b"a string across the edge"

pytestmark = [pytest.mark.only("native", "s390x"), pytest.mark.options("virt=3G:2G")]


def test_a_string_goes_on_beyond_4_gib(guest: Guest) -> None:
    start = FOUR_GIB - len(TEXT) // 2
    text = guest.vmalloc("8K", at=FOUR_GIB - 4096)
    for place, letter in enumerate(TEXT, start):
        guest.poke(place, letter, width=1)
    assert bytes(guest.peek(place, width=1) for place in range(start, start + len(TEXT))) == TEXT
    guest.vfree(text)
    for place in (FOUR_GIB - 1, FOUR_GIB):
        with pytest.raises(errors.FaultAddress):
            guest.peek(place, width=1)
    guest.check()
