# SPDX-License-Identifier: MIT
"""What a search found is shrunk to a few lines and kept so that it shows again, a hang, too."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pfnlab import Guest, errors
from pfnlab.findings import expect, keep
from pfnlab.pool import Pool
from pfnlab.shrink import Shrinker, joined, on_old_map, on_results, referring
from pfnlab.transcript import Mismatch, Step, Transcript, TranscriptError, read_transcript
from pfnlab.trial import Trials
from pfnlab.vigil import Silence

LONG = "stress 100000000 seed=1"  # gives signs of life until it is stopped


def steps_of(*lines: str) -> list[Step]:
    """Lines, numbered from 1 on."""
    return [Step(n, text, n) for n, text in enumerate(lines, 1)]


@pytest.mark.only("native")
def test_what_is_at_work_for_ever_hangs(guest: Guest) -> None:
    with pytest.raises(errors.GuestHung, match="at work for more than 1 s, in: stress"):
        guest.link.wait(guest.submit_line(LONG).request, work=1.0)
    assert guest.link.overdue is not None          # nobody goes on with it


@pytest.mark.only("native")
def test_what_ended_while_nobody_looked_does_not_hang(guest: Guest,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a host that was busy: much time has passed by the guest's clock, and its end is there.
    """
    def pass_long(silence: Silence) -> None:
        silence.seconds = 99.0

    def hear_end() -> None:
        monkeypatch.setattr(Silence, "go_on", right)
        guest.link.on_event = None
        guest.interrupt()
        guest.link.drain()
    right = Silence.go_on
    request = guest.submit_line(LONG).request
    monkeypatch.setattr(guest.link, "poll", hear_end)
    guest.link.on_event = lambda row: monkeypatch.setattr(Silence, "go_on", pass_long)
    final = guest.link.wait(request, work=50.0).final
    assert final is not None and final.words[0] == "stop.interrupted"


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


@pytest.mark.only("native")
def test_what_the_machine_was_like_is_kept(guest: Guest, tmp_path: Path) -> None:
    """A finding on a map that was fed is one on any machine; on the machine's own, on that one."""
    fed = ("map_begin", "map_add 0x100000 64K", "map_commit")
    with Pool() as pool:
        own = keep(pool, "native?memory=96M", steps_of("panic assert"), "it dies", tmp_path)
        other = keep(pool, "native?memory=96M", steps_of(*fed, "check"), "never again", tmp_path)
    assert "\n; with memory=96M\n>1 panic" in own.read_text()
    assert ">3 map_commit" in other.read_text() and "; with" not in other.read_text()


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


def test_what_put_a_result_where_it_is_is_spared_by_saying_so() -> None:
    """Three lines that take the room below."""
    def trial(steps: Sequence[Step]) -> str | None:
        return "wrong" if any(text.endswith("at=0x3000") for text in places(steps).values()) or any(
            step.text == "alloc_page at=0x3000" for step in steps) else None

    def places(steps: Sequence[Step]) -> dict[int, str]:
        return {step.tag: f"{step.text} at={n * 4096:#x}" for n, step in enumerate(steps)
                if " at=" not in step.text}
    steps = steps_of(*["alloc_page"] * 4)
    assert len(Shrinker(steps, trial).run()) == 4
    assert [step.text for step in Shrinker(steps, trial, places=places).run()] == [
        "alloc_page at=0x3000"]
    kept = Shrinker(steps, lambda s: "wrong" if len(s) > 3 else None, places=places)
    assert [step.text for step in kept.run()] == ["alloc_page"] * 4


@pytest.mark.only("native")
def test_places_are_told_of_lines_that_may_be_told_them(guest: Guest) -> None:
    steps = steps_of("map_begin", "map_add 0x100000 16M", "map_commit",
                     "alloc_page", "reserve 0x100000 1", "alloc_pages 1 at=0x200000", "malloc 8",
                     "alloc_pages_area nowhere 1", "nonsense", "alloc_vpages 2", "panic",
                     "alloc_page")
    with Pool() as pool:
        told = Trials(pool, "native").places(steps)
    assert sorted(told) == [4, 10]
    assert told[4] == "alloc_page at=0x0000000001000000"
    assert told[10].startswith("alloc_vpages 2 at=0x")


