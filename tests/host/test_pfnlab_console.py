# SPDX-License-Identifier: MIT
"""The console of `pfnlab run`, as it stands on a terminal, and what it completes."""
from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pfnlab
from pfnlab import Guest

pexpect = pytest.importorskip("pexpect")
pytest.importorskip("prompt_toolkit")

HOST = Path(pfnlab.__file__).parents[1]
LEFT_TO_US = "\x1b[?2004l"        # bracketed paste off: the line is accepted, its command begins

pytestmark = pytest.mark.only("native")


@pytest.fixture
def terminal(tmp_path: Path, guest_name: str) -> Iterator[Any]:
    """The console at its first prompt."""
    child = pexpect.spawn(
        sys.executable, ["-m", "pfnlab", "run", guest_name], encoding="utf-8", timeout=30,
        dimensions=(40, 120), cwd=str(tmp_path),
        env={**os.environ, "PYTHONPATH": str(HOST), "TERM": "xterm", "NO_COLOR": "",
             "XDG_STATE_HOME": str(tmp_path), "PROMPT_TOOLKIT_NO_CPR": "1"})
    child.expect_exact("commands; help lists them")
    yield child
    child.close(force=True)


def test_lines_are_answered_in_colours_and_log_lines_stand_apart(terminal: Any) -> None:
    terminal.send("alloc_pages_area low 3\r")
    terminal.expect(r"\x1b\[[\d;]*32m= 0x000000000\w{7}")
    terminal.send("free 1\r")
    terminal.expect(r"\x1b\[[\d;]*31m\? mem.unaligned")
    terminal.send("mark hello\r")
    terminal.expect(r"\x1b\[[\d;]*90m; hello")
    terminal.send("trace 1\ralloc_page\r")
    terminal.expect(r"\x1b\[[\d;]*36m% alloc addr=")


def test_help_comes_from_the_guests_table(terminal: Any) -> None:
    terminal.send("help reserve\r")
    terminal.expect_exact("reserve ADDRESS PAGES [as=]")
    terminal.send("help nonsense\r")
    terminal.expect_exact("no command 'nonsense'")


def test_tab_completes(terminal: Any) -> None:
    terminal.send("unres\t")
    terminal.expect("unres.*erve")


def test_an_interrupt_stops_what_runs(terminal: Any) -> None:
    terminal.send("stress 4T\r")                  # a key as yet, or a signal already: it counts
    terminal.sendintr()
    terminal.expect_exact("stop.interrupted")
    terminal.send("stress 4T\r")
    terminal.expect_exact(LEFT_TO_US)
    terminal.sendintr()
    terminal.expect_exact("stop.interrupted")
    terminal.send("echo 5\r")
    terminal.expect_exact("= 5")


def guest_of(console: int) -> int:
    """The process of the native guest that a console started."""
    children = Path(f"/proc/{console}/task/{console}/children").read_text().split()
    pid, = (int(child) for child in children
            if b"build/native/pfnlab" in Path(f"/proc/{child}/cmdline").read_bytes())
    return pid


def test_a_guest_that_hangs_is_given_up_at_the_second_interrupt(terminal: Any) -> None:
    guest = guest_of(terminal.pid)
    os.kill(guest, signal.SIGSTOP)
    terminal.send("echo 5\r")
    terminal.expect_exact(LEFT_TO_US)
    terminal.sendintr()
    terminal.expect_exact("once more ends the guest")
    terminal.sendintr()
    terminal.expect_exact("given up")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 124
    assert not Path(f"/proc/{guest}").exists()


def test_a_second_interrupt_in_the_middle_of_the_first_is_no_broken_line(guest: Guest) -> None:
    from pfnlab.console import Again, _Stop
    stop = _Stop(guest)

    class Interrupting:
        """A socket at which ^C comes once more while it sends what the first one asks."""

        def __init__(self, link: Any) -> None:
            self.link = link

        def fileno(self) -> int:
            return int(self.link.fileno())

        def send(self, *words: Any) -> int:
            guest.transport.socket = self.link
            stop()
            return int(self.link.send(*words))
    guest.transport.socket = Interrupting(guest.transport.socket)
    with pytest.raises(Again):
        stop()
    assert guest.echo(5) == 5


def test_what_is_typed_while_a_command_runs_waits_for_the_prompt(terminal: Any, tmp_path: Path
                                                                 ) -> None:
    terminal.send("stress 200000\r")
    terminal.expect_exact(LEFT_TO_US)
    terminal.send(".save kept.t\r")
    terminal.sendeof()
    terminal.expect_exact("= 200000")
    terminal.expect("kept.t: [0-9]+ lines")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert "stress 200000" in (tmp_path / "kept.t").read_text()
    history = tmp_path / "pfnlab/history"
    assert "stress 200000" in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_a_panic_ends_it_with_its_status(terminal: Any) -> None:
    terminal.send("panic\r")
    terminal.expect_exact("the guest panicked")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 4


@pytest.mark.parametrize(("line", "wanted", "unwanted"), [
    ("all", "alloc_page", "areas"), ("alloc_pages_area l", "lowest", "realmode"),
    ("alloc_page ar", "area=", "at="), ("alloc_page area=l", "area=low", "area="),
    ("dump ", "phys", "area="), ("help un", "unreserve", ".save"), (".s", ".save", "store")])
def test_what_fits_is_completed(guest: Guest, line: str, wanted: str, unwanted: str) -> None:
    from pfnlab.console import TableCompleter
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document
    completer = TableCompleter(guest.table, lambda: ["realmode", "lowest", "low"])
    told = [c.text for c in completer.get_completions(Document(line), CompleteEvent())]
    assert wanted in told and unwanted not in told
