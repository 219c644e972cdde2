# SPDX-License-Identifier: MIT
"""Lines of the serial protocol (protocol/PROTOCOL.md), made and taken apart."""
from __future__ import annotations

import binascii
from dataclasses import dataclass

from pfnlab.values import Row

VERSION = 1
INTERRUPT = b"\x03"
SIGILS = ">:=?%;"


def checksum(data: bytes) -> str:
    """CRC-16/CCITT-FALSE as it stands on the wire: four lower-case hex digits."""
    return f"{binascii.crc_hqx(data, 0xffff):04x}"


def seal(body: str) -> bytes:
    """A line with its checksum and its end."""
    data = body.encode("ascii")
    return data + b" *" + checksum(data).encode() + b"\n"


def request(tag: int, text: str) -> bytes:
    """A tagged request of a strict session."""
    return seal(f">{tag} {text}")


@dataclass(frozen=True)
class Line:
    """A line of the guest, or a request (sigil ">"). `sealed`: with a checksum, a right one."""

    sigil: str
    tag: int | None
    words: list[str]
    text: str
    sealed: bool
    raw: str                      # without checksum and line end

    def row(self) -> Row:
        """Its fields."""
        return Row(self.words, self.text)


def _unseal(data: bytes) -> tuple[bytes, bool] | None:
    """The line without its checksum and whether it had one; None if it had a wrong one. The end of
    a log line may look like one, and is text."""
    if data[:1] == b";" or len(data) < 6 or data[-6:-4] != b" *":
        return data, False
    if checksum(data[:-6]).encode() != data[-4:]:
        return None
    return data[:-6], True


def parse(data: bytes) -> Line | None:
    """Take a line apart; None if it is damaged or no line of the protocol (firmware, a prompt)."""
    found = _unseal(data)
    if found is None or not found[0].isascii():
        return None
    body, sealed = found
    raw = body.decode("ascii")
    if not raw or not raw.isprintable() or raw[0] not in SIGILS:
        return None
    head, _, text = raw.partition(";")
    if raw[0] == ";":
        return Line(";", None, [], text.strip(), sealed, raw)
    words = head.split()
    mark = words[0][1:]
    if mark and not (mark.isdigit() and (mark == "0" or mark[0] != "0")):
        return None
    return Line(raw[0], int(mark) if mark else None, words[1:], text.strip(), sealed, raw)
