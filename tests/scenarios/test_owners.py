# SPDX-License-Identifier: MIT
"""Who has what, why a request was refused, and what happened to a page: on every machine."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from pfnlab.twin import inject


def test_a_leak_is_found_by_the_name_of_its_owner(guest: Guest) -> None:
    guest.owner("vmcs")
    kept = guest.alloc_pages(2)
    gone = guest.alloc_page()
    guest.owner()
    guest.free(gone)
    other = guest.alloc_page()
    rows = guest.leaks()
    assert {(int(row[0]), row[1], row.fields.get("name")) for row in rows} == {
        (kept, 4, "vmcs"), (other, 1, None)}
    assert guest.leaks(since=rows.find(other).owner).column(0) == [other]
    guest.free(kept, 1)
    assert guest.leaks().find(kept + 4096).name == "vmcs"
    guest.free(kept + 4096)
    guest.free(other)
    assert guest.leaks() == []


def test_a_refused_request_is_explained(guest: Guest) -> None:
    inject(guest, [("low", 1 << 24), ("rest", 1 << 52)], [(4 << 20, 4 << 20, "usable")])
    guest.owner("table")
    block = guest.alloc_pages(3, at=5 << 20)
    guest.reserve(6 << 20, 2)
    with pytest.raises(errors.MemNone):
        guest.alloc_pages_area("low", 10)
    rows = guest.why()
    assert (rows[0][0], rows[0].largest, rows[0].slot, rows[0].missing) == ("low", 8, 4 << 20, 10)
    assert [(row[1], row.at, row.pages) for row in rows[1:]] == [
        ("allocated", block, 8), ("reserved", 6 << 20, 2)]
    assert rows[1].name == "table"
    guest.free(block)
    guest.unreserve(6 << 20, 2)
    assert guest.why()[0].missing == 0
    assert guest.largest_order("low") == 10


def test_refused_addresses_are_explained_by_the_window(guest: Guest) -> None:
    window = guest.info().fields
    pages = (window["window_limit"] - window["window"]) // 4096
    guest.owner("reader")
    at = guest.alloc_vpages(16, guard="both")
    with pytest.raises(errors.MemNone):
        guest.alloc_vpages(pages)
    rows = guest.why()
    assert (rows[0][0], rows[0].free, rows[0].missing, rows[0].blocks) == (
        "window", pages - 18, 18, 1)
    assert [(row[1], row.at, row.pages, row.name) for row in rows[1:]] == [
        ("vpages", at, 16, "reader")]
    assert rows.fields["of"] == "addresses"
    guest.free_vpages(at)
    with pytest.raises(errors.MemNone):
        guest.vmalloc(guest.info().fields["memory"] + (1 << 20))
    assert guest.why().fields["of"] == "frames"


def test_a_page_tells_what_happened_to_it(guest: Guest) -> None:
    block = guest.alloc_pages(1)
    guest.free(block)
    guest.reserve(block + 4096, 1)
    assert [row[1] for row in guest.history(block + 4096)] == ["alloc", "free", "reserve"]
    assert [row[1] for row in guest.history(block)] == ["alloc", "free"]
    for _ in range(600):
        guest.free(guest.alloc_page(at=block))
    rows = guest.history(block + 4096)
    assert rows == [] and rows.fields["lost"] == rows.fields["events"] - 1024
    guest.reset()
    assert guest.history(block).fields["events"] == 0


@pytest.mark.parametrize("line", ["why 1", "leaks since=0", "leaks 1", "history", "history 1T 2",
                                  "largest_order bananas", "owner Upper", "owner a b",
                                  f"owner {'n' * 16}"])
def test_bad_questions_are_refused_and_change_nothing(guest: Guest, line: str) -> None:
    before = guest.dump("pages")
    with pytest.raises(errors.GuestError):
        guest.line(line)
    assert guest.dump("pages") == before
