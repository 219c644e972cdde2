# SPDX-License-Identifier: MIT
"""A live view of a guest at work (rich): its map, its free blocks, what happens each second, how
its line is."""
from __future__ import annotations

import itertools
import random
import time
from collections import Counter, deque
from collections.abc import Iterator

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pfnlab.guest import Guest
from pfnlab.sampling import Area, areas_of
from pfnlab.stream import Stream
from pfnlab.transcript import Run, Transcript
from pfnlab.values import PAGE_SHIFT, Row, Rows

REFRESH = 0.25                    # seconds between two looks
WINDOW = 3.0                      # seconds over which rates are counted
STYLES = {".": "green", "o": "bright_green", "#": "bright_blue", "R": "bright_black",
          "x": "yellow", "_": "bright_black"}


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


class Top:
    """What is shown."""

    def __init__(self, guest: Guest, console: Console | None = None) -> None:
        self.guest = guest
        self.console = console or Console()
        self.counts: Counter[str] = Counter()
        self._recent: deque[tuple[float, str]] = deque()
        self._steps = 0
        guest.link.on_event = self._event
        guest.call("trace", 1)

    def _event(self, row: Row) -> None:
        kind = str(row[0])
        self.counts[kind] += 1
        self._recent.append((time.monotonic(), kind))

    def run(self, load: Iterator[None], seconds: float | None = None) -> None:
        """Show it while the load runs, to its end or for so long."""
        end = None if seconds is None else time.monotonic() + seconds
        with Live(console=self.console, auto_refresh=False, screen=self.console.is_terminal,
                  vertical_overflow="crop") as live:
            shown = 0.0
            for _ in itertools.chain(load, [None]):
                self._steps += 1
                now = time.monotonic()
                if now - shown >= REFRESH:
                    live.update(self.view(), refresh=True)
                    shown = now
                if end is not None and now >= end:
                    break
            live.update(self.view(), refresh=True)

    def view(self) -> Group:
        """The screen."""
        areas = areas_of(self.guest)
        room = max(4, self.console.height - len(areas) - 12)
        return Group(self._map(room), self._areas(areas), self._rates())

    def _map(self, room: int) -> Panel:
        rows: Rows = self.guest.call("dump", "map")
        every = max(1, -(-len(rows) // (room * self._columns())))
        cells = [self._map_row(row) for row in rows[::every]]
        grid = Table.grid(padding=(0, 2))
        for _ in range(self._columns()):
            grid.add_column()
        tall = -(-len(cells) // self._columns())
        for line in range(tall):
            grid.add_row(*(cells[i] for i in range(line, len(cells), tall)))
        title = f"{self.guest.name}, {rows.final.text}"
        return Panel(grid, title=title, title_align="left", border_style="bright_black",
                     subtitle=f"one row of {every}" if every > 1 else None)

    def _columns(self) -> int:
        return max(1, (self.console.width - 4) // 58)

    def _map_row(self, row: Row) -> Text:
        text = Text(f"{int(row.values[0]):#014x} ", style="bright_black")
        for letter in str(row[1]):
            text.append(letter, STYLES.get(letter, ""))
        return text + Text(f" {row.area}")

    def _areas(self, areas: list[Area]) -> Table:
        table = Table(box=None, padding=(0, 1), header_style="bold")
        table.add_column("area")
        for head in ("free", "used", "reserved", "fragm."):
            table.add_column(head, justify="right")
        table.add_column("free blocks by order")
        for area in areas:
            blocks = "  ".join(f"{order}:{n}" for order, n in enumerate(area.blocks) if n)
            table.add_row(area.name, str(area.free), str(area.allocated), str(area.reserved),
                          f"{area.fragmentation * 100:.0f} %", blocks, style="")
        return table

    def _rates(self) -> Text:
        now = time.monotonic()
        while self._recent and now - self._recent[0][0] > WINDOW:
            self._recent.popleft()
        recent = Counter(kind for _, kind in self._recent)
        link = self.guest.link
        told = "  ".join(f"{kind} {recent[kind] / WINDOW:.0f}/s ({total})"
                         for kind, total in sorted(self.counts.items()))
        return Text(f"{told or 'no events yet'}\n{link.next_tag - 1} requests, "
                    f"{link.recoveries} recoveries of the line, round trip "
                    f"{link.round_trip * 1000:.1f} ms   ^C ends", style="cyan")
