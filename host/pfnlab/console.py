# SPDX-License-Identifier: MIT
"""A console on a guest: editing, history and completion on this side, the guest's own words."""
from __future__ import annotations

import os
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.keys import Keys

from pfnlab import errors
from pfnlab.guest import Guest
from pfnlab.help_text import command_help, overview
from pfnlab.interrupts import on_interrupt
from pfnlab.request import Request
from pfnlab.table import Argument, Table
from pfnlab.values import Row

STYLES = {"=": "ansigreen", "?": "ansired", ":": "", ";": "ansibrightblack", "%": "ansicyan",
          "!": "ansiyellow"}
LOCAL = {".save": "write the session so far as a transcript: .save FILE",
         ".quit": "end the guest, as ^D does"}
REFRESH = 0.5                     # seconds between two looks at the line while nothing is typed
GLANCE = 2.0                      # seconds for what a completion asks the guest


def say(sigil: str, text: str) -> None:
    """A line in the colour of its kind."""
    print_formatted_text(FormattedText([(STYLES[sigil], text)]))


@contextmanager
def terminal(signals: bool) -> Iterator[None]:
    """Keys typed meanwhile stay keys for the next prompt, unseen: in line mode the kernel would
    take ^D for itself. ^C is a key like them, or, with `signals`, a signal."""
    before = termios.tcgetattr(sys.stdin)
    mode = termios.tcgetattr(sys.stdin)
    mode[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
    mode[3] |= termios.ISIG if signals else 0
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    termios.tcsetattr(sys.stdin, termios.TCSANOW, mode)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)


class TableCompleter(Completer):
    """Completes commands, keys, areas and words from the guest's own table."""

    def __init__(self, table: Table, areas: Callable[[], list[str]]) -> None:
        self.table = table
        self.areas = areas

    def get_completions(self, document: Document, complete_event: CompleteEvent
                        ) -> Iterator[Completion]:
        """What may stand at the cursor."""
        words = document.text_before_cursor.split(" ")
        for text, meta in self.candidates(words):
            if text.startswith(words[-1]):
                yield Completion(text, -len(words[-1]), display_meta=meta)

    def candidates(self, words: list[str]) -> list[tuple[str, str]]:
        """Words that fit in the place of the last one, with what they mean."""
        table = self.table
        if len(words) == 1 or (words[0] == "help" and len(words) == 2):
            local = LOCAL if words[0] != "help" else {}
            return [*((name, command.text) for name, command in table.commands.items()),
                    *((name, f"as {of}") for name, of in table.aliases.items()), *local.items()]
        command = table.find(words[0])
        if command is None:
            return []
        place = sum("=" not in word for word in words[1:-1])
        places = [a for a in command.arguments if a.role != "key"]
        found = self._values(places[place], "") if place < len(places) else []
        for argument in command.arguments:
            if words[-1].startswith(f"{argument.name}="):
                return self._values(argument, f"{argument.name}=")
            if argument.role == "key":
                found.append((f"{argument.name}=", self._meaning(argument)))
        return found

    def _values(self, argument: Argument, front: str) -> list[tuple[str, str]]:
        kind = self.table.types.get(argument.type)
        words = list(kind.words) if kind else []
        if argument.type == "areas":
            words = [*self.areas(), "any", "dma24", "dma31", "dma32"]
        return [(front + word, argument.name) for word in words]

    def _meaning(self, argument: Argument) -> str:
        kind = self.table.types.get(argument.type)
        return kind.text if kind else ""


class GivenUp(errors.GuestSilent):
    """Nobody waits for the guest any more."""


class Again(KeyboardInterrupt):
    """A second ^C. It may come in the middle of anything, and nobody on its way takes it for an
    error of theirs, as GivenUp would be: a TimeoutError is an OSError, that of a socket, too."""


