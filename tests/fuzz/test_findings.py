# SPDX-License-Identifier: MIT
"""What a search found is shrunk to a few lines and kept so that it shows again, a hang, too."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pfnlab import Guest, errors
from pfnlab.findings import expect, keep
from pfnlab.pool import Pool
from pfnlab.shrink import Shrinker, referring
from pfnlab.transcript import Mismatch, Step, Transcript, TranscriptError, read_transcript
from pfnlab.trial import Trials

LONG = "stress 100000000 seed=1"  # gives signs of life until it is stopped


def steps_of(*lines: str) -> list[Step]:
    """Lines, numbered from 1 on."""
    return [Step(n, text, n) for n, text in enumerate(lines, 1)]


@pytest.mark.only("native")
def test_what_is_at_work_for_ever_hangs(guest: Guest) -> None:
    with pytest.raises(errors.GuestHung, match="at work for more than 0.3 s, in: stress"):
        guest.link.wait(guest.submit_line(LONG).request, work=0.3)
    assert guest.link.overdue is not None          # nobody goes on with it


@pytest.mark.only("native")
def test_a_hang_is_shrunk(guest: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pfnlab.trial.LONGEST", 0.2)
    monkeypatch.setattr("pfnlab.trial.HASTY", 0.1)
    with Pool() as pool:
        steps = steps_of("malloc 8", "panic hang", "check")
        path = keep(pool, "native", steps, "it hangs", tmp_path)
    assert "GuestHung in panic" in path.read_text()
    kept = read_transcript(path)
    assert [step.text for step in kept.steps] == ["panic hang"]
    kept.within = 0.1
    with pytest.raises(errors.GuestHung):
        kept.replay(guest)


@pytest.mark.only("native")
def test_a_transcript_tells_how_long_is_too_long(guest: Guest) -> None:
    transcript = Transcript(f"; within 0.2\n>1 {LONG}\n")
    assert Transcript(transcript.text()).within == 0.2
    with pytest.raises(errors.GuestHung, match="at work for more than 0.2 s"):
        transcript.replay(guest)
    with pytest.raises(TranscriptError, match="a number of seconds"):
        Transcript("; within reach\n")


def test_haste_is_for_hangs_alone() -> None:
    def trial(steps: Sequence[Step]) -> str | None:
        return signature if any(step.text == "bad" for step in steps) else None

    def hasty(steps: Sequence[Step]) -> str | None:
        asked.append(len(steps))
        return trial(steps)
    asked: list[int] = []
    signature = "panic"
    assert len(Shrinker(steps_of("a", "b", "bad"), trial, hasty=hasty).run()) == 1 and not asked
    signature = "GuestHung in bad"
    assert len(Shrinker(steps_of("a", "b", "bad"), trial, hasty=hasty).run()) == 1 and asked


def test_there_is_an_end_to_shrinking() -> None:
    def trial(steps: Sequence[Step]) -> str | None:
        return "wrong"
    shrinker = Shrinker(steps_of("a", "b", "c"), trial, seconds=-1)
    assert len(shrinker.run()) == 3                # confirmed as it was


def test_an_address_may_become_a_result() -> None:
    assert referring("free 0x1000 2", [1, 4]) == ["free $4 2", "free $1 2"]
    assert referring("alloc_page at=0x1000", [3]) == ["alloc_page at=$3"]
    assert referring("map_add 0x1000 5", [3]) == []


@pytest.mark.only("native")
def test_what_the_model_does_not_follow_is_expected_as_it_was(guest: Guest) -> None:
    transcript = Transcript("")
    transcript.steps = steps_of("malloc 32", "free 0", "corrupt lead", "check")
    with Pool() as pool:
        expect(Trials(pool, "native"), transcript.steps)
    told = [step.final.raw for step in transcript.steps if step.final is not None]
    assert told == ["=1", "?2 mem.unmanaged", "=3", "=4"]
    with pytest.raises(Mismatch):
        transcript.replay(guest)
