# SPDX-License-Identifier: MIT
"""What the model says of a session that is over: led through the lines of a log, it foretells each
reply, and at the end the state of every page."""
from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from pfnlab import wire
from pfnlab.errors import GuestError
from pfnlab.guest import Guest
from pfnlab.memory_map import MemoryMap
from pfnlab.model import Refusal
from pfnlab.model_access import Nobody
from pfnlab.model_cpus import NEEDS, Cpus, Stopped, follow_events
from pfnlab.model_line import Reader, Results, Unknown
from pfnlab.model_memory import Memory
from pfnlab.oracle import ENGINES, Oracle
from pfnlab.replica_dump import dump_told, without_fresh
from pfnlab.request import Entry
from pfnlab.table import Command, Table
from pfnlab.twin import guest_rows, model_rows, window
from pfnlab.values import ADDRESS_LIMIT, Row

MOST_PAGES = 400_000              # of a map that is worth the time of a brute-force model
MIDWAY = ("mem.metadata", "mem.injected")
BEYOND = (*MIDWAY, "bug.dead")    # refusals that the model does not foretell
NOT_MODELLED = ("run",)           # changes pages as no line tells
# Of these what another processor than 0 obtained is not modelled, nor which memory serves where the
# machine cannot reach all that it has.
NEARBY = ("vmalloc", "vmemalign", "vfree", "vmap", "ioremap", "vunmap", "alloc_vpages",
          "free_vpages", "protect", "malloc", "calloc", "realloc", "memalign", "advance")
LOOKS_AT_MEMORY = ("peek", "verify", "translate")       # queries that the model foretells
# May ask for what a machine has not, or for an address that it does not have.
MACHINES_OWN = (*LOOKS_AT_MEMORY, "poke", "fill", "vmap", "ioremap", "protect")
BIG_ENDIAN = ("s390x",)
REACH = {"i386": 1 << 32}         # of the architectures that may not reach all memory
WITH_CACHES = ("malloc", "calloc", "realloc", "memalign")      # get their pages in nobody's name
# Take pages for more than one purpose: what was taken before a refusal is not fresh any more.
IN_STEPS = ("vmalloc", "vmemalign", "malloc", "calloc", "realloc", "memalign", "advance", "cpu")
WITH_ATTRIBUTES = ("alloc_pages_ro", "alloc_pages_nx", "alloc_pages_uncached")    # likewise
WINDOW = (1 << 40, 1 << 42)       # of addresses, where the guest does not tell
SLOTS = 256                       # results that are kept, likewise
NEUTRAL = ("owner", "store", "fail")   # change nothing that is predicted


@dataclass
class Exchange:
    """A request of a session, and its reply."""

    tag: int
    text: str
    final: wire.Line | None = None
    rows: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)       # of a trace, while it ran


def exchanges(log: Iterable[Entry]) -> list[Exchange]:
    """The requests in a log that were answered, in order; the rows with them, and the events; no
    signs of life."""
    found: dict[int, Exchange] = {}
    events: list[Row] = []
    for entry in log:
        line = wire.parse(entry.text.encode("ascii")) if entry.way != "--" else None
        if line is not None and line.sigil == "%" and line.words[:1] != ["busy"]:
            events.append(line.row())
        if line is None or not line.tag:
            continue
        if entry.way == "->" and line.sigil == ">":
            found.setdefault(line.tag, Exchange(line.tag, line.raw.partition(" ")[2]))
        elif line.tag in found and line.sigil == ":":
            found[line.tag].rows.append(line.row())
        elif line.tag in found and line.sigil in "=?":
            found[line.tag].final = line
            found[line.tag].events, events = events, []
    return [one for one in found.values() if one.final is not None]


class Lost(Exception):
    """The model cannot follow; the message says why."""


