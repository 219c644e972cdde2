# SPDX-License-Identifier: MIT
"""The reference engine behind the same commands: what names no address runs on it as it is, and its
own model foretells its addresses. All the rest runs with --guest 'native?engine=list'."""
from __future__ import annotations

import random
from pathlib import Path

import pytest

from pfnlab import Guest
from pfnlab.plugin import acquire, with_options
from pfnlab.stream import Stream, VirtualStream, random_map
from pfnlab.transcript import Transcript
from pfnlab.twin import Twin

OPERATIONS = 700
pytestmark = [pytest.mark.only("native"), pytest.mark.options("engine=list")]


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.t")), ids=lambda p: p.stem)
def test_a_transcript_holds_whatever_the_engine(request: pytest.FixtureRequest, guest_name: str,
                                                path: Path) -> None:
    transcript = Transcript(path.read_text("ascii"), str(path))
    guest = acquire(request.config, with_options(guest_name, transcript.options))
    transcript.replay(guest)
    guest.check()


@pytest.mark.parametrize("seed", range(3))
def test_guest_and_model_agree_on_every_answer_of_the_list(guest: Guest, seed: int) -> None:
    assert guest.info().fields["engine"] == "list"
    rng = random.Random(seed)
    twin = Twin(guest, *random_map(rng))
    streams = (Stream(twin, rng), Stream(twin, rng), VirtualStream(twin, rng))
    for _ in range(OPERATIONS):
        rng.choice(streams).step()
        twin.collect(leave=100)
    twin.compare_state()
