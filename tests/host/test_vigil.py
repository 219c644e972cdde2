# SPDX-License-Identifier: MIT
"""Seconds of a guest's silence are the guest's own: of its work, or of its sleep."""
from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pfnlab import vigil
from pfnlab.channel import Channel
from pfnlab.vigil import Effort, Silence, effort_of


class Clock(Channel):
    """A line to a session of processes, with a clock that a test sets."""

    session = 7
    seconds = 0.0

    def now(self) -> float:
        return self.seconds


def silence_of(monkeypatch: pytest.MonkeyPatch, *efforts: Effort) -> float:
    """The silence after as many looks, 10 seconds from each other."""
    clock = Clock()
    silence = Silence(clock)
    for effort in efforts:
        monkeypatch.setattr(vigil, "effort_of", lambda session, found=effort: found)
        silence.go_on()
        clock.seconds += 10
    return silence.seconds


@pytest.mark.parametrize(("why", "efforts", "seconds"), [
    ("nobody wants the processor", [Effort({1: 5}), Effort({1: 5.01})], 10),
    ("the first look only begins", [Effort({1: 5})], 0),
    ("it waits for its turn", [Effort({1: 5}, False), Effort({1: 5}, False)], 0),
    ("it had a turn", [Effort({1: 5}, False), Effort({1: 5.5}, False)], 0.5),
    ("of its threads two had one", [Effort({1: 5, 2: 0, 3: 9}, False),
                                    Effort({1: 6, 2: 3, 3: 9}, False)], 2),
    ("it fell asleep since", [Effort({1: 5}, False), Effort({1: 6})], 1),
    ("a thread is new: nobody knows when it began", [Effort({1: 5}, False),
                                                     Effort({1: 6, 2: 4}, False)], 1),
    ("never more than there was", [Effort({1: 0}, False), Effort({1: 60}, False)], 10),
])
def test_a_second_is_one_of_work_or_of_sleep(monkeypatch: pytest.MonkeyPatch, why: str,
                                             efforts: list[Effort], seconds: float) -> None:
    assert silence_of(monkeypatch, *efforts) == pytest.approx(seconds), why


def test_a_guest_that_is_nobodys_process_has_our_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clock, "session", None)
    monkeypatch.setattr(vigil, "effort_of", None)
    clock = Clock()
    silence = Silence(clock)
    for clock.seconds in (1, 2, 5):
        silence.go_on()
    assert silence.seconds == 4


def test_the_effort_of_a_session_is_that_of_all_its_processes() -> None:
    script = "sleep 600 & read x; while :; do :; done"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE,
                          start_new_session=True) as process:
        assert process.stdin is not None
        try:
            while len((quiet := effort_of(process.pid)).work) < 2 or not quiet.asleep:
                time.sleep(0.01)
            process.stdin.write(b"go\n")
            process.stdin.flush()
            while (busy := effort_of(process.pid)).work[process.pid] < 0.05:
                time.sleep(0.01)
            assert busy.work.keys() == quiet.work.keys() and not busy.asleep
            os.killpg(process.pid, signal.SIGSTOP)
            while "T" not in Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2][:3]:
                time.sleep(0.01)
            assert not effort_of(process.pid).asleep
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    while effort_of(process.pid).work:        # the other one
        time.sleep(0.01)


@pytest.mark.parametrize("look", ["read_text", "listdir", "scandir"])
def test_a_process_that_ends_while_one_looks_is_none(monkeypatch: pytest.MonkeyPatch, look: str
                                                     ) -> None:
    with subprocess.Popen(["true"], start_new_session=True) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        where: Any = Path if look == "read_text" else os
        really = getattr(where, look)

        def gone(path: Path) -> Any:
            if f"/proc/{process.pid}" in str(path):
                process.wait()
            return really(path)
        monkeypatch.setattr(where, look, gone)
        assert effort_of(process.pid) == Effort()