class Replica:
    """The model of a guest that begins on `memory_map`, with the table that its lines follow."""

    def __init__(self, table: Table, memory_map: MemoryMap,
                 used: Iterable[tuple[int, int]] = (),
                 window: tuple[int, int] = WINDOW, slots: int = SLOTS,
                 engine: str = "tree", caches: bool = False, cpus: Cpus | None = None,
                 arch: str = "native") -> None:
        self.table = table
        self._little = arch not in BIG_ENDIAN
        self._near = all(base + size <= REACH.get(arch, ADDRESS_LIMIT)
                         for base, size, _ in memory_map.ranges)
        self._cpus = cpus             # None: nobody knows the machine
        self._self = 0                # the processor that the line is on
        self._caches = caches         # of processors: who asks in nobody's name gets pages of them
        self._window = window
        self._engine = engine
        self._machine = (memory_map, list(used))
        self._building = MemoryMap()
        self._results = Results(slots)
        self._reader = Reader(table, self._results, lambda word: self.oracle.area_set(word))
        self._begin(memory_map, used, "virtual")

    def _begin(self, memory_map: MemoryMap, used: Iterable[tuple[int, int]], stage: str) -> None:
        if memory_map.usable >> 12 > MOST_PAGES:
            raise Lost("the map is too large for the model")
        if self._engine not in ENGINES:
            raise Lost(f"the engine {self._engine} has no model")
        own = memory_map is self._machine[0]
        self.oracle = Oracle(memory_map.areas, memory_map.ranges, "early", self._window,
                             self._engine, self._little if own else None)
        self.oracle.phys.used += list(used)
        while self.oracle.heap.stage != stage:
            self.oracle.advance()
        self._map = memory_map
        self._refusing = False
        self._knows_fresh = True
        if self._cpus is not None:
            self._cpus.forget()

    @property
    def memory_map(self) -> MemoryMap:
        """The one in force."""
        return self._map

    @property
    def _injected(self) -> bool:
        """Is the map one of the session, which has no memory?"""
        return self._map is not self._machine[0]

    def follow(self, one: Exchange) -> str | None:
        """Take the next request; None if the reply is what the model says, else that. Lost: the
        model cannot say anything from here on."""
        name, *words = one.text.split()
        command = self.table.find(name)
        if command is None or command.kind == "session" or one.final is None:
            return None
        keys: dict[str, Any] = {}
        try:
            args, keys = self._reader.read(command, words)
            if command.name == "on":
                return self._follow_on(one, int(args[0]), args[1])
            return self._follow(one, command, args, keys)
        except Nobody:
            return None
        except Unknown:
            if one.final.sigil == "=" and self.knows(command.name):
                return f"{one.text}: the model cannot read this line"
            return None
        except Refusal as told:
            return None if _same(one.final, told) else _spelled(told)
        finally:
            self._results.note(one.tag, one.final, keys.get("as"))

    def _follow_on(self, one: Exchange, cpu: int, line: str) -> str | None:
        """A line on a processor is answered as that line, if the processor takes it."""
        assert one.final is not None
        word = one.final.words[0] if one.final.sigil == "?" else ""
        if self._cpus is None and word in ("call.cpu", "call.state"):
            return None
        if self._cpus is not None and cpu >= self._cpus.count:
            raise Refusal("call.cpu")
        if self.table.find(line.split()[0]) is None:
            raise Refusal("call.command")
        if self._cpus is not None and not self._cpus.runs(cpu):
            raise Refusal("call.state")
        if cpu != 0 and word == "call.state":
            return None               # a line that is processor 0's
        before, self._self = self._self, cpu
        told = self.follow(Exchange(one.tag, line, one.final, one.rows, one.events))
        self._self = before
        return told

    def _follow_stress(self, one: Exchange) -> str | None:
        """All is given back in the end; what is not fresh any more the events tell, if at all."""
        assert one.final is not None
        word = one.final.words[0] if one.final.sigil == "?" else ""
        if word.startswith("call."):
            return None
        if word not in ("", "stop.interrupted") or self.oracle.pages is None:
            raise Lost(f"stress found something: {word}")
        if self._caches or self._engine != "tree":
            raise Lost("where the next page comes from depends on how this one went")
        if one.events and all(event[0] != "lost" for event in one.events):
            self._forget_memory()
            return follow_events(self.oracle.pages, one.events)
        self._knows_fresh = False
        self._forget_memory()
        return None

    def _forget_memory(self) -> None:
        """What pages hold that were free for a while nobody knows any more."""
        if self.oracle.access is not None:
            self.oracle.access.memory = Memory(self._little)

    def _follow(self, one: Exchange, command: Command, args: list[Any], keys: dict[str, Any]
                ) -> str | None:
        """The same, of a line that can be read."""
        name, final = command.name, one.final
        assert final is not None
        if name == "dump" and len(args) == 1:
            return self._follow_dump(one, args[0])
        if command.kind != "mutator" and name not in LOOKS_AT_MEMORY:
            return None
        if name == "fail" and final.sigil == "=":
            self._refusing = not {"nth", "every", "p"}.isdisjoint(keys)
        if final.sigil == "?" and self._changed_nothing(name, keys, final.words[0]):
            return None
        if final.words[:1] == ["call.unsupported"] and _wants_uncached(name, args, keys):
            return None
        if name == "stress":
            return self._follow_stress(one)
        if name == "cpu" and self._cpus is None:
            if final.sigil == "?" and final.words[0].startswith("call."):
                return None
            raise Lost("nobody knows what a processor takes")
        if keys.get("fresh") and not self._knows_fresh:
            raise Lost("which pages are fresh nobody told")
        apart = not self._injected and (self._self != 0 or not self._near)
        if (name in NOT_MODELLED or (apart and name in NEARBY)
                or (self._caches and name in WITH_CACHES)):
            raise Lost(f"{name} is not modelled")
        if not self.knows(name):
            if final.sigil == "=" and command.result == "address":
                raise Lost(f"{name} may have taken pages")
            return None
        try:
            told = (self._cpu(args[0], args[1], one.tag) if name == "cpu"
                    else self._tell(name, args, keys, one.tag))
        except Refusal as refusal:
            told = refusal
        except TypeError:
            raise Lost(f"the model does not take these arguments: {one.text}") from None
        if self._cpus is not None and isinstance(told, int):
            self._cpus.origins.note(self.oracle, name, args[0] if args else 0, told, self._self)
        if _same(final, told):
            return None
        if name == "realloc" and self._refusing and final.sigil == "=":
            raise Lost("realloc was refused one of its ways")
        return _spelled(told)

    def _follow_dump(self, one: Exchange, what: str) -> str | None:
        """All rows of it, if they came in one reply."""
        assert one.final is not None
        if one.final.sigil == "?" or "more" in one.final.row().fields:
            return None
        return dump_told(self.oracle, what, one.rows, self._knows_fresh)

    def _changed_nothing(self, name: str, keys: dict[str, Any], word: str) -> bool:
        """Is it a refusal that the model need not foretell?"""
        if word in MIDWAY and (name in IN_STEPS or name in WITH_ATTRIBUTES or "attributes" in keys):
            raise Lost(f"{name} was refused on the way: {word}")
        own = name in MACHINES_OWN or "attributes" in keys or name.startswith("alloc_pages_")
        return word in BEYOND or (not self._injected and own and word == "call.unsupported")

    def knows(self, name: str) -> bool:
        """Does the model foretell this command?"""
        return name == "cpu" or hasattr(self, f"_do_{name}") or hasattr(self.oracle, name)

    def _tell(self, name: str, args: list[Any], keys: dict[str, Any], tag: int) -> Any:
        """What the model says to it: a value, or None where any success will do."""
        special = getattr(self, f"_do_{name}", None)
        if special is not None:
            return special(*args, **keys)
        method = getattr(self.oracle, name, None)
        if method is None and name in NEUTRAL:
            return None
        if method is None:
            raise Lost(f"{name} is not modelled")
        given = {key + "_" * (key == "from"): value for key, value in keys.items()
                 if key != "as"}
        if _takes_owner(name):
            given["owner"] = tag
        return method(*args, **given)

    def _cpu(self, action: str, which: int | str, tag: int) -> int | Stopped:
        assert self._cpus is not None
        if action == "stop":
            return self._cpus.stop(self.oracle, which)
        if self._injected and which in (*range(1, self._cpus.count), "all"):
            raise Refusal("call.unsupported")        # a map without memory
        return self._cpus.start(self.oracle, which, tag)

    def _do_phys_free(self, address: int) -> int:
        if self._cpus is not None and self._cpus.has(address):
            raise Refusal("mem.kind", address)
        return self.oracle.phys_free(address)

    def _do_map_begin(self) -> None:
        self._building = MemoryMap()

    def _do_map_area(self, name: str, limit: int) -> None:
        self._building.areas.append((name, limit))

    def _do_map_add(self, base: int, size: int, kind: str = "usable") -> None:
        self._building.ranges.append((base, size, kind))

    def _do_map_commit(self, stage: str = "virtual") -> None:
        areas = self._building.areas or self._map.areas
        self._begin(MemoryMap(areas, self._building.ranges), (), stage)
        self._results.clear()

    def _do_map_machine(self, stage: str = "virtual") -> None:
        self._begin(*self._machine, stage)
        self._results.clear()

    def _do_reset(self, stage: str = "virtual") -> None:
        used = self._machine[1] if self._map is self._machine[0] else []
        self._begin(self._map, used, stage)
        self._results.clear()

    def compare_state(self, guest: Guest) -> str | None:
        """What compare_rows says of the guest's rows, or why it has none."""
        try:
            return self.compare_rows(guest_rows(guest)) if self.oracle.pages else None
        except GuestError as error:
            return f"dump pages: {error}"

    def compare_rows(self, rows: list[tuple[object, ...]]) -> str | None:
        """The first run of pages of which the guest, that has these, and the model do not say the
        same."""
        if self.oracle.pages is None:
            return None
        told = model_rows(self.oracle.pages)
        if not self._knows_fresh:
            told, rows = without_fresh(told), without_fresh(rows)
        for ours, theirs in zip_longest(told, rows):
            if ours != theirs:
                return f"dump pages\n  guest: {_row(theirs)}\n  model: {_row(ours)}"
        return None


