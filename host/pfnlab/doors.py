# SPDX-License-Identifier: MIT
"""Doors to the memory of a guest, beside gdb's own (pfnlab.gdb_commands): a process of this host, a
dump of QEMU or of a process, plain memory in a file; and how such dumps are made.

The guests' kernels lie in the direct map: what has the number of a physical address there is that
memory.
"""
from __future__ import annotations

import bisect
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pfnlab.decode import Image, Memory, Unreadable
from pfnlab.dwarf import open_program
from pfnlab.errors import PfnlabError
from pfnlab.spec import project_root

MACHINES = {"EM_X86_64": "x86_64", "EM_386": "i386", "EM_S390": "s390x"}


class NoDump(PfnlabError):
    """A file is no dump of a guest that could be told."""


def program_of(arch: str) -> Path:
    """The program of the guest of that architecture in the tree, symbols included: of an ISO,
    too."""
    kind = "llvm/" if os.environ.get("LLVM") else ""
    name = "pfnlab" if arch == "native" else "kernel.elf"
    return project_root() / "build" / f"{kind}{arch}" / name


class ProcessMemory(Memory):
    """That of a process of this host."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._file = open(f"/proc/{pid}/mem", "rb", buffering=0)

    def fetch(self, address: int, size: int) -> bytes:
        """As Memory's."""
        try:
            data = os.pread(self._file.fileno(), size, address)
        except (OSError, OverflowError):
            data = b""
        if len(data) != size:
            raise Unreadable(f"the process has no memory at {address:#x}")
        return data


@dataclass(order=True)
class Segment:
    """A run of memory in a file."""

    address: int
    size: int                     # in memory
    offset: int                   # in the file
    stored: int                   # bytes there; the rest is zero


class FileMemory(Memory):
    """Memory in a file."""

    def __init__(self, file: BinaryIO, segments: list[Segment]) -> None:
        super().__init__()
        self._file = file
        self._segments = sorted(segments)

    def fetch(self, address: int, size: int) -> bytes:
        """As Memory's."""
        i = bisect.bisect_right(self._segments, address, key=lambda s: s.address) - 1
        segment = self._segments[i] if i >= 0 else Segment(0, 0, 0, 0)
        within = address - segment.address
        if within + size > segment.size:
            raise Unreadable(f"no memory at {address:#x} in the file")
        stored = max(0, min(size, segment.stored - within))
        self._file.seek(segment.offset + within)
        data = self._file.read(stored)
        if len(data) < stored:
            raise Unreadable(f"the file ends before what it has of {address:#x}")
        return data + bytes(size - len(data))


class Both(Memory):
    """A memory, and another one for what it lacks."""

    def __init__(self, first: Memory, second: Memory) -> None:
        super().__init__()
        self._first, self._second = first, second

    def fetch(self, address: int, size: int) -> bytes:
        """As Memory's."""
        try:
            return self._first.fetch(address, size)
        except Unreadable:
            return self._second.fetch(address, size)


@dataclass
class Dump:
    """A guest in a file: its memory by its program, and where each processor was."""

    image: Image
    arch: str
    places: list[int]             # program counters, if the file has them


def open_dump(path: Path, arch: str | None = None, program: Path | None = None) -> Dump:
    """A dump of QEMU, a core of the native guest, or, with `arch`, memory from address 0 on as
    pmemsave writes it. NoDump: it is none, or nobody says of which machine."""
    file = open(path, "rb")
    if file.read(4) != b"\x7fELF":
        if arch is None:
            raise NoDump(f"{path} is no ELF file: say with --arch of which machine it is")
        segments = [Segment(0, path.stat().st_size, 0, path.stat().st_size)]
        image = Image(open_program(program or program_of(arch)), FileMemory(file, segments))
        return Dump(image, arch, [])
    elf, loads = _core(path, file)
    notes = [n for s in elf.iter_segments() if s["p_type"] == "PT_NOTE" for n in _notes(elf, s)]
    process = any(kind == _NT_FILE for kind, _ in notes)      # QEMU writes none
    arch = arch or ("native" if process else MACHINES.get(elf["e_machine"]))
    if arch is None:
        raise NoDump(f"{path} is of a machine that is none of ours: {elf['e_machine']}")
    where = "p_vaddr" if process else "p_paddr"
    memory: Memory = FileMemory(file, [Segment(s[where], s["p_memsz"], s["p_offset"],
                                               s["p_filesz"]) for s in loads])
    path = program or program_of(arch)
    base = next((base_of(path, _start_in(data, path)) for kind, data in notes
                 if kind == _NT_FILE), 0)
    if process:                   # what the program cannot write is in its file only
        memory = Both(memory, _constants(path, base))
    places = [_place(elf, data) for kind, data in notes if kind == _NT_PRSTATUS]
    return Dump(Image(open_program(path), memory, base), arch, places)


