# SPDX-License-Identifier: MIT
"""What breaks is told, and the guest goes on where it can."""
from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from pfnlab import Guest, errors
from tests.scenarios.support import PAGE, Wire

Start = Callable[..., Guest]


def test_a_failed_assertion_is_an_error_with_its_place(guest: Guest) -> None:
    with pytest.raises(errors.BugAssert) as caught:
        guest.panic("assert")
    assert str(caught.value.at).startswith("protocol/cmd_session.c:")


def test_a_fault_of_the_guest_is_an_error_with_its_class(guest: Guest) -> None:
    with pytest.raises(errors.BugFault) as caught:
        guest.panic("fault")
    assert caught.value.fields["class"] == "other"
    assert int(str(caught.value.fields["pc"]), 0) > 0


def stack_guards(guest: Guest) -> list[int]:
    """The pages below stacks."""
    return [int(row["first"]) for row in guest.truth() if row[0] == "guard"]


@pytest.mark.only("native", "s390x")
def test_a_stack_overflow_is_a_fault_of_the_guest_at_the_page_below(guest: Guest) -> None:
    guards = stack_guards(guest)
    for _ in range(3):
        with pytest.raises(errors.BugFault) as caught:
            guest.panic("overflow")
        at = int(str(caught.value.fields["addr"]), 0)
        # Natively the stack is the host's, and so is the page below it.
        assert at & -PAGE in guards or guest.arch == "native"
        guest.reset()
    assert guest.alloc_page()


@pytest.mark.only("x86_64", "i386")
def test_a_stack_overflow_is_a_double_fault_at_the_page_below(fresh_guest: Start) -> None:
    """Where the page fault would be served on the stack that is full."""
    guest = fresh_guest()
    guards = stack_guards(guest)
    with pytest.raises(errors.GuestPanic) as caught:
        guest.panic("overflow")
    told = re.search(r"kind=double_fault .*address=(0x\w+)", "\n".join(caught.value.lines))
    assert told is not None and int(told[1], 0) & -PAGE in guards
    assert guest.transport.wait(20) == 4


def test_after_that_nothing_changes_until_a_reset_and_queries_go_on(guest: Guest) -> None:
    block = guest.alloc_page()
    with pytest.raises(errors.BugAssert):
        guest.panic("assert")
    for change in (lambda: guest.alloc_page(), lambda: guest.free(block),
                   lambda: guest.reserve(0x400000, 1)):
        with pytest.raises(errors.BugDead):
            change()
    assert guest.info().fields["dead"] == 1
    assert guest.dump("pages", block, 1)[0][2] == "allocated"
    guest.check()
    guest.reset()
    assert guest.alloc_page()


def test_a_panic_is_named_at_once_with_registers_and_ends_the_guest(fresh_guest: Start) -> None:
    guest = fresh_guest()
    with pytest.raises(errors.GuestPanic) as caught:
        guest.panic("panic")
    assert "kind=request" in str(caught.value)
    assert any(line.startswith("% reg") for line in caught.value.lines)
    assert any(line.startswith("% bt 0x") for line in caught.value.lines)
    assert guest.transport.wait(20) == 4


def test_a_panic_that_is_stayed_leaves_the_queries_until_poweroff(fresh_guest: Start) -> None:
    guest = fresh_guest("onpanic=stay")
    line = Wire(guest)
    block = line.talk(b"> alloc_page\n")[0].split()[1]
    for _ in range(2):
        said = line.talk(b">5 panic\n")
        assert said[0].startswith("% panic kind=request")
        assert said[-2] == "% end panic"
        assert said[-1].startswith("?5 bug.panic kind=request")
    for change in (b"alloc_page", b"free 0x1000", b"reset", b"map_machine"):
        assert line.talk(b"> " + change + b"\n")[0].startswith("? bug.dead ")
    assert "dead=1" in line.talk(b"> info\n")[-1]
    assert " allocated " in line.talk(f"> dump pages {block} 1\n".encode())[0]
    assert line.talk(b"> check\n") == ["="]
    assert line.talk(b"> peek 0x7000000000\n")[0].startswith("? fault.address ")
    guest.link.raw(b"> poweroff\n")
    assert guest.transport.wait(20) == 4


def test_the_host_takes_a_guest_that_stays_for_gone(fresh_guest: Start) -> None:
    guest = fresh_guest("onpanic=stay")
    with pytest.raises(errors.GuestPanic):
        guest.panic("panic")
    with pytest.raises(errors.GuestPanic):
        guest.info()
    guest.kill()


def test_engines_are_listed_on_request(fresh_guest: Start) -> None:
    guest = fresh_guest("engine=help")
    named = [entry.text.split()[2] for entry in guest.link.log if entry.text[:9] == "; engine "]
    assert named == ["tree", "list"]
    assert guest.info().fields["engine"] in named


def test_a_guest_that_was_killed_is_named_dead(fresh_guest: Start) -> None:
    guest = fresh_guest()
    hanging = guest.submit_line("panic hang")
    guest.transport.process.kill()  # the emulator dies right after the script that started it
    with pytest.raises(errors.GuestGone):
        hanging.result(timeout=1000)
    with pytest.raises(errors.GuestGone):
        guest.echo(1)


def test_poweroff_is_an_orderly_end(fresh_guest: Start) -> None:
    assert fresh_guest().close() == 0


@pytest.mark.only("native")
def test_the_end_of_input_ends_the_native_guest_orderly(fresh_guest: Start) -> None:
    guest = fresh_guest()
    guest.transport.end_input()
    assert guest.transport.wait(20) == 0


@pytest.mark.only("native")
def test_the_end_of_input_in_mid_command_runs_nothing(fresh_guest: Start) -> None:
    guest = fresh_guest()
    guest.link.raw(b">5 panic pan")
    guest.transport.end_input()
    assert guest.transport.wait(20) == 0


@pytest.mark.engine("tree")         # another may have all its records from the start
def test_starved_of_records_the_allocator_says_so_and_stays_whole(fresh_guest: Start) -> None:
    guest = fresh_guest("append=kpool=64K")
    with pytest.raises(errors.MemMetadata):
        for i in range(200000):
            guest.alloc_page(area="low", dontzero=1)
    guest.check()
