# SPDX-License-Identifier: MIT
"""gdb on a guest: how it is called, with the program's symbols and the commands `pfn ...`, and a
line that it and others can share."""
from __future__ import annotations

import os
import queue
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from pfnlab.doors import program_of
from pfnlab.errors import PfnlabError
from pfnlab.interrupts import on_interrupt
from pfnlab.spec import Spec, project_root
from pfnlab.transport import USAGE, Transport

COMMANDS = Path(__file__).with_name("gdb_commands.py")
LINE = "PFNLAB_LINE"              # in gdb's environment: the socket of the guest's line
FRAMES = 20
PATIENCE = 60.0                   # seconds for gdb to read a program
# gdb-multiarch reads every guest; a plain gdb those of its own machine.
_DEBUGGERS = ("gdb-multiarch", "gdb")


class NoDebugger(PfnlabError):
    """There is no gdb that reads this guest."""


def check(spec: Spec) -> None:
    """ValueError: no debugger gets into a guest of that name, as run-guest.sh knows before one is
    started."""
    if spec.scheme:
        raise ValueError("gdb is for a guest that it starts")
    done = subprocess.run(
        [project_root() / "run-guest.sh", spec.arch, *spec.arguments(), "--gdb", "--print",
         "--no-install"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == USAGE:
        raise ValueError(done.stderr.splitlines()[-1].removeprefix("run-guest.sh: "))


def _quietly(command: str) -> str:
    """A command of gdb without what it says: a table, which fills a terminal."""
    return f"python gdb.execute({command!r}, to_string=True)"


def command_line(arch: str, door: int | Path) -> list[str]:
    """What attaches gdb to a process of this host, or to a gdbstub behind a socket."""
    usable = _DEBUGGERS if arch in ("native", "x86_64", "i386") else _DEBUGGERS[:1]
    name = next((name for name in usable if shutil.which(name)), usable[0])
    attach = ["-ex", f"target remote {door}"]
    if isinstance(door, int):     # as machine_attach of arch/native/machine.sh
        attach = ["-iex", _quietly("handle SIGSTOP nostop noprint nopass"),
                  "-iex", _quietly("handle SIGSEGV SIGBUS SIGILL SIGFPE SIGUSR1 nostop noprint "
                                   "pass"),
                  "-p", str(door)]
    return [name, "-q", "-x", str(COMMANDS), *attach, str(program_of(arch))]


def run(argv: list[str], commands: Sequence[str] = (), line: Path | None = None,
        as_json: bool = False) -> int:
    """Run gdb; its exit status. With commands it runs these, prints what they say, and ends: 1 if
    one failed or `pfn check` found something broken. `as_json` what each says is a line of JSON,
    and all else that gdb says goes to standard error. NoDebugger: it is not installed."""
    if shutil.which(argv[0]) is None:
        raise NoDebugger(f"no {argv[0]} here; arch/deps.sh gdb installs it")
    results = os.dup(1) if as_json else None
    if commands:
        argv = [*argv, "-nx", "-batch", "-ex", f"python batch({list(commands)!r}, {results})"]
    environment = {**os.environ, **({LINE: str(line)} if line is not None else {})}
    try:
        with on_interrupt(signal.SIG_IGN):             # ^C is gdb's
            return subprocess.run(argv, env=environment, check=False, stdin=subprocess.DEVNULL
                                  if commands else None, stdout=sys.stderr if as_json else None,
                                  pass_fds=() if results is None else (results,)).returncode
    finally:
        if results is not None:
            os.close(results)


def frames(argv: list[str]) -> list[str]:
    """Where the guest is that command_line() is about, as gdb tells it, frame by frame; nothing
    without a gdb, or if it cannot tell in time."""
    if shutil.which(argv[0]) is None:
        return []
    with suppress(subprocess.TimeoutExpired):
        said = subprocess.run([*argv, "-nx", "-batch", "-ex", "set print frame-arguments none",
                               "-ex", f"backtrace {FRAMES}"], check=False, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
        return [line for line in said.stdout.splitlines() if line.startswith("#")]
    return []


def hold(argv: list[str], commands: Sequence[str] = (), to: TextIO | None = None,
         as_json: bool = False) -> None:
    """Let a person in: run gdb where there is a terminal, or there are commands; else tell how to
    attach it, and wait for Enter or the end of the input."""
    if commands or (sys.stdin.isatty() and shutil.which(argv[0])):
        run(argv, commands, as_json=as_json)
    else:
        pause(shlex.join(argv), to)


def pause(text: str, to: TextIO | None = None) -> None:
    """Tell something, and wait for Enter or the end of the input."""
    print(f"pfnlab: {text}\npfnlab: Enter goes on", file=to or sys.stdout, flush=True)
    sys.stdin.readline()


class SharedTransport(Transport):
    """A started guest whose line somebody else may use, too, one after the other: at a socket, and
    in a file with all that the guest says."""

    _log = None
    _said: queue.SimpleQueue[bytes] | None = None     # to the client, who may take its time

    @property
    def line(self) -> Path:
        """The socket."""
        return self.directory / "line"

    def share(self) -> Path:
        """From now on. The file."""
        path = self.directory / "console.txt"
        self._log = open(path, "wb", buffering=0)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.line))
        server.listen()
        threading.Thread(target=self._serve, args=(server,), daemon=True).start()
        return path

    def receive(self) -> bytes:
        """As Channel's."""
        data = super().receive()
        said = self._said
        if self._log is not None:
            self._log.write(data)
        if said is not None:
            said.put(data)
        return data

    def _serve(self, server: socket.socket) -> None:
        while True:
            client = server.accept()[0]
            if self._said is not None:
                client.close()    # who is second is told at once
                continue
            said = self._said = queue.SimpleQueue()
            for work in (_forward, self._pass_on):
                threading.Thread(target=work, args=(said, client), daemon=True).start()

    def _pass_on(self, said: queue.SimpleQueue[bytes], client: socket.socket) -> None:
        with suppress(OSError, PfnlabError):
            while data := client.recv(65536):
                self.send(data, self.now() + 3600)
        self._said = None
        said.put(b"")


def _forward(said: queue.SimpleQueue[bytes], client: socket.socket) -> None:
    with suppress(OSError), client:
        while data := said.get():
            client.sendall(data)
