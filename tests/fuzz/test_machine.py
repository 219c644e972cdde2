# SPDX-License-Identifier: MIT
"""A hypothesis state machine: guest and model side by side, each failure shrunk to a transcript.

The last transcript of a run is build/fuzz/last.t; after a failure that is the smallest one. It
replays as it is: `pfnlab replay build/fuzz/last.t`, or as a test when it lies under tests/.
"""
from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pfnlab import Guest
from pfnlab.spec import project_root
from pfnlab.twin import Twin
from pfnlab.values import PAGE_SIZE
from tests.fuzz.examples import SHARED

# Three areas whose limits lie inside 2 MiB leaves; a hole, a one-page range, a scrap of bytes.
AREAS = [("odd", 0x301000), ("middle", 0x780000), ("rest", 1 << 52)]
RANGES = [(0x200000, 0x280000, "usable"), (0x500000, 0x1000, "usable"),
          (0x600000, 0x900010, "usable"), (0x700800, 0x10, "reserved")]
LOW, HIGH = 0x1ff, 0xf02

STAGES = ("early", "page", "virtual")

sizes = st.one_of(st.integers(1, 100), st.integers(1, 2100), st.integers(1, 30000))
frames = st.integers(LOW, HIGH)
orders = st.integers(0, 11)
areas = st.sampled_from(["any", "odd", "middle", "rest", "odd|middle", "odd|rest", "dma24"])
keys = st.fixed_dictionaries({}, optional={
    "align": st.integers(0, 22).map(lambda n: 1 << n), "fresh": st.just(1),
    "min": frames.map(lambda f: f * PAGE_SIZE), "max": frames.map(lambda f: f * PAGE_SIZE),
    "at": frames.map(lambda f: f * PAGE_SIZE)})


