# SPDX-License-Identifier: MIT
"""The lab in a guest's memory, and the questions that can be asked of it: the commands `pfn ...` of
gdb and of `pfnlab post-mortem`. Where the serial line has the same question, the rows are the same.
"""
from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pfnlab.decode import Image, Value
from pfnlab.decode_caches import Caches
from pfnlab.decode_heap import Heap
from pfnlab.decode_invariants import violations
from pfnlab.decode_list import UNIT as LIST_UNIT
from pfnlab.decode_list import ListEngine
from pfnlab.decode_map import map_rows
from pfnlab.decode_node import UNIT, Tree
from pfnlab.decode_pages import ALLOCATED, FRAMES, IS_FREE, Pages, Run, address
from pfnlab.decode_phys import extents
from pfnlab.decode_place import Place, places
from pfnlab.decode_records import Lookup, Names
from pfnlab.decode_tables import Tables
from pfnlab.decode_virtual import Window
from pfnlab.errors import PfnlabError
from pfnlab.values import PAGE_SHIFT, parse_size

Rows = Iterator[str]
WHOLE = "all invariants hold"


class NoAnswer(PfnlabError):
    """A question makes no sense, or not now."""


class WrongQuestion(NoAnswer):
    """Whoever asks is mistaken, whatever the guest's state."""


@dataclass
class Processor:
    """Where a processor is."""

    name: str
    place: int                    # program counter
    symbol: str                   # in words, if known


