# SPDX-License-Identifier: MIT
"""What a fuzzer of lines goes by: who decides, what lines have, and what did so far."""
from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pfnlab.memory_map import MemoryMap
from pfnlab.table import ADDRESS_TYPES, Argument, Command
from pfnlab.values import PAGE_SIZE

T = TypeVar("T")

USABLE_MOST = 3                   # pieces of the map in which pages are named that may be free

# Whose results did for an argument, of all lives so far: by command and argument, the names of
# commands; "" is an address of no line.
Habits = dict[tuple[str, str], list[str]]


class Chooser(Protocol):
    """Whoever decides."""

    def number(self, low: int, high: int) -> int:
        """A number, both ends included; simple ones are low."""

    def pick(self, items: Sequence[T]) -> T:
        """One of them; simple ones come first."""

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred cases; simple is False."""


class Dice:
    """By random numbers."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def number(self, low: int, high: int) -> int:
        """Evenly."""
        return low + int(self.rng.random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """Evenly."""
        return items[int(self.rng.random() * len(items))]

    def chance(self, percent: int) -> bool:
        """By a percentage."""
        return self.rng.random() * 100 < percent


@dataclass
class Result:
    """What a line has, as far as it is known."""

    maker: str                    # its command
    kind: str                     # its type
    size: int                     # bytes that were asked for
    flagged: bool = False         # with a flag
    at: int | None = None         # known once there is a reply


def undone_by(commands: Sequence[Command]) -> dict[str, str]:
    """By the name of a command what it undoes: another that is given the same, an address first,
    and answers an address, where itself has no result."""
    takes = {c.name: [a for a in c.arguments if a.role == "arg"] for c in commands}
    return {by.name: one.name for by in commands for one in commands
            if by.kind == one.kind == "mutator" and takes[by.name] == takes[one.name]
            and takes[one.name] and takes[one.name][0].type in ADDRESS_TYPES
            and by.result == "none" and one.result in ADDRESS_TYPES}


def usable_pages(memory_map: MemoryMap) -> list[tuple[int, int]]:
    """Where all pages are usable, between edges of the map, as (address, pages), large ones first;
    one of page 0 if there are none."""
    edges = sorted({edge for base, size, _ in memory_map.ranges for edge in (base, base + size)})
    kinds = [{kind for base, size, kind in memory_map.ranges if base <= edge < base + size}
             for edge in edges]
    pieces = [(-(-first // PAGE_SIZE), end // PAGE_SIZE)
              for first, end, kind in zip(edges, edges[1:], kinds) if kind == {"usable"}]
    found = [(first * PAGE_SIZE, end - first) for first, end in pieces if first < end]
    return sorted(found, key=lambda piece: -piece[1])[:USABLE_MOST] or [(0, 1)]


def bytes_of(argument: Argument, word: str) -> int | None:
    """What is asked for by an argument, if it tells that."""
    unit = PAGE_SIZE if argument.name == "pages" else 1 if argument.type == "size" else 0
    if not word.isdigit():
        return None
    return PAGE_SIZE << int(word) if argument.type == "order" and len(word) < 3 else (
        int(word) * unit or None)
