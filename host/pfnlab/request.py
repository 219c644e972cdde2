# SPDX-License-Identifier: MIT
"""Requests on their way, and the log of what passed over the line."""
from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from pfnlab import wire
from pfnlab.values import Row, parse_size, parse_value

LOG_LINES = 20000                 # lines kept, both directions

# `$7` or `$7+20`, if it is spelled as the guest takes it.
REFERENCE = re.compile(
    r"\$(0|[1-9][0-9]*)((?:\+(?:0x[0-9a-fA-F]{1,16}|(?:0|[1-9][0-9]*)[KMGT]?))?)")


@dataclass(frozen=True)
class Result:
    """The result of an earlier request as an argument; `key` is "" or "name=", `more` "" or
    "+NUMBER"."""

    of: Request
    key: str = ""
    more: str = ""

    def __str__(self) -> str:
        return f"{self.key}${self.of.tag}{self.more}"

    def number(self) -> str:
        """The same as a number, when the request is done: its tag may be too long ago for the
        guest. As it is, if it had no such result: the guest says so."""
        final = self.of.final
        if final is None or final.sigil != "=" or not final.words or isinstance(
                parse_value(final.words[0]), str):
            return str(self)
        return self.key + plus(final.words[0], self.more)


def plus(result: str, more: str) -> str:
    """What `$7+20` is if `$7` is that: a number in the same form; in decimal from 2^64 on, which
    the guest refuses as it does the sum. What is no number stays."""
    value = parse_value(result)
    if not more or isinstance(value, str):
        return result + more
    number = int(value) + parse_size(more[1:])
    return f"0x{number:016x}" if result.startswith("0x") and number < 1 << 64 else str(number)


@dataclass
class Request:
    """A request on its way."""

    words: Sequence[str | Result]
    kind: str                     # query, mutator or session, as in `help`
    tag: int = 0
    size: int = 0                 # bytes on the wire, as counted by the credit window
    rows: list[Row] = field(default_factory=list)
    final: wire.Line | None = None
    lost: bool = False

    repeats: Request | None = None    # this is the `again` of that one

    def answers(self, tag: int | None) -> bool:
        """Is a reply of that tag a reply to this one?"""
        return tag == self.tag or (self.repeats is not None and tag == self.repeats.tag)

    def finish(self, line: wire.Line) -> None:
        """Its final line is here."""
        self.final = line
        if self.repeats is not None and line.words[:2] == ["call.reference", "arg=request"]:
            self.repeats.lost = True      # the guest does not have it any more
        elif self.repeats is not None:
            self.repeats.final = line

    def text(self) -> str:
        """The request as a person would type it."""
        return " ".join(map(str, self.words))

    @property
    def done(self) -> bool:
        """Is its outcome known?"""
        return self.final is not None or self.lost


@dataclass
class Entry:
    """A line of the log: when it passed, in seconds since the start, which way, and what it was."""

    when: float
    way: str                      # "->" to the guest, "<-" from it, "--" a remark of this side
    text: str

    def __str__(self) -> str:
        return f"{self.when:9.3f} {self.way} {self.text}"


class Log(deque[Entry]):
    """The lines of both directions, oldest first; the latest `LOG_LINES` of them."""

    def __init__(self) -> None:
        super().__init__(maxlen=LOG_LINES)
        self._start = time.monotonic()

    def now(self) -> float:
        """Seconds since the start, as its entries tell them."""
        return time.monotonic() - self._start

    def note(self, way: str, data: bytes | str) -> None:
        """Add a line."""
        text = data if isinstance(data, str) else data.decode("ascii", "backslashreplace")
        self.append(Entry(self.now(), way, text))

    def transcript(self) -> str:
        """The lines of both directions as a script: without checksums, noise and line editing, and
        without what a session says to begin, or to go on after noise (tag 0). A reply stands
        behind its request, however many of them were under way."""
        blocks: list[list[str]] = [[]]
        of_tag: dict[int | None, list[str]] = {}
        for entry in self:
            line = wire.parse(entry.text.encode("ascii")) if entry.way != "--" else None
            if line is not None and line.tag == 0:
                continue
            if entry.way == "->" and entry.text.startswith(">"):
                blocks.append([line.raw if line is not None else entry.text])
                if line is not None and line.tag is not None:
                    of_tag[line.tag] = blocks[-1]
            elif entry.way == "<-" and line is not None and line.sigil != ">":
                of_tag.get(line.tag, blocks[-1]).append(line.raw)
        return "".join(f"{line}\n" for block in blocks for line in block)

    def forget_rows(self, request: Request) -> None:
        """Take the rows of a reply out, where they would hide what matters."""
        kept = [e for e in self if e.way != "<-" or not e.text.startswith(f":{request.tag} ")]
        self.clear()
        self.extend(kept)


def refused(line: wire.Line) -> bool:
    """Is it the guest's word for a line that did not run?"""
    return line.sigil == "?" and line.words[:1] != [] and line.words[0].startswith("link.")
