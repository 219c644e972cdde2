# SPDX-License-Identifier: MIT
"""Memory maps as files: of any machine, to put in the place of the guest's own.

A file `*.map` holds commands of the guest, as they would be typed, and text behind `;`, of which
the first line says what the map is:

    ; A laptop of 16 GiB.
    map_area low 4G                without any, the guest's areas stay
    map_area high 4096T
    map_add 0x100000 0x7ff00000
    map_add 0x1000000 0x200000 kind=reserved
"""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pfnlab.errors import GuestError
from pfnlab.guest import Guest
from pfnlab.values import ADDRESS_LIMIT, Address, parse_size

ZOO = Path(__file__).with_name("zoo")


class MapError(ValueError):
    """No such map, or a line of it is none; the message names file and line."""


@dataclass
class MemoryMap:
    """Areas as (name, end in bytes), ascending; ranges as (base, bytes, "usable"/"reserved")."""

    areas: list[tuple[str, int]] = field(default_factory=list)
    ranges: list[tuple[int, int, str]] = field(default_factory=list)
    text: str = ""

    def lines(self) -> list[str]:
        """As commands of the guest, without map_begin and map_commit."""
        return [*(f"map_area {name} {limit:#x}" for name, limit in self.areas),
                *(f"map_add {base:#x} {size:#x}" + (" kind=reserved" if kind == "reserved" else "")
                  for base, size, kind in self.ranges)]

    def inject(self, guest: Guest) -> None:
        """Put it in force. GuestError: the guest refuses it, and keeps its own."""
        with guest.pipeline() as line:
            pending = [line.line(text) for text in ("map_begin", *self.lines(), "map_commit")]
        for one in pending:
            one.result()

    @property
    def usable(self) -> int:
        """Bytes that are usable, by the sum of its ranges."""
        return sum(size for _, size, kind in self.ranges if kind == "usable")

    def write(self, path: Path) -> None:
        """Make a file of it."""
        path.write_text("\n".join([f"; {self.text}", *self.lines(), ""]), "ascii")


def map_of(guest: Guest) -> MemoryMap:
    """The map in force on a guest, as one to inject: memory that early code keeps is reserved."""
    areas = [(str(row[0]), int(row.limit)) for row in guest.call("areas")]
    found = MemoryMap(sorted(areas, key=lambda area: area[1]),
                      text=f"The map of {guest.name}.")
    start: int | None = 0
    while start is not None:
        rows = guest.call("dump", "phys", start)
        for address, size, state in ((int(row.values[0]), int(row.values[1]), row.values[2])
                                     for row in rows):
            if not found.ranges or address > found.ranges[-1][0]:
                kind = "reserved" if state in ("early", "reserved") else "usable"
                found.ranges.append((address, size, kind))
        more = rows.fields.get("more")
        start = int(more) if isinstance(more, Address) else None
    return found


def parse_map(text: str, name: str) -> MemoryMap:
    """The map that a file holds."""
    found = MemoryMap()
    for number, raw in enumerate(text.splitlines(), 1):
        code, _, remark = raw.partition(";")
        if remark and not found.text and "SPDX" not in remark:
            found.text = remark.strip()
        try:
            _parse_line(found, code.split())
        except ValueError as error:
            raise MapError(f"{name}:{number}: {error}") from None
    if not found.ranges:
        raise MapError(f"{name}: no map_add in it")
    return found


def _parse_line(found: MemoryMap, words: list[str]) -> None:
    if words[:1] == ["map_area"] and len(words) == 3:
        found.areas.append((words[1], parse_size(words[2])))
    elif words[:1] == ["map_add"] and len(words) in (3, 4):
        kind = words[3] if len(words) == 4 else "kind=usable"
        if kind not in ("kind=usable", "kind=reserved"):
            raise ValueError(f"{kind!r} is no kind of range")
        base, size = parse_size(words[1]), parse_size(words[2])
        if size == 0 or base + size > ADDRESS_LIMIT:
            raise ValueError("the range is empty or goes beyond 2^52")
        found.ranges.append((base, size, kind.removeprefix("kind=")))
    elif words:
        raise ValueError(f"neither map_area nor map_add: {' '.join(words)}")


def find_map(name: str) -> MemoryMap:
    """A map of the zoo by its name, or of a file."""
    path = ZOO / f"{name}.map"
    if "/" in name or not path.is_file():
        path = Path(name)
    try:
        return parse_map(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError:
        raise MapError(f"{path}: no text") from None
    except OSError:
        raise MapError(f"no map {name!r}: it is a file, or one of {', '.join(zoo())}") from None


def zoo() -> list[str]:
    """The names of the maps that come with this package."""
    return sorted(path.stem for path in ZOO.glob("*.map"))


def start_on_map(guest: Guest, name: str) -> MemoryMap:
    """Put the map of that name in force, and tell who refuses it."""
    found = find_map(name)
    try:
        found.inject(guest)
    except GuestError as error:
        raise MapError(f"{guest.name} does not take the map {name}: {error}") from None
    return found
