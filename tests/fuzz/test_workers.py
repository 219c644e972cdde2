# SPDX-License-Identifier: MIT
"""The processes of one campaign: what they do, and how they end, each by itself or all at once."""
from __future__ import annotations

import json
import pickle
import signal
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from pfnlab import Guest, errors
from pfnlab.cli import main
from pfnlab.cli_common import EXIT_LINK
from pfnlab.fuzz import Limit, campaign, spread
from pfnlab.progress import Progress


@pytest.mark.only("native")
def test_several_workers_take_a_seed_each(guest: Guest, tmp_path: Path) -> None:
    figures = spread(campaign, "native", 5, Limit(commands=1), tmp_path, 2)
    assert figures.lives == 2 and not figures.found


@pytest.mark.only("native")
def test_workers_that_are_stopped_tell_what_they_have(guest: Guest, tmp_path: Path) -> None:
    def stop(commands: int) -> None:
        if commands > 50:
            raise KeyboardInterrupt
    figures = spread(campaign, "native", 5, Limit(), tmp_path, 2, stop)
    assert figures.stopped and figures.commands > 50


@pytest.mark.only("native")
@pytest.mark.parametrize("late", [False, True])
def test_an_interrupt_stops_the_workers_whenever_it_comes(
        late: bool, guest: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While they work, and just when they are started and it counts again."""
    def interrupt() -> None:
        if not came:
            came.append(True)
            signal.raise_signal(signal.SIGINT)

    def handle(number: int, what: Any) -> Any:
        before = handled(number, what)
        if not late and what is not signal.SIG_IGN:
            interrupt()
        return before
    came: list[bool] = []
    handled = signal.signal
    monkeypatch.setattr(signal, "signal", handle)
    figures = spread(campaign, "native", 5, Limit(), tmp_path, 2,
                     lambda commands: interrupt() if late and commands > 50 else None)
    assert came and figures.stopped and not active_children()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.only("native")
def test_a_second_interrupt_waits_for_nobody(guest: Guest, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(*args: Any) -> Any:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
    monkeypatch.setattr("pfnlab.fuzz.wait", wait)
    with pytest.raises(KeyboardInterrupt):
        spread(campaign, "native", 5, Limit(), tmp_path, 2)
    for worker in active_children():
        worker.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.only("native")
def test_a_worker_that_is_killed_is_told_with_what_the_others_did(
        guest: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """As by a kernel that has no memory left."""
    def advance(self: Progress, n: int = 1) -> None:
        self.done += n
        if self.done > 50 and not killed:
            killed.append(active_children()[0])
            killed[0].kill()
    killed: list[Any] = []
    monkeypatch.setattr(Progress, "advance", advance)
    words = ["--json", "fuzz", "native", "-j", "2", "--fast", "--time", "1d", "--seed", "3"]
    assert main([*words, "-o", str(tmp_path)]) == EXIT_LINK
    said = capsys.readouterr()
    told, error = map(json.loads, said.out.splitlines()[-2:])
    assert told["lives"] > 0 and error["kind"] == "WorkerGone"
    assert said.err.startswith("pfnlab: the worker with seed ") and "by SIGKILL" in said.err
    assert said.err.count("\n") == 1


def test_what_goes_wrong_in_a_worker_goes_wrong(tmp_path: Path) -> None:
    figures = spread(campaign, "nowhere", 5, Limit(), tmp_path, 2)
    assert isinstance(figures.error, errors.GuestRefused) and figures.lives == 0
    assert "in campaign" in "".join(figures.error.__notes__)


def test_every_end_of_a_guest_gets_from_one_process_to_another() -> None:
    panic = errors.GuestPanic("it panicked", ["first", "second"])
    panic.frames = ["somewhere"]
    there = pickle.loads(pickle.dumps(panic))
    assert (type(there), str(there), vars(there)) == (type(panic), str(panic), vars(panic))
    lost = pickle.loads(pickle.dumps(errors.MemNone("no", {"at": 1})))
    assert isinstance(lost, errors.MemNone) and (str(lost), lost.at) == ("no", 1)
