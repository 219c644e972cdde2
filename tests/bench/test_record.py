# SPDX-License-Identifier: MIT
"""What is recorded of the benchmark: README.md tells that and nothing else, and a run that differs
is seen to. Nothing is measured here."""
from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import record
from long_runs import compared

TOOLS = ("compiler", "counted by")


@pytest.fixture(name="data")
def fixture_data() -> dict[str, Any]:
    return record.read()


def said(data: dict[str, Any], measured: record.Figures, **used: str) -> list[str]:
    """The differences, found with the tools of the record but for those in `used`."""
    tools = {what: data["counts"][what] for what in TOOLS}
    return list(record.differences(data, measured, {**tools, **used}))


def test_the_tables_of_the_readme_are_those_that_are_recorded(data: dict[str, Any]) -> None:
    text = record.README.read_text()
    assert record.with_tables(text, data) == text


def test_another_figure_is_another_table(data: dict[str, Any]) -> None:
    data["counts"]["engines"]["fill0"]["net"] = 31.25
    text = record.README.read_text()
    other = record.with_tables(text, data)
    assert "| fill 1 GiB with order 0, each page | 30 | 31.25 |" in other
    assert len(other.splitlines()) == len(text.splitlines())


def test_a_readme_without_a_table_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has 0 tables"):
        record.with_tables("# pfnlab\n", data)


def test_the_same_run_differs_in_nothing(data: dict[str, Any]) -> None:
    assert not said(data, record.figures(copy.deepcopy(data)))


def test_what_differs_is_named(data: dict[str, Any]) -> None:
    measured = record.figures(copy.deepcopy(data))
    engines, virtual = measured.engines, measured.virtual
    engines["pair0-cold"] = replace(engines["pair0-cold"], net=719.0)
    engines["fill0"].others["list"] += 1
    engines["fill0"].others["glibc"] = 1.0          # who packages it has that in their hands
    virtual["heap32-warm"] = replace(virtual["heap32-warm"], frames=7)
    del engines["query"]
    lines = said(data, measured, compiler="gcc 99")
    assert lines[0].startswith("compiler: recorded gcc") and lines[0].endswith(", this is gcc 99")
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "pair0-cold, tree", "fill0, list", "query, tree", "query, list", "heap32-warm, frames"]
    assert lines[1].endswith(", this is 719") and lines[3].endswith(", this is -")


def test_counts_alone_leave_the_times_as_they_are(data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    path.write_text(json.dumps(data))
    measured = record.figures(data)
    measured.times, measured.cpus = [], {}
    measured.engines["fill0"] = replace(measured.engines["fill0"], net=30.123456)
    record.write(measured, path)
    written = record.read(path)
    assert written["times"] == data["times"]
    assert written["counts"]["engines"]["fill0"]["net"] == 30.1235
    assert written["licence"] == "SPDX-License-Identifier: MIT"


def test_long_runs_have_a_commit_each_and_stay(data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    path.write_text(json.dumps(data))
    record.write_long({"oracle": 10_000_040}, path)
    record.write_long({"test": 421}, path)
    record.write(record.figures(data), path)
    at = record.commit()
    table = record.markdown(record.figures(record.read(path)))
    assert f"| 8 minutes | 7 min 1 s, at {at} |" in table
    assert f"| 10 million, 0 differences | 10,000,040, 0 differences, at {at} |" in table


def test_the_oracle_counts_for_the_engine_under_test() -> None:
    line = "seed 2: {} operations, all as the oracle says\n"
    said = f"{line.format(5)}{line.format(12)}[       OK ] a\n{line.format(3)}[       OK ] b\n"
    assert compared(said) == 12
    with pytest.raises(ValueError, match="tells of no operations"):
        compared("[       OK ] a\n" + line.format(3))
