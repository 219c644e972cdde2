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
