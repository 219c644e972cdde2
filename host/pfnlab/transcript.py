# SPDX-License-Identifier: MIT
"""Transcripts: a console log without checksums is a script that replays anywhere.

    ; free text
    ; with memory=3G              options that the guest needs (pfnlab.spec)
    ; also x86_64?boot=iso        pytest runs it on this guest too, where x86_64 is tested
    ; within 3                    what is at work for more seconds, without a row, hangs
    >1 alloc_pages_area low 3
    =1 0x0000000000800000
    >2 free $1
    =2 8

What is written of a reply is compared, from its first word on, keys by name: `=1` alone accepts any
success, `?3 mem.busy` any page in the way, `?3 mem.busy at=$1` just that one. `$1` is the result of
request 1, however long ago, `owner=1` that request whatever its number is now, `_` any value. Rows
are compared if there are any of that request. `$1+20` is 20 more than `$1`.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pfnlab import wire
from pfnlab.request import REFERENCE, Request, Result, plus
from pfnlab.values import Row, Value, parse_value, split_fields

DIGITS = "0123456789"
PATIENCE = 300.0                  # seconds for one answer: a step may touch every page of a GiB

if TYPE_CHECKING:
    from pfnlab.guest import Guest


class TranscriptError(ValueError):
    """The file is no transcript; the message names file and line."""


def read_transcript(path: Path) -> Transcript:
    """The file of that name; remarks may be of any letters."""
    try:
        return Transcript(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError:
        raise TranscriptError(f"{path}: no text") from None


@dataclass
class Step:
    """A request and what is expected of its reply."""

    tag: int
    text: str
    line: int                     # in the file
    rows: list[list[str]] = field(default_factory=list)
    final: wire.Line | None = None

    @property
    def name(self) -> str:
        """The command."""
        return self.text.split(" ")[0]


@dataclass
class Mismatch(AssertionError):
    """A reply was not as written. `wanted` is what would have been, in terms of this session: with
    its tags, and the results that the file refers to."""

    step: Step
    expected: str
    got: str
    wanted: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (f"line {self.step.line}: >{self.step.tag} {self.step.text}\n"
                f"  expected: {self.expected}\n  answered: {self.got}")


class Transcript:
    """A transcript taken apart: `steps` in order, `options` of its guest, guests it names."""

    def __init__(self, text: str, name: str = "transcript") -> None:
        self.steps: list[Step] = []
        self.options = ""
        self.also: list[str] = []
        self.within = math.inf
        for number, raw in enumerate(text.splitlines(), 1):
            if not raw.strip():
                continue
            try:
                self._add(raw.rstrip(), number)
            except TranscriptError as error:
                raise TranscriptError(f"{name}:{number}: {error}") from None

    def _add(self, raw: str, number: int) -> None:
        line = wire.parse(raw.encode("ascii", "replace"))
        if line is None:
            raise TranscriptError("not a line of a transcript")
        if line.sigil != ";" and not raw.isascii():
            raise TranscriptError("only a remark may hold what is not ASCII")
        if line.sigil == ";":
            word, _, rest = line.text.partition(" ")
            if word in ("with", "also", "within") and len(rest.split()) != 1:
                raise TranscriptError(f"`{word}` takes one word; a text begins otherwise")
            if word == "with":
                self.options = rest.strip()
            elif word == "also":
                self.also.append(rest.strip())
            elif word == "within":
                self.within = _seconds(rest)
        elif line.sigil == ">":
            tag = line.tag if line.tag is not None else len(self.steps) + 1
            self.steps.append(Step(tag, raw.partition(" ")[2], number))
        elif line.sigil != "%":
            self._expect(line)

    def _expect(self, line: wire.Line) -> None:
        if not self.steps or line.tag not in (None, self.steps[-1].tag):
            raise TranscriptError("a reply without its request before it")
        if line.sigil == ":":
            self.steps[-1].rows.append(line.words)
        elif self.steps[-1].final is not None:
            raise TranscriptError("a second final line")
        else:
            self.steps[-1].final = line

    def replay(self, guest: Guest, on_step: Callable[[Step], None] | None = None,
               compare: bool = True) -> int:
        """Run it; the number of requests. Mismatch: a reply was not as expected. `on_step` hears of
        each step that is done."""
        run = Run(guest, self.within)
        for step in self.steps:
            if step.text == "poweroff":
                continue
            request = run.wait(run.submit(step))
            if compare:
                run.compare(step, request)
            if on_step is not None:
                on_step(step)
        return len(self.steps)

    def text(self) -> str:
        """It as a file."""
        lines = [*(f"; with {self.options}" for _ in [0] if self.options),
                 *(f"; also {name}" for name in self.also),
                 *(f"; within {self.within:g}" for _ in [0] if self.within != math.inf)]
        for step in self.steps:
            lines.append(f">{step.tag} {step.text}")
            lines += [" ".join([f":{step.tag}", *row]) for row in step.rows]
            lines += [step.final.raw] if step.final is not None else []
        return "\n".join([*lines, ""])


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise TranscriptError("`within` takes a number of seconds") from None


class Run:
    """A guest that is led through a transcript: knows the request of each tag of the file. What is
    at work for more than `work` seconds hangs."""

    def __init__(self, guest: Guest, work: float = math.inf) -> None:
        self.guest = guest
        self.work = work
        self.done: dict[int, Request] = {}

    def submit(self, step: Step) -> Request:
        """Send a step without waiting."""
        reach = self.guest.link.next_tag - self.guest.link.limit("slots", 1)
        words: list[str | Result] = []
        for word in request_words(step.text, self.done):
            if isinstance(word, Result) and word.of.tag <= reach:      # too old for the guest
                self.wait(word.of)
                word = word.number()
            words.append(word)
        self.done[step.tag] = self.guest.submit_words(words)
        return self.done[step.tag]

    def wait(self, request: Request) -> Request:
        """Wait for its end, as long as it takes unless somebody said how long that may be."""
        patience = self.guest.timeout if self.guest.impatient else max(self.guest.timeout, PATIENCE)
        return self.guest.link.wait(request, patience, self.work)

    def compare(self, step: Step, request: Request) -> None:
        """Mismatch: the reply is not as written."""
        assert request.final is not None
        got = request.final.row()
        if step.final is not None and not (step.final.sigil == request.final.sigil
                                           and _agree(step.final.words, got, self.done)):
            raise Mismatch(step, step.final.raw, final_of(request, step.tag), self._wanted(step))
        if step.rows and not (len(step.rows) == len(request.rows) and all(
                _agree(a, b, self.done) for a, b in zip(step.rows, request.rows))):
            raise Mismatch(step, "\n".join(map(" ".join, step.rows)),
                           "\n".join(map(repr, request.rows)), self._wanted(step))

    def _wanted(self, step: Step) -> list[str]:
        tag = self.done[step.tag].tag
        lines = [(":", words) for words in step.rows]
        lines += [(step.final.sigil, step.final.words)] if step.final is not None else []
        return [" ".join([f"{sigil}{tag}", *(_renamed(word, self.done) for word in words)])
                for sigil, words in lines]


def final_of(request: Request, tag: int) -> str:
    """The final line of a request, which is number `tag` where it is told."""
    assert request.final is not None
    return f"{request.final.sigil}{tag}{request.final.raw[1:].lstrip(DIGITS)}"


class Recorder:
    """A session on its way into a file: what was asked and answered so far is there, whatever comes
    next. What `guest` is asked by others is not."""

    def __init__(self, guest: Guest, path: Path, before: str = "") -> None:
        self._link, self._tag = guest.link, 0
        self._file = open(path, "w", encoding="ascii", buffering=1)
        self._file.write(guest.needs() + before)
        guest.link.on_log = self._say
        guest.link.on_event = lambda row: self._say(f"% {row}")

    def _say(self, line: str) -> None:
        self._file.write(f"{line}\n")

    def asked(self, request: Request) -> None:
        """A request is on its way."""
        self._tag = request.tag
        self._say(f">{self._tag} {request.text()}")

    def answered(self, request: Request) -> None:
        """It has its reply; if the line lost one, to a repetition with another tag."""
        for row in request.rows:
            self._say(f":{self._tag} {row}")
        if request.final is not None:
            self._say(final_of(request, self._tag))

    def close(self) -> None:
        """No more comes."""
        self._link.on_log = self._link.on_event = None
        self._file.close()


def request_words(text: str, done: dict[int, Request]) -> Iterator[str | Result]:
    """The words of a request, with the tags of the file replaced by those of the session."""
    for word in text.split(" "):
        key, equals, value = word.rpartition("=")
        form = REFERENCE.fullmatch(value)
        if form and int(form[1]) in done:
            yield Result(done[int(form[1])], key + equals, form[2])
        else:
            yield word


def _value(word: Value, done: dict[int, Request]) -> Value:
    """An expected value, `$tag` replaced by what that request returned."""
    form = REFERENCE.fullmatch(word) if isinstance(word, str) else None
    if form is None:
        return word
    request = done.get(int(form[1]))
    if request is None or request.final is None or not request.final.words:
        return word
    return parse_value(plus(request.final.words[0], form[2]))


def _renamed(word: str, done: dict[int, Request]) -> str:
    """An expected word, with what it refers to as it is in this session."""
    key, equals, value = word.rpartition("=")
    if key == "owner" and value.isdigit() and int(value) in done:
        return f"owner={done[int(value)].tag}"
    return f"{key}{equals}{_value(value, done)}"


def _agree(expected: list[str], got: Row, done: dict[int, Request]) -> bool:
    """Is everything that is expected there?"""
    values, fields = split_fields(expected)
    if len(values) > len(got.values):
        return False
    owner = fields.get("owner")
    if isinstance(owner, int) and owner in done:        # a tag: of the file here, of the line there
        fields["owner"] = done[owner].tag
    pairs = [*zip(values, got.values), *((v, got.fields.get(k)) for k, v in fields.items())]
    return all(a == "_" and b is not None or _value(a, done) == b for a, b in pairs)
