# SPDX-License-Identifier: MIT
"""What only the PC has: two widths, and Bochs, an emulator that has nothing in common with QEMU."""
from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pexpect  # type: ignore[import]
import pytest

from tests.machine.test_run_guest import (BOOTS, EMULATOR, ORDERLY, PANIC, ROOT, SCRIPT, USAGE,
                                          Started, answers, run)
from tests.processes import is_running

ON_BOCHS = ["bochs", "i386-bochs"]
X86 = ["i386", "i386-iso", *ON_BOCHS]

# Loads an empty interrupt table and raises an exception: nothing is left to serve it.
TRIPLE_FAULT = """
    .section .multiboot, "a"
    .long 0x1badb002, 0, -0x1badb002
    .text
    .globl _start
_start:
    lidt nothing
    ud2
nothing: .quad 0
"""


@pytest.mark.parametrize("options, complaint", [
    ("--emulator bochs --boot direct", "--boot iso"),
    ("--emulator bochs --firmware uefi", "firmware"),
    ("--emulator bochs --machine q35", "machine"),
    ("--emulator bochs --serial pty", "pty"),
    ("--emulator bochs --gdb", "--gdb"),
    ("--emulator bochs --snapshot /tmp/x", "--snapshot"),
    ("--emulator bochs --memory 3G", "2G"),
    ("--emulator bochs --memory 65537K", "whole megabytes"),
    ("--emulator bochs --cpus 9", "8"),
    ("i386 --memory 3M", "4M"),
    ("i386 --machine microvm --boot iso", "microvm"),
])
def test_refuses(options: str, complaint: str) -> None:
    done = run(*options.split())
    assert done.returncode == USAGE
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("machine", X86)
def test_panic(machine: str) -> None:
    done = run(*BOOTS[machine].split(), given=b"echo 1\npanic\necho 2\n")
    assert done.returncode == PANIC
    assert re.search(r"^% panic ", done.stdout, re.M)
    assert re.search(r"^% reg [er]ip=0x", done.stdout, re.M)
    assert re.search(r"^% bt 0x", done.stdout, re.M)
    assert "before the input" in done.stderr and "panicked" in done.stderr


@pytest.mark.parametrize("machine", X86)
def test_poweroff_in_the_middle(machine: str) -> None:
    assert run(*BOOTS[machine].split(), given=b"poweroff\necho 2\n").returncode == ORDERLY


@pytest.mark.parametrize("processor", ["486", "pentium"])
def test_a_processor_without_pae_is_told(processor: str) -> None:
    """The reason is a line of the guest's, at a terminal and in a pipe."""
    text, status = pexpect.run(f"{SCRIPT} i386 --cpu {processor}", withexitstatus=True, timeout=60)
    assert re.search(rb"^; this processor has no (PAE|CPUID)\r", text, re.M)
    assert status == PANIC
    done = run("i386", "--cpu", processor, given=b"echo 1\n")
    assert re.fullmatch(r"; this processor has no (PAE|CPUID)\n", done.stdout)
    assert done.returncode == PANIC


def test_a_processor_without_no_execute_is_good_enough() -> None:
    done = run("i386", "--cpu", "qemu32", given=b"check\n")
    assert done.returncode == ORDERLY and answers(done.stdout) == ["="]


def test_frames_beyond_32_bits_are_told(tmp_path: Path) -> None:
    done = run("i386", "--memory", "6G", given=b"alloc_pages_area high 18\npeek $\nfree $1\n")
    assert re.search(r"^; memory that this machine cannot reach", done.stdout, re.M)
    got = answers(done.stdout)
    assert got[0].endswith(" zeroed=0") and got[1].startswith("? call.unsupported")


# ---- Bochs ----

@pytest.mark.parametrize("machine", ON_BOCHS)
def test_module_is_kept_out(machine: str, tmp_path: Path) -> None:
    module = tmp_path / "module"
    module.write_bytes(b"\xff" * 5000)
    done = run(*BOOTS[machine].split(), "--module", str(module), given=b"info\n")
    assert done.returncode == ORDERLY, done.stderr
    assert re.search(r"^; reserved 0x[0-9a-f]{16} 0x0000000000001388 module$", done.stdout, re.M)


def test_a_triple_fault_on_bochs_is_told_from_an_orderly_end(tmp_path: Path) -> None:
    (tmp_path / "kernel.S").write_text(TRIPLE_FAULT)
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-Wl,-Ttext=0x200000,--build-id=none",
                    "-Wl,--section-start=.multiboot=0x100000",
                    "-o", "kernel.elf", "kernel.S"], cwd=tmp_path, check=True, timeout=60)
    subprocess.run([ROOT / "arch/x86/make-iso.sh", "kernel.elf", "k.iso"], cwd=tmp_path, check=True,
                   timeout=60)
    done = subprocess.run([ROOT / "arch/x86/bochs.py", "--iso", tmp_path / "k.iso", "--megs", "32",
                           "--cpus", "1", "--model", "corei7_haswell_4770", "--serial", "stdio",
                           "--directory", tmp_path], stdin=subprocess.DEVNULL, timeout=120,
                          capture_output=True)
    assert done.returncode == EMULATOR
    assert b"no resolution" in done.stderr


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_no_bochs_survives_its_script(sent: int, tmp_path: Path) -> None:
    with Started("x86_64", "--emulator", "bochs", TMPDIR=str(tmp_path)) as started:
        bridge = started.guest()
        bochs = children(bridge)
        assert len(bochs) == 1
        started.script.send_signal(sent)
        started.script.wait(30)
        deadline = time.monotonic() + 30
        while any(map(is_running, [bridge, *bochs])) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not is_running(bridge) and not is_running(bochs[0])


def test_a_bochs_that_dies_is_told() -> None:
    with Started("x86_64", "--emulator", "bochs") as started:
        os.kill(children(started.guest())[0], signal.SIGKILL)
        assert started.script.wait(30) == EMULATOR


def test_bochs_at_a_terminal() -> None:
    child = pexpect.spawn(f"{SCRIPT} x86_64 --emulator bochs", timeout=60, encoding="ascii",
                          codec_errors="replace", echo=False)
    child.delaybeforesend = None
    child.expect_exact("\r\n> ")
    child.send("ech\t 77\r")
    child.expect("= 77\r+\n")
    child.send("stress 99999999\r")
    child.send("\x03")
    child.expect_exact("stop.interrupted")
    child.expect_exact("\r\n> ")
    child.send("cho 1\x01\x01e\r")             # Ctrl-A twice is one: to the start of the line
    child.expect("= 1\r+\n")
    child.send("\x01x")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == ORDERLY


def test_a_client_of_bochs_may_leave_and_another_come(tmp_path: Path) -> None:
    path = tmp_path / "line"
    script = subprocess.Popen([SCRIPT, "x86_64", "--emulator", "bochs", "--serial", f"unix:{path}"],
                              stdin=subprocess.DEVNULL)
    try:
        assert "% boot" in talk(path, b"", b"% boot")
        assert "= 5" in talk(path, b"\n> echo 5\n", b"= 5\r\n")
        talk(path, b"> poweroff\n", b"=")
        assert script.wait(60) == ORDERLY
    finally:
        script.kill()
        script.wait()


def talk(path: Path, given: bytes, wanted: bytes) -> str:
    """One visit of a client."""
    deadline = time.monotonic() + 60
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(60)
        while True:
            try:
                line.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                assert time.monotonic() < deadline
                time.sleep(0.01)
        line.sendall(given)
        got = b""
        while wanted not in got:
            data = line.recv(4096)
            assert data, got
            got += data
    return got.decode("ascii", "replace")
