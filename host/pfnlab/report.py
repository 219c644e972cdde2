# SPDX-License-Identifier: MIT
"""What a person needs to see of a guest when something went wrong with it."""
from __future__ import annotations

from itertools import groupby

from pfnlab import errors
from pfnlab.guest import Guest
from pfnlab.values import Rows

LAST_LINES = 40
LAST_LOG_LINES = 15
MAP_LINES = 60


def transcript_tail(guest: Guest, lines: int = LAST_LINES) -> str:
    """The last lines of both directions, with times in seconds since the start."""
    return "\n".join(str(entry) for entry in list(guest.link.log)[-lines:])


def guest_log(guest: Guest, lines: int = LAST_LOG_LINES) -> str:
    """The last free text of the guest, and what its process said on standard error."""
    said = [e.text for e in guest.link.log if e.way == "<-" and e.text.startswith(";")][-lines:]
    said += [line for line in guest.transport.stderr().splitlines() if line.strip()][-lines:]
    return "\n".join(said)


def memory_map(guest: Guest) -> str:
    """`dump map`, as far as the guest still answers."""
    if guest.dead:
        return ""
    try:
        rows = guest.call("dump", "map", timeout=5.0)
    except (errors.PfnlabError, AttributeError) as error:
        return f"no map: {error}"
    lines = map_lines(rows)
    cut = [f"... {len(lines) - MAP_LINES} lines more"] if len(lines) > MAP_LINES else []
    return "\n".join([*lines[:MAP_LINES], *cut, f"({rows.final.text})"])


def map_lines(rows: Rows) -> list[str]:
    """The rows of a map, without those that look as the one before them."""
    lines = []
    for _, group in groupby(rows, lambda row: row.words[1:]):
        first, *others = group
        lines.append(repr(first))
        if others:
            lines.append(f"... {len(others)} more of the same")
    return lines


def statistics(guest: Guest) -> str:
    """The guest's name, how it was started, and how its line was."""
    return (f"guest {guest.name}: {' '.join(guest.transport.argv)}\n"
            f"exit status {guest.transport.status()}, "
            f"recoveries of the line {guest.link.recoveries}")


def sections(guest: Guest, silent: bool = False) -> list[tuple[str, str]]:
    """All of it, as (title, text); the transcript before this report's own requests.

    A guest that is silent may be busy: it is stopped, that it tells its map.
    """
    tail = transcript_tail(guest)
    if silent and not guest.dead:
        guest.interrupt()
    return [(title, text) for title, text in (
        ("guest", statistics(guest)), ("guest transcript", tail), ("guest log", guest_log(guest)),
        ("guest map", memory_map(guest))) if text]
