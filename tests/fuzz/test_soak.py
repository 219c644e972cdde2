# SPDX-License-Identifier: MIT
"""The figures of `make soak`, each kind for a moment."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pfnlab import Guest
from pfnlab.request import Request
from pfnlab.transcript import read_transcript
from tests.fuzz import soak

MOMENT = 0.0                      # seconds: one life, or one slice
PROGRAM = Path(soak.__file__)


@pytest.mark.only("native")
@pytest.mark.parametrize(("title", "kind"), [
    ("model native", partial(soak.against_the_model, "native")),
    ("twins x2", partial(soak.twins, ["native", "native?engine=tree"])),
    ("hostile native", partial(soak.hostile, "native"))], ids=["model", "twins", "hostile"])
def test_a_kind_tells_what_it_did(guest: Guest, title: str, kind: soak.Kind) -> None:
    result = soak.Result(title)
    soak.run(kind, result, MOMENT, None, seed=3)      # a life that is not early to its end
    assert result.done > 0 and result.refused >= 0
    assert (result.differences, result.deaths, result.recoveries) == (0, 0, 0)
    assert result.bytes_out > result.done and result.bytes_in > result.done
    if not result.kind.startswith("hostile"):
        assert result.resets > 0 and len(result.states) > 0
    else:
        assert result.refused > result.done // 2
    row = soak.table([result]).splitlines()[1]
    assert row.startswith(result.kind) and row.split(result.kind)[1].split()[0] == str(result.done)


@pytest.mark.only("native")
def test_what_twins_differ_in_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    """One of them allocates an order more."""
    def submit(guest: Guest, words: list[Any]) -> Request:
        whole = " ".join(map(str, words)).split(" ")
        if guest.spec.option("engine") and whole[:2] == ["alloc_pages", "2"]:
            words = [" ".join(["alloc_pages", "3", *whole[2:]])]
        return as_ever(guest, words)
    as_ever = Guest.submit_words
    monkeypatch.setattr(Guest, "submit_words", submit)
    monkeypatch.setattr(soak, "FOUND", tmp_path)
    result = soak.Result("twins x2")
    soak.run(partial(soak.twins, ["native", "native?engine=tree"]), result, MOMENT, None, seed=1)
    path, = tmp_path.iterdir()
    assert (result.differences, result.deaths) == (1, 0)
    assert f"\n  {path}\n  pfnlab --guest 'native?engine=tree' replay {path}" \
        in capsys.readouterr().out
    assert len(read_transcript(path).steps) <= 6, path.read_text()


@pytest.mark.only("native")
def test_what_libfuzzer_says_is_read(guest: Guest) -> None:
    result = soak.Result("coverage-guided ops")
    soak._read_libfuzzer(result, "INFO: Loaded 1 modules   (999 inline 8-bit counters): x\n"
                         "#2\tINITED cov: 5 ft: 6\n#512\tpulse  cov: 77 ft: 99\n1234 operations\n")
    assert (result.done, result.resets, result.coverage) == (1234, 512, "77/999 edges")


@pytest.mark.only("native")
def test_what_libfuzzer_finds_is_told(guest: Guest, tmp_path: Path, capsys: Any,
                                      monkeypatch: pytest.MonkeyPatch) -> None:
    """A fuzzer that fails at once, and a target that tells why."""
    programs = {"build/fuzz/clang-19": "echo 'Test unit written to found/ops-crash-1'; exit 77",
                "build/native/tests/fuzz": 'echo ">1 $PFNLAB_SCRIPT $1"'}
    for directory, what in programs.items():
        (tmp_path / directory).mkdir(parents=True)
        program = tmp_path / directory / "fuzz_ops"
        program.write_text(f"#!/bin/sh\n{what}\n")
        program.chmod(0o755)
    monkeypatch.setattr(soak, "ROOT", tmp_path)
    monkeypatch.setattr(soak, "FOUND", tmp_path / "found")
    result = soak.Result("coverage-guided ops")
    soak.run(partial(soak.coverage_guided, "ops"), result, MOMENT, None, seed=1)
    assert result.differences == 1
    told = capsys.readouterr().out
    assert "found: found/ops-crash-1; " in told and ">1 1 found/ops-crash-1" in told


@pytest.mark.only("native")
def test_a_soak_that_is_stopped_tells_what_there_is_until_then(guest: Guest, tmp_path: Path
                                                               ) -> None:
    """A person's ^C in the middle of the second kind, which never ends by itself."""
    script = ("import sys; sys.argv[1:] = ['--commands', '100000000', '--seed', '7', 'native']\n"
              f"sys.path.insert(0, {str(soak.ROOT)!r})\n"
              "from tests.fuzz import soak\n"
              "import pfnlab.progress as progress\n"
              "progress.LINE_INTERVAL = 0\n"
              "soak.kinds = lambda guests: list(every(guests))[2:]\n"
              "sys.exit(soak.main())\n").replace("soak.kinds =", "every = soak.kinds\nsoak.kinds =")
    (tmp_path / "script.py").write_text(script)
    with subprocess.Popen([sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        while not re.match(r"model native: \d{3,} of 100000000, \d+/s, \d+ s left", line):
            line = process.stderr.readline()
            assert line, "it has ended"
        os.killpg(process.pid, signal.SIGINT)
        told, _ = process.communicate()
    assert process.returncode == soak.EXIT_INTERRUPTED, told
    lines = told.splitlines()
    assert lines[0] == "seed 7" and lines[-1] == "stopped by ^C"
    assert re.match(r"model native +\d{3,} ", lines[-2])
