# SPDX-License-Identifier: MIT
"""Transcripts: a console log without checksums is a script that replays anywhere.

    ; free text
    ; with memory=3G              options that the guest needs (pfnlab.spec)
    ; also x86_64?boot=iso        pytest runs it on this guest too, where x86_64 is tested
    >1 alloc_pages_area low 3
    =1 0x0000000000800000
    >2 free $1
    =2 8

What is written of a reply is compared, from its first word on, keys by name: `=1` alone accepts any
success, `?3 mem.busy` any page in the way, `?3 mem.busy at=$1` just that one. `$1` is the result of
request 1, `_` any value. Rows are compared if there are any of that request.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pfnlab import wire
from pfnlab.request import Request, Result
from pfnlab.values import Row, Value, parse_value, split_fields

PATIENCE = 300.0                  # seconds for one answer: a step may touch every page of a GiB

if TYPE_CHECKING:
    from pfnlab.guest import Guest


class TranscriptError(ValueError):
    """The file is no transcript; the message names file and line."""


@dataclass
class Step:
    """A request and what is expected of its reply."""

    tag: int
    text: str
    line: int                     # in the file
    rows: list[list[str]] = field(default_factory=list)
    final: wire.Line | None = None


@dataclass
class Mismatch(AssertionError):
    """A reply was not as written."""

    step: Step
    expected: str
    got: str

    def __str__(self) -> str:
        return (f"line {self.step.line}: >{self.step.tag} {self.step.text}\n"
                f"  expected: {self.expected}\n  answered: {self.got}")


class Transcript:
    """A transcript taken apart: `steps` in order, `options` of its guest, guests it names."""

    def __init__(self, text: str, name: str = "transcript") -> None:
        self.steps: list[Step] = []
        self.options = ""
        self.also: list[str] = []
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
        if line.sigil == ";":
            word, _, rest = line.text.partition(" ")
            if word in ("with", "also") and len(rest.split()) != 1:
                raise TranscriptError(f"`{word}` takes one word; a text begins otherwise")
            if word == "with":
                self.options = rest.strip()
            elif word == "also":
                self.also.append(rest.strip())
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

    def replay(self, guest: Guest) -> int:
        """Run it; the number of requests. Mismatch: a reply was not as expected."""
        done: dict[int, Request] = {}
        for step in self.steps:
            if step.text == "poweroff":
                continue
            pending = guest.submit_words(list(request_words(step.text, done)))
            guest.link.wait(pending, max(guest.timeout, PATIENCE))
            done[step.tag] = pending
            _compare(step, pending, done)
        return len(self.steps)


def request_words(text: str, done: dict[int, Request]) -> Iterator[str | Result]:
    """The words of a request, with the tags of the file replaced by those of the session."""
    for word in text.split(" "):
        key, equals, value = word.rpartition("=")
        if value.startswith("$") and value[1:].isdigit() and int(value[1:]) in done:
            yield Result(done[int(value[1:])], key + equals)
        else:
            yield word


def _value(word: Value, done: dict[int, Request]) -> Value:
    """An expected value, `$tag` replaced by what that request returned."""
    if not isinstance(word, str) or not word.startswith("$") or not word[1:].isdigit():
        return word
    request = done.get(int(word[1:]))
    if request is None or request.final is None or not request.final.words:
        return word
    return parse_value(request.final.words[0])


def _agree(expected: list[str], got: Row, done: dict[int, Request]) -> bool:
    """Is everything that is expected there?"""
    values, fields = split_fields(expected)
    if len(values) > len(got.values):
        return False
    pairs = [*zip(values, got.values), *((v, got.fields.get(k)) for k, v in fields.items())]
    return all(a == "_" and b is not None or _value(a, done) == b for a, b in pairs)


def _compare(step: Step, request: Request, done: dict[int, Request]) -> None:
    assert request.final is not None
    got = request.final.row()
    if step.final is not None and not (step.final.sigil == request.final.sigil
                                       and _agree(step.final.words, got, done)):
        raise Mismatch(step, step.final.raw, request.final.raw)
    if step.rows and not (len(step.rows) == len(request.rows) and all(
            _agree(a, b, done) for a, b in zip(step.rows, request.rows))):
        raise Mismatch(step, "\n".join(map(" ".join, step.rows)),
                       "\n".join(map(repr, request.rows)))
