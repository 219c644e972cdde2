# SPDX-License-Identifier: MIT
"""The page allocator again, by brute force: what the guest must answer, exactly.

`Pages` follows kernel/mm/engine.h and the placement paragraph of kernel/mm/page.h word by word, one
byte for each page: there are no free lists, no tree, nothing to be kept in order but `_orders`,
which is counted anew wherever a page has changed. Meant for maps of up to a few hundred thousand
pages. An expected refusal is a `Refusal`; nothing has changed then.

Each layer has a file of its own, under 400 lines, that knows models and no guest:

    model.py          pages: runs of states, one byte each; blocks as first frame -> length
    model_early.py    early memory: sets of ranges, subtracted from each other when asked
    model_virtual.py  ranges of addresses in a list; what is behind them, page by page
    model_memory.py   bytes by physical address, those that somebody has written
    model_access.py   which of them an address reaches, and whether it may
    model_heap.py     objects by address; slots by going through all that could be free
    model_sources.py  what these take pages from, by stage
    model_cpus.py     what the start of a processor takes of these
    model_line.py     the line: numbers, words, `$7`, and their mistakes
    model_list.py     pages as the engine `list` has them: where it puts a block depends on the
                      order of its lists, so these are here, too, the only such thing
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pfnlab.values import ADDRESS_LIMIT, MAX_ORDER, PAGE_SHIFT

PFN_LIMIT = ADDRESS_LIMIT >> PAGE_SHIFT
LEAF_PAGES, LEAF_ORDER = 512, 9            # 2 MiB
CHUNK_LEAVES = 512                         # 1 GiB
FREE, ALLOCATED, RESERVED, UNMANAGED = 0, 1, 2, 3
STATES = ("free", "allocated", "reserved", "unmanaged")
_IN_THE_WAY = {FREE: "mem.free", ALLOCATED: "mem.busy", RESERVED: "mem.reserved",
               UNMANAGED: "mem.unmanaged"}


class Refusal(Exception):
    """The error that the guest must report; `at` is the address that it names, if it names one."""

    def __init__(self, code: str, at: int | None = None) -> None:
        super().__init__(code if at is None else f"{code} at={at:#018x}")
        self.code = code
        self.at = at


def order_for(n: int) -> int:
    """The smallest order whose 2^order is at least n."""
    return max(0, (n - 1).bit_length())


def align_up(x: int, align: int) -> int:
    """The lowest multiple of `align` that is not below x."""
    return -(-x // align) * align


def largest_order(busy: bytes) -> int:
    """The order of the largest naturally aligned run of zero bytes; -1 if there is none."""
    for order in range(order_for(len(busy)), -1, -1):
        size = 1 << order
        free = bytes(size)
        if free in busy and any(busy[i:i + size] == free for i in range(0, len(busy), size)):
            return order
    return -1


@dataclass
class Run:
    """Consecutive pages of one area: a state and a freshness (1 or 0) for each."""

    area: int
    first: int
    state: bytearray
    fresh: bytearray

    @property
    def end(self) -> int:
        """The first frame behind it."""
        return self.first + len(self.state)

    def last_unfit(self, first: int, end: int, fresh: bool) -> int | None:
        """The last frame of [first, end) that is not free, or not fresh where that is wanted."""
        part = slice(first - self.first, end - self.first)
        unfit = max(self.state[part].rfind(ALLOCATED), self.state[part].rfind(RESERVED),
                    self.fresh[part].rfind(0) if fresh else -1)
        return None if unfit < 0 else first + unfit


@dataclass(frozen=True)
class Request:
    """What is wanted: see struct page_request. `areas` are indices."""

    areas: frozenset[int]
    pages: int
    align: int = 0                         # as an order
    min: int = 0                           # frames
    max: int = PFN_LIMIT
    fresh: bool = False
    at: int | None = None


class Pages:
    """The page allocator: `ranges` of (first frame, pages, fresh), areas of (name, limit frame)."""

    def __init__(self, ranges: Iterable[tuple[int, int, bool]],
                 areas: list[tuple[str, int]]) -> None:
        self.areas = areas
        self.scan = list(reversed(range(len(areas))))
        self.runs: list[Run] = []
        self.blocks: dict[int, int] = {}   # first frame -> pages
        self.owners: dict[int, int] = {}
        self.attributes: dict[int, frozenset[str]] = {}  # of frames that have some of their own
        self._orders: dict[tuple[int, int], int] = {}   # (area, leaf) -> largest free order
        for first, pages, fresh in sorted(ranges):
            self._add(first, pages, fresh)
        for run in self.runs:
            self._changed(run.area, run.first, run.end)

    def _add(self, first: int, pages: int, fresh: bool) -> None:
        low = 0
        for area, (_, limit) in enumerate(self.areas):
            start, end = max(first, low), min(first + pages, limit)
            low = limit
            if start >= end:
                continue
            last = self.runs[-1] if self.runs else None
            if last is None or (last.area, last.end) != (area, start):
                last = Run(area, start, bytearray(), bytearray())
                self.runs.append(last)
            last.state += bytes(end - start)
            last.fresh += bytes([fresh]) * (end - start)

    # ---- looking ----

    def pieces(self, first: int, end: int) -> Iterator[tuple[Run, int, int]]:
        """The runs that [first, end) touches, with the frames of each that it covers."""
        for run in self.runs:
            if run.first < end and first < run.end:
                yield run, max(first, run.first), min(end, run.end)

    def state(self, frame: int) -> int:
        """FREE, ALLOCATED, RESERVED or UNMANAGED."""
        return next((run.state[frame - run.first] for run, _, _ in self.pieces(frame, frame + 1)),
                    UNMANAGED)

    def is_fresh(self, frame: int) -> bool:
        """Was the frame never handed out?"""
        return any(run.fresh[frame - run.first] for run, _, _ in self.pieces(frame, frame + 1))

    def block(self, frame: int) -> int:
        """The first frame of the allocated block that holds `frame`."""
        return frame if frame in self.blocks else next(
            b for b, pages in self.blocks.items() if b <= frame < b + pages)

    def _changed(self, area: int, first: int, end: int) -> None:
        """Count the largest free order anew in every leaf that [first, end) touches."""
        for leaf in range(first // LEAF_PAGES, (end - 1) // LEAF_PAGES + 1):
            busy = bytearray(b"\1" * LEAF_PAGES)
            start = leaf * LEAF_PAGES
            for run, low, high in self.pieces(start, start + LEAF_PAGES):
                if run.area == area:
                    part = run.state[low - run.first:high - run.first]
                    busy[low - start:high - start] = part
            self._orders[area, leaf] = largest_order(busy)

    def _paint(self, first: int, end: int, state: int) -> None:
        """The only place where pages change: what is handed out is not fresh any more, what is free
        has no attributes of its own."""
        for run, low, high in self.pieces(first, end):
            run.state[low - run.first:high - run.first] = bytes([state]) * (high - low)
            if state == ALLOCATED:
                run.fresh[low - run.first:high - run.first] = bytes(high - low)
            for frame in range(low, high) if state == FREE and self.attributes else ():
                self.attributes.pop(frame, None)
            self._changed(run.area, low, high)

    # ---- placement ----

    def _lowest(self, area: int, want: Request, first: int, end: int) -> int | None:
        """The lowest slot of `area` in [first, end): from slot to slot, each time to the next free
        page behind the last one that was in the way."""
        for run, low, high in self.pieces(max(first, want.min), min(end, want.max)):
            at = low if run.area == area else high
            while (free := run.state.find(FREE, at - run.first, high - run.first)) >= 0:
                at = align_up(run.first + free, 1 << want.align)
                if at + want.pages > high:
                    break
                in_the_way = run.last_unfit(at, at + want.pages, want.fresh)
                if in_the_way is None:
                    return at
                at = in_the_way + 1
        return None

    def _best_leaf(self, area: int, order: int) -> int | None:
        """Rule 1: the open leaf with the smallest sufficient largest free order."""
        leaves = [(largest, leaf) for (where, leaf), largest in self._orders.items()
                  if where == area and order <= largest < LEAF_ORDER]
        return min(leaves)[1] if leaves else None

    def _best_chunk(self, area: int, order: int) -> tuple[int, int] | None:
        """Rule 2: that chunk, and the lowest of its wholly free leaves."""
        chunks: dict[int, list[int]] = {}
        for (where, leaf), largest in self._orders.items():
            if where == area and largest == LEAF_ORDER:
                chunks.setdefault(leaf // CHUNK_LEAVES, []).append(leaf)
        found = []
        for chunk, leaves in chunks.items():
            busy = bytearray(b"\1" * CHUNK_LEAVES)
            for leaf in leaves:
                busy[leaf % CHUNK_LEAVES] = 0
            largest = LEAF_ORDER + largest_order(busy)
            if largest >= order:
                found.append((largest, chunk, min(leaves)))
        return min(found)[1:] if found else None

    def _place(self, area: int, want: Request) -> int | None:
        """A slot of one area: where the rules say, or the lowest one anywhere."""
        if want.fresh or want.min > 0 or want.max < PFN_LIMIT:
            return self._lowest(area, want, 0, PFN_LIMIT)
        order = max(order_for(want.pages), want.align)
        leaf = self._best_leaf(area, order) if order < LEAF_ORDER else None
        if leaf is None:
            chunk = self._best_chunk(area, max(order, LEAF_ORDER))
            if chunk is None:
                return self._lowest(area, want, 0, PFN_LIMIT)
            if order >= LEAF_ORDER:
                size = CHUNK_LEAVES * LEAF_PAGES
                return self._lowest(area, want, chunk[0] * size, (chunk[0] + 1) * size)
            leaf = chunk[1]
        return self._lowest(area, want, leaf * LEAF_PAGES, (leaf + 1) * LEAF_PAGES)

    def _exactly(self, want: Request, at: int) -> None:
        """Refuse unless the slot at `at` is free; the refusal names the first frame in the way."""
        area = None
        for frame in range(at, at + want.pages):
            state = self.state(frame)
            if state != FREE:
                raise Refusal(_IN_THE_WAY[state], frame << PAGE_SHIFT)
            here = next(run.area for run, _, _ in self.pieces(frame, frame + 1))
            area = here if area is None else area
            if (here not in want.areas or here != area or at % (1 << want.align)
                    or not want.min <= frame < want.max
                    or (want.fresh and not self.is_fresh(frame))):
                raise Refusal("mem.none", frame << PAGE_SHIFT)

    # ---- the operations ----

    def alloc(self, want: Request, owner: int = 0) -> int:
        """Hand out a slot: its first frame."""
        at: int | None = None
        if want.at is not None:
            self._exactly(want, want.at)
            at = want.at
        for area in self.scan:
            if at is None and area in want.areas:
                at = self._place(area, want)
        if at is None:
            raise Refusal("mem.none")
        self._paint(at, at + want.pages, ALLOCATED)
        self.blocks[at] = want.pages
        self.owners[at] = owner
        return at

    def length(self, first: int) -> int:
        """The pages of the block that begins there."""
        state = self.state(first)
        if state != ALLOCATED:
            raise Refusal(_IN_THE_WAY[state], first << PAGE_SHIFT)
        if first not in self.blocks:
            raise Refusal("mem.inside", first << PAGE_SHIFT)
        return self.blocks[first]

    def free(self, first: int, count: int | None = None) -> int:
        """Give back a block, or `count` pages of one; the number of pages given back."""
        if count is None:
            count = self.length(first)
        state = self.state(first)
        if state != ALLOCATED:
            raise Refusal(_IN_THE_WAY[state], first << PAGE_SHIFT)
        block = self.block(first)
        end = block + self.blocks[block]
        if first + count > end:
            raise Refusal("mem.beyond", end << PAGE_SHIFT)
        owner = self.owners.pop(block)
        del self.blocks[block]
        for start, stop in ((block, first), (first + count, end)):
            if start < stop:
                self.blocks[start] = stop - start
                self.owners[start] = owner
        self._paint(first, first + count, FREE)
        return count

    def extend(self, block: int, pages: int) -> None:
        """So many pages for a block, if those that it lacks follow it and are free."""
        end, more = block + self.blocks[block], pages - self.blocks[block]
        if pages > 1 << MAX_ORDER:
            raise Refusal("call.range")
        area = next(run.area for run, _, _ in self.pieces(block, block + 1))
        self._exactly(Request(frozenset({area}), more), end)
        self._paint(end, end + more, ALLOCATED)
        self.blocks[block] = pages

    def _demand(self, first: int, count: int, state: int) -> None:
        """Refuse unless every frame is in `state`."""
        if count < 1 or first + count > PFN_LIMIT:
            raise Refusal("call.range")
        frame = first
        for run, low, high in self.pieces(first, first + count):
            if low > frame:
                break
            part = run.state[low - run.first:high - run.first]
            same = len(part) - len(part.lstrip(bytes([state])))
            frame += same
            if same < len(part):
                raise Refusal(_IN_THE_WAY[part[same]], frame << PAGE_SHIFT)
        if frame < first + count:
            raise Refusal("mem.unmanaged", frame << PAGE_SHIFT)

    def reserve(self, first: int, count: int) -> None:
        """Take free frames out, all or nothing."""
        self._demand(first, count, FREE)
        self._paint(first, first + count, RESERVED)

    def unreserve(self, first: int, count: int) -> None:
        """Give reserved frames back, all or nothing."""
        self._demand(first, count, RESERVED)
        self._paint(first, first + count, FREE)

    def totals(self, area: int) -> dict[str, int]:
        """Pages of an area by state."""
        counts = {name: sum(run.state.count(state) for run in self.runs if run.area == area)
                  for state, name in enumerate(STATES[:UNMANAGED])}
        return {"managed": sum(counts.values()), **counts}


assert MAX_ORDER == 2 * LEAF_ORDER
