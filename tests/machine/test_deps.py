# SPDX-License-Identifier: MIT
"""arch/deps.sh on lists of its own: what is missing, and what may be."""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def deps(tree: Path, rows: str, *groups: str) -> subprocess.CompletedProcess[str]:
    """What it says of these rows; it installs nothing."""
    (tree / "arch/any").mkdir(parents=True)
    (tree / "tests").mkdir()
    (tree / "arch/any/packages").write_text(f"# a remark\n\n{rows}")
    (tree / "tests/packages").write_text("tests bash bash runs this\n")
    shutil.copy(ROOT / "arch/deps.sh", tree / "arch")
    return subprocess.run([tree / "arch/deps.sh", "--no-install", *groups], capture_output=True,
                          text=True, timeout=60)


NEEDED = "any no-such-package no-such-program the reason\n"
LARGE = "large+ no-such-package no-such-program the reason\n"
WELCOME = "more? no-such-package no-such-program the reason\n"


@pytest.mark.parametrize("rows, groups, status", [
    ("any bash bash it is there\n", (), 0),
    (NEEDED, (), 1),
    (NEEDED, ("tests",), 0),
    (NEEDED, ("tests", "any"), 1),
    (WELCOME, (), 0),
    (WELCOME, ("more",), 1),
    (WELCOME, ("tests",), 0),
    (NEEDED + WELCOME, (), 1),
    (LARGE, (), 0),
    (LARGE, ("large",), 1),
    ("any no-such-package /no/such/file the reason\n", (), 1),
    ("any no-such-package /dev/null it is there\n", (), 0),
    ("any no-such-package python:no_such_module the reason\n", (), 1),
    ("any no-such-package python:os it is there\n", (), 0),
])
def test_status(tmp_path: Path, rows: str, groups: tuple[str, ...], status: int) -> None:
    done = deps(tmp_path, rows, *groups)
    assert done.returncode == status
    assert ("the reason" in done.stderr) == (status == 1 or rows is WELCOME and groups == ())


def test_what_is_gone_without_is_told(tmp_path: Path) -> None:
    done = deps(tmp_path, WELCOME)
    assert "no-such-package" in done.stderr
    assert done.stderr.endswith("pfnlab: goes without more\n")
