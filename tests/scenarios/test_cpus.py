# SPDX-License-Identifier: MIT
"""Several CPUs: started, used at once, stopped; each leaves everything as it found it."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from pfnlab import Guest, errors
from pfnlab.memory_map import MemoryMap
from pfnlab.spec import Spec
from tests.scenarios.support import PAGE, Wire, counts, page

pytestmark = [pytest.mark.options("cpus=4")]
many = pytest.mark.only("native")     # emulated ones do less: tests/machine/test_processors.py

STACK = 32 << 10


def running(guest: Guest) -> list[int]:
    """The CPUs that run."""
    return [int(row[0]) for row in guest.cpus() if row[1] == "running"]


def free_bytes(guest: Guest) -> int:
    """Of early memory."""
    return sum(int(row[1]) for row in guest.dump("phys") if row[2] == "free")


def test_cpus_are_listed_started_and_stopped(guest: Guest) -> None:
    assert running(guest) == [0]
    assert len(guest.cpus()) == 4
    assert guest.cpu("start", 2) == 1
    assert running(guest) == [0, 2]
    assert guest.cpu("start", "all") == 2
    assert running(guest) == [0, 1, 2, 3]
    assert guest.cpu("start", "all") == 0
    assert guest.cpu("stop", 1) == 1
    assert guest.cpu("stop", "all") == 2
    assert running(guest) == [0]
    guest.check()


def test_a_cpu_has_a_stack_that_nobody_takes_away(guest: Guest) -> None:
    guest.cpu("start", 1)
    row = guest.cpus()[1]
    assert (row.size, row.guard) == (STACK, 1)
    stack = int(row.stack)
    found = guest.dump("virt").find(row.stack)
    assert (found[1], found[2], found.front) == (STACK // PAGE, "stack", 1)
    with pytest.raises(errors.FaultAddress):
        guest.peek(stack - 8)
    guest.peek(stack)
    for line in (f"vfree {stack:#x}", f"vunmap {stack:#x}", f"free_vpages {stack:#x}",
                 f"protect {stack:#x} 1 ro", f"free {stack:#x}"):
        with pytest.raises(errors.MemKind):
            guest.line(line)
    frame = guest.translate(stack)
    with pytest.raises(errors.MemKind):
        guest.free(frame)
    guest.cpu("stop", 1)
    with pytest.raises(errors.FaultAddress):
        guest.peek(stack)


def test_nobody_writes_where_a_cpu_stands(guest: Guest) -> None:
    guest.cpu("start", 1)
    stack = int(guest.cpus()[1].stack)
    for frame in (guest.translate(stack), guest.translate(stack + STACK - PAGE)):
        for line in (f"fill {frame:#x} 1", f"poke {frame:#x} 1", f"poke {stack:#x} 1"):
            with pytest.raises(errors.FaultProtection):
                guest.line(line)
    assert guest.on(1, "echo 5") == 5
    guest.cpu("stop", 1)
    guest.fill(frame, 1)


def test_early_memory_of_a_cpu_is_not_freed_below_it(guest: Guest) -> None:
    guest.reset(stage="early")
    before = free_bytes(guest)
    guest.cpu("start", "all")
    assert free_bytes(guest) < before
    for row in guest.cpus():
        for word in ("stack", "prefix"):
            if word in row.fields:
                with pytest.raises(errors.MemKind):
                    guest.phys_free(row.fields[word])
    assert guest.cpu("stop", "all") == 3
    assert free_bytes(guest) == before


def test_what_cannot_be_done_is_refused_and_changes_nothing(guest: Guest) -> None:
    guest.cpu("start", 1)
    before = counts(guest)
    for line, error in (
            ("cpu start 4", errors.CallCpu), ("cpu stop 4", errors.CallCpu),
            ("cpu start 18446744073709551615", errors.CallCpu),
            ("cpu start 0", errors.CallState), ("cpu stop 0", errors.CallState),
            ("cpu start 1", errors.CallState), ("cpu stop 2", errors.CallState),
            ("cpu start some", errors.CallWord), ("cpu pause 1", errors.CallWord),
            ("cpu start", errors.CallMissing), ("on 4 cpus", errors.CallCpu),
            ("on 2 cpus", errors.CallState), ("on 1 banana", errors.CallCommand),
            ("on 1", errors.CallMissing), ("on 1 peek", errors.CallMissing),
            ("on 1 on 0 cpus", errors.CallState), ("on 1 cpu start 2", errors.CallState),
            ("on 1 reset", errors.CallState), ("on 1 poweroff", errors.CallState),
            ("on 1 map_begin", errors.CallState), ("on 1 map_add 0 1M", errors.CallState),
            ("on 1 map_area low 1M", errors.CallState),
            ("on 1 stress 1 cpus=all", errors.CallState), ("stress 1 cpus=3", errors.CallState),
            ("stress 1 cpus=0", errors.CallRange), ("stress 1 cpus=5", errors.CallCpu),
            ("stress 1 cpus=18446744073709551615", errors.CallCpu),
            ("stress 1 cpus=some", errors.CallWord), ("stress 1 mix=banana", errors.CallWord),
            ("panic busy 4", errors.CallCpu), ("panic busy 3", errors.CallState),
            ("panic fault 1", errors.CallConflict), ("shootdown 4", errors.CallCpu),
            ("shootdown 0", errors.CallState), ("shootdown 2", errors.CallState),
            ("on 1 shootdown 1", errors.CallState), ("stress", errors.CallMissing)):
        with pytest.raises(error):
            guest.line(line)
    assert counts(guest) == before
    assert running(guest) == [0, 1]


def test_a_command_runs_on_another_cpu_as_on_the_first(guest: Guest) -> None:
    guest.cpu("start", "all")
    block = guest.on(2, "alloc_pages 3")
    assert page(guest, int(block))[2] == "allocated"
    assert list(map(repr, guest.on(3, "dump areas"))) == list(map(repr, guest.dump("areas")))
    assert guest.on(1, f"free {int(block):#x}") == 8
    assert guest.on(0, "echo here") == "here"
    with pytest.raises(errors.MemFree):
        guest.on(3, f"free {int(block):#x}")
    guest.on(3, "check")


def test_rows_of_another_cpu_come_in_their_order_and_stop_at_an_end(guest: Guest) -> None:
    guest.cpu("start", 1)
    here = [repr(row) for row in guest.help()]
    assert [repr(row) for row in guest.on(1, "help")] == here


def test_a_fault_of_a_cpu_tells_its_number(guest: Guest) -> None:
    guest.cpu("start", "all")
    with pytest.raises(errors.FaultAddress) as caught:
        guest.on(3, "peek 0x7000000000")
    assert caught.value.fields["cpu"] == 3
    guest.on(3, "echo 1")


def test_an_assertion_of_a_cpu_ends_its_command_and_no_more(guest: Guest) -> None:
    guest.cpu("start", "all")
    with pytest.raises(errors.BugAssert) as caught:
        guest.on(2, "panic assert")
    assert caught.value.fields["cpu"] == 2
    with pytest.raises(errors.BugDead):
        guest.on(2, "alloc_page")
    with pytest.raises(errors.BugDead):
        guest.alloc_page()
    guest.on(2, "check")
    guest.reset()
    assert running(guest) == [0]
    guest.cpu("start", 2)
    guest.on(2, "alloc_page")


def test_pages_that_one_cpu_took_another_one_gives_back(guest: Guest) -> None:
    """S43 and S27: three pages of each CPU, objects and pages mixed, freed crosswise."""
    guest.malloc(1)                    # the heap's own records stay
    before = counts(guest)
    guest.cpu("start", "all")
    taken = [[int(guest.on(cpu, line)) for line in ("alloc_page", "malloc 100", "vmalloc 5000")]
             for cpu in range(4)]
    assert len({address for three in taken for address in three}) == 12
    for cpu, (frame, thing, window) in enumerate(taken):
        other = (cpu + 1) % 4
        guest.on(other, f"free {frame:#x}")
        guest.on(other, f"free {thing:#x}")
        guest.on(other, f"vfree {window:#x}")
    guest.cpu("stop", "all")
    assert counts(guest) == before
    guest.check()


@many
def test_a_hundred_rounds_on_and_off_lose_nothing(guest: Guest) -> None:
    """S45, with real CPUs."""
    guest.cpu("start", "all")
    guest.cpu("stop", "all")
    before = counts(guest)
    for number in range(100):
        guest.cpu("start", 1 + number % 3)
        guest.on(1 + number % 3, "stress 20 mix=pages")
        guest.cpu("stop", 1 + number % 3)
    assert counts(guest) == before
    guest.check()


@pytest.mark.parametrize("what", ["frames", "tables", "pool"])
def test_a_refused_start_loses_nothing(guest: Guest, what: str) -> None:
    """S33: every attempt of a start is refused once, until none is left."""
    before = counts(guest)
    refusals = 0
    for nth in range(1, 100):
        guest.fail(nth=nth, what=what)
        try:
            guest.cpu("start", "all")
        except errors.MemInjected as error:
            refusals += 1
            assert "for" in error.fields and running(guest) == [0]
            guest.fail()
            assert counts(guest) == before
            continue
        break
    assert refusals > 0
    guest.fail()
    guest.cpu("stop", "all")
    assert counts(guest) == before


def test_without_memory_a_start_is_refused(guest: Guest) -> None:
    orders = []
    for order in range(18, -1, -1):
        while True:
            try:
                orders.append(guest.alloc_pages(order, dontzero=1))
            except errors.MemNone:
                break
    with pytest.raises(errors.MemNone) as caught:
        guest.cpu("start", 1)
    assert caught.value.fields["for"] in ("stack", "prefix", "trampoline")
    assert running(guest) == [0]
    for block in orders:
        guest.free(block)
    guest.cpu("start", 1)
    guest.check()


@many
@pytest.mark.parametrize("mix", ["pages|exact|reserve", "virtual|map|protect", "heap|pages", None])
def test_all_allocate_at_once(guest: Guest, mix: str | None) -> None:
    """S44."""
    guest.cpu("start", "all")
    keys = {} if mix is None else {"mix": mix}
    assert guest.stress(1500, seed=5, cpus="all", check=1, timeout=120, **keys) == 6000
    assert [row.operations for row in guest.cpus()] == [1500] * 4
    assert guest.stress(100, cpus=2, seed=1) == 200
    guest.cpu("stop", "all")
    guest.check()


@pytest.mark.options("percpu=on")
def test_caches_of_cpus_keep_nothing_from_anybody(guest: Guest) -> None:
    before = counts(guest)
    guest.cpu("start", "all")
    with_stacks = counts(guest)
    lines = ["alloc_page dontzero=1", "free $"]
    for place, line in enumerate(lines):
        guest.store(place, line)
    for cpu in range(4):
        guest.on(cpu, "run 2 times=50")
    assert guest.stress(300, seed=1, cpus="all", mix="pages", order=0, timeout=120) == 1200
    guest.check()
    assert counts(guest) == with_stacks
    block = guest.alloc_page()
    guest.free(block)
    guest.reserve(block, 1)
    guest.cpu("stop", "all")
    assert counts(guest)["free"] == int(str(before["free"])) - 1
    guest.check()


@pytest.mark.only("native")
@pytest.mark.options("percpu=on")
def test_a_page_whose_place_in_the_marks_is_taken_goes_past_the_cache(guest: Guest) -> None:
    """Two pages 64 MiB apart have one place."""
    MemoryMap([("all", 1 << 52)], [(at, PAGE, "usable") for at in (64 << 20, 128 << 20)]
              ).inject(guest)
    wire = Wire(guest)                        # requests without a tag: with an owner none is cached
    pages = [wire.talk(b"> alloc_page\n")[0] for _ in range(3)]
    assert pages == ["= 0x0000000004000000 zeroed=0", "= 0x0000000008000000 zeroed=0",
                     "? mem.none ; no free memory fits the request"]
    assert wire.talk(b"> check\n> free 0x4000000\n> free 0x8000000\n> check\n") \
        == ["=", "= 1", "= 1", "="]


@pytest.mark.only("native")
def test_a_stress_without_tables_counts_what_it_was_refused(guest: Guest) -> None:
    guest.fail(every=2, what="tables")
    assert guest.stress(300, cpus=1, seed=0, mix="map|protect|pages") == 300
    assert guest.failures().fields["refusals"] > 0
    guest.fail()
    guest.check()


def test_what_cpus_have_done_is_known_until_all_begins_afresh(guest: Guest) -> None:
    guest.cpu("start", "all")
    guest.stress(5, cpus="all", seed=1, mix="pages")
    with pytest.raises(errors.CallCpu):
        guest.stress(5, cpus=5)
    assert [row.operations for row in guest.cpus()] == [5] * 4
    guest.on(2, "stress 7 mix=pages")
    assert ["operations" in row.fields for row in guest.cpus()] == [False, False, True, False]
    guest.reset()
    assert not [row for row in guest.cpus() if "operations" in row.fields]


def test_a_reset_stops_all(guest: Guest) -> None:
    guest.cpu("start", "all")
    guest.reset()
    assert running(guest) == [0]
    guest.cpu("start", "all")
    guest.reset(stage="early")
    assert running(guest) == [0]
    guest.cpu("start", 1)
    assert guest.cpus()[1].guard == 0
    guest.on(1, "phys_alloc 100")
    guest.phys_hand_over()
    guest.on(1, "alloc_page")
    guest.cpu("stop", 1)
    guest.check()


def test_events_of_another_cpu_come_before_its_answer(guest: Guest) -> None:
    guest.cpu("start", 1)
    guest.trace(1)
    block = int(guest.on(1, "malloc 5000"))
    guest.on(1, f"free {block:#x}")
    guest.trace(0)
    guest.check()


def trace_begin(guest: Guest) -> None:
    """From now on guest.events are those of a trace."""
    guest.link.events.clear()
    guest.trace(1)


def changes(guest: Guest) -> Iterator[tuple[int, bool]]:
    """Of each event of a trace its pages, one by one: allocated or free then."""
    for event in guest.events:
        if event[0] in ("alloc", "free"):
            for number in range(int(event.pages)):
                yield int(event.addr) + number * PAGE, event[0] == "alloc"


def test_the_events_of_a_page_come_in_their_order(guest: Guest) -> None:
    """Whoever has a page first tells of it first, whichever CPU can talk sooner."""
    guest.cpu("start", "all")
    trace_begin(guest)
    guest.stress(60, cpus="all", seed=2, mix="pages|exact|heap|virtual", order=0, timeout=120)
    guest.trace(0)
    taken: dict[int, bool] = {}
    for at, allocated in changes(guest):
        assert taken.get(at, False) != allocated, f"{at:#x}"
        taken[at] = allocated
    assert len(taken) > 10 and not any(taken.values())
    assert "lost" not in {event[0] for event in guest.events}


def test_a_command_that_takes_many_pages_tells_of_all(guest: Guest) -> None:
    """They wait until the heap's lock is free: nobody talks while holding one."""
    guest.malloc(1)                    # the heap's own records are there
    trace_begin(guest)
    block = guest.malloc(400 * PAGE)
    assert sum(allocated for _, allocated in changes(guest)) == 400
    guest.free(block)
    guest.trace(0)
    assert sum(not allocated for _, allocated in changes(guest)) == 400


def test_a_mapping_that_goes_is_gone_for_a_cpu_that_uses_it(guest: Guest) -> None:
    guest.cpu("start", 3)
    rows = guest.shootdown(3, times=5)
    assert [int(row.late) for row in rows] == [0] * len(rows)
    guest.cpu("stop", 3)
    guest.check()


@many
def test_as_many_as_there_can_be_work_at_once(guest_name: str) -> None:
    with Guest(Spec(guest_name).with_option("cpus", "256").name) as guest:
        free = counts(guest)["free"]
        assert guest.cpu("start", "all") == 255
        assert guest.stress(3, cpus="all", seed=6, mix="pages", timeout=120) == 3 * 256
        assert guest.on(255, "echo 7") == 7
        assert guest.cpu("stop", "all") == 255
        assert counts(guest)["free"] == free
        guest.check()
