#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the guest in Hercules and makes a serial line of its operator's console.

Hercules takes operator commands on its standard input and mixes what the guest says into its log.
This program sends each line as commands short enough, one at a time, each when the guest has read
the one before (arch/s390x/sccb.h), and passes on those lines of the log that are the guest's.

It ends with 0 when the guest ended orderly or the client is gone, 4 when the guest stopped
otherwise, 3 when Hercules failed, and leaves no process behind.
"""
from __future__ import annotations

import argparse
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

WITH_PARENT = Path(__file__).resolve().parents[1] / "common/with-parent.sh"
EXIT_ORDERLY, EXIT_EMULATOR, EXIT_PANIC = 0, 3, 4

CONFIGURATION = """\
ARCHMODE z/Arch
CPUSERIAL 000001
CPUMODEL 2817
MAINSIZE {memory}
XPNDSIZE 0
NUMCPU {cpus}
MAXCPU {cpus}
OSTAILOR QUIET
PANRATE FAST
CODEPAGE 819/037
000E 1403 printer.txt
"""

ETX, ENQ, ETB = b"\x03", b"\x05", b"\x17"
PIECE = 100                       # of a line in one command; Hercules takes some 120 characters
# What is not printable would not arrive as it is; this spoils the line as it has to.
SUBSTITUTE = 0x1a
PRINTABLE = bytes(c if 0x20 <= c < 0x7f else 0x20 if c == 0x09 else SUBSTITUTE for c in range(256))
READ = b"\\"                      # the guest's answer to ENQ
# Where the buffer of its log wraps, Hercules fails to remove colours, and may drop the dot in front
# of a command that it echoes, but not our ENQ at its end.
COLOUR = re.compile(rb"<pnl,[^>]*>")
GUEST_LINE = re.compile(rb"[:=?%;>]")
FAILED = re.compile(rb"HHC[A-Z0-9]+[ES] ")
STOPPED = re.compile(rb"\s*PSW=[0-9A-F]{8} [0-9A-F]{8} ([0-9A-F]{16})")
STOP_ORDERLY = 0xfff              # arch/s390x/lowcore.h
QUIT_PATIENCE = 2.0               # seconds


class Client:
    """Whoever is at the other end of the line: standard input and output, or a socket."""

    def __init__(self, serial: str) -> None:
        self.terminal = serial == "stdio" and os.isatty(0)
        self._socket: socket.socket | None = None
        if serial == "stdio":
            self.input, self._output = 0, 1
            return
        path = Path(serial.removeprefix("unix:"))
        path.unlink(missing_ok=True)  # one that a killed run has left; run-guest.sh has looked
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(1)
            self._socket = listener.accept()[0]
        self.input = self._output = self._socket.fileno()

    def put(self, line: bytes) -> None:
        """A line of the guest. A terminal has echoed what was typed there by itself."""
        if self.terminal and line.startswith(b"> "):
            return
        data = line + (b"\n" if self.terminal else b"\r\n")
        while data:
            data = data[os.write(self._output, data):]


class Line:
    """What the client sends, cut into commands."""

    def __init__(self) -> None:
        self._partial = b""
        self.commands: deque[bytes] = deque()

    def put(self, data: bytes) -> None:
        """Bytes as they come. ^C drops a partial line; all else keeps its place before it."""
        *ended, self._partial = re.split(rb"([\r\n\x03])", self._partial + data)
        for line, end in zip(ended[::2], ended[1::2]):
            if end == ETX:
                self.commands.append(ETX + ENQ)
            else:
                self._put_line(line)

    def _put_line(self, line: bytes) -> None:
        line = line.translate(PRINTABLE)
        while len(line) > PIECE:
            # Hercules drops blanks at the start of a command.
            end = len(line[:PIECE].rstrip(b" ")) or PIECE
            while line[end:end + 1] == b" " and end > 1:
                end -= 1
            self.commands.append(line[:end] + ETB + ENQ)
            line = line[end:]
        if line:
            self.commands.append(line + ENQ)


class Hercules:
    """The emulator, started in a directory of its own."""

    def __init__(self, arguments: argparse.Namespace, directory: Path) -> None:
        loadparm = f"LOADPARM {arguments.loadparm}\n" if arguments.loadparm else ""
        (directory / "guest.cnf").write_text(CONFIGURATION.format(**vars(arguments)) + loadparm)
        # Not a link: Hercules follows none out of its directory.
        shutil.copy(arguments.image, directory / "guest.bin")
        (directory / "guest.ins").write_text("guest.bin 0x00000000\n")
        (directory / "guest.rc").write_text("ipl guest.ins\n")
        self.process = subprocess.Popen(
            [WITH_PARENT, str(os.getpid()), "hercules", "-d", "-f", "guest.cnf", "EXTERNALGUI"],
            cwd=directory, env={**os.environ, "HERCULES_RC": "guest.rc"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.input = self.process.stdin
        self.output = self.process.stdout.fileno()
        self._partial = b""

    def command(self, command: bytes) -> None:
        """A line for Hercules, or, behind a dot, for its guest."""
        try:
            self.input.write(command + b"\n")
            self.input.flush()
        except BrokenPipeError:
            pass

    def lines(self) -> list[bytes] | None:
        """What has come in since the last call; None at the end."""
        data = os.read(self.output, 65536)
        *whole, self._partial = (self._partial + data).split(b"\n")
        return whole if data else None

    def end(self) -> None:
        """Let it quit; if it does not, kill it."""
        self.command(b"quit")
        deadline = time.monotonic() + QUIT_PATIENCE
        while time.monotonic() < deadline:
            if select.select([self.output], [], [], 0.1)[0] and self.lines() is None:
                break
        self.process.kill()
        self.process.wait()


class Bridge:
    """The client's line and Hercules's console, each passed on to the other."""

    def __init__(self, client: Client, hercules: Hercules) -> None:
        self.client = client
        self.hercules = hercules
        self.line = Line()
        self.interrupted = False
        self._booted = False
        self._unread = False              # a command that the guest has not read yet

    def run(self) -> int:
        """Until one of the two ends; returns our exit status."""
        inputs = [self.hercules.output, self.client.input]
        while True:
            ready = select.select(inputs, [], [], 0.1)[0]
            if self.client.input in ready and not self._take_input():
                if not self.client.terminal:
                    return EXIT_ORDERLY
                inputs.remove(self.client.input)
                self.line.put(b"poweroff\n")
            if self.hercules.output in ready:
                status = self._take_log()
                if status is not None:
                    return status
            if self.interrupted:
                self.interrupted = False
                self.line.put(ETX)
            self._send()

    def _take_input(self) -> bool:
        try:
            data = os.read(self.client.input, 65536)
        except ConnectionResetError:
            data = b""
        self.line.put(data)
        return bool(data)

    def _take_log(self) -> int | None:
        lines = self.hercules.lines()
        if lines is None:
            return EXIT_EMULATOR
        for line in lines:
            line = COLOUR.sub(b"", line.rstrip(b"\r"), count=1) if line[:1] == b"<" else line
            if line == READ:
                self._unread = False
            elif GUEST_LINE.match(line) and ENQ not in line:
                # Before that, a command would be refused: nobody receives any.
                self._booted |= line.startswith(b"% boot ")
                self.client.put(line)
            elif stopped := STOPPED.match(line):
                return EXIT_ORDERLY if int(stopped[1], 16) == STOP_ORDERLY else EXIT_PANIC
            elif not self._booted and FAILED.match(line):
                print(f"hercules: {line.decode('ascii', 'replace')}", file=sys.stderr)
                return EXIT_EMULATOR
        return None

    def _send(self) -> None:
        if self._booted and not self._unread and self.line.commands:
            self.hercules.command(b"." + self.line.commands.popleft())
            self._unread = True


def main() -> int:
    """Parse the options that machine.sh gives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", required=True, help="the flat image")
    parser.add_argument("--memory", required=True, help="MiB")
    parser.add_argument("--cpus", required=True)
    parser.add_argument("--loadparm", default="")
    parser.add_argument("--serial", required=True, help="stdio or unix:PATH")
    parser.add_argument("--directory", required=True, help="for files of this run; exists")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    client = Client(arguments.serial)
    hercules = Hercules(arguments, Path(arguments.directory))
    bridge = Bridge(client, hercules)
    if client.terminal:
        signal.signal(signal.SIGINT, lambda *_: setattr(bridge, "interrupted", True))
    try:
        return bridge.run()
    except BrokenPipeError:
        return EXIT_ORDERLY
    finally:
        hercules.end()


if __name__ == "__main__":
    sys.exit(main())
