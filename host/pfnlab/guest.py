# SPDX-License-Identifier: MIT
"""A guest with a method for each of its commands."""
from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from pfnlab import debugger, doors, errors
from pfnlab.channel import Channel
from pfnlab.commands import Commands
from pfnlab.link import Link
from pfnlab.port import open_port
from pfnlab.qmp import Monitor, MonitorError
from pfnlab.request import Request, Result
from pfnlab.spec import Spec
from pfnlab.table import Command, Table, python_name, read_table
from pfnlab.transport import Transport
from pfnlab.values import Row, Rows, Value

__tracebackhide__ = True          # pytest shows the line of the test, not ours

END_PATIENCE = 5.0                # seconds for an orderly end


def outcome(request: Request, command: Command | None) -> Any:
    """What a finished request returns, or raises."""
    assert request.final is not None
    final = request.final.row()
    if request.final.sigil == "?":
        code = str(final.values[0]) if final.values else ""
        message = f"{request.text()}: {request.final.raw[1:].lstrip('0123456789').strip()}"
        raise errors.class_for(code)(message, fields=final.fields, text=final.text,
                                     request=request.text(), values=final.values[1:])
    if final.fields.get("n", len(request.rows)) != len(request.rows) and request.rows:
        raise errors.LinkLost(f"{len(request.rows)} rows came, the guest sent {final.fields['n']}")
    if command is not None and command.result != "none" and final.values:
        return _with_fields(final.values[0], final)
    if command is None or command.kind == "query" or request.rows:
        return Rows(request.rows, final)
    return None


def _with_fields(value: Value, final: Row) -> Value:
    if hasattr(value, "fields"):
        value.fields = final.fields
    return value


def open_channel(spec: Spec, timeout: float) -> Channel:
    """The line to the guest of that name, which is started if it is not there."""
    return open_port(spec, timeout) if spec.scheme else Transport.start(spec.name, timeout)


