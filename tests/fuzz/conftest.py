# SPDX-License-Identifier: MIT
"""Examples that hosts share: PFNLAB_EXAMPLES=redis://HOST:PORT/0 (or unix:///PATH) has hypothesis
keep what it found there, too, and try what any other worker has found before it goes on.

And how many seeds a test has on each machine: @pytest.mark.seeds(3, native=14).
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.configuration import storage_directory
from hypothesis.database import DirectoryBasedExampleDatabase, MultiplexedDatabase

from pfnlab.spec import Spec

SHARED = "PFNLAB_EXAMPLES"


def shared(url: str) -> settings:
    """A profile with the database of that place behind the one of this tree."""
    from hypothesis.extra.redis import RedisExampleDatabase
    from redis import Redis
    return settings(database=MultiplexedDatabase(
        DirectoryBasedExampleDatabase(storage_directory("examples")),
        RedisExampleDatabase(Redis.from_url(url))))


if place := os.environ.get(SHARED):
    settings.register_profile("shared", shared(place))
    settings.load_profile("shared")


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line("markers", "seeds(n, native=m): seeds 0 to n - 1, on native to m - 1")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The seeds of the machine that has most."""
    mark = metafunc.definition.get_closest_marker("seeds")
    if mark is not None:
        metafunc.parametrize("seed", range(max(*mark.args, *mark.kwargs.values())))


@pytest.hookimpl(hookwrapper=True)  # type: ignore[misc]
def pytest_pycollect_makeitem() -> Iterator[None]:
    """A slower machine takes fewer: there are no tests of the others."""
    made: Any = yield
    if isinstance(items := made.get_result(), list):
        made.force_result([item for item in items if not _is_beyond(item)])


def _is_beyond(item: pytest.Item | pytest.Collector) -> bool:
    mark = item.get_closest_marker("seeds")
    if mark is None or not isinstance(item, pytest.Function):
        return False
    given: dict[str, Any] = item.callspec.params
    return bool(given["seed"] >= mark.kwargs.get(Spec(given["guest_name"]).arch, mark.args[0]))
