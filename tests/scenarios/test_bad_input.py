# SPDX-License-Identifier: MIT
"""Mistakes of callers: each has its own error, and nothing has changed afterwards."""
from __future__ import annotations

import pytest

from pfnlab import Guest, errors
from tests.scenarios.support import PAGE

NOT_A_NUMBER = ["banana", "-1", "1e3", "010", "0x", "4Gx", "1.5", "+3", "0X10", "1_000", "0xg",
                "0x10K", "K", "0x10000000000000000", "$x", "4k", "''"]


def error_of(guest: Guest, text: str) -> errors.GuestError:
    """The error that a line ends with."""
    caught = guest.submit_line(text).error()
    assert caught is not None, f"{text}: no error"
    return caught


@pytest.mark.parametrize("word", NOT_A_NUMBER)
def test_a_word_that_is_no_number_is_never_taken_for_one(guest: Guest, word: str) -> None:
    error = error_of(guest, f"alloc_pages {word}")
    assert (error.code, error.fields["arg"]) == ("call.number", "order")


@pytest.mark.parametrize("word", ["18446744073709551616", "16777216T",
                                  "99999999999999999999999999"])
def test_a_number_that_64_bits_do_not_hold_is_out_of_range(guest: Guest, word: str) -> None:
    assert error_of(guest, f"phys_alloc {word}").code == "call.range"


@pytest.mark.parametrize(("word", "value"), [
    ("0", 0), ("0x0", 0), ("18446744073709551615", 2 ** 64 - 1),
    ("0xFFffFFffFFffFFff", 2 ** 64 - 1),
    ("4K", 4096), ("3M", 3 << 20), ("2G", 2 << 30), ("1T", 1 << 40), ("0K", 0),
    ("0x0000000000000001", 1), ("16777215T", 16777215 << 40)])
def test_a_number_is_what_it_says(guest: Guest, word: str, value: int) -> None:
    assert guest.echo(word) == value


@pytest.mark.parametrize(("text", "code"), [
    ("nonsense", "call.command"), ("ALLOC_PAGE", "call.command"), ("alloc_pageA", "call.command"),
    ("alloc_pages", "call.missing"), ("alloc_pages_area low", "call.missing"),
    ("alloc_pages 1 2", "call.surplus"), ("reset page now", "call.surplus"),
    ("alloc_pages 1 flag=1", "call.key"), ("alloc_pages 1 =1", "call.key"),
    ("alloc_pages 1 align=4K align=4K", "call.twice"), ("alloc_pages 1 order=1", "call.twice"),
    ("alloc_pages_area nowhere 1", "call.area"), ("alloc_pages_area low| 1", "call.area"),
    ("alloc_pages_area |low 1", "call.area"), ("alloc_pages_area low,high 1", "call.area"),
    ("alloc_pages 1 area=", "call.area"), ("alloc_pages 1 align=", "call.number"),
    ("alloc_pages 64", "call.range"), ("alloc_pages 19", "call.range"),
    ("alloc_pages_area low 64", "call.range"),
    ("alloc_page align=3", "call.align"), ("alloc_page align=0", "call.align"),
    ("memalign_pages_area low 3 4096", "call.align"),
    ("memalign_pages_area low 0 4096", "call.align"),
    ("memalign_pages_area low 4K 18446744073709551612", "call.range"),
    ("memalign_pages_area low 4K 0", "call.range"), ("memalign_pages_area low 2G 4K", "call.range"),
    ("alloc_pages 3 at=0x1000", "mem.unaligned"),
    ("alloc_pages_exact 0", "call.range"), ("alloc_pages_exact 18446744073709551615", "call.range"),
    ("phys_alloc 0", "call.range"), ("phys_alloc 1 align=3", "call.align"),
    ("phys_set_minimum_alignment 0", "call.align"), ("phys_set_minimum_alignment 48", "call.align"),
    ("phys_set_minimum_alignment 2G", "call.range"),
    ("reserve 0x400000 0", "call.range"), ("reserve 0x400000 0xfffffffffffff000", "call.range"),
    ("unreserve 0x400000 0", "call.range"), ("free 0x400000 0", "call.range"),
    ("free 0x10000000000000", "call.range"), ("alloc_page fresh=2", "call.range"),
    ("alloc_page min=0x20000000000000", "call.range"),
    ("dump everything", "call.word"), ("dump", "call.missing"), ("reset stage=late", "call.word"),
    ("map_add 0 4096 kind=maybe", "call.word"), ("phys_alloc 1 from=left", "call.word"),
    ("free $9999999", "call.reference"), ("free $v7", "call.reference"),
    ("alloc_page as=256", "call.range"), ("store 64 alloc_page", "call.range"),
    ("store 0 nonsense", "call.command"), ("store 0 run 1", "call.word"),
    ("again 999999", "call.reference"), ("help nonsense", "call.command"),
])
def test_a_mistake_has_its_own_error(guest: Guest, text: str, code: str) -> None:
    before = guest.dump("areas"), guest.dump("phys")
    assert error_of(guest, text).code == code
    assert (guest.dump("areas"), guest.dump("phys")) == before


