# SPDX-License-Identifier: MIT
"""Memory in the window, written and read on each machine's own map: not what tables say, but what a
processor does with them is compared. Where frames are is each machine's own; their content is not.
"""
from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

from pfnlab.request import Request
from pfnlab.values import PAGE_SIZE

LARGE_ORDER = 9                   # of what several machines map as one unit
RANGES_MOST = 12
GONE_MOST = 6
BATCH = 12                        # accesses between two changes
VARIABLES = 8
# What is answered the same on each machine's own map.
SAME = ("vmalloc", "vfree", "vmap", "vunmap", "protect", "peek", "poke", "check")


class Sender(Protocol):
    """Several guests: see pfnlab.lockstep."""

    def send(self, text: str) -> Request:
        """A line, whose replies are the same."""

    def send_apart(self, text: str) -> Request:
        """A line, whose results are each machine's own."""


@dataclass
class Mapped:
    """Addresses, and how they are given back."""

    at: int
    pages: int
    end: str                      # a command


class Memory:
    """Ranges that come and go, and accesses inside, next to and behind them."""

    def __init__(self, player: Sender, rng: random.Random) -> None:
        self.player = player
        self.rng = rng
        self.ranges: list[Mapped] = []
        self.gone: list[Mapped] = []

    def step(self) -> None:
        """A change, and some accesses."""
        choice = self.rng.random()
        if len(self.ranges) < 2 or (choice < 0.5 and len(self.ranges) < RANGES_MOST):
            self.rng.choice((self._vmalloc, self._vmalloc, self._share, self._share_large))()
        elif choice < 0.75:
            self._protect()
        else:
            self._give_back()
        for _ in range(BATCH):
            self._touch()

    def _take(self, text: str, pages: int, end: str) -> None:
        final = self.player.send(text).final
        assert final is not None
        if final.sigil == "=":
            at = final.row().values[0]
            assert isinstance(at, int)
            end_of = at + pages * PAGE_SIZE
            self.gone = [one for one in self.gone
                         if end_of <= one.at or one.at + one.pages * PAGE_SIZE <= at]
            self.ranges.append(Mapped(at, pages, end))

    def _vmalloc(self) -> None:
        rng, pages = self.rng, self.rng.choice((1, 2, 3, self.rng.randrange(1, 70)))
        more = rng.choice(("", " guard=both", " guard=front", " attributes=ro", " align=64K"))
        self._take(f"vmalloc {pages * PAGE_SIZE}{more}", pages, "vfree")

    def _share(self) -> None:
        """A page, and addresses for it twice."""
        self._map_twice("alloc_page", 1, ("", " attributes=ro", " align=16K"))

    def _share_large(self) -> None:
        """What goes into a large unit, and the same page by page."""
        self._map_twice(f"alloc_pages {LARGE_ORDER}", 1 << LARGE_ORDER, (f" align={PAGE_SIZE}",))

    def _map_twice(self, alloc: str, pages: int, ways: tuple[str, ...]) -> None:
        variable = self.rng.randrange(VARIABLES)
        final = self.player.send_apart(f"{alloc} as={variable}").final
        if final is not None and final.sigil == "=":
            for how in ("", self.rng.choice(ways)):
                self._take(f"vmap $v{variable} {pages * PAGE_SIZE}{how}", pages, "vunmap")

    def _protect(self) -> None:
        one = self.rng.choice(self.ranges)
        first = self.rng.randrange(one.pages)
        pages = self.rng.randrange(1, one.pages - first + 1)
        self.player.send(f"protect {one.at + first * PAGE_SIZE:#x} {pages} "
                         + self.rng.choice(("ro", "rw", "ro", "rw")))

    def _give_back(self) -> None:
        one = self.ranges.pop(self.rng.randrange(len(self.ranges)))
        self._touch_in(one)
        self.player.send(f"{one.end} {one.at:#x}")
        self.gone = [*self.gone, one][-GONE_MOST:]
        self._touch_in(one)

    def _touch(self) -> None:
        self._touch_in(self.rng.choice([*self.ranges, *self.gone]))

    def _touch_in(self, one: Mapped) -> None:
        """Mostly at an edge of it, now and then outside."""
        rng = self.rng
        page = rng.choice((0, one.pages - 1, one.pages, -1, *5 * [rng.randrange(one.pages)]))
        at = one.at + page * PAGE_SIZE + 8 * rng.randrange(PAGE_SIZE // 8)
        self.player.send(f"poke {at:#x} {rng.randrange(1, 1 << 32)}" if rng.random() < 0.5
                         else f"peek {at:#x}")
