# SPDX-License-Identifier: MIT
"""A test that hangs: what it has started is told and ended, which most tests notice. Those that do
not end with their worker soon after (pytest-timeout), which tells where each of its threads is. No
test hangs at which a person looks.
"""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

import pytest

from tests.processes import descendants

PATIENCE = 2 / 3                  # of the test's time: then its processes are ended

_timers: dict[pytest.Item, threading.Timer] = {}


def _end_processes() -> None:
    from pytest_timeout import is_debugging       # whose hooks alone lead here
    if is_debugging():
        return
    started = descendants(os.getpid())
    with suppress(OSError):
        told = subprocess.run(["ps", "-ww", "-o", "pid,ppid,stat,wchan:20,etime,time,args", "-p",
                               ",".join(map(str, started or [os.getpid()]))],
                              capture_output=True, text=True, check=False, timeout=20)
        print(f"it hangs; ended is what its worker has started:\n{told.stdout}", file=sys.stderr)
    for pid in started:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> None:
    """Beside the timer of pytest-timeout, a shorter one."""
    _timers[item] = threading.Timer(PATIENCE * settings.timeout, _end_processes)
    _timers[item].start()


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> None:
    """The test has ended, or a person looks at it."""
    if item in _timers:
        _timers.pop(item).cancel()
