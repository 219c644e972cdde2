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
from pfnlab.oracle import Oracle
from pfnlab.request import Entry
from pfnlab.table import TEXT_TYPES, Table
from pfnlab.twin import guest_rows, model_rows
from pfnlab.values import Row, Value, parse_size

MOST_PAGES = 400_000              # of a map that is worth the time of a brute-force model
NOTHING_CHANGED = ("call.", "mem.metadata", "mem.injected", "bug.dead")   # beyond the model
NOT_MODELLED = (                  # change pages as no line tells, or the window of addresses
    "run", "stress", "vmalloc", "vmemalign", "vfree", "vmap", "ioremap", "vunmap", "alloc_vpages",
    "free_vpages", "protect", "malloc", "calloc", "realloc", "memalign", "advance")
NEUTRAL = ("owner", "poke", "fill", "store", "fail")   # change nothing that is predicted


@dataclass
class Exchange:
    """A request of a session, and its reply."""

    tag: int
    text: str
    final: wire.Line | None = None
    rows: list[Row] = field(default_factory=list)


def exchanges(log: Iterable[Entry]) -> list[Exchange]:
    """The requests in a log that were answered, in order; the rows with them."""
    found: dict[int, Exchange] = {}
    for entry in log:
        line = wire.parse(entry.text.encode("ascii")) if entry.way != "--" else None
        if line is None or not line.tag:
            continue
        if entry.way == "->" and line.sigil == ">":
            found.setdefault(line.tag, Exchange(line.tag, line.raw.partition(" ")[2]))
        elif line.tag in found and line.sigil == ":":
            found[line.tag].rows.append(line.row())
        elif line.tag in found and line.sigil in "=?":
            found[line.tag].final = line
    return [one for one in found.values() if one.final is not None]


class Lost(Exception):
    """The model cannot follow; the message says why."""


class Replica:
    """The model of a guest that begins on `memory_map`, with the table that its lines follow."""

    def __init__(self, table: Table, memory_map: MemoryMap,
                 used: Iterable[tuple[int, int]] = ()) -> None:
        self.table = table
        self._machine = (memory_map, list(used))
        self._building = MemoryMap()
        self._results: dict[str, Value] = {}
        self._last: Value | None = None
        self._begin(memory_map, used, "virtual")

    def _begin(self, memory_map: MemoryMap, used: Iterable[tuple[int, int]], stage: str) -> None:
        if memory_map.usable >> 12 > MOST_PAGES:
            raise Lost("the map is too large for the model")
        self.oracle = Oracle(memory_map.areas, memory_map.ranges, "early")
        self.oracle.phys.used += list(used)
        self._results.clear()
        while self.oracle.heap.stage != stage:
            self.oracle.advance()
        self._map = memory_map

    def follow(self, one: Exchange) -> str | None:
        """Take the next request; None if the reply is what the model says, else that. Lost: the
        model cannot say anything from here on."""
        name, *words = one.text.split()
        command = self.table.find(name)
        final = one.final
        if command is None or command.kind != "mutator" or final is None:
            return None
        if final.sigil == "?" and final.words[0].startswith(NOTHING_CHANGED):
            return None
        if command.name in NOT_MODELLED:
            raise Lost(f"{command.name} is not modelled")
        if not self.knows(command.name):
            if final.sigil == "=" and command.result == "address":
                raise Lost(f"{command.name} may have taken pages")
            return None
        try:
            args, keys = self._arguments(command.name, words)
            told = self._tell(command.name, args, keys, one.tag)
        except Refusal as refusal:
            told = refusal
        except TypeError:
            raise Lost(f"the model does not take these arguments: {one.text}") from None
        except (LookupError, ValueError, AttributeError):
            return None if final.sigil == "?" else f"{one.text}: the model cannot read this line"
        self._keep(one, keys)
        return None if _same(final, told) else f"{_spelled(told)}"

    def knows(self, name: str) -> bool:
        """Does the model foretell this command?"""
        return hasattr(self, f"_do_{name}") or hasattr(self.oracle, name)

    def _keep(self, one: Exchange, keys: dict[str, Any]) -> None:
        assert one.final is not None
        values = one.final.row().values if one.final.sigil == "=" else ()
        if values:
            self._results[f"${one.tag}"] = values[0]
            self._results["$"] = values[0]
        if values and "as" in keys:
            self._results[f"$v{keys['as']}"] = values[0]

    def _value(self, kind: str, word: str) -> Any:
        if kind == "areas" or kind in TEXT_TYPES:
            return word
        return int(self._results[word]) if word.startswith("$") else parse_size(word)

    def _arguments(self, name: str, words: list[str]) -> tuple[list[Any], dict[str, Any]]:
        arguments = self.table.commands[name].arguments
        kinds = {a.name: a.type for a in arguments}
        places = [a for a in arguments if a.role != "key"]
        args: list[Any] = []
        keys: dict[str, Any] = {}
        for word in words:
            key, equals, value = word.partition("=")
            if equals and key in kinds:
                keys[key] = self._value(kinds[key], value)
            else:
                args.append(self._value(places[len(args)].type, word))
        return args, keys

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
                 if key not in ("as", "dontzero")}
        if _takes_owner(name):
            given["owner"] = tag
        return method(*args, **given)

    def _do_map_begin(self) -> None:
        self._building = MemoryMap()

    def _do_map_area(self, name: str, limit: int) -> None:
        self._building.areas.append((name, limit))

    def _do_map_add(self, base: int, size: int, kind: str = "usable") -> None:
        self._building.ranges.append((base, size, kind))

    def _do_map_commit(self, stage: str = "virtual") -> None:
        areas = self._building.areas or self._map.areas
        self._begin(MemoryMap(areas, self._building.ranges), (), stage)

    def _do_map_machine(self, stage: str = "virtual") -> None:
        self._begin(*self._machine, stage)

    def _do_reset(self, stage: str = "virtual") -> None:
        used = self._machine[1] if self._map is self._machine[0] else []
        self._begin(self._map, used, stage)

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
        for ours, theirs in zip_longest(model_rows(self.oracle.pages), rows):
            if ours != theirs:
                return f"dump pages\n  guest: {_row(theirs)}\n  model: {_row(ours)}"
        return None


@functools.cache
def _takes_owner(name: str) -> bool:
    """Does the command allocate pages that are recorded as its request's?"""
    return "owner" in inspect.signature(getattr(Oracle, name)).parameters


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
    return f"= {told:#018x}" if isinstance(told, int) and told > 1 << 12 else f"= {told}"


def _same(final: wire.Line, told: object) -> bool:
    if isinstance(told, Refusal):
        at = final.row().fields.get("at")
        return (final.sigil == "?" and final.words[:1] == [told.code]
                and told.at in (None, at))
    return final.sigil == "=" and (told is None or final.row().values[:1] == (told,))


def replica_of(guest: Guest, memory_map: MemoryMap) -> Replica:
    """The model of a guest as it is when it begins. Lost: its map is too large."""
    rows = guest.call("dump", "phys")
    used = [(int(row.values[0]), int(row.values[0]) + int(row.values[1])) for row in rows
            if row.fields.get("used")]
    return Replica(guest.table, memory_map, used)
