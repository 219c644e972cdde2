# SPDX-License-Identifier: MIT
"""Examples that workers share over Redis."""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fuzz.conftest import shared


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server")
def test_what_one_worker_keeps_another_one_has(tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    redis = pytest.importorskip("redis")
    place = tmp_path / "socket"
    with subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "redis-server", "--port", "0", "--save", "",
             "--unixsocket", str(place), "--dir", str(tmp_path)],
            stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert any("ready to accept connections" in line for line in server.stdout)
            databases = []
            for worker in ("one", "other"):
                monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(tmp_path / worker))
                databases.append(shared(f"unix://{place}").database)
            databases[0].save(b"key", b"example")
            assert list(databases[1].fetch(b"key")) == [b"example"]
            assert redis.Redis.from_url(f"unix://{place}").dbsize() == 1
        finally:
            server.kill()
