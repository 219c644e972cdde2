# SPDX-License-Identifier: MIT
"""Many operations in one round trip, and the end of what takes too long."""
from __future__ import annotations

import pytest

from pfnlab import Guest, Pending, Row, errors
from tests.scenarios.support import Wire


def test_stored_lines_run_as_one(guest: Guest) -> None:
    before = guest.dump("areas")
    guest.store(0, "alloc_pages 3 as=1")
    guest.store(1, "free $v1")
    assert guest.run(2, times=500) == 1000
    assert guest.dump("areas") == before


def test_a_run_ends_at_the_first_failure_and_tells_where(guest: Guest) -> None:
    guest.store(0, "alloc_page as=1")
    guest.store(1, "free $v1")
    guest.store(2, "free $v1")
    with pytest.raises(errors.MemFree) as caught:
        guest.run(3, times=10)
    assert caught.value.fields["line"] == 2
    assert caught.value.fields["done"] == 2


def test_a_place_that_holds_nothing_is_not_run(guest: Guest) -> None:
    with pytest.raises(errors.CallState):
        guest.run(64)


def test_stress_ends_with_nothing_allocated(guest: Guest) -> None:
    before = guest.dump("areas")
    assert guest.stress(20000, seed=7, check=1, timeout=60) == 20000
    assert guest.dump("areas") == before
    guest.check()


def test_the_same_seed_is_the_same_stress(guest: Guest) -> None:
    told = []
    for _ in range(2):
        guest.reset()
        reply = guest.submit_line("stress 5000 seed=3 order=12 area=dma24")
        reply.result()
        assert reply.request.final is not None
        told.append(reply.request.final.row())
    assert told[0] == told[1]
    assert int(told[0].fails) > 0


def at_once(line: Wire, command: str) -> str:
    """What a command answers that is sent together with a ^C."""
    return line.talk(f"> {command}\n\x03".encode())[0]


def test_an_interrupt_stops_a_zeroing_and_the_block_is_free_again(line: Wire) -> None:
    def free_blocks() -> list[str]:
        return [row.partition(" fresh=")[0] for row in line.talk(b"> dump free\n")]
    before = free_blocks()
    assert at_once(line, "alloc_pages 14").startswith("? stop.interrupted ")
    assert free_blocks() == before
    assert line.talk(b"> check\n") == ["="]
    block = line.talk(b"> alloc_pages 14\n")[0].split()[1]
    assert line.talk(f"> free {block}\n".encode()) == ["= 16384"]
    assert line.talk(f"> dump pages {block} 1\n".encode())[0].endswith(" fresh=0")


def test_an_interrupt_stops_a_check(line: Wire) -> None:
    line.talk(b"> store 0 alloc_page dontzero=1\n")
    assert line.talk(b"> run 1 times=20000\n") == ["= 20000"]
    assert at_once(line, "check").startswith("? stop.interrupted ")
    assert line.talk(b"> check\n") == ["="]


def interrupted(guest: Guest, pending: Pending) -> errors.GuestError | None:
    """The end of a traced request that gets a ^C as soon as its first event shows that it runs."""
    def stop(event: Row) -> None:
        guest.link.on_event = None
        guest.link.interrupt()
    guest.link.on_event = stop
    return pending.error()


def test_an_interrupt_stops_a_stress_and_the_next_command_works(guest: Guest) -> None:
    before = guest.dump("areas")
    guest.trace(1)
    error = interrupted(guest, guest.pipeline().stress(2 ** 62))
    assert error is not None and error.code == "stop.interrupted"
    guest.trace(0)
    assert guest.dump("areas") == before


def test_an_interrupt_stops_a_run(guest: Guest) -> None:
    guest.store(0, "alloc_page as=1")
    guest.store(1, "free $v1")
    guest.trace(1)
    error = interrupted(guest, guest.pipeline().run(2, times=2 ** 62))
    assert error is not None and error.code == "stop.interrupted"
    assert guest.echo(5) == 5