class _Stop:
    """What ^C does while a command runs. It comes at any time, in the middle of a print, too: what
    it says goes past the buffers."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.asked = False

    def __call__(self) -> None:
        """Again: it was asked already."""
        if self.asked:
            raise Again
        self.asked = True
        os.write(sys.stdout.fileno(), b"^C; once more ends the guest\r\n")
        self.guest.interrupt()


class Console:
    """Reads lines, sends them, shows what comes back."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self._areas: list[str] | None = None
        guest.link.on_event = self._event
        guest.link.on_log = lambda text: say(";", text)
        self.session: Any = PromptSession(
            history=_history(), completer=TableCompleter(guest.table, self._area_names),
            complete_while_typing=False, bottom_toolbar=self._toolbar, refresh_interval=REFRESH)

    def _area_names(self) -> list[str]:
        """Without any while the guest does not answer: a key must not wait for it."""
        if self._areas is None:
            try:
                self._areas = [str(row[0]) for row in self.guest.call("areas", timeout=GLANCE)]
            except errors.PfnlabError:
                return []
        return self._areas

    def _event(self, row: Row) -> None:
        say("%", f"% {row}")

    def _toolbar(self) -> str:
        try:
            self.guest.link.poll()
        except errors.PfnlabError as error:
            return f"{error}; ^D leaves"
        link = self.guest.link
        return (f"{self.guest.name}   Tab completes, help explains, ^D ends   "
                f"{link.next_tag - 1} requests" + (f", {link.recoveries} recoveries of the line"
                                                   if link.recoveries else ""))

    def _prompt(self) -> str:
        """With the tag of the line: `$TAG` is its result, `owner=TAG` what it allocates."""
        return f"{self.guest.link.next_tag}> "

    def run(self) -> int:
        """Until the end of the input or of the guest; an exit status."""
        with terminal(signals=False):
            say("!", f"{self.guest.name}: {self.guest.arch}, "
                     f"{len(self.guest.table.commands)} commands; help lists them")
            while not self.guest.dead:
                try:
                    text = self.session.prompt(self._prompt).strip()
                except KeyboardInterrupt:
                    continue
                except EOFError:
                    break
                if text and not self._line(text):
                    break
        return 0

    def _line(self, text: str) -> bool:
        """Run a line; False if it was the last one."""
        name, *words = text.split()
        if name in (".quit", "poweroff"):
            return False
        try:
            if name == "help":
                self._help(words)
            elif name == ".save":
                self._save(Path(words[0] if words else "session.t"))
            elif name.startswith("."):
                say("?", f"no such command here: {name}; there is {', '.join(LOCAL)}")
            else:
                self._send(text)
        except GivenUp:
            raise
        except (ValueError, OSError, errors.GuestError) as error:
            say("?", f"? {error}")
        return True

    def _save(self, path: Path) -> None:
        text = self.guest.transcript()
        path.write_text(text, "ascii", "backslashreplace")
        say("!", f"{path}: {text.count(chr(10))} lines")

    def _help(self, words: list[str]) -> None:
        table = self.guest.table
        say("!", command_help(table, words[0]) if words else overview(table))

    def _send(self, text: str) -> None:
        """The guest runs it; ^C stops what takes long, once more gives up a guest that hangs."""
        pending = self.guest.submit_line(text)
        stop = _Stop(self.guest)
        try:
            with on_interrupt(lambda *_: stop()), terminal(signals=True):
                if self._stop_typed():
                    stop()
                self._wait(pending.request)
        except Again:
            raise GivenUp("given up: the guest did not stop when it was asked to") from None
        self._show(pending.request)
        if pending.command is not None and pending.command.name.startswith("map_"):
            self._areas = None

    def _wait(self, request: Request) -> None:
        while not request.done:
            try:
                self.guest.link.wait(request, self.guest.timeout)
            except errors.GuestSilent:
                say("!", "still busy; ^C stops it")

    def _stop_typed(self) -> bool:
        """Was ^C typed behind the line before it became a signal? What is in front of it goes."""
        source = self.session.input
        keys = [*get_typeahead(source), *source.read_keys()]
        stops = [place for place, key in enumerate(keys) if key.key == Keys.ControlC]
        store_typeahead(source, keys[stops[-1] + 1:] if stops else keys)
        return bool(stops)

    def _show(self, request: Request) -> None:
        final = request.final
        assert final is not None
        for row in request.rows:
            say(":", f": {row}")
        said = final.raw[1:].lstrip("0123456789").strip()
        say(final.sigil, f"{final.sigil} {said}".rstrip())


def _history() -> History:
    """Kept between sessions, readable by nobody else; in memory where that cannot be."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "pfnlab"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = state / "history"
        path.touch(mode=0o600)
        return FileHistory(str(path))
    except OSError as error:
        print(f"pfnlab: no history is kept: {error}", file=sys.stderr)
        return InMemoryHistory()
