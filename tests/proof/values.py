# SPDX-License-Identifier: MIT
"""Values that are known, or not; what lies in memory; and ways through a program that join."""
from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import z3

from tests.proof.llvm import Unknown

Value = Any                       # an int, where it is known, or a z3 bit vector, or a Pointer


class Refuted(Exception):
    """Something does not hold; for which values."""


WIDE = 128                        # bits in which places are counted, so that none comes round


@dataclass(frozen=True)
class Pointer:
    """A place: bytes from the begin of an object. What is reached from there are the `span` bytes
    from `first` on: the array or the member of a struct that it was made of; or all of it."""

    object: int
    offset: Value
    first: Value = 0
    span: int | None = None
    constant: bool = False                            # nothing may be written there


NOWHERE = Pointer(-1, 0)
GONE = "gone"                     # what a variable holds that has come to its end
OBJECTS = count()                 # no two have the same number, not even one after the other


@dataclass
class Path:
    """One way through the program: what holds on it, and what lies in memory by then."""

    conditions: list[z3.BoolRef]
    objects: dict[int, dict[int, tuple[int, Value]]]  # of each object: size and value, by offset
    chosen: tuple[int, ...] = ()                      # by each_below()
    witness: z3.ModelRef | None = None                # values for which the conditions hold

    def fork(self, *conditions: z3.BoolRef, witness: z3.ModelRef | None = None) -> Path:
        """From here on apart; with conditions, the witness is one of these."""
        return Path([*self.conditions, *conditions],
                    {number: dict(one) for number, one in self.objects.items()},
                    self.chosen, witness if conditions else self.witness)

    def new(self, sizes: list[int], values: list[Value] | None = None) -> Pointer:
        """An object. Its content is nobody's to read before it was written."""
        offset, slots = 0, {}
        for i, size in enumerate(sizes):
            slots[offset] = size, values[i] if values else None
            offset += size
        number = next(OBJECTS)
        self.objects[number] = slots
        return Pointer(number, 0, constant=values is not None)

    def content(self, at: Pointer) -> dict[int, tuple[int, Value]]:
        """Of the object at a place, if there is one."""
        if at.object not in self.objects:
            raise Refuted("a place of nothing, or of what is no longer there")
        return self.objects[at.object]

    def size(self, at: Pointer) -> int:
        """Of that object."""
        return sum(size for size, _ in self.content(at).values())


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
    "add": operator.add, "sub": operator.sub, "mul": operator.mul,
    "and": operator.and_, "or": operator.or_, "xor": operator.xor,
    "shl": operator.lshift, "lshr": operator.rshift,
    "udiv": operator.floordiv, "urem": operator.mod,
}
ANY: dict[str, Callable[[z3.BitVecRef, z3.BitVecRef], z3.BitVecRef]] = {
    **{name: KNOWN[name] for name in ("add", "sub", "mul", "and", "or", "xor", "shl")},
    "lshr": z3.LShR, "udiv": z3.UDiv, "urem": z3.URem,
}
COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "ne": operator.ne,
    "ult": z3.ULT, "ule": z3.ULE, "ugt": z3.UGT, "uge": z3.UGE,
    "slt": operator.lt, "sle": operator.le, "sgt": operator.gt, "sge": operator.ge,
}


def compared(name: str, a: Value, b: Value, width: int) -> Any:
    """A bool where both are known, else what z3 makes of it."""
    if isinstance(a, int) and isinstance(b, int):
        if name.startswith("s"):
            a, b = signed(a, width), signed(b, width)
        return getattr(operator, name if name in ("eq", "ne") else name[1:])(a, b)
    return COMPARED[name](vector(a, width), vector(b, width))


FITS: dict[str, list[Callable[[Any, Any, bool], Any]]] = {
    "add": [z3.BVAddNoOverflow, lambda a, b, sign: not sign or z3.BVAddNoUnderflow(a, b)],
    "sub": [z3.BVSubNoUnderflow, lambda a, b, sign: not sign or z3.BVSubNoOverflow(a, b)],
    "mul": [z3.BVMulNoOverflow, lambda a, b, sign: not sign or z3.BVMulNoUnderflow(a, b)],
}


def fits(name: str, a: Value, b: Value, width: int, sign: bool) -> Any:
    """Does a sum, a difference or a product not overflow?"""
    if isinstance(a, int) and isinstance(b, int):
        if sign:
            exact = KNOWN[name](signed(a, width), signed(b, width))
            return -1 << (width - 1) <= exact < 1 << (width - 1)
        return 0 <= KNOWN[name](a, b) < 1 << width
    return z3.And(*(fit(vector(a, width), vector(b, width), sign) for fit in FITS[name]))


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
                {number: dict(path.objects[number]) for number in before.objects},
                path.chosen, path.witness)
    for other, result in ways[-2::-1]:
        when = z3.And(*other.conditions[len(before.conditions):])
        value = either(when, result, value, width)
        for number, mine in path.objects.items():
            for offset, (size, content) in other.objects[number].items():
                mine[offset] = size, either(when, content, mine[offset][1], 8 * size)
    return path, value


def either(when: z3.BoolRef, a: Value, b: Value, width: int) -> Value:
    """The one or the other."""
    if a is b or (isinstance(a, type(b)) and isinstance(a, (int, Pointer)) and a == b):
        return a
    if any(one is None or isinstance(one, (Pointer, str)) for one in (a, b)):
        raise Unknown("a place, or nothing, that depends on a condition")
    return z3.If(when, vector(a, width), vector(b, width))
