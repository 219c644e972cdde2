# SPDX-License-Identifier: MIT
"""The lines of a guest as they come in, what it says unasked, and why there will be no more.

A thread drains the line at all times (a guest that cannot send does not read either, so a host that
writes first and reads later can stop both for ever). All else happens in the caller's thread.
"""
from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from pfnlab import wire
from pfnlab.channel import Channel
from pfnlab.errors import GuestGone, GuestPanic
from pfnlab.request import Log
from pfnlab.values import Row
from pfnlab.vigil import LOOK, Silence

__tracebackhide__ = True          # pytest shows the line of the test, not ours

PANIC_PATIENCE = 1.5              # the guest's seconds for each line behind the first of a panic
LAST_WORDS = 1.0                  # seconds for what else may explain an end
QUIET = 10.0                      # seconds without a line that make us ask what happened
TURN = 0.01                       # seconds between two looks whether what has come is taken
EVENTS = 20000                    # kept


class Ear(ABC):
    """Both directions of a line, without a session."""

    def __init__(self, transport: Channel) -> None:
        self.transport = transport
        self.log = Log()
        self.events: deque[Row] = deque(maxlen=EVENTS)
        self.reason: GuestGone | None = None
        self.heard = 0                # lines, damaged ones too
        self.signs = 0                # of life, of what is at work
        self.bytes_out = self.bytes_in = 0
        self.connected = False        # has it answered?
        self.leaving = False          # nobody takes what is sent: these are its last words
        self.on_event: Callable[[Row], None] | None = None
        self._panic: list[str] = []
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._drain, daemon=True, name="pfnlab-reader")
        self._reader.start()

    def _drain(self) -> None:
        rest = b""
        while data := self.transport.receive():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._inbox.put(line.rstrip(b"\r"))
            self.transport.taken()
            self.bytes_in += len(data)
        if rest:
            self._inbox.put(rest)
        self._inbox.put(None)

    def raw(self, data: bytes, timeout: float = 10.0) -> None:
        """Send bytes as they are: for tests of the line itself."""
        self.log.note("->", data.rstrip(b"\n"))
        self.send(data, self.transport.now() + timeout)

    def interrupt(self) -> None:
        """Ask the guest to stop what it does: ^C."""
        self.log.note("->", "^C")
        self.send(wire.INTERRUPT, self.transport.now() + QUIET)

    def send(self, data: bytes, deadline: float) -> None:
        """Send. GuestGone says why the guest is gone, not how that was noticed."""
        if self.reason is not None:
            raise self.reason
        try:
            self.transport.send(data, deadline)
            self.bytes_out += len(data)
        except GuestGone:
            raise self._last_words() from None

    def _last_words(self) -> GuestGone:
        """What the guest said before its end: what it answered, and a panic perhaps."""
        deadline = self.transport.now() + LAST_WORDS
        self.leaving = True
        try:
            while (data := self.take(deadline)) is not None:
                self.handle(data)
        except GuestGone as gone:
            return gone
        return self.gone()

    @abstractmethod
    def handle(self, data: bytes) -> None:
        """A line that has come. GuestGone: it says that no more will. While `leaving`, nothing may
        be sent for it."""

    def take(self, deadline: float) -> bytes | None:
        """The next line; None if there is none in time. GuestGone: and there will be none."""
        if self.reason is not None and self._inbox.empty():
            raise self.reason
        began = self.transport.now()
        try:
            line = self._next_of_panic() if self._panic else self._next(max(0.0, deadline - began))
        except queue.Empty:
            if self._panic:
                raise self.gone() from None
            held = deadline - began > 1 and self.transport.held()
            return self.take(deadline) if held else None
        if line is None:
            raise self.gone()
        self.log.note("<-", line)
        self.heard += 1
        return line

    def _next(self, seconds: float) -> bytes | None:
        """From the inbox; queue.Empty: nothing came in time. What did come counts, however long the
        thread that drains the line has to wait for its turn on a busy host."""
        try:
            return self._inbox.get(timeout=seconds)
        except queue.Empty:
            taken = self.bytes_in
        while self._reader.is_alive() and self.bytes_in == taken and self.transport.waiting():
            with suppress(queue.Empty):
                return self._inbox.get(timeout=TURN)
        return self._inbox.get(timeout=0)

    def _next_of_panic(self) -> bytes | None:
        """The same in a panic, which outranks any other deadline."""
        silence = Silence(self.transport)
        while silence.seconds < PANIC_PATIENCE:
            with suppress(queue.Empty):
                return self._next(LOOK)
            silence.go_on()
        raise queue.Empty

    def gone(self) -> GuestGone:
        """Why nothing more comes: a panic is named before an exit status."""
        if self.reason is None:
            if self._panic:
                self.reason = GuestPanic("the guest panicked: " + self._panic[0], self._panic)
            else:
                self.reason = self.transport.ended(self.connected)
        return self.reason

    def event(self, line: wire.Line) -> None:
        """Something said unasked. GuestGone: that was the end of it."""
        row = line.row()
        self.events.append(row)
        self.signs += line.words[:1] == ["busy"]
        if self._panic or line.words[:1] == ["panic"]:
            self._panic.append(line.raw)
            if line.words[:2] == ["end", "panic"]:      # it outranks whatever was waited for
                raise self.gone()
        elif self.connected and line.words[:1] == ["boot"]:
            self.reason = GuestGone("the guest has restarted")
            raise self.reason
        elif self.on_event is not None:
            self.on_event(row)
