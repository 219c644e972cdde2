# SPDX-License-Identifier: MIT
"""A guest without a kernel: the strict session of PROTOCOL.md around a counter, on standard input
and output, behind a line that damages bytes. For tests of pfnlab.link.

    fake_guest.py SEED PER_MILLION [MODE]

`add N` adds to the counter and returns it, `get` tells it, `list N` prints N rows, `dig N` as well,
with two signs of life before each, `boom` panics, `exit` dies, `hush` says nothing, `hang` nothing
ever again. MODE "version" speaks another protocol version, MODE "signs" promises signs of life.
"""
from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "host"))

from pfnlab import wire  # noqa: E402

SLOTS, RX, LINE = 64, 512, 200


class Guest:
    """The state of the session."""

    def __init__(self, seed: str, rate: float, mode: str) -> None:
        # One for either direction: which bytes it takes does not depend on how many come at once.
        self.noise_in, self.noise_out = random.Random(f"in/{seed}"), random.Random(f"out/{seed}")
        self.rate, self.mode = rate, mode
        self.last = self.counter = 0
        self.strict = False
        self.finals: dict[int, str] = {}
        self.slots: dict[int, int] = {}

    def damage(self, data: bytes, noise: random.Random) -> bytes:
        """What the line makes of the bytes."""
        out = bytearray()
        for byte in data:
            if noise.random() >= self.rate:
                out.append(byte)
                continue
            kind = noise.randrange(4)
            out += (b"", bytes([byte, byte]), bytes([byte ^ 1 << noise.randrange(7)]),
                    b"\n")[kind]
        return bytes(out)

    def say(self, body: str) -> None:
        """A sealed line."""
        data = wire.seal(body)
        if self.last or self.strict:
            data = self.damage(data, self.noise_out)
        os.write(1, data)

    def number(self, word: str) -> int:
        """An argument; `$tag` is an earlier result."""
        return self.slots[int(word[1:])] if word.startswith("$") else int(word)

    def run(self, tag: int, words: list[str]) -> str:
        """The body of the final line, without its tag."""
        name, *args = words
        if name == "add":
            self.counter += self.number(args[0])
            self.slots[tag] = self.counter
            return f"= {self.counter}"
        if name == "refuse":
            return "? mem.none at=0x0000000000001000 ; nothing there"
        if name == "get":
            return f"= {self.counter}"
        if name == "list":
            for i in range(int(args[0])):
                self.say(f":{tag} {i} square={i * i}")
            return f"= n={args[0]}"
        if name == "dig":
            for i in range(2 * int(args[0])):
                self.say("% busy")
                if i % 2:
                    self.say(f":{tag} {i}")
            return f"= n={args[0]}"
        if name == "again":
            return self.finals.get(self.number(args[0]), "? call.reference")
        if name == "boom":
            self.say("% panic kind=assert at=fake ; on purpose")
            self.say("% end panic")
            sys.exit(4)
        if name == "exit":
            sys.exit(3)
        if name == "hang":
            while True:
                time.sleep(60)
        return "? call.command"

    def sync(self, nonce: str) -> None:
        """Answer, and begin a strict session."""
        self.strict = True
        proto = 99 if self.mode == "version" else 1
        self.say(f"=0 {nonce} proto={proto} arch=fake line={LINE} rx={RX} slots={SLOTS} "
                 f"{'signs=10 ' if self.mode == 'signs' else ''}last={self.last}")

    def line(self, data: bytes) -> None:
        """One line of input, without its end."""
        if not data:
            return
        parsed = wire.parse(data)
        if parsed is None or not parsed.sealed or parsed.sigil != ">":
            self.say(f"? link.crc last={self.last}")
        elif parsed.tag == 0:
            self.sync(parsed.words[1])
        elif parsed.tag == self.last + 1:
            self.last = parsed.tag
            if parsed.words[0] == "hush":
                return
            final = self.run(parsed.tag, parsed.words)
            self.finals[parsed.tag] = final
            self.say(f"{final[0]}{parsed.tag}{final[1:]}")
        else:
            self.say(f"?{parsed.tag} link.seq last={self.last}")


def main() -> None:
    """Serve until the end of input."""
    guest = Guest(sys.argv[1], int(sys.argv[2]) / 1e6, (sys.argv + [""])[3])
    guest.say("% boot proto=1 arch=fake")
    rest = b""
    while data := os.read(0, 4096):
        if guest.strict:
            data = guest.damage(data, guest.noise_in)
        rest += data
        *lines, rest = rest.replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            guest.line(line.rpartition(b"\x03")[2])


if __name__ == "__main__":
    main()
