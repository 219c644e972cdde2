# SPDX-License-Identifier: MIT
"""Long work: how far it is, on a terminal and in a log, and what ^C leaves of it."""
from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import pfnlab
from pfnlab import progress
from pfnlab.cli import main
from pfnlab.progress import Progress
from tests.processes import descendants

HOST = Path(pfnlab.__file__).parents[1]
EXIT_INTERRUPTED = 130

pytestmark = pytest.mark.only("native")


@pytest.fixture(autouse=True)
def _one_guest(guest_name: str) -> None:
    """These tests start their own guests; once is enough."""


def test_a_log_has_plain_lines(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(progress, "LINE_INTERVAL", 0.0)
    with Progress("walk", 4) as steps:
        assert list(steps.over("abcd")) == list("abcd")
    with Progress("search") as steps:
        steps.advance(5, "search, 7 left")
    with Progress("soak", seconds=600) as steps:
        steps.advance(3)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"walk: 3 of 4, [\d.]+/s, \d+ s left", lines[2])
    assert re.fullmatch(r"search, 7 left: 5, [\d.]+/s", lines[4])
    assert re.fullmatch(r"soak: 3, [\d.]+/s, \d+ s left", lines[5])


def test_nothing_is_seen_where_somebody_else_has_the_terminal(
        monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(progress, "LINE_INTERVAL", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress("walk", 4, quiet=True) as steps:
        assert list(steps.over("abcd")) == list("abcd")
    assert capsys.readouterr().err == ""


WALK = """
from pfnlab.progress import Progress
with Progress("walk", 4) as steps:
    for number in range(4):
        steps.advance()
        print("found", number)
"""


def test_a_terminal_has_a_bar_and_a_file_its_results(tmp_path: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    pytest.importorskip("rich")
    (tmp_path / "walk.py").write_text(WALK)
    child = pexpect.spawn("sh", ["-c", f"exec {sys.executable} walk.py >results"], timeout=60,
                          cwd=str(tmp_path), encoding="utf-8", dimensions=(24, 100),
                          env={**os.environ, "PYTHONPATH": str(HOST), "TERM": "xterm"})
    child.expect_exact("4/4")
    child.expect("/s .*0:00:00")
    child.expect(pexpect.EOF)
    assert (tmp_path / "results").read_text().split() == "found 0 found 1 found 2 found 3".split()


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes ^C come after so many steps of any work."""
    def after(steps: int) -> None:
        def advance(self: Progress, n: int = 1, what: str | None = None,
                    total: int | None = None) -> None:
            self.done += n
            if self.done >= steps:
                raise KeyboardInterrupt
        monkeypatch.setattr(Progress, "advance", advance)
    return after


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "s.t"
    lines = ["map_begin", "map_add 1M 64K", "map_commit", *["alloc_page"] * 16]
    path.write_text("".join(f">{n} {line}\n=\n" for n, line in enumerate(lines, 1)))
    return path


def test_an_interrupt_keeps_the_rows_of_a_benchmark(interrupt: Any, capsys: Any) -> None:
    interrupt(2)
    assert main(["--json", "bench", "native", "--turns", "1"]) == EXIT_INTERRUPTED
    *rows, stopped = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 and json.loads(stopped)["status"] == EXIT_INTERRUPTED


@pytest.mark.parametrize(("words", "steps", "told"), [
    (["replay"], 3, {"requests": 3, "stopped": True}),
    (["replay", "--diff", "native?memory=64M"], 3, {"requests": 3, "stopped": True}),
    (["sweep", "--what", "frames"], 5, {"attempts": 5, "findings": 0}),
    (["bisect", "--until", "alloc_pages 3 == mem.none"], 2, {"after": 17, "upto": 37})])
def test_an_interrupt_tells_what_was_found_so_far(
        script: Path, words: list[str], steps: int, told: dict[str, Any], interrupt: Any,
        capsys: Any) -> None:
    interrupt(steps)
    verb, *more = words
    status = main(["--json", verb, str(script), *more])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == EXIT_INTERRUPTED
    assert told.items() <= lines[-2].items()


def test_what_was_shrunk_so_far_is_kept_on_an_interrupt(interrupt: Any, capsys: Any,
                                                        tmp_path: Path) -> None:
    path = tmp_path / "s.t"
    noise = [f"stress 200 seed={n}" for n in range(400)]
    path.write_text("".join(f">{n} {line}\n" for n, line in enumerate(
        [*noise, "panic assert", *noise], 1)))
    interrupt(5)
    assert main(["shrink", str(path)]) == EXIT_INTERRUPTED
    said = capsys.readouterr().err
    assert "802 lines show" in said and said.endswith("pfnlab: stopped\n")
    kept = (tmp_path / "s.min.t").read_text()
    assert ">401 panic assert" in kept and kept.count("\n>") < 802


@pytest.mark.parametrize("words", [["fuzz", "native", "--fast"], ["fuzz", "native"],
                                   ["twins", "native", "native"]])
def test_an_interrupt_tells_how_far_a_search_was(words: list[str], interrupt: Any, capsys: Any,
                                                 tmp_path: Path) -> None:
    interrupt(30)
    more = ["--seed", "3", *(["-o", str(tmp_path)] if words[0] == "fuzz" else [])]
    assert main(["--json", *words, *more]) == EXIT_INTERRUPTED
    told = json.loads(capsys.readouterr().out.splitlines()[-2])
    assert told["commands"] in (29, 30)       # twins tell of a command before it, fuzz behind it


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_of_a_search_outlives_it(how: signal.Signals, tmp_path: Path) -> None:
    words = ["--json", "fuzz", "native", "-j", "2", "--fast", "--commands", "100000000",
             "--seed", "3", "-o", str(tmp_path)]
    with subprocess.Popen([sys.executable, "-m", "pfnlab", *words], stdout=subprocess.PIPE,
                          text=True, stderr=subprocess.PIPE, start_new_session=True,
                          env={**os.environ, "PYTHONPATH": str(HOST), "TMPDIR": str(tmp_path)}
                          ) as search:
        try:
            while not any(map(is_guest, started := descendants(search.pid))):
                assert search.poll() is None
                time.sleep(0.01)
            ends = []
            for pid in started:
                with suppress(ProcessLookupError):
                    ends.append(os.pidfd_open(pid))
            if how == signal.SIGINT:
                os.killpg(search.pid, how)                    # as a terminal does
                said, complaints = search.communicate(timeout=60)
        finally:
            search.kill()
    left = [end for end in ends if not select.select([end], [], [], 20)[0]]
    for end in left:
        signal.pidfd_send_signal(end, signal.SIGKILL)
    for end in ends:
        os.close(end)
    assert left == []
    if how == signal.SIGINT:
        assert (search.returncode, complaints) == (EXIT_INTERRUPTED, "pfnlab: stopped\n")
        assert "commands" in json.loads(said.splitlines()[-2])


def is_guest(pid: int) -> bool:
    """Is it the program of the native guest?"""
    try:
        return os.readlink(f"/proc/{pid}/exe") == str(HOST.parent / "build/native/pfnlab")
    except OSError:
        return False


@pytest.mark.parametrize("words", [["fuzz", "native", "--fast", "--commands", "77", "--seed", "3"],
                                   ["fuzz", "native", "--commands", "77", "--seed", "3"],
                                   ["fuzz", "native", "--commands", "77", "-j", "2", "--seed", "3"],
                                   ["twins", "native", "native", "--commands", "77", "--seed", "3"],
                                   ["sweep"]])
def test_a_search_knows_how_far_it_is_and_does_as_many_as_it_was_told(
        words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any, script: Path) -> None:
    made: list[Progress] = []
    begin = Progress.__enter__

    def enter(self: Progress) -> Progress:
        made.append(self)
        return begin(self)
    monkeypatch.setattr(Progress, "__enter__", enter)
    more = {"fuzz": ["-o", str(script.parent)], "sweep": [str(script)]}.get(words[0], [])
    assert main(["--json", *words, *more]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    wanted = made[0].total
    assert wanted == told.get("commands", told.get("attempts"))
    if "-j" in words:
        assert wanted == 154 and made[0].done <= wanted
    else:
        assert wanted == made[0].done and (wanted == 77 or words == ["sweep"])
