# SPDX-License-Identifier: MIT
"""Values that are known, or not; what lies in memory; and ways through a program that join."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import z3

from tests.proof.llvm import Unknown

Value = Any                       # an int, where it is known, or a z3 bit vector, or a Pointer


class Refuted(Exception):
    """Something does not hold; for which values."""


WIDE = 128                        # bits in which places are counted, so that none comes round


@dataclass(frozen=True)
class Pointer:
    """A place: bytes from the begin of an object. What is reached from there lies from `first` on,
    below `limit`: a member of a struct that it was made of ends where the next one begins."""

    object: int
    offset: Value
    first: int = 0
    limit: int = 1 << 64


NOWHERE = Pointer(-1, 0)


@dataclass
class Path:
    """One way through the program: what holds on it, and what lies in memory by then."""

    conditions: list[z3.BoolRef]
    objects: list[dict[int, tuple[int, Value]]]       # of each object: size and value, by offset
    chosen: tuple[int, ...] = ()                      # by each_below()

    def fork(self, *conditions: z3.BoolRef) -> Path:
        """From here on apart."""
        return Path([*self.conditions, *conditions], [dict(one) for one in self.objects],
                    self.chosen)

    def new(self, sizes: list[int], values: list[Value] | None = None) -> Pointer:
        """An object. Its content is nobody's to read before it was written."""
        offset, slots = 0, {}
        for i, size in enumerate(sizes):
            slots[offset] = size, values[i] if values else None
            offset += size
        self.objects.append(slots)
        return Pointer(len(self.objects) - 1, 0)


def vector(value: Value, width: int) -> z3.BitVecRef:
    """For z3."""
    return z3.BitVecVal(value, width) if isinstance(value, int) else value


def known(value: Value) -> Value:
    """An int, if it is no other than one."""
    if isinstance(value, int):
        return value
    simple = z3.simplify(value)
    return simple.as_long() if z3.is_bv_value(simple) else simple


def signed(value: int, width: int) -> int:
    """As two's complement."""
    return value - (1 << width) if value >> (width - 1) else value


KNOWN: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b, "lshr": lambda a, b: a >> b,
    "udiv": lambda a, b: a // b, "urem": lambda a, b: a % b,
}
ANY: dict[str, Callable[[z3.BitVecRef, z3.BitVecRef], z3.BitVecRef]] = {
    **{name: KNOWN[name] for name in ("add", "sub", "mul", "and", "or", "xor", "shl")},
    "lshr": z3.LShR, "udiv": z3.UDiv, "urem": z3.URem,
}
COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
    "ult": z3.ULT, "ule": z3.ULE, "ugt": z3.UGT, "uge": z3.UGE,
    "slt": lambda a, b: a < b, "sle": lambda a, b: a <= b,
    "sgt": lambda a, b: a > b, "sge": lambda a, b: a >= b,
}


def count_zeros(word: z3.BitVecRef, width: int, lowest: bool) -> z3.BitVecRef:
    """Below the lowest, above the highest set bit."""
    result = z3.BitVecVal(width, width)
    for bit in range(width - 1, -1, -1) if lowest else range(width):
        result = z3.If(z3.Extract(bit, bit, word) == 1,
                       z3.BitVecVal(bit if lowest else width - 1 - bit, width), result)
    return result


def joined(before: Path, ways: list[tuple[Path, Value]], width: int) -> tuple[Path, Value]:
    """All ways through a function as one. They exclude each other, and there is no other one; what
    the function had in memory for itself is gone."""
    path, value = ways[-1]
    path = Path(path.conditions if len(ways) == 1 else before.conditions,
                [dict(one) for one in path.objects[:len(before.objects)]], path.chosen)
    for other, result in ways[-2::-1]:
        when = z3.And(*other.conditions[len(before.conditions):])
        value = either(when, result, value, width)
        for mine, its in zip(path.objects, other.objects, strict=False):
            for offset, (size, content) in its.items():
                mine[offset] = size, either(when, content, mine[offset][1], 8 * size)
    return path, value


def either(when: z3.BoolRef, a: Value, b: Value, width: int) -> Value:
    """The one or the other."""
    if a is b or (isinstance(a, type(b)) and isinstance(a, (int, Pointer)) and a == b):
        return a
    if isinstance(a, Pointer) or isinstance(b, Pointer) or a is None or b is None:
        raise Unknown("a place, or nothing, that depends on a condition")
    return z3.If(when, vector(a, width), vector(b, width))
