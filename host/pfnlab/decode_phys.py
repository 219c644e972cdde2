# SPDX-License-Identifier: MIT
"""Early memory (kernel/mm/phys.h), its invariants (phys.c, by their numbers and 200), and those of
what it handed over to the page allocator (kernel/lab_check.c)."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pfnlab.decode import Unreadable, Value
from pfnlab.decode_check import Violation
from pfnlab.decode_pages import FRAMES, UNMANAGED, Pages
from pfnlab.values import ADDRESS_LIMIT, PAGE_SHIFT, PAGE_SIZE

TEXT = {
    201: "there are more extents than records", 202: "an extent is empty, or beyond all addresses",
    203: "an extent overlaps the one before it", 204: "extents that touch are alike",
    205: "early memory is not used, or reserved memory is", 206: "a byte of page 0 is not reserved",
    207: "what was handed over is not whole pages, or was not yet to be",
    208: "the minimum alignment is no power of two, or too large",
    300: "a page is managed that phys did not hand over, or is not that it did",
    301: "a page that early code used is fresh",
}
_MANY = 1 << 16                   # extents: more are no count, but memory that is broken


@dataclass
class Extent:
    """Bytes start..end-1 that are alike."""

    start: int
    end: int
    state: str                    # free, early, reserved, handed
    used: bool

    def row(self) -> str:
        """As `dump phys`."""
        return f"{self.start:#018x} {self.end - self.start} {self.state} used={self.used:d}"


def extents(phys: Value) -> Iterator[Extent]:
    """All of them, in order."""
    count = int(phys["count"])
    if count > _MANY:
        raise Unreadable("the extents of early memory are too many to be true")
    for i in range(count):
        at = phys["extents"][i]
        yield Extent(int(at["start"]), int(at["end"]),
                     at["state"].enumerator().removeprefix("PHYS_").lower(), bool(at["used"]))


def check_phys(phys: Value, max_order: int) -> Iterator[Violation]:
    """Invariants 201 to 208."""
    if int(phys["count"]) > int(phys["capacity"]):
        yield _broken(201, 0)
    before = None
    for one in extents(phys):
        number = _broken_in(one, before, bool(phys["handed_over"]))
        if number:
            yield _broken(number, one.start)
        before = one
    alignment = int(phys["minimum_alignment"])
    if alignment.bit_count() != 1 or alignment > PAGE_SIZE << max_order:
        yield _broken(208, 0)


def _broken(number: int, at: int) -> Violation:
    return Violation(number, at >> PAGE_SHIFT, TEXT[number])


def _broken_in(one: Extent, before: Extent | None, handed_over: bool) -> int:
    """The first invariant that an extent breaks; 0: none."""
    whole = one.start % PAGE_SIZE == 0 and one.end % PAGE_SIZE == 0
    wrong = {
        202: one.start >= one.end or one.end > ADDRESS_LIMIT,
        203: before is not None and before.end > one.start,
        204: before is not None and before.end == one.start and one.state != "early" and (
            before.state, before.used) == (one.state, one.used),
        205: one.state == "early" and not one.used or one.state == "reserved" and one.used,
        206: one.start < PAGE_SIZE and one.state != "reserved",
        207: one.state == "handed" and not (handed_over and whole),
    }
    return next((number for number, is_wrong in wrong.items() if is_wrong), 0)


def handed(phys: Value) -> Iterator[tuple[int, int, bool]]:
    """What the page allocator has got: first frame, the one behind, was it used early."""
    return ((one.start >> PAGE_SHIFT, one.end >> PAGE_SHIFT, one.used) for one in extents(phys)
            if one.state == "handed")


def check_handed(phys: Value, pages: Pages) -> Iterator[Violation]:
    """Invariants 300 and 301."""
    covered = pages.engine.areas[-1].limit if pages.engine.areas else 0
    done = 0
    for first, end, used in handed(phys):
        if first < covered:
            yield from _check_frames(pages, done, first, False, False)
            done = min(end, covered)
            yield from _check_frames(pages, first, done, True, used)
    yield from _check_frames(pages, done, FRAMES, False, False)


def _check_frames(pages: Pages, at: int, limit: int, managed: bool, used: bool
                  ) -> Iterator[Violation]:
    while at < limit:
        run = pages.at(at)
        if (run.state != UNMANAGED) != managed:
            yield Violation(300, at, TEXT[300])
        elif used and run.fresh:
            yield Violation(301, at, TEXT[301])
        at = run.limit
