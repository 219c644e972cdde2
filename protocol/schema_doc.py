# SPDX-License-Identifier: MIT
"""Puts the number of the command table into the sessions that pages show: `help` of a guest on
standard input, the pages as arguments. A sealed line gets its checksum."""
from __future__ import annotations

import binascii
import re
import sys
from pathlib import Path

SHOWN = re.compile(r"^(    (?:[-<>]{2} )?)([=%].* schema=)0x[0-9a-f]{4}( \*[0-9a-f]{4})?$",
                   re.MULTILINE)


def checksum(text: str) -> str:
    """As section 4 of the specification says: that of a line, or of all rows of `help`."""
    return f"{binascii.crc_hqx(text.encode(), 0xffff):04x}"


def schema(lines: list[str]) -> str:
    """The number of the table that these lines of `help` tell."""
    return "0x" + checksum("".join(f"{line}\n" for line in lines if line.startswith(": ")))


def refreshed(page: str, number: str) -> str:
    """The page with that number."""
    def line(found: re.Match[str]) -> str:
        text = found[2] + number
        return found[1] + text + (f" *{checksum(text)}" if found[3] else "")
    return SHOWN.sub(line, page)


def main() -> None:
    """Write the pages that are not as they should be."""
    number = schema(sys.stdin.read().splitlines())
    for path in map(Path, sys.argv[1:]):
        page = path.read_text()
        if (fresh := refreshed(page, number)) != page:
            path.write_text(fresh)


if __name__ == "__main__":
    main()
