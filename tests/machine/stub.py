# SPDX-License-Identifier: MIT
"""A debugger in a few lines, for what cannot be done to a guest over its own line: QEMU's gdbstub
over a unix socket (GDB manual, "Remote Protocol")."""
from __future__ import annotations

import socket
import time

# Register numbers of gdb's target descriptions, and bytes: the stack pointer, the place, and what a
# function may have its stack pointer back from.
REGISTERS = {
    "x86_64": {"sp": (7, 8), "pc": (16, 8), "frame": (6, 8)},
    "i386": {"sp": (4, 4), "pc": (8, 4), "frame": (5, 4)},
    "s390x": {"sp": (17, 8), "pc": (1, 8)},
}


class Stub:
    """A connection; the guest stands still until go()."""

    def __init__(self, path: str, arch: str) -> None:
        self.arch = arch
        self.line = socket.socket(socket.AF_UNIX)
        self.line.settimeout(30)
        deadline = time.monotonic() + 30
        while self.line.connect_ex(path) != 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # Without the description of the target there are no numbers to write a register by.
        self.ask("qSupported:xmlRegisters=i386,s390")
        self.ask("qXfer:features:read:target.xml:0,ffb")

    def _send(self, text: str) -> None:
        self.line.sendall(f"${text}#{sum(text.encode()) % 256:02x}".encode())

    def _receive(self) -> str:
        got = b""
        while b"#" not in got[:-2]:
            got += self.line.recv(4096)
        self.line.sendall(b"+")
        return got[got.index(b"$") + 1:got.rindex(b"#")].decode("latin-1")

    def ask(self, text: str) -> str:
        self._send(text)
        return self._receive()

    def go(self) -> None:
        self._send("c")

    def stop(self) -> None:
        self.line.sendall(b"\x03")
        assert self._receive()[0] in "ST"

    def set(self, register: str, value: int, cpu: int = 0) -> None:
        number, size = REGISTERS[self.arch][register]
        order = "big" if self.arch == "s390x" else "little"
        assert self.ask(f"Hg{cpu + 1:x}") == "OK"
        assert self.ask(f"P{number:x}={value.to_bytes(size, order).hex()}") == "OK"

    def read(self, address: int) -> int:
        """A byte of memory."""
        return int(self.ask(f"m{address:x},1"), 16)

    def write(self, address: int, value: int) -> None:
        assert self.ask(f"M{address:x},1:{value:02x}") == "OK"
