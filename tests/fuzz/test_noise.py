# SPDX-License-Identifier: MIT
"""The real guest behind a line that loses, doubles, flips and breaks bytes in both directions:
everything still runs exactly once."""
from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pfnlab import Guest, Pending
from pfnlab.stream import Stream
from pfnlab.transport import Transport
from pfnlab.twin import Twin, inject

AREAS = [("odd", 0x301000), ("rest", 1 << 52)]
RANGES = [(0x200000, 0x280000, "usable"), (0x600000, 0x900000, "usable")]


class NoisyTransport(Transport):
    """Damages one byte in `rarity`, once `noisy` is set."""

    rng = random.Random(0)
    rarity = 1000
    noisy = False

    def damage(self, data: bytes) -> bytes:
        """What comes out at the other end."""
        out = bytearray()
        for byte in data:
            if not self.noisy or self.rng.randrange(self.rarity):
                out.append(byte)
            else:
                out += self.rng.choice((b"", bytes([byte, byte]), b"\n", bytes([0xff]),
                                        bytes([byte ^ 1 << self.rng.randrange(8)])))
        return bytes(out)

    def send(self, data: bytes, deadline: float) -> None:
        super().send(self.damage(data), deadline)

    def receive(self) -> bytes:
        data = super().receive()
        damaged = self.damage(data)
        return damaged or data[:1]     # nothing at all would be the end


@contextmanager
def noisy_guest(name: str, seed: int, silence: float = 0.5) -> Iterator[Guest]:
    """A guest whose line turns bad once it has begun."""
    transport = NoisyTransport.start(name)
    assert isinstance(transport, NoisyTransport)
    transport.rng = random.Random(seed)
    guest = Guest(name, transport=transport, timeout=120)
    guest.link.silence = silence
    transport.noisy = True
    try:
        yield guest
        transport.noisy = False
    finally:
        guest.kill()


@pytest.mark.seeds(1, native=4)
def test_a_damaged_line_changes_no_result(guest_name: str, seed: int) -> None:
    with noisy_guest(guest_name, seed) as guest:
        twin = Twin(guest, AREAS, [*RANGES], owners=False)
        stream = Stream(twin, random.Random(seed))
        for _ in range(300 if guest.arch == "native" else 100):
            stream.step()
            twin.collect(leave=30)
        twin.collect()
        guest.transport.noisy = False  # type: ignore[attr-defined]
        twin.compare_state()
        assert guest.link.recoveries > 0    # the line was bad indeed


def dependent_commands(guest: Guest, seed: int, window: int) -> list[object]:
    """400 commands, of which each depends on those before it by their results, up to `window` of
    them under way; what each answered, and the state at the end."""
    rng = random.Random(seed)
    line = guest.pipeline()
    blocks: list[Pending] = []
    answers: list[Pending] = []
    for number in range(400):
        if len(blocks) < 8 or rng.random() < 0.55:
            blocks.append(line.alloc_pages(rng.randrange(6), as_=number % 200))
            answers.append(blocks[-1])
        else:
            answers.append(line.free(blocks.pop(rng.randrange(len(blocks)))))
        if len(answers) >= window:
            answers[-window].error()
    told: list[object] = [one.error() and one.error().code or one.result() for one in answers]
    guest.transport.noisy = False      # type: ignore[attr-defined]
    rows = guest.dump("pages")
    return [*told, *((row[0], row[1], row[2], row.fields.get("fresh")) for row in rows)]


@pytest.fixture(scope="module")
def clean_runs() -> dict[int, list[object]]:
    """What a clean line answers, by seed."""
    return {}


@pytest.mark.only("native")
@pytest.mark.parametrize("window", [1, 400])
@pytest.mark.parametrize("seed", range(20))
def test_dependent_commands_end_as_over_a_clean_line(
        guest: Guest, guest_name: str, seed: int, window: int,
        clean_runs: dict[int, list[object]]) -> None:
    if seed not in clean_runs:
        inject(guest, AREAS, [*RANGES])
        clean_runs[seed] = dependent_commands(guest, seed, 400)
    with noisy_guest(guest_name, seed, silence=0.05) as noisy:
        inject(noisy, AREAS, [*RANGES])
        assert dependent_commands(noisy, seed, window) == clean_runs[seed]
        assert noisy.link.recoveries > 0