class Pending:
    """A request of a pipeline: an argument for later ones at once, a result when it is there; or
    `more` than its result."""

    def __init__(self, guest: Guest, request: Request, command: Command | None, more: int = 0
                 ) -> None:
        self.guest = guest
        self.request = request
        self.command = command
        self.more = more

    def __add__(self, more: int) -> Pending:
        """What is so far inside a block, or behind it. ValueError: it is in front of it."""
        if self.more + more < 0:
            raise ValueError("only what is behind a result can be told before that is known")
        return Pending(self.guest, self.request, self.command, self.more + more)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for it, and return or raise as the method of Guest would have."""
        self.guest.link.wait(self.request, timeout or self.guest.timeout)
        value = outcome(self.request, self.command)
        return value + self.more if self.more else value

    def error(self, timeout: float | None = None) -> errors.GuestError | None:
        """Wait for it; the error that it ended with, or None."""
        try:
            self.result(timeout)
        except errors.GuestError as error:
            return error
        return None


class Pipeline:
    """The guest's commands without waiting: each method returns a Pending.

    At the end of a `with` block everything has been answered.
    """

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def __getattr__(self, name: str) -> Callable[..., Pending]:
        command = self._guest.command(name)

        def method(*args: object, timeout: float | None = None, **keys: object) -> Pending:
            return self._guest.submit(command, command.words(args, keys))
        return method

    def line(self, text: str) -> Pending:
        """Any line, as a person would type it."""
        return self._guest.submit_line(text)

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self._guest.link.drain(self._guest.timeout)


class Guest(Commands):
    """A running guest. Not for several threads at once.

    `name` as in pfnlab.spec. Every command of the guest's `help` is a method; `as` and `from`
    are spelled `as_` and `from_`. Each takes `timeout` in seconds. An error of the guest raises the
    class of its word, `pfnlab.errors.MemNone` for "mem.none".
    """

    def __init__(self, name: str = "native", *, timeout: float | None = None,
                 boot_timeout: float = 120.0, transport: Channel | None = None) -> None:
        self.name = name
        self.spec = Spec(name)
        self.transport = transport or open_channel(self.spec, boot_timeout)
        self.link = Link(self.transport)
        self.load_base = 0            # where its program's address 0 is
        try:
            self.link.connect(boot_timeout, booting=self.transport.boots)
            self.timeout = timeout or self.link.patience()
            self.impatient = timeout is not None      # somebody said how long is too long
            self.load_base = self.transport.load_base()
            self.table = self._read_table(boot_timeout)
        except BaseException:
            self.kill()
            raise
        self.__class__ = with_commands(type(self), self.table)
        for entry in self.link.log:
            if entry.text.startswith("; command line: "):
                warnings.warn(entry.text[2:], stacklevel=2)

    def _read_table(self, timeout: float) -> Table:
        request = self.link.wait(self.link.submit(["help"], "query"), timeout)
        rows = outcome(request, None)
        assert isinstance(rows, Rows)
        self.link.log.forget_rows(request)
        return read_table(rows)

    @property
    def arch(self) -> str:
        """The architecture, as the guest tells it."""
        return str(self.link.hello["arch"])

    @property
    def dead(self) -> bool:
        """Is there nobody any more?"""
        return self.link.reason is not None or self.transport.status() is not None

    # ---- commands ----

    def command(self, name: str) -> Command:
        """The command of that name or alias; AttributeError if there is none."""
        found = self.table.find(name.removesuffix("_"))
        if found is None:
            raise AttributeError(f"the guest has no command {name!r}")
        return found

    def call(self, name: str, *args: object, timeout: float | None = None, **keys: object) -> Any:
        """A command by its name."""
        command = self.command(name)
        return self.submit(command, command.words(args, keys)).result(timeout)

    def line(self, text: str, timeout: float | None = None) -> Any:
        """Run a line as a person would type it."""
        return self.submit_line(text).result(timeout)

    def submit_line(self, text: str) -> Pending:
        """Send a line as a person would type it, without waiting."""
        command = self._named(text)
        return Pending(self, self.submit_words([text]), command)

    def submit_words(self, words: list[str | Result]) -> Request:
        """The same for words of which some are results of earlier requests."""
        command = self._named(str(words[0]))
        return self.link.submit(words, command.kind if command is not None else "query")

    def _named(self, text: str) -> Command | None:
        name = text.split()[:1]
        command = self.table.find(name[0]) if name else None
        return self._inner(command, text.split(None, 2)[2:]) if command is not None else None

    def _inner(self, command: Command, rest: list[str]) -> Command:
        """The command that counts: of "on CPU LINE" that of LINE."""
        if command.name != "on" or not rest:
            return command
        return self._named(rest[0]) or command

    def submit(self, command: Command, words: list[object]) -> Pending:
        """Send the words of a request, without waiting."""
        command = self._inner(command, [str(word) for word in words[2:3]])
        request = self.link.submit([self._word(w) for w in words], command.kind)
        return Pending(self, request, command)

    def _word(self, word: object) -> str | Result:
        """A word of a line; the result of a pending request is named by its tag."""
        key, value = word if isinstance(word, tuple) else ("", word)
        if not isinstance(value, Pending):
            return f"{key}{value}"
        if self.link.next_tag - value.request.tag < self.link.limit("slots", 1):
            return Result(value.request, str(key), f"+{value.more}" if value.more else "")
        return f"{key}{int(value.result()):#x}"

    def interrupt(self) -> None:
        """Stop the command that runs, one that timed out for example: ^C."""
        self.link.interrupt()

    def pipeline(self) -> Pipeline:
        """The commands again, without waiting for each."""
        return Pipeline(self)

    # ---- what happened ----

    @property
    def events(self) -> list[Row]:
        """The events so far, oldest first."""
        return list(self.link.events)

    def transcript(self) -> str:
        """The session so far as a script: requests, rows and finals, without checksums, and what it
        needs of a guest."""
        return self.needs() + self.link.log.transcript()

    def needs(self) -> str:
        """The line of a transcript that says what a session here needs of a guest elsewhere."""
        return f"; with {self.spec.anywhere}\n" if self.spec.anywhere else ""

    # ---- snapshots ----

    @property
    def monitor(self) -> Monitor:
        """QEMU's control socket. MonitorError: the guest runs elsewhere."""
        monitor: Monitor | None = getattr(self.transport, "monitor", None)
        if monitor is None:
            raise MonitorError(f"{self.name} is not in QEMU")
        return monitor

    def save(self, name: str) -> None:
        """Keep the machine as it is now under that name. MonitorError: it has no place for it; name
        the guest with the option `snapshots`."""
        self.link.drain(self.timeout)
        self.monitor.human(f"savevm {name}")

    def load(self, name: str) -> None:
        """Go back to what was saved, whatever the guest does now. What was under way is lost; tags
        go on from those of then."""
        try:
            self.monitor.human(f"loadvm {name}")
        except MonitorError:
            self.monitor.command("cont")          # QEMU has stopped before it looked
            raise
        self.link.connect(self.timeout, booting=False)

    # ---- from outside ----

    def open_to_debugger(self) -> list[str]:
        """Stop the guest where it is, for a debugger; the command that attaches it. MonitorError:
        there is no way in."""
        if self.spec.native:
            process = getattr(self.transport, "process")
            self._signal_until(signal.SIGSTOP, True)
            return debugger.command_line(self.arch, process.pid)
        path = Path(str(self.transport.control)).with_name("gdb")
        self.monitor.command("stop")
        self.monitor.open_gdbstub(path)
        return debugger.command_line(self.arch, path)

    def close_to_debugger(self) -> None:
        """Let a guest go on that open_to_debugger() stopped."""
        if self.transport.status() is not None:
            return
        if self.spec.native:
            self._signal_until(signal.SIGCONT, False)
        else:
            self.monitor.command("cont")

    def _signal_until(self, number: int, stopped: bool) -> None:
        """A signal is not acted upon at once, on a host that has much to do."""
        os.kill(getattr(self.transport, "process").pid, number)
        while self.transport.status() is None and self.transport.in_debugger() != stopped:
            time.sleep(0.001)

    def dump_memory(self, path: Path) -> None:
        """Write the guest's memory as it is into a file, for `pfnlab post-mortem`. MonitorError:
        nobody can."""
        if self.spec.native:
            doors.dump_process(getattr(self.transport, "process").pid, path,
                               Path(self.transport.argv[0]))
        else:
            self.monitor.dump(path)

    def leave_line(self) -> None:
        """End the session, so that somebody else may use the line; nothing more can be asked here.
        """
        self.link.drain(self.timeout)
        self.link.raw(b"> sync 0\n")
        while not (self.link.take(self.transport.now() + self.timeout) or b"=").startswith(b"="):
            pass

    # ---- the end ----

    def close(self) -> int | None:
        """End the guest orderly, or by force if it will not; its exit status. One that was running
        before us goes on, ready for a person."""
        status = None
        try:
            if not self.dead and self.transport.boots:
                self.link.submit(["poweroff"], "session")
            elif not self.dead:
                self.link.raw(b"> sync 0\n")
            status = self.transport.wait(END_PATIENCE)
        except (errors.PfnlabError, OSError):
            pass
        self.kill()
        return status

    def kill(self) -> None:
        """End the guest by force."""
        self.transport.close()
        self.link.join()

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        if kind is not None and issubclass(kind, errors.GuestSilent):
            self.kill()
        else:
            self.close()


def with_commands(base: type[Guest], table: Table) -> type[Guest]:
    """The class with a method for each command and alias of the table."""
    names = {name: table.commands[name] for name in table.commands}
    names |= {alias: table.commands[name] for alias, name in table.aliases.items()}
    methods = {python_name(name): method_of(python_name(name), command)
               for name, command in names.items() if not hasattr(base, name)}
    members: dict[str, Any] = {"__module__": base.__module__, "__doc__": base.__doc__}
    return type(base.__name__, (base,), members | methods)


def method_of(name: str, command: Command) -> Callable[..., Any]:
    """The method of that name for a command."""
    def method(self: Guest, *args: object, timeout: float | None = None, **keys: object) -> Any:
        return self.submit(command, command.words(args, keys)).result(timeout)
    method.__name__ = method.__qualname__ = name
    method.__doc__ = command.text + "."
    method.__signature__ = command.signature()  # type: ignore[attr-defined]
    return method
