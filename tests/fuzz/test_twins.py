# SPDX-License-Identifier: MIT
"""The machines in lockstep: one stream of commands, on one injected map, and equal replies."""
from __future__ import annotations

import pytest

from pfnlab.lockstep import Lockstep, Mixture
from pfnlab.plugin import guest_names

COMMANDS = 3000
SEED = 1


def test_all_machines_give_the_same_replies(pytestconfig: pytest.Config) -> None:
    names = guest_names(pytestconfig)
    if len(names) < 2:
        pytest.skip("it takes two guests to differ")
    with Lockstep(names) as guests:
        Mixture(guests, SEED).run(COMMANDS)
