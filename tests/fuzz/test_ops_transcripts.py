# SPDX-License-Identifier: MIT
"""What fuzz_ops tells of an input of the heap does the same on a guest: sizes that change, what is
written, red zones."""
from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from pfnlab import Guest
from pfnlab.transcript import Transcript
from tests.building import build

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "build/native/tests/fuzz/fuzz_ops"
HEAP = 3                          # the first byte of its inputs
INPUTS = 8


@pytest.fixture(scope="module")
def transcripts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of inputs at random."""
    build("ARCH=native", PROGRAM)
    path = tmp_path_factory.mktemp("inputs") / "input"
    told = []
    for seed in range(INPUTS):
        path.write_bytes(bytes([HEAP]) + random.Random(seed).randbytes(600))
        told.append(subprocess.run(
            [ROOT / PROGRAM, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            check=True, env={**os.environ, "PFNLAB_SCRIPT": "1"}).stdout)
    return told


def test_a_guest_does_what_is_told(guest: Guest, transcripts: list[str]) -> None:
    for text in transcripts:
        Transcript(text).replay(guest)


@pytest.mark.only("native")
def test_all_of_it_is_told(guest: Guest, transcripts: list[str]) -> None:
    told = "".join(transcripts)
    steps = [step.text.split()[0] for text in transcripts for step in Transcript(text).steps]
    for name in ("memalign", "calloc", "realloc", "free", "poke", "peek", "advance"):
        assert steps.count(name) >= INPUTS // 2, name
    for part in ("redzone=1", "force=1", "mem.overrun at=$", "mem.inside", "refusal on purpose"):
        assert part in told, part
