# SPDX-License-Identifier: MIT
"""Fixtures of the scenarios."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from pfnlab import Guest
from tests.scenarios.support import STAGES, Wire


@pytest.fixture
def line(guest: Guest) -> Iterator[Wire]:
    """The naked line. Afterwards the guest is in a strict session again."""
    yield Wire(guest)
    if not guest.dead:
        guest.link.connect(20, booting=False)


@pytest.fixture(params=STAGES)
def staged(request: pytest.FixtureRequest, guest: Guest) -> Guest:
    """A guest in each stage."""
    guest.reset(stage=request.param)
    return guest
