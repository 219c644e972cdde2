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

import z3

from tests.proof.llvm import Function, Module, Unknown, split
from tests.proof.memory import Memory
from tests.proof.values import (ANY, FITS, KNOWN, WIDE, Path, Pointer, Value, compared,
                                count_zeros, fits, joined, known, signed, vector)


Choice = tuple[int, int]           # a number, below a limit


class Choices(Exception):
    """A claim is to be proven for each number below a limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class Machine(Memory):
    """Runs the functions of a module, with each number that each_below() may return; or, the first
    times, with those `chosen`, and the next time Choices is raised if they are to be `apart`."""

    def __init__(self, module: Module, chosen: tuple[Choice, ...] = (), apart: bool = False
                 ) -> None:
        super().__init__(module)
        self._chosen, self._apart = chosen, apart
        self._fresh = 0

    # ---- running ----

    def prove(self, name: str) -> int:
        """The function returns true on every path: how many there are."""
        paths = 0
        for path, value in self.call(name, [], Path([], {})):
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
                yield path, self.value(words[2], scope) if words[1] != "void" else 0
                return
            if line.startswith(("br ", "switch ")):
                ways = list(self._ways(line, scope, path))
                for target, after in ways[1:]:
                    other = dict(scope)
                    self._phis(function, label, target, other)
                    yield from self._walk(function, target, 0, other, after)
                if not ways:
                    return
                target, path = ways[0]
                self._phis(function, label, target, scope)
                label, at = target, 0
            elif (found := re.match(r"(?:(%\S+) = )?(?:tail )?call (.*?)@([\w.]+)\((.*)\)", line)) \
                    and (found[3] in self.module.functions or found[3] == "each_below"):
                for after, value in self._called(found[3], found[4], scope, path):
                    yield from self._walk(function, label, at, {**scope, found[1]: value}, after)
                return
            elif " = phi " not in line:
                self._step(line, scope, path)

    def _called(self, name: str, arguments: str, scope: dict[str, Value], path: Path
                ) -> Iterator[tuple[Path, Value]]:
        if "byval" in arguments:
            raise Unknown("a struct passed by its value")
        values = [self.value(part.split()[-1], scope) for part in split(arguments)]
        if name == "each_below":
            for value in self._each_below(values[0], len(path.chosen)):
                yield replace(path.fork(), chosen=(*path.chosen, value)), value
            return
        ways: dict[tuple[int, ...], list[tuple[Path, Value]]] = {}
        for after, value in self.call(name, values, path.fork()):
            ways.setdefault(after.chosen, []).append((after, value))
        returns = self.module.functions[name].returns
        for some in ways.values():
            yield joined(path, some, int(returns[1:]) if re.match(r"i\d", returns) else 1)

    def _each_below(self, limit: int, nth: int) -> list[int]:
        if nth == len(self._chosen) and self._apart:
            raise Choices(limit)
        if nth >= len(self._chosen):
            return list(range(limit))
        if self._chosen[nth][1] != limit:
            raise Unknown("a choice among other numbers on another path")
        return [self._chosen[nth][0]]

    def _ways(self, line: str, scope: dict[str, Value], path: Path) -> list[tuple[str, Path]]:
        """Where a branch may go, and what holds there."""
        if found := re.match(r"br label %(\S+)", line):
            return [(found[1], path)]
        if found := re.match(r"br i1 (\S+), label %(\S+), label %(\S+)", line):
            value, cases, other = self.value(found[1], scope), [("1", found[2])], found[3]
        elif found := re.match(r"switch i\d+ (\S+), label %(\S+) \[(.*)\]", line):
            if "-" in found[3]:
                raise Unknown(line)
            value, other = self.value(found[1], scope), found[2]
            cases = re.findall(r"i\d+ (\d+), label %(\S+)", found[3])
        else:
            raise Unknown(line)
        value = known(value)
        if isinstance(value, int):
            return [(dict((int(n), label) for n, label in cases).get(value, other), path)]
        choices = [(label, value == int(number)) for number, label in cases]
        choices.append((other, z3.And(*(value != int(number) for number, _ in cases))))
        ways = [(label, when, witness) for label, when in choices
                if (witness := self.possible(path, when)) is not None]
        if len(ways) == 1:
            return [(ways[0][0], replace(path, witness=ways[0][2]))]
        return [(label, path.fork(when, witness=witness)) for label, when, witness in ways]

    def _phis(self, function: Function, source: str, target: str, scope: dict[str, Value]) -> None:
        """All at once, as the language wants it."""
        values = {}
        for line in function.blocks[target]:
            if not (found := re.match(r"(%\S+) = phi \S+ (.*)", line)):
                break
            choice = re.search(rf"\[ (\S+), %{re.escape(source)} \]", found[2])
            assert choice is not None
            values[found[1]] = self.value(choice[1], scope)
        scope.update(values)

    # ---- instructions ----

    def _step(self, line: str, scope: dict[str, Value], path: Path) -> None:
        if found := re.match(r"store (\S+) (\S+), ptr (\S+?)(, align \d+)?$", line):
            self.store(path, self.pointer(found[3], scope, path), self.module.size(found[1]),
                       self.value(found[2], scope))
        elif found := re.match(r"call void @llvm\.lifetime\.(start|end)\S*\(.* (%\S+)\)", line):
            self.lifetime(self.pointer(found[2], scope, path), found[1] == "start", path)
        elif found := re.match(r"call void @llvm\.mem(cpy|set)\.\S+\((.*)\)", line):
            self.copy(found[1], split(found[2]), scope, path)
        elif line.startswith("call void @llvm.ubsantrap"):
            self.oblige(path, False, "undefined, as the compiler sees it")
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

    def _arithmetic(self, name: str, rest: str, scope: dict[str, Value], path: Path) -> Value:
        found = re.fullmatch(r"((?:nuw |nsw |exact )*)i(\d+) (\S+), (\S+)", rest)
        if found is None:
            raise Unknown(f"{name} {rest}")
        width, flags = int(found[2]), found[1].split()
        a, b = (self.operand(text, width, scope) for text in found.group(3, 4))
        if isinstance(a, Pointer) and isinstance(b, Pointer) and name == "sub":
            self.oblige(path, a.object == b.object, "places of two objects")
            path.content(a)
            a, b = (one.offset if isinstance(one.offset, int)
                    else z3.Extract(width - 1, 0, one.offset) for one in (a, b))
        if name in ("shl", "lshr"):
            self.oblige(path, b < width if isinstance(b, int) else z3.ULT(b, width),
                        "a shift by too much")
        if name in ("udiv", "urem"):
            self.oblige(path, b != 0, "a division by 0")
        for flag in flags:               # what the front end promised in the language's name
            if name not in FITS:
                raise Unknown(f"{name} {flag}")
            self.oblige(path, fits(name, a, b, width, flag == "nsw"), "an overflow")
        if isinstance(a, int) and isinstance(b, int):
            return KNOWN[name](a, b) & ((1 << width) - 1)
        return ANY[name](vector(a, width), vector(b, width))

    def _sdiv(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        """The distance of two places, in elements."""
        found = re.fullmatch(r"exact i(\d+) (\S+), (\d+)", rest)
        if found is None:
            raise Unknown(f"sdiv {rest}")
        width, value, by = int(found[1]), known(self.value(found[2], scope)), int(found[3])
        if not isinstance(value, int) or signed(value, width) % by:
            raise Unknown(f"sdiv {rest}")
        return signed(value, width) // by & ((1 << width) - 1)

    def _icmp(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        found = re.fullmatch(r"(\w+) (\S+) (\S+), (\S+)", rest)
        if found is None:
            raise Unknown(f"icmp {rest}")
        width = WIDE if found[2] == "ptr" else int(found[2][1:])
        a, b = (self.pointer(text, scope, path) if found[2] == "ptr"
                else self.operand(text, width, scope) for text in found.group(3, 4))
        if isinstance(a, Pointer):
            self.oblige(path, a.object == b.object, "places of two objects")
            a, b = a.offset, b.offset
        holds = compared(found[1], a, b, width)
        if not isinstance(holds, bool):
            holds = z3.simplify(holds)
        if isinstance(holds, bool) or z3.is_true(holds) or z3.is_false(holds):
            return int(bool(holds))
        return z3.If(holds, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))

    def _select(self, rest: str, scope: dict[str, Value], path: Path) -> Value:
        found = re.fullmatch(r"i1 (\S+), i(\d+) (\S+), i\d+ (\S+)", rest)
        if found is None:
            raise Unknown(f"select {rest}")
        width, condition = int(found[2]), known(self.value(found[1], scope))
        a, b = (self.operand(text, width, scope) for text in found.group(3, 4))
        if isinstance(condition, int):
            return a if condition else b
        return z3.If(condition == 1, vector(a, width), vector(b, width))

    def _resize(self, rest: str, scope: dict[str, Value], sign: bool) -> Value:
        found = re.fullmatch(r"i(\d+) (\S+) to i(\d+)", rest)
        if found is None:
            raise Unknown(rest)
        before, after = int(found[1]), int(found[3])
        value = self.operand(found[2], before, scope)
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
        word = vector(self.operand(found[3], width, scope), width)
        self.oblige(path, word != 0, f"{found[1]} of 0")
        return known(count_zeros(word, width, found[1] == "cttz"))
