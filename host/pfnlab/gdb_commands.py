# SPDX-License-Identifier: MIT
"""The commands `pfn ...` of gdb: the questions of pfnlab.decode_lab on the program that gdb has,
and breakpoints that know the allocators. `source` this file in gdb, any gdb with Python."""
from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import gdb  # type: ignore[import]

HOST = Path(__file__).resolve().parents[1]
if str(HOST) not in sys.path:
    sys.path.insert(0, str(HOST))

from pfnlab import decode_lab, outside  # noqa: E402
from pfnlab.decode import Image, Memory, Unreadable  # noqa: E402
from pfnlab.decode_lab import QUESTIONS, Lab, NoAnswer, Processor  # noqa: E402
from pfnlab.dwarf import Program, open_program  # noqa: E402
from pfnlab.errors import PfnlabError  # noqa: E402
from pfnlab.gdb_line import ENDED, Panicked, Send  # noqa: E402
from pfnlab.gdb_printers import register_printers  # noqa: E402


class GdbMemory(Memory):
    """What gdb can read."""

    def fetch(self, address: int, size: int) -> bytes:
        """As Memory's."""
        try:
            return bytes(gdb.selected_inferior().read_memory(address, size))
        except (gdb.MemoryError, gdb.error, OverflowError) as error:
            raise Unreadable(f"gdb reads no memory at {address:#x}: {error}") from None


def program() -> Program:
    """The one that gdb debugs."""
    name = gdb.current_progspace().filename
    if not name:
        raise NoAnswer("gdb has no program: start it with `pfnlab gdb`, or use `file`")
    return open_program(Path(name))


def lab() -> Lab:
    """The lab as it is now."""
    file = program()
    if not gdb.selected_inferior().pid:
        raise NoAnswer(ENDED)
    symbol = gdb.lookup_global_symbol("lab")
    if symbol is None:
        raise NoAnswer(f"{file.path} is no guest of pfnlab")
    base = int(symbol.value().address) - file.variable("lab", "kernel/lab.c")[0]
    return Lab(Image(file, GdbMemory(), base), processors())


def processors() -> Iterator[Processor]:
    """Those that gdb calls threads."""
    chosen = gdb.selected_thread()
    for thread in reversed(gdb.selected_inferior().threads()):
        thread.switch()
        yield Processor(str(thread.num - 1), int(gdb.parse_and_eval("$pc")), where_now())
    if chosen is not None:
        chosen.switch()


def where_now() -> str:
    """Function and line of the thread that is chosen; empty where there is neither."""
    try:
        frame = gdb.newest_frame()
    except gdb.error:             # on s390x: a place that no function is at
        return ""
    where = frame.find_sal()
    line = f"{where.symtab.filename}:{where.line}" if where.symtab else ""
    return f"{frame.name() or ''} {line}".strip()


def evaluate(word: str) -> str:
    """An argument: what the serial line takes for a number, or any expression of gdb."""
    try:
        decode_lab.number(word)
        return word
    except NoAnswer:
        try:
            value = gdb.parse_and_eval(word)
            name = value.type.name
            if value.type.strip_typedefs().code == gdb.TYPE_CODE_FLT:
                raise NoAnswer(f"not a number of bytes: {word}")
            if name in ("pfn_t", "phys_t", "virt_t"):
                value = value[value.type.fields()[0]]
            return str(int(value) << 12 if name == "pfn_t" else int(value) & (1 << 64) - 1)
        except gdb.error as error:
            raise NoAnswer(str(error)) from None


def areas_named(start: str) -> list[str]:
    """The names of areas that begin so, if there are any."""
    try:
        return [name for name in decode_lab.area_names(lab().at) if name.startswith(start)]
    except (PfnlabError, gdb.error):
        return []


