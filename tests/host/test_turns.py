# SPDX-License-Identifier: MIT
"""On a busy host each thread has to wait for its turn, and others end meanwhile."""
from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pfnlab import wire
from pfnlab.channel import Channel
from pfnlab.doors import open_process, program_of
from pfnlab.errors import GuestGone
from pfnlab.link import Link


class Busy(Channel):
    """A line on a busy host: whoever reads it has no turn, before or behind what the system does
    (`stage`), until somebody asks whether anything waits. Each request is answered at once; `exit`
    is the last one."""

    def __init__(self, stage: str) -> None:
        ours, self.theirs = socket.socketpair()
        super().__init__(ours)
        self.stage = stage
        self.turn = threading.Event()
        self.turn.set()

    def receive(self) -> bytes:
        if self.stage == "before":
            select.select([self.socket], [], [])
            self.turn.wait()
        data = super().receive()
        if self.stage == "behind":
            self.turn.wait()
        return data

    def waiting(self) -> bool:
        found = super().waiting()
        if found:
            self.turn.set()
        return found

    def send(self, data: bytes, deadline: float) -> None:
        if self.theirs.fileno() < 0:
            raise GuestGone("nobody takes it")
        line = wire.parse(data.split(b"\n")[-2])
        assert line is not None and line.tag is not None
        if line.tag == 0:
            said = f"=0 {line.words[1]} proto=1 arch=busy line=200 rx=512 slots=64 last=0"
        else:
            self.turn.clear()
            said = f"={line.tag} 5"
        self.theirs.sendall(wire.seal(said))
        if "exit" in line.words:
            self.theirs.close()

    def close(self) -> None:
        self.turn.set()
        self.theirs.close()
        super().close()


@pytest.mark.parametrize("stage", ["before", "behind"])
def test_what_has_come_is_no_silence_though_nobody_has_taken_it_yet(stage: str) -> None:
    line = Busy(stage)
    link = Link(line, silence=0.01)
    try:
        link.connect(20, booting=False)
        request = link.wait(link.submit(["add", "5"], "mutator"), timeout=0.01)
        assert request.final is not None and request.final.words == ["5"]
        assert line.turn.is_set() and link.recoveries == 0
    finally:
        line.close()


@pytest.mark.parametrize("stage", ["before", "behind"])
def test_last_words_that_nobody_has_taken_yet_are_heard(stage: str,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pfnlab.ear.LAST_WORDS", 0.0)
    line = Busy(stage)
    link = Link(line)
    try:
        link.connect(20, booting=False)
        request = link.submit(["exit"], "mutator")
        with pytest.raises(GuestGone, match="the serial line broke"):
            link.submit(["add", "5"], "mutator")
        assert request.final is not None and request.final.words == ["5"]
    finally:
        line.close()


def test_a_thread_that_ends_while_one_looks_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    really = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        found = list(really(path))
        end.set()
        while Path(f"/proc/self/task/{thread.native_id}").exists():
            time.sleep(0.001)
        return iter(found)
    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert open_process(os.getpid(), program_of("native")).places
    assert not thread.is_alive()
