# SPDX-License-Identifier: MIT
"""The memory of a guest seen through the types of its program, whoever gives the memory: gdb, a
dump, the guest's process.

    lab = image.variable("lab", "kernel/lab.c")
    int(lab["nareas"]), lab["areas"][0]["name"].text()
"""
from __future__ import annotations

from abc import ABC, abstractmethod

from pfnlab.dwarf import Program, Type
from pfnlab.errors import PfnlabError

_PAGE = 4096
_MANY = 1 << 24                   # bytes or elements: more are no count, but memory that is broken


class Unreadable(PfnlabError):
    """There is no memory at an address, or none that can be had."""


class Memory(ABC):
    """Memory by virtual address. What was read once is taken for what it still is: make another one
    when the guest may have run in between."""

    def __init__(self) -> None:
        self._pages: dict[int, bytes] = {}

    @abstractmethod
    def fetch(self, address: int, size: int) -> bytes:
        """Bytes that lie in one page. Unreadable: there are none."""

    def read(self, address: int, size: int) -> bytes:
        """Any bytes. Unreadable: some are not there."""
        if size > _MANY:
            raise Unreadable(f"{size} bytes at {address:#x} are too many to be true")
        parts, end = [], address + size
        while address < end:
            start = address & ~(_PAGE - 1)
            page = self._pages.get(start)
            if page is None:
                page = self._pages[start] = self.fetch(start, _PAGE)
            parts.append(page[address - start:min(end - start, _PAGE)])
            address = start + _PAGE
        return b"".join(parts)


class Value:
    """An object of the program at an address. Fields by name, elements by number; through a pointer
    as well."""

    def __init__(self, image: Image, kind: Type, address: int) -> None:
        self.image, self.type, self.address = image, kind, address

    def __getitem__(self, key: str | int) -> Value:
        if self.type.kind == "pointer":
            return self.target()[key] if isinstance(key, str) else self._element(int(self), key)
        if isinstance(key, int):
            return self._element(self.address, key)
        field = self.type.fields[key]
        if field.bits:
            return BitField(self.image, field.type, self.address, field.bit_offset, field.bits)
        return Value(self.image, field.type, self.address + field.offset)

    def _element(self, address: int, number: int) -> Value:
        assert self.type.target is not None
        return Value(self.image, self.type.target, address + number * self.type.target.size)

    def has(self, name: str) -> bool:
        """Does the structure have such a field?"""
        return name in self.type.fields

    def target(self) -> Value:
        """What a pointer points to. Unreadable: nowhere."""
        assert self.type.target is not None
        if int(self) == 0:
            raise Unreadable("a null pointer")
        return Value(self.image, self.type.target, int(self))

    def cast(self, kind: Type) -> Value:
        """The same place as another type; of a pointer, what it points to."""
        return Value(self.image, kind, int(self) if self.type.kind == "pointer" else self.address)

    def __int__(self) -> int:
        """A number, a pointer, an enumerator; of a structure of one field, that."""
        if self.type.kind == "struct":
            return int(self[next(iter(self.type.fields))])
        return self.image.number(self.address, self.type.size, self.type.signed)

    def __bool__(self) -> bool:
        return int(self) != 0

    def words(self) -> list[int]:
        """All the numbers of an array, or of a structure, of which all have one size."""
        size = self.type.word
        data = self.image.memory.read(self.address, self.type.size)
        return [int.from_bytes(data[i:i + size], self.image.order)
                for i in range(0, self.type.size, size)]

    def elements(self, count: int | None = None) -> list[Value]:
        """Those of an array; `count` where only the program knows it."""
        number = self.type.count if count is None else count
        if number > _MANY:
            raise Unreadable(f"{number} elements at {self.address:#x} are too many to be true")
        return [self[i] for i in range(number)]

    def text(self) -> str:
        """A string: in an array, or pointed to."""
        if self.type.kind == "pointer":
            data = b""
            while b"\0" not in data and len(data) < 256:
                data += self.image.memory.read(int(self) + len(data), 1)
        else:
            data = self.image.memory.read(self.address, self.type.size)
        return data.partition(b"\0")[0].decode("ascii", "replace")

    def enumerator(self) -> str:
        """The name of an enumeration's value, or its number."""
        return self.type.names.get(int(self), str(int(self)))


class BitField(Value):
    """A field of less than its type's bits."""

    def __init__(self, image: Image, kind: Type, address: int, offset: int, bits: int) -> None:
        super().__init__(image, kind, address)
        self._offset, self._bits = offset, bits

    def __int__(self) -> int:
        first, last = self._offset // 8, (self._offset + self._bits - 1) // 8
        data = self.image.memory.read(self.address + first, last - first + 1)
        within = self._offset - first * 8
        if self.image.order == "big":           # there, bits are counted from the other end
            within = len(data) * 8 - within - self._bits
        return int.from_bytes(data, self.image.order) >> within & (1 << self._bits) - 1


class Image:
    """A program in memory: `base` is where its address 0 is."""

    def __init__(self, program: Program, memory: Memory, base: int = 0) -> None:
        self.program, self.memory, self.base = program, memory, base
        self.order = program.order

    def number(self, address: int, size: int, signed: bool = False) -> int:
        """A number in memory."""
        return int.from_bytes(self.memory.read(address, size), self.order, signed=signed)

    def variable(self, name: str, unit: str) -> Value:
        """A variable of a source file."""
        address, kind = self.program.variable(name, unit)
        return Value(self, kind, self.base + address)

    def constant(self, name: str, unit: str) -> int:
        """A constant that a source file uses."""
        return self.program.constant(name, unit)

    def type(self, name: str, unit: str) -> Type:
        """A type of a source file."""
        return self.program.type(name, unit)
