# SPDX-License-Identifier: MIT
"""How many seeds a test has on each machine: @pytest.mark.seeds(3, native=14); examples that hosts
share; no end to shrinking by the clock."""
from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from pfnlab.spec import Spec
from tests.fuzz.examples import SHARED, Examples, shared

if place := os.environ.get(SHARED):
    settings.register_profile("shared", shared(place))
    settings.load_profile("shared")


@pytest.fixture(autouse=True)
def _time_to_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is smallest is to be found, however slow the host is."""
    monkeypatch.setattr("pfnlab.findings.SHRINKING", math.inf)


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was shared."""
    if isinstance(examples := settings.default.database, Examples):
        terminalreporter.write_line(
            f"examples of other workers, tried first: {len(examples.taken)}")
