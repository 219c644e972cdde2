# SPDX-License-Identifier: MIT
"""All CPUs of the native guest at once, watched by ThreadSanitizer."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.building import build

ROOT = Path(__file__).resolve().parents[2]
GUEST = ROOT / "build/tsan/native/pfnlab"
LINES = """\
cpu start all
stress 1200 cpus=all seed=3 check=1
stress 2000 cpus=all seed=4 mix=pages order=0
on 1 malloc 100
on 2 free $
trace 1
stress 30 cpus=all seed=5
trace 0
cpu stop 2
on 1 check
reset
cpu start all
cpu stop all
check
"""


@pytest.fixture(scope="module", name="guest")
def built_guest() -> Path:
    """Built by `make test` already; or else now."""
    build("tsan")
    return GUEST


@pytest.mark.parametrize("options", ["", "percpu=on", "kpool=256K"])
def test_no_race_is_seen(guest: Path, options: str) -> None:
    done = subprocess.run([guest, "--cpus", "3", "--append", options], input=LINES.encode(),
                          capture_output=True, check=False, timeout=300)
    said = done.stdout.decode("ascii")
    assert not done.stderr.decode()
    assert done.returncode == 0
    assert "\n?" not in said
    assert said.count("cpus=3 least=") == 3
