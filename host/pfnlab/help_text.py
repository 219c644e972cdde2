# SPDX-License-Identifier: MIT
"""The guest's command table in words, for people."""
from __future__ import annotations

from pfnlab.table import Argument, Command, Table

WIDTH = 96


def usage(command: Command) -> str:
    """A command and its arguments: `alloc_pages ORDER [area= align= ...]`."""
    required = [a.name.upper() for a in command.arguments if a.role == "arg"]
    optional = [f"[{a.name.upper()}]" for a in command.arguments if a.role == "opt"]
    keys = [f"{a.name}=" for a in command.arguments if a.role == "key"]
    keys = [f"[{' '.join(keys)}]"] if keys else []
    return " ".join([command.name, *required, *optional, *keys])


def overview(table: Table) -> str:
    """Every command in a line."""
    lines = []
    for command in table.commands.values():
        words = [a.name.upper() for a in command.arguments if a.role == "arg"]
        lines.append(f"{' '.join([command.name, *words]):44} {command.text}"[:WIDTH])
    others = ", ".join(f"{alias} = {of}" for alias, of in table.aliases.items())
    return "\n".join([*lines, f"other names: {others}", "help COMMAND tells its arguments"])


def command_help(table: Table, name: str) -> str:
    """A command with the meaning of each argument. ValueError: there is none."""
    command = table.find(name)
    if command is None:
        raise ValueError(f"no command {name!r}; help lists them")
    lines = [usage(command), f"  {command.text}"]
    lines += [f"  {_spelled(a):14} {_meaning(table, a)}" for a in command.arguments]
    if command.result != "none":
        lines.append(f"  {'result':14} {command.result}")
    return "\n".join(lines)


def _spelled(argument: Argument) -> str:
    return f"{argument.name}=" if argument.role == "key" else argument.name.upper()


def _meaning(table: Table, argument: Argument) -> str:
    kind = table.types.get(argument.type)
    if kind is None:
        return argument.type
    bounds = ", ".join(f"{key} {value}" for key, value in kind.fields.items())
    return "; ".join(part for part in (kind.text, " | ".join(kind.words), bounds) if part)
