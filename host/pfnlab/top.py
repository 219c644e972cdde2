# SPDX-License-Identifier: MIT
"""A live view of a guest at work (rich): its map, its free blocks, what happens each second, how
its line is."""
from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pfnlab.guest import Guest
from pfnlab.load import Watch, work
from pfnlab.sampling import Area, areas_of
from pfnlab.values import Row, Rows

REFRESH = 0.25                    # seconds between two looks
STYLES = {".": "green", "o": "bright_green", "#": "bright_blue", "R": "bright_black",
          "x": "yellow", "_": "bright_black"}


class Top:
    """What is shown."""

    def __init__(self, guest: Guest, console: Console | None = None) -> None:
        self.guest = guest
        self.console = console or Console()
        self.watch = Watch(guest)

    def run(self, load: Iterator[None], seconds: float | None = None) -> None:
        """Show it while the load runs, to its end or for so long."""
        with Live(console=self.console, auto_refresh=False, screen=self.console.is_terminal,
                  vertical_overflow="crop") as live:
            work(load, lambda: live.update(self.view(), refresh=True), REFRESH, seconds)

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
        link = self.guest.link
        told = "  ".join(f"{kind} {rate:.0f}/s ({self.watch.counts[kind]})"
                         for kind, rate in self.watch.rates().items())
        return Text(f"{told or 'no events yet'}\n{link.next_tag - 1} requests, "
                    f"{link.recoveries} recoveries of the line, round trip "
                    f"{link.round_trip * 1000:.1f} ms   ^C ends", style="cyan")
