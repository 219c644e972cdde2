# SPDX-License-Identifier: MIT
"""What a CPU that stops has obtained, and nobody has freed yet."""
from __future__ import annotations

import pytest

from pfnlab import Guest
from tests.scenarios.support import PAGE, counts

pytestmark = [pytest.mark.options("cpus=4")]


def left(guest: Guest, which: int | str) -> dict[str, int]:
    """What those that this stops have obtained and leave behind; without what there is none of."""
    reply = guest.submit_line(f"cpu stop {which}")
    reply.result()
    assert reply.request.final is not None
    fields = reply.request.final.row().fields
    assert {"blocks", "pages", "ranges", "objects", "early", "drained"} <= fields.keys()
    return {key: int(n) for key, n in fields.items() if n}


def test_a_cpu_that_stops_tells_what_it_obtained_and_nobody_has_freed(guest: Guest) -> None:
    guest.malloc(1)                    # the heap's own records stay
    before = counts(guest)
    guest.cpu("start", "all")
    thing = int(guest.on(3, "malloc 100"))
    window = [int(guest.on(3, line)) for line in ("vmalloc 5000 guard=both", "alloc_vpages 3")]
    block = int(guest.on(3, "alloc_pages_exact 7"))
    guest.on(1, f"free {block + 2 * PAGE:#x} 3")
    thing = int(guest.on(2, f"realloc {thing:#x} 1000"))
    told = {"blocks": 2, "pages": 4, "ranges": 2, "objects": 1}
    assert {key: guest.cpus()[3].fields[key] for key in told} == told
    assert left(guest, 3) == {"cpu": 3, **told}
    guest.free(block)
    guest.cpu("start", 3)
    guest.on(3, f"free {thing:#x}")
    guest.on(2, f"vfree {window[0]:#x}")
    assert left(guest, "all") == {"blocks": 1, "pages": 2, "ranges": 1}
    guest.free(block + 5 * PAGE)
    guest.free_vpages(window[1])
    assert counts(guest) == before
    assert "blocks" not in guest.cpus()[3].fields
    guest.cpu("start", 3)
    guest.on(3, "alloc_page")
    guest.reset()
    guest.cpu("start", 3)
    assert left(guest, 3) == {"cpu": 3}