def _core(path: Path, file: BinaryIO) -> tuple[Any, list[Any]]:
    """An ELF core and its memory. NoDump: it is none, or not all of one."""
    from elftools.common.exceptions import ELFError  # type: ignore[import]
    from elftools.elf.elffile import ELFFile  # type: ignore[import]
    try:
        elf = ELFFile(file)
        segments = list(elf.iter_segments())
    except (ELFError, AttributeError, TypeError) as error:     # pyelftools' own, of heads cut off
        raise NoDump(f"{path} is no whole ELF file: {error}") from None
    loads = [s for s in segments if s["p_type"] == "PT_LOAD"]
    if elf["e_type"] != "ET_CORE" or not loads:
        raise NoDump(f"{path} is no dump of memory")
    end, size = max(s["p_offset"] + s["p_filesz"] for s in segments), path.stat().st_size
    if size < end:
        raise NoDump(f"{path} is cut off: {end - size} of {end} bytes are not there")
    return elf, loads


def open_process(pid: int, program: Path | None = None) -> Dump:
    """A native guest that runs, as it is; it is not stopped for that, and what it does meanwhile
    may be seen half done. NoDump: there is no such process, or it is not ours to look at."""
    try:
        path = program or Path(os.readlink(f"/proc/{pid}/exe"))
        first = min((start for start, _, _, name in _mappings(pid)
                     if name == os.path.realpath(path)), default=0)
        image = Image(open_program(path), ProcessMemory(pid), base_of(path, first))
        return Dump(image, "native", _places(pid))
    except OSError as error:
        raise NoDump(f"process {pid} cannot be looked at: {error.strerror}") from None


def _places(pid: int) -> list[int]:
    """Program counters of the threads that wait in the system; of those that run nobody tells."""
    tasks = sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda task: int(task.name))
    told = []
    for task in tasks:
        with suppress(FileNotFoundError, ProcessLookupError):      # it has ended since
            told.append((task / "syscall").read_text().split())
    return [int(words[-1], 16) for words in told if len(words) > 2]


def _constants(program: Path, base: int) -> Memory:
    from elftools.elf.elffile import ELFFile
    file = open(program, "rb")
    return FileMemory(file, [
        Segment((base + s["p_vaddr"]) & ~4095, s["p_filesz"] + s["p_vaddr"] % 4096 + 4095 & ~4095,
                s["p_offset"] & ~4095, s["p_filesz"] + s["p_vaddr"] % 4096)
        for s in ELFFile(file).iter_segments() if s["p_type"] == "PT_LOAD"])


_NT_PRSTATUS, _NT_FILE = 1, 0x46494c45
_ET_EXEC = 2                      # a program that lies where its file says
# Of the elf_prstatus of a Linux process of that machine, which QEMU writes as well: where the
# program counter is.
_PLACE_AT = {"EM_X86_64": (112 + 16 * 8, 8), "EM_386": (72 + 12 * 4, 4), "EM_S390": (112 + 8, 8)}


def _notes(elf: Any, segment: Any) -> list[tuple[int, bytes]]:
    """The notes of a segment, whose names are not ours to judge."""
    order = "little" if elf.little_endian else "big"
    data, found, at = segment.data(), [], 0

    def number(where: int) -> int:
        return int.from_bytes(data[where:where + 4], "little" if order == "little" else "big")
    while at + 12 <= len(data):
        name, size, kind = number(at), number(at + 4), number(at + 8)
        start = at + 12 + (name + 3 & ~3)
        if data[at + 12:at + 16] == b"CORE":
            found.append((kind, data[start:start + size]))
        at = start + (size + 3 & ~3)
    return found