@functools.cache
def _takes_owner(name: str) -> bool:
    """Does the command allocate pages that are recorded as its request's?"""
    return "owner" in inspect.signature(getattr(Oracle, name)).parameters


def _wants_uncached(name: str, args: list[Any], keys: dict[str, Any]) -> bool:
    """Does it ask for what not every machine has?"""
    words = str(args[-1] if name == "protect" else keys.get("attributes")).split("|")
    return name == "ioremap" or not {"uncached", "wc"}.isdisjoint(words)


def _row(row: tuple[object, ...] | None) -> str:
    if row is None:
        return "nothing more"
    state, address, pages, fresh, owner = row
    return f"{address:#018x} {pages} {state} fresh={fresh} owner={owner}"


def _spelled(told: object) -> str:
    if isinstance(told, Refusal):
        return f"? {told}"
    if told is None:
        return "="
    if isinstance(told, Stopped):
        return f"= {told}"
    return f"= {told:#018x}" if isinstance(told, int) and told > 1 << 12 else f"= {told}"


def _same(final: wire.Line, told: object) -> bool:
    if isinstance(told, Refusal):
        if final.sigil != "?":
            return False                  # maybe without a word
        at = final.row().fields.get("at")
        word = final.words[0].partition(".")[0] if told.code == "fault" else final.words[0]
        return word == told.code and told.at in (None, at)
    if isinstance(told, Stopped):
        return final.sigil == "=" and final.words == str(told).split()
    return final.sigil == "=" and (told is None or final.row().values[:1] == (told,))


def replica_of(guest: Guest, memory_map: MemoryMap) -> Replica:
    """The model of a guest as it is when it begins. Lost: its map is too large, or its engine has
    none."""
    rows = guest.call("dump", "phys")
    used = [(int(row.values[0]), int(row.values[0]) + int(row.values[1])) for row in rows
            if row.fields.get("used")]
    info = guest.info().fields
    cpus = None
    if guest.table.find("cpus") is not None and str(info["arch"]) in NEEDS:
        cpus = Cpus(len(guest.call("cpus")), NEEDS[str(info["arch"])])
    return Replica(guest.table, memory_map, used, window(guest), guest.link.limit("slots", SLOTS),
                   str(info["engine"]), bool(info.get("percpu")), cpus, str(info["arch"]))


def replica_on(guest: Guest, memory_map: MemoryMap) -> Replica:
    """The model of a guest on which `memory_map` is going to be injected."""
    info = guest.info().fields
    return Replica(guest.table, memory_map, window=window(guest), engine=str(info["engine"]),
                   caches=bool(info.get("percpu")))