def test_there_is_an_end_to_shrinking() -> None:
    def trial(steps: Sequence[Step]) -> str | None:
        return "wrong"
    shrinker = Shrinker(steps_of("a", "b", "c"), trial, seconds=-1)
    assert len(shrinker.run()) == 3                # confirmed as it was
    shrinker = Shrinker(steps_of("a", "b", "c"), trial, most=2)
    assert len(shrinker.run()) == 2 and shrinker.tries == 5      # one, one more, and confirmed


def test_what_the_state_shows_is_shrunk_without_an_address() -> None:
    """The block is wrong once it is there; a line that names it must be led to where it is."""
    def trial(steps: Sequence[Step]) -> str | None:
        words = [step.text.split() for step in steps]
        places = [w for w in words if w[0] in ("other", "block")]
        for name, *rest in words[words.index(["block"]) if ["block"] in words else len(words):]:
            if name == "dump" or rest == [str(4096 * places.index(["block"]))]:
                return f"success, where the model says mem.busy, in {name}"
        return None
    steps = steps_of("other", "other", "other", "block", "other", "free 12288", "check")
    assert len(Shrinker(steps, trial).run()) == 5
    shrinker = Shrinker(steps, trial, looks=("dump",))
    assert [step.text for step in shrinker.run()] == ["block", "dump"]
    panic = Shrinker(steps, lambda s: "panic" if trial(s) else None, looks=("dump",))
    assert panic.run()[-1].text == "free 12288"    # no look shows it


def test_an_address_may_become_a_result() -> None:
    assert referring("free 0x1000 2", [1, 4]) == ["free $4 2", "free $1 2"]
    assert referring("alloc_page at=0x1000", [3]) == ["alloc_page at=$3"]
    assert referring("map_add 0x1000 5", [3]) == []


def test_a_result_stands_for_a_page_that_several_lines_name() -> None:
    steps = steps_of("vmalloc 9", "protect 0x5000 1 ro", "peek 0x6000", "poke 0x5010 7")
    assert [[step.text for step in one] for one in on_results(steps)] == [
        ["vmalloc 9", "protect $1 1 ro", "peek 0x6000", "poke $1 7"]]


def test_a_line_stands_for_one_that_refers_to_it() -> None:
    steps = steps_of("memalign 1 7", "realloc $1 2049", "echo $1", "free $2")
    told = [[step.text for step in one] for one in joined(steps)]
    assert told[:3] == [[line, "echo $1", "free $1"] for line in (
        "memalign 1 7", "memalign 2049 7", "memalign 1 2049")]
    assert ["memalign 1 7", "realloc $1 2049", "free $2"] in told
    assert not list(joined(steps_of("free $9", "echo $2")))      # nobody's result, and its own


def test_a_map_becomes_a_reset_to_its_stage() -> None:
    made = steps_of("check", "map_begin", "map_add 0 4096", "map_commit stage=page", "free $4")
    told = [(step.tag, step.text) for step in on_old_map(made)]
    assert told == [(1, "check"), (4, "reset stage=page"), (5, "free $4")]
    assert on_old_map(made[:1]) == made[:1]


def test_a_failure_is_shrunk_to_fewer_lines_than_any_of_them_alone() -> None:
    """It needs a stage, and an object of that size that is resized once."""
    def trial(steps: Sequence[Step]) -> str | None:
        words = [step.text.split() for step in steps]
        made = [w for w in words if w[0] == "malloc" and 32 <= int(w[1]) < 4096]
        resized = [w for w in words if w[0] == "realloc"]
        staged = [w for w in words if "stage=page" in w]
        return "wrong" if staged and resized and (made or len(resized) > 1) else None
    steps = steps_of("map_begin", "map_add 0 4096", "map_commit stage=page", "malloc 8",
                     "realloc $4 77", "realloc $5 4097", "check")
    assert [step.text for step in Shrinker(steps, trial).run()] == [
        "reset stage=page", "malloc 32", "realloc $4 0"]


@pytest.mark.only("native")
def test_what_the_model_does_not_follow_is_expected_as_it_was(guest: Guest) -> None:
    transcript = Transcript("")
    transcript.steps = steps_of("store 0 malloc 8", "run 1", "malloc 32", "free 0", "corrupt lead",
                                "check")
    with Pool() as pool:
        expect(Trials(pool, "native"), transcript.steps)
    told = [step.final.raw for step in transcript.steps if step.final is not None]
    assert told == ["=1", "=2", "=3", "?4 mem.unmanaged", "=5", "=6"]
    with pytest.raises(Mismatch):
        transcript.replay(guest)
