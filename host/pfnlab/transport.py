# SPDX-License-Identifier: MIT
"""Processes that are guests, and the byte stream to and from each.

No process outlives its owner: it dies with the thread that started it (parent-death signal), it has
a process group of its own that is killed as a whole, and its files are in a private directory that
goes with it.
"""
from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from pfnlab.channel import Channel
from pfnlab.doors import base_of
from pfnlab.errors import GuestGone, GuestRefused, GuestSilent
from pfnlab.qmp import Monitor, MonitorError
from pfnlab.spec import Spec, project_root

__tracebackhide__ = True          # pytest shows the line of the test, not ours

CONTROL = "control"               # QEMU's control socket, in the private directory
USAGE = 2                         # exit status of run-guest.sh: wrong options


def with_parent(*argv: str | Path) -> list[str | Path]:
    """A program that is killed when this thread ends, or has ended before it started."""
    return [project_root() / "arch/common/with-parent.sh", str(os.getpid()), *argv]


def tell_build(root: Path, arch: str) -> None:
    """The first start takes a while: say to a person why. The script's own words are kept for
    errors."""
    if sys.stderr.isatty() and not (root / "build" / arch).exists():
        print(f"pfnlab: building {arch}, once", file=sys.stderr, flush=True)


def is_building(root: Path) -> bool:
    """Does anybody build there? run-guest.sh has the folder locked meanwhile."""
    try:
        folder = os.open(root / "build", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(folder)
    return False


@functools.cache
def build_native(root: Path) -> None:
    """Bring the native guest up to date, once in a process: run-guest.sh does it for the others.

    GuestGone: it does not build or start; the message says why.
    """
    tell_build(root, "native")
    # In a session of its own, as every guest: ^C is for us to heed, or not to.
    with subprocess.Popen([root / "run-guest.sh", "native"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          start_new_session=True) as done:
        try:
            _, complaints = done.communicate()
        except BaseException:
            with suppress(ProcessLookupError):        # it has just ended
                os.killpg(done.pid, signal.SIGTERM)
            raise
    if done.returncode != 0:
        raise GuestGone("the native guest does not start\n"
                        + complaints.decode("utf-8", "replace").rstrip())


def control_arguments(spec: Spec, directory: Path) -> list[str]:
    """QEMU's control socket, unless it is another emulator or the socket is somewhere else; and a
    place for snapshots, if wanted."""
    words = []
    if spec.option("emulator") in (None, "qemu") and spec.option("qmp") is None:
        words += ["--qmp", str(directory / CONTROL)]
    if spec.option("snapshots") is not None:
        words += ["--snapshot", str(directory / "snapshots.qcow2")]
    return words


class Transport(Channel):
    """A started guest: a socket to its serial line, and its process."""

    boots = True

    def __init__(self, argv: Sequence[str], *, directory: Path, link: socket.socket | None,
                 stdin: int) -> None:
        super().__init__(link)
        self.argv = list(argv)
        self.directory = directory
        self._remove = weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        self._monitor: Monitor | None = None
        self._errors = open(directory / "stderr.txt", "w+b")
        self.process = subprocess.Popen(
            with_parent(*argv), stdin=stdin,
            stdout=stdin if link is not None else self._errors.fileno(),
            stderr=self._errors, start_new_session=True,
            env={**os.environ, "TMPDIR": str(directory)})

    @classmethod
    def start(cls, name: str, timeout: float = 30.0) -> Self:
        """Start the guest of that name. GuestGone: it ended before there was a line to it;
        GuestRefused: its machine has no such options."""
        spec = Spec(name)
        directory = Path(tempfile.mkdtemp(prefix=f"pfnlab-{os.getpid()}-"))
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
        directory = Path(tempfile.mkdtemp(prefix=f"pfnlab-{os.getpid()}-"))
        ours, theirs = socket.socketpair()
        with theirs:
            return cls(argv, directory=directory, link=ours, stdin=theirs.fileno())

    @classmethod
    def _on_pipe(cls, spec: Spec, directory: Path) -> Self:
        root = project_root()
        build_native(root)
        ours, theirs = socket.socketpair()
        argv = [str(root / "build/native/pfnlab"), *spec.arguments()]
        with theirs:
            return cls(argv, directory=directory, link=ours, stdin=theirs.fileno())

    @classmethod
    def _on_socket(cls, spec: Spec, directory: Path, timeout: float) -> Self:
        path = directory / "serial"
        tell_build(project_root(), spec.arch)
        argv = [str(project_root() / "run-guest.sh"), spec.arch, *spec.arguments(),
                "--serial", f"unix:{path}", *control_arguments(spec, directory)]
        self = cls(argv, directory=directory, link=None, stdin=subprocess.DEVNULL)
        try:
            self.socket = self._connect(str(path), timeout)
        except BaseException:
            self.close()
            raise
        return self

    def _connect(self, path: str, timeout: float) -> socket.socket:
        """The emulator makes the socket: try until it is there, or the process is not. How long it
        takes to build is no matter: the time begins behind that."""
        link = socket.socket(socket.AF_UNIX)
        deadline, built = time.monotonic() + timeout, False
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
            overdue = False
            if status is None and time.monotonic() > deadline:
                before, built = built, is_building(project_root())
                overdue, deadline = not (before or built), time.monotonic() + timeout
            if status is not None or overdue:
                link.close()
                if status == USAGE:
                    raise GuestRefused(self.stderr().rstrip())
                if status is None:
                    raise GuestSilent(f"no serial line in {timeout:g} s\n{self.stderr()}".rstrip())
                raise GuestGone(f"no serial line: {self.argv[0]} ended with status {status}\n"
                                f"{self.stderr()}".rstrip())

    @property
    def control(self) -> Path | None:
        """QEMU's control socket, if there is one."""
        path = self.directory / CONTROL
        return path if path.exists() else None

    @property
    def monitor(self) -> Monitor:
        """QEMU's control socket. MonitorError: the guest runs elsewhere."""
        if self._monitor is None:
            if self.control is None:
                raise MonitorError(f"{Path(self.argv[0]).name} is not in QEMU")
            self._monitor = Monitor(self.control)
        return self._monitor

    def in_debugger(self) -> bool:
        """As Channel's: QEMU tells it of its machine, the kernel of a process."""
        if self.status() is not None:
            return False
        if self.control is None:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            return re.search(r"^State:\tT|^State:\tt|^TracerPid:\t[1-9]", status, re.M) is not None
        try:
            return self.monitor.in_debugger()
        except MonitorError:
            return False

    def status(self) -> int | None:
        """As Channel's."""
        return self.process.poll()

    @property
    def session(self) -> int | None:
        """As Channel's."""
        return self.process.pid

    def load_base(self) -> int:
        """As Channel's: a process may be anywhere. An emulator's program is not the guest."""
        try:
            maps = Path(f"/proc/{self.process.pid}/maps").read_text()
        except OSError:
            return 0
        program = os.path.realpath(self.argv[0])
        first = next((line for line in maps.splitlines() if line.endswith(program)), None)
        return base_of(Path(program), int(first.partition("-")[0], 16)) if first else 0

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
        if self._monitor is not None:
            self._monitor.close()
        self.kill()
        super().close()
        self._errors.close()
        self._remove()
