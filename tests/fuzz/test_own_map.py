# SPDX-License-Identifier: MIT
"""Lives on a machine's own map: its memory is foretold, too, byte by byte, red zones included."""
from __future__ import annotations

import random

import pytest

from pfnlab import Guest, errors, wire
from pfnlab.fuzz import Figures, live, new_life
from pfnlab.memory_map import map_of
from pfnlab.pool import Pool
from pfnlab.replica import Exchange, Lost, replica_of
from pfnlab.transcript import Step
from pfnlab.trial import Trials

ZONES = ("malloc 10 redzone=1", "realloc $1 20", "realloc $2 5000", "poke $3 7 width=1",
         "realloc $3 4090", "vmalloc 4090 redzone=1 attributes=ro", "vmalloc 4090 redzone=1",
         "translate $7", "fill $7 1", "vfree $7", "poke $6 1", "vfree $7 force=1", "vfree $6",
         "memalign 64 100 redzone=1", "fill $14 1", "free $14", "realloc $14 9", "free $14 force=1",
         "alloc_page", "fill $19 seed=5", "vmap $19 4096", "peek $21", "protect $19 1 ro",
         "poke $21 3", "verify $19 seed=5", "poke $19 1", "calloc 3 5", "peek $27", "alloc_page",
         "peek $29", "vmalloc 5000", "peek $31", "poke $31 0x123456789a", "peek $31 width=4",
         "malloc 1 redzone=1", "poke $35 5 width=1", "peek $35", "dump heap")


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


@pytest.mark.only("native", "x86_64", "i386")      # s390x has a table for the page already
def test_a_page_whose_attributes_were_refused_may_have_been_handed_out(guest: Guest) -> None:
    model = replica_of(guest, map_of(guest))
    guest.fail(what="tables", nth=1)
    with pytest.raises(errors.MemInjected) as caught:
        guest.alloc_pages_ro(0)
    guest.fail()
    assert any(row["fresh"] == 0 for row in guest.dump("pages") if row[2] == "free")
    final = wire.parse(f"?1 {caught.value.code}".encode())
    with pytest.raises(Lost):
        model.follow(Exchange(1, "alloc_pages_ro 0", final, []))
