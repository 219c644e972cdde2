# SPDX-License-Identifier: MIT
"""Whatever ends a guest in the middle of a run is told at once, by its right name and with the
request that was to blame, and the next guest is a clean one."""
from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from pfnlab import Guest, errors
from pfnlab.guest import Pending
from pfnlab.qmp import MonitorError
from pfnlab.report import place, reason_of
from pfnlab.symbols import backtrace
from pfnlab.values import Row

Start = Callable[..., Guest]
SOON = 2.0                        # seconds, on a machine that has nothing else to do
PATIENCE = 1.0                    # for a guest that says nothing


def in_a_run(guest: Guest, guilty: str) -> tuple[Pending, list[Pending]]:
    """Lines under way, the guilty one among them; those behind it, as far as a panic is not faster
    than they are sent: it is the answer to the guilty one all the same."""
    with_room = [guest.submit_line("alloc_page dontzero=1") for _ in range(20)]
    assert with_room
    pending, rest = guest.submit_line(guilty), []
    with suppress(errors.GuestPanic):
        for _ in range(5):
            rest.append(guest.submit_line("alloc_page"))
    return pending, rest


def test_an_assertion_is_told_with_its_place_and_the_rest_is_refused(guest: Guest) -> None:
    guilty, rest = in_a_run(guest, "panic assert")
    with pytest.raises(errors.BugAssert) as caught:
        guilty.result()
    assert caught.value.request == "panic assert" and ".c:" in str(caught.value.at)
    for one in rest:
        with pytest.raises(errors.BugDead):
            one.result()


def test_a_fault_is_told_with_its_class(guest: Guest) -> None:
    guilty, rest = in_a_run(guest, "panic fault")
    with pytest.raises(errors.BugFault) as caught:
        guilty.result()
    assert caught.value.fields["class"] == "other"
    assert isinstance(rest[-1].error(), errors.BugDead)


def test_a_guest_is_clean_after_another_tests_crash(guest: Guest) -> None:
    """The fixture's guest is the one that the tests above broke."""
    assert guest.info().fields["dead"] == 0
    guest.check()
    assert guest.alloc_page()


def test_a_panic_is_told_with_its_kind_and_its_frames(fresh_guest: Start) -> None:
    guest = fresh_guest()
    guilty, _ = in_a_run(guest, "panic")
    start = time.monotonic()
    with pytest.raises(errors.GuestPanic) as caught:
        guilty.result()
    print(f"told after {time.monotonic() - start:.2f} s, meant: {SOON:g}")
    assert "kind=request" in str(caught.value)
    assert any(line.startswith("% bt 0x") for line in caught.value.lines)


@pytest.mark.only("native", "x86_64", "i386", "s390x")
def test_a_panic_in_a_run_has_its_request_and_its_source_lines(fresh_guest: Start) -> None:
    guest = fresh_guest()
    guilty, rest = in_a_run(guest, "panic")
    with pytest.raises(errors.GuestPanic) as caught:
        guilty.result()
    told = reason_of(caught.value, guest)
    assert re.fullmatch(r"PANIC kind=request at=protocol/cmd_session.c:\d+ in >\d+ panic", told)
    frames = backtrace(guest, caught.value.lines)
    assert any("cmd_panic() " in frame and "protocol/cmd_session.c:" in frame for frame in frames)
    for one in rest:                          # they never ran
        with pytest.raises(errors.GuestGone):
            one.result()


def test_a_wild_store_is_an_error_with_its_address_and_the_guest_goes_on(guest: Guest) -> None:
    nowhere = 0x7000000000 if guest.arch != "i386" else 0x70000000
    guilty, rest = in_a_run(guest, f"poke {nowhere:#x} 1")
    with pytest.raises(errors.GuestError) as caught:
        guilty.result()
    assert caught.value.code in ("fault.address", "mem.unmanaged", "call.unsupported")
    assert caught.value.request == f"poke {nowhere:#x} 1"
    for one in rest:
        one.result()
    guest.check()


@pytest.mark.only("x86_64", "i386", "s390x")
def test_a_reset_that_nobody_asked_for_is_the_end(fresh_guest: Start) -> None:
    guest = fresh_guest()
    guilty, _ = in_a_run(guest, "stress 4000000000")

    def on_event(row: Row) -> None:
        with suppress(MonitorError):            # QEMU ends by it, and may do so before it answers
            guest.monitor.command("system_reset")
    guest.link.on_event = on_event              # it is at work
    with pytest.raises(errors.GuestGone) as caught:
        guilty.result()
    assert guest.dead
    told = reason_of(caught.value, guest)
    assert re.match(r"GONE .*(restarted|was reset).* in >\d+ stress 4000000000$", told)


