# SPDX-License-Identifier: MIT
"""Units larger than a page, and whole tables: split, put together, and gone at once."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from tests.scenarios.support import PAGE

MIB, GIB = 1 << 20, 1 << 30


def units(guest: Guest, at: int, size: int) -> list[tuple[int, int, int, str]]:
    """What maps the range: first address, level, pages, attributes."""
    return [(row[0], row["level"], row[1], row["attributes"])
            for row in guest.dump("pagetables", at, size // PAGE) if row[2] == "mapping"]


def test_large_units_are_split_where_a_part_differs(guest: Guest) -> None:
    size, large = 4 * MIB, PAGE if guest.arch == "s390x" else 2 * MIB
    level = 1 if large == PAGE else 2
    at = guest.vmap(GIB, size)
    whole = units(guest, at, size)
    assert whole == [(at, level, size // PAGE, "nx")]
    assert guest.translate(at).fields["size"] == large
    used = guest.info().fields["tables_used"]
    guest.protect(at + PAGE, 1, "ro|nx")
    assert guest.translate(at + PAGE).fields["size"] == PAGE
    assert units(guest, at, 2 * MIB) == [(at, 1, 1, "nx"), (at + PAGE, 1, 1, "ro|nx"),
                                         (at + 2 * PAGE, 1, 510, "nx")]
    assert guest.translate(at + size - 1).fields["size"] == large
    guest.protect(at + PAGE, 1, "nx")
    assert units(guest, at, size) == whole
    assert guest.info().fields["tables_used"] == used
    guest.check()
    guest.vunmap(at)
    assert guest.info().fields["tables_used"] == 0


def one_gib(guest: Guest, large: int) -> None:
    """Map 1 GiB in units of that size, give one page in the middle another attribute, and back."""
    at, level = guest.vmap(GIB, GIB), 3 if large == GIB else 2
    middle, pages = at + GIB // 2, GIB // PAGE
    whole = [(at, level, pages, "nx")]
    assert at % GIB == 0 and guest.translate(at).fields["size"] == large
    assert units(guest, at, GIB) == whole
    used = guest.info().fields["tables_used"]
    guest.protect(middle, 1, "ro")
    assert units(guest, at, GIB) == [
        (at, 2, pages // 2, "nx"), (middle, 1, 1, "ro"), (middle + PAGE, 1, 511, "nx"),
        (middle + 2 * MIB, 2, pages // 2 - 512, "nx")]
    guest.protect(middle, 1, "nx")
    assert units(guest, at, GIB) == whole
    assert guest.info().fields["tables_used"] == used
    guest.vunmap(at)
    assert guest.info().fields["tables_used"] == 0
    guest.check()


@pytest.mark.only("x86_64")
@pytest.mark.options("cpu=max")
def test_a_gib_is_one_entry_where_the_processor_can(guest: Guest) -> None:
    one_gib(guest, GIB)


@pytest.mark.only("x86_64", "i386", "native")
def test_a_gib_takes_what_a_common_processor_has(guest: Guest) -> None:
    one_gib(guest, GIB if guest.arch == "native" else 2 * MIB)


@pytest.mark.only("x86_64", "i386", "native")
def test_the_direct_map_is_split_and_joined_again(guest: Guest) -> None:
    block = guest.alloc_pages(9)
    whole = units(guest, block, 2 * MIB)
    assert [unit[1:] for unit in whole] == [(2, 512, "nx")]
    assert guest.free(block) == 512
    page = guest.alloc_pages_ro(0, at=block + 7 * PAGE)
    assert units(guest, block, 2 * MIB) == [
        (block, 1, 7, "nx"), (page, 1, 1, "ro|nx"), (page + PAGE, 1, 504, "nx")]
    assert guest.info().fields["tables_used"] == PAGE
    guest.free(page)
    assert units(guest, block, 2 * MIB) == whole
    assert guest.info().fields["tables_used"] == 0
    guest.check()


def test_what_goes_with_its_table_is_gone_at_once(guest: Guest) -> None:
    """A table of any machine, whole, but by pages: its translations are dropped with it."""
    block = guest.alloc_pages(10)
    guest.vmalloc(PAGE)                # so that the table above stays
    at = guest.vmap(block + PAGE, 2 * MIB, align=2 * MIB)
    pages = [at + page * PAGE for page in range(0, 512, 9)]
    for page in pages:
        guest.poke(page, page)
    for page in pages:
        assert guest.peek(page) == page
    before = guest.info().fields["flushes"]
    guest.vunmap(at)
    for page in pages:
        with pytest.raises(errors.FaultAddress):
            guest.peek(page)
    # Two tables of s390x, and all that it knows; by pages it would be 512.
    assert 1 <= int(guest.info().fields["flushes"]) - int(before) <= 3
    guest.check()


@pytest.mark.only("x86_64", "i386")
@pytest.mark.parametrize("caching", ["uncached", "wc"])
def test_a_large_unit_is_read_whatever_its_caching(guest: Guest, caching: str) -> None:
    """Its bits lie elsewhere than a page's; at the wrong place they fault at the first access."""
    block = guest.alloc_pages(9)
    at = guest.vmap(block, 2 * MIB, align=2 * MIB, attributes=f"nx|{caching}")
    assert units(guest, at, 2 * MIB) == [(at, 2, 512, f"nx|{caching}")]
    guest.poke(at + 8, 19)
    assert guest.peek(at + 8) == guest.peek(block + 8) == 19
    guest.protect(at + PAGE, 1, "nx")
    assert [unit[1:] for unit in units(guest, at, 2 * MIB)] == [
        (1, 1, f"nx|{caching}"), (1, 1, "nx"), (1, 510, f"nx|{caching}")]
    assert guest.peek(at + 8) == 19 and guest.peek(at + 2 * PAGE) == 0
    guest.check()
