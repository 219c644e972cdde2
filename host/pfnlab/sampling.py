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
WINDOW = "virtual window"         # in the place of an area's name
MOST_GAP = 16                     # pages between ranges of the window that are shown as free


@dataclass
class Piece:
    """Consecutive pages alike: first frame, how many, state, freshness, owner (0: none), area. Of
    the window: the number of the first page of addresses, and what kind of range."""

    first: int
    pages: int
    state: str
    fresh: bool
    owner: int
    area: str
    kind: str = ""


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


def window_of(guest: Guest) -> list[Piece]:
    """The ranges of the window and their guards, if there is a window by now."""
    found: list[Piece] = []
    start: int | None = 0
    if guest.call("info").fields["stage"] != "virtual":
        return found
    while start is not None and len(found) < MOST_RUNS:
        rows: Rows = guest.call("dump", "virt", start)
        for row in rows:
            first, pages = int(row.values[0]) >> PAGE_SHIFT, int(row.values[1])
            front, back = (int(row.fields.get(key, 0)) for key in ("front", "back"))
            found += [Piece(at, n, "guard", False, 0, WINDOW)
                      for at, n in ((first - front, front), (first + pages, back)) if n]
            found.append(Piece(first, pages, "allocated", False, int(row.owner), WINDOW,
                               str(row[2])))
        more = rows.fields.get("more")
        start = int(more) if more is not None else None
    return sorted(found, key=lambda piece: piece.first)


def fill_windows(samples: list[Sample]) -> None:
    """Say in each frame that the rest of what any of them uses of the window is free there: so that
    all have one place in a picture, which leaves out what nobody uses."""
    frames = [one.pieces for one in samples if one.pieces is not None]
    used = sorted((piece.first, piece.first + piece.pages) for pieces in frames for piece in pieces
                  if piece.area == WINDOW)
    spans: list[list[int]] = []
    for first, end in used:
        if spans and first - spans[-1][1] <= MOST_GAP:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([first, end])
    for pieces in frames:
        mine = [piece for piece in pieces if piece.area == WINDOW]
        pieces[:] = [piece for piece in pieces if piece.area != WINDOW]
        for first, end in spans:
            for piece in [p for p in mine if first <= p.first < end] + [
                    Piece(end, 0, "", False, 0, WINDOW)]:
                if piece.first > first:
                    pieces.append(Piece(first, piece.first - first, "free", False, 0, WINDOW))
                if piece.pages:
                    pieces.append(piece)
                first = piece.first + piece.pages


def sample(guest: Guest, step: int = 0, text: str = "", frame: bool = True) -> Sample:
    """A guest as it is."""
    return Sample(step, text, areas_of(guest),
                  pieces_of(guest) + window_of(guest) if frame else None)


def sample_run(guest: Guest, transcript: Transcript, on_step: Callable[[Step], None] | None = None,
               upto: int | None = None) -> list[Sample]:
    """Run a transcript and take samples, at least one at its beginning and its end. What was before
    the last change of the map is left out: it has no place in the same picture. Owners are the tags
    of the file."""
    steps = [s for s in transcript.steps if s.text != "poweroff" and s.tag <= (upto or s.tag)]
    every, frames = _interval(len(steps), MOST_SAMPLES), _interval(len(steps), MOST_FRAMES)
    run = Run(guest)
    found = [sample(guest)]
    for count, step in enumerate(steps, 1):
        run.wait(run.submit(step))
        whole = count % frames == 0 or count == len(steps)
        if step.text.split(" ")[0] in ("map_commit", "map_machine"):
            found.clear()
            whole = True
        if whole or count % every == 0:
            one = _try_sample(guest, count, step.text, whole)
            if one is not None:
                _rename_owners(one, run)
                found.append(one)
        if on_step is not None:
            on_step(step)
    fill_windows(found)
    return found


def worth_seeing(samples: list[Sample]) -> Sample:
    """The frame at the end; if nothing is allocated any more, the fullest one."""
    frames = [one for one in samples if one.pieces is not None]

    def allocated(one: Sample) -> int:
        return sum(piece.pages for piece in one.pieces or [] if piece.state == "allocated")
    return frames[-1] if allocated(frames[-1]) else max(frames, key=allocated)


def _try_sample(guest: Guest, step: int, text: str, frame: bool) -> Sample | None:
    """None as long as there are no pages."""
    if guest.call("info").fields["stage"] == "early":
        return None
    return sample(guest, step, text, frame)


def _interval(steps: int, most: int) -> int:
    return max(1, -(-steps // most))


def _rename_owners(one: Sample, run: Run) -> None:
    tags = {request.tag: tag for tag, request in run.done.items()}
    for piece in one.pieces or []:
        piece.owner = tags.get(piece.owner, piece.owner)
