# SPDX-License-Identifier: MIT
"""What a fuzzer of lines goes by: who decides, what lines have, and what did so far."""
from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")

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
    at: int | None = None         # known once there is a reply
