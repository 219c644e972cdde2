# SPDX-License-Identifier: MIT
"""A trace of Linux' page allocator as a transcript.

Read are the events kmem:mm_page_alloc and kmem:mm_page_free in the text of tracefs, of trace-cmd
report or of the function graph, as Documentation/trace/events-kmem.rst and
include/trace/events/kmem.h of Linux have them: `pfn=` is decimal in older ones (before about 5.14)
and hexadecimal since; a request that failed has pfn 0 and no page. mm_page_free_batched repeats an
mm_page_free and is dropped; before Linux 3.3 frees were called mm_page_free_direct and
mm_pagevec_free, two different paths. The other kmem events tell of the same pages once more.

What a trace cannot know is made good: frees of pages whose allocation is not in it are dropped, a
page that is allocated twice was freed in between, blocks that are freed in parts (split_page) go
when their last page does, and what is left at the end is freed there. Each is counted.
"""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pfnlab.values import MAX_ORDER, PAGE_SIZE

_EVENT = re.compile(
    r"(mm_page_alloc|mm_page_free|mm_page_free_direct|mm_pagevec_free):\s+"
    r"page=(\S+)\s+pfn=(0x[0-9a-f]+|\d+)\s+(?:order=(\d+))?(?:.*?gfp_flags=(\S+))?")
_TIME = re.compile(r"\s(\d+\.\d+):?\s")
_LOST = re.compile(r"CPU:?\s*(\d+)\s+\[(?:LOST )?(\d+)? ?EVENTS(?: DROPPED)?\]")
_COMMENT = re.compile(r"^\s*(#|cpus=|version = |$)")


class TraceError(ValueError):
    """The text is no such trace."""


@dataclass
class Event:
    """An allocation or a free of 2^order pages from `pfn` on."""

    time: float
    line: int
    allocates: bool
    pfn: int
    order: int
    flags: frozenset[str] = frozenset()


@dataclass
class Block:
    """A block: the tag of its request, its pages, those that are not freed yet."""

    tag: int
    pages: range
    left: set[int]


@dataclass
class Imported:
    """The transcript, and what was seen: `counts` by name."""

    lines: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    peak: int = 0                 # pages that were allocated at once


def events(lines: Iterable[str], counts: Counter[str]) -> Iterator[Event]:
    """The events of a trace; what is none of them is counted."""
    for number, line in enumerate(lines, 1):
        found = _EVENT.search(line)
        if found is None:
            lost = _LOST.search(line)
            if lost:
                counts["events lost by the tracer"] += int(lost[2] or 1)
            elif not _COMMENT.match(line) and "mm_page_free_batched" not in line:
                counts["other lines"] += 1
            continue
        kind, page, pfn, order, flags = found.groups()
        time = _TIME.search(line)
        if kind == "mm_page_alloc" and int(pfn, 0) == 0 and not page.strip("(nuil)0x"):
            counts["failed allocations"] += 1
            continue
        yield Event(float(time[1]) if time else 0.0, number, kind == "mm_page_alloc", int(pfn, 0),
                    int(order or 0), frozenset((flags or "").split("|")))


class Importer:
    """Turns events into requests."""

    def __init__(self) -> None:
        self.done = Imported()
        self._tag = 0
        self._pages: dict[int, Block] = {}

    def _request(self, text: str, reply: str = "") -> int:
        self._tag += 1
        self.done.lines += [f">{self._tag} {text}", f"={self._tag}{reply}"]
        return self._tag

    def take(self, event: Event) -> None:
        """The next event."""
        pages = range(event.pfn, event.pfn + (1 << event.order))
        if event.order > MAX_ORDER:
            self.done.counts["larger than the guest's largest block"] += 1
        elif event.allocates:
            self._allocate(event, pages)
        else:
            self._free(pages)

    def _allocate(self, event: Event, pages: range) -> None:
        for pfn in pages:
            if pfn in self._pages:
                self.done.counts["frees that are missing"] += 1
                self._release(self._pages[pfn])
        area = " area=dma24" if {"GFP_DMA", "__GFP_DMA"} & event.flags else \
            " area=dma32" if {"GFP_DMA32", "__GFP_DMA32"} & event.flags else ""
        zero = "" if "__GFP_ZERO" in event.flags else " dontzero=1"
        block = Block(self._request(f"alloc_pages {event.order}{area}{zero}"), pages,
                      set(pages))
        self._pages.update(dict.fromkeys(pages, block))
        self.done.peak = max(self.done.peak, len(self._pages))
        self.done.counts["allocations"] += 1

    def _free(self, pages: range) -> None:
        blocks = {id(self._pages[pfn]): self._pages[pfn] for pfn in pages if pfn in self._pages}
        if not blocks:
            self.done.counts["frees of pages allocated before the trace"] += 1
            return
        for block in blocks.values():
            block.left.difference_update(pages)
            if block.left:
                self.done.counts["frees of a part of a block"] += 1
            else:
                self.done.counts["frees"] += 1
                self._release(block)

    def _release(self, block: Block) -> None:
        self._request(f"free ${block.tag}")
        for pfn in block.pages:
            del self._pages[pfn]

    def end(self) -> None:
        """Free what is left, and verify that nothing is."""
        blocks = {id(block): block for block in self._pages.values()}
        if blocks:
            self.done.counts["blocks left at the end"] = len(blocks)
        for block in blocks.values():
            self._request(f"free ${block.tag}")
        self._pages.clear()
        self._request("leaks", " pages=0 n=0")
        self._request("check")


def import_trace(text: str) -> Imported:
    """The transcript of a trace. TraceError: there is no event of the page allocator in it."""
    importer = Importer()
    counts = importer.done.counts
    found = sorted(events(text.splitlines(), counts), key=lambda e: (e.time, e.line))
    if not found:
        raise TraceError("no mm_page_alloc or mm_page_free of Linux in it")
    for event in found:
        importer.take(event)
    importer.end()
    return importer.done


def memory_option(imported: Imported) -> str:
    """The memory of a guest that holds the peak with room for fragments, as a power of two."""
    wanted = max(64 << 20, 4 * imported.peak * PAGE_SIZE)
    return f"memory={(1 << (wanted - 1).bit_length()) >> 20}M"


def transcript_text(imported: Imported, source: str) -> str:
    """The file."""
    counts = [f"; {name}: {n}" for name, n in sorted(imported.counts.items())]
    return "\n".join([f"; from {source} by pfnlab import", *counts,
                      f"; pages allocated at once: {imported.peak}",
                      f"; with {memory_option(imported)}", *imported.lines, ""])
