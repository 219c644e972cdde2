# SPDX-License-Identifier: MIT
"""Sweeps: every attempt to get memory refused once, and what is left behind named."""
from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pfnlab import Guest
from pfnlab.cli import main
from pfnlab.pool import Pool
from pfnlab.sweep import Sweep
from pfnlab.transcript import Transcript
from pfnlab.trial import Trials
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
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


def test_attempts_are_counted_over_maps_and_resets(trials: Trials) -> None:
    script = Transcript(">1 alloc_page\n>2 map_begin\n>3 map_add 1M 1M\n>4 map_commit\n"
                        ">5 alloc_page\n>6 alloc_page\n>7 reset\n>8 alloc_page\n")
    sweep = Sweep(trials, script.steps, "frames")
    assert sweep.run() == []
    assert sweep.attempts == 4


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


@pytest.fixture
def leaking(tmp_path: Path, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guests come from a tree whose vmalloc keeps frames when a later one is refused."""
    tree = tmp_path / "tree"
    for name in ("Makefile", "run-guest.sh"):
        tree.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    for name in ("arch", "kernel", "protocol", "build/native"):
        shutil.copytree(ROOT / name, tree / name)
    mutant = next(m for m in MUTANTS if m.name == "a refused vmalloc keeps its frames")
    path = tree / mutant.file
    assert path.read_text().count(mutant.old) == 1
    path.write_text(path.read_text().replace(mutant.old, mutant.new))
    monkeypatch.setenv("PFNLAB_HOME", str(tree))


@pytest.mark.usefixtures("leaking")
def test_an_error_path_that_leaks_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]
                                           ) -> None:
    path = tmp_path / "s.t"
    path.write_text(SCENARIO.text())
    assert main(["--json", "sweep", str(path), "--what", "frames"]) == 1
    *findings, end = map(json.loads, capsys.readouterr().out.splitlines())
    assert end == {"attempts": 12, "findings": len(findings)}
    assert {found["request"] for found in findings} == {"vmalloc 40K"}
    # The 1st attempt is alloc_pages, the 2nd vmalloc's first frame: it had nothing to keep yet.
    assert {found["attempt"] for found in findings} == set(range(3, 12))
    assert any(found["what"].startswith("left behind: ") and "owner=" in found["what"]
               for found in findings)


def test_the_command_tells_how_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.t"
    path.write_text(SCENARIO.text())
    assert main(["sweep", str(path), "--what", "frames"]) == 0
    assert "12 attempts refused one by one, 0 left something behind" in capsys.readouterr().out
    assert main(["sweep", str(path), "--what", "bananas"]) == 2
    assert "call.word arg=what" in capsys.readouterr().err
