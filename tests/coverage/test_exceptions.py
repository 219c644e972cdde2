# SPDX-License-Identifier: MIT
"""The lines that `make coverage` leaves out are there; whether they are run, it tells itself."""
from __future__ import annotations

import pytest

from tests.coverage.report import ROOT, exceptions


@pytest.mark.parametrize(("name", "text"), sorted(exceptions()))
def test_an_exception_names_a_line(name: str, text: str) -> None:
    assert text in (line.strip() for line in (ROOT / name).read_text().splitlines())
