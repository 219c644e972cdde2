# SPDX-License-Identifier: MIT
"""A test suite of somebody else, which uses the pytest plugin."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pfnlab

HOST = Path(pfnlab.__file__).parents[1]

FAILING = """
def test_it(guest):
    block = guest.alloc_page()
    guest.free(0xa0000)
"""


class Suite:
    """A directory of tests of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> None:
        """A file."""
        (self.path / name).write_text(text)

    def command(self, *words: str) -> list[str]:
        """A run of pytest."""
        return [sys.executable, "-m", "pytest", "-p", "pfnlab.plugin", "-p", "no:cacheprovider",
                *words]

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run it; native unless the words say otherwise."""
        return subprocess.run(self.command("--guest", "native", *words), cwd=self.path, input=stdin,
                              env={**os.environ, "PYTHONPATH": str(HOST)}, capture_output=True,
                              text=True, timeout=120, check=False)
