# SPDX-License-Identifier: MIT
"""Who decides what ^C does."""
from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pfnlab
from pfnlab import debugger

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


def test_another_thread_than_the_main_one_leaves_it_as_it_is() -> None:
    """Programs of others may run gdb from any of theirs."""
    before = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(debugger.run, ["true"]).result() == 0
    assert signal.getsignal(signal.SIGINT) is before
