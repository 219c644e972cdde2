# SPDX-License-Identifier: MIT
"""Panics that nothing on the line can bring about: outside of a command, and without a stack."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from pfnlab.doors import program_of
from tests.machine.stub import Stub
from tests.machine.test_run_guest import PANIC, SCRIPT, guest_of

NOWHERE = {"x86_64": 0x7000000000, "i386": 0xb0000000, "s390x": 0x7000000000}
STAYING = ("--append", "onpanic=stay")
NEW_LIFE = "began anew"


def is_pending(pid: int) -> bool:
    """Has a signal to the process not reached it yet?"""
    try:
        return f"ShdPnd:\t{0:016x}" not in Path(f"/proc/{pid}/status").read_text("ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False


class Broken:
    """A guest in a pipe that can be broken from outside: by a debugger, or a signal on native."""

    def __init__(self, arch: str, *options: str) -> None:
        self.arch = arch
        if arch != "native":
            options = ("--gdb", *options)
        self.script = subprocess.Popen([SCRIPT, arch, *options], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.script.stdin and self.script.stdout and self.script.stderr
        self.given, self.said = self.script.stdin, self.script.stdout
        self.complaints = self.script.stderr
        if arch != "native":
            place = re.search(r"target remote ([^\"']+)", self.script.stderr.readline())
            assert place is not None
            self.stub = Stub(place[1], arch)
            self.stub.go()
        self.until("% boot ")

    def __enter__(self) -> Broken:
        return self

    def __exit__(self, *error: object) -> None:
        self.script.kill()
        self.script.wait()

    def until(self, start: str) -> str:
        """All lines up to the one that begins so."""
        text = ""
        for line in self.said:
            text += line
            if line.startswith(start):
                return text
        raise AssertionError(text)

    def tell(self, line: str) -> None:
        self.given.write(line + "\n")
        self.given.flush()

    def ask(self, line: str, start: str = "=") -> str:
        self.tell(line)
        return self.until(start)

    def peek(self, address: int) -> int:
        """A byte of memory, for which the guest stands still."""
        self.stub.stop()
        value = self.stub.read(address)
        self.stub.go()
        return value

    def lose(self, *registers: str) -> None:
        """They lead nowhere when the guest goes on: what it does then is an exception."""
        if self.arch == "native":
            pid = guest_of(self.script.pid)
            os.kill(pid, signal.SIGILL)
            # Else it might have read the next line already when the signal hits it.
            while is_pending(pid):
                time.sleep(0.001)
            return
        self.stub.stop()
        for register in registers:
            self.stub.set(register, NOWHERE[self.arch])
        self.stub.go()

    def end(self) -> tuple[str, str, int]:
        """The rest of what is said, the script's own words, its status."""
        self.given.close()
        out, err = self.said.read(), self.complaints.read()
        return out, err, self.script.wait(60)


ALL = ["native", "x86_64", "i386", "s390x"]


@pytest.mark.parametrize("arch", ALL)
def test_outside_of_a_command_a_panic_is_the_end(arch: str) -> None:
    with Broken(arch) as guest:
        guest.ask("echo 1")
        guest.lose("pc")
        out, _, status = guest.end()
        assert out.startswith("% panic kind=fault fault=")
        assert "\n% end panic" in out and status == PANIC


@pytest.mark.parametrize("arch", ALL)
def test_a_guest_that_stays_begins_anew_and_a_pipe_goes_on(arch: str) -> None:
    with Broken(arch, *STAYING) as guest:
        guest.ask("alloc_page")
        guest.lose("pc")
        said = guest.ask("echo 7")
        assert said.startswith("% panic kind=fault fault=") and "\n% boot " in said
        assert said.endswith("\n= 7\n")
        assert guest.ask("alloc_page", "?").startswith("? bug.dead")
        assert guest.ask("check").startswith("=")
        _, complaints, status = guest.end()
        assert complaints.count(NEW_LIFE) == 1 and status == PANIC


@pytest.mark.parametrize("arch", ["native", "x86_64", "s390x"])
def test_it_stays_but_once(arch: str) -> None:
    with Broken(arch, *STAYING) as guest:
        guest.ask("echo 1")
        guest.lose("pc")
        guest.ask("echo 2")
        guest.ask("echo 3")           # behind what the script asks for itself
        guest.lose("pc")
        out, _, status = guest.end()
        assert "% end panic" in out and "% boot" not in out and status == PANIC


def in_mid_command(guest: Broken) -> None:
    guest.ask("trace 1")
    guest.ask("stress 4T", "% alloc ")
    guest.lose("sp", "frame")


@pytest.mark.parametrize("arch", ["x86_64", "i386"])
def test_a_double_fault_in_a_command_is_a_panic(arch: str) -> None:
    """The stack is gone: no exception can be served there, a push is the next one."""
    with Broken(arch) as guest:
        in_mid_command(guest)
        guest.until("% panic kind=double_fault ")
        out, _, status = guest.end()
        assert "% reg " in out and "\n% end panic" in out and status == PANIC


@pytest.mark.parametrize("arch", ["x86_64", "i386"])
def test_a_guest_that_stays_survives_double_faults(arch: str) -> None:
    with Broken(arch, *STAYING) as guest:
        in_mid_command(guest)
        guest.until("? bug.panic kind=double_fault ")
        assert guest.ask("echo 7") == "= 7\n"
        guest.lose("sp", "frame")
        said = guest.ask("echo 8")
        assert said.startswith("% panic kind=double_fault ") and "\n% boot " in said
        assert guest.end()[2] == PANIC


def places(arch: str, *names: str) -> list[int]:
    """Where these variables of the kernel are."""
    with open(program_of(arch), "rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return [table.get_symbol_by_name(name)[0]["st_value"] for name in names]


@pytest.mark.parametrize("arch", ["x86_64", "i386"])
def test_who_was_halted_by_an_exception_of_its_own_is_not_waited_for(arch: str) -> None:
    """It may come before the interrupt by which a panic halts processors: as if one of processor 0
    had just begun."""
    halter, halting, halted = places(arch, "halter", "halting", "halted")
    with Broken(arch, "--cpus", "3", *STAYING) as guest:
        guest.ask("cpu start all")
        guest.stub.stop()
        guest.stub.write(halter, 1)
        guest.stub.write(halting, 1)
        guest.stub.set("pc", NOWHERE[arch], cpu=1)
        guest.stub.go()
        guest.ask("trace 1")
        guest.ask("stress 4T cpus=2 mix=pages", "% alloc ")
        while not guest.peek(halted + 1):
            continue
        guest.lose("pc", "sp")
        guest.until("? bug.panic kind=double_fault ")
        assert " wrong=0 " in guest.ask("truth")
        assert guest.end()[2] == PANIC
