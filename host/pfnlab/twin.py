# SPDX-License-Identifier: MIT
"""One call, two answers: the guest's and the model's, which must be the same."""
from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from pfnlab.guest import Guest, Pending
from pfnlab.model import STATES, UNMANAGED, Refusal
from pfnlab.oracle import Oracle
from pfnlab.values import PAGE_SIZE, Row

Area = tuple[str, int]                 # name, end in bytes
Range = tuple[int, int, str]           # base, size, usable or reserved


class Disagreement(AssertionError):
    """Guest and model do not say the same."""


@dataclass
class Expected:
    """A request under way, and what the model says of it."""

    pending: Pending
    value: object
    refusal: Refusal | None

    def verify(self) -> None:
        """Wait for the guest's answer and compare."""
        error = self.pending.error()
        got = error if error is not None else self.pending.result()
        if self.refusal is None:
            agreed = error is None and (got == self.value or self.value is None)
        else:
            agreed = (error is not None and error.code == self.refusal.code
                      and self.refusal.at in (None, error.at))
        if not agreed:
            told = self.refusal or hexadecimal(self.value)
            raise Disagreement(f"{self.pending.request.text()}\n  guest: {got}\n  model: {told}")


def hexadecimal(value: object) -> str:
    """A number of the model as the guest would print an address."""
    return f"{value:#018x}" if isinstance(value, int) else str(value)


def inject(guest: Guest, areas: list[Area], ranges: list[Range], stage: str = "page") -> None:
    """Put a map in force on the guest."""
    with guest.pipeline() as line:
        steps = [line.map_begin()]
        steps += [line.map_area(name, limit) for name, limit in areas]
        steps += [line.map_add(base, size, kind=kind) for base, size, kind in ranges]
        steps.append(line.map_commit(stage=stage))
    for step in steps:
        step.result()


class Twin:
    """A guest on an injected map and its model. `do` runs and compares, `post` compares later."""

    def __init__(self, guest: Guest, areas: list[Area], ranges: list[Range],
                 stage: str = "page", owners: bool = True) -> None:
        inject(guest, areas, ranges, stage)
        self.guest = guest
        self.owners = owners          # a damaged line gives requests other tags: not comparable
        self.oracle = Oracle(areas, ranges, stage)
        self._line = guest.pipeline()
        self._posted: deque[Expected] = deque()

    def post(self, name: str, *args: Any, **keys: Any) -> Any:
        """Send a command; what the model says of it, None if it refuses."""
        call = getattr(self.oracle, name)
        more = {"owner": self.guest.link.next_tag} if "alloc" in name and "phys" not in name \
            or name.startswith("memalign") else {}
        value, refusal = None, None
        try:
            value = call(*args, **keys, **more)
        except Refusal as why:
            refusal = why
        pending = getattr(self._line, name)(*args, **keys)
        self._posted.append(Expected(pending, value, refusal))
        return value

    def do(self, name: str, *args: Any, **keys: Any) -> Any:
        """Run a command on both and compare."""
        value = self.post(name, *args, **keys)
        self.collect()
        return value

    def collect(self, leave: int = 0) -> None:
        """Compare the answers of all but the last `leave` commands that were posted."""
        while len(self._posted) > leave:
            self._posted.popleft().verify()

    def compare_state(self) -> None:
        """Every page, every block, every total, and the guest's own check."""
        self.collect()
        self.guest.check()
        self._compare_totals()
        self._compare_pages()

    def _compare_totals(self) -> None:
        assert self.oracle.pages is not None
        rows = self.guest.dump("areas")
        for index, (name, _) in enumerate(self.oracle.areas):
            expected = self.oracle.pages.totals(index)
            got = {key: rows.find(name)[key] for key in expected}
            if got != expected:
                raise Disagreement(f"area {name}\n  guest: {got}\n  model: {expected}")

    def _compare_pages(self) -> None:
        got = [row for row in self._guest_rows() if row[0] != STATES[UNMANAGED]]
        fields = 5 if self.owners else 4
        for ours, theirs in zip_longest(self._model_rows(), got):
            if (ours or ())[:fields] != (theirs or ())[:fields]:
                raise Disagreement(f"dump pages\n  guest: {theirs}\n  model: {ours}")

    def _guest_rows(self) -> list[tuple[object, ...]]:
        out: list[tuple[object, ...]] = []
        start = 0
        while True:
            rows = self.guest.dump("pages", start)
            out += [_plain(row) for row in rows]
            if "more" not in rows.fields:
                return out
            start = int(rows.fields["more"])

    def _model_rows(self) -> list[tuple[object, ...]]:
        """As `dump pages` has them: (state, address, pages, fresh, owner)."""
        pages = self.oracle.pages
        assert pages is not None
        out: list[tuple[object, ...]] = []
        for run in pages.runs:
            at = run.first
            while at < run.end:
                i = at - run.first
                if at in pages.blocks:
                    n, owner = pages.blocks[at], pages.owners[at]
                else:
                    kind, owner = (run.state[i], run.fresh[i]), 0
                    n = next((j for j in range(i, len(run.state))
                              if (run.state[j], run.fresh[j]) != kind), len(run.state)) - i
                out.append((STATES[run.state[i]], at * PAGE_SIZE, n, run.fresh[i], owner))
                at += n
        return out


