# SPDX-License-Identifier: MIT
"""All invariants of a guest, computed from outside, in the order in which its own `check` looks
(kernel/lab_check.c, protocol/session.c)."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pfnlab.decode import Image
from pfnlab.decode_check import Violation, check_tree
from pfnlab.decode_heap_check import check_heap
from pfnlab.decode_list import ListEngine
from pfnlab.decode_mapping import Attributes, TableMemory
from pfnlab.decode_pages import ALLOCATED
from pfnlab.decode_phys import check_handed, check_phys, handed
from pfnlab.decode_virtual import check_window

if TYPE_CHECKING:
    from pfnlab.decode_lab import Lab

_SESSION = "protocol/session.c"


def violations(lab: Lab) -> Iterator[Violation]:
    """Every one that is broken."""
    phys = lab.at["phys"]
    if lab.stage != "early":
        engine = lab.engine(settled=False)
        yield from engine.check() if isinstance(engine, ListEngine) else check_tree(engine)
        yield from _check_owners(lab)
        yield from lab.caches.check(lab.pages, lab.owners)
    yield from check_phys(phys, lab.max_order)
    if (lab.stage != "early") != bool(phys["handed_over"]):
        yield Violation(300, 0, "the stage is not that of early memory")
    elif lab.stage != "early":
        yield from check_handed(phys, lab.pages)
    if lab.stage != "early":
        yield from check_window(lab.window, lab.tables, lab.pages, lab.owners)
        yield from TableMemory(lab.image).check(lab.tables)
        attributes = Attributes(lab.image, lab.at, lab.pages, lab.owners)
        yield from attributes.check(lab.tables, iter(()) if lab.at["injected"] else handed(phys))
    yield from check_heap(lab.heap)
    yield from _check_session(lab.image)


def _check_owners(lab: Lab) -> Iterator[Violation]:
    blocks = {run.first for run in lab.pages.runs if run.state == ALLOCATED}
    lost = [key for key in lab.owners.records if key not in blocks]
    for frame in lab.owners.unfound + lost:
        yield Violation(100, frame, "an owner record belongs to no allocated block")


def _check_session(image: Image) -> Iterator[Violation]:
    """What is kept of the last requests: each in the slot of its tag."""
    slots = image.variable("session", _SESSION)["slots"].elements()
    if any(int(slot["tag"]) and int(slot["tag"]) % len(slots) != i for i, slot in enumerate(slots)):
        yield Violation(800, 0, "a slot holds a tag of another place")
