# SPDX-License-Identifier: MIT
"""Snapshots of guests in QEMU, by its control socket."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from pfnlab import Guest, errors
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
