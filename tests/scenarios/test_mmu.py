# SPDX-License-Identifier: MIT
"""Address translation: what a machine promises, seen by trying it."""
from __future__ import annotations

import pytest

from pfnlab import Address, Guest, Row, errors
from tests.scenarios.support import PAGE

READ, WRITE, EXECUTE = "read", "write", "execute"
UNMAPPED = {"read": "no", "read_fault": "address", "write": "no", "write_fault": "address",
            "execute": "no", "execute_fault": "address"}


def parts(guest: Guest, name: str) -> list[Row]:
    """The kernel's own parts of that name."""
    found = [row for row in guest.truth() if row[0] == name and "first" in row.fields]
    assert found, f"the machine tells of no {name}"
    return found


def has_no_execute(guest: Guest) -> bool:
    """Does the machine have the attribute? Else its data can be executed, and it says so."""
    return any(row[0] == "nx" for row in guest.truth())


def word_set(value: object) -> set[str]:
    """The words of a set."""
    return set(str(value).split("|")) - {"none", "rw"}


def test_every_promise_is_kept(guest: Guest) -> None:
    rows = guest.truth()
    assert rows.fields["wrong"] == 0
    for row in rows:
        assert row.promised == row.observed
        if "entry" in row.fields:
            assert row.entry == row[0]


def test_attributes_promise_what_their_names_say(guest: Guest) -> None:
    sets = [row for row in guest.truth() if "entry" in row.fields]
    assert word_set(sets[0][0]) == set()
    for row in sets:
        words = word_set(row[0])
        assert word_set(row.promised) == {READ, *(() if "ro" in words else (WRITE,)),
                                          *(() if "nx" in words else (EXECUTE,))}
        assert (row.caching == "entry") == bool(words & {"uncached", "wc"})


def test_truth_leaves_nothing_behind(guest: Guest) -> None:
    guest.truth()
    before, areas = guest.dump("pagetables"), guest.dump("areas")
    guest.truth()
    assert guest.dump("pagetables") == before
    assert guest.dump("areas") == areas
    guest.check()


def test_the_kernel_keeps_its_own_rules(guest: Guest) -> None:
    data = {READ, WRITE} if has_no_execute(guest) else {READ, WRITE, EXECUTE}
    constants = data - {WRITE}
    wanted = {"text": {READ, EXECUTE}, "rodata": constants, "data": data, "stack": data,
              "guard": set(), "null": set(), "unmapped": set()}
    seen = [row for row in guest.truth() if "first" in row.fields]
    assert {row[0] for row in seen} == set(wanted)
    for row in seen:
        assert word_set(row.observed) == wanted[str(row[0])], row


def test_there_is_a_guard_below_every_stack(guest: Guest) -> None:
    guards = {row.first + PAGE for row in parts(guest, "guard")}
    assert {row.first for row in parts(guest, "stack")} == guards


@pytest.mark.parametrize("name", ["text", "rodata"])
def test_code_and_constants_cannot_be_written(guest: Guest, name: str) -> None:
    part = parts(guest, name)[0]
    before = guest.peek(part.first)
    with pytest.raises(errors.FaultProtection) as caught:
        guest.poke(part.first, 0)
    assert caught.value.fields["at"] == part.first
    seen = guest.probe(part.first).fields
    assert (seen["read"], seen["write"], seen["write_fault"]) == ("yes", "no", "protection")
    assert guest.peek(part.first) == before


@pytest.mark.parametrize("name", ["guard", "null"])
def test_nothing_is_mapped_where_a_mistake_would_go(guest: Guest, name: str) -> None:
    for part in parts(guest, name):
        for at in (part.first, part.first + PAGE - 8):
            assert guest.probe(at).fields == UNMAPPED
            for access in (guest.peek, lambda where: guest.poke(where, 1), guest.translate):
                with pytest.raises(errors.FaultAddress) as caught:
                    access(at)
                assert caught.value.fields["at"] == at
    guest.check()


def test_data_of_the_kernel_is_not_tried_but_read(guest: Guest) -> None:
    at = parts(guest, "data")[0].first + 64
    seen = guest.probe(at).fields
    assert (seen["read"], seen["write"]) == ("yes", "untried")
    with pytest.raises(errors.FaultProtection):
        guest.poke(at, 0)


def test_an_allocated_page_is_data(guest: Guest) -> None:
    block = guest.alloc_page()
    guest.poke(block + 16, 0x1122334455667788)
    seen = guest.probe(block + 17).fields
    assert (seen["read"], seen["write"]) == ("yes", "yes")
    if has_no_execute(guest):
        assert (seen["execute"], seen["execute_fault"]) == ("no", "execute")
    else:
        assert seen["execute"] == "yes"
    assert guest.peek(block + 16) == 0x1122334455667788
    assert guest.peek(block + 8) == guest.peek(block + 24) == 0


def test_memory_is_mapped_to_itself(guest: Guest) -> None:
    block = guest.alloc_pages(3)
    for offset in (0, 1, PAGE, 8 * PAGE - 1):
        answer = guest.translate(block + offset)
        assert answer == block + offset
        assert answer.fields["attributes"] == ("nx" if has_no_execute(guest) else "rw")
        assert answer.fields["size"] >= PAGE


def test_translate_of_what_no_address_can_be_is_an_error(guest: Guest) -> None:
    for at in (0x8000000000000000, 0xffffffffffffffff, 0x0000800000000000):
        with pytest.raises(errors.FaultAddress):
            guest.translate(at)
        assert guest.probe(at).fields == UNMAPPED
    guest.check()


def covered(rows: list[Row]) -> list[tuple[Address, int]]:
    """What the mappings of `dump pagetables` cover."""
    return [(row[0], row[1]) for row in rows if row[2] == "mapping"]   # type: ignore[misc]


def test_the_page_tables_map_all_memory_and_nothing_twice(guest: Guest) -> None:
    rows = guest.dump("pagetables")
    runs = covered(rows)
    assert all(row.phys == row[0] for row in rows if row[2] == "mapping" and row[0] < 1 << 31)
    assert all(a + pages * PAGE <= b for (a, pages), (b, _) in zip(runs, runs[1:]))
    for row in guest.dump("free"):
        end = row[0] + row[1] * PAGE
        at = row[0]
        while at < end:
            start, pages = next(run for run in runs if run[0] <= at < run[0] + run[1] * PAGE)
            at = start + pages * PAGE


def test_a_part_of_the_page_tables_is_shown_from_its_address_on(guest: Guest) -> None:
    block = guest.alloc_page()
    rows = guest.dump("pagetables", block, 1)
    assert rows[-1][2] == "mapping"
    assert rows[-1][0] <= block < rows[-1][0] + rows[-1][1] * PAGE   # type: ignore[operator]


def test_an_injected_map_has_nothing_to_probe(guest: Guest) -> None:
    guest.map_begin()
    guest.map_add(1 << 20, 1 << 24)
    guest.map_commit()
    with pytest.raises(errors.CallUnsupported):
        guest.probe(1 << 20)
    guest.map_machine()
