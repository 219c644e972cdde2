# SPDX-License-Identifier: MIT
"""Second emulators are welcome and not needed: without their packages, their tests are skipped."""
from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GROUPS = {"bochs": "x86-bochs", "hercules": "s390x-hercules"}      # by what a test has in its name


@functools.cache
def missing(group: str) -> str:
    """Why the packages of the group cannot be had; nothing if they are there."""
    done = subprocess.run([ROOT / "arch/deps.sh", group], capture_output=True, text=True,
                          timeout=600)
    return done.stderr.strip() if done.returncode != 0 else ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Install what is missing, or skip and say why."""
    for emulator, group in GROUPS.items():
        if emulator in item.name and "refuses" not in item.name and missing(group):
            pytest.skip(missing(group))
