# SPDX-License-Identifier: MIT
"""gdb on every machine: what it finds is what the guest itself says at that moment."""
from __future__ import annotations

import re

import pytest

from pfnlab import cli, outside
from tests.gdb.session import OVERFLOW, TWINS, engine_session, session

ARCHES = ["native", "x86_64", "i386", "s390x"]
ENTERED = {"x86_64": "cpu_enter", "i386": "cpu_enter", "s390x": "restart_translated"}
OUTERMOST = {"native": "main", "x86_64": "start64", "i386": "boot_port", "s390x": "start"}


@pytest.fixture(params=ARCHES, scope="module")
def arch(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def said(arch: str) -> dict[str, str]:
    return session(arch)


def rows(text: str) -> list[str]:
    """Of the serial line: rows, or the value of the final line."""
    found = [line[2:] for line in text.splitlines() if line.startswith(": ")]
    return found or [line[2:] for line in text.splitlines() if line.startswith("= ")]


def frames(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#")]


def is_whole(arch: str, text: str) -> bool:
    """Does a backtrace end where the machine began, and nowhere before?"""
    found = frames(text)
    return bool(found) and f" {OUTERMOST[arch]} (" in found[-1] and "??" not in text \
        and "Backtrace stopped" not in text


def assert_alike(said: dict[str, str], question: str) -> None:
    """What gdb finds is what the guest answers."""
    ours, theirs = said[f"gdb {question}"].splitlines(), rows(said[f"line {question}"])
    if question == "heap":
        theirs += rows(said["totals"])
    if question.startswith("freelist"):
        theirs = [row for row in theirs if " area=low " in row]
    assert len(ours) > 0 and [line for line in ours if line] == theirs


def assert_flip_found(said: dict[str, str]) -> None:
    """Both find the same byte broken first."""
    theirs = re.search(r"^\? bug.check (invariant=\d+ at=0x[0-9a-f]{16}) ", said["flip"], re.M)
    assert theirs is not None
    assert said["flip"].splitlines()[1].startswith(theirs[1])
    assert re.search(r"^\d+ broken$", said["flip"], re.M)
    assert said["status"] == "1"


@pytest.mark.parametrize("question", TWINS)
def test_gdb_sees_what_the_guest_says(said: dict[str, str], question: str) -> None:
    assert_alike(said, question)


@pytest.mark.parametrize("guest", ["native?cpus=2", "x86_64?boot=iso", "s390x?boot=iso"])
def test_another_engine_is_read_as_well_and_what_an_iso_boots(guest: str) -> None:
    said = engine_session(guest)
    for question in TWINS:
        assert_alike(said, question)
    assert said["check"].splitlines()[:2] == ["all invariants hold", "="]
    assert "\nblock order=3 fresh=0 byte=35: *(unsigned char *) 0x" in said["page"]
    assert said["owner"].splitlines()[0] == said["page"].splitlines()[0]
    assert "Hardware watchpoint" in said["watch"] and "New value = " in said["watch"]
    assert re.search(r"^\$1 = area \w+ 0x[0-9a-f]+\.\.0x[0-9a-f]+ managed=", said["tree"], re.M)
    assert "the engine is `list`, not `tree`" in said["errors"]
    assert_flip_found(said)


def test_every_backtrace_ends_where_the_machine_began(arch: str, said: dict[str, str]) -> None:
    assert is_whole(arch, said["prompt"].partition("\nThread 1 ")[2])
    assert "protocol_serve" in said["prompt"]
    assert is_whole(arch, said["alloc"]) and "pages_alloc" in said["alloc"]
    assert is_whole(arch, said["watch"])


def test_a_backtrace_goes_through_an_exception(arch: str, said: dict[str, str]) -> None:
    assert is_whole(arch, said["fault"]) and "cmd_peek" in said["fault"]
    if arch in ("x86_64", "s390x"):            # elsewhere the port finds out without touching
        assert "<signal handler called>" in said["fault"]
        assert " arch_load (" in said["fault"]


@pytest.mark.parametrize("machine", ENTERED)
def test_a_backtrace_is_whole_at_every_instruction_of_a_way_through_assembly(machine: str) -> None:
    assert f"\nwalked 210: {OUTERMOST[machine]}\n" in session(machine)["walk"]


def test_processors_are_told(arch: str, said: dict[str, str]) -> None:
    assert re.search(r"^0 pc=0x[0-9a-f]+ \S+ \S+:\d+$", said["prompt"], re.M)


def test_a_processor_that_went_astray_is_told(said: dict[str, str]) -> None:
    told = said["astray"].splitlines()
    assert re.match("0 pc=0x7f00000( |$)", told[0])
    assert any(" managed=" in line for line in told)


def test_several_processors_are_told(said: dict[str, str]) -> None:
    assert re.search(r"^1 pc=0x", said["cpus"], re.M)
    assert re.search(r"^cpu 1 runs stack=0x[0-9a-f]{16} owner=8 name=tests$", said["cpus"],
                     re.M)


@pytest.mark.parametrize("machine", ENTERED)
def test_the_backtrace_of_another_cpu_ends_where_it_began(machine: str) -> None:
    told = session(machine)["cpus"]
    assert f" {ENTERED[machine]} (" in frames(told)[-1] and "??" not in told


def test_a_backtrace_goes_through_an_interrupt() -> None:
    told = session("s390x")["interrupt"]
    assert is_whole("s390x", told) and "protocol_serve" in told
    assert "#0  <signal handler called>" in told


def test_check_agrees_with_the_guest(said: dict[str, str]) -> None:
    assert said["check"].splitlines()[:2] == ["all invariants hold", "="]


def test_a_flipped_bit_is_found_as_the_guest_finds_it(said: dict[str, str]) -> None:
    assert_flip_found(said)


def test_a_planted_corruption_is_caught_in_the_act(arch: str, said: dict[str, str]) -> None:
    told = said["planted"]
    assert "New value = 1" in told and re.search(r"^#0 .*\bpage_corrupt \(", told, re.M)
    assert is_whole(arch, told) and re.search(r"^\d+ runs: > corrupt count$", told, re.M)
    theirs = re.search(r"^\? bug.check (invariant=14 at=0x[0-9a-f]{16}) ", told, re.M)
    assert theirs is not None and f"\n{theirs[1]}" in told


def test_a_page_tells_its_block_and_its_neighbours(said: dict[str, str]) -> None:
    told = said["page"].splitlines()
    assert told[0] == ("0x0000000003000000 8 allocated area=low fresh=0 order=3 owner=2 "
                       "name=tests")
    assert told[1].startswith("free=0: *(unsigned char *) 0x")
    assert told[2].startswith("head=0: *(unsigned char *) 0x")     # its third page
    assert told[3].startswith("fresh=0: *(unsigned char *) 0x")
    assert told[4].startswith("before: ") and told[5].startswith("behind: 0x0000000003008000 ")
    told = said["free page"].splitlines()
    assert told[0] == "0x0000000003200000 4 free area=low fresh=0"
    assert told[1] == "free block 0x0000000003200000 order=8"
    assert told[2].startswith("free=1")
    assert "\nfree block 0x0000000003140000 order=6\n" in said["free pages"]


def test_an_owner_has_what_it_asked_for(said: dict[str, str]) -> None:
    assert said["owner"].splitlines()[0] == said["page"].splitlines()[0]
    told = said["virtual owner"].splitlines()
    assert len([line for line in told if " allocated " in line]) == 3
    assert "0x0000010000001000 3 vmalloc front=1 back=1 size=10000 redzone=1 owner=5" in told \
        or " 3 vmalloc " in told[3]


def test_the_way_through_the_tables_ends_at_the_page(said: dict[str, str]) -> None:
    last = [line for line in said["way"].splitlines() if line][-1]
    assert " mapping phys=0x000000000300" in last and "attributes=nx" in last


def test_the_ring_has_the_last_lines(said: dict[str, str]) -> None:
    told = [line for line in said["ring"].splitlines() if line]
    assert re.fullmatch(r"\d+ done: > check", told[-1])
    assert any(line.endswith(" done: >2 alloc_pages 3 at=48M") for line in told)


def test_gdb_compares_all_at_once(said: dict[str, str]) -> None:
    told = said["compare"].splitlines()
    assert [line.split()[0].rstrip(":") for line in told if ": the same, " in line] \
        == list(outside.TWINS) and "not the same" not in said["compare"]


def test_printers_and_expressions(said: dict[str, str]) -> None:
    frame = re.search(r"^\$1 = pfn 0x([0-9a-f]+) \(0x([0-9a-f]{16})\)$", said["printers"], re.M)
    assert frame is not None and int(frame[1], 16) << 12 == int(frame[2], 16) > 0
    assert re.search(rf"^\$2 = area \w+ 0x{frame[2]}\.\.0x", said["printers"], re.M)
    assert re.search(rf"^\$3 = area \w+ up to 0x{frame[2]}$", said["printers"], re.M)
    told = said["expression"].splitlines()
    assert told[0] == said["page"].splitlines()[0]
    row = told[6].split()
    assert int(row[0], 16) <= int(frame[2], 16) < int(row[0], 16) + int(row[1]) * 4096


def test_a_guest_that_panics_is_stopped_before_its_end(arch: str, said: dict[str, str]) -> None:
    assert "The guest has panicked" in said["panic"] and " managed=" in said["panic"]
    assert " cmd_panic (" in said["panic"] and is_whole(arch, said["panic"])
    if arch in OVERFLOW:
        assert "<signal handler called>" in said["panic"] and " stack_overflow (" in said["panic"]
        wanted = OVERFLOW[arch]["panic"]
        assert said["panic"].count(f" {OUTERMOST[arch]} (") \
            == sum(step.startswith("bt") for step in wanted)
    assert " managed=" not in said["end"]
    assert "pfn areas: there is no guest that runs" in said["errors"]
    assert "pfn send echo 1: there is no guest that runs" in said["errors"]


NO_WAY_IN = {"x86_64?emulator=bochs": "--emulator bochs has no --qmp, --snapshot or --gdb",
             "s390x?emulator=hercules": "--emulator hercules has no --gdb",
             "i386?boot=iso&firmware=uefi": "gdb reads no i386 kernel for a 64-bit emulator",
             "unix:/nowhere": "gdb is for a guest that it starts"}


@pytest.mark.parametrize("name", NO_WAY_IN)
@pytest.mark.parametrize("verb", ["gdb", "compare"])
def test_where_no_debugger_gets_in_nothing_is_started(verb: str, name: str,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    words = [name] if verb == "gdb" else ["--door", "gdb"]
    assert cli.main(["--guest", name, verb, *words]) == 2
    assert NO_WAY_IN[name] in capsys.readouterr().err


def test_wrong_questions_are_refused_in_one_line(said: dict[str, str]) -> None:
    assert said["wrong"].strip() == ""
    assert said["errors"].count("no such area: nowhere; there are: ") == 3
    assert said["errors"].count("no such order: 99; the largest is 18") == 2
    for complaint in ("usage: pfn compare", 'No symbol "banana"', "usage: page ADDRESS",
                      "Cannot convert value", "not colour=red",
                      "there are no such pages: 4096T 1", "there are no such pages: 0 2T",
                      "there is no such page: 18446744073709551615", "not a number of bytes: 1.5",
                      "usage: check\n", "usage: pfn break-tag N", "usage: pfn watch-page ADDRESS",
                      "not area=", 'Undefined pfn command: "bananas"', "is not mapped",
                      "a line has at most 1023 characters"):
        assert complaint in said["errors"]
    assert "Traceback" not in said["errors"] and "Python Exception" not in said["errors"]


def test_a_line_is_awaited_whatever_the_guest_has_to_answer_before(said: dict[str, str]) -> None:
    assert re.search(r"^Temporary breakpoint .*^= 4$.*^= 5$", said["overtake"], re.M | re.S)


def test_help_and_completion(said: dict[str, str]) -> None:
    assert "Usage: pfn page ADDRESS" in said["help"]
    assert "pfn check\npfn compare\npfn cpus" in said["help"] and "pfn freelist low" in said["help"]
    assert "\npfn break-alloc area=low\n" in said["help"]
    assert "\npfn areas -- The areas: limits, pages, free blocks by order.\n" in said["help"]


def test_breakpoint_step_and_finish(said: dict[str, str]) -> None:
    assert "cmd_echo (" in said["break"] and "protocol/cmd_session.c" in said["break"]
    assert "Value returned is" in said["break"] and "OK" in said["break"]


def test_break_tag_stops_before_that_request(said: dict[str, str]) -> None:
    assert re.search(r"^=20 1$.*^\$\d+ = 21$.*^=21 2$", said["tag"], re.M | re.S)


def test_break_alloc_stops_at_order_area_and_address(said: dict[str, str]) -> None:
    assert "journal_event" in said["alloc"] and re.search("pages=16[,)]", said["alloc"])
    assert re.search(r"^\$\d+ = pfn 0x3400 ", said["address"], re.M)


def test_a_watched_page_stops_who_changes_it(said: dict[str, str]) -> None:
    assert "Hardware watchpoint" in said["watch"] and "New value = " in said["watch"]
    assert "cmd_free" in said["watch"] or "page_free" in said["watch"]
