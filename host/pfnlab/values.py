# SPDX-License-Identifier: MIT
"""Values as they cross the wire: numbers, addresses, words, and rows of them."""
from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Union

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
ADDRESS_LIMIT = 1 << 52
MAX_ORDER = 18

_SUFFIXES = {"K": 10, "M": 20, "G": 30, "T": 40}


class Address(int):
    """An address in bytes; prints as the guest prints it. `fields` are those of its reply."""

    fields: Mapping[str, Value] = {}

    def __str__(self) -> str:
        return f"0x{int(self):016x}"

    __repr__ = __str__

    def __add__(self, other: int) -> Address:
        return Address(int(self) + int(other))

    def __sub__(self, other: int) -> Address:
        return Address(int(self) - int(other))

    @property
    def pfn(self) -> int:
        """The number of the page that holds it."""
        return int(self) >> PAGE_SHIFT


Value = Union[int, Address, str]


def parse_value(word: str) -> Value:
    """A field: 0x and 16 digits is an Address, other numbers are ints, the rest are words."""
    if word.startswith("0x"):
        try:
            number = int(word[2:], 16)
        except ValueError:
            return word
        return Address(number) if len(word) == 18 else number
    return int(word) if word.isascii() and word.isdigit() else word


def parse_size(text: str) -> int:
    """A number as the guest takes it: decimal or 0x, decimal with K, M, G or T behind it."""
    shift = _SUFFIXES.get(text[-1:], 0)
    digits = text[:-1] if shift else text
    if digits.startswith("0x") and not shift:
        return int(digits[2:], 16)
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{text!r} is not a number")
    return int(digits) << shift


def split_fields(words: list[str]) -> tuple[tuple[Value, ...], dict[str, Value]]:
    """Positional fields and key=value fields of a reply."""
    values: list[Value] = []
    fields: dict[str, Value] = {}
    for word in words:
        key, equals, rest = word.partition("=")
        if equals:
            fields[key] = parse_value(rest)
        else:
            values.append(parse_value(word))
    return tuple(values), fields


class Row:
    """A row of a reply: row[0] is the first positional field, row.order or row["order"] a key."""

    def __init__(self, words: list[str], text: str = "") -> None:
        self.words = words
        self.text = text

    @functools.cached_property
    def _split(self) -> tuple[tuple[Value, ...], dict[str, Value]]:
        return split_fields(self.words)           # many a row is only compared by its words

    @property
    def values(self) -> tuple[Value, ...]:
        """Those that are positional."""
        return self._split[0]

    @property
    def fields(self) -> dict[str, Value]:
        """Those with a key."""
        return self._split[1]

    def __getitem__(self, key: int | str) -> Value:
        return self.values[key] if isinstance(key, int) else self.fields[key]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(f"the row {self!r} has no field {name!r}") from None

    def __iter__(self) -> Iterator[Value]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and self.words == other.words

    def __repr__(self) -> str:
        return " ".join(self.words) + (f" ; {self.text}" if self.text else "")


class Rows(list[Row]):
    """The rows of a query; `fields` and `values` are those of its final line."""

    def __init__(self, rows: list[Row], final: Row) -> None:
        super().__init__(rows)
        self.final = final
        self.fields = final.fields
        self.values = final.values

    def __repr__(self) -> str:
        """As they came over the line; a reply without rows is its final line."""
        return "\n".join(map(repr, [*self, self.final] if self.final.words else self))

    __str__ = __repr__

    def column(self, key: int | str) -> list[Value]:
        """One field of every row."""
        return [row[key] for row in self]

    def find(self, value: Value) -> Row:
        """The row whose first field is `value`; KeyError if there is none."""
        for row in self:
            if row.values and row.values[0] == value:
                return row
        raise KeyError(value)
