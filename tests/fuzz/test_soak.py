# SPDX-License-Identifier: MIT
"""The figures of `make soak`, each kind for a moment."""
from __future__ import annotations

import pytest

from pfnlab import Guest
from tests.fuzz import soak

MOMENT = 0.0                      # seconds: one life, or one slice


@pytest.mark.only("native")
@pytest.mark.parametrize("kind", [
    lambda: soak.against_the_model("native", MOMENT, 1),
    lambda: soak.twins(["native", "native?engine=tree"], MOMENT, 1),
    lambda: soak.hostile("native", MOMENT, 1)], ids=["model", "twins", "hostile"])
def test_a_kind_tells_what_it_did(guest: Guest, kind: object) -> None:
    assert callable(kind)
    result = kind()
    assert result.done > 0 and result.refused >= 0
    assert (result.differences, result.deaths, result.recoveries) == (0, 0, 0)
    if not result.kind.startswith("hostile"):
        assert result.resets > 0 and result.states > 0
    else:
        assert result.refused > result.done // 2
    row = soak.table([result]).splitlines()[1]
    assert row.startswith(result.kind) and row.split(result.kind)[1].split()[0] == str(result.done)
