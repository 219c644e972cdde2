# SPDX-License-Identifier: MIT
"""Each invariant, broken: what is computed from outside is what the guest's own check finds."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pfnlab import Guest, doors, errors
from pfnlab.decode_invariants import violations
from pfnlab.decode_lab import Lab

# So that there is something of everything: blocks, a hot word, reserved pages, ranges of all kinds,
# slabs of several classes, blocks of malloc, a red zone.
ARRANGED = ["alloc_pages 3", "alloc_pages_exact 5", "free $ 2", "alloc_page", "alloc_page",
            "vmalloc 10000 guard=both redzone=1", "vmalloc 30000", "alloc_pages 2", "vmap $ 16K",
            "malloc 100", "malloc 5000", "malloc 20 redzone=1", "malloc 300"]
# 64 pages: the largest free block of the leaf is in the word that serves.
FEW = ["map_begin", "map_add 0x1000000 256K", "map_commit", *["alloc_page"] * 3]
# What a guest has nothing for.
LIST = {"list_areas", "piece", "fresh_piece", "next_piece", "buddies", "list", "unlisted",
        "list_count"}
TREE = {"areas", "orders", "leaf_class", "lead", "chunk_class", "row", "open_unit", "active_chunk",
        "kept_leaf", "nodes", "unmanaged", "fresh_block", "headless", "count", "hot_word",
        "hot_slots", "hot_choice"}
GUESTS = {"native": LIST | {"cache"}, "native?percpu=on": LIST,
          "native?engine=list": TREE | {"cache"}, "x86_64": LIST | {"cache"},
          "i386": LIST | {"cache"}, "s390x": LIST | {"cache"},
          "s390x?engine=list": TREE | {"cache"}}


def prepare(guest: Guest, word: str) -> None:
    guest.map_machine()
    with guest.pipeline() as line:
        for text in FEW if word == "hot_slots" else ARRANGED:
            line.line(text)


def eye(guest: Guest, path: Path) -> Callable[[], Lab]:
    """What looks at it: at its process, or at plain memory, as that is written fastest."""
    def look() -> Lab:
        if guest.spec.native:
            return Lab(doors.open_process(getattr(guest.transport, "process").pid).image)
        guest.monitor.command("pmemsave", val=0, size=16 << 20, filename=str(path))
        return Lab(doors.open_dump(path, guest.arch).image)
    return look


@pytest.mark.parametrize("name", GUESTS)
def test_each_corruption_is_seen_from_outside_as_from_inside(name: str, tmp_path: Path) -> None:
    with Guest(f"{name}{'&' if '?' in name else '?'}memory=16M&kpool=512K") as guest:
        look = eye(guest, tmp_path / "memory")
        prepare(guest, "")
        assert list(violations(look())) == []
        refused = set()
        for word in guest.table.types["corruption"].words:
            prepare(guest, word)
            try:
                guest.corrupt(word)
            except (errors.CallState, errors.CallUnsupported):
                refused.add(word)
                continue
            found = next(violations(look()), None)
            with pytest.raises(errors.BugCheck) as told:
                guest.check()
            wanted = told.value.fields["invariant"], told.value.fields["at"]
            assert found is not None and (found.invariant, found.at << 12) == wanted, word
        assert refused == GUESTS[name]
