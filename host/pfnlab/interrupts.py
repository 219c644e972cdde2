# SPDX-License-Identifier: MIT
"""What ^C does for a while, instead of raising KeyboardInterrupt."""
from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def on_interrupt(act: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    """Within it, ^C calls this, or is ignored (signal.SIG_IGN), by processes that are started
    there, too. Only a program's main thread hears of ^C and may say what it does: in another one
    nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, act)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Within it ^C waits, and is heard at the end. A process that is started there does not hear it
    until it calls ignore_interrupts()."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_interrupts() -> None:
    """For good, and so do the processes that this one starts. ^C that waits is forgotten."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
