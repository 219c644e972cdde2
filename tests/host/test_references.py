# SPDX-License-Identifier: MIT
"""`$7` and `$7+20`, which the guest knows for a while only, and this side after that."""
from __future__ import annotations

import io
from pathlib import Path

import pytest

from pfnlab.cli import main

SAID = {"$1+8": "= 0x0000000000010008", "$1+4K": "= 0x0000000000011000",
        "$2+1": "? call.reference", "$3": "? call.reference", "$3+1": "? call.reference",
        "$1+ff": "? call.number", "$01": "? call.number", "$1+0xffffffffffffffff": "? call.range",
        "$1+18446744073709551616": "? call.range"}
# The result of the first is a number, the second fails, that of the third is a word.
WORDS = ["0x10000", "-", "low", *SAID, *["1"] * 600, *SAID]
LINES = [f">{n} echo {word}" for n, word in enumerate(WORDS, 1)]

pytestmark = pytest.mark.only("native")


def test_the_line_says_the_same_of_long_ago(capsys: pytest.CaptureFixture[str],
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(LINES)))
    main(["pipe"])
    answers = [line.partition(" arg=")[0] for line in capsys.readouterr().out.splitlines()]
    assert answers[:3] == ["= 0x0000000000010000", "? call.number", "= low"]
    assert answers[3:3 + len(SAID)] == answers[-len(SAID):] == [*SAID.values()]


def test_a_replay_says_the_same_of_long_ago(tmp_path: Path) -> None:
    path = tmp_path / "s.t"
    path.write_text("".join(f"{line}\n{SAID[word]}\n" if word in SAID else f"{line}\n"
                            for line, word in zip(LINES, WORDS)))
    assert main(["replay", str(path)]) == 0
