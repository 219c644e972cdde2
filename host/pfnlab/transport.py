# SPDX-License-Identifier: MIT
"""Processes that are guests, and the byte stream to and from each.

A guest is named by a string: an architecture, and behind `?` options joined by `&`, those of
run-guest.sh without their dashes; what is none of these goes to the kernel's command line:
`native`, `native?areas=dma:16M,rest`, `x86_64?memory=6G&boot=iso&kpool=4M`.

No process outlives its owner: it dies with the thread that started it (parent-death signal), it has
a process group of its own that is killed as a whole, and its files are in a private directory that
goes with it.
"""
from __future__ import annotations

import functools
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl

from pfnlab.errors import GuestGone, GuestRefused, GuestSilent, PfnlabError

__tracebackhide__ = True          # pytest shows the line of the test, not ours

USAGE = 2                         # exit status of run-guest.sh: wrong options
KILL_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")


_OPTIONS = ("memory", "cpus", "boot", "firmware", "machine", "accel", "cpu", "emulator", "qmp",
            "snapshot", "loadparm")


def project_root() -> Path:
    """The source tree: PFNLAB_ROOT, or where this file is, or above the working directory."""
    named = os.environ.get("PFNLAB_ROOT")
    places = [Path(named)] if named else [Path(__file__).resolve().parents[2],
                                          *[Path.cwd(), *Path.cwd().parents]]
    for place in places:
        if (place / "kernel/errors.def").is_file():
            return place
    raise PfnlabError("no source tree of pfnlab here: set PFNLAB_ROOT to it")


@functools.cache
def build_native(root: Path) -> None:
    """Bring the native guest up to date, once in a process: run-guest.sh does it for the others.

    GuestGone: it does not build or start; the message says why.
    """
    done = subprocess.run([root / "run-guest.sh", "native"], stdin=subprocess.DEVNULL,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise GuestGone("the native guest does not start\n"
                        + done.stderr.decode("utf-8", "replace").rstrip())


class Spec:
    """A guest's name taken apart."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arch, _, query = name.partition("?")
        self.options = parse_qsl(query, keep_blank_values=True)

    @property
    def native(self) -> bool:
        """Is the guest a plain process of this host?"""
        return self.arch == "native"

    def arguments(self) -> list[str]:
        """Its options as arguments of run-guest.sh, or of the native guest."""
        append = [value for key, value in self.options if key == "append"]
        words = []
        for key, value in self.options:
            if key in _OPTIONS:
                words += [f"--{key}", value]
            elif key != "append":
                append.append(f"{key}={value}" if value else key)
        return words + (["--append", " ".join(append)] if append else [])

    def with_option(self, key: str, value: str) -> Spec:
        """The same guest with one more option."""
        mark = "&" if "?" in self.name else "?"
        return Spec(f"{self.name}{mark}{key}={value}")


class Transport:
    """A started guest: a socket to its serial line, and its process."""

    def __init__(self, argv: Sequence[str], *, directory: Path, link: socket.socket | None,
                 stdin: int) -> None:
        self.argv = list(argv)
        self.directory = directory
        self._remove = weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        self._errors = open(directory / "stderr.txt", "w+b")
        self.process = subprocess.Popen(
            [*KILL_WITH_PARENT, *argv], stdin=stdin,
            stdout=stdin if link is not None else self._errors.fileno(),
            stderr=self._errors, start_new_session=True,
            env={**os.environ, "TMPDIR": str(directory)})
        self.socket = link

    @classmethod
    def start(cls, name: str, timeout: float = 30.0) -> Transport:
        """Start the guest of that name. GuestGone: it ended before there was a line to it;
        GuestRefused: its machine has no such options."""
        spec = Spec(name)
        directory = Path(tempfile.mkdtemp(prefix="pfnlab-"))
        try:
            if spec.native:
                return cls._on_pipe(spec, directory)
            return cls._on_socket(spec, directory, timeout)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise

    @classmethod
    def command(cls, argv: Sequence[str]) -> Transport:
        """Any program that speaks the protocol on its standard input and output."""
        directory = Path(tempfile.mkdtemp(prefix="pfnlab-"))
        ours, theirs = socket.socketpair()
        with theirs:
            return cls(argv, directory=directory, link=ours, stdin=theirs.fileno())

    @classmethod
    def _on_pipe(cls, spec: Spec, directory: Path) -> Transport:
        root = project_root()
        build_native(root)
        ours, theirs = socket.socketpair()
        argv = [str(root / "build/native/pfnlab"), *spec.arguments()]
        with theirs:
            return cls(argv, directory=directory, link=ours, stdin=theirs.fileno())

    @classmethod
    def _on_socket(cls, spec: Spec, directory: Path, timeout: float) -> Transport:
        path = directory / "serial"
        argv = [str(project_root() / "run-guest.sh"), spec.arch, *spec.arguments(),
                "--serial", f"unix:{path}"]
        self = cls(argv, directory=directory, link=None, stdin=subprocess.DEVNULL)
        try:
            self.socket = self._connect(str(path), time.monotonic() + timeout)
        except BaseException:
            self.close()
            raise
        return self

    def _connect(self, path: str, deadline: float) -> socket.socket:
        """The emulator makes the socket: try until it is there, or the process is not."""
        link = socket.socket(socket.AF_UNIX)
        while True:
            try:
                link.connect(path)
                return link
            except (FileNotFoundError, ConnectionRefusedError):
                pass
            try:
                status = self.process.wait(0.01)
            except subprocess.TimeoutExpired:
                status = None
            if status is not None or time.monotonic() > deadline:
                link.close()
                if status == USAGE:
                    raise GuestRefused(self.stderr().rstrip())
                raise GuestGone(f"no serial line: {self.argv[0]} ended with status {status}\n"
                                f"{self.stderr()}".rstrip())

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of it. GuestSilent: it was not taken in time; GuestGone: nobody takes it."""
        assert self.socket is not None
        poll = select.poll()
        poll.register(self.socket, select.POLLOUT)
        while data:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise GuestSilent("the guest does not take any input")
            try:
                data = data[self.socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL):]
            except BlockingIOError:
                continue
            except OSError as error:
                raise GuestGone(f"the serial line broke: {error}") from None

    def receive(self) -> bytes:
        """What has come in, waiting for at least a byte; empty at the end."""
        assert self.socket is not None
        try:
            return self.socket.recv(65536)
        except OSError:
            return b""

    def end_input(self) -> None:
        """Tell the guest that no more will come."""
        assert self.socket is not None
        self.socket.shutdown(socket.SHUT_WR)

    def stderr(self) -> str:
        """The last lines that the process said on its standard error (sanitizers, the emulator)."""
        if self._errors.closed:
            return ""
        data = (self.directory / "stderr.txt").read_bytes()
        lines = data[-8000:].decode("utf-8", "replace").splitlines()
        # QEMU announces that it waits for us.
        return "\n".join(line for line in lines if line.strip() and ": info: " not in line)

    def wait(self, timeout: float) -> int | None:
        """The exit status once the process has ended; None if it has not in time."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End the whole process group now."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def close(self) -> None:
        """End the process if it still runs, and remove its directory."""
        self.kill()
        if self.socket is not None:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.socket.close()
        self._errors.close()
        self._remove()
