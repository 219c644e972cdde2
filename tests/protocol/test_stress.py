# SPDX-License-Identifier: MIT
"""`stress` does what section 11 of the specification says, told by its events."""
from __future__ import annotations

import re
import subprocess

import pytest

from tests.building import ROOT, build

GUEST = ROOT / "build/native/pfnlab"
EVENT = re.compile(r"^% (alloc|free) addr=(0x[0-9a-f]{16}) pages=(\d+)", re.MULTILINE)
MASK = (1 << 64) - 1


class Stress:
    """The program of the specification; addresses and refusals come from the guest's events."""

    def __init__(self, seed: int, order: int, events: list[tuple[str, str, str]]) -> None:
        self.x = seed ^ 0x9e3779b97f4a7c15 or 1
        self.orders = order + 1
        self.events = events
        self.at = 0
        self.table: list[tuple[str, str]] = []
        self.fails = 0

    def draw(self) -> int:
        """The next number of xorshift64*."""
        self.x ^= self.x >> 12
        self.x ^= self.x << 25 & MASK
        self.x ^= self.x >> 27
        return self.x * 0x2545f4914f6cdd1d & MASK

    def happens(self, *event: str) -> None:
        """The next event is this one."""
        assert self.events[self.at] == event, f"event {self.at}"
        self.at += 1

    def free(self, i: int) -> None:
        """Entry i goes, the last one takes its place."""
        self.happens("free", *self.table[i])
        self.table[i] = self.table[-1]
        self.table.pop()

    def step(self) -> None:
        """One operation."""
        r = self.draw()
        if self.table and not (len(self.table) < 4096 and r >> 61 < 5):
            self.free((r & 0xffffffff) * len(self.table) >> 32)
            return
        pages = str(1 << ((r & 0xffffffff) * self.orders >> 32))
        kind, address, count = self.events[self.at]
        if kind == "alloc":
            assert count == pages
            self.at += 1
            self.table.append((address, pages))
            return
        self.fails += 1
        if self.table:
            self.free((self.draw() & 0xffffffff) * len(self.table) >> 32)


@pytest.mark.parametrize(("operations", "seed", "order", "area"), [
    (300, 7, 3, "any"), (9000, 0, 0, "any"), (3000, 12345, 6, "lowest"),
    (50, 0x9e3779b97f4a7c15, 2, "any"),
])
def test_stress_is_the_program_of_the_specification(operations: int, seed: int, order: int,
                                                    area: str) -> None:
    build("ARCH=native", "image")
    lines = f"> trace 1\n> stress {operations} seed={seed} order={order} area={area}\n"
    said = subprocess.run([GUEST], input=lines.encode(), capture_output=True, check=True,
                          timeout=120).stdout.decode("ascii")
    stress = Stress(seed, order, EVENT.findall(said))
    for _ in range(operations):
        stress.step()
    while stress.table:
        stress.free(len(stress.table) - 1)
    assert stress.at == len(stress.events)
    assert f"\r\n= {operations} fails={stress.fails}\r\n" in said
