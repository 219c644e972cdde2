# SPDX-License-Identifier: MIT
"""Makes COMMANDS.md: `help` of a guest on standard input, the path of errors.def as argument."""
from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

HEAD = """# The commands of pfnlab

Made by `make doc` from `help` of the native guest and from `kernel/errors.def`: do not edit.
The language around the commands is in [PROTOCOL.md](PROTOCOL.md). In a guest, `help` lists the
commands and `help NAME` explains one.

A name in capitals is given by position, with its type behind the colon where they differ; what is
in brackets may be left out.

The requests for pages share these keys, in bytes where they are sizes or addresses:

| key | meaning |
|---|---|
| `area=low\\|high` | from these areas only, tried in the scan order |
| `align=64K` | the block begins at a multiple of this |
| `min=1M max=16M` | all of it lies from `min` up to, not including, `max` |
| `at=0x8000` | it begins there, or the request is refused and told why |
| `fresh=1` | no page of it was ever handed out |
| `dontzero=1` | the memory is left as it is, else it is filled with zeroes |
| `as=7` | its address goes into the variable `$v7` |
"""
ERROR = re.compile(r'^ERROR\(\w+,\s*(\w+),\s*(\w+),\s*"(.*)"\)$', re.MULTILINE)


def rows(lines: Iterator[str]) -> Iterator[tuple[str, str, list[str], str]]:
    """Name, kind, further fields and text of each row."""
    for line in lines:
        if line.startswith(": "):
            fields, _, text = line[2:].rstrip("\r\n").partition(" ; ")
            name, kind, *rest = fields.split()
            yield name, kind, rest, text


def split_argument(field: str) -> tuple[str, str, str]:
    """Name, place ("", "opt" or "key") and type of "name=[place.]type"."""
    name, _, kind = field.partition("=")
    place, _, plain = kind.rpartition(".")
    return name, place, plain


def usage(name: str, fields: list[str]) -> str:
    """The command as it is typed."""
    words = [name]
    for field in fields:
        argument, place, kind = split_argument(field)
        shown = argument.upper() if argument == kind else f"{argument.upper()}:{kind}"
        words.append({"": shown, "opt": f"[{shown}]", "key": f"[{argument}={kind}]"}[place])
    return " ".join(words)


def command(name: str, kind: str, fields: list[str], text: str, aliases: list[str]) -> str:
    """The section of one command."""
    result = fields[-1].partition("=")[2]
    remarks = [kind.capitalize() if result == "none" else f"{kind.capitalize()}, returns {result}"]
    remarks += ["also spelled " + ", ".join(f"`{alias}`" for alias in aliases)] if aliases else []
    return f"### {name}\n\n    {usage(name, fields[:-1])}\n\n{text}. {'; '.join(remarks)}.\n"


def type_row(name: str, fields: list[str], text: str) -> str:
    """The row of one type."""
    form, *rest = fields
    values = " to ".join(field.partition("=")[2] for field in rest) if form == "number" \
        else " ".join(f"`{word}`" for word in rest)
    return f"| {name} | {form} | {values} | {text.replace('|', chr(92) + '|')} |"


def main() -> None:
    """Write the page to standard output."""
    table = list(rows(iter(sys.stdin)))
    aliases: dict[str, list[str]] = {}
    for name, kind, rest, _ in table:
        if kind == "alias":
            aliases.setdefault(rest[0].partition("=")[2], []).append(name)
    print(HEAD)
    for name, kind, rest, text in table:
        if kind not in ("alias", "type"):
            print(command(name, kind, rest, text, aliases.get(name, [])))
    print("## Types\n\n| type | form | values | meaning |\n|---|---|---|---|")
    for name, kind, rest, text in table:
        if kind == "type":
            print(type_row(name, rest, text))
    print("\n## Errors\n\n| error | meaning |\n|---|---|")
    for category, word, text in ERROR.findall(Path(sys.argv[1]).read_text()):
        print(f"| `{category}.{word}` | {text} |")


if __name__ == "__main__":
    main()