def _place(elf: Any, data: bytes) -> int:
    at, size = _PLACE_AT[elf["e_machine"]]
    return int.from_bytes(data[at:at + size], "little" if elf.little_endian else "big")


def base_of(program: Path, start: int) -> int:
    """Where address 0 of a program is whose first byte a process has at `start`."""
    with open(program, "rb") as file:
        kind = file.read(18)[16:]
    return 0 if int.from_bytes(kind, sys.byteorder) == _ET_EXEC else start


def _start_in(data: bytes, program: Path) -> int:
    """Where a process has its program, by the note that lists its files."""
    count = int.from_bytes(data[:8], "little")
    names = data[16 + count * 24:].split(b"\0")
    starts = [int.from_bytes(data[16 + i * 24:][:8], "little") for i in range(count)]
    return min((start for start, name in zip(starts, names, strict=False)
                if os.path.basename(name) == program.name.encode()), default=0)


# ---- making dumps ----

_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r(.)\S+ [0-9a-f]+ \S+ \d+ *(.*)")
_SHADOW = 1 << 40                 # bytes: what a sanitizer keeps for itself is larger
_PRESENT = 1 << 63 | 1 << 62      # in /proc/PID/pagemap: in memory, or swapped out


def _mappings(pid: int) -> list[tuple[int, int, bool, str]]:
    """What a process has: start, end, may it be written, of which file."""
    return [(int(m[1], 16), int(m[2], 16), m[3] == "w", m[4]) for m in
            map(_MAPPING.match, Path(f"/proc/{pid}/maps").read_text().splitlines()) if m]


def dump_process(pid: int, path: Path, program: Path) -> None:
    """Write what a process can write, and has ever touched, as an ELF core; it is not stopped for
    that. The file has holes where the memory has."""
    maps = _mappings(pid)
    first = min((start for start, _, _, name in maps if name == os.path.realpath(program)),
                default=0)
    # Of the program also what it can no longer write: constants that were relocated.
    runs = [(start, end) for start, end, writable, name in maps
            if end - start < _SHADOW and (writable or name == os.path.realpath(program))]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, open(path, "wb") as file, \
            open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        offset = _write_heads(file, runs, _file_note(first, program))
        for start, end in runs:
            for at in _touched(pagemap, start, end):
                file.seek(offset + at - start)
                file.write(os.pread(memory.fileno(), 4096, at))
            offset += end - start
        file.truncate(offset)


def _touched(pagemap: BinaryIO, start: int, end: int) -> list[int]:
    """The pages of a run that there are."""
    pagemap.seek(start // 4096 * 8)
    entries = memoryview(pagemap.read((end - start) // 4096 * 8)).cast("Q")
    return [start + i * 4096 for i, entry in enumerate(entries) if entry & _PRESENT]


def _file_note(first: int, program: Path) -> bytes:
    name = os.path.realpath(program).encode() + b"\0"
    words = (1, 4096, first, first + 4096, 0)
    data = b"".join(word.to_bytes(8, "little") for word in words) + name
    data += bytes(-len(data) % 4)
    return b"".join(n.to_bytes(4, "little") for n in (5, len(data), _NT_FILE)) + b"CORE\0\0\0\0" \
        + data


def _write_heads(file: BinaryIO, runs: list[tuple[int, int]], note: bytes) -> int:
    """The heads of a core of this host's kind (x86_64, System V ABI); where the memory begins."""
    import struct
    heads = 64 + 56 * (len(runs) + 1)
    first = heads + len(note) + 4095 & ~4095
    file.write(struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 4, 62, 1, 0, 64, 0, 0, 64, 56,
                           len(runs) + 1, 0, 0, 0))
    file.write(struct.pack("<IIQQQQQQ", 4, 0, heads, 0, 0, len(note), len(note), 4))
    offset = first
    for start, end in runs:
        file.write(struct.pack("<IIQQQQQQ", 1, 6, offset, start, 0, end - start, end - start, 4096))
        offset += end - start
    file.write(note)
    return first
