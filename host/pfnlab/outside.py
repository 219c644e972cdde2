# SPDX-License-Identifier: MIT
"""What is read from outside held against what the guest says on its line at that moment."""
from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from pfnlab import decode_lab, doors
from pfnlab.decode_lab import Lab, NoAnswer

if TYPE_CHECKING:
    from pfnlab.guest import Guest

# Questions (a row for each area for freelist), and the lines that ask the guest the same.
TWINS = {
    "areas": ("dump areas",), "freelist": ("dump free",), "pages": ("dump pages",),
    "map": ("dump map",), "phys": ("dump phys",), "virt": ("dump virt",),
    "pagetable": ("dump pagetables {window}",), "heap": ("dump heap", "heap"), "check": ("check",),
}
Ask = Callable[[str], list[str]]      # a line, and how it is answered: ": ROW", "= ...", "? ..."


@dataclass
class Twin:
    """A question, and both answers."""

    question: str
    line: str
    outside: list[str]
    inside: list[str]

    @property
    def same(self) -> bool:
        """Do they agree?"""
        return self.outside == self.inside

    def __str__(self) -> str:
        if self.same:
            return f"{self.question}: the same, {len(self.outside)} rows"
        ours, theirs = next((a, b) for a, b in zip_longest(self.outside, self.inside) if a != b)
        return (f"{self.question}: not the same\n  from outside: {ours}\n"
                f"  `{self.line}`: {theirs}")


def compare(look: Callable[[], Lab], ask: Ask) -> Iterator[Twin]:
    """Ask the guest, look at it, and tell both; nothing of it changes in between. What it answers
    with an error has no twin."""
    for question, lines in TWINS.items():
        lab = look()
        if "{window}" in lines[0]:
            if lab.stage == "early":
                continue
            start, pages = lab.window.first << 12, lab.window.limit - lab.window.first
            question, lines = f"{question} {start:#x} {pages}", (f"dump pagetables {start:#x} "
                                                                 f"{pages}",)
        answers = [answer for line in lines for answer in ask(line)]
        if question == "check":
            yield Twin(question, lines[0], _verdict(_rows(look(), question)), _verdict(answers))
        elif not any(answer.startswith("?") for answer in answers):
            yield Twin(question, " and ".join(lines), _rows(look(), question),
                       [answer[2:] for answer in answers if answer.startswith(": ")])


def _rows(lab: Lab, question: str) -> list[str]:
    """From outside. Memory that is broken has one row, which says so."""
    try:
        if question == "freelist":
            return list(lab.pages.free_rows())
        return list(decode_lab.ask(lab, question.split()))
    except NoAnswer as error:
        return [str(error)]


def _verdict(rows: list[str]) -> list[str]:
    """Number and place of the first broken invariant, if one is."""
    found = [re.search(r"invariant=\d+ at=0x[0-9a-f]+", row) for row in rows]
    return [match[0] for match in found if match is not None][:1] or ["whole"]


# ---- a guest that this package drives ----

@contextmanager
def look_at(guest: Guest, dumped: bool = False) -> Iterator[Callable[[], Lab]]:
    """What gives the lab as it is now: of a native guest through its process, of others, or if
    wanted, through a dump of their memory."""
    with tempfile.TemporaryDirectory(prefix="pfnlab-") as directory:
        path = Path(directory) / "dump"

        def look() -> Lab:
            guest.link.drain(guest.timeout)
            if guest.spec.native and not dumped:
                return Lab(doors.open_process(getattr(guest.transport, "process").pid).image)
            path.unlink(missing_ok=True)
            guest.dump_memory(path)
            return Lab(doors.open_dump(path, guest.arch).image)
        yield look


def ask_guest(guest: Guest) -> Ask:
    """Its line."""
    def ask(line: str) -> list[str]:
        request = guest.submit_line(line).request
        guest.link.drain(guest.timeout)
        final = request.final
        return [f": {row!r}" for row in request.rows] \
            + ([f"{final.sigil} {' '.join(final.words)}"] if final is not None else [])
    return ask
