# SPDX-License-Identifier: MIT
"""Lines that nobody should send, and what a guest says to them: `make hostile`.

Good lines are damaged, cut, glued and mixed with binary garbage. The guest must answer each line
with exactly one final, or not at all where the protocol says so, and a good line after each burst.
"""
from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "host"))

from pfnlab import Guest, errors, wire  # noqa: E402
from pfnlab.fuzz_choices import Dice  # noqa: E402
from pfnlab.fuzz_lines import Lines  # noqa: E402
from pfnlab.memory_map import MemoryMap  # noqa: E402
from pfnlab.twin import window  # noqa: E402

BURST = 40                        # lines between two good ones
WINDOW = 3000                     # bytes of a burst: less than the guest's credit
PATIENCE = 60.0
ENDS_LINE = b"\r\n\x03"
# What ends a guest or takes very long is not among the words; made of others it is very unlikely.
DANGEROUS = (b"panic", b"poweroff", b"stress", b"run", b"sync", b"corrupt", b"trace", b"mark")
MAP = MemoryMap([("low", 1 << 24), ("rest", 1 << 52)],
                [(0x100000, 0x300000, "usable"), (0xff0000, 0x20000, "usable")])


class Hostile(Exception):
    """The guest did not answer as it must."""


class Attack:
    """Bursts of lines against a guest, whose line is not strict."""

    def __init__(self, guest: Guest, seed: int) -> None:
        self.guest = guest
        self.rng = random.Random(seed)
        self.lines = Lines(guest.table, MAP, window(guest))
        self.sent = 0
        self.resets = 0
        self.answers: Counter[str] = Counter()
        MAP.inject(guest)
        guest.link.raw(b"\x03\n>0 sync 1\n")           # the end of the strict session
        self._collect(b"=0 1 ")

    # ---- lines ----

    def _good(self) -> bytes:
        text = self.lines.line(Dice(self.rng))
        return f">{self.rng.choice(('', str(self.rng.randrange(1, 1 << 32))))} {text}".encode()

    def _noise(self) -> bytes:
        return bytes(b for b in self.rng.randbytes(self.rng.randrange(1, 200))
                     if b not in ENDS_LINE)

    def line(self) -> bytes:
        """One that is most likely bad, quiet, without an end in it."""
        rng, line = self.rng, bytearray(self._good())
        for _ in range(rng.randrange(4)):
            at = rng.randrange(len(line) + 1)
            line[at:at] = rng.choice((b"", self._noise()[:3], b" ", b"=", b"$", b"\t", b"\0", b">",
                                      b"99999999999999999999", b" *1234"))
        if rng.random() < 0.1:
            line = bytearray(wire.seal(bytes(line).decode("latin1"))[:-1]
                             if bytes(line).isascii() else line)
        if rng.random() < 0.1:
            line = line[:rng.randrange(1, len(line) + 1)]
        if rng.random() < 0.03:
            line += b"x" * rng.randrange(900, 2000)
        if rng.random() < 0.1:
            line = bytearray(rng.choice(b">:=?%;").to_bytes(1, "big") + self._noise())
        if any(word in line for word in DANGEROUS) or line[:1] not in b">:=?%;":
            line[:0] = b"> "
        return b"> " if any(word in line for word in DANGEROUS) else bytes(line)

    # ---- a burst ----

    def burst(self) -> None:
        """Some lines, and a good one behind them."""
        data, finals, count = b"", 0, self.rng.randrange(1, BURST)
        while count > 0 and len(data) < WINDOW - 2100:
            line = self.line()
            data += line + self.rng.choice((b"\n", b"\r", b"\r\n"))
            finals += line[:1] == b">"
            self.sent += 1
            count -= 1
        mark = self.rng.randrange(1 << 60)
        self.guest.link.raw(data + f">77 echo {mark}\n".encode())
        self.expect(finals, f"=77 {mark}")

    def expect(self, finals: int, last: str) -> None:
        """So many finals, and then that line."""
        said = self._collect(last.encode())
        got = [line for line in said if line[:1] in ("=", "?")]
        if len(got) != finals + 1:
            raise Hostile(f"{len(got) - 1} finals to {finals} lines")
        for line in got[:-1]:
            word = line.split()[1] if line[0] == "?" else "="
            if word.startswith("bug."):
                raise Hostile(line)
            self.answers[word] += 1

    def _collect(self, last: bytes) -> list[str]:
        """What is said up to that line."""
        said: list[str] = []
        deadline = time.monotonic() + PATIENCE
        while True:
            data = self.guest.link.take(deadline)
            if data is None:
                raise Hostile(f"no {last!r} in {PATIENCE:.0f} s; {said[-3:]}")
            said.append(data.decode("latin1"))
            if data.startswith(b"% panic") or data.startswith(b"% boot"):
                raise Hostile(said[-1])
            if data.startswith(last):
                return said

    def run(self, lines: int) -> None:
        """At least so many."""
        while self.sent < lines:
            self.burst()
            if self.sent % (50 * BURST) < BURST:
                self.guest.link.log.clear()
                self.resets += 1
                self.guest.link.raw(b"> reset\n> check\n>78 echo 1\n")
                if "=" not in self._collect(b"=78 1"):
                    raise Hostile("check: an invariant is broken")


def main() -> int:
    """0: every line was answered as it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("guests", nargs="+")
    options = parser.parse_args()
    for name in options.guests:
        start = time.monotonic()
        with Guest(name) as guest:
            attack = Attack(guest, options.seed)
            try:
                attack.run(options.lines)
            except (Hostile, errors.PfnlabError) as error:
                print(f"{name}, seed {options.seed}, after {attack.sent} lines: {error}")
                return 1
        took = time.monotonic() - start
        print(f"{name}, seed {options.seed}: {attack.sent} lines, {took:.0f} s, "
              f"{attack.sent / took:.0f}/s, each answered as it must; "
              + ", ".join(f"{word} {n}" for word, n in attack.answers.most_common(8)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
