# SPDX-License-Identifier: MIT
"""Program checks within program checks, which no command can bring about: a debugger does."""
from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine.test_run_guest import PANIC, SCRIPT
from tests.machine.test_s390x import symbols

R15 = 17                          # the number of the register in QEMU's stub (s390x-core64.xml)
LOWCORE, TRAP_STACK = 0xffffffe000, 0x2a0     # arch/s390x/lowcore.h


def connect(path: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    deadline = time.monotonic() + 60
    while line.connect_ex(path) != 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    line.settimeout(60)
    return line


class Stopped:
    """A guest at the entry of a function that `peek 0` calls, and the stub's packets.

    Another processor idles meanwhile: no end of this one is the machine's if it goes on.
    """

    def __init__(self, directory: Path, function: str) -> None:
        self.script = subprocess.Popen(
            [SCRIPT, "s390x", "--cpus", "2", "--gdb", "--serial", f"unix:{directory}/line"],
            stderr=subprocess.PIPE, text=True)
        assert self.script.stderr is not None
        found = None
        while found is None:
            found = re.search(r"target remote ([^ ']+)", self.script.stderr.readline())
        self.line = connect(f"{directory}/line")
        self.stub = connect(found[1])
        # Only who has asked what registers there are may write one.
        self.put("qXfer:features:read:target.xml:0,ffb")
        self._packet()
        self.ask(f"Z1,{symbols()[function]:x},2")
        self.line.sendall(b"cpu start 1\npeek 0\n")
        self.ask("c")
        self.ask(f"z1,{symbols()[function]:x},2")

    def _packet(self) -> str:
        data = b""
        while not (found := re.search(rb"\$([^#]*)#..$", data)):
            data += self.stub.recv(4096)
        self.stub.sendall(b"+")
        return found[1].decode()

    def put(self, text: str) -> None:
        self.stub.sendall(f"${text}#{sum(text.encode()) & 0xff:02x}".encode())

    def ask(self, text: str) -> None:
        self.put(text)
        reply = self._packet()
        assert reply == "OK" or reply.startswith("T05"), (text, reply)

    def end(self) -> tuple[str, int]:
        """Let it go on to its end: what it said, and the script's status."""
        self.put("c")
        text = b"".join(iter(lambda: self.line.recv(4096), b""))
        return text.decode("ascii", "replace"), self.script.wait(60)

    def close(self) -> None:
        self.line.close()
        self.stub.close()
        self.script.kill()
        self.script.communicate()


@pytest.fixture
def stopped(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stopped]:
    guest = Stopped(tmp_path, request.param)
    yield guest
    guest.close()


@pytest.mark.parametrize("stopped", ["trap_program"], indirect=True)
def test_an_overflow_of_the_trap_stack_is_a_panic_at_the_page_below(stopped: Stopped) -> None:
    """Not an error of the command, whose fault it was not, and which was being told."""
    guard = symbols()["trap_stack_guard"]
    stopped.ask(f"P{R15:x}={guard + 0x100:016x}")
    text, status = stopped.end()
    assert f"% panic kind=trap fault=address address={guard:#018x} code=0x11 " in text
    assert f"% reg r15={guard + 0x100:#018x} " in text
    assert "% end panic" in text
    assert status == PANIC


@pytest.mark.parametrize("stopped", ["arch_load"], indirect=True)
def test_a_trap_that_can_only_trap_again_is_an_end_and_no_loop(stopped: Stopped) -> None:
    stopped.ask(f"M{LOWCORE + TRAP_STACK:x},8:{0x7000000000:016x}")
    text, status = stopped.end()
    assert "fault" not in text
    assert status == PANIC
