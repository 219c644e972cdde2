# SPDX-License-Identifier: MIT
"""The model foretells what one CPU does, whichever it is, and what each takes to start; of several
at once it wants no page to have two owners, and everything back at the end."""
from __future__ import annotations

import pytest

from pfnlab import Guest
from pfnlab.memory_map import map_of
from pfnlab.model_cpus import follow_events
from pfnlab.replica import Exchange, Lost, Replica, exchanges, replica_of
from pfnlab.request import Entry
from pfnlab.wire import parse

pytestmark = [pytest.mark.options("cpus=4")]

SESSION = """\
alloc_pages 0 max=1M as=1
cpu start 2
on 2 alloc_pages 3 as=2
on 2 on 0 alloc_page
on 0 on 2 alloc_page
cpu start all
on 3 alloc_pages_exact 5 as=3
cpu start 1
cpu stop 2
on 2 alloc_page
on 4 alloc_page
on 1 banana
on 1 alloc_pages 77
on 1 free $v2
free $v3 2
alloc_pages 4 fresh=1
cpu start 2
on 1 alloc_pages_exact 7 at=0x5000000
on 3 alloc_pages 2 as=5
on 3 on 2 alloc_page as=6
on 2 free $v5
free 0x5002000 3
cpu stop all
cpu stop 1
cpu start all
free 0x5005000
cpu stop 1
on 3 free $v6
cpu stop 2
cpu stop 3
alloc_pages 2 fresh=1 max=2G
reset stage=early
cpu start all
on 1 phys_alloc 100 as=7
on 1 phys_alloc 100
on 3 phys_alloc 100 as=8
phys_free $v7
phys_hand_over
on 2 alloc_pages_exact 3
on 2 phys_free $v8
cpu stop all
cpu start 3
alloc_page
"""


def ask(guest: Guest, text: str) -> Exchange:
    """Run a line, whatever is answered."""
    request = guest.submit_line(text).request
    guest.link.wait(request, guest.timeout)
    return Exchange(request.tag, request.text(), request.final, request.rows)


@pytest.fixture(name="model")
def own_model(guest: Guest) -> Replica:
    """Of the guest on its own map."""
    guest.map_machine()
    return replica_of(guest, map_of(guest))


def test_each_line_on_a_cpu_is_answered_as_the_model_says(guest: Guest, model: Replica) -> None:
    for text in SESSION.splitlines():
        one = ask(guest, text)
        assert model.follow(one) is None, f"{text}: {one.final}"
    assert model.compare_state(guest) is None


def test_early_memory_of_a_cpu_is_nobody_elses(guest: Guest, model: Replica) -> None:
    for text in ("reset stage=early", "cpu start 1"):
        assert model.follow(ask(guest, text)) is None
    stack = int(guest.cpus()[1].stack)
    for text in (f"phys_free {stack}", f"phys_free {stack + 4096}", "cpu stop 1",
                 f"phys_free {stack}"):
        one = ask(guest, text)
        assert model.follow(one) is None, f"{text}: {one.final}"


def test_what_a_start_gives_back_when_it_is_refused(guest: Guest, model: Replica) -> None:
    """Sixteen pages are left: enough for one, or two where a machine wants nothing else."""
    def succeeds(text: str) -> bool:
        one = ask(guest, text)
        assert model.follow(one) is None, f"{text}: {one.final}"
        return one.final is not None and one.final.sigil == "="
    assert succeeds("alloc_pages 4 max=1M as=1") or succeeds("alloc_pages 4 max=2G as=1")
    for order in range(18, -1, -1):
        while succeeds(f"alloc_pages {order} dontzero=1"):
            continue
    assert succeeds("free $v1")
    assert not succeeds("cpu start all")
    assert succeeds("cpu start 3") and succeeds("cpu stop all")
    assert model.compare_state(guest) is None


@pytest.mark.only("native")
def test_events_of_all_at_once_tell_whose_each_page_is(guest: Guest, model: Replica) -> None:
    first = guest.link.next_tag
    for text in ("cpu start all", "alloc_pages_exact 7", "trace 1",
                 "stress 60 cpus=all seed=2 mix=pages|exact|heap|virtual|reserve order=2",
                 "trace 0", "alloc_pages 3 fresh=1", "on 2 alloc_page", "cpu stop all"):
        ask(guest, text)
    session = [one for one in exchanges(guest.link.log) if one.tag >= first]
    assert len(session[3].events) > 100 and not session[4].events
    for one in session:
        assert model.follow(one) is None, one.text
    assert model.compare_state(guest) is None


def test_a_sign_of_life_is_no_event_of_a_trace() -> None:
    said = [">1 stress 60 cpus=all", "% busy tag=1", "% free addr=0x0000000000300000 pages=1 tag=0",
            "=1 240"]
    log = [Entry(0.0, "->" if text[0] == ">" else "<-", text) for text in said]
    assert [event[0] for one in exchanges(log) for event in one.events] == ["free"]


@pytest.mark.only("native")
def test_without_events_the_model_goes_on_but_for_what_is_fresh(guest: Guest,
                                                                model: Replica) -> None:
    for text in ("cpu start all", "stress 200 cpus=all seed=4", "stress 100 seed=3",
                 "on 3 alloc_pages 4", "alloc_pages_exact 3", "reserve 0x300000 2"):
        one = ask(guest, text)
        assert model.follow(one) is None, f"{text}: {one.final}"
    assert model.compare_state(guest) is None
    with pytest.raises(Lost):
        model.follow(ask(guest, "alloc_page fresh=1"))


@pytest.mark.only("native")
@pytest.mark.options("percpu=on")
def test_with_caches_nobody_can_say_where_the_next_page_comes_from(guest: Guest,
                                                                   model: Replica) -> None:
    with pytest.raises(Lost):
        model.follow(ask(guest, "stress 10 cpus=all mix=pages"))


@pytest.mark.only("native")
@pytest.mark.parametrize("events, wrong", [
    ((("alloc", 0x300000, 4), ("alloc", 0x302000, 1)), "some are allocated"),
    ((("alloc", 0x300000, 4), ("free", 0x304000, 1)), "mem.free"),
    ((("alloc", 0x300000, 4), ("free", 0x301000, 4)), "mem.beyond"),
    ((("alloc", 0x300000, 1), ("reserve", 0x300000, 1)), "mem.busy"),
    ((("unreserve", 0x300000, 1),), "mem.free"),
    ((("alloc", 0x300000, 1),), "not all is given back"),
])
def test_a_page_of_two_owners_is_told(model: Replica, events: tuple[tuple[str, int, int], ...],
                                      wrong: str) -> None:
    assert model.oracle.pages is not None
    lines = [parse(f"% {kind} addr={at:#018x} pages={pages} tag=0".encode())
             for kind, at, pages in events]
    told = follow_events(model.oracle.pages, [line.row() for line in lines if line])
    assert told is not None and wrong in told
