# SPDX-License-Identifier: MIT
"""Processors again: what each that starts takes of the allocators, and gives back (kernel/smp.h).

`Cpus` foretells starts and stops exactly. Of what several do at once nobody can foretell the order;
`follow_events` holds the guest to this much: no page has two owners at any time, only what somebody
has is freed, and at the end all is as it was.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pfnlab.model import PFN_LIMIT, STATES, UNMANAGED, Pages, Refusal, Request, order_for
from pfnlab.model_virtual import DATA, Place
from pfnlab.oracle import Oracle
from pfnlab.values import PAGE_SHIFT, PAGE_SIZE, Row

STACK = 32 << 10                       # bytes
STACK_LIMIT = 1 << 32                  # of one that is early memory


@dataclass(frozen=True)
class Need:
    """What a machine wants beside a stack, in bytes; `kept`: for as long as the processor runs."""

    size: int
    limit: int
    kept: bool


# By `arch` of `info`. Threads of a host want nothing.
NEEDS = {"native": None, "x86_64": Need(PAGE_SIZE, 1 << 20, False),
         "i386": Need(PAGE_SIZE, 1 << 20, False), "s390x": Need(8192, 1 << 31, True)}


@dataclass
class Held:
    """The memory of one that runs: addresses, and whether each is early memory."""

    stack: int
    stack_early: bool
    need: int | None = None
    need_early: bool = False


@dataclass
class Origins:
    """Of each page and of early memory that another processor than 0 obtained: which one
    (protocol/origins.h). Ranges and objects are not modelled where processors start."""

    pages: dict[int, int] = field(default_factory=dict)       # by frame
    early: dict[int, int] = field(default_factory=dict)       # by address

    def note(self, oracle: Oracle, name: str, at: int, told: int, cpu: int) -> None:
        """`name` has succeeded on that processor: about `at`, if it frees something."""
        first = told >> PAGE_SHIFT
        if name.startswith(("alloc_page", "memalign_pages")) and oracle.pages is not None:
            frames = range(first, first + oracle.pages.blocks[first])
            self.pages |= dict.fromkeys(frames, cpu) if cpu != 0 else {}
        elif name == "phys_alloc" and cpu != 0:
            self.early[told] = cpu
        elif name == "free":
            for frame in range(at >> PAGE_SHIFT, (at >> PAGE_SHIFT) + told):
                self.pages.pop(frame, None)
        elif name == "phys_free":
            self.early.pop(at, None)

    def left(self, oracle: Oracle, cpus: Iterable[int]) -> dict[str, int]:
        """What these obtained that is still there, as the final of a stop tells it."""
        stopped = set(cpus)
        frames = {frame for frame, cpu in self.pages.items() if cpu in stopped}
        blocks = oracle.pages.blocks if oracle.pages is not None else {}
        return {"blocks": len(frames & blocks.keys()), "pages": len(frames), "ranges": 0,
                "objects": 0, "early": sum(cpu in stopped for cpu in self.early.values()),
                "drained": 0}         # no cache serves a request with a tag


@dataclass(frozen=True)
class Stopped:
    """What a stop is answered."""

    count: int
    fields: dict[str, int]

    def __str__(self) -> str:
        return " ".join([str(self.count), *(f"{key}={n}" for key, n in self.fields.items())])


@dataclass
class Cpus:
    """Those of a machine, `count` with number 0, which always runs."""

    count: int
    need: Need | None
    running: dict[int, Held] = field(default_factory=dict)
    origins: Origins = field(default_factory=Origins)

    def runs(self, cpu: int) -> bool:
        """Can it run a line?"""
        return cpu == 0 or cpu in self.running

    def forget(self) -> None:
        """The instance is gone, and all have stopped."""
        self.running.clear()
        self.origins = Origins()

    def has(self, address: int) -> bool:
        """Is the early memory of a processor in that page?"""
        page = address >> PAGE_SHIFT
        early = [(held.stack, STACK) for held in self.running.values() if held.stack_early]
        early += [(held.need, self.need.size) for held in self.running.values()
                  if self.need is not None and held.need is not None and held.need_early]
        return any(at >> PAGE_SHIFT <= page < (at + size) >> PAGE_SHIFT for at, size in early)

    def start(self, oracle: Oracle, which: int | str, owner: int) -> int:
        """One, or all that do not run, all or nothing: how many."""
        if isinstance(which, str):
            if which != "all":
                raise Refusal("call.word")
            wanted = [cpu for cpu in range(1, self.count) if cpu not in self.running]
        elif which >= self.count:
            raise Refusal("call.cpu")
        elif self.runs(which):
            raise Refusal("call.state")
        else:
            wanted = [which]
        for done, cpu in enumerate(wanted):
            try:
                self.running[cpu] = self._take(oracle, owner)
            except Refusal as why:
                for started in wanted[:done]:
                    self._give(oracle, self.running.pop(started))
                raise Refusal(why.code) from why
        return len(wanted)

    def stop(self, oracle: Oracle, which: int | str) -> Stopped:
        """One, or all."""
        if isinstance(which, str):
            if which != "all":
                raise Refusal("call.word")
            wanted = sorted(self.running)
        elif which >= self.count:
            raise Refusal("call.cpu")
        elif which not in self.running:
            raise Refusal("call.state")
        else:
            wanted = [which]
        for cpu in wanted:
            self._give(oracle, self.running.pop(cpu))
        one = {} if isinstance(which, str) else {"cpu": which}
        return Stopped(len(wanted), {**one, **self.origins.left(oracle, wanted)})

    def _frames(self, oracle: Oracle, held: Held) -> set[int]:
        """Those that the processor stands on."""
        if held.stack_early or oracle.virtual is None:
            first = held.stack >> PAGE_SHIFT
            frames = set(range(first, first + (STACK >> PAGE_SHIFT)))
        else:
            frames = set(oracle.virtual.window.find(held.stack, "stack").frames)
        if self.need is not None and held.need is not None:
            first = held.need >> PAGE_SHIFT
            frames |= set(range(first, first + (self.need.size >> PAGE_SHIFT)))
        return frames

    def _take(self, oracle: Oracle, owner: int) -> Held:
        """What the machine wants, then the stack; then what only the start wanted goes."""
        held = Held(0, oracle.virtual is None)
        self._take_need(oracle, held, owner)
        try:
            if oracle.virtual is None:
                held.stack = oracle.phys.alloc(STACK, PAGE_SIZE, 0, STACK_LIMIT)
            else:
                everywhere = Request(frozenset(range(len(oracle.areas))), 1)
                held.stack = oracle.virtual.vmalloc(Place(STACK >> PAGE_SHIFT, front=1), STACK,
                                                    False, everywhere, DATA, owner, "stack")
        except Refusal:
            self._give_need(oracle, held)
            raise
        if self.need is not None and not self.need.kept:
            self._give_need(oracle, held)
        if oracle.access is not None:
            for frame in self._frames(oracle, held):
                oracle.access.held.add(frame)
        return held

    def _take_need(self, oracle: Oracle, held: Held, owner: int) -> None:
        if self.need is None:
            return
        if oracle.virtual is None:
            held.need = oracle.phys.alloc(self.need.size, self.need.size, 0, self.need.limit)
            held.need_early = True
            return
        pages = self.need.size >> PAGE_SHIFT
        first = oracle.virtual.pages.alloc(
            Request(frozenset(range(len(oracle.areas))), pages, order_for(pages),
                    max=self.need.limit >> PAGE_SHIFT), owner)
        oracle.virtual.kept |= set(range(first, first + pages))
        held.need = first << PAGE_SHIFT

    def _give_need(self, oracle: Oracle, held: Held) -> None:
        if self.need is None or held.need is None:
            return
        if held.need_early:
            oracle.phys.free(held.need)
        elif oracle.virtual is not None:
            first = held.need >> PAGE_SHIFT
            oracle.virtual.kept -= set(range(first, first + (self.need.size >> PAGE_SHIFT)))
            oracle.virtual.pages.free(first)
        held.need = None

    def _give(self, oracle: Oracle, held: Held) -> None:
        if oracle.access is not None:
            for frame in self._frames(oracle, held):
                oracle.access.held.discard(frame)
                oracle.access.memory.forget(frame)
        if held.stack_early:
            oracle.phys.free(held.stack)
        elif oracle.virtual is not None:
            oracle.virtual.vfree(held.stack, "stack")
        self._give_need(oracle, held)


def follow_events(pages: Pages, events: Iterable[Row]) -> str | None:
    """Of common work that gives all back: what cannot be, as whoever has a page tells of it first.
    The model goes along, so that what is not fresh any more is known."""
    before = dict(pages.blocks), dict(pages.owners)
    for event in events:
        told = _follow(pages, event)
        if told is not None:
            return f"{event}: {told}"
    if (dict(pages.blocks), dict(pages.owners)) != before:
        return "not all is given back"
    return None


def _follow(pages: Pages, event: Row) -> str | None:
    first, count = int(event.addr) >> PAGE_SHIFT, int(event.pages)
    kind = event[0]
    try:
        if kind == "alloc":
            states = {pages.state(frame) for frame in range(first, first + count)}
            if states != {0}:
                return "of these pages some are " + STATES[max(states)]
            pages.alloc(Request(frozenset(range(len(pages.areas))), count, at=first),
                        int(event.tag))
        elif kind == "free":
            pages.free(first, count)
        elif kind == "reserve":
            pages.reserve(first, count)
        elif kind == "unreserve":
            pages.unreserve(first, count)
    except Refusal as why:
        return str(why)
    return None


assert PFN_LIMIT > STACK_LIMIT >> PAGE_SHIFT and STATES[UNMANAGED] == "unmanaged"
