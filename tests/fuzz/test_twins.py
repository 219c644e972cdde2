# SPDX-License-Identifier: MIT
"""The machines in lockstep: one stream of commands, on one injected map or in memory, and equal
replies."""
from __future__ import annotations

import random

import pytest

from pfnlab.lockstep import Difference, Lockstep, Mixture
from pfnlab.lockstep_memory import Memory
from pfnlab.plugin import guest_names

COMMANDS = 3000
SEED = 1


def test_all_machines_give_the_same_replies(pytestconfig: pytest.Config) -> None:
    names = guest_names(pytestconfig)
    if len(names) < 2:
        pytest.skip("it takes two guests to differ")
    with Lockstep(names) as guests:
        Mixture(guests, SEED).run(COMMANDS)


@pytest.mark.only("native")
def test_what_a_processor_does_otherwise_is_a_difference() -> None:
    """One of two machines misses that a page was made read-only."""
    with Lockstep(["native", "native?engine=tree"]) as guests:
        guests.send("map_machine")
        memory = Memory(guests, random.Random(SEED))
        while guests.commands < 500:
            memory.step()
        at = int(str(guests.post("vmalloc", 4096)), 0)
        guests.collect()
        guests.guests[0].call("protect", at, 1, "ro")
        guests.guests[1].call("check")
        with pytest.raises(Difference, match="fault.protection"):
            guests.send(f"poke {at:#x} 1")
            guests.collect()