def test_an_emulator_that_is_killed_is_gone(fresh_guest: Start) -> None:
    guest = fresh_guest()
    guilty, _ = in_a_run(guest, "stress 4T")
    start = time.monotonic()

    def on_event(row: Row) -> None:
        nonlocal start
        guest.transport.kill()    # type: ignore[attr-defined]
        start = time.monotonic()
    guest.link.on_event = on_event                # it is at work
    with pytest.raises(errors.GuestGone) as caught:
        guilty.result()
    print(f"told after {time.monotonic() - start:.2f} s, meant: {SOON:g}")
    assert guest.link.recoveries == 0         # the end itself is heard, not its silence
    told = reason_of(caught.value, guest)
    assert re.match(r"GONE the guest has ended, exit status -9.* in >\d+ stress 4T$", told, re.S)


def test_an_endless_loop_is_silence_with_the_request_that_began_it(fresh_guest: Start) -> None:
    guest = fresh_guest()
    guilty, _ = in_a_run(guest, "panic hang")
    start = time.monotonic()
    with pytest.raises(errors.GuestHung) as caught:
        guilty.result()
    print(f"told after {time.monotonic() - start:.2f} s, meant: {SOON:g} of the guest's own clock")
    assert str(caught.value).endswith(" in: panic hang")
    assert re.match(r"HANG >\d+ panic hang \(", reason_of(caught.value, guest))
    guest.kill()


@pytest.mark.only("native", "s390x")
def test_a_loop_without_end_on_another_processor_is_no_sign_of_life(fresh_guest: Start) -> None:
    guest = fresh_guest("cpus=2")
    guest.cpu("start", 1)
    with pytest.raises(errors.GuestHung, match="on 1 panic hang"):
        guest.on(1, "panic hang")
    guest.kill()


@pytest.mark.parametrize(("line", "signs"), [("stress 4611686018427387904", 30),
                                             ("on 1 stress 4611686018427387904", 5)])
def test_a_command_that_takes_long_does_not_hang(fresh_guest: Start, line: str, signs: int) -> None:
    """30 signs of life are more seconds than a hang has."""
    guest = fresh_guest("cpus=2")
    guest.cpu("start", 1)
    signs = signs if guest.arch == "native" else 5

    def on_event(row: Row) -> None:
        nonlocal signs
        assert row[0] == "busy" and row.fields["tag"] == guest.link.next_tag - 1
        signs -= 1
        if signs == 0:
            guest.interrupt()
    guest.link.on_event = on_event
    with pytest.raises(errors.StopInterrupted):
        guest.line(line)
    assert signs <= 0 and guest.link.recoveries == 0


@pytest.mark.only("native", "x86_64", "i386", "s390x")
def test_a_stack_that_overflows_in_a_run_is_a_fault_of_its_request(fresh_guest: Start) -> None:
    guest = fresh_guest()
    guilty, _ = in_a_run(guest, "panic overflow")
    with pytest.raises((errors.GuestPanic, errors.BugFault)) as caught:
        guilty.result()
    if isinstance(caught.value, errors.BugFault):
        assert caught.value.request == "panic overflow"
        assert caught.value.fields["class"] == "address"
    else:
        told = reason_of(caught.value, guest)
        assert re.fullmatch(r"PANIC kind=double_fault in >\d+ panic overflow", told)
        assert any(" stack_overflow" in frame for frame in backtrace(guest, caught.value.lines))


@pytest.mark.only("native", "x86_64", "i386", "s390x")
@pytest.mark.skipif(shutil.which("gdb-multiarch") is None, reason="there is no gdb for all guests")
def test_a_report_of_a_hang_tells_where_the_guest_is(fresh_guest: Start) -> None:
    guest = fresh_guest()
    with pytest.raises(errors.GuestSilent):
        guest.submit_line("panic hang").result(timeout=PATIENCE)
    told = place(guest).splitlines()
    assert re.match(r"#0 .*\bcmd_panic \(.*\) at protocol/cmd_session.c:\d+", told[0]), told
    assert any(" dispatch " in frame for frame in told)
    guest.kill()
