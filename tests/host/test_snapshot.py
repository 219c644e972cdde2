# SPDX-License-Identifier: MIT
"""Snapshots of guests in QEMU, by its control socket."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from pfnlab import Guest, errors
from pfnlab.pool import Pool
from pfnlab.qmp import MonitorError

pytestmark = pytest.mark.only("x86_64", "s390x")


def test_a_snapshot_is_gone_back_to_from_any_state(fresh_guest: Callable[..., Guest]) -> None:
    guest = fresh_guest("snapshots&memory=64M")
    block = guest.alloc_pages(4)
    before = guest.dump("pages")
    guest.save("arranged")
    guest.free(block)
    guest.load("arranged")
    assert guest.dump("pages") == before
    # Something is under way that does not end.
    endless = guest.submit_line("stress 4T")
    guest.load("arranged")
    with pytest.raises(errors.LinkLost):
        endless.result()
    assert guest.free(block) == 16
    with pytest.raises(MonitorError, match="never_saved"):
        guest.load("never_saved")
    assert guest.echo(1) == 1


def test_a_pool_cleans_a_guest_by_the_cheapest_way_that_is_right(guest_name: str) -> None:
    with Pool() as pool:
        ways = []

        def again() -> Guest:
            guest = pool.acquire(f"{guest_name}?snapshots&memory=64M")
            ways.append(pool.how)
            assert not [row for row in guest.dump("pages") if row[2] == "allocated"]
            guest.alloc_pages(3)
            return guest
        guest = again()
        assert again() is guest
        with pytest.raises(errors.GuestSilent):
            guest.call("stress", 1 << 60, timeout=0.2)
        assert again() is guest
        guest.transport.kill()
        assert again() is not guest
    assert ways == ["process", "reset", "snapshot", "process"]
