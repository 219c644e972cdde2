# SPDX-License-Identifier: MIT
"""Who decides what ^C does."""
from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pfnlab
from pfnlab import debugger
from pfnlab.transport import build_native

SCRIPT = """
import signal
from pfnlab.interrupts import on_interrupt
heard = []
with on_interrupt(lambda *_: heard.append("outer")):
    with on_interrupt(signal.SIG_IGN):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print(heard)
"""


def test_an_interrupt_does_what_was_said_last_and_then_what_it_did_before() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True,
                          cwd=Path(pfnlab.__file__).parents[1], timeout=60)
    assert (done.stdout, done.stderr) == ("['outer']\n", "")


EARLY = """
import os, signal, sys
from multiprocessing.context import SpawnProcess
from pfnlab.cli import main
start = SpawnProcess.start
def start_and_interrupt(process):
    start(process)
    os.kill(os.getpid(), signal.SIGINT)
SpawnProcess.start = start_and_interrupt
sys.exit(main(["fuzz", "native", "-j", "2", "--fast", "--commands", "100000000", "-o",
               sys.argv[1]]))
"""


def test_an_interrupt_while_processes_are_started_is_not_lost(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", EARLY, tmp_path], capture_output=True, text=True,
                          cwd=Path(pfnlab.__file__).parents[1], timeout=60)
    assert (done.returncode, done.stderr) == (130, "pfnlab: stopped\n")


def test_an_interrupt_just_when_a_guest_is_built_is_one(tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    def communicate(built: subprocess.Popen[bytes]) -> None:
        built.wait()
        raise KeyboardInterrupt
    (tmp_path / "run-guest.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run-guest.sh").chmod(0o755)
    monkeypatch.setattr(subprocess.Popen, "communicate", communicate)
    with pytest.raises(KeyboardInterrupt):
        build_native.__wrapped__(tmp_path)


def test_another_thread_than_the_main_one_leaves_it_as_it_is() -> None:
    """Programs of others may run gdb from any of theirs."""
    before = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(debugger.run, ["true"]).result() == 0
    assert signal.getsignal(signal.SIGINT) is before
