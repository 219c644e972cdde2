# SPDX-License-Identifier: MIT
"""Single pages that CPUs keep for themselves (kernel/mm/pages_cache.c): to the engine they are
allocated, to whoever asks they are free."""
from __future__ import annotations

from collections.abc import Iterator

from pfnlab.decode import Image, Unreadable, Value
from pfnlab.decode_check import Violation
from pfnlab.decode_pages import ALLOCATED, Pages
from pfnlab.decode_records import Lookup

UNIT = "kernel/mm/pages_cache.c"
TEXT = "a cache keeps or has handed out what is not an allocated page of nobody's"


class Caches:
    """Those of all CPUs; without any, nothing."""

    def __init__(self, image: Image, at: Value) -> None:
        self.kept: frozenset[int] = frozenset()
        self._marks: list[tuple[int, bool]] = []      # frame; is it handed out?
        if not at:
            return
        caches = at.cast(image.type("page_caches", UNIT))
        self.kept = frozenset(self._frames(caches))
        bits, shift, out = (image.constant(name, UNIT)
                            for name in ("MARK_BITS", "MARK_SHIFT", "MARK_OUT"))
        for place, mark in enumerate(caches["marks"].words()):
            if mark:
                frame = mark >> shift << bits | place
                self._marks.append((frame, mark & (1 << shift) - 1 == out))

    @staticmethod
    def _frames(caches: Value) -> Iterator[int]:
        for cache in caches["of_cpu"].elements(int(caches["cpus"])):
            if int(cache["n"]) > cache["frames"].type.count:
                raise Unreadable("a cache keeps more pages than there is room for")
            yield from (int(frame) for frame in cache["frames"].elements(int(cache["n"])))

    def check(self, pages: Pages, owners: Lookup) -> Iterator[Violation]:
        """Invariant 101, of which the guest sees only what is left when all is given back."""
        for frame, is_out in self._marks:
            run = pages.at(frame)
            alone = run.state == ALLOCATED and (run.first, run.pages) == (frame, 1) \
                and frame not in owners.records
            if not (alone if is_out else frame in self.kept):
                yield Violation(101, frame, TEXT)
        for frame in sorted(self.kept - {frame for frame, is_out in self._marks if not is_out}):
            yield Violation(101, frame, TEXT)
