# SPDX-License-Identifier: MIT
"""What the model says of a dump: each page, range and object, in rows as the guest has them."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pfnlab.model import ALLOCATED, STATES, UNMANAGED
from pfnlab.oracle import Oracle
from pfnlab.twin import heap_row, model_rows, page_row, range_row, range_rows
from pfnlab.values import PAGE_SIZE, Row

Told = tuple[Any, ...]            # a row; of pages: state, address, pages, fresh, owner


@dataclass(frozen=True)
class Dump:
    """One that the model knows."""

    guest: Callable[[Row], Told]
    model: Callable[[Oracle], list[Told] | None]      # None: there is no such thing yet
    words: Callable[[Told], list[str]]


def _page_words(row: Told) -> list[str]:
    state, at, pages, fresh, owner = row
    key = f"owner={owner}" if state == STATES[ALLOCATED] else f"fresh={int(fresh)}"
    return [f"{at:#018x}", str(pages), state, key]


def _range_words(row: Told) -> list[str]:
    at, pages, kind, *numbers, owner = row
    keys = zip(("front", "back", "size", "redzone"), numbers)
    return [f"{at:#018x}", str(pages), kind, *(f"{key}={n}" for key, n in keys if n),
            f"owner={owner}"]


def _object_words(row: Told) -> list[str]:
    at, size, stage, redzone, owner = row
    return [f"{at:#018x}", str(size), f"stage={stage}", f"owner={owner}",
            *(f"redzone={redzone}" for _ in [0] if redzone)]


DUMPS = {
    "heap": Dump(heap_row, lambda oracle: [*oracle.heap.objects()], _object_words),
    "virt": Dump(range_row, lambda oracle: range_rows(oracle.virtual) if oracle.virtual else None,
                 _range_words),
    "pages": Dump(page_row, lambda oracle: model_rows(oracle.pages) if oracle.pages else None,
                  _page_words),
}


def dump_told(oracle: Oracle, what: str, rows: Sequence[Row], knows_fresh: bool) -> str | None:
    """`rows` is all that the guest has of it. None if the model has the same, else what it has, as
    the lines of a reply; what is not managed it leaves as it is. `knows_fresh`: does it know which
    pages are?"""
    dump = DUMPS.get(what)
    ours = dump.model(oracle) if dump is not None else None
    if dump is None or ours is None:
        return None
    nobodys = [row for row in rows if what == "pages" and row[2] == STATES[UNMANAGED]]
    theirs = [dump.guest(row) for row in rows if row not in nobodys]
    if what == "pages" and not knows_fresh:
        theirs, ours = without_fresh(theirs), without_fresh(ours)
    if theirs == ours:
        return None
    lines = sorted([*map(dump.words, ours), *(row.words for row in nobodys)])
    return "\n".join([*(" ".join([":", *words]) for words in lines), f"= n={len(lines)}"])


def without_fresh(rows: Iterable[Told]) -> list[Told]:
    """Rows of pages, where nobody knows which of them are fresh."""
    out: list[Told] = []
    for state, address, pages, _, owner in rows:
        last = out[-1] if out else None
        goes_on = last is not None and last[1] + last[2] * PAGE_SIZE == address
        if last is not None and goes_on and state == last[0] != STATES[ALLOCATED]:
            out[-1] = (*last[:2], last[2] + pages, *last[3:])
        else:
            out.append((state, address, pages, 0, owner))
    return out
