# SPDX-License-Identifier: MIT
"""The serial console as a person sees it: prompt, echo, editing, history, completion, help."""
from __future__ import annotations

from typing import Any

import pexpect  # type: ignore[import]
import pytest

from tests.scenarios.support import PC_AREAS

PROMPT = "\r+\n> "                # an emulator leaves ONLCR on
UP, LEFT, DOWN = "\x1b[A", "\x1b[D", "\x1b[B"


def type_line(console: Any, text: str) -> str:
    """Type a line and Enter; what is shown up to the next prompt, the typed line first."""
    console.send(text + "\r")
    console.expect(PROMPT)
    return str(console.before).replace("\r\r\n", "\r\n")


def shown(console: Any, text: str) -> None:
    """Wait until this is on the screen."""
    console.expect_exact(text)


def test_a_line_is_echoed_answered_and_followed_by_the_prompt(console: Any) -> None:
    assert type_line(console, "echo 5").split("\r\n") == ["echo 5", "= 5"]


def test_an_error_is_told_in_words(console: Any) -> None:
    assert "? call.command ; no such command" in type_line(console, "nonsense")


def test_the_last_result_is_at_hand(console: Any) -> None:
    type_line(console, "alloc_pages 3")
    assert "= 8" in type_line(console, "free $")


def test_help_is_enough_to_work(console: Any) -> None:
    text = type_line(console, "help")
    for command in ("alloc_pages_area AREAS ORDER", "free ADDRESS", "reserve ADDRESS PAGES"):
        assert command in text
    assert "align=" in type_line(console, "help alloc_page")


def test_backspace_takes_a_character_back(console: Any) -> None:
    assert "= 7" in type_line(console, "echo 8\x7f7")
    assert "= 7" in type_line(console, "echo 8\x087")


def test_the_cursor_moves_in_the_line(console: Any) -> None:
    assert "= 57" in type_line(console, "echo 7" + LEFT + "5")


def test_a_line_can_be_erased(console: Any) -> None:
    assert "= 7" in type_line(console, "nonsense\x15echo 7")


def test_earlier_lines_come_back(console: Any) -> None:
    type_line(console, "echo 5")
    type_line(console, "echo 6")
    assert "= 5" in type_line(console, UP + UP)
    assert "= 6" in type_line(console, UP + UP + DOWN + UP)


def test_tab_completes_commands(console: Any) -> None:
    console.send("unres\t")
    shown(console, "unreserve")
    console.send("\x15memalign_\t")
    shown(console, "memalign_pages")
    console.send("\x15")
    assert "= 5" in type_line(console, "ec\t 5")


@pytest.mark.options(PC_AREAS)
def test_tab_completes_area_names(console: Any) -> None:
    console.send("alloc_pages_area real\t")
    shown(console, "realmode")
    assert "= 0x" in type_line(console, " 0")


def test_tab_shows_what_is_possible(console: Any) -> None:
    console.send("alloc_\t\t")
    shown(console, "alloc_pages_exact")


def test_an_interrupt_drops_the_line_and_shows_the_prompt(console: Any) -> None:
    console.send("panic pan\x03")
    console.expect(PROMPT)
    assert "= 5" in type_line(console, "echo 5")


def test_an_interrupt_stops_a_long_command(console: Any) -> None:
    console.send("trace 1\r")
    console.expect(PROMPT)
    console.send("stress 4611686018427387904\r")
    shown(console, "% alloc")
    console.send("\x03")
    shown(console, "? stop.interrupted")
    console.expect(PROMPT)


def test_a_line_of_a_program_is_not_echoed(console: Any) -> None:
    console.send(">7 echo 5\r")
    shown(console, "=7 5")
    assert ">7" not in str(console.before)


def test_in_a_strict_session_a_person_is_told_how_to_leave_it(console: Any) -> None:
    console.send(">0 sync 0x1 *d85d\r")
    console.expect(r"=0 0x0+1 .*\*[0-9a-f]{4}\r+\n")
    console.send("echo 5\r")
    shown(console, "type sync 0 to end it")
    console.send("sync 0\r")
    console.expect(PROMPT)
    assert "= 5" in type_line(console, "echo 5")


def test_log_lines_stand_alone_and_the_line_being_typed_comes_again(console: Any) -> None:
    console.send("ech")
    shown(console, "ech")
    console.send("\x15mark hello\r")
    console.expect(r"\r\n; hello\r+\n")


@pytest.mark.parametrize("name", ["alloc_page", "dump map", "areas", "check", "info"])
def test_commands_answer_within_a_terminal(console: Any, name: str) -> None:
    answer = type_line(console, name).split("\r\n")
    assert answer[-1].startswith("=")


def test_poweroff_ends_the_guest_and_the_script_orderly(console: Any) -> None:
    console.send("poweroff\r")
    console.expect_exact("=")
    console.expect(pexpect.EOF)
    console.wait()
    assert console.exitstatus == 0
