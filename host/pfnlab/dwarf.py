# SPDX-License-Identifier: MIT
"""What a program's debug information says of its types and variables (pyelftools): where a field
is, how long an array, what an enumerator is called. Nothing of it is written down anywhere else.

A type or a variable is named together with the source file that defines it, as the debuggers do it:
`program.variable("lab", "kernel/lab.c")`. Only the files that are asked for are read.
"""
from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pfnlab.errors import PfnlabError

_TRANSPARENT = ("DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_restrict_type",
                "DW_TAG_atomic_type")
_OP_ADDR, _OP_ADDRX = 0x03, 0xa1
_SIGNED = (0x05, 0x06)            # DW_ATE_signed, _signed_char
_BOOLEAN, _UNSIGNED_CHAR = 0x02, 0x08


class DebugError(PfnlabError):
    """The program has no such type or variable, or no debug information at all."""


@dataclass
class Field:
    """A member of a structure."""

    type: Type
    offset: int
    bit_offset: int = 0           # of a bit field: from the first bit of the structure, as numbered
    bits: int = 0                 # in the program's byte order; 0: it is none


@dataclass
class Type:
    """A type. `kind` is int, pointer, struct (or union), array, enum, or other."""

    kind: str
    name: str
    size: int = 0
    signed: bool = False
    fields: dict[str, Field] = field(default_factory=dict)
    target: Type | None = None    # of a pointer or an array
    count: int = 0                # of an array
    names: dict[int, str] = field(default_factory=dict)     # of an enum
    complete: bool = True         # false: declared only, its fields are told elsewhere

    @property
    def words(self) -> bool:
        """Does it consist of numbers of one size only, so that they can be read at once?"""
        return self.word != 0

    @property
    def word(self) -> int:
        """The size of these numbers; 0: it does not."""
        if self.kind in ("int", "pointer", "enum"):
            return self.size
        if self.kind == "array" and self.target is not None:
            return self.target.word
        sizes = {f.type.word for f in self.fields.values() if not f.bits}
        return sizes.pop() if len(sizes) == 1 else 0


def open_program(path: Path) -> Program:
    """A program as its file is now; read once."""
    return _opened(path, path.stat().st_mtime)


@functools.lru_cache(maxsize=8)
def _opened(path: Path, changed: float) -> Program:
    return Program(path)


