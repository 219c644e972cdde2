# SPDX-License-Identifier: MIT
"""Sweeps: every attempt to get memory refused once, and what is left behind named."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pfnlab import Guest
from pfnlab.cli import main
from pfnlab.pool import Pool
from pfnlab.sweep import Sweep
from pfnlab.transcript import Transcript
from pfnlab.trial import Trials

SCENARIO = Transcript("""
>1 alloc_pages 3
>2 vmalloc 40K
>3 alloc_page
>4 vfree $2
>5 free $1
>6 free $3
""")

pytestmark = pytest.mark.only("native")


@pytest.fixture
def trials(guest: Guest, guest_name: str) -> Iterator[Trials]:
    with Pool() as pool:
        yield Trials(pool, guest_name)


def test_every_attempt_is_refused_once_and_nothing_is_left(trials: Trials) -> None:
    sweep = Sweep(trials, SCENARIO.steps, "frames")
    assert sweep.run() == []
    assert sweep.attempts == 12                # 1, 10 pages of vmalloc, 1


def test_tables_and_the_pool_are_swept_too(trials: Trials) -> None:
    for what in ("tables", "pool"):
        sweep = Sweep(trials, SCENARIO.steps, what)
        assert sweep.run() == []
        assert sweep.attempts > 0


def test_what_a_refused_command_changed_is_named(trials: Trials) -> None:
    sweep = Sweep(trials, SCENARIO.steps, "frames")
    sweep._before = sweep._untouched()
    sweep._before[1] = sweep._before[0]         # as if line 2 had left pages behind
    for number in range(1, 4):
        sweep._attempt(number)
    assert [(f.attempt, f.step.tag) for f in sweep.findings] == [(2, 2), (3, 2)]
    assert "attempt 2 refused in line 3: >2 vmalloc 40K" in str(sweep.findings[0])


def test_the_command_tells_how_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.t"
    path.write_text(SCENARIO.text())
    assert main(["sweep", str(path), "--what", "frames"]) == 0
    assert "12 attempts refused one by one, 0 left something behind" in capsys.readouterr().out
