# SPDX-License-Identifier: MIT
"""What memory looks like, and how it came to that: samples of a guest while a transcript runs."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pfnlab.guest import Guest
from pfnlab.model import STATES, UNMANAGED
from pfnlab.transcript import Run, Step, Transcript
from pfnlab.values import MAX_ORDER, PAGE_SHIFT, Rows

MOST_SAMPLES = 240                # of the totals
MOST_FRAMES = 48                  # of all pages
MOST_RUNS = 200_000               # in one frame: what a picture can show ends long before


@dataclass
class Piece:
    """Consecutive pages alike: first frame, how many, state, freshness, owner (0: none), area."""

    first: int
    pages: int
    state: str
    fresh: bool
    owner: int
    area: str


@dataclass
class Area:
    """Totals of an area in pages; `largest` is its largest free block."""

    name: str
    managed: int
    free: int
    allocated: int
    reserved: int
    largest: int
    blocks: list[int]             # free blocks, by order

    @property
    def fragmentation(self) -> float:
        """The part of its free pages that is not in the largest block; 0 if nothing is free."""
        return 1 - self.largest / self.free if self.free else 0.0


@dataclass
class Sample:
    """A guest after a step; `pieces` only in some of them."""

    step: int                     # how many steps have run
    text: str                     # the last of them
    areas: list[Area]
    pieces: list[Piece] | None = None


def areas_of(guest: Guest) -> list[Area]:
    """The totals of all areas that have memory."""
    found = []
    for row in guest.call("dump", "areas"):
        blocks = [int(row.fields.get(f"o{order}", 0)) for order in range(MAX_ORDER + 1)]
        largest = max((1 << order for order, n in enumerate(blocks) if n), default=0)
        if row.managed:
            found.append(Area(str(row[0]), row.managed, row.free, row.allocated, row.reserved,
                              largest, blocks))
    return found


def pieces_of(guest: Guest) -> list[Piece]:
    """All managed pages."""
    found: list[Piece] = []
    start: int | None = 0
    while start is not None and len(found) < MOST_RUNS:
        rows: Rows = guest.call("dump", "pages", start)
        for row in rows:
            if row[2] != STATES[UNMANAGED]:
                found.append(Piece(int(row.values[0]) >> PAGE_SHIFT, int(row.values[1]),
                                   str(row[2]), bool(row.fields.get("fresh")),
                                   int(row.fields.get("owner", 0)), str(row.area)))
        more = rows.fields.get("more")
        start = int(more) if more is not None else None
    return found


def sample(guest: Guest, step: int = 0, text: str = "", frame: bool = True) -> Sample:
    """A guest as it is."""
    return Sample(step, text, areas_of(guest), pieces_of(guest) if frame else None)


def sample_run(guest: Guest, transcript: Transcript, on_step: Callable[[Step], None] | None = None,
               upto: int | None = None) -> list[Sample]:
    """Run a transcript and take samples, at least one at its beginning and its end. Owners are the
    tags of the file."""
    steps = [s for s in transcript.steps if s.text != "poweroff" and s.tag <= (upto or s.tag)]
    every, frames = _interval(len(steps), MOST_SAMPLES), _interval(len(steps), MOST_FRAMES)
    run = Run(guest)
    found = [] if _begins_a_map(steps) else [sample(guest)]
    for count, step in enumerate(steps, 1):
        run.wait(run.submit(step))
        last = count == len(steps)
        if count % every == 0 or count % frames == 0 or last:
            one = _try_sample(guest, count, step.text, last or count % frames == 0)
            if one is not None:
                _rename_owners(one, run)
                found.append(one)
        if on_step is not None:
            on_step(step)
    return found


def _begins_a_map(steps: list[Step]) -> bool:
    return any(step.text.startswith("map_begin") for step in steps)


def _try_sample(guest: Guest, step: int, text: str, frame: bool) -> Sample | None:
    """None as long as there are no pages."""
    if guest.call("info").fields["stage"] != "page":
        return None
    return sample(guest, step, text, frame)


def _interval(steps: int, most: int) -> int:
    return max(1, -(-steps // most))


def _rename_owners(one: Sample, run: Run) -> None:
    tags = {request.tag: tag for tag, request in run.done.items()}
    for piece in one.pieces or []:
        piece.owner = tags.get(piece.owner, piece.owner)
