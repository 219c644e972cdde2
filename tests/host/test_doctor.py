# SPDX-License-Identifier: MIT
"""`pfnlab doctor`: what is there, what is missing, what is left."""
from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import pfnlab
from pfnlab import doctor

HOST = Path(pfnlab.__file__).parents[1]

pytestmark = pytest.mark.only("native")


@pytest.fixture(autouse=True)
def _one_guest(guest_name: str) -> None:
    """These tests start no guests; once is enough."""


def run(*words: str, **more: str) -> str:
    """What the command says."""
    return subprocess.run([sys.executable, "-m", "pfnlab", "doctor", *words], text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(HOST), **more}, check=True,
                          capture_output=True).stdout


def test_the_doctor_says_what_is_there() -> None:
    assert str(HOST.parent) in run()
    findings = {f["what"]: f for f in map(json.loads, run("--json").splitlines())}
    assert {"python", "rich", "guest native"} <= set(findings)
    assert "qemu-system-x86" in findings["packages, x86"]["text"].split()


def test_the_doctor_says_what_is_missing_and_how_to_get_it(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "arch/any").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/packages").write_text(f"""# GROUP PACKAGE PROBE REASON
tests  shell  sh               runs scripts
large+ lib    {tmp_path}/*.so  for comparison
large+ gone   {tmp_path}/*.a   more of it
""")
    (tmp_path / "arch/any/packages").write_text("any? tool no-such-program  draws\n")
    (tmp_path / "lib.so").touch()
    assert [one.data() for one in doctor.packages(tmp_path)] == [
        {"what": "tool", "state": "missing", "text": "draws (any?): ./arch/deps.sh any"},
        {"what": "packages, tests", "state": "ok", "text": "shell"},
        {"what": "gone", "state": "missing", "text": "more of it (large+): ./arch/deps.sh large"},
        {"what": "packages, large", "state": "ok", "text": "lib"}]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    told = {one.what: one for one in doctor.examine()}
    assert (told["rich"].state, told["rich"].text.partition(": ")[2]) == (
        "missing", "apt install python3-rich")


def test_the_doctor_removes_what_a_killed_run_left(tmp_path: Path) -> None:
    left = tmp_path / "pfnlab-4194304-abc"
    left.mkdir()
    (tmp_path / "pfnlab-4194304-def").mkdir()
    for words, there in (((), True), (("--clean",), False)):
        told, = (line for line in run(*words, TMPDIR=str(tmp_path)).splitlines()
                 if str(tmp_path) in line)
        assert str(left) in told and "2 of runs that were killed" in told
        assert left.exists() == there


def test_a_run_that_ends_while_the_doctor_looks_left_nothing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ending = tmp_path / "pfnlab-4194304-abc"
    ending.mkdir()
    really = Path.exists

    def exists(path: Path) -> bool:
        if str(path) == "/proc/4194304":          # it ends, and before that it removes its own
            ending.rmdir()
        return really(path)
    monkeypatch.setattr(Path, "exists", exists)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert list(doctor.examine())[-1].state != doctor.LEFT and not ending.is_dir()
