# SPDX-License-Identifier: MIT
"""Operations at random on random maps, many under way at once, against the model."""
from __future__ import annotations

import random

import pytest

from pfnlab import Guest
from pfnlab.stream import Stream, VirtualStream, random_map
from pfnlab.twin import Twin

OPERATIONS = 1500
UNDER_WAY = 100


@pytest.mark.seeds(3, native=14, x86_64=5)
def test_guest_and_model_agree_on_every_answer_and_on_the_end(guest: Guest, seed: int) -> None:
    rng = random.Random(seed)
    twin = Twin(guest, *random_map(rng))
    while not (twin.oracle.pages and twin.oracle.pages.runs):      # not a whole page
        twin = Twin(guest, *random_map(rng))
    stream, virtual = Stream(twin, rng), VirtualStream(twin, rng)
    for _ in range(OPERATIONS):
        rng.choice((stream, stream, virtual)).step()
        twin.collect(leave=UNDER_WAY)
    twin.compare_state()
    for name, address, _ in virtual.ranges:
        twin.post(virtual.FREES[name], address)
    for address, _, _ in twin.oracle.allocated():
        twin.post("free", address)
    twin.compare_state()
