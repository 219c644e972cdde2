# SPDX-License-Identifier: MIT
"""Early memory at random on random maps, then the hand-over, against the model."""
from __future__ import annotations

import random

import pytest

from pfnlab import Guest
from pfnlab.stream import EarlyStream, random_map
from pfnlab.twin import Twin

OPERATIONS = 200


@pytest.mark.parametrize("seed", range(8))
def test_early_memory_and_the_hand_over_are_as_the_model_says(guest: Guest, seed: int) -> None:
    rng = random.Random(seed)
    areas, ranges = random_map(rng, most_pages=20000)
    twin = Twin(guest, areas, ranges, stage="early")
    stream = EarlyStream(twin, rng, ranges)
    for _ in range(OPERATIONS):
        stream.step()
    twin.do("phys_hand_over")
    for block in stream.blocks:
        twin.post("phys_free", block)
    twin.compare_state()
