# SPDX-License-Identifier: MIT
"""What instructions do with memory: each access is of a scalar that is there, of the array or the
member that its place was made of, alive, and written before it is read."""
from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import z3

from tests.proof.llvm import Module, Unknown, split
from tests.proof.questions import Questions
from tests.proof.values import (GONE, NOWHERE, WIDE, Path, Pointer, Refuted, Value, known, signed,
                                vector)


class Memory(Questions):
    """Operands and objects of a module."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module

    # ---- operands ----

    def value(self, text: str, scope: dict[str, Value]) -> Value:
        """An operand; a negative number is two's complement once its width is known."""
        if text.startswith("%"):
            return scope[text]
        if re.fullmatch(r"-?\d+", text):
            return int(text)
        if text in ("true", "false"):
            return int(text == "true")
        if text == "null":
            return NOWHERE
        raise Unknown(f"operand {text}")

    def operand(self, text: str, width: int, scope: dict[str, Value]) -> Value:
        """An operand of so many bits."""
        value = self.value(text, scope)
        return value & ((1 << width) - 1) if isinstance(value, int) else value

    def pointer(self, text: str, scope: dict[str, Value], path: Path) -> Pointer:
        """An operand that is a place; a constant lies where it is first asked for."""
        if not text.startswith("@"):
            value = self.value(text, scope)
            assert isinstance(value, Pointer)
            path.content(value)
            return value
        kind, values = self.module.constants[text]
        sizes, numbers = self.module.slots(kind), self.module.numbers(kind, values)
        if len(sizes) != len(numbers):
            raise Unknown(f"constant {text}")
        return path.new(sizes, numbers)

    # ---- places ----

    def _alloca(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        kind = re.sub(r", align \d+$", "", rest)
        self.module.size(kind)
        return path.new(self.module.slots(kind))

    def lifetime(self, at: Pointer, begins: bool, path: Path) -> None:
        """Of a variable: its content is nobody's to read any more, or yet."""
        content = path.content(at)
        content.update({offset: (size, None if begins else GONE)
                        for offset, (size, _) in content.items()})

    def _ptrtoint(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        return self.pointer(rest.split()[1], scope, path)

    def _getelementptr(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        kind, base, *indices = split(re.sub(r"^(inbounds |nuw |nusw )*", "", rest))
        place = self.pointer(base.split()[1], scope, path)
        for level, text in enumerate(indices):
            bits, name = int(text.split()[0][1:]), text.split()[1]
            index = self.operand(name, bits, scope)
            if level == 0 or kind.startswith("["):
                if level:
                    place = self._part(path, place, kind)
                    kind = self.module.element(kind, 0)[1]
                place = self._moved(place, index, bits, self.module.size(kind))
            else:
                start, kind = self.module.element(kind, index)
                place = self._part(path, self._moved(place, start, bits, 1), kind)
        self._inside(path, place, 0)
        return place

    def _inside(self, path: Path, place: Pointer, size: int) -> None:
        """So many bytes, from there on, are of what the place was made of."""
        whole = path.size(place) if place.span is None else place.span
        self.oblige(path, at_most(place.offset - place.first, whole - size),
                    "beyond an object, an array or a member")

    def _part(self, path: Path, place: Pointer, kind: str) -> Pointer:
        """From there on, only the array or the member that lies there is reached."""
        span = self.module.size(kind)
        self._inside(path, place, span)
        return replace(place, first=place.offset, span=span)

    def _moved(self, place: Pointer, index: Value, bits: int, size: int) -> Pointer:
        if isinstance(index, int) and isinstance(place.offset, int):
            return replace(place, offset=place.offset + signed(index, bits) * size)
        wide = z3.SignExt(WIDE - bits, vector(index, bits))
        return replace(place, offset=known(vector(place.offset, WIDE) + wide * size))

    # ---- content ----

    def _slot(self, path: Path, at: Pointer, size: int) -> dict[int, Value]:
        """The values that may lie at a place, by offset; that it is one of them is proven."""
        self._inside(path, at, size)
        slots = {offset: value for offset, (wide, value) in path.content(at).items()
                 if wide == size}
        if isinstance(at.offset, int):
            self.oblige(path, at.offset in slots, "into the middle of a word")
            return {at.offset: slots[at.offset]}
        if isinstance(at.first, int) and at.span is not None:
            slots = {offset: value for offset, value in slots.items()
                     if at.first <= offset < at.first + at.span}
        self.oblige(path, z3.Or(*(at.offset == offset for offset in slots)),
                    "into the middle of a word")
        return slots

    def _load(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        kind, place, *_ = split(rest)
        at = self.pointer(place.split()[1], scope, path)
        slots = self._slot(path, at, self.module.size(kind))
        if any(there is None or there is GONE for there in slots.values()):
            raise Refuted("read before it was written, or after its end")
        if len(slots) == 1:
            return next(iter(slots.values()))
        width, value = int(kind[1:]), 0
        for offset, there in slots.items():
            value = z3.If(at.offset == offset, vector(there, width), vector(value, width))
        return value

    def store(self, path: Path, at: Pointer, size: int, value: Value) -> None:
        """Write a scalar."""
        if at.constant:
            raise Refuted("a constant is written")
        slots = self._slot(path, at, size)
        if any(before is GONE for before in slots.values()):
            raise Refuted("written after its end")
        if len(slots) > 1 and any(before is None for before in slots.values()):
            raise Unknown("a word, nobody knows which, is written for the first time")
        if isinstance(value, int):
            value &= (1 << 8 * size) - 1
        for offset, before in slots.items():
            after = value if len(slots) == 1 else z3.If(
                at.offset == offset, vector(value, 8 * size), vector(before, 8 * size))
            path.objects[at.object][offset] = size, after

    def copy(self, what: str, arguments: list[str], scope: dict[str, Value], path: Path) -> None:
        """memcpy() and memset() to 0, whole scalars, between places that are known."""
        to, length = self.pointer(arguments[0].split()[-1], scope, path), arguments[2].split()[-1]
        source = self.pointer(arguments[1].split()[-1], scope, path) if what == "cpy" else None
        if (source is None and arguments[1] != "i8 0") or not length.isdigit():
            raise Unknown(f"mem{what} {arguments}")
        values = self._scalars(path, source, int(length)) if source is not None else None
        for offset, size in [(o, size) for o, (size, _) in
                             self._scalars(path, to, int(length)).items()]:
            if values is not None and values.get(offset, (0, 0))[0] != size:
                raise Unknown("a copy of other scalars")
            self.store(path, replace(to, offset=to.offset + offset), size,
                       values[offset][1] if values is not None else 0)

    def _scalars(self, path: Path, at: Pointer, length: int) -> dict[int, tuple[int, Value]]:
        """Those of so many bytes, by offset from the first of them."""
        if not (isinstance(at.offset, int) and isinstance(at.first, int)):
            raise Unknown("a copy, nobody knows where")
        end = at.first + (path.size(at) if at.span is None else at.span)
        found = {offset - at.offset: one for offset, one in path.content(at).items()
                 if at.offset <= offset < min(at.offset + length, end)}
        self.oblige(path, sum(size for size, _ in found.values()) == length,
                    "a copy beyond an object")
        if any(value is GONE for _, value in found.values()):
            raise Refuted("copied after its end")
        return found


def at_most(inside: Value, most: int) -> Any:
    """Is a distance, which may have come out negative, at most so many bytes?"""
    if isinstance(inside, int) or most < 0:
        return isinstance(inside, int) and 0 <= inside <= most
    return z3.ULE(inside, vector(most, WIDE))
