# SPDX-License-Identifier: MIT
"""The line again: what the arguments of a request mean by the guest's table, and what is refused of
them before any allocator is asked. The first mistake from left to right is the answer."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pfnlab import wire
from pfnlab.model import Refusal
from pfnlab.model_virtual import attribute_set
from pfnlab.table import Argument, Command, Table, Type

NUMBER_LIMIT = 1 << 64
SUFFIXES = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
WORD = re.compile(r"[a-z][a-z0-9_.]*")


class Unknown(Exception):
    """A result that was given out before anybody looked."""


@dataclass
class Results:
    """What `$`, `$7` and `$v3` stand for. Exact from the first `clear` on."""

    slots: int
    exact: bool = False
    _of: dict[int, int | None] = field(default_factory=dict)
    _variables: dict[int, int] = field(default_factory=dict)
    _latest: int | None = None

    def clear(self) -> None:
        """A fresh instance: all are empty."""
        self._of.clear()
        self._variables.clear()
        self._latest, self.exact = None, True

    def note(self, tag: int, final: wire.Line, variable: int | None) -> None:
        """The answer to a request."""
        values = final.row().values if final.sigil == "=" else ()
        result = values[0] if values and isinstance(values[0], int) else None
        self._of[tag] = result
        self._of.pop(tag - self.slots, None)
        if result is not None or final.sigil == "?":
            self._latest = result
        if result is not None and variable is not None:
            self._variables[variable] = result

    def find(self, word: str) -> int:
        """The number behind `$...`."""
        form = re.fullmatch(r"\$(v?)(\d*)(?:\+(.+))?", word)
        if not form or (form[1] and not form[2]):
            raise Refusal("call.number")
        more = read_number(form[3]) if form[3] else 0
        if form[2]:
            number = _index(form[2])
            found = self._variables.get(number) if form[1] else self._of.get(number)
        else:
            found = self._latest
        if found is None:
            if not self.exact:
                raise Unknown(word)
            raise Refusal("call.reference")
        if found + more >= 1 << 64:
            raise Refusal("call.range")
        return int(found) + more


def _index(digits: str) -> int:
    """Of a request or a variable: one that is too large is no number there."""
    try:
        return read_number(digits)
    except Refusal:
        raise Refusal("call.number") from None


def read_number(word: str) -> int:
    """A number that is no reference."""
    if re.fullmatch(r"0x[0-9a-fA-F]{1,16}", word):
        return int(word, 16)
    form = re.fullmatch(r"(0|[1-9][0-9]*)([KMGT]?)", word)
    if not form:
        raise Refusal("call.number")
    number = int(form[1]) << SUFFIXES[form[2]]
    if number >= NUMBER_LIMIT:
        raise Refusal("call.range")
    return number


@dataclass
class Reader:
    """Reads lines; `area_set` refuses what is no set of areas."""

    table: Table
    results: Results
    area_set: Callable[[str], object]

    def read(self, command: Command, words: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments by position and the others. Refusal: the guest must refuse it so."""
        places = [a for a in command.arguments if a.role != "key"]
        given: dict[str, Any] = {}
        for i, word in enumerate(words):
            key, equals, value = word.partition("=")
            free = [a for a in places if a.name not in given]
            if free and free[0].type == "rest":
                given[free[0].name] = " ".join(words[i:])
                break
            if equals:
                argument = next((a for a in command.arguments if a.name == key), None)
                if argument is None or argument.type == "rest":
                    raise Refusal("call.key")
                if argument.name in given:
                    raise Refusal("call.twice")
            elif free:
                argument, value = free[0], word
            else:
                raise Refusal("call.surplus")
            given[argument.name] = self._value(argument, value)
        missing = [a for a in places if a.name not in given]
        if missing and missing[0].role == "arg":
            raise Refusal("call.missing")
        args: list[Any] = []
        for place in places:
            if place.name not in given:
                break
            args.append(given.pop(place.name))
        return args, given

    def _value(self, argument: Argument, word: str) -> Any:
        kind = self.table.types[argument.type]
        if kind.form == "number":
            return self._number(kind, word)
        if kind.form == "set":
            self.area_set(word)
        elif kind.form == "words" and word not in kind.words:
            raise Refusal("call.word")
        elif kind.form == "joined":
            self._joined(kind, word)
        elif kind.form == "word" and not WORD.fullmatch(word):
            raise Refusal("call.word")
        elif kind.form == "value" and not WORD.fullmatch(word):
            return self._any_number(word)
        return word

    def _any_number(self, word: str) -> int:
        return self.results.find(word) if word.startswith("$") else read_number(word)

    def _number(self, kind: Type, word: str) -> int:
        number = self._any_number(word)
        power = number.bit_count() == 1
        if kind.name == "align" and not power:
            raise Refusal("call.align")
        if not int(kind.fields["min"]) <= number <= int(kind.fields["max"]):
            raise Refusal("call.range")
        if kind.name == "width" and not power:
            raise Refusal("call.range")
        return number

    def _joined(self, kind: Type, text: str) -> None:
        seen: set[str] = set()
        for word in text.split("|"):
            if word not in kind.words:
                raise Refusal("call.word")
            if word in seen:
                raise Refusal("call.twice")
            seen.add(word)
        if kind.name == "attributes":
            attribute_set(text)
