# SPDX-License-Identifier: MIT
"""malloc at random, over the stages of the boot, against the model."""
from __future__ import annotations

import random

import pytest

from pfnlab import Guest
from pfnlab.stream import HeapStream, Stream, VirtualStream, random_map
from pfnlab.twin import Twin

OPERATIONS = 400                  # in each stage
UNDER_WAY = 100


# Some of the maps have memory at the numbers of this window.
@pytest.mark.options("virt=2G:1G")
@pytest.mark.seeds(2, native=10)
def test_objects_are_where_the_model_says_in_every_stage(guest: Guest, seed: int) -> None:
    rng = random.Random(seed)
    twin = Twin(guest, *random_map(rng, most_pages=20000), stage="early")
    heap, pages, virtual = HeapStream(twin, rng), Stream(twin, rng), VirtualStream(twin, rng)
    for stage in ("early", "page", "virtual"):
        if stage != "early":
            twin.do("advance")
        assert guest.stage() == stage
        streams = (heap, heap, heap, pages, virtual) if twin.spans else (heap,)
        for _ in range(OPERATIONS):
            rng.choice(streams).step()
            twin.collect(leave=UNDER_WAY)
        twin.compare_state()
    for address, *_ in twin.oracle.heap.objects():
        twin.post("free", address)
    twin.compare_state()
    assert twin.oracle.heap.slabs == {}
