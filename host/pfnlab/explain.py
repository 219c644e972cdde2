# SPDX-License-Identifier: MIT
"""What a guest knows of a refusal, and of what is left, with the requests of the session behind it.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from pfnlab import errors
from pfnlab.guest import Guest
from pfnlab.model import Refusal
from pfnlab.model_line import Results, Unknown, read_number
from pfnlab.replica import Exchange
from pfnlab.values import Address, Row

LEFT_ROWS = 12                    # blocks that are told of
UNDO = {"free": "free", "unreserve": "unreserve"}      # an event, and the command that makes it


def explained(guest: Guest, error: errors.GuestError, session: Sequence[Exchange]
              ) -> tuple[str, str]:
    """A title and a text: why no memory fits, or what befell the page that the error names."""
    try:
        if error.code == "mem.none":
            return "why the guest refused", _told(guest.call("why"), session)
        if isinstance(error.at, Address):
            rows = guest.call("history", error.at)
            return f"what befell {error.at}", _told(rows, session, list(_undone(guest, session)))
    except (errors.PfnlabError, AttributeError):
        pass                      # not the last refusal, no such address, another table
    return "", ""


def left(guest: Guest, session: Sequence[Exchange]) -> str:
    """What the session has allocated and not freed, and where."""
    try:
        rows = list(guest.call("leaks"))
    except (errors.PfnlabError, AttributeError):
        return ""
    more = [f"... {len(rows) - LEFT_ROWS} more"] if len(rows) > LEFT_ROWS else []
    return "\n".join([_told(rows[:LEFT_ROWS], session), *more])


def _told(rows: Sequence[Row], session: Sequence[Exchange],
          undone: Sequence[tuple[str, int, Exchange]] = ()) -> str:
    """Rows with their requests. Whose a page was, is no matter to the one who freed it: such an
    event belongs to the latest of those in `undone` that is no later one's."""
    sent = {one.tag: one for one in session}
    rest, lines = list(undone), []
    for row in reversed(rows):
        of: Exchange | None = sent.get(int(row.fields.get("owner", 0)))
        if row.values[1:2] and row.values[1] in UNDO:
            what = (row.values[1], row.fields["addr"])
            found = [place for place, deed in enumerate(rest) if deed[:2] == what]
            of = rest[found[-1]][2] if found else None
            del rest[found[-1] if found else len(rest):]
        lines.append(f"{row}   >{of.tag} {of.text}" if of is not None else str(row))
    return "\n".join(reversed(lines))


def _undone(guest: Guest, session: Sequence[Exchange]) -> Iterator[tuple[str, int, Exchange]]:
    """The requests that gave pages back: which event each made, and at which address."""
    results = Results(guest.link.limit("slots", 1))
    for one in session:
        assert one.final is not None
        name, *words = one.text.split()
        event = UNDO.get(guest.table.aliases.get(name, name))
        if event is not None and words and one.final.sigil == "=":
            try:
                yield event, (results.find(words[0]) if words[0].startswith("$")
                              else read_number(words[0])), one
            except (Refusal, Unknown):
                pass              # a result of long ago
        results.note(one.tag, one.final, None)