class Lab:
    """The lab as it is; made anew for each question, as the guest may have run."""

    def __init__(self, image: Image, processors: Iterable[Processor] = ()) -> None:
        self.image = image
        self.processors = processors          # looked at only if they are asked for
        self.at = image.variable("lab", "kernel/lab.c")

    # ---- parts ----

    @property
    def stage(self) -> str:
        """How far the boot has gone."""
        return self.at["stage"].enumerator().removeprefix("STAGE_").lower()

    @property
    def max_order(self) -> int:
        """The greatest order of a block."""
        return self.image.constant("MAX_ORDER", "kernel/mm/heap_backends.c")

    def engine(self, settled: bool = True) -> Tree | ListEngine:
        """The page engine, its tree settled or as it lies there. NoAnswer: there is none yet, or it
        is one that nobody has told us how to read."""
        if not self.at["engine"] or not self.at["pages"]["state"] or self.stage == "early":
            raise NoAnswer("there is no page allocator yet")
        name, state = self.at["engine"]["name"].text(), self.at["pages"]["state"]
        if name == "tree":
            return Tree(self.image, state.cast(self.image.type("page_tree", UNIT)), settled)
        if name == "list":
            return ListEngine(self.image, state.cast(self.image.type("list_engine", LIST_UNIT)))
        raise NoAnswer(f"the engines `tree` and `list` can be read, not `{name}`")

    def places(self, frame: int) -> list[Place]:
        """The bytes that say what a page is; none if nothing manages it."""
        engine = self.engine(settled=False)
        return engine.places(frame) if isinstance(engine, ListEngine) else places(engine, frame)

    @functools.cached_property
    def pages(self) -> Pages:
        """All its runs of pages."""
        return Pages(self.engine(), self.caches.kept)

    @functools.cached_property
    def caches(self) -> Caches:
        """Single pages that CPUs keep."""
        return Caches(self.image, self.at["pages"]["caches"])

    @functools.cached_property
    def owners(self) -> Lookup:
        """Who owns which block."""
        return Lookup(self.image, self.at["pages"]["owners"])

    @functools.cached_property
    def names(self) -> Names:
        """Of owners."""
        return Names(self.image.variable("lab_journal", "kernel/lab.c"))

    @functools.cached_property
    def tables(self) -> Tables:
        """The page tables."""
        return Tables(self.image)

    @functools.cached_property
    def window(self) -> Window:
        """Virtual memory. NoAnswer: there is none yet."""
        if self.stage == "early":
            raise NoAnswer("there is no virtual memory yet")
        return Window(self.image, self.at["vmap"])

    @functools.cached_property
    def heap(self) -> Heap:
        """What malloc has."""
        early = self.stage == "early"
        return Heap(self.image, self.at, None if early else self.pages,
                    None if early else self.window, self.owners)

    # ---- rows ----

    def row(self, run: Run, first: int | None = None, limit: int | None = None) -> str:
        """A run, or a part of it, as `dump pages`."""
        start = run.first if first is None else first
        end = run.limit if limit is None else limit
        row = f"{address(start)} {end - start} {run.state}"
        if run.area is None:
            return row
        row += f" area={run.area.name} fresh={run.fresh:d}"
        if run.state != ALLOCATED:
            return row
        pages = end - start
        if (start, end) != (run.first, run.limit):
            row += f" block={address(run.first)}"
        elif pages & pages - 1 == 0:
            row += f" order={pages.bit_length() - 1}"
        return f"{row} {self.names.field(self.owners.records.get(run.first, (0, 0))[0])}"

    # ---- questions ----

    def areas(self) -> Rows:
        """The areas: limits, pages, free blocks by order."""
        return self.pages.area_rows()

    def order(self, text: str) -> int:
        """An order of a block. WrongQuestion: there is none such."""
        order = number(text)
        if order > self.max_order:
            raise WrongQuestion(f"no such order: {order}; the largest is {self.max_order}")
        return order

    def _check_area(self, area: str) -> None:
        names = area_names(self.at)
        if area not in names:
            raise NoAnswer(f"no such area: {area}; there are: {' '.join(names)}")

    def freelist(self, area: str, order: str = "") -> Rows:
        """The free blocks of an area, of one order only if wanted."""
        self._check_area(area)
        return self.pages.free_rows(area, self.order(order) if order else None)

    def dump(self, where: str = "0", pages: str = "") -> Rows:
        """The runs of pages from an address on, so many pages if wanted."""
        first = number(where) >> PAGE_SHIFT
        left = FRAMES - first
        count = number(pages) if pages else left
        if left < 0 or pages and not 0 < count <= left:
            raise WrongQuestion(f"there are no such pages: {where} {pages}".rstrip())
        if not pages:
            yield from (self.row(run, max(run.first, first)) for run in self.pages.every()
                        if run.limit > first)
            return
        at, limit = first, first + count
        while at < limit:
            run = self.pages.at(at)
            end = min(run.limit, limit)
            yield self.row(run, at, end)
            at = end

    def page(self, where: str) -> Rows:
        """A page: its block, state, owner, neighbours, and the words that say so."""
        frame = number(where) >> PAGE_SHIFT
        if frame >= FRAMES:
            raise WrongQuestion(f"there is no such page: {where}")
        run, block = self.pages.at(frame), self.pages.block_at(frame)
        yield self.row(run)
        if block.state == IS_FREE:
            yield f"free block {address(block.first)} order={block.pages.bit_length() - 1}"
        yield from (str(place) for place in self.places(frame))
        for name, other in (("before", run.first - 1), ("behind", run.limit)):
            if 0 <= other < FRAMES:
                yield f"{name}: {self.row(self.pages.at(other))}"

    def map(self, area: str = "") -> Rows:
        """A picture: . fresh, o free, # allocated, R reserved, x mixed, _ nothing there."""
        if area:
            self._check_area(area)
        return map_rows(self.image, self.pages, area)

    def check(self) -> Rows:
        """All invariants of the guest's own check; the broken ones, the first one first."""
        if int(self.at["phys"]["count"]) == 0:
            raise NoAnswer("the lab has not begun")
        found = list(violations(self))
        yield from (str(violation) for violation in found)
        yield f"{len(found)} broken" if found else WHOLE

    def owner(self, tag: str) -> Rows:
        """What a request owns: blocks, ranges of the window, objects."""
        wanted = number(tag)
        for run in self.pages.runs:
            if run.state == ALLOCATED and self.owners.records.get(run.first, (0, 0))[0] == wanted:
                yield self.row(run)
        yield from (one.row() for one in self.window.ranges if one.tag == wanted)
        yield from (one.row() for one in self.heap.objects() if one.tag == wanted)

    def virt(self) -> Rows:
        """The ranges of the window."""
        return (one.row() for one in self.window.ranges)

    def phys(self) -> Rows:
        """Early memory and what became of it."""
        return (one.row() for one in extents(self.at["phys"]))

    def translate(self, where: str) -> Rows:
        """What an address is mapped to."""
        entry = self.tables.entry(number(where))
        physical = self.tables.translate(number(where))
        if entry is None or physical is None:
            raise NoAnswer(f"{number(where):#018x} is not mapped")
        yield (f"{physical:#018x} size={1 << entry.shift} attributes={entry.words()} "
               f"level={entry.level}")

    def pagetable(self, where: str, pages: str = "") -> Rows:
        """The entry of each level for an address; or what so many pages from there map."""
        start = number(where)
        if pages:
            return self.tables.rows(start, start + (number(pages) << 12))
        return self.tables.way_rows(start)

    def malloc(self) -> Rows:
        """What malloc has: its objects, then totals by size."""
        yield from (one.row() for one in self.heap.objects())
        yield from self.heap.totals()

    def ring(self) -> Rows:
        """The last lines that the guest was sent, the oldest first, and what became of each."""
        ring = self.image.variable("ring", "protocol/ring.c")
        lines, count = ring["lines"], int(ring["count"])
        for n in range(max(0, count - lines.type.count), count):
            line = lines[n % lines.type.count]
            sigil = chr(int(line["sigil"]))
            how = {"=": "done", "?": "refused"}.get(sigil, "runs")
            yield f"{n + 1} {how}: {line['text'].text()}"

    def cpus(self) -> Rows:
        """Where each processor is."""
        places = [f"{p.name} pc={p.place:#x} {p.symbol}".rstrip() for p in self.processors]
        if not places:
            raise NoAnswer("nobody says where the processors are")
        yield from places
        for number_, cpu in enumerate(self.image.variable("cpus", "kernel/smp.c").elements()):
            info = cpu["info"]
            if info["running"]:
                yield (f"cpu {number_} runs stack={int(info['stack']):#018x} "
                       f"{self.names.field(int(info['tag']))}")


