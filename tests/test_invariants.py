# SPDX-License-Identifier: MIT
"""Each numbered invariant is in a list, is verified, is broken by hand in a unit test that expects
its number, and has a word of `corrupt`: four places that must tell the same."""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.test_corrupt import NUMBERS

ROOT = Path(__file__).resolve().parents[1]
LISTED = r"^ \*   (\d+)  "
BROKEN = r"\bbroken\([^;]*?\b(\d{3}),"
EXPECTED = r"(?:broken(?:_invariant)?\((?:&f, )?\)?,? ?|violation\.invariant, )(\d+)(?:, \w+)?\)"


@dataclass(frozen=True)
class Part:
    """Where the invariants of one part of the guest are; a number is what is found, and `base`."""

    source: str
    checked: str                      # the expression that finds the numbers in the code
    tests: tuple[str, ...]            # unit tests
    listed: str = LISTED
    header: str = ""                  # the list is not in `source` but here
    base: int = 0
    expected: str = EXPECTED


PARTS = (
    Part("kernel/mm/page_check.c", r"holds\((?:[^;]|\n)*?, (\d+),\s+[^,;]+\)", ("page_check",),
         r"^    \[(\d+)\] = ", expected=r"(?:BREAK\([^;]*|assert_broken\(&f), (\d+)\);"),
    Part("kernel/mm/list_check.c", r"holds\((?:[^;]|\n)*?, (\d+),\s+[^,;]+\)", ("list_check",),
         r"^    \[(\d+)\] = ", expected=r"(?:BREAK\([^;]*|violation\.invariant), (\d+)\);"),
    Part("kernel/mm/pages_query.c", r"invariant = (\d+);", ("pages", "pages_cache"),
         r"\((?:invariant )?(\d{3})\)", "kernel/mm/pages.h"),
    Part("kernel/mm/phys.c", r"(?:return|capacity \?|number =) ([1-9])\b", ("phys_end",),
         base=200),
    Part("kernel/lab_check.c", BROKEN, ("lab", "lab_virtual")),
    Part("kernel/mm/virt_check.c", BROKEN, ("virt", "vmap_check")),
    Part("kernel/mm/vmap_check.c", BROKEN, ("vmap_check",)),
    Part("kernel/mm/tables.c", r"\*invariant = (\d+);", ("tables",)),
    Part("kernel/mm/heap_check.c", BROKEN, ("heap_check",)),
    Part("kernel/mm/attributes.c", BROKEN, ("attributes",),
         expected=r"assert_attributes_broken\((\d+)\)"),
    Part("protocol/session.c", r"\b(8\d\d), pfn\(0\)", ("protocol_rare",),
         header="protocol/session.h", expected=r"bug\.check invariant=(8\d\d) "),
)


def numbers(name: str, pattern: str, base: int = 0) -> set[int]:
    """All that the expression finds in a file; 0 means that a check was stopped."""
    text = (ROOT / name).read_text()
    return {base + int(n) for n in re.findall(pattern, text, re.M) if int(n)}


def listed(part: Part) -> set[int]:
    """By the list for people."""
    return numbers(part.header or part.source, part.listed, part.base)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: Path(part.source).stem)
def test_what_is_listed_is_verified(part: Part) -> None:
    assert numbers(part.source, part.checked, part.base) == listed(part)
    assert listed(part)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: Path(part.source).stem)
def test_what_is_listed_is_broken_by_hand_and_named(part: Part) -> None:
    expected: set[int] = set()
    for name in part.tests:
        expected |= numbers(f"tests/unit/test_{name}.c", part.expected, part.base)
    assert listed(part) <= expected


def test_what_is_listed_has_a_word_of_corrupt() -> None:
    rows = re.findall(r'\brow\("(\w+)", (\d+)\)', (ROOT / "kernel/lab.h").read_text())
    words = {**{word: int(number) for word, number in rows}, "slot": 800}
    assert words == NUMBERS
    assert len(set(words.values())) == len(words)
    assert set(words.values()) == set().union(*(listed(part) for part in PARTS))
