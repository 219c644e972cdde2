# SPDX-License-Identifier: MIT
"""One call, two answers: the guest's and the model's, which must be the same."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from pfnlab.guest import Guest, Pending
from pfnlab.model import STATES, UNMANAGED, Pages, Refusal
from pfnlab.model_virtual import Virtual
from pfnlab.oracle import Oracle
from pfnlab.stream import Area, Range
from pfnlab.values import PAGE_SIZE, Row


# Commands whose result has an owner: the tag of the line.
OWNED = ("alloc_page", "alloc_pages", "alloc_pages_area", "alloc_pages_exact",
         "memalign_pages_area", "vmalloc", "vmemalign", "vmap", "ioremap", "alloc_vpages",
         "malloc", "calloc", "memalign")


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


def inject(guest: Guest, areas: list[Area], ranges: list[Range], stage: str = "virtual") -> None:
    """Put a map in force on the guest."""
    with guest.pipeline() as line:
        steps = [line.map_begin()]
        steps += [line.map_area(name, limit) for name, limit in areas]
        steps += [line.map_add(base, size, kind=kind) for base, size, kind in ranges]
        steps.append(line.map_commit(stage=stage))
    for step in steps:
        step.result()


def window(guest: Guest) -> tuple[int, int]:
    """What the virtual allocator has of the guest's addresses."""
    fields = guest.info().fields
    return int(fields["window"]), int(fields["window_limit"])


def engine(guest: Guest) -> str:
    """The page engine that the guest runs."""
    return str(guest.info().fields["engine"])


class Twin:
    """A guest on an injected map and its model. `do` runs and compares, `post` compares later."""

    def __init__(self, guest: Guest, areas: list[Area], ranges: list[Range],
                 stage: str = "virtual", owners: bool = True) -> None:
        inject(guest, areas, ranges, stage)
        self.guest = guest
        self.owners = owners          # a damaged line gives requests other tags: not comparable
        self.oracle = Oracle(areas, ranges, stage, window(guest), engine(guest))
        self._line = guest.pipeline()
        self._posted: deque[Expected] = deque()

    @property
    def areas(self) -> list[str]:
        """Names."""
        return [name for name, _ in self.oracle.areas]

    @property
    def window(self) -> tuple[int, int]:
        """First address and end."""
        return self.oracle.window

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Frames that are managed, as first and end."""
        return [(run.first, run.end) for run in self.oracle.pages.runs] if self.oracle.pages else []

    def post(self, name: str, *args: Any, **keys: Any) -> Any:
        """Send a command; what the model says of it, None if it refuses."""
        call = getattr(self.oracle, name)
        more = {"owner": self.guest.link.next_tag} if name in OWNED else {}
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
        """Every page, block, object and total, and the guest's own check."""
        self.collect()
        self.guest.check()
        self._compare_heap()
        if self.oracle.pages is not None:
            self._compare_totals()
            self._compare_pages()
            self._compare_ranges()

    def _compare_heap(self) -> None:
        got = dump_rows(self.guest, "heap", heap_row)
        fields = 5 if self.owners else 4
        for ours, theirs in zip_longest(self.oracle.heap.objects(), got):
            if (ours or ())[:fields] != (theirs or ())[:fields]:
                raise Disagreement(f"dump heap\n  guest: {theirs}\n  model: {ours}")

    def _compare_totals(self) -> None:
        assert self.oracle.pages is not None
        rows = self.guest.dump("areas")
        for index, (name, _) in enumerate(self.oracle.areas):
            expected = self.oracle.pages.totals(index)
            got = {key: rows.find(name)[key] for key in expected}
            if got != expected:
                raise Disagreement(f"area {name}\n  guest: {got}\n  model: {expected}")

    def _compare_pages(self) -> None:
        assert self.oracle.pages is not None
        fields = 5 if self.owners else 4
        for ours, theirs in zip_longest(model_rows(self.oracle.pages), guest_rows(self.guest)):
            if (ours or ())[:fields] != (theirs or ())[:fields]:
                raise Disagreement(f"dump pages\n  guest: {theirs}\n  model: {ours}")

    def _compare_ranges(self) -> None:
        assert self.oracle.virtual is not None
        fields = 8 if self.owners else 7
        ours = range_rows(self.oracle.virtual)
        for mine, theirs in zip_longest(ours, dump_rows(self.guest, "virt", range_row)):
            if (mine or ())[:fields] != (theirs or ())[:fields]:
                raise Disagreement(f"dump virt\n  guest: {theirs}\n  model: {mine}")
        self._compare_mappings(self.oracle.virtual)

    def _compare_mappings(self, virtual: Virtual) -> None:
        """What is behind some pages of each range, and next to it."""
        pages = {page for r in virtual.window.ranges.values() for page in (
            r.start, r.first, r.first + 1, r.first + r.pages - 1, r.end, *list(r.changed)[:9])}
        told = [(page, self._line.translate(page * PAGE_SIZE)) for page in sorted(pages)]
        for page, pending in told:
            error, mine, theirs = pending.error(), None, None
            if error is None:
                theirs = int(pending.result()), str(pending.result().fields["attributes"])
            if virtual.window.mapped(page) is not None:
                at, words = virtual.translate(page * PAGE_SIZE)
                mine = at, "|".join(word for word in ("ro", "nx") if word in words) or "rw"
            if mine != theirs:
                raise Disagreement(f"translate {page * PAGE_SIZE:#x}\n  guest: {theirs}\n"
                                   f"  model: {mine}")


def dump_rows(guest: Guest, what: str,
              plain: Callable[[Row], tuple[object, ...]]) -> list[tuple[object, ...]]:
    """All rows of a dump, however many replies they take."""
    out: list[tuple[object, ...]] = []
    start = 0
    while True:
        rows = guest.call("dump", what, start)
        out += [plain(row) for row in rows]
        if "more" not in rows.fields:
            return out
        start = int(rows.fields["more"])


def range_rows(virtual: Virtual) -> list[tuple[object, ...]]:
    """As `dump virt` has them."""
    return [(r.first * PAGE_SIZE, r.pages, r.kind, r.front, r.back, r.size, int(r.redzone), r.owner)
            for _, r in sorted(virtual.window.ranges.items())]


def guest_rows(guest: Guest) -> list[tuple[object, ...]]:
    """Every run of managed pages on the guest: (state, address, pages, fresh, owner)."""
    return [row for row in dump_rows(guest, "pages", page_row) if row[0] != STATES[UNMANAGED]]


def model_rows(pages: Pages) -> list[tuple[object, ...]]:
    """The same of the model."""
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


def page_row(row: Row) -> tuple[object, ...]:
    """A row of `dump pages` so that it can be compared."""
    return (row[2], row[0], row[1], row.fields.get("fresh", 0), row.fields.get("owner", 0))


def range_row(row: Row) -> tuple[object, ...]:
    """The same of `dump virt`."""
    return (row[0], row[1], row[2], *(row.fields.get(name, 0) for name in (
        "front", "back", "size", "redzone", "owner")))


def heap_row(row: Row) -> tuple[object, ...]:
    """The same of `dump heap`."""
    return row[0], row[1], row.stage, row.fields.get("redzone", 0), row.owner
