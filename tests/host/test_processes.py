# SPDX-License-Identifier: MIT
"""Guests of every kind seen from outside: nothing of them is open to others, and nothing of them
outlives its owner, however that ends."""
from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pfnlab
from pfnlab.transport import with_parent
from tests.processes import late_to_ask, survivors, those_late

HOST = Path(pfnlab.__file__).parents[1]
EMULATORS = {"bochs": "bochs-bin", "hercules": "hercules"}
KINDS = ["native", "x86_64", "s390x", *(
    f"{arch}?emulator={name}" for arch, name in (("x86_64", "bochs"), ("s390x", "hercules"))
    if shutil.which(EMULATORS[name]))]
PATIENCE = 20.0                   # seconds: a few hundredths do, on a host with nothing else to do
LISTENS = "0A"                    # a state of TCP in /proc/net/tcp

pytestmark = pytest.mark.only("native")

# The guests are busy: they would not notice that nobody is there any more.
OWNER = """
import os, signal, socket, pfnlab
def test_guests():
    guests = [pfnlab.Guest(name) for name in {kinds!r}]
    for guest in guests:
        guest.submit_line("stress 4T")
    with socket.socket(socket.AF_UNIX) as told:
        told.connect({where!r})
        told.sendall("".join(
            f"{{pid}} {{place}}\\n" for pid, place in [(os.getpid(), "-")] + [
                (g.transport.process.pid, g.transport.directory) for g in guests]).encode())
    signal.pause()
"""


@pytest.fixture(autouse=True)
def _one_guest(guest_name: str) -> None:
    """These tests start their own guests; once is enough."""


def processes_of(session: int) -> list[int]:
    """The processes of a session that live."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, *numbers = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(numbers[2]) == session and state not in "ZX":
            found.append(int(path.name))
    return found


class Suite:
    """Somebody's pytest: `worker` is the process of its test; `guests` are those that it started,
    each with a session of its own, and `directories` what they made."""

    def __init__(self, path: Path, kinds: list[str]) -> None:
        with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as server:
            where = f"{short}/told"
            server.bind(where)
            server.listen()
            server.settimeout(120)
            (path / "test_owner.py").write_text(OWNER.format(kinds=kinds, where=where))
            # If we are killed, so is it: its guests are busy for ever.
            self.process = subprocess.Popen(
                with_parent(sys.executable, "-m", "pytest", "-p", "pfnlab.plugin", "-p",
                            "no:cacheprovider", "-n", "1", "--max-worker-restart", "0"),
                cwd=path, start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(HOST)}, stdout=subprocess.PIPE, text=True)
            with server.accept()[0] as link, link.makefile() as told:
                pids, places = zip(*(line.split() for line in told))
        self.worker, *self.guests = map(int, pids)
        self.directories = [Path(place) for place in places[1:]]

    def processes(self) -> list[int]:
        """Of all its guests."""
        return [pid for guest in self.guests for pid in processes_of(guest)]

    def left_after(self, kill: Callable[[int, int], None], pid: int) -> list[int]:
        """What still runs of the guests, after some patience, if that is killed."""
        running = {os.pidfd_open(one): one for one in self.processes()}
        assert len(running) >= len(self.guests)
        kill(pid, signal.SIGKILL)
        end = time.monotonic() + PATIENCE
        for one in running:
            select.select([one], [], [], max(0.0, end - time.monotonic()))
            os.close(one)
        return self.processes()

    def close(self) -> None:
        """End all that is left, and remove it."""
        self.process.kill()
        self.process.communicate()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        for place in self.directories:
            shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """A suite with a guest of every kind."""
    started = Suite(tmp_path_factory.mktemp("every"), KINDS)
    yield started
    started.close()


def listening(pid: int) -> list[str]:
    """The ports of IP on which a process waits for others, as /proc/net has them."""
    mine = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            mine.add(os.readlink(path).removeprefix("socket:[").removesuffix("]"))
        except OSError:
            pass
    found = []
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if rest[5] in mine and (state == LISTENS or kind.startswith("udp")):
                found.append(f"{kind} {local}")
    return found


def test_nobody_else_gets_at_a_guest(every_kind: Suite) -> None:
    assert len(every_kind.guests) == len(KINDS)
    assert [port for pid in every_kind.processes() for port in listening(pid)] == []
    assert all(place.stat().st_mode & 0o077 == 0 for place in every_kind.directories)


def test_no_guest_outlives_a_worker_that_is_killed(every_kind: Suite) -> None:
    assert every_kind.left_after(os.kill, every_kind.worker) == []
    assert "crashed" in every_kind.process.communicate(timeout=60)[0]


def test_no_guest_outlives_a_pytest_that_is_killed(tmp_path: Path) -> None:
    suite = Suite(tmp_path, ["native", "x86_64"])
    try:
        assert suite.left_after(os.killpg, suite.process.pid) == []
    finally:
        suite.close()


STARTS = """
import os, pathlib, sys, threading, time
from pfnlab.transport import Transport
def end():
    while not list(pathlib.Path(os.environ["TMPDIR"]).glob("late.*")):
        time.sleep(0.01)
    os.kill(os.getpid(), 9)
threading.Thread(target=end).start()
Transport.command(["sleep", "1000"])
"""


def test_no_guest_outlives_an_owner_that_is_killed_while_it_starts_it(tmp_path: Path) -> None:
    environment = late_to_ask(tmp_path)
    subprocess.run([sys.executable, "-c", STARTS], check=False, timeout=60,
                   env={**environment, "PYTHONPATH": str(HOST)})
    assert those_late(tmp_path) and not survivors(tmp_path)


def test_a_program_that_is_not_there_is_told_by_name() -> None:
    done = subprocess.run(with_parent("/no/such"), stderr=subprocess.PIPE, text=True)
    assert done.stderr.startswith("with-parent.sh:") and "/no/such: not found" in done.stderr
    assert done.returncode == 127
