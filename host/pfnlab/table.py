# SPDX-License-Identifier: MIT
"""The guest's command table, as `help` tells it: what the methods of a Guest are made from."""
from __future__ import annotations

import inspect
import keyword
from dataclasses import dataclass

from pfnlab.values import PAGE_SIZE, Rows, Value

ADDRESS_TYPES = ("address", "page", "limit", "virtual")
TEXT_TYPES = ("word", "rest", "what", "kind", "stage", "direction", "ending", "guard")

JOINED = "str | Iterable[str]"


def python_name(name: str) -> str:
    """The name as an identifier: `as` and `from` are words of Python."""
    return name + "_" if keyword.iskeyword(name) else name


@dataclass(frozen=True)
class Argument:
    """An argument of a command; `role` is arg (required), opt (by position) or key."""

    role: str
    name: str
    type: str


@dataclass(frozen=True)
class Command:
    """A row of the table."""

    name: str
    kind: str                     # query, mutator or session
    arguments: tuple[Argument, ...]
    result: str
    text: str

    def words(self, args: tuple[object, ...], keys: dict[str, object]) -> list[object]:
        """A call as the words of a line. TypeError as for any function of Python."""
        positional = [a for a in self.arguments if a.role != "key"]
        if len(args) > len(positional):
            raise TypeError(f"{self.name}() takes at most {len(positional)} positional arguments")
        given = dict(zip((a.name for a in positional), args))
        for key, value in keys.items():
            name = key.removesuffix("_")
            if name in given or name not in (a.name for a in self.arguments):
                raise TypeError(f"{self.name}() does not take the argument {key!r}")
            given[name] = value
        missing = [a.name for a in positional if a.role == "arg" and a.name not in given]
        if missing:
            raise TypeError(f"{self.name}() lacks the argument {missing[0]!r}")
        return [self.name, *self._line(positional, given)]

    def _line(self, positional: list[Argument], given: dict[str, object]) -> list[object]:
        line: list[object] = []
        for argument in positional:
            if given.get(argument.name) is None:
                break
            line.append(argument_word(given.pop(argument.name)))
        keys = [a for a in self.arguments if given.get(a.name) is not None]
        for argument in keys:
            line.append((f"{argument.name}=", argument_word(given[argument.name])))
        return line

    def signature(self) -> inspect.Signature:
        """As of a method of Guest."""
        kinds = inspect.Parameter
        parameters = [kinds("self", kinds.POSITIONAL_ONLY)]
        for a in self.arguments:
            kind = kinds.KEYWORD_ONLY if a.role == "key" else kinds.POSITIONAL_OR_KEYWORD
            default = kinds.empty if a.role == "arg" else None
            parameters.append(kinds(python_name(a.name), kind, default=default,
                                    annotation=argument_type(a)))
        parameters.append(kinds("timeout", kinds.KEYWORD_ONLY, default=None,
                                annotation="float | None"))
        return inspect.Signature(parameters, return_annotation=result_type(self))


def argument_word(value: object) -> object:
    """A Python value as the wire spells it; what is not a plain value is left as it is."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value) if type(value) is int and abs(value) < PAGE_SIZE else f"{value:#x}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return "|".join(map(str, value))
    return value


def argument_type(argument: Argument) -> str:
    """Its annotation."""
    plain = {"areas": JOINED, "attributes": JOINED, "failing": JOINED, "flag": "bool | int",
             "value": "Number"}.get(
        argument.type, "str" if argument.type in TEXT_TYPES else "Number")
    return plain + (" | None" if argument.role != "arg" else "")


def result_type(command: Command) -> str:
    """The annotation of what it returns."""
    if command.result in ADDRESS_TYPES:
        return "Address"
    if command.result == "value":
        return "Value"
    if command.result != "none":
        return "int"
    return "Rows" if command.kind == "query" else "None"


@dataclass(frozen=True)
class Type:
    """A type of arguments: its form, what fits, and what it is for."""

    name: str
    form: str
    fields: dict[str, Value]
    words: tuple[str, ...]
    text: str


@dataclass
class Table:
    """All that `help` says."""

    commands: dict[str, Command]
    aliases: dict[str, str]
    types: dict[str, Type]

    def find(self, name: str) -> Command | None:
        """The command of that name or alias."""
        return self.commands.get(self.aliases.get(name, name))


def _argument(name: str, spelled: str) -> Argument:
    role, dot, kind = spelled.partition(".")
    return Argument(role, name, kind) if dot else Argument("arg", name, spelled)


def read_table(rows: Rows) -> Table:
    """The table from the rows of `help`."""
    table = Table({}, {}, {})
    for row in rows:
        name, kind, *rest = map(str, row.values)
        if kind == "alias":
            table.aliases[name] = str(row["of"])
        elif kind == "type":
            table.types[name] = Type(name, rest[0], row.fields, tuple(rest[1:]), row.text)
        else:
            fields = {key: str(value) for key, value in row.fields.items()}
            result = fields.pop("returns")
            arguments = tuple(_argument(*field) for field in fields.items())
            table.commands[name] = Command(name, kind, arguments, result, row.text)
    return table
