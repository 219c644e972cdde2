# SPDX-License-Identifier: MIT
"""A guest at work: what it is kept busy with, and what is told of it meanwhile."""
from __future__ import annotations

import itertools
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from pfnlab.guest import Guest
from pfnlab.sampling import areas_of
from pfnlab.stream import Stream
from pfnlab.transcript import Run, Transcript
from pfnlab.values import PAGE_SHIFT, Row

WINDOW = 3.0                      # seconds over which rates are counted


class Player:
    """The guest for a Stream: runs commands as it is told to."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        rows = guest.call("dump", "areas")
        self.areas = [str(row[0]) for row in rows if row.managed]
        self.spans = [(int(row.values[0]) >> PAGE_SHIFT,
                       (int(row.values[0]) >> PAGE_SHIFT) + int(row.values[1]))
                      for row in guest.call("dump", "pages") if row[2] == "free"]

    def post(self, name: str, *args: object, **keys: object) -> int | None:
        """Run it; the result, None if it is refused."""
        command = self.guest.command(name)
        pending = self.guest.submit(command, command.words(args, keys))
        final = self.guest.link.wait(pending.request, self.guest.timeout).final
        assert final is not None
        values = final.row().values if final.sigil == "=" else ()
        return int(values[0]) if values and isinstance(values[0], int) else None


def random_load(guest: Guest, seed: int) -> Iterator[None]:
    """Allocations, frees and reservations at random, without end."""
    stream = Stream(Player(guest), random.Random(seed))
    while True:
        stream.step()
        yield


def transcript_load(guest: Guest, transcript: Transcript) -> Iterator[None]:
    """A transcript, once."""
    run = Run(guest)
    for step in transcript.steps:
        if step.text != "poweroff":
            run.wait(run.submit(step))
            yield


class Watch:
    """The events of a guest, from now on; `counts` by their kind."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.counts: Counter[str] = Counter()
        self._recent: deque[tuple[float, str]] = deque()
        guest.link.on_event = self._event
        guest.call("trace", 1)

    def _event(self, row: Row) -> None:
        kind = str(row[0])
        self.counts[kind] += 1
        self._recent.append((time.monotonic(), kind))

    def rates(self) -> dict[str, float]:
        """Events a second, by kind."""
        now = time.monotonic()
        while self._recent and now - self._recent[0][0] > WINDOW:
            self._recent.popleft()
        recent = Counter(kind for _, kind in self._recent)
        return {kind: recent[kind] / WINDOW for kind in sorted(self.counts)}

    def data(self) -> dict[str, Any]:
        """What there is to see, as JSON has it."""
        link = self.guest.link
        return {"requests": link.next_tag - 1, "recoveries": link.recoveries,
                "round_trip": link.round_trip,
                "areas": [{**asdict(area), "fragmentation": area.fragmentation}
                          for area in areas_of(self.guest)],
                "events": {kind: {"count": self.counts[kind], "rate": rate}
                           for kind, rate in self.rates().items()}}


def work(load: Iterator[None], tell: Callable[[], None], every: float,
         seconds: float | None = None) -> None:
    """Keep at a load, to its end or for so long, and tell of it at intervals and at the end."""
    now = time.monotonic()
    end = None if seconds is None else now + seconds
    told = 0.0
    for _ in itertools.chain(load, [None]):
        now = time.monotonic()
        if now - told >= every:
            tell()
            told = now
        if end is not None and now >= end:
            break
    tell()