def number(text: str) -> int:
    """A number as on the serial line: decimal, 0x-hex, with K, M, G, T. WrongQuestion: it is none.
    """
    try:
        return parse_size(text)
    except ValueError:
        raise WrongQuestion(f"not a number: {text}") from None


Question = Callable[..., Rows]
QUESTIONS: dict[str, tuple[Question, str]] = {
    "areas": (Lab.areas, ""), "freelist": (Lab.freelist, "AREA [ORDER]"),
    "pages": (Lab.dump, "[ADDRESS [PAGES]]"), "page": (Lab.page, "ADDRESS"),
    "map": (Lab.map, "[AREA]"), "check": (Lab.check, ""), "owner": (Lab.owner, "TAG"),
    "virt": (Lab.virt, ""), "phys": (Lab.phys, ""), "translate": (Lab.translate, "ADDRESS"),
    "pagetable": (Lab.pagetable, "ADDRESS [PAGES]"), "heap": (Lab.malloc, ""),
    "ring": (Lab.ring, ""), "cpus": (Lab.cpus, ""),
}


def ask(lab: Lab, words: list[str]) -> Rows:
    """Answer a question, its words as typed. WrongQuestion: there is none such."""
    name, arguments = words[0] if words else "", words[1:]
    if name not in QUESTIONS:
        raise WrongQuestion(f"no such question: {name}; there are: {' '.join(QUESTIONS)}")
    question, usage = QUESTIONS[name]
    least = len([w for w in usage.split() if not w.startswith("[") and not w.endswith("]")])
    if not least <= len(arguments) <= len(usage.split()):
        raise WrongQuestion(f"usage: {name} {usage}".rstrip())
    return _sensible(question(lab, *arguments))


def _sensible(rows: Rows) -> Rows:
    """Memory that is broken may hold anything."""
    try:
        yield from rows
    except (ArithmeticError, AssertionError, LookupError, RecursionError, StopIteration,
            ValueError) as error:
        raise NoAnswer(f"what lies there makes no sense: {error!r}") from None


def area_names(at: Value) -> list[str]:
    """Of the areas in force, for completion."""
    return [at["areas"][i]["name"].text() for i in range(int(at["nareas"]))]
