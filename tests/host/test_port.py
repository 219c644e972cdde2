# SPDX-License-Identifier: MIT
"""Guests that run already, behind each kind of line; and what the line was used for before."""
from __future__ import annotations

import os
import random
import socket
import subprocess
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pfnlab import Guest, errors, wire
from pfnlab.spec import Spec, project_root
from pfnlab.transport import Transport, with_parent

pytestmark = [pytest.mark.only("native"),
              pytest.mark.filterwarnings("ignore:set(Daemon|Name).*:DeprecationWarning")]

Bytes = tuple[Callable[[], bytes], Callable[[bytes], object]]      # read and write


class Board:
    """A native guest whose line outlives its users, as that of a real machine does."""

    def __init__(self) -> None:
        self.transport = Transport.start("native")
        self._take: Callable[[bytes], object] = bytes
        self.booted = threading.Event()
        threading.Thread(target=self._forward, daemon=True).start()
        assert self.booted.wait(20)

    def _forward(self) -> None:
        seen = b""
        while data := self.transport.receive():
            seen = (seen + data)[-4096:]
            if b"% boot" in seen:
                self.booted.set()
            with suppress(OSError):
                self._take(data)

    def send(self, data: bytes) -> None:
        """Bytes of whoever was here before."""
        self.transport.send(data, time.monotonic() + 10)

    def serve(self, read: Callable[[], bytes], write: Callable[[bytes], object]) -> None:
        """One user after the other."""
        self._take = write
        with suppress(OSError, errors.PfnlabError):
            while data := read():
                self.send(data)


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board()
    yield board
    board.transport.close()


@contextmanager
def listening(board: Board, family: int, address: Any, wrap: Any = None) -> Iterator[Any]:
    """The board behind a listening socket; where that is."""
    with socket.socket(family) as server:
        server.bind(address)
        server.listen()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    link = server.accept()[0]
                    read, write = wrap(link) if wrap else (lambda: link.recv(65536), link.sendall)
                    board.serve(read, write)
        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()


@contextmanager
def on_unix(board: Board, tmp_path: Path) -> Iterator[str]:
    with listening(board, socket.AF_UNIX, str(tmp_path / "port")) as path:
        yield f"unix:{path}"


@contextmanager
def on_tcp(board: Board, tmp_path: Path) -> Iterator[str]:
    with listening(board, socket.AF_INET, ("127.0.0.1", 0)) as (host, port):
        yield f"tcp:{host}:{port}"


@contextmanager
def on_device(board: Board, tmp_path: Path) -> Iterator[str]:
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    threading.Thread(target=board.serve, daemon=True,
                     args=(lambda: os.read(ours, 65536), lambda d: os.write(ours, d))).start()
    yield f"{os.ttyname(theirs)}?baud=9600"
    os.close(theirs)


@contextmanager
def on_rfc2217(board: Board, tmp_path: Path) -> Iterator[str]:
    serial = pytest.importorskip("serial")
    from serial import rfc2217

    def wrap(link: socket.socket) -> Bytes:
        class Connection:
            write = staticmethod(link.sendall)
        manager = rfc2217.PortManager(serial.serial_for_url("loop://"), Connection())

        def read() -> bytes:
            while data := link.recv(65536):
                if clean := b"".join(manager.filter(data)):
                    return clean
            return b""
        return read, lambda data: link.sendall(b"".join(manager.escape(data)))
    with listening(board, socket.AF_INET, ("127.0.0.1", 0), wrap) as (host, port):
        yield f"rfc2217://{host}:{port}?timeout=60"    # not 3: that host may be busy


LINES = [on_unix, on_tcp, on_device, on_rfc2217]


@pytest.mark.parametrize("line", LINES)
def test_a_guest_is_driven_through_every_kind_of_line(board: Board, line: Any,
                                                      tmp_path: Path) -> None:
    with line(board, tmp_path) as name, Guest(name) as guest:
        assert guest.arch == "native"
        guest.link.silence = 60.0     # whoever serves the line may have to wait for a turn
        block = guest.alloc_pages(3)
        assert guest.free(block) == 8
        assert len(guest.dump("pages")) > 2
        assert guest.link.recoveries == 0


def test_a_guest_of_somebody_else_goes_on_and_is_fit_for_a_person(board: Board,
                                                                  tmp_path: Path) -> None:
    with on_unix(board, tmp_path) as name:
        with Guest(name) as guest:
            block = guest.alloc_page()
        with socket.socket(socket.AF_UNIX) as person:
            person.connect(name[5:])
            person.sendall(b"free $\r")
            seen = b""
            while b"= 1\r\n" not in seen:
                seen += person.recv(4096)
        with Guest(name) as guest:
            with pytest.raises(errors.MemFree):
                guest.free(block)