class Machine(RuleBasedStateMachine):
    """The rules."""

    guest: Guest                  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.guest.link.drain()
        self.guest.link.log.clear()
        self.twin = Twin(self.guest, AREAS, RANGES)

    def do(self, name: str, *args: Any, **more: Any) -> None:
        """One command on both."""
        self.twin.do(name, *args, **more)

    @rule(order=orders, area=areas, more=keys)
    def alloc(self, order: int, area: str, more: dict[str, Any]) -> None:
        """2^order pages."""
        self.do("alloc_pages_area", area, order, **more)

    @rule(pages=st.integers(1, 1200), area=areas, more=keys)
    def alloc_exact(self, pages: int, area: str, more: dict[str, Any]) -> None:
        """So many pages."""
        self.do("alloc_pages_exact", pages, area=area, **more)

    @rule(area=areas, align=st.integers(0, 24), size=st.integers(1, 1 << 23))
    def memalign(self, area: str, align: int, size: int) -> None:
        """Bytes, aligned."""
        self.do("memalign_pages_area", area, 1 << align, size)

    def _blocks(self) -> list[tuple[int, int, int]]:
        return self.twin.oracle.allocated() if self.twin.oracle.pages is not None else []

    @rule(which=st.integers(0, 100))
    def free(self, which: int) -> None:
        """A block that is allocated."""
        blocks = self._blocks()
        if blocks:
            self.do("free", blocks[which % len(blocks)][0])

    @rule(which=st.integers(0, 100), start=st.integers(0, 9), pages=st.integers(1, 9))
    def free_part(self, which: int, start: int, pages: int) -> None:
        """A part of it, and sometimes more than that."""
        blocks = self._blocks()
        if blocks:
            self.do("free", blocks[which % len(blocks)][0] + start * PAGE_SIZE, pages)

    @rule(frame=frames)
    def free_anything(self, frame: int) -> None:
        """A pointer that is wrong, most likely."""
        self.do("free", frame * PAGE_SIZE)

    @rule(frame=frames, pages=st.integers(1, 2000), name=st.sampled_from(["reserve", "unreserve"]))
    def take_out(self, frame: int, pages: int, name: str) -> None:
        """By address, and back."""
        self.do(name, frame * PAGE_SIZE, pages)

    @rule(name=st.sampled_from(["vmalloc", "alloc_vpages", "vmap"]), pages=st.integers(1, 40),
          guard=st.sampled_from([None, "front", "back", "both"]), align=st.integers(0, 16),
          at=st.none() | st.integers(-2, 60))
    def map(self, name: str, pages: int, guard: str | None, align: int, at: int | None) -> None:
        """Addresses, and what is behind them."""
        more: dict[str, Any] = {} if guard is None else {"guard": guard}
        if at is None:
            more["align"] = 1 << align
        else:
            more["at"] = self.twin.window[0] + at * PAGE_SIZE
        args = {"vmalloc": [pages * PAGE_SIZE - 5], "vmap": [LOW * PAGE_SIZE, pages * PAGE_SIZE]}
        self.do(name, *args.get(name, [pages]), **more)

    @rule(page=st.integers(-2, 60), name=st.sampled_from(["vfree", "vunmap", "free_vpages"]))
    def unmap(self, page: int, name: str) -> None:
        """A pointer that is wrong in most of the ways."""
        self.do(name, self.twin.window[0] + page * PAGE_SIZE)

    @rule(page=st.integers(-2, 60), pages=st.integers(1, 9),
          attributes=st.sampled_from(["rw", "ro", "nx", "ro|nx", "rw|ro"]))
    def protect(self, page: int, pages: int, attributes: str) -> None:
        """Across ranges, guards and holes."""
        self.do("protect", self.twin.window[0] + page * PAGE_SIZE, pages, attributes)

    @rule(size=sizes, redzone=st.sampled_from([{}, {}, {}, {"redzone": 1}]))
    def malloc(self, size: int, redzone: dict[str, Any]) -> None:
        """An object; without memory there is no red zone."""
        self.do("malloc", size, **redzone)

    @rule(count=st.integers(1, 9), size=sizes)
    def calloc(self, count: int, size: int) -> None:
        """Several in one."""
        self.do("calloc", count, size)

    @rule(align=st.integers(0, 33), size=sizes)
    def memalign_object(self, align: int, size: int) -> None:
        """An object, aligned."""
        self.do("memalign", 1 << align, size)

    def _object(self, which: int) -> int | None:
        objects = self.twin.oracle.heap.objects()
        return objects[which % len(objects)][0] if objects else None

    @rule(which=st.integers(0, 100), size=sizes)
    def realloc(self, which: int, size: int) -> None:
        """Another size for an object."""
        at = self._object(which)
        if at is not None:
            self.do("realloc", at, size)

    @rule(which=st.integers(0, 100))
    def free_object(self, which: int) -> None:
        """The end of one."""
        at = self._object(which)
        if at is not None:
            self.do("free", at)

    @rule(which=st.integers(0, 100), offset=st.sampled_from([-16, 1, 8, 16, 48, 4080, PAGE_SIZE]),
          name=st.sampled_from(["free", "realloc"]))
    def miss_object(self, which: int, offset: int, name: str) -> None:
        """Near an object: inside, a slot that is free, another one, another's page."""
        at = self._object(which)
        if at is not None:
            self.do(name, at + offset, *([50] if name == "realloc" else []))

    @rule()
    def advance(self) -> None:
        """To the next stage of the boot; from the last one there is none."""
        self.do("advance")

    @rule(order=st.permutations(["odd", "middle", "rest"]))
    def scan(self, order: list[str]) -> None:
        """Another scan order."""
        self.do("scan_order", "|".join(order))

    @rule(stage=st.sampled_from(STAGES))
    def reset(self, stage: str) -> None:
        """Afresh."""
        self.do("reset", stage=stage)

    @invariant()
    def check(self) -> None:
        """The guest finds itself whole."""
        self.guest.check()

    def teardown(self) -> None:
        """Compare the whole state, and leave the run as a transcript."""
        path = project_root() / "build/fuzz/last.t"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.guest.transcript())
        self.twin.compare_state()


@pytest.mark.only("native")
def test_every_history_is_answered_as_the_model_says(guest: Guest,
                                                     pytestconfig: pytest.Config) -> None:
    Machine.guest = guest
    # The same histories each time, unless --hypothesis-seed asks for others, or many hosts search.
    seeded = pytestconfig.getoption("--hypothesis-seed", None) is not None or SHARED in os.environ
    run_state_machine_as_test(Machine, settings=settings(
        max_examples=150, stateful_step_count=30, deadline=None, derandomize=not seeded,
        suppress_health_check=list(HealthCheck), print_blob=True))
