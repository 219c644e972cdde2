# SPDX-License-Identifier: MIT
"""What the verbs of the command `pfnlab` share."""
from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pfnlab.errors import GuestPanic
from pfnlab.guest import Guest
from pfnlab.memory_map import MemoryMap, find_map, start_on_map
from pfnlab.spec import Spec
from pfnlab.symbols import backtrace
from pfnlab.values import Row, Value

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_LINK, EXIT_PANIC, EXIT_TIMEOUT = 0, 1, 2, 3, 4, 124
EXIT_INTERRUPTED = 130
MAP_MEMORY = "64M"                # of a guest on a map that is not its own


def natural(text: str) -> int:
    """A number from 1 on, of an option."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"a number from 1 on, not {text!r}")
    return int(text)


@dataclass
class Verb:
    """A verb: what it does, an example, and what adds its arguments."""

    name: str
    do: Callable[[argparse.Namespace], int]
    example: str
    arguments: Callable[[argparse.ArgumentParser], Any] = field(default=lambda parser: None)


def guest_name(options: argparse.Namespace, more: str = "", name: str = "") -> str:
    """The guest that the options name (or `name`), with more options of its own behind."""
    spec = Spec(name or options.guest)
    memory = options.memory or (MAP_MEMORY if options.map and not spec.option("memory") else None)
    if memory is not None:
        spec = spec.with_option("memory", memory)
    return spec.with_options(more).name


@contextmanager
def open_guest(options: argparse.Namespace, more: str = "") -> Iterator[Guest]:
    """Start it, on the map that the options name; end it with the block. A panic gets its source
    lines."""
    with Guest(guest_name(options, more), timeout=options.timeout) as guest:
        try:
            if options.map:
                start_on_map(guest, options.map)
            yield guest
        except GuestPanic as panic:
            panic.frames = backtrace(guest, panic.lines)
            raise


def option_map(options: argparse.Namespace) -> MemoryMap | None:
    """The map that the options name."""
    return find_map(options.map) if options.map else None


def emit(options: argparse.Namespace, data: dict[str, Any], text: str) -> None:
    """Tell a result: as a line of JSON if that is wanted, else in words."""
    print(json.dumps(data, default=str) if options.json else text, flush=True)


def plain(value: Value) -> int | str:
    """A value as JSON has it: a number, or a word."""
    return int(value) if isinstance(value, int) else value


def row_data(row: Row) -> dict[str, Any]:
    """A row as JSON has it."""
    return {"values": [plain(v) for v in row.values],
            "fields": {key: plain(v) for key, v in row.fields.items()},
            **({"text": row.text} if row.text else {})}