STATES = {
    "half a line": b"alloc_pages_ar",
    "half a quiet line": b">17 alloc_pa",
    "64 KB of anything": random.Random(1).randbytes(65536),
    "old answers": b"=5 7\r\n?6 mem.none\r\n: 1 2 3\r\n",
    "a strict session and half a line": b"\x03\n" + wire.request(0, "sync 7") + b">1 alloc_pag",
}


@pytest.mark.parametrize("state", STATES)
def test_a_cold_attach_takes_a_second_and_changes_nothing(board: Board, state: str,
                                                          tmp_path: Path) -> None:
    with on_unix(board, tmp_path) as name:
        with Guest(name) as guest:
            guest.alloc_pages(2)
            before = guest.dump("pages")
        board.send(STATES[state])
        start = time.monotonic()
        with Guest(name) as guest:
            took = time.monotonic() - start
            assert guest.echo(23) == 23
            assert guest.dump("pages") == before
    print(f"attached in {took:.3f} s")


def test_a_guest_that_restarts_is_named(board: Board, tmp_path: Path) -> None:
    with on_unix(board, tmp_path) as name, Guest(name) as guest:
        guest.link._inbox.put(wire.seal("% boot proto=1 arch=native").rstrip())
        with pytest.raises(errors.GuestGone, match="restarted"):
            guest.alloc_page()


@contextmanager
def served(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The native guest on a socket of its own."""
    with subprocess.Popen(with_parent(project_root() / "build/native/pfnlab", "--serial",
                                      f"unix:{path}"), stdin=subprocess.DEVNULL) as guest:
        try:
            while not path.is_socket():
                assert guest.poll() is None
            yield guest
        finally:
            guest.kill()


def test_a_native_guest_on_a_socket_serves_one_client_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "line"
    with served(path) as process:
        with Guest(f"unix:{path}") as guest:
            block = guest.alloc_page()
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(str(path))
            rude.sendall(b"> dump pages\n" * 200 + b"half a li")      # and does not listen
        with Guest(f"unix:{path}") as guest:
            assert guest.free(block) == 1
            assert process.poll() is None
            guest.link.raw(b"> sync 0\n> poweroff\n")
            assert process.wait(20) == 0
    assert not path.exists()


def test_what_a_guest_says_while_nobody_listens_is_lost_and_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "line"
    with served(path):
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(path))
            first.sendall(b"> stress 300000\n> alloc_page at=16M\n")
        with Guest(f"unix:{path}") as guest:
            assert guest.dump("pages", 16 << 20, 1)[0][2] == "allocated"


@pytest.mark.parametrize(("name", "status"), [
    ("unix:/nowhere/at/all", errors.GuestGone), ("tcp:127.0.0.1:1", errors.GuestGone),
    ("tcp:host", ValueError), ("/dev/nowhere", errors.GuestGone),
    ("nonsense://somewhere", ValueError)])
def test_where_nobody_is_it_is_said(name: str, status: type[Exception]) -> None:
    with pytest.raises(status):
        Guest(name, boot_timeout=5)


@pytest.mark.parametrize(("name", "scheme", "place"), [
    ("native?memory=1G", "", ""), ("unix:/run/x", "unix", "/run/x"),
    ("unix:x?baud=1", "unix", "x"), ("tcp:[::1]:70", "tcp", "[::1]:70"),
    ("/dev/ttyS0?baud=9600", "device", "/dev/ttyS0"),
    ("rfc2217://h:1?logging=debug", "rfc2217", "rfc2217://h:1?logging=debug")])
def test_a_name_tells_how_to_get_there(name: str, scheme: str, place: str) -> None:
    assert (Spec(name).scheme, Spec(name).place) == (scheme, place)


def test_options_give_way_to_later_ones() -> None:
    def more(name: str, text: str) -> str:
        return Spec(name).with_options(text).name
    assert more("native", "memory=1G") == "native?memory=1G"
    assert more("native?memory=1G&kpool=1M", "memory=2G&x=1") == "native?kpool=1M&memory=2G&x=1"
    assert more("native?kpool=1M", "kpool=2M") == "native?kpool=1M&kpool=2M"      # the kernel's own
    assert more("unix:/x", "memory=1G") == "unix:/x"
