# SPDX-License-Identifier: MIT
"""What the scenarios share."""
from __future__ import annotations

import time
from itertools import count

from pfnlab import Guest, Row, wire

PAGE = 4096
STAGES = ("early", "page", "virtual")

# The areas of a PC, for scenarios that need several of them on any machine:
# pytest.mark.options(PC_AREAS).
PC_AREAS = "areas=realmode:1M,lowest:16M,low:4G,high:64G,normal"


def machine_has(guest: Guest, attribute: str) -> bool:
    """The machine's own word on it: what it lacks is refused everywhere, and tests follow."""
    return attribute in str(guest.info().fields["attributes"]).split("|")


def page(guest: Guest, address: int) -> Row:
    """What `dump pages` says of one page."""
    rows = guest.dump("pages", address, 1)
    assert len(rows) == 1
    return rows[0]


def free_pages(guest: Guest, area: str) -> int:
    """The free pages of an area."""
    return int(guest.areas().find(area).free)


def state(guest: Guest) -> list[object]:
    """All that must be as before when an operation was refused."""
    fields = dict(guest.info().fields)
    del fields["flushes"]              # of all it may be known that it was tried
    late = ("pages", "areas", "virt", "pagetables") if fields["stage"] != "early" else ()
    return [fields, *(list(map(repr, guest.dump(what))) for what in ("phys", "heap", *late)),
            list(map(repr, guest.heap()))]


def total(guest: Guest) -> dict[str, object]:
    """All that malloc has."""
    return {key: guest.heap().fields[key] for key in ("objects", "pages", "bytes")}


def counts(guest: Guest) -> dict[str, object]:
    """The totals among it."""
    fields = guest.info().fields
    free = sum(int(row["free"]) for row in guest.dump("areas"))
    return {"free": free, **{name: fields[name] for name in ("pool_used", "tables_used")}}


class Wire:
    """The naked line of a guest, in no strict session until a test begins one."""

    def __init__(self, guest: Guest) -> None:
        self.link = guest.link
        self.strict = False
        self._marks = count(7_000_000)
        self.link.raw(b"\x03\n>0 sync 1\n")
        self._until("=0 1 ")

    def _until(self, start: str) -> list[str]:
        lines: list[str] = []
        while (data := self.link.take(self._deadline())) is not None:
            line = data.decode("ascii", "replace")
            if line.startswith(start):
                return lines
            lines.append(line)
        raise AssertionError(f"no answer; so far: {lines}")

    def _deadline(self) -> float:
        return time.monotonic() + 20

    def talk(self, data: bytes) -> list[str]:
        """Send bytes, then something whose answer shows that all before it has been answered; the
        lines of the protocol that came in between, with their checksums taken off."""
        mark = str(next(self._marks))
        if self.strict:
            self.link.raw(data + wire.request(0, f"sync {mark}"))
            lines = self._until(f"=0 {mark} ")
        else:
            self.link.raw(data + f"> echo {mark}\n".encode())
            lines = self._until(f"= {mark}")
        return [line.rpartition(" *")[0] if line[-6:-4] == " *" else line
                for line in lines if line[:1] in "=?:%"]

    def begin_strict(self) -> int:
        """Begin a strict session; the tag of the last request that ran."""
        self.link.raw(wire.request(0, "sync 2"))
        while (data := self.link.take(self._deadline())) is not None:
            line = wire.parse(data)
            if line is not None and line.sigil == "=" and line.tag == 0 and line.sealed:
                self.strict = True
                return int(line.row().fields["last"])
        raise AssertionError("no answer to sync")