class Program:
    """An ELF file with debug information. DebugError: it has none."""

    def __init__(self, path: Path) -> None:
        from elftools.elf.elffile import ELFFile  # type: ignore[import]
        self.path = path
        self._elf = elf = ELFFile(open(path, "rb"))      # read as it is needed
        if not elf.has_dwarf_info():
            raise DebugError(f"{path} has no debug information")
        self.order: Literal["little", "big"] = "little" if elf.little_endian else "big"
        self.machine = str(elf["e_machine"])
        self._dwarf = elf.get_dwarf_info()
        self._more = self._dwarf.iter_CUs()
        self._units: dict[str, Any] = {}
        self._indices: dict[str, dict[tuple[str, str], Any]] = {}
        self._types: dict[int, Type] = {}
        symbols = elf.get_section_by_name(".symtab")
        self._symbols = {s.name: int(s["st_value"]) for s in symbols.iter_symbols()} \
            if symbols else {}

    def symbol(self, name: str) -> int | None:
        """The address of a global symbol, as the file has it."""
        return self._symbols.get(name)

    def has_unit(self, unit: str) -> bool:
        """Is there a source file of that name in the program?"""
        while unit not in self._units:
            cu = next(self._more, None)
            if cu is None:
                return False
            self._units.setdefault(_name(cu.get_top_DIE()), cu)
        return True

    def _index(self, unit: str) -> dict[tuple[str, str], Any]:
        """What a source file defines: by kind and name."""
        if unit not in self._indices:
            if not self.has_unit(unit):
                raise DebugError(f"{self.path} has nothing of {unit}")
            found: dict[tuple[str, str], Any] = {}
            for die in self._units[unit].get_top_DIE().iter_children():
                key = (_kind(die), _name(die))
                if "DW_AT_specification" in die.attributes:
                    key = (_kind(die), _name(die.get_DIE_from_attribute("DW_AT_specification")))
                if key[1] and not (key in found and "DW_AT_declaration" in die.attributes):
                    found[key] = die
                if die.tag == "DW_TAG_enumeration_type":
                    found |= {("constant", _name(one)): one for one in die.iter_children()}
            self._indices[unit] = found
        return self._indices[unit]

    def type(self, name: str, unit: str) -> Type:
        """The structure, union, enumeration or typedef of that name."""
        index = self._index(unit)
        for kind in ("type", "typedef"):
            if (kind, name) in index:
                return self._type(index[kind, name])
        raise DebugError(f"{unit} has no type {name}")

    def constant(self, name: str, unit: str) -> int:
        """The value of an enumerator, or of a constant that needs no memory, which the source file
        uses."""
        index = self._index(unit)
        die = index.get(("constant", name), index.get(("variable", name)))
        if die is None or not {"DW_AT_const_value", "DW_AT_location"} & set(die.attributes):
            raise DebugError(f"{unit} uses no constant {name}")
        if "DW_AT_const_value" not in die.attributes:
            return self._stored(die, name)
        value = die.attributes["DW_AT_const_value"].value
        if not isinstance(value, int):
            value = int.from_bytes(bytes(value), self.order)
        size = self._target(die).size if die.tag == "DW_TAG_variable" else 0
        return int(value) & (1 << 8 * size) - 1 if size else int(value)

    def _stored(self, die: Any, name: str) -> int:
        """A constant that has memory all the same: as the file holds it."""
        address, size = self._address(die, name), self._target(die).size
        section = next(s for s in self._elf.iter_sections()
                       if s["sh_flags"] & 2 and s["sh_type"] == "SHT_PROGBITS"
                       and s["sh_addr"] <= address < s["sh_addr"] + s["sh_size"])
        start = address - section["sh_addr"]
        return int.from_bytes(section.data()[start:start + size], self.order)

    def has_variable(self, name: str, unit: str) -> bool:
        """Does the source file define a variable of that name?"""
        return self.has_unit(unit) and ("variable", name) in self._index(unit)

    def variable(self, name: str, unit: str) -> tuple[int, Type]:
        """Address, as the file has it, and type of a variable, a static one too."""
        die = self._index(unit).get(("variable", name))
        if die is None or "DW_AT_location" not in die.attributes:
            raise DebugError(f"{unit} has no variable {name}")
        typed = die if "DW_AT_type" in die.attributes \
            else die.get_DIE_from_attribute("DW_AT_specification")
        return self._address(die, name), self._target(typed)

    def _address(self, die: Any, name: str) -> int:
        code = bytes(die.attributes["DW_AT_location"].value)
        if code[0] == _OP_ADDR:
            return int.from_bytes(code[1:], self.order)
        if code[0] == _OP_ADDRX:
            return self._address_numbered(die.cu, _uleb(code[1:]))
        raise DebugError(f"{name} has no address of its own")

    def _address_numbered(self, cu: Any, number: int) -> int:
        """From the table of addresses that clang makes."""
        base = cu.get_top_DIE().attributes["DW_AT_addr_base"].value
        size = cu["address_size"]
        stream = self._dwarf.debug_addr_sec.stream
        stream.seek(base + number * size)
        return int.from_bytes(stream.read(size), self.order)

    # ---- types ----

    def _target(self, die: Any) -> Type:
        if "DW_AT_type" not in die.attributes:
            return Type("other", "void")
        return self._type(die.get_DIE_from_attribute("DW_AT_type"))

    def _type(self, die: Any) -> Type:
        known = self._types.get(die.offset)
        if known is None:
            if die.tag in _TRANSPARENT:
                known = self._target(die)
            elif die.tag == "DW_TAG_typedef":
                known = self._typedef(die)
            else:
                known = Type(_KINDS.get(die.tag, "other"), _name(die), _attribute(die, "byte_size"))
                self._types[die.offset] = known      # before what it consists of: it may be itself
                self._fill(known, die)
            self._types[die.offset] = known
        return known

    def _typedef(self, die: Any) -> Type:
        """What has no name of its own has that of the typedef."""
        known = self._target(die)
        known.name = known.name or _name(die)
        return known

    def _fill(self, known: Type, die: Any) -> None:
        if known.kind == "int":
            encoding = _attribute(die, "encoding")
            known.signed = encoding in _SIGNED
        elif known.kind == "struct":
            known.complete = "DW_AT_declaration" not in die.attributes
            known.fields = dict(self._fields(die))
        elif known.kind == "enum":
            known.names = {_attribute(child, "const_value"): _name(child)
                           for child in die.iter_children()}
        elif known.kind == "pointer":
            known.target = self._target(die)
            known.size = known.size or die.cu["address_size"]
        elif known.kind == "array":
            self._fill_array(known, die)

    def _fill_array(self, known: Type, die: Any) -> None:
        """Of several dimensions: the last one is the innermost array."""
        inner = self._target(die)
        counts = [_count(child) for child in die.iter_children()]
        for count in reversed(counts[1:]):
            inner = Type("array", "", inner.size * count, target=inner, count=count)
        known.target, known.count = inner, counts[0] if counts else 0
        known.size = inner.size * known.count

    def _fields(self, die: Any) -> Iterator[tuple[str, Field]]:
        for child in die.iter_children():
            if child.tag != "DW_TAG_member":
                continue
            kind = self._target(child)
            bits = _attribute(child, "bit_size")
            offset = _attribute(child, "data_member_location")
            if _name(child):
                yield _name(child), Field(kind, offset, _attribute(child, "data_bit_offset"), bits)
            else:                 # a union without a name: its members are ours
                for name, one in kind.fields.items():
                    yield name, Field(one.type, offset + one.offset, one.bit_offset, one.bits)


_KINDS = {"DW_TAG_base_type": "int", "DW_TAG_pointer_type": "pointer",
          "DW_TAG_structure_type": "struct", "DW_TAG_union_type": "struct",
          "DW_TAG_array_type": "array", "DW_TAG_enumeration_type": "enum"}
_INDEXED = {"DW_TAG_structure_type": "type", "DW_TAG_union_type": "type",
            "DW_TAG_enumeration_type": "type", "DW_TAG_typedef": "typedef",
            "DW_TAG_variable": "variable"}


def _kind(die: Any) -> str:
    return _INDEXED.get(die.tag, "")


def _name(die: Any) -> str:
    found = die.attributes.get("DW_AT_name")
    return str(found.value.decode()) if found is not None else ""


def _attribute(die: Any, name: str) -> int:
    found = die.attributes.get(f"DW_AT_{name}")
    return int(found.value) if found is not None and isinstance(found.value, int) else 0


def _count(die: Any) -> int:
    """Of a dimension; 0 if nobody says it."""
    if "DW_AT_count" in die.attributes:
        return _attribute(die, "count")
    return _attribute(die, "upper_bound") + 1 if "DW_AT_upper_bound" in die.attributes else 0


def _uleb(code: bytes) -> int:
    value = 0
    for i, byte in enumerate(code):
        value |= (byte & 0x7f) << 7 * i
        if byte < 0x80:
            break
    return value
