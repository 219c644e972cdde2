# SPDX-License-Identifier: MIT
"""The words of a schedule: they run it again, and words that are none of the scenario say so."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.building import build

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "build/native/interleave/interleave"


@pytest.fixture(scope="module", name="program")
def built_program() -> Path:
    """Built by `make test` already; or else now."""
    build("ARCH=native", PROGRAM)
    return ROOT / PROGRAM


def run(program: Path, *words: str) -> tuple[int, str, str]:
    """The exit status, the last line and all that is said of errors."""
    done = subprocess.run([program, *words], capture_output=True, check=False, text=True,
                          timeout=60)
    return done.returncode, (done.stdout.splitlines() or [""])[-1], done.stderr


def test_a_schedule_runs_again(program: Path) -> None:
    assert run(program, "planted-late", "0>1")[:2] == (1, "planted-late: one was taken twice")
    assert run(program, "planted-late")[:2] == (0, "planted-late: passed")
    assert run(program, "pages-of-three", "3>2", "9>1")[:2] == (0, "pages-of-three: passed")


@pytest.mark.parametrize("words", [
    ["banana"], ["planted-late", "x"], ["planted-late", "0>2"], ["planted-late", "0>1,"],
    ["planted-late", "3>1", "1>0"], ["planted-late", "1>1", "1>0"],
    ["pages", "1>1", "2>0", "3>1", "4>0"]])
def test_what_is_no_schedule_is_refused(program: Path, words: list[str]) -> None:
    code, last, error = run(program, *words)
    assert (code, last) == (2, "") and "usage: " in error


def test_a_step_that_never_came_is_no_pass(program: Path) -> None:
    """Words of an older build may tell of more steps than there are now."""
    code, last, error = run(program, "pages-of-three", "3>2", "4000>1")
    assert code == 2 and "passed" not in last
    assert "it ended before the last step" in error
