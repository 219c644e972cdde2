#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a rescue ISO in Bochs without a display, and connects COM1 to a terminal, pipe or socket.

Bochs opens a pseudo-terminal as the other end of its UART. It neither waits when nobody reads there
nor tells how a guest ended: so this program always reads, and takes the verdict from port 0xE9,
where the kernel leaves its exit value before it asks for the shutdown (arch/x86/machine.c).

Exit status: 0 orderly, 4 the guest panicked, 3 anything else.
"""
from __future__ import annotations

import argparse
import os
import pty
import select
import socket
import subprocess
import sys
import termios
import tty
from pathlib import Path
from select import PIPE_BUF

BOCHSRC = """\
megs: {megs}
cpu: model={model}, count={cpus}, ips=4000000, reset_on_triple_fault=0
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="{iso}", status=inserted
boot: cdrom
display_library: term
com1: enabled=1, mode=term, dev={line}
port_e9_hack: enabled=1
log: {log}
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
clock: sync=none
"""

WITH_PARENT = Path(__file__).resolve().parents[1] / "common/with-parent.sh"
VERDICTS = {0x10: 0, 0x11: 4}     # what the kernel writes to port 0xE9: our exit status
DIED = 3
CHUNK = 65536
ESCAPE = 0x01                     # Ctrl-A, then X: end the emulator, as QEMU has it


class Ended(Exception):
    """The user wants no more."""


class Bridge:
    """Bytes from the guest to the client that there is, and back."""

    def __init__(self, line: int, server: socket.socket | None) -> None:
        os.set_blocking(line, False)
        self.line = line
        self.server = server
        self.client: socket.socket | None = None
        self.to_line = bytearray()
        self.to_client = bytearray()
        self.source = self.sink = -1      # the client's ends, -1: there is none
        self.escaped: bool | None = None  # did an escape character precede; None: there are none
        if server is None:
            self.source, self.sink = 0, 1
            if os.isatty(0):
                self.escaped = False

    def accept(self) -> None:
        """Wait for the next client."""
        assert self.server is not None
        self.client, _ = self.server.accept()
        self.client.setblocking(False)
        self.source = self.sink = self.client.fileno()

    def hang_up(self) -> None:
        """The client sends no more; one of a socket is gone altogether, the next may come."""
        self.source = -1
        if self.client is not None:
            self.client.close()
            self.client = None
            self.sink = -1
            self.to_client.clear()

    def interests(self) -> dict[int, int]:
        """What to wait for, by descriptor."""
        wanted = {self.line: select.POLLIN | (select.POLLOUT if self.to_line else 0)}
        if self.server is not None and self.client is None:
            wanted[self.server.fileno()] = select.POLLIN
        if self.source >= 0 and len(self.to_line) < CHUNK:
            wanted[self.source] = select.POLLIN
        if self.sink >= 0 and self.to_client:
            wanted[self.sink] = wanted.get(self.sink, 0) | select.POLLOUT
        return wanted

    def handle(self, descriptor: int, events: int) -> None:
        """Move what can be moved there."""
        if descriptor == self.line:
            self.drain()
            if events & select.POLLOUT:
                del self.to_line[:os.write(self.line, self.to_line)]
        elif self.server is not None and descriptor == self.server.fileno():
            self.accept()
        else:
            if descriptor == self.sink and events & select.POLLOUT:
                self.give()
            if descriptor == self.source and events & ~select.POLLOUT:
                self.take()

    def drain(self) -> None:
        """Take what the guest has sent; without a client it is lost, as on a real line."""
        try:
            while data := os.read(self.line, CHUNK):
                if self.sink >= 0:
                    self.to_client += data
        except OSError:
            pass                          # nothing more: for now, or for ever

    def take(self) -> None:
        """Take what the client sends."""
        try:
            data = os.read(self.source, CHUNK)
        except OSError:
            data = b""
        self.to_line += data if self.escaped is None else self.without_escapes(data)
        if not data:
            self.hang_up()

    def without_escapes(self, data: bytes) -> bytes:
        """Ctrl-A twice is itself."""
        kept = bytearray()
        for byte in data:
            if self.escaped and byte in b"xX":
                raise Ended
            self.escaped = byte == ESCAPE and not self.escaped
            if not self.escaped:
                kept.append(byte)
        return bytes(kept)

    def give(self) -> None:
        """Hand the client what it takes at once."""
        try:
            del self.to_client[:os.write(self.sink, self.to_client[:PIPE_BUF])]
        except BlockingIOError:
            pass
        except OSError:
            self.sink = -1
            self.to_client.clear()

    def serve(self, process: int) -> None:
        """Until the process, of which this is a descriptor, has ended."""
        while True:
            poll = select.poll()
            poll.register(process, select.POLLIN)
            for descriptor, events in self.interests().items():
                poll.register(descriptor, events)
            ready = poll.poll()
            if process in dict(ready):
                break
            for descriptor, events in ready:
                self.handle(descriptor, events)
        self.drain()
        if self.sink >= 0:
            os.set_blocking(self.sink, True)
        while self.sink >= 0 and self.to_client:
            self.give()


def start(options: argparse.Namespace, line: str) -> subprocess.Popen[bytes]:
    """Bochs with a debugger, as Debian builds it: it has to be told to begin. Its display `term` is
    content without a terminal; `rfb` would listen on a TCP port, to everybody."""
    directory = Path(options.directory)
    (directory / "bochsrc").write_text(BOCHSRC.format(
        megs=options.megs, model=options.model, cpus=options.cpus, iso=options.iso, line=line,
        log=directory / "bochs.log"))
    (directory / "go").write_text("c\n")
    with open(directory / "bochs.out", "wb") as out:
        return subprocess.Popen(
            [WITH_PARENT, str(os.getpid()), "bochs-bin", "-q",
             "-f", str(directory / "bochsrc"), "-rc", str(directory / "go")],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, "TERM": "dumb"})


def verdict(directory: Path) -> int:
    """How the guest ended, from what Bochs wrote; says why if it died."""
    for byte in reversed((directory / "bochs.out").read_bytes()):
        if byte in VERDICTS:
            return VERDICTS[byte]
    log = directory / "bochs.log"
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    for text in [line for line in lines if "PANIC" in line][-3:] or ["no reason was given"]:
        print(f"bochs: {text}", file=sys.stderr)
    return DIED


def run(options: argparse.Namespace) -> int:
    """Start it, serve it, judge it."""
    line, slave = pty.openpty()
    tty.setraw(slave)
    server = None
    if options.serial != "stdio":
        path = Path(options.serial.removeprefix("unix:"))
        path.unlink(missing_ok=True)      # one that a killed run has left; run-guest.sh has looked
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen(1)
    bridge = Bridge(line, server)
    if server is not None:
        bridge.accept()
    process = start(options, os.ttyname(slave))
    try:
        bridge.serve(os.pidfd_open(process.pid))
    except Ended:
        return 0
    finally:
        process.kill()
        process.wait()
    return verdict(Path(options.directory))


def main() -> int:
    """The command line; run-guest.sh writes it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("iso", "megs", "cpus", "model", "serial", "directory"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    if options.serial != "stdio" or not os.isatty(0):
        return run(options)
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        return run(options)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


if __name__ == "__main__":
    sys.exit(main())