class Prefix(gdb.Command):  # type: ignore[misc]
    """The allocators of the guest, from outside. `help pfn` lists what can be asked."""

    def __init__(self) -> None:
        super().__init__("pfn", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Nothing was asked, or what nobody knows."""
        if argument:
            raise gdb.GdbError(f'Undefined pfn command: "{argument}".  Try "help pfn".')
        gdb.execute("help pfn")


class Ask(gdb.Command):  # type: ignore[misc]
    """A question."""

    broken = False                # a `pfn check` has found something

    def __init__(self, name: str) -> None:
        self.name = name
        question, self.usage = QUESTIONS[name]
        self.__doc__ = f"{question.__doc__}\nUsage: pfn {name} {self.usage}".rstrip()
        super().__init__(f"pfn {name}", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Answer it, row by row."""
        wanted = self.usage.replace("[", "").replace("]", "").split()
        words = gdb.string_to_argv(argument)
        if len(wanted) == 1 and len(words) > 1:
            words = [argument]    # an expression with blanks
        try:
            words = [evaluate(word) if what not in ("AREA", None) else word
                     for what, word in zip_longest(wanted, words) if word is not None]
            for row in decode_lab.ask(lab(), [self.name, *words]):
                print(row)
                Ask.broken |= self.name == "check" and row.startswith("invariant=")
        except PfnlabError as error:
            raise gdb.GdbError(str(error)) from None

    def complete(self, text: str, word: str) -> list[str]:
        """Names of areas."""
        return areas_named(word) if self.usage.lstrip("[").startswith("AREA") else []


class Compare(gdb.Command):  # type: ignore[misc]
    """Hold what memory says of the allocators against what the guest answers.
Of areas, pages, ranges, tables, objects, invariants. The guest runs until it has answered.
Usage: pfn compare"""

    def __init__(self, send: Send) -> None:
        self._send = send
        super().__init__("pfn compare", gdb.COMMAND_RUNNING)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Ask both, question by question."""
        if argument:
            raise gdb.GdbError("usage: pfn compare")
        try:
            for twin in outside.compare(lab, self._send.ask):
                print(twin)
                Ask.broken |= not twin.same
        except PfnlabError as error:
            raise gdb.GdbError(str(error)) from None


# ---- breakpoints ----

class TagBreakpoint(gdb.Breakpoint):  # type: ignore[misc]
    """Stops when a request is about to run."""

    def __init__(self, tag: int) -> None:
        super().__init__("dispatch")
        self.tag = tag

    def stop(self) -> bool:
        """Is it that one?"""
        return int(gdb.selected_frame().read_var("reply")["tag"]) == self.tag


class AllocBreakpoint(gdb.Breakpoint):  # type: ignore[misc]
    """Stops when pages were handed out, in the call that tells of it."""

    def __init__(self, area: str, order: int | None, address: int | None) -> None:
        super().__init__("journal_event")
        self.area, self.order, self.address = area, order, address

    def stop(self) -> bool:
        """Are they what is waited for?"""
        frame = gdb.selected_frame()
        event, pages = frame.read_var("event"), int(frame.read_var("pages"))
        first = int(frame.read_var("first")["n"])
        if str(event) != "PAGES_ALLOC" or (self.order is not None and pages != 1 << self.order):
            return False
        if self.address is not None and not first <= self.address >> 12 < first + pages:
            return False
        return self.area in ("", area_of(first))


def area_of(frame: int) -> str:
    """The area in which a frame lies."""
    at = gdb.parse_and_eval("lab")
    for i in range(int(at["nareas"])):
        if frame < int(at["areas"][i]["limit"]["n"]):
            return str(at["areas"][i]["name"].string())
    return ""


class BreakTag(gdb.Command):  # type: ignore[misc]
    """Stop when the request of that number is about to run.
Usage: pfn break-tag N"""

    def __init__(self) -> None:
        super().__init__("pfn break-tag", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Set it."""
        if not argument.strip():
            raise gdb.GdbError("usage: pfn break-tag N")
        try:
            TagBreakpoint(decode_lab.number(argument.strip()))
        except PfnlabError as error:
            raise gdb.GdbError(str(error)) from None


class BreakAlloc(gdb.Command):  # type: ignore[misc]
    """Stop when pages have been handed out: of an area, of an order, or over an address.
Usage: pfn break-alloc [area=NAME] [order=N] [address=ADDRESS]"""

    KEYS = ("area=", "order=", "address=")

    def __init__(self) -> None:
        super().__init__("pfn break-alloc", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Set it."""
        given = dict(word.partition("=")[::2] for word in gdb.string_to_argv(argument))
        for key, value in given.items():
            if f"{key}=" not in self.KEYS or not value:
                raise gdb.GdbError(f"break-alloc takes {' '.join(self.KEYS)} and a value, not "
                                   f"{key}={value}")
        try:
            now = lab()
            names = decode_lab.area_names(now.at)
            if given.get("area", names[0]) not in names:
                raise NoAnswer(f"no such area: {given['area']}; there are: {' '.join(names)}")
            order = now.order(given["order"]) if "order" in given else None
            where = decode_lab.number(evaluate(given["address"])) if "address" in given else None
        except PfnlabError as error:
            raise gdb.GdbError(str(error)) from None
        AllocBreakpoint(given.get("area", ""), order, where)

    def complete(self, text: str, word: str) -> list[str]:
        """The keys, and the names of areas."""
        if text.endswith(f"area={word}"):
            return areas_named(word)
        return [key for key in self.KEYS if key.startswith(word)]


class WatchPage(gdb.Command):  # type: ignore[misc]
    """Stop when what is written of a page changes: a watchpoint on each byte that tells it now.
Usage: pfn watch-page ADDRESS"""

    def __init__(self) -> None:
        super().__init__("pfn watch-page", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Set them."""
        if not argument.strip():
            raise gdb.GdbError("usage: pfn watch-page ADDRESS")
        try:
            frame = decode_lab.number(evaluate(argument.strip())) >> 12
            found = lab().places(frame)
        except PfnlabError as error:
            raise gdb.GdbError(str(error)) from None
        if not found:
            raise gdb.GdbError("no allocator knows the page")
        for place in found:
            print(place)
            gdb.Breakpoint(f"*(unsigned char *) {place.address:#x}", gdb.BP_WATCHPOINT,
                           gdb.WP_WRITE)


class TreeFunction(gdb.Function):  # type: ignore[misc]
    """The page engine's tree: $pfn_tree()->area[0].free, to print and to watch."""

    def __init__(self) -> None:
        super().__init__("pfn_tree")

    def invoke(self) -> Any:
        """A pointer to it. gdb.GdbError: the guest has another engine."""
        name = gdb.parse_and_eval("lab.engine->name").string()
        if name != "tree":
            raise gdb.GdbError(f"the engine is `{name}`, not `tree`")
        kind = gdb.lookup_type("struct page_tree").pointer()
        return gdb.parse_and_eval("lab.pages.state").cast(kind)


def register() -> None:
    """All of it."""
    register_printers()
    Prefix()
    for name in QUESTIONS:
        Ask(name)
    for command in (BreakTag, BreakAlloc, WatchPage, TreeFunction):
        command()
    Compare(Send())
    if gdb.lookup_global_symbol("arch_halt") is not None:
        Panicked()


def batch(commands: list[str], results: int | None = None) -> None:
    """Run commands of gdb and end it: status 1 if one failed. What runs must come to a stop. What
    they say goes to the file descriptor `results`, a line of JSON for each, if there is one."""
    failed = False
    gdb.execute("set confirm off")
    for command in commands:
        said, complaint, Ask.broken = "", "", False
        try:
            said = gdb.execute(command, to_string=results is not None) or ""
        except gdb.error as error:
            complaint = str(error)
            print(f"{command}: {error}", file=sys.stderr, flush=True)
        well = not (complaint or Ask.broken)
        failed |= not well
        if results is not None:
            told = {"command": command, "ok": well, "rows": said.splitlines(),
                    **({"text": complaint} if complaint else {})}
            os.write(results, f"{json.dumps(told)}\n".encode())
    gdb.execute(f"quit {int(failed)}")


register()
