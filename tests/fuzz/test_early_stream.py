# SPDX-License-Identifier: MIT
"""Early memory at random on random maps, then the hand-over, against the model."""
from __future__ import annotations

import random

import pytest

from pfnlab import Guest
from pfnlab.twin import Range, Twin, random_map

OPERATIONS = 200


def around(rng: random.Random, ranges: list[Range]) -> int:
    """An address near an edge of the map."""
    base, size, _ = rng.choice(ranges)
    return max(0, base + rng.choice((0, size, rng.randrange(size + 1))) + rng.randrange(-70, 70))


@pytest.mark.parametrize("seed", range(8))
def test_early_memory_and_the_hand_over_are_as_the_model_says(guest: Guest, seed: int) -> None:
    rng = random.Random(seed)
    areas, ranges = random_map(rng, most_pages=20000)
    twin = Twin(guest, areas, ranges, stage="early")
    blocks: list[int] = []
    for _ in range(OPERATIONS):
        choice = rng.random()
        if choice < 0.55:
            keys = {key: value for key, value in (
                ("align", 1 << rng.randrange(16)), ("min", around(rng, ranges)),
                ("max", around(rng, ranges)), ("from_", "low")) if rng.random() < 0.3}
            size = rng.choice((1, 31, 4096, rng.randrange(1, 1 << 14), rng.randrange(1, 1 << 22)))
            at = twin.post("phys_alloc", size, **keys)
            blocks += [at] if at is not None else []
        elif choice < 0.9 and blocks:
            twin.post("phys_free", blocks.pop(rng.randrange(len(blocks))))
        elif choice < 0.97:
            twin.post("phys_free", around(rng, ranges))
        else:
            twin.post("phys_set_minimum_alignment", 1 << rng.randrange(13))
    twin.do("phys_hand_over")
    for block in blocks:
        twin.post("phys_free", block)
    twin.compare_state()
