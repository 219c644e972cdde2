# SPDX-License-Identifier: MIT
"""Runs functions of LLVM's intermediate language with values that are not known: every value that
they may have, at once. Where a branch depends on one, both ways are gone, as far as there are
values for them, up to the function's end, where they join. z3 answers what can be; it is complete
for the bits of words, and no loop is cut short.

What is undefined in C (a shift by too much, a signed overflow, the lowest bit of 0, a place beyond
an array) is an obligation each time: that it cannot be.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import z3

from tests.proof.llvm import Function, Module, Unknown, split
from tests.proof.values import (ANY, COMPARED, KNOWN, NOWHERE, WIDE, Path, Pointer, Refuted, Value,
                                count_zeros, joined, known, signed, vector)


class Machine:
    """Runs the functions of a module."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.asked = 0            # questions to z3
        self._fresh = 0

    # ---- questions ----

    def model(self, conditions: list[z3.BoolRef]) -> z3.ModelRef | None:
        """Values for which all of it holds, if there are any."""
        self.asked += 1
        solver = z3.SolverFor("QF_BV")
        solver.add(*conditions)
        answer = solver.check()
        if answer == z3.unknown:
            raise Unknown(f"z3: {solver.reason_unknown()}")
        return solver.model() if answer == z3.sat else None

    def oblige(self, path: Path, holds: Any, what: str) -> None:
        """It holds on this path, for all values, or is refuted."""
        against = z3.simplify(z3.Not(holds) if z3.is_expr(holds) else z3.BoolVal(not holds))
        if z3.is_false(against):
            return
        against = self.model([*path.conditions, against])
        if against is not None:
            raise Refuted(f"{what}: {against}")

    # ---- running ----

    def prove(self, name: str) -> int:
        """The function returns true on every path: how many there are."""
        paths = 0
        for path, value in self.call(name, [], Path([], [])):
            self.oblige(path, vector(value, 1) == 1, "false")
            paths += 1
        if paths == 0:
            raise Unknown("it never returns")
        return paths

    def call(self, name: str, arguments: list[Value], path: Path
             ) -> Iterator[tuple[Path, Value]]:
        """Each way through a function, with what it returns."""
        function = self.module.functions[name]
        scope = dict(zip(function.parameters, arguments, strict=True))
        yield from self._walk(function, next(iter(function.blocks)), 0, scope, path)

    def _walk(self, function: Function, label: str, at: int, scope: dict[str, Value],
              path: Path) -> Iterator[tuple[Path, Value]]:
        """From an instruction on."""
        while True:
            line = function.blocks[label][at]
            at += 1
            if line.startswith("ret "):
                words = line.split()
                yield path, self._value(words[2], scope) if words[1] != "void" else 0
                return
            if line.startswith(("br ", "switch ")):
                ways = list(self._ways(line, scope, path))
                for target, condition in ways[1:]:
                    other = dict(scope)
                    self._phis(function, label, target, other)
                    yield from self._walk(function, target, 0, other, path.fork(condition))
                if not ways:
                    return
                if len(ways) > 1:
                    path = path.fork(ways[0][1])
                self._phis(function, label, ways[0][0], scope)
                label, at = ways[0][0], 0
            elif (found := re.match(r"(?:(%\S+) = )?(?:tail )?call (.*?)@([\w.]+)\((.*)\)", line)) \
                    and (found[3] in self.module.functions or found[3] == "each_below"):
                for after, value in self._called(found[3], found[4], scope, path):
                    yield from self._walk(function, label, at, {**scope, found[1]: value}, after)
                return
            elif " = phi " not in line:
                self._step(line, scope, path)

    def _called(self, name: str, arguments: str, scope: dict[str, Value], path: Path
                ) -> Iterator[tuple[Path, Value]]:
        values = [self._value(part.split()[-1], scope) for part in split(arguments)]
        if name == "each_below":
            for value in range(values[0]):
                yield replace(path.fork(), chosen=(*path.chosen, value)), value
            return
        ways: dict[tuple[int, ...], list[tuple[Path, Value]]] = {}
        for after, value in self.call(name, values, path.fork()):
            ways.setdefault(after.chosen, []).append((after, value))
        returns = self.module.functions[name].returns
        for some in ways.values():
            yield joined(path, some, int(returns[1:]) if returns != "void" else 1)

    def _ways(self, line: str, scope: dict[str, Value], path: Path
              ) -> Iterator[tuple[str, z3.BoolRef]]:
        """Where a branch may go: label, and when."""
        if found := re.match(r"br label %(\S+)", line):
            yield found[1], z3.BoolVal(True)
            return
        choices: list[tuple[str, Any]]
        if found := re.match(r"br i1 (\S+), label %(\S+), label %(\S+)", line):
            value = known(self._value(found[1], scope))
            choices = [(found[2], value == 1), (found[3], value == 0)]
        elif found := re.match(r"switch i\d+ (\S+), label %(\S+) \[(.*)\]", line):
            value = known(self._value(found[1], scope))
            if "-" in found[3]:
                raise Unknown(line)
            cases = re.findall(r"i\d+ (\d+), label %(\S+)", found[3])
            choices = [(label, value == int(number)) for number, label in cases]
            choices.append((found[2], z3.And(*(value != int(number) for number, _ in cases))))
        else:
            raise Unknown(line)
        for label, when in choices:
            if isinstance(value, int):
                if z3.is_true(z3.simplify(z3.And(when, True))):
                    yield label, z3.BoolVal(True)
            elif self.model([*path.conditions, when]) is not None:
                yield label, when

    def _phis(self, function: Function, source: str, target: str, scope: dict[str, Value]) -> None:
        """All at once, as the language wants it."""
        values = {}
        for line in function.blocks[target]:
            if not (found := re.match(r"(%\S+) = phi \S+ (.*)", line)):
                break
            choice = re.search(rf"\[ (\S+), %{re.escape(source)} \]", found[2])
            assert choice is not None
            values[found[1]] = self._value(choice[1], scope)
        scope.update(values)

    # ---- instructions ----

    def _step(self, line: str, scope: dict[str, Value], path: Path) -> None:
        if found := re.match(r"store (\S+) (\S+), ptr (\S+?)(, align \d+)?$", line):
            self._store(path, self._pointer(found[3], scope, path), self.module.size(found[1]),
                        self._value(found[2], scope))
        elif found := re.match(r"call void @llvm\.lifetime\..* (%\S+)\)", line):
            content = path.objects[self._pointer(found[1], scope, path).object]
            content.update({offset: (size, None) for offset, (size, _) in content.items()})
        elif found := re.match(r"call void @llvm\.mem(cpy|set)\.\S+\((.*)\)", line):
            self._copy(found[1], split(found[2]), scope, path)
        elif found := re.match(r"(%\S+) = (?:tail )?(\w+) (.*)", line):
            method = getattr(self, f"_{found[2]}", None)
            if found[2] in KNOWN:
                scope[found[1]] = self._arithmetic(found[2], found[3], scope, path)
            elif method is not None:
                scope[found[1]] = method(found[3], scope, path)
            else:
                raise Unknown(line)
        else:
            raise Unknown(line)

    def _value(self, text: str, scope: dict[str, Value]) -> Value:
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

    def _operand(self, text: str, width: int, scope: dict[str, Value]) -> Value:
        value = self._value(text, scope)
        return value & ((1 << width) - 1) if isinstance(value, int) else value

    def _arithmetic(self, name: str, rest: str, scope: dict[str, Value], path: Path) -> Value:
        found = re.fullmatch(r"((?:nuw |nsw |exact )*)i(\d+) (\S+), (\S+)", rest)
        if found is None:
            raise Unknown(f"{name} {rest}")
        width, flags = int(found[2]), found[1].split()
        a, b = (self._operand(text, width, scope) for text in found.group(3, 4))
        if isinstance(a, Pointer) and isinstance(b, Pointer) and name == "sub":
            self.oblige(path, a.object == b.object, "places of two objects")
            a, b = (one.offset if isinstance(one.offset, int)
                    else z3.Extract(width - 1, 0, one.offset) for one in (a, b))
        if name in ("shl", "lshr"):
            self.oblige(path, b < width if isinstance(b, int) else z3.ULT(b, width),
                        "a shift by too much")
        if name in ("udiv", "urem"):
            self.oblige(path, b != 0, "a division by 0")
        self._flags(name, flags, vector(a, width), vector(b, width), path)
        if isinstance(a, int) and isinstance(b, int):
            return KNOWN[name](a, b) & ((1 << width) - 1)
        return ANY[name](vector(a, width), vector(b, width))

    def _flags(self, name: str, flags: list[str], a: z3.BitVecRef, b: z3.BitVecRef,
               path: Path) -> None:
        """What the front end promised in the language's name."""
        tests = {"add": (z3.BVAddNoOverflow, z3.BVAddNoUnderflow),
                 "mul": (z3.BVMulNoOverflow, z3.BVMulNoUnderflow)}
        for flag in flags:
            if name not in tests:
                raise Unknown(f"{name} {flag}")
            over, under = tests[name]
            holds = [over(a, b, flag == "nsw")] + ([under(a, b)] if flag == "nsw" else [])
            self.oblige(path, z3.And(*holds), "an overflow")

    def _sdiv(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        """The distance of two places, in elements."""
        found = re.fullmatch(r"exact i(\d+) (\S+), (\d+)", rest)
        if found is None:
            raise Unknown(f"sdiv {rest}")
        value, by = known(self._value(found[2], scope)), int(found[3])
        if not isinstance(value, int) or value % by:
            raise Unknown(f"sdiv {rest}")
        return signed(value, int(found[1])) // by & ((1 << int(found[1])) - 1)

    def _icmp(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        found = re.fullmatch(r"(\w+) (\S+) (\S+), (\S+)", rest)
        if found is None:
            raise Unknown(f"icmp {rest}")
        width = WIDE if found[2] == "ptr" else int(found[2][1:])
        a, b = (self._pointer(text, scope, path) if found[2] == "ptr"
                else self._operand(text, width, scope) for text in found.group(3, 4))
        if isinstance(a, Pointer):
            self.oblige(path, a.object == b.object, "places of two objects")
            a, b = a.offset, b.offset
        holds = z3.simplify(COMPARED[found[1]](vector(a, width), vector(b, width)))
        if z3.is_true(holds) or z3.is_false(holds):
            return int(z3.is_true(holds))
        return z3.If(holds, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))

    def _select(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        found = re.fullmatch(r"i1 (\S+), i(\d+) (\S+), i\d+ (\S+)", rest)
        if found is None:
            raise Unknown(f"select {rest}")
        width, condition = int(found[2]), known(self._value(found[1], scope))
        a, b = (self._operand(text, width, scope) for text in found.group(3, 4))
        if isinstance(condition, int):
            return a if condition else b
        return z3.If(condition == 1, vector(a, width), vector(b, width))

    def _resize(self, rest: str, scope: dict[str, Value], sign: bool) -> Value:
        found = re.fullmatch(r"i(\d+) (\S+) to i(\d+)", rest)
        if found is None:
            raise Unknown(rest)
        before, after = int(found[1]), int(found[3])
        value = self._operand(found[2], before, scope)
        if isinstance(value, int):
            return (signed(value, before) if sign else value) & ((1 << after) - 1)
        if after < before:
            return z3.Extract(after - 1, 0, value)
        return (z3.SignExt if sign else z3.ZeroExt)(after - before, value)

    def _zext(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        return self._resize(rest, scope, False)

    def _sext(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        return self._resize(rest, scope, True)

    _trunc = _zext

    def _call(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        if re.match(r"i64 @any_word\(", rest):
            self._fresh += 1
            return z3.BitVec(f"word{self._fresh}", 64)
        found = re.search(r"@llvm\.(cttz|ctlz)\.i(\d+)\(i\d+ (\S+), i1 true\)", rest)
        if found is None:
            raise Unknown(f"call {rest}")
        width = int(found[2])
        word = vector(self._operand(found[3], width, scope), width)
        self.oblige(path, word != 0, f"{found[1]} of 0")
        return known(count_zeros(word, width, found[1] == "cttz"))

    # ---- memory ----

    def _alloca(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        kind = re.sub(r", align \d+$", "", rest)
        self.module.size(kind)
        return path.new(self.module.slots(kind))

    def _pointer(self, text: str, scope: dict[str, Value], path: Path) -> Pointer:
        """An operand that is a place; a constant lies where it is first asked for."""
        if not text.startswith("@"):
            value = self._value(text, scope)
            assert isinstance(value, Pointer)
            return value
        kind, values = self.module.constants[text]
        sizes = self.module.slots(kind)
        numbers = [int(n) for n in re.findall(r"i\d+ (-?\d+)", values)]
        return path.new(sizes, [n & ((1 << 8 * size) - 1)
                                for n, size in zip(numbers, sizes, strict=True)])

    def _ptrtoint(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        return self._pointer(rest.split()[1], scope, path)

    def _getelementptr(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        kind, base, *indices = split(re.sub(r"^(inbounds |nuw |nusw )*", "", rest))
        place = self._pointer(base.split()[1], scope, path)
        offset = vector(place.offset, WIDE)
        for level, text in enumerate(indices):
            bits, name = text.split()
            index = self._operand(name, int(bits[1:]), scope)
            if level == 0 or kind.startswith("["):
                kind = self.module.element(kind, 0)[1] if level else kind
                wide = z3.SignExt(WIDE - int(bits[1:]), vector(index, int(bits[1:])))
                offset = offset + wide * self.module.size(kind)
            else:
                start, kind = self.module.element(kind, index)
                offset = offset + start
                if isinstance(at := known(offset), int):
                    place = replace(place, first=at, limit=at + self.module.size(kind))
        return replace(place, offset=known(offset))

    def _slot(self, path: Path, at: Pointer, size: int) -> dict[int, Value]:
        """The values that may lie at a place, by offset; that it is one of them is proven."""
        slots = {offset: value for offset, (wide, value) in path.objects[at.object].items()
                 if wide == size and at.first <= offset < at.limit}
        if isinstance(at.offset, int):
            self.oblige(path, at.offset in slots, "beyond an object, or into the middle of a word")
            return {at.offset: slots[at.offset]}
        self.oblige(path, z3.Or(*(at.offset == offset for offset in slots)), "beyond an object")
        return slots

    def _load(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        kind, place, *_ = split(rest)
        at = self._pointer(place.split()[1], scope, path)
        slots = self._slot(path, at, self.module.size(kind))
        if None in slots.values():
            raise Refuted("read before it was written")
        if len(slots) == 1:
            value = next(iter(slots.values()))
        else:
            width, value = int(kind[1:]), 0
            for offset, there in slots.items():
                value = z3.If(at.offset == offset, vector(there, width), vector(value, width))
        return value

    def _store(self, path: Path, at: Pointer, size: int, value: Value) -> None:
        slots = self._slot(path, at, size)
        if len(slots) > 1 and None in slots.values():
            raise Unknown("a word, nobody knows which, is written for the first time")
        if isinstance(value, int):
            value &= (1 << 8 * size) - 1
        for offset, before in slots.items():
            after = value if len(slots) == 1 else z3.If(
                at.offset == offset, vector(value, 8 * size), vector(before, 8 * size))
            path.objects[at.object][offset] = size, after

    def _copy(self, what: str, arguments: list[str], scope: dict[str, Value], path: Path) -> None:
        """memcpy() and memset(), whole words of one object."""
        to = self._pointer(arguments[0].split()[-1], scope, path)
        length = int(arguments[2].split()[-1])
        target = path.objects[to.object]
        source = self._pointer(arguments[1].split()[-1], scope, path) if what == "cpy" else None
        if source is None and arguments[1] != "i8 0":
            raise Unknown(f"memset {arguments}")
        inside = [o for o in target if to.offset <= o < min(to.offset + length, to.limit)]
        self.oblige(path, sum(target[offset][0] for offset in inside) == length,
                    "a copy beyond an object")
        if source is not None:
            self.oblige(path, source.offset + length <= source.limit, "a copy from beyond a member")
        for offset in inside:
            size, value = target[offset][0], 0
            if source is not None:
                wide, value = path.objects[source.object][source.offset + offset - to.offset]
                if wide != size:
                    raise Unknown("a copy of other words")
            target[offset] = size, value
