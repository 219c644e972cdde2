# SPDX-License-Identifier: MIT
"""What tests need built. All who build in this tree wait for each other, as run-guest.sh does."""
from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build(*words: str) -> None:
    """`make` with these words. CalledProcessError: it failed."""
    (ROOT / "build").mkdir(exist_ok=True)
    subprocess.run(["flock", ROOT / "build", "make", "-s", "-C", ROOT, *words], check=True)
