# SPDX-License-Identifier: MIT
"""What `make coverage` says of what was counted, and when it is red."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.coverage import report

SOURCE = ["int f(int a)", "{", "return 1;", "return 1;", "ASSERT(a);", "}"]


class Desk:
    """A tree of one file, with exceptions; what the report says of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "kernel").mkdir()
        (root / "kernel/f.c").write_text("\n".join(SOURCE))

    def ask(self, counts: dict[int, int], exceptions: tuple[str, ...] = (),
            branches: dict[int, list[int]] | None = None,
            guest: dict[int, int] | None = None) -> int:
        """The status."""
        (self.root / "exceptions.txt").write_text(
            "".join(f"kernel/f.c | {text} | why\n" for text in exceptions))
        paths = [self._write("native", counts, branches or {})]
        if guest is not None:
            paths.append(self._write("guest", guest, {}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(report, "ROOT", self.root)
            patch.setattr(report, "EXCEPTIONS", self.root / "exceptions.txt")
            patch.setattr("sys.argv", ["report.py", *paths])
            return report.main()

    def _write(self, name: str, counts: dict[int, int], branches: dict[int, list[int]]) -> str:
        lines: list[dict[str, Any]] = [
            {"line_number": number, "count": count,
             "branches": [{"count": taken} for taken in branches.get(number, [])]}
            for number, count in counts.items()]
        path = self.root / f"{name}.json"
        path.write_text(json.dumps({"files": [{"file": "kernel/f.c", "lines": lines}]}))
        return str(path)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_all_lines_run_are_enough(desk: Desk) -> None:
    assert desk.ask({1: 1, 3: 7, 4: 1}) == 0


def test_a_line_that_is_not_run_is_named(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.ask({1: 1, 3: 0, 4: 1}) == 1
    assert "not run: kernel/f.c | return 1;" in capsys.readouterr().out


def test_an_exception_is_for_one_line(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.ask({3: 0, 4: 1}, ("return 1;",)) == 0
    assert desk.ask({3: 0, 4: 0}, ("return 1;",)) == 1
    assert desk.ask({3: 0, 4: 0}, ("return 1;",) * 2) == 0
    capsys.readouterr()
    assert desk.ask({3: 0, 4: 1}, ("return 1;",) * 2) == 1
    assert "says otherwise: kernel/f.c | return 1;" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["return 1;", "a line that is gone"])
def test_an_exception_that_is_none_is_red(desk: Desk, text: str) -> None:
    assert desk.ask({3: 1, 4: 1}, (text,)) == 1


def test_what_ran_in_a_guest_alone_was_run_and_refutes_no_exception(desk: Desk) -> None:
    assert desk.ask({3: 0, 4: 1}, guest={3: 1}) == 0
    assert desk.ask({3: 0, 4: 1}, ("return 1;",), guest={3: 1}) == 0
    assert desk.ask({3: 0, 4: 1}, guest={3: 0}) == 1


def test_branches_are_counted_but_for_those_of_a_failed_assertion(desk: Desk) -> None:
    assert desk.ask({3: 1}, branches={3: [1] * 19 + [0]}) == 0
    assert desk.ask({3: 1}, branches={3: [1] * 18 + [0]}) == 1
    assert desk.ask({5: 1}, branches={5: [1, 0]}) == 0
