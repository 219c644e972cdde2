# SPDX-License-Identifier: MIT
"""Counts repeat wherever they are counted: in another folder, with more of an environment, and on a
processor for which the C library would choose other functions."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

import engine
import record
from tests.building import build

ROOT = record.README.parent
PROGRAM = "build/bench/engine_bench"
ELSEWHERE = "a folder with a name that is longer by far"
LESS = "glibc.cpu.hwcaps=-AVX2,-ERMS,-AVX_Fast_Unaligned_Load"


def counted(program: Path, folder: Path) -> list[int]:
    """All that callgrind counts of a workload that clears bytes: instructions, accesses, misses."""
    said = engine.callgrind(str(program), engine.REFERENCE, "mix50", str(folder / "out"),
                            *engine.CACHES)
    found = re.search(r"Collected *:([ \d]+)", said)
    assert found is not None, said
    return [int(word) for word in found[1].split()]


def test_counts_depend_on_nothing_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build("ARCH=native", PROGRAM)
    here = counted(ROOT / PROGRAM, tmp_path)
    elsewhere = tmp_path / ELSEWHERE / "engine_bench"
    elsewhere.parent.mkdir()
    elsewhere.symlink_to(ROOT / PROGRAM)
    monkeypatch.setenv("PFNLAB_TEST", "x" * 1000)
    monkeypatch.setattr(engine, "TUNABLES", f"{engine.TUNABLES}:{LESS}")
    assert counted(elsewhere, tmp_path) == here
