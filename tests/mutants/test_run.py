# SPDX-License-Identifier: MIT
"""Who noticed a mutant, by what the tests said; and every mutant of the table applies."""
from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.run import Broken, Copy, stale
from tests.mutants.table import MUTANTS, Mutant
from tests.mutants.table_around import AROUND
from tests.mutants.table_locks import LOCKS
from tests.mutants.table_orders import ORDERS

FAILED = ("[   LINE   ] --- tests/unit/test_radix.c:71: error: Failure!\n"
          "unit tests FAILED: test_radix")
UNDEFINED = ("kernel/mm/page_tree.h:209:23: runtime error: member access within null pointer\n"
             "make: *** [tests/fuzz/fuzz.mk:105: fuzz-replay-ops] Error 1")


class Told(Copy):
    """A copy of nothing, whose tests said something."""

    def __init__(self, said: dict[str, tuple[bool, str]]) -> None:
        self.said = said
        self.scenarios_only = False

    def run(self, *command: str) -> tuple[bool, str]:
        return self.said[Path(command[0]).name]


@pytest.mark.parametrize(("said", "by"), [
    ({"make": (False, FAILED)}, "unit"),
    ({"make": (False, "unit radix: passed\nfuzz: 17 finals to: x")}, "corpus"),
    ({"make": (False, UNDEFINED)}, "corpus"),
    ({"make": (False, "it hangs")}, "a hang"),
    ({"make": (True, ""), "python3": (False, "1 failed")}, "scenarios"),
    ({"make": (True, ""), "python3": (True, "9 passed")}, ""),
])
def test_whoever_noticed_is_named(said: dict[str, tuple[bool, str]], by: str,
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/usr/bin/python3")
    assert Told(said).killer("*") == by


def test_what_does_not_compile_is_no_mutant() -> None:
    with pytest.raises(Broken):
        Told({"make": (False, "x.c:1:2: error: expected ';'")}).killer("*")


def test_every_mutant_applies() -> None:
    assert not stale([*MUTANTS, *AROUND, *ORDERS, *LOCKS])


def test_a_line_that_has_moved_is_told() -> None:
    gone = Mutant("a line that is nowhere", "kernel/base.h", "no such line", "another one")
    assert stale([gone]) == ["a line that is nowhere: 0 places in kernel/base.h fit instead of 1"]
