# SPDX-License-Identifier: MIT
"""The byte stream to and from a guest, whatever is at its other end."""
from __future__ import annotations

import select
import socket
import time
from pathlib import Path

from pfnlab.errors import GuestGone, GuestRefused, GuestSilent

__tracebackhide__ = True          # pytest shows the line of the test, not ours

HELD_PAUSE = 0.2                  # seconds between two looks whether a debugger has let go
STATUS_PATIENCE = 1.0             # seconds for a process to end behind its line
USAGE = 2                         # exit status of a program that takes no such options
HELD_BEFORE = 10.0                # seconds for which it may have held on before anybody looked
BLOCK = 65536                     # bytes that come in at once, at most
UNTOUCHED = 0                     # the first of them as long as none has; no guest says that


class Channel:
    """A stream over a socket. What a guest without a process of ours has not, is empty here."""

    boots = False                 # does the guest start with us, and say so?
    argv: list[str] = []          # how it was started

    def __init__(self, link: socket.socket | None = None) -> None:
        self.socket = link
        self._block = bytearray(BLOCK)
        self._held = 0.0

    def now(self) -> float:
        """Seconds of a clock by which the guest may be asked to hurry: it does not go on while a
        debugger holds the guest."""
        return time.monotonic() - self._held

    def held(self) -> bool:
        """Did a debugger hold the guest, which is silent? Then this waits until it does no more."""
        if not self.in_debugger():
            return False
        since = time.monotonic() - HELD_BEFORE
        while self.in_debugger():
            time.sleep(HELD_PAUSE)
        self._held += time.monotonic() - since
        return True

    def in_debugger(self) -> bool:
        """Is the guest stopped, or a debugger attached that may stop it any time?"""
        return False

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of it. GuestSilent: it was not taken in time; GuestGone: nobody takes it."""
        assert self.socket is not None
        while data:
            try:
                data = data[self.socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL):]
            except BlockingIOError:
                self._await_room(deadline)
            except OSError as error:
                raise GuestGone(f"the serial line broke: {error}") from None

    def _await_room(self, deadline: float) -> None:
        """Wait until the line takes more."""
        poll = select.poll()
        poll.register(self.socket or -1, select.POLLOUT)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise GuestSilent("the guest does not take any input")

    def receive(self) -> bytes:
        """What has come in, after a wait for at least a byte; empty at the end. It is `waiting`
        until the caller says taken()."""
        assert self.socket is not None
        try:
            size = self.socket.recv_into(self._block)
        except OSError:
            return b""
        return bytes(memoryview(self._block)[:size])

    def taken(self) -> None:
        """What receive() returned last is where others look for it."""
        self._block[0] = UNTOUCHED

    def waiting(self) -> bool:
        """Has something come in, or the end, that nobody has taken yet? Of a line that cannot tell
        it never has."""
        if self.socket is None:
            return False
        poll = select.poll()
        try:
            poll.register(self.socket, select.POLLIN)
            # The system writes it there for a thread that may have had no turn since.
            return bool(poll.poll(0)) or self._block[0] != UNTOUCHED
        except (OSError, ValueError):                 # it is closed
            return False

    def end_input(self) -> None:
        """Tell the guest that no more will come."""
        assert self.socket is not None
        self.socket.shutdown(socket.SHUT_WR)

    @property
    def control(self) -> Path | None:
        """QEMU's control socket, if there is one."""
        return None

    def status(self) -> int | None:
        """The exit status of the guest's process; None while it runs, or if it is not ours."""
        return None

    @property
    def session(self) -> int | None:
        """The session of processes that are the guest; None if they are not ours."""
        return None

    def load_base(self) -> int:
        """Where address 0 of its program is, while it runs."""
        return 0

    def wait(self, timeout: float) -> int | None:
        """The exit status once the process has ended; None if it has not in time."""
        return None

    def ended(self, began: bool) -> GuestGone:
        """Why nothing more comes; `began`: the guest has answered before."""
        status = self.wait(STATUS_PATIENCE)
        if status is None:
            return GuestGone("the serial line broke")
        last = (self.stderr().splitlines() or [""])[-1]
        if status == USAGE and not began:
            return GuestRefused(last.removeprefix("pfnlab: "))
        return GuestGone(f"the guest has ended, exit status {status}"
                         + (f": {last}" if last else ""))

    def stderr(self) -> str:
        """The last lines that the process said on its standard error (sanitizers, the emulator)."""
        return ""

    def close(self) -> None:
        """End the connection."""
        if self.socket is not None:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.socket.close()
