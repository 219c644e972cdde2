# SPDX-License-Identifier: MIT
"""The command `pfn send` of gdb: a line for the guest, which runs until it has answered that."""
from __future__ import annotations

import os
import socket
from typing import Any

import gdb  # type: ignore[import]

ENDED = "there is no guest that runs"


def silent_breakpoint(where: str) -> Any:
    """One for a single stop."""
    one = gdb.Breakpoint(where, internal=True, temporary=True)
    one.silent = True
    return one


class Said(gdb.Breakpoint):  # type: ignore[misc]
    """Prints each line that the guest sends while an answer is awaited, out of its memory: what is
    on the line itself may be in a device yet, whose machine stands still."""

    def stop(self) -> bool:
        """Not for a person."""
        if not Send.waits():      # it answers somebody at the console
            return False
        frame = gdb.selected_frame()
        text = frame.read_var("text").string("ascii", length=int(frame.read_var("length")))
        if Send.heard is None:
            print(text)
        else:
            Send.heard.append(text)
        return False


def lines_begun() -> int:
    """How many lines the guest has begun to work on."""
    return int(gdb.parse_and_eval("'protocol/ring.c'::ring.count"))


class Answered(gdb.Breakpoint):  # type: ignore[misc]
    """Stops once, when the guest has answered a line that it has not begun yet. Now it may stand
    anywhere, also between the answer to an earlier line and the note that this was given."""

    def __init__(self) -> None:
        super().__init__("ring_answer", internal=True, temporary=True)
        self.silent = True
        self._before = lines_begun()

    def stop(self) -> bool:
        """Is it that line?"""
        return lines_begun() > self._before


class Panicked(gdb.Breakpoint):  # type: ignore[misc]
    """Stops a guest that has panicked before it is gone. One that stays (onpanic=stay) goes on."""

    def __init__(self) -> None:
        super().__init__("arch_halt", internal=True)
        self.silent = True

    def stop(self) -> bool:
        """Not at the end that was asked for."""
        if int(gdb.selected_frame().read_var("status")) == 0:
            return False
        print("The guest has panicked, and is stopped before its end. `bt` tells where.")
        return True


class Send(gdb.Command):  # type: ignore[misc]
    """Send the guest a line and let it run until it has answered, or stops elsewhere.
Usage: pfn send LINE"""

    _said: Said | None = None         # stays: a guest that stopped elsewhere answers later
    _answered: Answered | None = None
    heard: list[str] | None = None    # what is not to be printed

    def __init__(self) -> None:
        super().__init__("pfn send", gdb.COMMAND_RUNNING)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Send it; what it is answered is printed."""
        if not gdb.selected_inferior().pid:
            raise gdb.GdbError(ENDED)
        quiet = "" if argument.startswith(">") else "> "
        deliver(sendable(f"{quiet}{argument}"))
        Send._said = Send._said or Said("output_line", internal=True)
        if Send._answered is not None and Send.waits():
            Send._answered.delete()   # the guest stopped elsewhere, and nobody waits any more
        Send._answered = Answered()
        try:
            run_to(Send._answered)
        except gdb.error as error:
            there = gdb.selected_inferior().pid
            raise gdb.GdbError(str(error) if there else "the guest has ended") from None

    def ask(self, line: str) -> list[str]:
        """Send it; the lines of the answer."""
        Send.heard = []
        try:
            self.invoke(line, False)
            return Send.heard
        finally:
            Send.heard = None

    @staticmethod
    def waits() -> bool:
        """Is the answer to a line still to come?"""
        return Send._answered is not None and bool(Send._answered.is_valid())


def deliver(text: bytes) -> None:
    """Give the guest, which stands still, a line. gdb.GdbError: a console has its line."""
    path = os.environ.get("PFNLAB_LINE")
    if not path:
        raise gdb.GdbError("the guest's line is somebody else's: start with `pfnlab gdb`")
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(path)
            line.sendall(text)
            line.shutdown(socket.SHUT_WR)
            while line.recv(65536):       # until it is passed on
                pass
    except (BrokenPipeError, ConnectionResetError):
        raise gdb.GdbError("a console has the guest's line: leave that first") from None
    except OSError as error:
        raise gdb.GdbError(f"the guest's line broke: {error}") from None


def run_to(answered: Answered) -> None:
    """Let the guest run until that line is answered and noted as done, or it stops elsewhere."""
    gdb.execute("continue")
    if answered.is_valid() or not gdb.selected_inferior().pid:
        return
    caller = gdb.newest_frame().older()
    while caller.type() == gdb.TAILCALL_FRAME:     # nobody returns there
        caller = caller.older()
    silent_breakpoint(f"*{caller.pc():#x}")
    gdb.execute("continue")


def sendable(text: str) -> bytes:
    """The bytes of a line. What the guest takes for none is refused: it would not be answered as
    one."""
    longest = int(gdb.parse_and_eval("sizeof('protocol/line.c'::line.text)"))
    if len(text) > longest or not (text.isascii() and text.isprintable()):
        raise gdb.GdbError(f"a line has at most {longest} characters, all of printable ASCII")
    return f"{text}\n".encode("ascii")
