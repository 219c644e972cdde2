# SPDX-License-Identifier: MIT
"""The text of LLVM's intermediate language, as far as clang makes it of plain C: functions of
blocks of instructions, types, constants. What is not known here is refused, never guessed."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

NAME = r"[\w.$-]+"


class Unknown(Exception):
    """Something that this small reader has not learnt."""


@dataclass
class Function:
    """`blocks` by label, each a list of instructions, as text; the first one is where it begins."""

    returns: str
    parameters: list[str]
    blocks: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Module:
    """Everything of a file."""

    functions: dict[str, Function] = field(default_factory=dict)
    structs: dict[str, str] = field(default_factory=dict)
    constants: dict[str, tuple[str, str]] = field(default_factory=dict)     # type, value
    pointer: int = 8                                                        # bytes

    def slots(self, kind: str) -> list[int]:
        """The sizes, in bytes, of the scalars that a type consists of, one after the other."""
        if kind == "ptr":
            return [self.pointer]
        if found := re.fullmatch(r"i(\d+)", kind):
            return [(int(found[1]) + 7) // 8]
        if found := re.fullmatch(r"\[(\d+) x (.*)\]", kind):
            return self.slots(found[2]) * int(found[1])
        return [size for part in self.fields(kind) for size in self.slots(part)]

    def fields(self, kind: str) -> list[str]:
        """The types of a struct's members."""
        body = self.structs.get(kind, kind)
        if not (body.startswith("{ ") and body.endswith(" }")):
            raise Unknown(f"type {kind}")
        return split(body[2:-2])

    def size(self, kind: str) -> int:
        """In bytes; structs with holes are refused."""
        sizes = self.slots(kind)
        places = [sum(sizes[:i]) for i in range(len(sizes))]
        if any(place % size for place, size in zip(places, sizes, strict=True)):
            raise Unknown(f"a hole in {kind}")
        return sum(sizes)

    def element(self, kind: str, index: int) -> tuple[int, str]:
        """Where an element begins, and its type."""
        if found := re.fullmatch(r"\[(\d+) x (.*)\]", kind):
            return index * self.size(found[2]), found[2]
        parts = self.fields(kind)
        return sum(self.size(part) for part in parts[:index]), parts[index]

    def numbers(self, kind: str, text: str) -> list[int]:
        """The values of a constant's scalars, one after the other."""
        if text == "zeroinitializer":
            return [0] * len(self.slots(kind))
        if re.fullmatch(r"-?\d+", text):
            return [int(text) & ((1 << 8 * self.size(kind)) - 1)]
        parts = [re.fullmatch(r"(\[\d+ x i\d+\]|[%\w.]+) (.*)", part)
                 for part in split(text[1:-1])]
        if text[0] not in "[{" or not all(parts):
            raise Unknown(f"constant {text}")
        return [number for part in parts if part for number in self.numbers(part[1], part[2])]


def split(text: str) -> list[str]:
    """At the commas that are in no bracket."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "([{<") - (char in ")]}>")
        if char == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return [*parts, text[start:].strip()] if text.strip() else []


def read(text: str) -> Module:
    """A whole file."""
    module, function, block = Module(), None, None
    text = re.sub(r"\[\n(.*?)\n *\]", lambda m: "[" + m[1].replace("\n", "") + "]", text,
                  flags=re.S)                     # a switch
    for line in text.splitlines():
        line = re.sub(r"(, ![\w.]+ !\d+| #\d+)*$", "", line.partition(" ; ")[0].rstrip())
        if found := re.match(rf"define .*?(\S+) @({NAME})\((.*)\)", line):
            function = module.functions[found[2]] = Function(
                found[1], [part.split()[-1] for part in split(found[3])])
        elif line == "}":
            function = None
        elif function is not None and (found := re.match(rf"({NAME}):", line)):
            block = function.blocks[found[1]] = []
        elif function is not None and block is not None and line.strip():
            block.append(line.strip())
        elif found := re.match(r"(%\S+) = type (.*)", line):
            module.structs[found[1]] = found[2]
        elif found := re.match(rf"(@{NAME}) = .*?constant (\[.*?x i\d+\]|\S+) (.*?)(, align.*)?$",
                               line):
            module.constants[found[1]] = found[2], found[3]
        elif line.startswith("target datalayout") and "p:32:32" in line:
            module.pointer = 4
    return module
