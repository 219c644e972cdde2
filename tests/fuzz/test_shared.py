# SPDX-License-Identifier: MIT
"""Examples that workers share over Redis."""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pfnlab.transport import with_parent
from tests.fuzz.examples import shared


def is_bad(number: int) -> bool:
    """The bug: some of the large numbers."""
    return number > 1 << 30 and number % 7 == 5


class Worker:
    """One that searches for a number with a bug."""

    def __init__(self, profile: settings) -> None:
        self.database = profile.database
        self.tried: list[int] = []
        self.search = settings(profile, max_examples=1000, derandomize=False, deadline=None,
                               suppress_health_check=list(HealthCheck),
                               report_multiple_bugs=False)

    def find(self) -> int:
        """The number of those that were tried until it was found."""
        def has_a_bug(number: int) -> None:
            self.tried.append(number)
            assert not is_bad(number)
        with pytest.raises(AssertionError):
            self.search(given(st.integers(0, 1 << 63))(has_a_bug))()
        return next(n for n, number in enumerate(self.tried, 1) if is_bad(number))


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server")
def test_what_one_worker_finds_another_one_tries_first(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    place = tmp_path / "socket"
    with subprocess.Popen(
            with_parent("redis-server", "--port", "0", "--save", "", "--unixsocket", place,
                        "--dir", tmp_path),
            stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert any("ready to accept connections" in line for line in server.stdout)
            workers = [Worker(shared(f"unix://{place}", tmp_path / name)) for name in ("a", "b")]
            assert workers[0].find() > 1 and not workers[0].database.taken
            assert workers[1].find() == 1 and workers[1].database.taken
            assert len({*filter(is_bad, workers[0].tried)}) == 1   # nothing was shrunk
        finally:
            server.kill()
