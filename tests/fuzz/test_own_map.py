# SPDX-License-Identifier: MIT
"""Lives on a machine's own map: its memory is foretold, too, byte by byte, red zones included."""
from __future__ import annotations

import random

import pytest

from pfnlab import Guest
from pfnlab.fuzz import Figures, live, new_life
from pfnlab.pool import Pool
from pfnlab.transcript import Step
from pfnlab.trial import Trials

ZONES = ("malloc 10 redzone=1", "realloc $1 20", "realloc $2 5000", "poke $3 7 width=1",
         "realloc $3 4090", "vmalloc 4090 redzone=1 attributes=ro", "vmalloc 4090 redzone=1",
         "translate $7", "fill $7 1", "vfree $7", "poke $6 1", "vfree $7 force=1", "vfree $6",
         "memalign 64 100 redzone=1", "fill $14 1", "free $14", "realloc $14 9", "free $14 force=1",
         "alloc_page", "fill $19 seed=5", "vmap $19 4096", "peek $21", "protect $19 1 ro",
         "poke $21 3", "verify $19 seed=5", "poke $19 1", "calloc 3 5", "peek $27", "dump heap")


@pytest.mark.parametrize("stage", ["early", "page", "virtual"])
def test_memory_is_as_the_model_says(guest: Guest, stage: str,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pfnlab.fuzz.OWN", 1.0)
    life = new_life(guest, random.Random(f"own map/{stage}"))
    assert life.own
    life.stage = stage
    figures = Figures()
    assert live(guest, life, figures, 150) is None
    assert life.steps[0].text == f"map_machine stage={stage}"


@pytest.mark.only("native")
def test_red_zones_are_foretold(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [Step(n, text, n) for n, text in enumerate(ZONES, 1)]
    with Pool() as pool:
        trials = Trials(pool, "native")
        assert trials.failure(steps) is None
        monkeypatch.setattr("pfnlab.model_heap.Heap._inspect", lambda heap, place: None)
        assert trials.failure(steps) == "mem.overrun, where the model says success, in free"
