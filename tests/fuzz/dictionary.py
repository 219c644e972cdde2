# SPDX-License-Identifier: MIT
"""The dictionary of the line's fuzzer, from the rows of `help` on standard input."""
from __future__ import annotations

import sys

# What no table tells: sigils, the special bytes of fuzz_line.c, forms of numbers and variables.
OTHERS = (">", ">1 ", ">\xfc ", "\xfd\n", " *0000", "\x03", "\n> ", "\t", "\x1b[A", "$", "$1",
          "$v0", "+8", "0x1000", "0xffffffffffffffff", "18446744073709551616", "4096", "1M", "4T",
          "any", "dma32", "low|lowest", ">0 sync 1\xfd\n", "; ", "times=2")


def words(rows: list[str]) -> set[str]:
    """Every name in the table: commands, keys, words of types."""
    found: set[str] = set()
    for row in rows:
        name, *rest = row.partition(" ; ")[0].split()[1:]
        if rest[:1] == ["type"]:
            found.update(rest[2:] if rest[1] == "words" else [])
            continue
        found.add(name + " ")
        found.update(word.partition("=")[0] + "=" for word in rest if "=key." in word)
    return found


def quoted(text: str) -> str:
    """As libFuzzer and AFL++ take it."""
    return '"' + "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c):02x}"
                         for c in text) + '"'


def main() -> None:
    """One entry a line."""
    rows = [line.strip() for line in sys.stdin if line.startswith(":")]
    for text in sorted(words(rows) | set(OTHERS)):
        print(quoted(text))


if __name__ == "__main__":
    main()