def test_the_error_says_which_argument_was_wrong(guest: Guest) -> None:
    error = error_of(guest, "alloc_pages_area low 64")
    assert error.fields == {"arg": "order", "min": 0, "max": 18}


@pytest.mark.parametrize(("at", "code"), [
    (0x800, "mem.unaligned"), (0x400001, "mem.unaligned"), (0, "mem.unmanaged"),
    (0xa0000, "mem.unmanaged"), (1 << 51, "mem.unmanaged"), (0x400000, "mem.free")])
def test_a_wrong_pointer_is_a_distinct_error_that_names_it(guest: Guest, at: int,
                                                           code: str) -> None:
    error = error_of(guest, f"free {at:#x}")
    assert (error.code, error.at) == (code, at)


def test_a_pointer_into_a_block_is_not_its_address(guest: Guest) -> None:
    block = guest.alloc_pages(2)
    with pytest.raises(errors.MemInside) as caught:
        guest.free(block + 3 * PAGE)
    assert caught.value.at == block + 3 * PAGE
    assert guest.free(block) == 4


def test_a_block_is_freed_once(guest: Guest) -> None:
    block = guest.alloc_pages(2)
    guest.free(block)
    with pytest.raises(errors.MemFree):
        guest.free(block)
    guest.check()


def test_a_failed_request_leaves_everything_as_it_was(guest: Guest) -> None:
    before = guest.dump("pages")
    with pytest.raises(errors.MemNone):
        guest.alloc_pages(18, area="dma24")
    assert guest.dump("pages") == before


# ---- spellings ----

@pytest.mark.parametrize(("alias", "text"), [
    ("free_pages", "free_pages {0:#x}"), ("free_page", "free_page {0:#x}"),
    ("by name", "free address={0:#x}"), ("decimal", "free {0}"),
    ("upper case digits", "free 0x{0:X}"), ("sixteen digits", "free {0:#018x}")])
def test_each_spelling_frees_the_block(guest: Guest, alias: str, text: str) -> None:
    block = guest.alloc_page()
    assert guest.line(text.format(int(block))) == 1


def test_spellings_of_reserve_are_the_same_command(guest: Guest) -> None:
    assert guest.reserve_pages(0x400000, 2) == 0x400000
    guest.unreserve_pages(0x400000, 2)
    assert guest.memalign_pages("low", 0x10000, 0x5000) % 0x10000 == 0


def test_keys_stand_anywhere_and_positions_have_names(guest: Guest) -> None:
    assert guest.line("alloc_pages_area align=64K low 2") % 0x10000 == 0
    assert guest.line("alloc_pages_area order=2 areas=low") % 0x4000 == 0


# ---- variables ----

def test_a_result_is_an_argument_by_the_tag_of_its_request(guest: Guest) -> None:
    with guest.pipeline() as line:
        block = line.alloc_pages(3)
        freed = line.free(block)
    assert freed.result() == 8


def test_the_last_result_has_a_short_name(guest: Guest) -> None:
    block = guest.alloc_pages(1)
    assert guest.line("echo $") == block


def test_a_variable_keeps_a_result_until_it_is_overwritten(guest: Guest) -> None:
    block = guest.alloc_pages(1, as_=5)
    for i in range(300):
        guest.echo(i)
    assert guest.line("free $v5") == 2
    assert block % 8192 == 0


def test_results_older_than_the_slots_are_gone(guest: Guest) -> None:
    tag = guest.link.next_tag
    guest.alloc_page()
    for i in range(guest.link.limit("slots", 0)):
        guest.echo(i)
    with pytest.raises(errors.CallReference):
        guest.line(f"free ${tag}")


def test_a_failure_leaves_no_result(guest: Guest) -> None:
    tag = guest.link.next_tag
    with pytest.raises(errors.MemUnmanaged):
        guest.free(0)
    with pytest.raises(errors.CallReference):
        guest.line(f"echo ${tag}")


def test_a_reset_empties_the_variables(guest: Guest) -> None:
    guest.alloc_page(as_=3)
    guest.reset()
    with pytest.raises(errors.CallReference):
        guest.line("free $v3")
