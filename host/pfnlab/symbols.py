# SPDX-License-Identifier: MIT
"""Addresses of a guest as functions and source lines, from the program's own symbols (pyelftools).
"""
from __future__ import annotations

import bisect
import functools
import re
from pathlib import Path
from typing import Any

from pfnlab.doors import program_of
from pfnlab.guest import Guest


class Symbols:
    """Functions and lines of an ELF file; `lines` are (address, file, number) where each begins."""

    def __init__(self, path: Path) -> None:
        from elftools.elf.elffile import ELFFile  # type: ignore[import]
        with open(path, "rb") as file:
            elf = ELFFile(file)
            self._functions = sorted(_functions(elf))
            self.lines = sorted(_lines(elf))

    def _end(self, i: int) -> int:
        """Where a function ends; of one in assembly nobody says it."""
        start, size, _ = self._functions[i]
        following = self._functions[i + 1][0] if i + 1 < len(self._functions) else start + 1
        return start + size if size else following

    def at(self, address: int) -> str:
        """The function and line of an address; empty if it is in none."""
        i = bisect.bisect_right(self._functions, (address, 1 << 64, "")) - 1
        if i < 0 or address >= self._end(i):
            return ""
        j = bisect.bisect_right(self.lines, (address, "\U0010ffff", 0)) - 1
        place = f" {self.lines[j][1]}:{self.lines[j][2]}" if j >= 0 else ""
        return f"{self._functions[i][2]}(){place}"


def _functions(elf: Any) -> list[tuple[int, int, str]]:
    table = elf.get_section_by_name(".symtab")
    return [(s["st_value"], s["st_size"], s.name) for s in (table.iter_symbols() if table else ())
            if s["st_info"]["type"] == "STT_FUNC"]


def _lines(elf: Any) -> list[tuple[int, str, int]]:
    """The line program of each unit: where a line begins, its file, its number."""
    found: list[tuple[int, str, int]] = []
    dwarf = elf.get_dwarf_info() if elf.has_dwarf_info() else None
    for unit in dwarf.iter_CUs() if dwarf else ():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        names = [_file_name(program, entry) for entry in program["file_entry"]]
        first = 0 if program["version"] >= 5 else 1
        for entry in program.get_entries():
            state = entry.state
            if state is not None and not state.end_sequence:
                found.append((state.address, names[state.file - first], state.line))
    return found


def _file_name(program: Any, entry: Any) -> str:
    directories = program["include_directory"]
    number = entry.dir_index - (0 if program["version"] >= 5 else 1)
    name = str(entry.name.decode())
    if 0 <= number < len(directories):
        directory = str(directories[number].decode())
        return name if directory in (".", "") or directory.startswith("/") and number == 0 \
            else f"{directory}/{name}"
    return name


@functools.lru_cache(maxsize=8)
def _symbols(path: Path, changed: float) -> Symbols:
    return Symbols(path)


def symbols_of(guest: Guest) -> Symbols | None:
    """Those of the guest's program; None if it is not in the tree, or pyelftools is missing."""
    path = program_of(guest.arch)
    try:
        return _symbols(path, path.stat().st_mtime)
    except (OSError, ImportError):
        return None


def backtrace(guest: Guest, lines: list[str]) -> list[str]:
    """The lines of a panic, or any others that name addresses of the program, symbolised: one line
    for each frame, newest first."""
    frames = []
    for line in lines:
        if line.startswith("% bt "):           # return addresses: the call is in front of them
            frames += [(int(a, 16), 1) for a in re.findall(r"0x[0-9a-f]+", line)]
        else:
            back = int(" at=" in line)         # who called panic(), not what faulted
            frames += [(int(a, 16), back) for a in re.findall(r"\bpc=(0x[0-9a-f]+)", line)]
    symbols = symbols_of(guest) if frames else None        # reading them takes seconds
    if symbols is None:
        return []
    out = []
    for address, back in frames:
        found = symbols.at(address - guest.load_base - back)
        if found:
            out.append(f"{address:#018x} {found}")
    return out
