# SPDX-License-Identifier: MIT
"""`pfnlab bench`: every row is there, on a guest that is started and on one that runs, and over
commits they become a picture. No figure is judged."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pfnlab import Guest, bench
from pfnlab.bench import Bench, Row
from pfnlab.cli import main

pytestmark = pytest.mark.only("native")


@pytest.fixture(autouse=True)
def _quick(guest_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As little work as makes a row."""
    monkeypatch.setattr(bench, "COUNTS", {name: 8 for name in bench.COUNTS})
    monkeypatch.setattr(bench, "OPERATIONS", 8)
    monkeypatch.setattr(bench, "TRIPS", 8)


def rows_of(capsys: Any, *words: str) -> list[dict[str, Any]]:
    """What the command prints."""
    assert main(["--json", "bench", *words, "--turns", "1"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_row_has_its_figure_and_what_it_compares_to(capsys: Any) -> None:
    rows = rows_of(capsys, "native", "native?memory=64M")
    assert len(rows) == 2 * bench.ROWS
    assert [row["what"] for row in rows[:2]] == ["boot to first prompt", "round trip of one echo"]
    assert {row["guest"] for row in rows} == {"native", "native?memory=64M"}
    assert all(row["value"] > 0 and row["commit"] == bench.commit() for row in rows)
    compared = {row["what"]: row["ratio"] for row in rows if row.get("of") == "echo"}
    assert list(compared) == [f"alloc_page + free, {way}" for way in bench.COUNTS]


def test_the_guest_does_what_is_counted(guest: Guest) -> None:
    way = Bench(guest, 1)
    for make in (way._one_at_a_time, way._pipelined, way._stored_and_run):
        first = guest.link.next_tag
        assert make(8, "alloc_page", "free $")() == 8
        assert guest.link.next_tag - first in (8, 3)      # two lines stored, and run four times
    assert guest.leaks() == []
    guest.check()


def test_a_guest_that_runs_already_has_all_but_its_start(guest: Guest) -> None:
    assert [row.what for row in Bench(guest, 1).rows()][0] == "round trip of one echo"
    assert len(list(Bench(guest, 1).rows())) == bench.ROWS - 1


def test_over_commits_they_become_a_picture(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("matplotlib")
    from pfnlab.picture_bench import commits_of, panels_of
    rows = [Row("echo", guest, 100.0 * number, "/s", ratio, "" if ratio is None else "nothing",
                commit=commit)
            for guest, ratio in (("native", 0.5), ("s390x", None))
            for number, commit in enumerate(("aaa", "bbb", "aaa"), 1)]
    path = tmp_path / "bench.jsonl"
    path.write_text("".join(json.dumps(row.data()) + "\n" for row in rows))
    assert commits_of(rows) == ["aaa", "bbb"]
    assert panels_of(rows) == {
        "ratio": {"native: echo / nothing": [(0, 0.5), (1, 0.5), (0, 0.5)]},
        "/s": {f"{guest}: echo": [(0, 100.0), (1, 200.0), (0, 300.0)]
               for guest in ("native", "s390x")}}
    assert main(["plot", str(path), "-o", str(tmp_path / "bench.svg")]) == 0
    assert ElementTree.parse(tmp_path / "bench.svg").getroot().tag.endswith("svg")
    assert "<!-- s390x: echo -->" in (tmp_path / "bench.svg").read_text()


@pytest.mark.parametrize(("text", "why"), [
    ("", "no rows"), ("hello\n", ":1: "), ('{"what": "echo"}\n', ":1: "), ("[]\n", ":1: "),
    ('{"what": "a", "guest": "b", "value": 1, "unit": "c", "more": 1}\n', ":1: ")])
def test_what_is_no_benchmark_is_refused(text: str, why: str, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "bench.jsonl"
    path.write_text(text)
    assert main(["plot", str(path), "-o", str(tmp_path / "bench.svg")]) == 2
    assert why in capsys.readouterr().err