def _plain(row: Row) -> tuple[object, ...]:
    return (row[2], row[0], row[1], row.fields.get("fresh", 0), row.fields.get("owner", 0))


# ---- at random ----

def random_map(rng: random.Random, most_pages: int = 60000) -> tuple[list[Area], list[Range]]:
    """Areas with limits at odd pages, ranges that overlap, straddle them and have odd edges."""
    limits = sorted({rng.choice((1, 3, 511, 513, 4096, rng.randrange(2, 60000)))
                     * PAGE_SIZE << rng.choice((0, 0, 3)) for _ in range(rng.randrange(1, 5))})
    areas = [(f"a{i}", limit) for i, limit in enumerate(limits)] + [("rest", 1 << 52)]
    ranges: list[Range] = [(PAGE_SIZE * rng.randrange(600), PAGE_SIZE * rng.randrange(600, 3000),
                            "usable")]
    left = most_pages
    for _ in range(rng.randrange(1, 12)):
        near = rng.choice((*limits, 1 << 21, 1 << 30, rng.randrange(1 << 32), 1 << 51))
        size = rng.choice((1, 4096, rng.randrange(1, 1 << 16), rng.randrange(1, 1 << 26)))
        base = max(0, near - rng.randrange(size + 1))
        if rng.random() < 0.5:
            base, size = base & -PAGE_SIZE, (size | PAGE_SIZE) & -PAGE_SIZE
        kind = "reserved" if rng.random() < 0.25 else "usable"
        if kind == "usable" and (size >> 12) > left:
            continue
        left -= size >> 12 if kind == "usable" else 0
        ranges.append((base, size, kind))
    rng.shuffle(ranges)
    return areas, ranges


class Stream:
    """Operations at random on a twin: legal and illegal ones, from the state of the model."""

    def __init__(self, twin: Twin, rng: random.Random) -> None:
        self.twin = twin
        self.rng = rng
        self.blocks: list[int] = []
        self.names = [name for name, _ in twin.oracle.areas]

    def _areas(self) -> str:
        few = self.rng.sample(self.names, self.rng.randrange(1, len(self.names) + 1))
        return self.rng.choice(("any", "dma32", "|".join(few), "|".join(few)))

    def _keys(self) -> dict[str, Any]:
        rng, keys = self.rng, {}
        if rng.random() < 0.15:
            keys["align"] = 1 << rng.randrange(0, 26)
        if rng.random() < 0.1:
            keys["fresh"] = 1
        if rng.random() < 0.1:
            keys["min"] = self._address()
        if rng.random() < 0.1:
            keys["max"] = self._address()
        if rng.random() < 0.1:
            keys["at"] = self._address()
        return keys

    def _address(self) -> int:
        """Somewhere interesting: in a run or just outside it, now and then not at a page."""
        runs = self.twin.oracle.pages.runs if self.twin.oracle.pages else []
        if not runs:
            return PAGE_SIZE
        run = self.rng.choice(runs)
        frame = self.rng.randrange(max(0, run.first - 2), min(run.end + 2, 1 << 40))
        return frame * PAGE_SIZE + (8 if self.rng.random() < 0.02 else 0)

    def step(self) -> None:
        """One operation."""
        choice = self.rng.random()
        if choice < 0.5 or not self.blocks:
            self._allocate()
        elif choice < 0.85:
            self._free()
        else:
            self._take_out()

    def _allocate(self) -> None:
        rng, post = self.rng, self.twin.post
        order = min(18, int(rng.expovariate(0.45)))
        which = rng.randrange(5)
        if which == 0:
            at = post("alloc_page", area=self._areas(), **self._keys())
        elif which == 1:
            at = post("alloc_pages", order, **self._keys())
        elif which == 2:
            at = post("alloc_pages_area", self._areas(), order, **self._keys())
        elif which == 3:
            at = post("memalign_pages_area", self._areas(), 1 << rng.randrange(25),
                      rng.randrange(1, PAGE_SIZE << order))
        else:
            at = post("alloc_pages_exact", rng.randrange(1, (1 << order) + 1),
                      area=self._areas(), **self._keys())
        if at is not None:
            self.blocks.append(at)

    def _free(self) -> None:
        rng = self.rng
        i = rng.randrange(len(self.blocks))
        address = self.blocks[i]
        if rng.random() < 0.1:
            self.twin.post("free", self._address())
        elif rng.random() < 0.2:
            start = address + PAGE_SIZE * rng.randrange(4)
            self.twin.post("free", start, rng.randrange(1, 5))
            self.blocks.append(start + PAGE_SIZE)
        else:
            self.blocks[i] = self.blocks[-1]
            self.blocks.pop()
            self.twin.post("free", address)

    def _take_out(self) -> None:
        rng = self.rng
        pages = rng.choice((1, 2, rng.randrange(1, 40), rng.randrange(1, 3000)))
        name = rng.choice(("reserve", "unreserve"))
        self.twin.post(name, self._address(), pages)
